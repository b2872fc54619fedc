//! Why a step did not pass.

use std::{error::Error, io, path::PathBuf, process::ExitStatus};

/// What went wrong, in words for the person at the terminal.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Failure {
    /// A command ran and did not succeed. Its own output, printed above, says why.
    #[error("`{command}` did not pass ({status})")]
    Command { command: String, status: ExitStatus },
    /// A command could not be started at all.
    #[error("`{command}` could not be started")]
    Start { command: String, source: io::Error },
    /// A tool is not installed.
    #[error("{tool} is missing: {remedy}")]
    Missing { tool: &'static str, remedy: &'static str },
    /// There is no Postgres for the tests.
    #[error("the tests have no Postgres")]
    Postgres(#[from] throwaway_postgres::Failure),
    /// A file could not be read.
    #[error("{} could not be read", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// A file or a command's output is not what it should be.
    #[error("{what} could not be understood")]
    Parse { what: String, source: Box<dyn Error + Send + Sync> },
    /// The workspace breaks one of its own rules.
    #[error("{rule}\n  {}", found.join("\n  "))]
    Broken { rule: &'static str, found: Vec<String> },
    /// A fuzz target of that name does not exist.
    #[error("no fuzz target is called {name}; there are: {}", known.join(", "))]
    NoSuchTarget { name: String, known: Vec<String> },
}

impl Failure {
    /// Passes when nothing was found, and otherwise names everything that breaks `rule`.
    pub(crate) fn unless_empty(rule: &'static str, found: Vec<String>) -> Result<(), Self> {
        if found.is_empty() { Ok(()) } else { Err(Self::Broken { rule, found }) }
    }

    /// The message and those of its causes, one to a line.
    pub(crate) fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            text.push_str("\n  because: ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_every_cause() {
        let failure = Failure::Start { command: "cargo".into(), source: io::Error::other("no such file") };
        assert_eq!(failure.chain(), "`cargo` could not be started\n  because: no such file");
    }

    #[test]
    fn nothing_found_is_nothing_broken() {
        assert!(Failure::unless_empty("rule", Vec::new()).is_ok());
        let failure = Failure::unless_empty("short files", vec!["a".into(), "b".into()]).unwrap_err();
        assert_eq!(failure.to_string(), "short files\n  a\n  b");
    }
}
