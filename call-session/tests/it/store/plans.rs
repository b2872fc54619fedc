//! How databases find the calls of a list: by an index that has them in the order of the list, never by looking at all.

use call_session::{
    call::{Direction, Mode, NewCall, Outcome, Status},
    id::SessionId,
    store::{Query, SessionStore, postgres::PostgresStore, sqlite::SqliteStore},
};
use jiff::Timestamp;
use sqlx::{Connection, Executor, PgConnection};
use throwaway_postgres::Database;

use super::folder::Folder;

/// A list by each condition, with the index that it is to be read from.
fn lists() -> Vec<(Query, &'static str)> {
    let terminal = [Status::Completed, Status::Failed];
    let day = (Some("2026-11-21T00:00:00Z".parse().unwrap()), Some("2026-11-22T00:00:00Z".parse().unwrap()));
    let lists = [
        (Query::default(), "created"),
        (Query::default().with_time(day.0, day.1), "created"),
        (Query::active(), "status"),
        (Query::default().with_statuses([Status::Busy]), "status"),
        (Query::default().with_statuses(terminal), "status"),
        (Query::default().with_direction(Direction::Inbound), "direction"),
        (Query::default().with_mode(Mode::Sip), "mode"),
        (Query::default().with_outcome(Outcome::BrokenOff), "outcome"),
        (Query::default().with_customer("customer-7".parse().unwrap()), "customer"),
        (Query::default().with_agent("agent-7".parse().unwrap()), "agent"),
    ];
    // The first page, and another one.
    let later = |(query, index): &(Query, _)| (query.clone().with_before(SessionId::new()), *index);
    lists.iter().map(later).chain(lists.iter().cloned()).collect()
}

fn new_call() -> NewCall {
    NewCall::outbound("+81312345678", "+819012345678")
}

#[tokio::test]
async fn sqlite_reads_lists_from_an_index() {
    let folder = Folder::new();
    let store = SqliteStore::open(folder.path().join("calls.db")).await.unwrap();
    for (query, index) in lists() {
        let plan = store.explain(&query).await.unwrap();
        let reads: Vec<_> = plan.iter().filter(|line| line.contains("call_sessions")).collect();
        let index = format!("USING INDEX call_sessions_{index}");
        assert!(!reads.is_empty() && reads.iter().all(|read| read.contains(&index)), "{query:?}: {plan:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_reads_lists_from_an_index() {
    let database = Database::create().unwrap();
    let store = PostgresStore::connect(database.url()).await.unwrap();
    store.create(SessionId::new(), Timestamp::now(), new_call(), vec![]).await.unwrap();
    let mut connection = PgConnection::connect(database.url()).await.unwrap();
    // As many as make looking at all of them dear, of the sorts that there are.
    let fill = "insert into call_sessions (id, version, status, direction, mode, customer, agent, outcome, created_at, summary) \
                select gen_random_uuid(), 1, \
                    case when n % 1000 = 0 then 'ringing' when n % 20 = 0 then 'failed' when n % 9 = 0 then 'busy' else 'completed' end, \
                    case n % 2 when 0 then 'inbound' else 'outbound' end, case when n % 50 = 0 then 'sip' else 'realtime' end, \
                    'customer-' || n % 4000, 'agent-' || n % 100, \
                    case when n % 20 = 0 then 'broken-off' else 'conversation' end, \
                    created_at + n::bigint * 1000000, summary \
                from call_sessions, generate_series(1, 40000) n";
    connection.execute(fill).await.unwrap();
    connection.execute("analyze call_sessions").await.unwrap();
    for (query, index) in lists() {
        let plan = store.explain(&query).await.unwrap();
        // What most calls have in common is not worth an index of its own: the one by time has the order, too.
        let wanted = [format!("call_sessions_{index} "), "using call_sessions_created ".to_owned()];
        let found = plan.iter().any(|line| wanted.iter().any(|index| line.contains(index)));
        let all = plan.iter().any(|line| line.contains("Seq Scan"));
        assert!(found && !all, "{query:?}: {plan:#?}");
    }
}
