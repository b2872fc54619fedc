//! Calls in Postgres, for several servers.
//!
//! # How it works
//!
//! A commit is one statement that moves the call from the expected version to the next and adds the events: it happens or
//! not, in whatever mode the database or a pooler runs it, and who comes second changes nothing. Reads are one statement
//! each, too, and so see one state of the call.
//!
//! The feed is in the order of transactions' numbers, and shown as far as no transaction is under way that could still add
//! something before. A transaction that writes to the same server for minutes, in whatever database, holds the feed back for
//! as long.
//!
//! # What is promised
//!
//! What was acknowledged survives what the server's `synchronous_commit` says, by default the death of its machine. A replica
//! that takes over survives with what it has received: unless it is synchronous, the last moments may be lost, and positions
//! in the feed may be given again.

mod directory;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::Postgres as Database;
use tokio::time::{Duration, Instant, sleep, timeout, timeout_at};
use twilio_twiml::sid::CallSid;
use uuid::Uuid;

use super::{
    Commit, CommitError, FeedEvent, Page, Position, Query, SessionStore, StoreError,
    sql::{Decided, assemble, json, list, micros, parsed, recorded, rows, signed, unsigned, words},
};
use crate::{
    call::{CallSession, CallSummary, NewCall, Recorded, SessionEvent, Stamped, Version},
    id::SessionId,
    postgres::{Channel, Postgres, PostgresConfig, failed},
};

/// The longest wait for something new.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// How soon it is looked again when something was told that cannot be read yet, since another transaction is under way.
const SOON: Duration = Duration::from_millis(10);

/// How often a commit that lost to another one is looked at again.
const ATTEMPTS: u32 = 3;

/// Keeps calls in Postgres, and agents and customers beside them: it is a [`SessionStore`] and a
/// [`Directory`](crate::directory::Directory).
#[derive(Debug, Clone)]
pub struct PostgresStore {
    postgres: Postgres,
}

impl PostgresStore {
    /// Calls in this database.
    #[must_use]
    pub const fn new(postgres: Postgres) -> Self {
        Self { postgres }
    }

    /// Connects to the database at this address, `postgres://user:password@host:port/database`, and brings its tables up to
    /// date.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] when it cannot be reached, otherwise [`StoreError::Refused`].
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Ok(Self::new(Postgres::connect(PostgresConfig::new(url)?).await?))
    }

    /// The database, to keep other things in.
    #[must_use]
    pub const fn postgres(&self) -> &Postgres {
        &self.postgres
    }

    /// How the database finds the calls of a list, in its own words: the first page, if the query says no other.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database fails.
    pub async fn explain(&self, query: &Query) -> Result<Vec<String>, StoreError> {
        let before = query.before.map(|id| (i64::MAX, id.0));
        let mut sql = list::<Database>("explain ", query, before, false);
        let explain = async {
            let mut link = self.postgres.link().await?;
            let plan = sql.build_query_scalar().persistent(self.postgres.names_statements());
            let plan = plan.fetch_all(&mut *link).await.map_err(failed)?;
            link.done().await?;
            Ok(plan)
        };
        self.postgres.within(explain).await
    }

    async fn owner(&self, sid: &str) -> Result<Option<SessionId>, StoreError> {
        let mut link = self.postgres.link().await?;
        let row = self.postgres.query_scalar("select id from call_sessions where call_sid = $1").bind(sid);
        let id: Option<Uuid> = row.fetch_optional(&mut *link).await.map_err(failed)?;
        link.done().await?;
        Ok(id.map(SessionId))
    }

    /// What a failure to write the name that is in the summary means.
    async fn refused(&self, summary: &CallSummary, error: sqlx::Error) -> CommitError {
        let taken = error.as_database_error().is_some_and(|told| told.is_unique_violation());
        let (true, Some(call)) = (taken, &summary.call_sid) else { return failed(error).into() };
        match self.owner(call.as_ref()).await {
            Ok(Some(owner)) if owner != summary.id => CommitError::CallSidTaken { call: call.clone(), owner },
            // Whoever was quicker is not there any more.
            Ok(_) => StoreError::Unavailable(error.into()).into(),
            Err(error) => error.into(),
        }
    }

    async fn whole(&self, id: SessionId) -> Result<Option<CallSession>, StoreError> {
        let sql = format!(
            "select 0::bigint as version, summary::text as body from call_sessions where id = $1 union all \
             select version, body::text from call_events where call = $1 and kind in ({}) order by 1",
            words()
        );
        let mut link = self.postgres.link().await?;
        let named = self.postgres.names_statements();
        let rows = sqlx::query_as(sqlx::AssertSqlSafe(sql)).persistent(named).bind(id.0);
        let rows = rows.fetch_all(&mut *link).await.map_err(failed)?;
        link.done().await?;
        assemble(id, rows)
    }

    /// A call's summary, and the name of the attempt that the event after `expected` came from.
    async fn standing(
        &self,
        id: SessionId,
        expected: Version,
    ) -> Result<Option<(CallSummary, Option<Uuid>)>, StoreError> {
        let sql = "select summary::text, (select attempt from call_events where call = $1 and version = $2) \
                   from call_sessions where id = $1";
        let mut link = self.postgres.link().await?;
        let row = self.postgres.query_as(sql).bind(id.0).bind(signed(expected.plus(1).0));
        let row: Option<(String, Option<Uuid>)> = row.fetch_optional(&mut *link).await.map_err(failed)?;
        link.done().await?;
        row.map(|(text, attempt)| Ok((parsed(id.0, &text)?, attempt))).transpose()
    }

    async fn append(&self, commit: &Commit) -> Result<Version, CommitError> {
        let id = commit.call;
        let mut actual = commit.expected;
        for _ in 0..ATTEMPTS {
            let standing = self.standing(id, commit.expected).await?;
            let (summary, attempt) = standing.ok_or(CommitError::NoCall(id))?;
            actual = summary.version;
            if attempt == Some(commit.id.0) {
                // It came before, and its answer was lost.
                return Ok(commit.expected.plus(commit.events.len()));
            }
            if actual != commit.expected {
                break;
            }
            let decided = Decided::new(summary, &commit.events)?;
            if self.write(commit, &decided).await? {
                self.postgres.tell(Channel::Feed);
                return Ok(decided.summary.version);
            }
        }
        Err(CommitError::Conflict { actual })
    }

    /// Whether the call was still at the expected version.
    async fn write(&self, commit: &Commit, decided: &Decided) -> Result<bool, CommitError> {
        let sql = "with moved as ( \
                       update call_sessions set version = $3, status = $4, outcome = $5, call_sid = $6, summary = $7::json \
                       where id = $1 and version = $2 returning id \
                   ), kept as ( \
                       insert into call_events (call, version, kind, body, attempt) \
                       select moved.id, event.version, event.kind, event.body::json, $8 \
                       from moved, unnest($9::bigint[], $10::text[], $11::text[]) as event (version, kind, body) \
                       order by event.version \
                   ) select count(*) from moved";
        let summary = &decided.summary;
        let (versions, kinds, bodies) = columns(&decided.rows);
        let mut link = self.postgres.link().await?;
        let row = self.postgres.query_scalar(sql).bind(summary.id.0).bind(signed(commit.expected.0));
        let row = row.bind(signed(summary.version.0)).bind(summary.status.name());
        let row = row.bind(summary.outcome.map(|outcome| outcome.name()));
        let row = row.bind(summary.call_sid.as_ref().map(ToString::to_string)).bind(&decided.text);
        let row = row.bind(commit.id.0).bind(versions).bind(kinds).bind(bodies);
        let done: Result<i64, _> = row.fetch_one(&mut *link).await;
        match done {
            Ok(moved) => {
                link.done().await?;
                Ok(moved > 0)
            }
            Err(error) => {
                drop(link);
                Err(self.refused(summary, error).await)
            }
        }
    }

    /// The call, unless it exists already.
    async fn make(
        &self,
        id: SessionId,
        at: Timestamp,
        call: NewCall,
        events: &[Stamped],
    ) -> Result<Option<CallSession>, CommitError> {
        let mut session = CallSession::new(id, at, call.clone());
        let created = SessionEvent::Created(Box::new(call)).at(at);
        let mut all = rows(Version(0), &[created])?;
        all.extend(rows(Version(1), events)?);
        events.iter().for_each(|event| session.apply(event));
        let summary = &session.summary;
        let sql = "with made as ( \
                       insert into call_sessions (id, version, status, direction, mode, customer, agent, outcome, \
                                                  created_at, call_sid, summary) \
                       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::json) \
                       on conflict (id) do nothing returning id \
                   ), kept as ( \
                       insert into call_events (call, version, kind, body, attempt) \
                       select made.id, event.version, event.kind, event.body::json, made.id \
                       from made, unnest($12::bigint[], $13::text[], $14::text[]) as event (version, kind, body) \
                       order by event.version \
                   ) select count(*) from made";
        let (versions, kinds, bodies) = columns(&all);
        let mut link = self.postgres.link().await?;
        let row = self.postgres.query_scalar(sql).bind(id.0).bind(signed(summary.version.0));
        let row = row.bind(summary.status.name()).bind(summary.direction.name()).bind(summary.mode.name());
        let row = row.bind(summary.customer.as_ref().map(|customer| customer.as_str().to_owned()));
        let row = row.bind(summary.agent.as_ref().map(|agent| agent.as_str().to_owned()));
        let row = row.bind(summary.outcome.map(|outcome| outcome.name())).bind(micros(summary.created_at));
        let row = row.bind(summary.call_sid.as_ref().map(ToString::to_string)).bind(json(summary)?);
        let row = row.bind(versions).bind(kinds).bind(bodies);
        let done: Result<i64, _> = row.fetch_one(&mut *link).await;
        match done {
            Ok(0) => Ok(None),
            Ok(_) => {
                link.done().await?;
                self.postgres.tell(Channel::Feed);
                Ok(Some(session))
            }
            Err(error) => {
                drop(link);
                match self.refused(summary, error).await {
                    // The name may be that of this very call, which somebody else was creating.
                    CommitError::Store(StoreError::Unavailable(_)) if self.whole(id).await?.is_some() => Ok(None),
                    error => Err(error),
                }
            }
        }
    }

    async fn created(&self, id: SessionId) -> Result<Option<i64>, StoreError> {
        let mut link = self.postgres.link().await?;
        let row = self.postgres.query_scalar("select created_at from call_sessions where id = $1").bind(id.0);
        let created = row.fetch_optional(&mut *link).await.map_err(failed)?;
        link.done().await?;
        Ok(created)
    }

    async fn page(&self, query: &Query) -> Result<Page, StoreError> {
        let before = match query.before {
            None => None,
            Some(id) => match self.created(id).await? {
                Some(created) => Some((created, id.0)),
                None => return Ok(Page::default()),
            },
        };
        let mut sql = list::<Database>("", query, before, false);
        let mut link = self.postgres.link().await?;
        let rows = sql.build_query_scalar().persistent(self.postgres.names_statements());
        let rows: Vec<String> = rows.fetch_all(&mut *link).await.map_err(failed)?;
        link.done().await?;
        let calls = rows.iter().map(|text| parsed(Uuid::nil(), text)).collect::<Result<_, _>>()?;
        Ok(Page::new(calls, query.limit))
    }

    async fn feed(&self, after: Position, limit: usize) -> Result<Vec<FeedEvent>, StoreError> {
        let sql = "select txid, position, call, version, body::text from call_events \
                   where (txid, position) > ($1, $2) \
                   and txid < pg_snapshot_xmin(pg_current_snapshot())::text::bigint \
                   order by txid, position limit $3";
        let mut link = self.postgres.link().await?;
        let rows = self.postgres.query_as(sql).bind(signed(after.major())).bind(signed(after.minor()));
        let rows = rows.bind(signed(limit as u64)).fetch_all(&mut *link).await.map_err(failed)?;
        link.done().await?;
        let rows: Vec<(i64, i64, Uuid, i64, String)> = rows;
        let placed = |(txid, position, call, version, body): (i64, i64, Uuid, i64, String)| {
            let position = Position::new(unsigned(txid), unsigned(position));
            Ok(FeedEvent { position, recorded: recorded(call, version, &body)? })
        };
        rows.into_iter().map(placed).collect()
    }

    async fn last(&self) -> Result<Position, StoreError> {
        let sql = "select txid, position from call_events \
                   where txid < pg_snapshot_xmin(pg_current_snapshot())::text::bigint \
                   order by txid desc, position desc limit 1";
        let mut link = self.postgres.link().await?;
        let row: Option<(i64, i64)> = self.postgres.query_as(sql).fetch_optional(&mut *link).await.map_err(failed)?;
        link.done().await?;
        Ok(row.map_or(Position::START, |(txid, position)| Position::new(unsigned(txid), unsigned(position))))
    }
}

/// Rows as columns, which is how a statement takes any number of them.
fn columns(rows: &[(i64, &'static str, String)]) -> (Vec<i64>, Vec<&'static str>, Vec<String>) {
    let mut columns = (Vec::new(), Vec::new(), Vec::new());
    for (version, kind, body) in rows {
        columns.0.push(*version);
        columns.1.push(*kind);
        columns.2.push(body.clone());
    }
    columns
}

#[async_trait]
impl SessionStore for PostgresStore {
    async fn create(
        &self,
        id: SessionId,
        at: Timestamp,
        call: NewCall,
        events: Vec<Stamped>,
    ) -> Result<CallSession, CommitError> {
        let create = async {
            match self.make(id, at, call, &events).await? {
                Some(session) => Ok(session),
                None => self.whole(id).await?.ok_or(CommitError::NoCall(id)),
            }
        };
        self.postgres.within(create).await
    }

    async fn load(&self, id: SessionId) -> Result<Option<CallSession>, StoreError> {
        self.postgres.within(self.whole(id)).await
    }

    async fn summary(&self, id: SessionId) -> Result<Option<CallSummary>, StoreError> {
        let standing = self.postgres.within(self.standing(id, Version(0))).await?;
        Ok(standing.map(|(summary, _)| summary))
    }

    async fn commit(&self, commit: Commit) -> Result<Version, CommitError> {
        self.postgres.within(self.append(&commit)).await
    }

    async fn find_by_call_sid(&self, sid: &CallSid) -> Result<Option<SessionId>, StoreError> {
        self.postgres.within(self.owner(sid.as_ref())).await
    }

    async fn query(&self, query: &Query) -> Result<Page, StoreError> {
        self.postgres.within(self.page(query)).await
    }

    async fn history(&self, id: SessionId) -> Result<Vec<Recorded>, StoreError> {
        let sql = "select version, body::text from call_events where call = $1 order by version";
        let history = async {
            let mut link = self.postgres.link().await?;
            let rows = self.postgres.query_as(sql).bind(id.0);
            let rows: Vec<(i64, String)> = rows.fetch_all(&mut *link).await.map_err(failed)?;
            link.done().await?;
            rows.into_iter().map(|(version, body)| recorded(id.0, version, &body)).collect()
        };
        self.postgres.within(history).await
    }

    async fn read_feed(&self, after: Position, limit: usize) -> Result<Vec<FeedEvent>, StoreError> {
        self.postgres.within(self.feed(after, limit)).await
    }

    async fn feed_end(&self) -> Result<Position, StoreError> {
        self.postgres.within(self.last()).await
    }

    async fn feed_moved(&self, after: Position) {
        let look = async {
            let mut news = self.postgres.news(Channel::Feed);
            let mut pause = SOON;
            loop {
                news.seen();
                match self.feed_end().await {
                    Ok(end) if end > after => return,
                    Ok(_) => {}
                    // Whoever reads on is told of the failure.
                    Err(_) => return sleep(Duration::from_secs(1)).await,
                }
                // What was told may have to wait for another transaction.
                pause = match timeout(pause, news.come()).await {
                    Ok(()) => SOON,
                    Err(_) => (pause * 2).min(news.look_again()),
                };
            }
        };
        // Coming back for nothing is allowed.
        let _ = timeout_at(Instant::now() + LOOK_AGAIN, look).await;
    }

    async fn claim(&self, key: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        // Keys whose time is over are cleared away by those who come later, a few at a time.
        let sql = "with old as ( \
                       delete from call_claims where name in ( \
                           select name from call_claims where until <= $2 and name <> $1 \
                           order by until limit 16 for update skip locked) \
                   ) insert into call_claims as known (name, until) values ($1, $3) \
                   on conflict (name) do update set until = excluded.until where known.until <= $2";
        let claim = async {
            let mut link = self.postgres.link().await?;
            let row = self.postgres.query(sql).bind(key.to_owned()).bind(micros(now)).bind(micros(until));
            let done = row.execute(&mut *link).await.map_err(failed)?;
            link.done().await?;
            Ok(done.rows_affected() > 0)
        };
        self.postgres.within(claim).await
    }
}
