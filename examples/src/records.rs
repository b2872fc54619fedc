//! Agents and customers that are put into the database when a server starts.

use std::{error::Error, fs, path::PathBuf};

use call_session::directory::{Directory, Seed};
use jiff::Timestamp;

use crate::chain::Chain;

/// Which agents and customers are put into the database when a server starts.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Server")]
#[non_exhaustive]
pub struct RecordArguments {
    /// Puts the agents and customers of a sample company into the database first.
    #[arg(long)]
    pub sample: bool,
    /// Puts the agents and customers of this JSON file into the database first: `{"agents": […], "customers": […]}`. Those
    /// that are there, by their name or their number, stay as they are.
    #[arg(long, env = "SEED", value_name = "FILE")]
    pub seed: Option<PathBuf>,
}

/// Records that were read and can be put.
#[derive(Debug)]
#[must_use]
pub struct Records(Vec<(&'static str, Seed)>);

impl RecordArguments {
    /// Reads the records.
    ///
    /// # Errors
    ///
    /// When the file cannot be read; with all that is wrong, when it holds something else.
    pub fn read(&self) -> Result<Records, Box<dyn Error>> {
        let mut records = Vec::new();
        if self.sample {
            records.push(("the sample company", Seed::sample()));
        }
        if let Some(path) = self.seed.as_ref().filter(|path| !path.as_os_str().is_empty()) {
            let named = |error: &dyn Error| format!("SEED is {}: {}", path.display(), Chain(error));
            let json = fs::read_to_string(path).map_err(|error| named(&error))?;
            records.push(("the seed", Seed::read(&json, Timestamp::now()).map_err(|error| named(&error))?));
        }
        Ok(Records(records))
    }
}

impl Records {
    /// Puts what is not there yet.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn plant(self, directory: &dyn Directory) -> Result<(), Box<dyn Error>> {
        for (what, seed) in self.0 {
            let planted = seed.plant(directory).await?;
            tracing::info!(added = planted.added, present = planted.present, "{what} is in the database");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use call_session::directory::memory::MemoryDirectory;

    use super::*;

    fn written(json: &str) -> RecordArguments {
        let path = std::env::temp_dir().join(format!("records-{}.json", uuid::Uuid::new_v4()));
        fs::write(&path, json).unwrap();
        RecordArguments { sample: false, seed: Some(path) }
    }

    #[tokio::test]
    async fn a_file_of_records_is_put_into_the_database() {
        let arguments = written(
            r#"{
                "agents": [{ "id": "ito", "name": "Ito", "settings": { "companyName": "Example" } }],
                "customers": [{ "id": "mori", "phone": "+819012345678" }]
            }"#,
        );
        let directory = MemoryDirectory::new();
        for _ in 0..2 {
            // At each start.
            arguments.read().unwrap().plant(&directory).await.unwrap();
        }
        let ito = directory.agent(&"ito".parse().unwrap()).await.unwrap().unwrap();
        assert_eq!(ito.settings.unwrap().company_name, "Example");
        assert!(directory.customer(&"mori".parse().unwrap()).await.unwrap().is_some());
        fs::remove_file(arguments.seed.unwrap()).unwrap();
    }

    /// People copy it.
    #[tokio::test]
    async fn the_file_that_the_readme_shows_is_taken() {
        let (_, shown) = include_str!("../README.md").split_once("```json\n").unwrap();
        let (shown, _) = shown.split_once("```").unwrap();
        let arguments = written(shown);
        let directory = MemoryDirectory::new();
        arguments.read().unwrap().plant(&directory).await.unwrap();
        let sato = directory.agent(&"sato".parse().unwrap()).await.unwrap().unwrap();
        assert_eq!(sato.caller_numbers.active().map(|number| number.as_str()), Some("+81387654321"));
        assert_eq!(sato.working_hours.shifts.len(), 1);
        assert_eq!(sato.settings.unwrap().service_name, "Booking");
        assert!(directory.customer(&"yamada".parse().unwrap()).await.unwrap().is_some());
        fs::remove_file(arguments.seed.unwrap()).unwrap();
    }

    #[test]
    fn all_that_is_wrong_with_a_file_is_told() {
        let arguments = written(r#"{ "agents": [{ "id": "ito" }], "customers": [{ "id": "mori" }], "calls": [] }"#);
        let told = arguments.read().unwrap_err().to_string();
        for place in ["SEED is", "agents[0]", "customers[0]", "calls:"] {
            assert!(told.contains(place), "{place} in {told}");
        }
        fs::remove_file(arguments.seed.unwrap()).unwrap();
        let nobody = RecordArguments { sample: false, seed: Some("/nonexistent/seed.json".into()) };
        assert!(nobody.read().unwrap_err().to_string().contains("/nonexistent/seed.json"));
    }
}
