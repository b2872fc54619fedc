//! A database for one test.

use std::{
    env,
    process::{self, Command},
    sync::atomic::{AtomicU64, Ordering},
    time::SystemTime,
};

use crate::{
    DATABASE_URL, Failure, Server,
    programs::{find, run},
};

/// An empty database of one's own. It is dropped with this, and so is the server, if it was started for it.
#[derive(Debug)]
pub struct Database {
    /// The server's address, with which databases are created and dropped.
    server_url: String,
    name: String,
    url: String,
    server: Option<Server>,
}

impl Database {
    /// A database on the server that `DATABASE_URL` names, otherwise on a server of its own.
    ///
    /// # Errors
    ///
    /// [`Failure`] when there is no server and none can be started, or when it refuses.
    pub fn create() -> Result<Self, Failure> {
        match env::var(DATABASE_URL) {
            Ok(url) if !url.is_empty() => Self::on(url, None),
            _ => Self::alone(),
        }
    }

    /// A database on a server of its own, which can be stopped and started.
    ///
    /// # Errors
    ///
    /// [`Failure`] when no server can be started.
    pub fn alone() -> Result<Self, Failure> {
        let server = Server::start()?;
        Self::on(server.url(), Some(server))
    }

    fn on(server_url: String, server: Option<Server>) -> Result<Self, Failure> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{number}_{since}", process::id());
        let url = renamed(&server_url, &name).ok_or(Failure::NotAnAddress)?;
        let mut createdb = Command::new(find("createdb")?);
        run(createdb.args(["--maintenance-db", &server_url, "--template", "template0", "--encoding", "UTF8", &name]))?;
        Ok(Self { server_url, name, url, server })
    }

    /// The address of the database.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The database's name on its server.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The server that was started for this database.
    pub const fn server(&mut self) -> Option<&mut Server> {
        self.server.as_mut()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if self.server.is_none()
            && let Ok(dropdb) = find("dropdb")
        {
            // Left behind it harms nobody.
            let _ = run(Command::new(dropdb).args(["--force", "--maintenance-db", &self.server_url, &self.name]));
        }
    }
}

/// The address with another database.
fn renamed(url: &str, name: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let (place, query) = rest.split_once('?').map_or((rest, None), |(place, query)| (place, Some(query)));
    let host = place.split('/').next()?;
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    Some(format!("{scheme}://{host}/{name}{query}"))
}

#[cfg(test)]
mod tests {
    use super::renamed;

    #[test]
    fn addresses_name_another_database() {
        let check = |url, wanted: &str| assert_eq!(renamed(url, "x").as_deref(), Some(wanted));
        check("postgres://me:secret@host:5433/postgres", "postgres://me:secret@host:5433/x");
        check("postgres://me@localhost/postgres?host=/tmp/pg", "postgres://me@localhost/x?host=/tmp/pg");
        check("postgres://localhost", "postgres://localhost/x");
        assert_eq!(renamed("host=here dbname=there", "x"), None);
    }
}
