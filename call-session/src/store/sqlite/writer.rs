//! The one task that writes: what has come meanwhile goes into one transaction.

use std::sync::Arc;

use jiff::Timestamp;
use sqlx::{
    Connection,
    sqlite::{SqliteConnection, SqliteQueryResult},
};
use tokio::{
    sync::{Mutex, mpsc, oneshot, watch},
    task::JoinSet,
};
use uuid::Uuid;

use super::{directory, failed, passing};
use crate::{
    call::{CallSession, CallSummary, NewCall, SessionEvent, Stamped, Version},
    directory::{PutError, sql::Row},
    id::{CommitId, SessionId},
    store::{
        Commit, CommitError, StoreError,
        sql::{Decided, json, micros, parsed, rows, signed, unsigned},
    },
};

/// How many writes wait at most. Who comes then waits to be let in.
const WAITING: usize = 1024;

/// The most writes in a transaction: it is short, so that nobody waits long for the first of them.
const TOGETHER: usize = 128;

/// Writes through a task of its own.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Mutex<Option<mpsc::Sender<Job>>>,
    /// The task ends with the store: what nobody was told to be kept may then be lost.
    task: Mutex<JoinSet<()>>,
}

#[derive(Debug)]
enum Job {
    Create(Box<Create>, oneshot::Sender<Result<Option<CallSession>, CommitError>>),
    Commit(Commit, oneshot::Sender<Result<Version, CommitError>>),
    Claim(Claim, oneshot::Sender<Result<bool, StoreError>>),
    Put(Row, oneshot::Sender<Result<(), PutError>>),
}

#[derive(Debug)]
struct Create {
    id: SessionId,
    at: Timestamp,
    call: NewCall,
    events: Vec<Stamped>,
}

#[derive(Debug)]
struct Claim {
    key: String,
    now: Timestamp,
    until: Timestamp,
}

/// What has become of a job, once its transaction is kept.
#[derive(Debug)]
enum Answer {
    Created(Result<Option<Box<CallSession>>, CommitError>),
    Committed(Result<Version, CommitError>),
    Claimed(bool),
    Put(Result<(), PutError>),
}

/// The store was closed, or its task is gone.
#[derive(Debug, thiserror::Error)]
#[error("the store is closed")]
struct Closed;

/// Why a transaction with several writes came to nothing.
#[derive(Debug, thiserror::Error)]
#[error("the transaction came to nothing")]
struct Together(#[source] Arc<sqlx::Error>);

impl From<Closed> for StoreError {
    fn from(closed: Closed) -> Self {
        Self::Unavailable(closed.into())
    }
}

impl From<Closed> for CommitError {
    fn from(closed: Closed) -> Self {
        StoreError::from(closed).into()
    }
}

impl From<Closed> for PutError {
    fn from(closed: Closed) -> Self {
        StoreError::from(closed).into()
    }
}

impl Writer {
    pub(super) fn new(connection: SqliteConnection, moved: watch::Sender<u64>) -> Self {
        let (queue, jobs) = mpsc::channel(WAITING);
        let mut task = JoinSet::new();
        task.spawn(write(connection, jobs, moved));
        Self { queue: Mutex::new(Some(queue)), task: Mutex::new(task) }
    }

    pub(super) async fn close(&self) {
        self.queue.lock().await.take();
        while self.task.lock().await.join_next().await.is_some() {}
    }

    /// `None` when the call exists already.
    pub(super) async fn create(
        &self,
        id: SessionId,
        at: Timestamp,
        call: NewCall,
        events: Vec<Stamped>,
    ) -> Result<Option<CallSession>, CommitError> {
        let create = Box::new(Create { id, at, call, events });
        self.ask(|answer| Job::Create(create, answer)).await?
    }

    pub(super) async fn commit(&self, commit: Commit) -> Result<Version, CommitError> {
        self.ask(|answer| Job::Commit(commit, answer)).await?
    }

    pub(super) async fn claim(&self, key: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        let claim = Claim { key: key.to_owned(), now, until };
        self.ask(|answer| Job::Claim(claim, answer)).await?
    }

    pub(super) async fn put(&self, row: Row) -> Result<(), PutError> {
        self.ask(|answer| Job::Put(row, answer)).await?
    }

    async fn ask<T>(&self, job: impl FnOnce(oneshot::Sender<T>) -> Job) -> Result<T, Closed> {
        let (answer, told) = oneshot::channel();
        let queue = self.queue.lock().await.clone().ok_or(Closed)?;
        queue.send(job(answer)).await.map_err(|_| Closed)?;
        drop(queue);
        told.await.map_err(|_| Closed)
    }
}

impl Job {
    fn tell(self, answer: Answer) {
        // Who no longer waits does not want to know.
        match (self, answer) {
            (Self::Create(_, waits), Answer::Created(done)) => _ = waits.send(done.map(|new| new.map(|new| *new))),
            (Self::Commit(_, waits), Answer::Committed(done)) => _ = waits.send(done),
            (Self::Claim(_, waits), Answer::Claimed(done)) => _ = waits.send(Ok(done)),
            (Self::Put(_, waits), Answer::Put(done)) => _ = waits.send(done),
            _ => {}
        }
    }

    fn fail(self, error: StoreError) {
        match self {
            Self::Create(_, waits) => _ = waits.send(Err(error.into())),
            Self::Commit(_, waits) => _ = waits.send(Err(error.into())),
            Self::Claim(_, waits) => _ = waits.send(Err(error)),
            Self::Put(_, waits) => _ = waits.send(Err(error.into())),
        }
    }
}

async fn write(mut connection: SqliteConnection, mut jobs: mpsc::Receiver<Job>, moved: watch::Sender<u64>) {
    let mut group = Vec::with_capacity(TOGETHER);
    while jobs.recv_many(&mut group, TOGETHER).await > 0 {
        match together(&mut connection, &group, &moved).await {
            Ok(answers) => group.drain(..).zip(answers).for_each(|(job, answer)| job.tell(answer)),
            // One of them may be why, so that each has a transaction of its own.
            Err(error) if group.len() > 1 && !passing(&error) => {
                for job in group.drain(..) {
                    match together(&mut connection, std::slice::from_ref(&job), &moved).await {
                        Ok(answers) => [job].into_iter().zip(answers).for_each(|(job, answer)| job.tell(answer)),
                        Err(error) => job.fail(failed(error)),
                    }
                }
            }
            Err(error) => {
                let (passing, error) = (passing(&error), Arc::new(error));
                group.drain(..).for_each(|job| {
                    let told = Box::new(Together(Arc::clone(&error)));
                    job.fail(if passing { StoreError::Unavailable(told) } else { StoreError::Refused(told) });
                });
            }
        }
    }
    // What is left in the log goes into the file; if that fails, it is read from the log the next time.
    let _ = connection.close().await;
}

/// Does all of this in one transaction, or nothing of it.
async fn together(
    connection: &mut SqliteConnection,
    jobs: &[Job],
    moved: &watch::Sender<u64>,
) -> Result<Vec<Answer>, sqlx::Error> {
    // Taking the lock at once instead of at the first write means that nobody else can have come between.
    let mut transaction = connection.begin_with("begin immediate").await?;
    let mut answers = Vec::with_capacity(jobs.len());
    let mut last = None;
    for job in jobs {
        answers.push(match job {
            Job::Create(create, _) => Answer::Created(settled(new_call(&mut transaction, create, &mut last).await)?),
            Job::Commit(commit, _) => Answer::Committed(settled(append(&mut transaction, commit, &mut last).await)?),
            Job::Claim(claim, _) => Answer::Claimed(take(&mut transaction, claim).await?),
            Job::Put(row, _) => Answer::Put(directory::put(&mut transaction, row).await?),
        });
    }
    transaction.commit().await?;
    if let Some(last) = last {
        moved.send_replace(last);
    }
    Ok(answers)
}

/// Why a job comes to nothing.
enum Fault {
    /// It is told, and the others go on: nothing was written.
    Told(CommitError),
    /// The transaction is lost.
    Database(sqlx::Error),
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl From<CommitError> for Fault {
    fn from(error: CommitError) -> Self {
        Self::Told(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Told(error.into())
    }
}

fn settled<T>(done: Result<T, Fault>) -> Result<Result<T, CommitError>, sqlx::Error> {
    match done {
        Ok(done) => Ok(Ok(done)),
        Err(Fault::Told(error)) => Ok(Err(error)),
        Err(Fault::Database(error)) => Err(error),
    }
}

async fn new_call(
    connection: &mut SqliteConnection,
    create: &Create,
    last: &mut Option<u64>,
) -> Result<Option<Box<CallSession>>, Fault> {
    let Create { id, at, call, events } = create;
    let known = sqlx::query_scalar("select 1 from call_sessions where id = ?").bind(id.0);
    let known: Option<i64> = known.fetch_optional(&mut *connection).await?;
    if known.is_some() {
        return Ok(None);
    }
    check_names(connection, *id, events).await?;
    let mut session = CallSession::new(*id, *at, call.clone());
    let created = SessionEvent::Created(Box::new(call.clone())).at(*at);
    let mut all = rows(Version(0), &[created])?;
    all.extend(rows(Version(1), events)?);
    events.iter().for_each(|event| session.apply(event));
    let summary = &session.summary;
    let text = json(summary)?;
    let sql = "insert into call_sessions \
               (id, version, status, direction, mode, customer, agent, outcome, created_at, call_sid, summary) \
               values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let row = sqlx::query(sql)
        .bind(id.0)
        .bind(signed(summary.version.0))
        .bind(summary.status.name())
        .bind(summary.direction.name())
        .bind(summary.mode.name())
        .bind(summary.customer.as_ref().map(|customer| customer.as_str()))
        .bind(summary.agent.as_ref().map(|agent| agent.as_str()))
        .bind(summary.outcome.map(|outcome| outcome.name()))
        .bind(micros(summary.created_at))
        .bind(summary.call_sid.as_ref().map(ToString::to_string))
        .bind(text);
    row.execute(&mut *connection).await?;
    // Nobody repeats a creation under the name of an attempt: the call's own name is one.
    publish(connection, *id, CommitId(id.0), all, last).await?;
    Ok(Some(Box::new(session)))
}

async fn append(connection: &mut SqliteConnection, commit: &Commit, last: &mut Option<u64>) -> Result<Version, Fault> {
    let id = commit.call;
    let known = sqlx::query_scalar("select summary from call_sessions where id = ?").bind(id.0);
    let known: Option<String> = known.fetch_optional(&mut *connection).await?;
    let summary: CallSummary = parsed(id.0, &known.ok_or(CommitError::NoCall(id))?)?;
    if summary.version != commit.expected {
        // The attempt that came before, whose answer was lost, has left its name at the first of its events.
        let first = sqlx::query_scalar("select attempt from call_events where call = ? and version = ?");
        let first = first.bind(id.0).bind(signed(commit.expected.plus(1).0));
        let first: Option<Uuid> = first.fetch_optional(&mut *connection).await?;
        return match first {
            Some(attempt) if attempt == commit.id.0 => Ok(commit.expected.plus(commit.events.len())),
            _ => Err(CommitError::Conflict { actual: summary.version }.into()),
        };
    }
    check_names(connection, id, &commit.events).await?;
    let Decided { summary, rows, text } = Decided::new(summary, &commit.events)?;
    let sql = "update call_sessions set version = ?, status = ?, outcome = ?, call_sid = ?, summary = ? where id = ?";
    let row = sqlx::query(sql)
        .bind(signed(summary.version.0))
        .bind(summary.status.name())
        .bind(summary.outcome.map(|outcome| outcome.name()))
        .bind(summary.call_sid.as_ref().map(ToString::to_string))
        .bind(text)
        .bind(id.0);
    row.execute(&mut *connection).await?;
    publish(connection, id, commit.id, rows, last).await?;
    Ok(summary.version)
}

async fn check_names(connection: &mut SqliteConnection, id: SessionId, events: &[Stamped]) -> Result<(), Fault> {
    let mut owners = Vec::new();
    for sid in bound(events) {
        let owner = sqlx::query_scalar("select id from call_sessions where call_sid = ?").bind(&sid);
        let owner: Option<Uuid> = owner.fetch_optional(&mut *connection).await?;
        owners.extend(owner.map(|owner| (sid.clone(), owner)));
    }
    taken(id, events, &owners).map_or(Ok(()), |taken| Err(taken.into()))
}

async fn publish(
    connection: &mut SqliteConnection,
    call: SessionId,
    attempt: CommitId,
    rows: Vec<(i64, &'static str, String)>,
    last: &mut Option<u64>,
) -> Result<(), sqlx::Error> {
    for (version, kind, body) in rows {
        let sql = "insert into call_events (call, version, kind, body, attempt) values (?, ?, ?, ?, ?)";
        let row = sqlx::query(sql).bind(call.0).bind(version).bind(kind).bind(body).bind(attempt.0);
        let done: SqliteQueryResult = row.execute(&mut *connection).await?;
        *last = Some(unsigned(done.last_insert_rowid()));
    }
    Ok(())
}

async fn take(connection: &mut SqliteConnection, claim: &Claim) -> Result<bool, sqlx::Error> {
    sqlx::query("delete from call_claims where until <= ?").bind(micros(claim.now)).execute(&mut *connection).await?;
    let row = sqlx::query("insert into call_claims (name, until) values (?, ?) on conflict do nothing");
    let done = row.bind(&claim.key).bind(micros(claim.until)).execute(&mut *connection).await?;
    Ok(done.rows_affected() > 0)
}

/// Which call has one of the names at Twilio that these events bind, if it is another one than `id`. `owners` are the
/// names that are known, with their calls.
fn taken(id: SessionId, events: &[Stamped], owners: &[(String, Uuid)]) -> Option<CommitError> {
    events.iter().find_map(|stamped| {
        let SessionEvent::Bound { call } = &stamped.event else { return None };
        let (_, owner) = owners.iter().find(|(sid, owner)| *sid == call.to_string() && *owner != id.0)?;
        Some(CommitError::CallSidTaken { call: call.clone(), owner: SessionId(*owner) })
    })
}

/// The names at Twilio that these events bind.
fn bound(events: &[Stamped]) -> Vec<String> {
    let names = events.iter().filter_map(|stamped| match &stamped.event {
        SessionEvent::Bound { call } => Some(call.to_string()),
        _ => None,
    });
    names.collect()
}
