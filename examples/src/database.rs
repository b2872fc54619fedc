//! Where a server keeps its calls and its people.

use std::{fmt, path::PathBuf, str::FromStr, sync::Arc};

use call_session::{
    directory::{Directory, memory::MemoryDirectory},
    live::{Board, memory::MemoryBoard, postgres::PostgresBoard},
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
    Postgres(SecretString),
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
            return Ok(Self::Postgres(text.into()));
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
            Self::Postgres(url) => {
                let store = Arc::new(PostgresStore::connect(url.expose_secret()).await?);
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
