//! A Postgres database that several servers share.
//!
//! ```no_run
//! use call_session::{postgres::{Postgres, PostgresConfig}, store::postgres::PostgresStore};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let config = PostgresConfig::new("postgres://calls@db.internal/calls")?;
//! let store = PostgresStore::new(Postgres::connect(config).await?);
//! # Ok(())
//! # }
//! ```
//!
//! # Through a pooler
//!
//! A pooler in transaction mode gives each transaction another connection. [`PostgresConfig::with_pooler`] keeps to what
//! works there: every statement is in a transaction, none is prepared under a name, and no lock or setting outlives its
//! transaction, not even while the tables are brought up to date. `LISTEN` needs a connection of its own, past the pooler:
//! [`PostgresConfig::with_direct`]. Without it news of other servers are looked for every quarter of a second.
//!
//! # When it cannot be reached
//!
//! Nothing waits longer than [`PostgresConfig::wait`]; then it is [`StoreError::Unavailable`], and may be tried again.
//! Connections that broke are replaced when they are next needed, those that are silent once they were so for as long.

mod listen;
mod migrate;

use std::{fmt, future::Future, io, ops, str::FromStr, sync::Arc, time::Duration};

use sqlx::{
    Connection, PgConnection, PgPool, Postgres as Database, Transaction,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
    query::{Query, QueryAs, QueryScalar},
};
use tokio::time::timeout;

use self::listen::Listener;
pub(crate) use self::listen::News;
use crate::store::StoreError;

/// How a Postgres database is used.
#[derive(Clone)]
#[non_exhaustive]
pub struct PostgresConfig {
    options: PgConnectOptions,
    /// The address past the pooler, if one was set.
    direct: Option<PgConnectOptions>,
    listens: bool,
    /// The most connections that are used at the same time. Default: 10.
    pub connections: u32,
    /// How long any one thing may take, waiting for a connection included. Default: 5 s.
    pub wait: Duration,
    /// Whether there is a pooler in transaction mode between. Default: no. Set by [`with_pooler`](Self::with_pooler), since
    /// more follows from it.
    pooler: bool,
}

impl PostgresConfig {
    /// The usual use of the database at this address, `postgres://user:password@host:port/database`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Refused`] when it is no address.
    pub fn new(url: &str) -> Result<Self, StoreError> {
        let (options, wait) = (options(url)?, Duration::from_secs(5));
        Ok(Self { options, direct: None, listens: true, connections: 10, wait, pooler: false })
    }

    /// Sets the most connections that are used at the same time; at least one is. One more is used to listen.
    #[must_use]
    pub fn with_connections(mut self, connections: u32) -> Self {
        self.connections = connections.max(1);
        self
    }

    /// Sets how long any one thing may take.
    #[must_use]
    pub const fn with_wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// The address is that of a pooler in transaction mode. Nobody listens then, unless there is a
    /// [direct address](Self::with_direct) too.
    #[must_use]
    pub fn with_pooler(mut self) -> Self {
        // A pooler refuses settings that it does not know.
        self.options = self.options.extra_float_digits(None);
        self.pooler = true;
        self
    }

    /// Sets the address past the pooler, on which news of other servers are listened for.
    ///
    /// # Errors
    ///
    /// [`StoreError::Refused`] when it is no address.
    pub fn with_direct(mut self, url: &str) -> Result<Self, StoreError> {
        (self.direct, self.listens) = (Some(options(url)?), true);
        Ok(self)
    }

    /// Listens to nobody: news of other servers are looked for every quarter of a second.
    #[must_use]
    pub fn without_listening(mut self) -> Self {
        self.listens = false;
        self
    }

    /// Where news of other servers are listened for; `None` if they are looked for.
    fn listening(&self) -> Option<&PgConnectOptions> {
        // LISTEN does not work through a pooler.
        let own = (!self.pooler).then_some(&self.options);
        self.direct.as_ref().or(own).filter(|_| self.listens)
    }
}

fn options(url: &str) -> Result<PgConnectOptions, StoreError> {
    let options = PgConnectOptions::from_str(url).map_err(|error| StoreError::Refused(error.into()))?;
    Ok(options.application_name("call-session"))
}

impl fmt::Debug for PostgresConfig {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresConfig")
            .field("host", &self.options.get_host())
            .field("database", &self.options.get_database())
            .field("connections", &self.connections)
            .field("wait", &self.wait)
            .field("pooler", &self.pooler)
            .field("listens", &self.listening().is_some())
            .finish()
    }
}

/// A database whose tables are up to date. Clones share its connections.
#[derive(Clone)]
pub struct Postgres {
    pool: PgPool,
    wait: Duration,
    pooler: bool,
    listener: Arc<Listener>,
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").field("pooler", &self.pooler).finish_non_exhaustive()
    }
}

impl Postgres {
    /// Connects to a database and brings its tables up to date. Servers that do so at the same time do it one by one.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] when it cannot be reached; [`StoreError::Refused`] when it lets nobody in, or when its
    /// tables cannot be changed.
    pub async fn connect(config: PostgresConfig) -> Result<Self, StoreError> {
        let wait = config.wait;
        let pool = PgPoolOptions::new().max_connections(config.connections).acquire_timeout(wait);
        // A connection is tried when it comes back, for as long as the operating system believes in it: a host that died
        // without a word would keep the place of each of them for minutes.
        let pool = pool.after_release(move |connection, _| {
            Box::pin(async move {
                let answer = timeout(wait, connection.ping()).await;
                answer.unwrap_or_else(|_| Err(sqlx::Error::Io(io::ErrorKind::TimedOut.into()))).map(|()| true)
            })
        });
        let listening = config.listening().cloned();
        let pool = pool.connect_lazy_with(config.options);
        migrate::migrate(&pool).await?;
        let listener = Arc::new(Listener::new(pool.clone(), listening));
        Ok(Self { pool, wait: config.wait, pooler: config.pooler, listener })
    }

    /// Closes all connections. Later calls fail.
    pub async fn close(&self) {
        self.listener.close().await;
        self.pool.close().await;
    }

    /// Somewhere to send statements to. With a pooler it is a transaction, so that what is asked on it should be little, and
    /// of which only one statement may write: see [`Link::done`].
    pub(crate) async fn link(&self) -> Result<Link, StoreError> {
        let way = if self.pooler {
            Way::Pooled(self.pool.begin_with("begin isolation level read committed").await.map_err(failed)?)
        } else {
            Way::Direct(self.pool.acquire().await.map_err(failed)?)
        };
        Ok(Link { way })
    }

    /// Begins a transaction.
    pub(crate) async fn begin(&self) -> Result<Transaction<'static, Database>, StoreError> {
        self.pool.begin_with("begin isolation level read committed").await.map_err(failed)
    }

    /// A query as this database takes it: not prepared under a name where a pooler is between.
    pub(crate) fn query(&self, sql: &'static str) -> Query<'static, Database, sqlx::postgres::PgArguments> {
        sqlx::query(sql).persistent(!self.pooler)
    }

    /// The same, for rows.
    pub(crate) fn query_as<T>(&self, sql: &'static str) -> QueryAs<'static, Database, T, sqlx::postgres::PgArguments>
    where
        T: for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow>,
    {
        sqlx::query_as(sql).persistent(!self.pooler)
    }

    /// The same, for single values.
    pub(crate) fn query_scalar<T>(
        &self,
        sql: &'static str,
    ) -> QueryScalar<'static, Database, T, sqlx::postgres::PgArguments>
    where
        (T,): for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow>,
    {
        sqlx::query_scalar(sql).persistent(!self.pooler)
    }

    /// Whether statements may be prepared under a name.
    pub(crate) const fn names_statements(&self) -> bool {
        !self.pooler
    }

    /// Does something within the time that anything may take.
    pub(crate) async fn within<T, E: From<StoreError>>(
        &self,
        work: impl Future<Output = Result<T, E>> + Send,
    ) -> Result<T, E> {
        timeout(self.wait, work).await.unwrap_or_else(|_| Err(StoreError::Unavailable(Late.into()).into()))
    }

    /// What is told on a channel, by this server or others.
    pub(crate) fn news(&self, channel: Channel) -> News {
        self.listener.news(channel)
    }

    /// Tells a channel: this server at once, others soon. Many tellings become one.
    pub(crate) fn tell(&self, channel: Channel) {
        self.listener.tell(channel);
    }
}

/// What servers tell each other that there is news of. What the news is stands in tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Channel {
    /// Something happened to a call.
    Feed,
    /// A call is with another server, or there is a command or an answer.
    Live,
}

impl Channel {
    /// All of them, in the order of their numbers.
    const ALL: [Self; 2] = [Self::Feed, Self::Live];

    const fn name(self) -> &'static str {
        match self {
            Self::Feed => "call_session_feed",
            Self::Live => "call_session_live",
        }
    }
}

/// It took longer than it may.
#[derive(Debug, thiserror::Error)]
#[error("the database took too long")]
struct Late;

/// Somewhere to send statements to.
pub(crate) struct Link {
    way: Way,
}

enum Way {
    Pooled(Transaction<'static, Database>),
    Direct(PoolConnection<Database>),
}

impl Link {
    /// Keeps what was written. Without it, what was written through a pooler is undone.
    pub(crate) async fn done(self) -> Result<(), StoreError> {
        match self.way {
            Way::Pooled(transaction) => transaction.commit().await.map_err(failed),
            Way::Direct(_) => Ok(()),
        }
    }
}

impl ops::Deref for Link {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        match &self.way {
            Way::Pooled(transaction) => transaction,
            Way::Direct(connection) => connection,
        }
    }
}

impl ops::DerefMut for Link {
    fn deref_mut(&mut self) -> &mut PgConnection {
        match &mut self.way {
            Way::Pooled(transaction) => transaction,
            Way::Direct(connection) => connection,
        }
    }
}

/// What a failure of the database means to those who use it.
pub(crate) fn failed(error: sqlx::Error) -> StoreError {
    if passing(&error) { StoreError::Unavailable(error.into()) } else { StoreError::Refused(error.into()) }
}

/// Whether another attempt may help.
fn passing(error: &sqlx::Error) -> bool {
    // Classes of <https://www.postgresql.org/docs/current/errcodes-appendix.html>: connections, transactions that lost to
    // others, resources, shutting down and starting, the system; and a server that has become a replica.
    const PASSING: [&str; 5] = ["08", "40", "53", "57", "58"];
    const READ_ONLY: &str = "25006";
    match error {
        sqlx::Error::Database(told) => {
            told.code().is_some_and(|code| code == READ_ONLY || PASSING.iter().any(|class| code.starts_with(class)))
        }
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_does_not_matter_which_address_is_set_first() {
        let (pooler, direct) = ("postgres://calls@pooler/calls", "postgres://calls@database/calls");
        let host = |config: PostgresConfig| config.listening().map(|options| options.get_host().to_owned());
        let new = || PostgresConfig::new(pooler).unwrap();
        assert_eq!(host(new()).as_deref(), Some("pooler"));
        assert_eq!(host(new().with_pooler()), None, "nobody can listen through it");
        assert_eq!(host(new().with_pooler().with_direct(direct).unwrap()).as_deref(), Some("database"));
        assert_eq!(host(new().with_direct(direct).unwrap().with_pooler()).as_deref(), Some("database"));
        assert_eq!(host(new().with_direct(direct).unwrap().without_listening()), None);
    }
}
