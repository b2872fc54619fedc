//! Where a server keeps its calls and its people.

use std::{fmt, path::PathBuf, str::FromStr, sync::Arc};

use call_session::{
    directory::{Directory, memory::MemoryDirectory},
    live::{Board, memory::MemoryBoard, postgres::PostgresBoard},
    postgres::{Postgres, PostgresConfig},
    store::{SessionStore, StoreError, memory::MemoryStore, postgres::PostgresStore, sqlite::SqliteStore},
};
use secrecy::{ExposeSecret, SecretString};

/// Where a server keeps its calls and its people. No secret shows in `Debug`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Database {
    /// In memory: gone with the process.
    Memory,
    /// In a file.
    Sqlite(PathBuf),
    /// In Postgres, for several servers.
    Postgres(PostgresDatabase),
}

/// How a Postgres database is reached. No secret shows in `Debug`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PostgresDatabase {
    /// The address.
    pub url: SecretString,
    /// Whether that is a pooler in transaction mode.
    pub pooler: bool,
    /// The address past the pooler, on which servers tell each other of news.
    pub direct: Option<SecretString>,
}

impl PostgresDatabase {
    /// The database at this address, without a pooler.
    #[must_use]
    pub fn new(url: impl Into<SecretString>) -> Self {
        Self { url: url.into(), pooler: false, direct: None }
    }

    /// How it is used.
    ///
    /// # Errors
    ///
    /// [`StoreError::Refused`] when an address is none.
    pub fn config(&self) -> Result<PostgresConfig, StoreError> {
        let mut config = PostgresConfig::new(self.url.expose_secret())?;
        if self.pooler {
            config = config.with_pooler();
        }
        match &self.direct {
            Some(direct) => config.with_direct(direct.expose_secret()),
            None => Ok(config),
        }
    }
}

impl Default for Database {
    /// `calls.db` where the server was started.
    fn default() -> Self {
        Self::Sqlite("calls.db".into())
    }
}

/// A text that is no database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is `memory`, or begins with `sqlite:` or `postgres://`")]
pub struct UnknownDatabase;

impl FromStr for Database {
    type Err = UnknownDatabase;

    fn from_str(text: &str) -> Result<Self, UnknownDatabase> {
        if text == "memory" {
            return Ok(Self::Memory);
        }
        if let Some(path) = text.strip_prefix("sqlite:").filter(|path| !path.is_empty()) {
            return Ok(Self::Sqlite(path.strip_prefix("//").unwrap_or(path).into()));
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(PostgresDatabase::new(text)));
        }
        Err(UnknownDatabase)
    }
}

/// Where calls are kept, and where people are.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The calls.
    pub store: Arc<dyn SessionStore>,
    /// The people.
    pub directory: Arc<dyn Directory>,
    /// Where servers meet that share the calls.
    pub board: Arc<dyn Board>,
}

impl Database {
    /// Opens it, and brings its tables up to date.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it cannot be opened.
    pub async fn open(&self) -> Result<Opened, StoreError> {
        match self {
            Self::Memory => Ok(Opened {
                store: Arc::new(MemoryStore::new()),
                directory: Arc::new(MemoryDirectory::new()),
                board: Arc::new(MemoryBoard::new()),
            }),
            // One server has the file, so that it meets nobody.
            Self::Sqlite(path) => {
                let store = Arc::new(SqliteStore::open(path).await?);
                Ok(Opened { store: store.clone(), directory: store, board: Arc::new(MemoryBoard::new()) })
            }
            Self::Postgres(database) => {
                let store = Arc::new(PostgresStore::new(Postgres::connect(database.config()?).await?));
                let board = Arc::new(PostgresBoard::new(store.postgres().clone()));
                Ok(Opened { store: store.clone(), directory: store, board })
            }
        }
    }
}

impl fmt::Display for Database {
    /// Without passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory"),
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(_) => f.write_str("postgres"),
        }
    }
}
