//! Calls in an embedded database file, and agents and customers beside them.
//!
//! ```
//! use call_session::store::{Query, SessionStore, sqlite::SqliteStore};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = std::env::temp_dir().join(format!("call-session-doc-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder)?;
//! let store = SqliteStore::open(folder.join("calls.db")).await?;
//! assert!(store.query(&Query::active()).await?.calls.is_empty());
//! store.close().await;
//! # std::fs::remove_dir_all(&folder)?;
//! # Ok(())
//! # }
//! ```
//!
//! # How it works
//!
//! The file has a write-ahead log, so that readers and the writer never wait for each other. All writes of a store go
//! through one task, which puts what has come meanwhile into one transaction: whatever it costs to make a transaction
//! durable is paid once for many calls. Other processes may use the same file, and see each other's calls; a writer waits
//! for the other's transaction, at most [`SqliteConfig::busy_timeout`].
//!
//! # What is promised
//!
//! What was acknowledged survives the death of the process. With [`Durability::Power`], the default, it also survives the
//! machine's, provided that the disk keeps what it says it has kept.

mod directory;
mod writer;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::{
    Connection, Row, Sqlite, SqlitePool,
    migrate::{Migration, MigrationType, Migrator},
    sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout, timeout_at},
};
use twilio_twiml::sid::CallSid;
use uuid::Uuid;

use self::writer::Writer;
use super::{
    Commit, CommitError, FeedEvent, Page, Position, Query, SessionStore, StoreError,
    sql::{assemble, list, parsed, recorded, signed, unsigned, words},
};
use crate::{
    call::{CallSession, CallSummary, NewCall, Recorded, Stamped, Version},
    id::SessionId,
};

const MIGRATIONS: [(i64, &str, &str); 2] = [
    (1, "calls", include_str!("../../../migrations/sqlite/0001_calls.sql")),
    (2, "directory", include_str!("../../../migrations/sqlite/0002_directory.sql")),
];

/// The longest wait for something new.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// How often it is looked whether another process has written.
const OTHERS: Duration = Duration::from_millis(250);

/// What an acknowledged commit survives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// The death of the process, and of the machine: every transaction waits for the disk.
    #[default]
    Power,
    /// The death of the process. That of the machine may cost the last moments, but not the file's order.
    Process,
}

/// How an embedded database is used.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SqliteConfig {
    /// The file. It and the folder's files of the same name with `-wal` and `-shm` belong together.
    pub path: PathBuf,
    /// How many read at the same time. Default: 4.
    pub readers: u32,
    /// How long a writer waits for one in another process. Default: 5 s.
    pub busy_timeout: Duration,
    /// What an acknowledged commit survives. Default: the machine's death.
    pub durability: Durability,
}

impl SqliteConfig {
    /// The usual use of this file, which is created if it is not there.
    #[must_use]
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self {
            path: path.as_ref().to_owned(),
            readers: 4,
            busy_timeout: Duration::from_secs(5),
            durability: Durability::default(),
        }
    }

    /// Sets how many read at the same time; at least one does.
    #[must_use]
    pub fn with_readers(mut self, readers: u32) -> Self {
        self.readers = readers.max(1);
        self
    }

    /// Sets how long a writer waits for one in another process.
    #[must_use]
    pub const fn with_busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout;
        self
    }

    /// Sets what an acknowledged commit survives.
    #[must_use]
    pub const fn with_durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    fn options(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(&self.path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(match self.durability {
                Durability::Power => SqliteSynchronous::Full,
                Durability::Process => SqliteSynchronous::Normal,
            })
            .busy_timeout(self.busy_timeout)
            // A log that had to grow, under load or a long read, is cut down again.
            .pragma("journal_size_limit", "67108864")
    }
}

/// Keeps calls in an embedded database file, and agents and customers beside them: it is a [`SessionStore`] and a
/// [`Directory`](crate::directory::Directory).
#[derive(Debug)]
pub struct SqliteStore {
    readers: SqlitePool,
    writer: Writer,
    /// The last position that this process knows of.
    moved: watch::Receiver<u64>,
}

impl SqliteStore {
    /// Opens a file, creating it if it is not there, and brings its tables up to date.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] when another process keeps the file locked, otherwise [`StoreError::Refused`]: it
    /// cannot be opened, or is something else.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(SqliteConfig::new(path)).await
    }

    /// Opens a file as configured.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub async fn open_with(config: SqliteConfig) -> Result<Self, StoreError> {
        let deadline = Instant::now() + config.busy_timeout;
        // Turning on the log does not wait for others who do the same, so that it is repeated here.
        let writer = loop {
            match open(&config).await {
                Err(StoreError::Unavailable(_)) if Instant::now() < deadline => sleep(Duration::from_millis(20)).await,
                done => break done?,
            }
        };
        let options = config.options().pragma("query_only", "on");
        let readers = SqlitePoolOptions::new().max_connections(config.readers).acquire_timeout(Duration::from_secs(30));
        let readers = readers.connect_with(options).await.map_err(failed)?;
        let (tell, moved) = watch::channel(last_position(&readers).await?);
        Ok(Self { readers, writer: Writer::new(writer, tell), moved })
    }

    /// Keeps what is on its way, moves the log into the file and closes it. Later calls fail.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// How the database finds the calls of a list, in its own words: the first page, if the query says no other.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database fails.
    pub async fn explain(&self, query: &Query) -> Result<Vec<String>, StoreError> {
        let before = query.before.map(|id| (i64::MAX, id.0));
        let mut sql = list::<Sqlite>("explain query plan ", query, before, true);
        let rows = sql.build().fetch_all(&self.readers).await.map_err(failed)?;
        rows.iter().map(|row| row.try_get("detail").map_err(failed)).collect()
    }

    async fn created(&self, id: SessionId) -> Result<Option<i64>, StoreError> {
        let created = sqlx::query_scalar("select created_at from call_sessions where id = ?").bind(id.0);
        created.fetch_optional(&self.readers).await.map_err(failed)
    }
}

/// Where migrations are noted: a table of our own, beside those of whoever shares the database.
const NOTED_IN: &str = "call_session_migrations";

/// The migrations with these numbers and names.
fn migrator(steps: &[(i64, &'static str, &'static str)]) -> Migrator {
    let migration = |&(number, name, sql): &(i64, &'static str, &'static str)| {
        Migration::new(number, name.into(), MigrationType::Simple, sqlx::SqlSafeStr::into_sql_str(sql), false)
    };
    let mut migrator = Migrator::with_migrations(steps.iter().map(migration).collect());
    migrator.dangerous_set_table_name(NOTED_IN);
    // It runs in a transaction that holds the lock. A server of an earlier version may still start.
    migrator.set_locking(false).set_ignore_missing(true);
    migrator
}

/// A connection that writes, with the tables up to date.
async fn open(config: &SqliteConfig) -> Result<SqliteConnection, StoreError> {
    let mut connection = SqliteConnection::connect_with(&config.options()).await.map_err(failed)?;
    let migrator = migrator(&MIGRATIONS);
    // The transaction is the lock: another process that opens the file waits here.
    let mut lock = connection.begin_with("begin immediate").await.map_err(failed)?;
    migrator.run_direct(None, &mut *lock, false).await.map_err(|error| match error {
        sqlx::migrate::MigrateError::Execute(error) => failed(error),
        error => StoreError::Refused(error.into()),
    })?;
    lock.commit().await.map_err(failed)?;
    Ok(connection)
}

async fn last_position(readers: &SqlitePool) -> Result<u64, StoreError> {
    let last: Option<i64> =
        sqlx::query_scalar("select max(position) from call_events").fetch_one(readers).await.map_err(failed)?;
    Ok(last.map_or(0, unsigned))
}

#[async_trait]
impl SessionStore for SqliteStore {
    async fn create(
        &self,
        id: SessionId,
        at: Timestamp,
        call: NewCall,
        events: Vec<Stamped>,
    ) -> Result<CallSession, CommitError> {
        match self.writer.create(id, at, call, events).await? {
            Some(session) => Ok(session),
            None => self.load(id).await?.ok_or(CommitError::NoCall(id)),
        }
    }

    async fn load(&self, id: SessionId) -> Result<Option<CallSession>, StoreError> {
        // One statement sees one state of the file.
        let sql = format!(
            "select 0 as version, summary as body from call_sessions where id = ? union all \
             select version, body from call_events where call = ? and kind in ({}) order by 1",
            words()
        );
        let rows = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id.0).bind(id.0);
        assemble(id, rows.fetch_all(&self.readers).await.map_err(failed)?)
    }

    async fn summary(&self, id: SessionId) -> Result<Option<CallSummary>, StoreError> {
        let row = sqlx::query_scalar("select summary from call_sessions where id = ?").bind(id.0);
        let text: Option<String> = row.fetch_optional(&self.readers).await.map_err(failed)?;
        text.map(|text| parsed(id.0, &text)).transpose()
    }

    async fn commit(&self, commit: Commit) -> Result<Version, CommitError> {
        self.writer.commit(commit).await
    }

    async fn find_by_call_sid(&self, sid: &CallSid) -> Result<Option<SessionId>, StoreError> {
        let row = sqlx::query_scalar("select id from call_sessions where call_sid = ?").bind(sid.to_string());
        let id: Option<Uuid> = row.fetch_optional(&self.readers).await.map_err(failed)?;
        Ok(id.map(SessionId))
    }

    async fn query(&self, query: &Query) -> Result<Page, StoreError> {
        let before = match query.before {
            None => None,
            Some(id) => match self.created(id).await? {
                Some(created) => Some((created, id.0)),
                None => return Ok(Page::default()),
            },
        };
        let mut sql = list::<Sqlite>("", query, before, true);
        let rows: Vec<String> = sql.build_query_scalar().fetch_all(&self.readers).await.map_err(failed)?;
        let calls = rows.iter().map(|text| parsed(Uuid::nil(), text)).collect::<Result<_, _>>()?;
        Ok(Page::new(calls, query.limit))
    }

    async fn history(&self, id: SessionId) -> Result<Vec<Recorded>, StoreError> {
        let rows = sqlx::query_as("select version, body from call_events where call = ? order by version").bind(id.0);
        let rows: Vec<(i64, String)> = rows.fetch_all(&self.readers).await.map_err(failed)?;
        rows.into_iter().map(|(version, body)| recorded(id.0, version, &body)).collect()
    }

    async fn read_feed(&self, after: Position, limit: usize) -> Result<Vec<FeedEvent>, StoreError> {
        let sql = "select position, call, version, body from call_events where position > ? order by position limit ?";
        let rows = sqlx::query_as(sql).bind(signed(after.minor())).bind(signed(limit as u64));
        let rows: Vec<(i64, Uuid, i64, String)> = rows.fetch_all(&self.readers).await.map_err(failed)?;
        let placed = |(position, call, version, body): (i64, Uuid, i64, String)| {
            let position = Position::new(0, unsigned(position));
            Ok(FeedEvent { position, recorded: recorded(call, version, &body)? })
        };
        rows.into_iter().map(placed).collect()
    }

    async fn feed_end(&self) -> Result<Position, StoreError> {
        Ok(Position::new(0, last_position(&self.readers).await?))
    }

    async fn feed_moved(&self, after: Position) {
        let mut moved = self.moved.clone();
        let look = async {
            // News of our own comes at once, that of other processes is looked for.
            while timeout(OTHERS, moved.wait_for(|last| *last > after.minor())).await.is_err() {
                if last_position(&self.readers).await.is_ok_and(|last| last > after.minor()) {
                    break;
                }
            }
        };
        // Coming back for nothing is allowed.
        let _ = timeout_at(Instant::now() + LOOK_AGAIN, look).await;
    }

    async fn claim(&self, key: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        self.writer.claim(key, now, until).await
    }
}

/// What a failure of the database means to those who use the store.
fn failed(error: sqlx::Error) -> StoreError {
    if passing(&error) { StoreError::Unavailable(error.into()) } else { StoreError::Refused(error.into()) }
}

/// Whether another attempt may help.
fn passing(error: &sqlx::Error) -> bool {
    // Primary result codes, <https://www.sqlite.org/rescode.html>: busy, locked, out of memory, interrupted, i/o, full,
    // cannot open, protocol.
    const PASSING: [u32; 8] = [5, 6, 7, 9, 10, 13, 14, 15];
    match error {
        sqlx::Error::Database(told) => {
            told.code().and_then(|code| code.parse::<u32>().ok()).is_some_and(|code| PASSING.contains(&(code & 0xff)))
        }
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed => true,
        _ => false,
    }
}
