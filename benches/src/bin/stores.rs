//! What stores cost with many calls in them: fills a database, measures what servers do all day, and shows the plans of lists.
//!
//! See the section "Stores" of the README.
#![expect(clippy::print_stdout, reason = "a command line tool speaks on the terminal")]

use std::{error::Error, path::PathBuf, time::Duration};

use call_session::{
    call::{Direction, Ending, Line, Mode, NewCall, Outcome, SessionEvent, Speaker, Stamped, Status, Version},
    id::{CommitId, SessionId},
    store::{Commit, Position, Query, SessionStore, memory::MemoryStore, postgres::PostgresStore, sqlite::SqliteStore},
};
use clap::Parser;
use futures_util::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection, raw_sql};
use tokio::time::Instant;
use twilio_twiml::sid::CallSid;

type Failure = Box<dyn Error + Send + Sync>;

/// Fills a database with calls and measures the store on it.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many calls there are.
    #[arg(long, default_value_t = 1_000)]
    calls: u32,
    /// How often each thing is done.
    #[arg(long, default_value_t = 200)]
    times: u32,
    /// Measures the store in memory, too. It is filled one call after the other, and keeps all of them.
    #[arg(long)]
    memory: bool,
    /// A file to create, for SQLite.
    #[arg(long)]
    sqlite: Option<PathBuf>,
    /// The address of an empty database, for Postgres.
    #[arg(long)]
    postgres: Option<String>,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    if arguments.memory {
        let (store, began) = (MemoryStore::new(), Instant::now());
        memory_fill(&store, arguments.calls).await?;
        println!("memory, {} calls, filled in {:.0?}", arguments.calls, began.elapsed());
        measure(&store, &arguments).await?;
    }
    if let Some(file) = &arguments.sqlite {
        let store = SqliteStore::open(file).await?;
        let template = template(&store).await?;
        let began = Instant::now();
        let mut connection = SqliteConnection::connect(&format!("sqlite:{}", file.display())).await?;
        raw_sql(AssertSqlSafe(sqlite_fill(template, arguments.calls))).execute(&mut connection).await?;
        println!("SQLite, {} calls, filled in {:.0?}", arguments.calls, began.elapsed());
        measure(&store, &arguments).await?;
        for (name, query) in lists() {
            println!("\n{name}\n  {}", store.explain(&query).await?.join("\n  "));
        }
        store.close().await;
    }
    if let Some(url) = &arguments.postgres {
        let store = PostgresStore::connect(url).await?;
        let template = template(&store).await?;
        let began = Instant::now();
        let mut connection = PgConnection::connect(url).await?;
        raw_sql(AssertSqlSafe(postgres_fill(template, arguments.calls))).execute(&mut connection).await?;
        println!("Postgres, {} calls, filled in {:.0?}", arguments.calls, began.elapsed());
        measure(&store, &arguments).await?;
        for (name, query) in lists() {
            println!("\n{name}\n  {}", store.explain(&query).await?.join("\n  "));
        }
        store.postgres().close().await;
    }
    Ok(())
}

fn new_call() -> NewCall {
    NewCall::outbound("+81312345678", "+819012345678")
}

fn said(number: u32) -> Stamped {
    let words = "今日はどのようなご用件でしょうか。";
    let line = Line::new(format!("item-{number}"), Speaker::Agent, Timestamp::now(), words);
    SessionEvent::Said { lines: vec![line] }.at(Timestamp::now())
}

/// The call of which all others are copies: created, and three lines.
async fn template(store: &dyn SessionStore) -> Result<SessionId, Failure> {
    let id = SessionId::new();
    let call = new_call().with_customer("customer-0".parse()?).with_agent("agent-0".parse()?);
    store.create(id, Timestamp::now(), call, (0..3).map(said).collect()).await?;
    Ok(id)
}

/// One in ten thousand is not over; a customer has ten calls or so, a person on our side two thousand.
const COLUMNS: &str = "case when n % 10000 = 0 then 'ai-responding' when n % 50 = 0 then 'failed' \
     when n % 9 = 0 then 'no-answer' else 'completed' end, \
     case n % 3 when 0 then 'inbound' else 'outbound' end, case when n % 1000 = 0 then 'sip' else 'realtime' end, \
     'customer-' || (n % 100000), 'agent-' || (n % 500), \
     case when n % 10000 = 0 then null when n % 50 = 0 then 'unreachable' when n % 9 = 0 then 'no-answer' \
     else 'conversation' end";

/// The name at Twilio of a call, by its number; the databases make the same of it.
fn sid(number: u32) -> Result<CallSid, Failure> {
    Ok(format!("CA{number:032x}").parse()?)
}

/// As many calls as the databases copy, of the same kinds.
async fn memory_fill(store: &MemoryStore, calls: u32) -> Result<(), Failure> {
    let now = Timestamp::now();
    for number in 1..=calls {
        let mut call = if number % 3 == 0 { NewCall::inbound("+819012345678", "+81312345678") } else { new_call() };
        call = call
            .with_customer(format!("customer-{}", number % 100_000).parse()?)
            .with_agent(format!("agent-{}", number % 500).parse()?);
        if number % 1000 == 0 {
            call = call.with_mode(Mode::Sip);
        }
        let fate = match number {
            _ if number % 10_000 == 0 => None,
            _ if number % 50 == 0 => Some((Status::Failed, Outcome::Unreachable)),
            _ if number % 9 == 0 => Some((Status::NoAnswer, Outcome::NoAnswer)),
            _ => Some((Status::Completed, Outcome::Conversation)),
        };
        let mut events: Vec<_> = (0..3).map(said).collect();
        events.push(SessionEvent::Bound { call: sid(number)? }.at(now));
        if let Some((status, outcome)) = fate {
            events.push(SessionEvent::Concluded { outcome }.at(now));
            events.push(SessionEvent::Ended(Ending::new(status, "filled")).at(now));
        }
        store.create(SessionId::new(), now - SignedDuration::from_secs(number.into()), call, events).await?;
    }
    Ok(())
}

fn sqlite_fill(template: SessionId, calls: u32) -> String {
    let hex = template.0.simple();
    format!(
        "pragma busy_timeout = 600000; begin; \
         insert into call_sessions (id, version, call_sid, status, direction, mode, customer, agent, outcome, created_at, \
         summary) \
         with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < {calls}) \
         select randomblob(16), version, 'CA' || printf('%032x', n), {COLUMNS}, created_at - n * 1000000, summary \
         from numbers, call_sessions where id = x'{hex}'; \
         insert into call_events (call, version, kind, body, attempt) \
         select copy.id, event.version, event.kind, event.body, event.attempt \
         from call_sessions copy cross join call_events event \
         where event.call = x'{hex}' and copy.id <> x'{hex}'; commit; pragma wal_checkpoint(truncate);"
    )
}

fn postgres_fill(template: SessionId, calls: u32) -> String {
    format!(
        "insert into call_sessions (id, version, call_sid, status, direction, mode, customer, agent, outcome, created_at, \
         summary) \
         select gen_random_uuid(), version, 'CA' || lpad(to_hex(n), 32, '0'), {COLUMNS}, created_at - n::bigint * 1000000, summary \
         from generate_series(1, {calls}) n, call_sessions where id = '{template}'; \
         insert into call_events (call, version, kind, body, attempt) \
         select copy.id, event.version, event.kind, event.body, event.attempt \
         from call_sessions copy cross join call_events event \
         where event.call = '{template}' and copy.id <> '{template}'; \
         analyze call_sessions; analyze call_events;"
    )
}

fn lists() -> Vec<(&'static str, Query)> {
    vec![
        ("all calls", Query::default()),
        ("calls that are not over", Query::active()),
        ("by status", Query::default().with_statuses([Status::Failed])),
        ("by several statuses", Query::default().with_statuses([Status::Failed, Status::Completed])),
        ("by direction", Query::default().with_direction(Direction::Inbound)),
        ("by mode", Query::default().with_mode(Mode::Sip)),
        ("by outcome", Query::default().with_outcome(Outcome::Unreachable)),
        ("by customer", Query::default().with_customer("customer-77".parse().expect("letters and digits"))),
        ("by agent", Query::default().with_agent("agent-77".parse().expect("letters and digits"))),
    ]
}

/// Times of something that is done often.
struct Times(Vec<Duration>);

impl Times {
    fn show(mut self, what: &str) {
        self.0.sort_unstable();
        let at =
            |percent: usize| self.0.get(self.0.len() * percent / 100).or(self.0.last()).copied().unwrap_or_default();
        println!("{what:<36} p50 {:>9.3?}  p99 {:>9.3?}", at(50), at(99));
    }
}

async fn measure(store: &dyn SessionStore, arguments: &Arguments) -> Result<(), Failure> {
    let times = arguments.times;
    let mut ids = Vec::new();
    let mut taken = Vec::new();
    for _ in 0..times {
        let began = Instant::now();
        ids.push(store.create(SessionId::new(), Timestamp::now(), new_call(), vec![]).await?.summary.id);
        taken.push(began.elapsed());
    }
    Times(taken).show("create");

    let commit = async |id: SessionId, version: u64, number: u32| {
        let began = Instant::now();
        let attempt = CommitId::new();
        let commit = Commit { id: attempt, call: id, expected: Version(version), events: vec![said(number)] };
        store.commit(commit).await.map(|_| began.elapsed())
    };
    let mut taken = Vec::new();
    for id in &ids {
        taken.push(commit(*id, 1, 0).await?);
    }
    Times(taken).show("commit, one after the other");
    let began = Instant::now();
    let taken = try_join_all(ids.iter().map(|id| commit(*id, 2, 1))).await?;
    let each = began.elapsed() / times;
    Times(taken).show("commit, all at once");
    println!("{:<36} {:.0} a second", "", 1.0 / each.as_secs_f64());

    let mut taken = Vec::new();
    for id in &ids {
        let began = Instant::now();
        store.load(*id).await?;
        taken.push(began.elapsed());
    }
    Times(taken).show("load");

    let mut taken = Vec::new();
    for time in 0..times {
        // All over the calls there are, so that it is not the same few pages.
        let sid = sid(1 + time * (arguments.calls / times.max(1)) % arguments.calls.max(1))?;
        let began = Instant::now();
        let found = store.find_by_call_sid(&sid).await?;
        taken.push(began.elapsed());
        found.ok_or("a call is not found by its name at Twilio")?;
    }
    Times(taken).show("find by the name at Twilio");

    let (mut after, mut events, mut taken) = (Position::START, 0, Vec::new());
    for _ in 0..times {
        let began = Instant::now();
        let piece = store.read_feed(after, 1000).await?;
        let Some(last) = piece.last() else { break };
        (after, events) = (last.position, events + piece.len());
        taken.push(began.elapsed());
    }
    Times(taken).show("feed, 1000 events at a time");

    for (name, query) in lists() {
        let once = async || {
            let began = Instant::now();
            store.query(&query).await.map(|_| began.elapsed())
        };
        let mut taken = Vec::new();
        for _ in 0..times {
            taken.push(once().await?);
        }
        Times(taken).show(&format!("list: {name}"));
    }
    println!("{events} events read");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At a small scale: this finds a runner that no longer works, not a slow store.
    #[tokio::test(flavor = "multi_thread")]
    async fn runs() {
        let folder = std::env::temp_dir().join(format!("stores-{}", SessionId::new()));
        std::fs::create_dir_all(&folder).expect("a folder for temporary files");
        let arguments = Arguments { calls: 300, times: 10, memory: true, sqlite: None, postgres: None };
        let store = MemoryStore::new();
        memory_fill(&store, arguments.calls).await.expect("the calls are kept");
        measure(&store, &arguments).await.expect("everything can be done");
        assert_eq!(store.query(&Query::default().with_limit(1000)).await.expect("a list").calls.len(), 310);
        let failed = Query::default().with_statuses([Status::Failed]);
        assert_eq!(store.query(&failed).await.expect("a list").calls.len(), 6, "of the same kinds");

        let file = folder.join("calls.db");
        let store = SqliteStore::open(&file).await.expect("a new file");
        let template = template(&store).await.expect("a call");
        let mut connection = SqliteConnection::connect(&format!("sqlite:{}", file.display())).await.expect("the file");
        let fill = sqlite_fill(template, arguments.calls);
        raw_sql(AssertSqlSafe(fill)).execute(&mut connection).await.expect("the calls are copied");
        measure(&store, &arguments).await.expect("everything can be done");
        assert_eq!(store.query(&Query::default().with_limit(1000)).await.expect("a list").calls.len(), 311);

        let database = throwaway_postgres::Database::create().expect("a database");
        let store = PostgresStore::connect(database.url()).await.expect("the database");
        let template = super::template(&store).await.expect("a call");
        let mut connection = PgConnection::connect(database.url()).await.expect("the database");
        let fill = postgres_fill(template, arguments.calls);
        raw_sql(AssertSqlSafe(fill)).execute(&mut connection).await.expect("the calls are copied");
        measure(&store, &arguments).await.expect("everything can be done");
        assert_eq!(store.query(&Query::default().with_limit(1000)).await.expect("a list").calls.len(), 311);
        std::fs::remove_dir_all(&folder).expect("the folder is there");
    }
}
