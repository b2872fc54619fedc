//! A pooler before a database.

use std::{fs, path::PathBuf, process::Child, thread, time::Duration};

use crate::{
    Database, Failure,
    programs::{find, run},
    server::{as_user, folder, keep},
};

/// How long a pooler may take until it answers.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A `pgbouncer` in transaction mode, with few connections, so that clients really share them. It is stopped when this is
/// dropped, and when the process dies.
#[derive(Debug)]
pub struct Pooler {
    folder: PathBuf,
    keeper: Child,
    url: String,
}

impl Pooler {
    /// Starts a pooler before a database.
    ///
    /// # Errors
    ///
    /// [`Failure`] when `pgbouncer` is not installed (Debian: `apt-get install pgbouncer`), or does not come up.
    pub fn start(database: &Database) -> Result<Self, Failure> {
        let program = find("pgbouncer").map_err(|_| Failure::NoPooler)?;
        let (folder, root) = folder()?;
        let place = Place::of(database.url()).ok_or(Failure::NotAnAddress)?;
        let mut target = format!("host={} port={} user={}", place.host, place.port, place.user);
        if let Some(password) = &place.password {
            target.push_str(&format!(" password={password}"));
        }
        let settings = format!(
            "[databases]\n* = {target}\n[pgbouncer]\nunix_socket_dir = {}\nlisten_port = 6432\nauth_type = any\n\
             pool_mode = transaction\ndefault_pool_size = 3\nmax_client_conn = 200\n",
            folder.display()
        );
        let file = folder.join("pgbouncer.ini");
        fs::write(&file, settings)?;
        // It has nothing to lose, and its versions differ in which other signal does not wait for its clients.
        let mut keeper = keep(root, &folder, "KILL");
        keeper.arg(program).arg(&file);
        let keeper = keeper.spawn().map_err(|source| Failure::Start { program: "sh".into(), source })?;
        let url = format!("postgres://{}@localhost:6432/{}?host={}", place.user, database.name(), folder.display());
        let mut pooler = Self { folder, keeper, url };
        pooler.wait(root, &place.user)?;
        Ok(pooler)
    }

    /// The address of the database behind the pooler.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    fn wait(&mut self, root: bool, user: &str) -> Result<(), Failure> {
        let mut waited = Duration::ZERO;
        loop {
            let mut ready = as_user(root, &self.folder, find("pg_isready")?);
            ready.arg("--quiet").arg("--host").arg(&self.folder).args(["--port", "6432", "--username", user]);
            match run(&mut ready) {
                Ok(_) => return Ok(()),
                Err(Failure::Failed { .. }) if waited < PATIENCE => {}
                Err(Failure::Failed { .. }) => {
                    let said = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                    return Err(Failure::Silent { said });
                }
                Err(failure) => return Err(failure),
            }
            thread::sleep(LOOK_AGAIN);
            waited += LOOK_AGAIN;
        }
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        // The input is closed without a word: the keeper cleans up.
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// Where a server is, as a pooler has to be told.
#[derive(Debug, PartialEq)]
struct Place {
    host: String,
    port: u16,
    user: String,
    password: Option<String>,
}

impl Place {
    fn of(url: &str) -> Option<Self> {
        let (_, rest) = url.split_once("://")?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let authority = place.split('/').next()?;
        let (who, host) = authority.rsplit_once('@')?;
        let (user, password) = who.split_once(':').map_or((who, None), |(user, password)| (user, Some(password)));
        let (host, port) = host.rsplit_once(':').map_or((host, "5432"), |(host, port)| (host, port));
        let host = query.split('&').find_map(|pair| pair.strip_prefix("host=")).unwrap_or(host);
        let port = port.parse().ok()?;
        Some(Self { host: host.into(), port, user: user.into(), password: password.map(Into::into) })
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn addresses_are_taken_apart() {
        let check = |url, host: &str, port, password: Option<&str>| {
            let wanted = Place { host: host.into(), port, user: "me".into(), password: password.map(Into::into) };
            assert_eq!(Place::of(url), Some(wanted));
        };
        check("postgres://me@localhost/postgres?host=/tmp/pg", "/tmp/pg", 5432, None);
        check("postgres://me:secret@db.internal:5433/calls", "db.internal", 5433, Some("secret"));
        assert_eq!(Place::of("postgres://localhost"), None);
    }
}
