//! Calls in Postgres.

use std::{sync::Arc, time::Duration};

use call_session::{
    call::{CallSession, NewCall, SessionEvent, Stamped, Version},
    id::SessionId,
    postgres::{Postgres, PostgresConfig},
    store::{self, Commit, CommitError, Position, SessionStore, StoreError, postgres::PostgresStore},
};
use jiff::Timestamp;
use sqlx::{Connection, Executor, PgConnection, postgres::PgConnectOptions};
use throwaway_postgres::Database;
use tokio::{
    io::{AsyncRead, AsyncWrite, copy_bidirectional},
    net::{TcpListener, TcpStream, UnixStream},
    sync::watch,
    task::JoinSet,
    time::{Instant, timeout},
};

async fn fresh() -> (Arc<dyn SessionStore>, Database) {
    let database = Database::create().unwrap();
    let store = PostgresStore::connect(database.url()).await.unwrap();
    (Arc::new(store), database)
}

call_session::session_store_conformance!(fresh);

/// The same promises through a pooler that gives each transaction another connection.
mod pooled {
    use std::sync::Arc;

    use call_session::{
        postgres::{Postgres, PostgresConfig},
        store::{SessionStore, postgres::PostgresStore},
    };
    use throwaway_postgres::{Database, Pooler};

    async fn fresh() -> (Arc<dyn SessionStore>, (Pooler, Database)) {
        let database = Database::create().unwrap();
        let pooler = Pooler::start(&database).unwrap();
        let config = PostgresConfig::new(pooler.url()).unwrap().with_pooler();
        let store = PostgresStore::new(Postgres::connect(config).await.unwrap());
        (Arc::new(store), (pooler, database))
    }

    call_session::session_store_conformance!(fresh);
}

fn new_call() -> NewCall {
    NewCall::outbound("+81312345678", "+819012345678")
}

fn pressed() -> Stamped {
    SessionEvent::KeysPressed { keys: "1".into() }.at(Timestamp::now())
}

async fn created(store: &PostgresStore) -> SessionId {
    store.create(SessionId::new(), Timestamp::now(), new_call(), vec![]).await.unwrap().summary.id
}

async fn connected(config: PostgresConfig) -> PostgresStore {
    PostgresStore::new(Postgres::connect(config).await.unwrap())
}

/// Servers that start at the same time on an empty database each find it ready.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_connect_to_an_empty_database_at_once() {
    let database = Database::create().unwrap();
    let mut connecting = JoinSet::new();
    for _ in 0..6 {
        let url = database.url().to_owned();
        connecting.spawn(async move { created(&PostgresStore::connect(&url).await.unwrap()).await });
    }
    assert_eq!(connecting.join_all().await.len(), 6);
}

/// News come from another server, told or looked for.
#[tokio::test(flavor = "multi_thread")]
async fn news_of_another_server_come() {
    let database = Database::create().unwrap();
    let config = PostgresConfig::new(database.url()).unwrap();
    let there = connected(config.clone()).await;
    for here in [connected(config.clone()).await, connected(config.without_listening()).await] {
        let end = here.feed_end().await.unwrap();
        let news = async {
            while here.read_feed(end, 10).await.unwrap().is_empty() {
                here.feed_moved(end).await;
            }
        };
        let (waited, _) = tokio::join!(timeout(Duration::from_secs(60), news), created(&there));
        waited.unwrap();
    }
}

/// Nothing is shown of the feed behind a transaction that may still add to it.
#[tokio::test(flavor = "multi_thread")]
async fn the_feed_waits_for_transactions_under_way() {
    let (store, database) = fresh().await;
    let mut other = PgConnection::connect(database.url()).await.unwrap();
    let mut under_way = other.begin().await.unwrap();
    under_way.execute("select pg_current_xact_id()").await.unwrap();

    let id = SessionId::new();
    store.create(id, Timestamp::now(), new_call(), vec![]).await.unwrap();
    assert!(store.load(id).await.unwrap().is_some());
    assert_eq!(store.read_feed(Position::START, 10).await.unwrap(), []);
    assert_eq!(store.feed_end().await.unwrap(), Position::START);

    under_way.rollback().await.unwrap();
    let shown = async {
        while store.read_feed(Position::START, 10).await.unwrap().is_empty() {
            store.feed_moved(Position::START).await;
        }
    };
    timeout(Duration::from_secs(60), shown).await.unwrap();
}

/// A database that was copied to another server goes on: what comes then is behind what was there.
#[tokio::test(flavor = "multi_thread")]
async fn a_copied_database_goes_on() {
    let database = Database::create().unwrap();
    let store = PostgresStore::connect(database.url()).await.unwrap();
    let id = created(&store).await;
    store.postgres().close().await;
    let mut other = PgConnection::connect(database.url()).await.unwrap();
    other.execute("update call_events set txid = txid + 1000000000000").await.unwrap();

    let store = PostgresStore::connect(database.url()).await.unwrap();
    store.commit(Commit::new(id, Version(1), vec![pressed()])).await.unwrap();
    let all = async {
        loop {
            let events = store.read_feed(Position::START, 10).await.unwrap();
            if events.len() == 2 {
                return events;
            }
            store.feed_moved(events.last().map_or(Position::START, |event| event.position)).await;
        }
    };
    let events = timeout(Duration::from_secs(60), all).await.unwrap();
    assert!(events.iter().map(|event| event.recorded.version).eq([Version(1), Version(2)]));
}

/// Changes one call until it is told to stop, whatever fails meanwhile. Gives how many changes were acknowledged.
async fn change_until(
    store: PostgresStore,
    id: SessionId,
    stop: watch::Receiver<bool>,
    failures: watch::Sender<u32>,
) -> u64 {
    let mut acknowledged = 0;
    let mut commit: Option<Commit> = None;
    while !*stop.borrow() {
        let next = match commit.take() {
            Some(commit) => commit,
            None => match store.summary(id).await {
                Ok(summary) => Commit::new(id, summary.unwrap().version, vec![pressed()]),
                Err(error) => {
                    assert!(error.retryable(), "{error:?}");
                    failures.send_modify(|count| *count += 1);
                    continue;
                }
            },
        };
        match store.commit(next.clone()).await {
            Ok(_) => acknowledged += 1,
            Err(CommitError::Store(error)) => {
                assert!(error.retryable(), "{error:?}");
                failures.send_modify(|count| *count += 1);
                // Its fate is unknown: it is repeated under its name.
                commit = Some(next);
            }
            Err(CommitError::Conflict { .. }) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    acknowledged
}

async fn assert_counted(store: &PostgresStore, id: SessionId, acknowledged: u64, unknown: u64) {
    let session = store.load(id).await.unwrap().unwrap();
    let changes = session.summary.version.0 - 1;
    assert!((acknowledged..=acknowledged + unknown).contains(&changes), "{acknowledged} acknowledged, {changes} there");
    assert_eq!(CallSession::replay(store.history(id).await.unwrap()).unwrap(), session);
}

/// The server is killed under load and started again: meanwhile it is said that it cannot be reached, nothing that was
/// acknowledged is lost, nothing happens twice, and all goes on by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_server_may_go_and_come_back() {
    let mut database = Database::alone().unwrap();
    let config = PostgresConfig::new(database.url()).unwrap().with_wait(Duration::from_secs(2));
    let store = connected(config).await;
    let id = created(&store).await;
    let ((stop, stopped), (failures, mut failed)) = (watch::channel(false), watch::channel(0));
    let mut tasks = JoinSet::new();
    for _ in 0..4 {
        tasks.spawn(change_until(store.clone(), id, stopped.clone(), failures.clone()));
    }
    for _ in 0..3 {
        let before = store.summary(id).await.unwrap().unwrap().version;
        timeout(Duration::from_secs(60), reach(&store, id, before.plus(20))).await.unwrap();
        let seen = *failed.borrow_and_update();
        database.server().unwrap().stop().unwrap();
        timeout(Duration::from_secs(60), failed.wait_for(|count| *count >= seen + 4)).await.unwrap().unwrap();
        let began = Instant::now();
        let error = store.load(id).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
        assert!(began.elapsed() < Duration::from_secs(10), "nobody waits long");
        database.server().unwrap().start_again().unwrap();
        timeout(Duration::from_secs(60), reach(&store, id, Version(1))).await.unwrap();
    }
    stop.send_replace(true);
    let acknowledged = tasks.join_all().await.into_iter().sum();
    // Each task may have been stopped with one commit of which it does not know the fate.
    assert_counted(&store, id, acknowledged, 4).await;
}

/// Waits until a call can be read, at this version or a later one.
async fn reach(store: &PostgresStore, id: SessionId, version: Version) {
    loop {
        match store.summary(id).await {
            Ok(summary) if summary.as_ref().unwrap().version >= version => return,
            _ => tokio::task::yield_now().await,
        }
    }
}

/// Connections that are cut in the middle of anything leave nothing half-made.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn connections_may_be_cut() {
    let database = Database::create().unwrap();
    let store = PostgresStore::connect(database.url()).await.unwrap();
    let id = created(&store).await;
    let ((stop, stopped), (failures, _)) = (watch::channel(false), watch::channel(0));
    let mut tasks = JoinSet::new();
    for _ in 0..4 {
        tasks.spawn(change_until(store.clone(), id, stopped.clone(), failures.clone()));
    }
    let mut other = PgConnection::connect(database.url()).await.unwrap();
    for cut in 0..20 {
        timeout(Duration::from_secs(60), reach(&store, id, Version(10 * cut))).await.unwrap();
        let sql = "select pg_terminate_backend(pid) from pg_stat_activity \
                   where datname = current_database() and pid <> pg_backend_pid()";
        other.execute(sql).await.unwrap();
    }
    stop.send_replace(true);
    let acknowledged = tasks.join_all().await.into_iter().sum();
    assert_counted(&store, id, acknowledged, 4).await;
    // And so do tasks that are no longer wanted.
    for attempt in 0..40 {
        let change = store::update(&store, id, |_| vec![pressed()]);
        // Most are given up, each at another moment.
        let _ = timeout(Duration::from_micros(150 * attempt), change).await;
    }
    // What was given up may have reached the database and be kept between the two readings.
    let settled = async {
        loop {
            let session = store.load(id).await.unwrap().unwrap();
            let told = CallSession::replay(store.history(id).await.unwrap()).unwrap();
            if told.summary.version == session.summary.version {
                return assert_eq!(told, session);
            }
        }
    };
    timeout(Duration::from_secs(60), settled).await.unwrap();
}

/// Waits until a transaction waits for a table that another has locked.
async fn until_somebody_waits_for(table: &'static str, database: &Database) {
    let mut watching = PgConnection::connect(database.url()).await.unwrap();
    let waiting = async {
        let waits = "select exists (select 1 from pg_locks l join pg_database d on d.oid = l.database \
                     where not granted and d.datname = current_database() and relation = $1::regclass)";
        while !sqlx::query_scalar::<_, bool>(waits).bind(table).fetch_one(&mut watching).await.unwrap() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(60), waiting).await.unwrap();
}

/// Servers of the version before go on writing while one of the next brings the tables up to date: their events are where
/// they were.
#[tokio::test(flavor = "multi_thread")]
async fn the_feed_stays_as_it_is_while_the_tables_are_changed() {
    let database = Database::create().unwrap();
    let store = PostgresStore::connect(database.url()).await.unwrap();
    created(&store).await;
    let mut other = PgConnection::connect(database.url()).await.unwrap();
    other.execute("alter table call_live_nodes drop column draining").await.unwrap();
    other.execute("delete from call_session_migrations where number = 4").await.unwrap();

    let mut writing = other.begin().await.unwrap();
    writing.execute("lock table call_events in share row exclusive mode").await.unwrap();
    let url = database.url().to_owned();
    let mut upgrading = JoinSet::new();
    upgrading.spawn(async move { PostgresStore::connect(&url).await });
    // It has a number by the time that it waits for the events.
    until_somebody_waits_for("call_events", &database).await;
    // What is written by whoever began later has a greater number.
    writing.execute("update call_events set txid = pg_current_xact_id()::text::bigint").await.unwrap();
    writing.commit().await.unwrap();
    upgrading.join_next().await.unwrap().unwrap().unwrap();
    let numbers: Vec<i64> =
        sqlx::query_scalar("select distinct txid from call_events").fetch_all(&mut other).await.unwrap();
    assert!(numbers.iter().all(|number| *number > 0), "{numbers:?}");
}

trait Both: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Both for T {}

/// What stands between a server and its database: carries bytes until it is told that the host is dead. Then what it has
/// carried so far is neither closed nor carried on, and only new connections are.
async fn carry(listener: TcpListener, to: PgConnectOptions, dead: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    while let Ok((mut here, _)) = listener.accept().await {
        let (to, mut dead) = (to.clone(), dead.clone());
        connections.spawn(async move {
            let mut there: Box<dyn Both> = match to.get_socket() {
                Some(folder) => {
                    let socket = folder.join(format!(".s.PGSQL.{}", to.get_port()));
                    Box::new(UnixStream::connect(socket).await.unwrap())
                }
                None => Box::new(TcpStream::connect((to.get_host(), to.get_port())).await.unwrap()),
            };
            let before = !*dead.borrow_and_update();
            let silent = async {
                let _ = dead.wait_for(|dead| *dead && before).await.is_ok();
            };
            tokio::select! {
                _ = copy_bidirectional(&mut here, &mut there) => {}
                () = silent => std::future::pending().await,
            }
        });
    }
}

/// A host that is gone without a word keeps no connection for longer than anything may take.
#[tokio::test(flavor = "multi_thread")]
async fn connections_to_a_host_that_died_silently_are_replaced() {
    let database = Database::create().unwrap();
    let options: PgConnectOptions = database.url().parse().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = listener.local_addr().unwrap();
    // Where the server asks for a password, it stands in the address.
    let there = format!("{}:{}", options.get_host(), options.get_port());
    let url = match options.get_socket() {
        Some(_) => format!("postgres://{}@{here}/{}", options.get_username(), database.name()),
        None => database.url().replace(&there, &here.to_string()),
    };
    assert!(url.contains(&here.to_string()), "it goes by what stands between");
    let (died, dead) = watch::channel(false);
    let mut carrying = JoinSet::new();
    carrying.spawn(carry(listener, options, dead));
    let config =
        PostgresConfig::new(&url).unwrap().with_connections(1).with_wait(Duration::from_secs(2)).without_listening();
    let store = connected(config).await;
    let id = created(&store).await;

    // It dies in the middle of a question.
    let mut other = PgConnection::connect(database.url()).await.unwrap();
    let mut locking = other.begin().await.unwrap();
    locking.execute("lock table call_sessions in access exclusive mode").await.unwrap();
    let mut asking = JoinSet::new();
    let asked = store.clone();
    asking.spawn(async move { asked.load(id).await });
    until_somebody_waits_for("call_sessions", &database).await;
    died.send_replace(true);
    assert!(matches!(asking.join_next().await.unwrap().unwrap(), Err(StoreError::Unavailable(_))));
    locking.rollback().await.unwrap();
    let again = async { while store.load(id).await.is_err() {} };
    timeout(Duration::from_secs(60), again).await.unwrap();
}

#[tokio::test]
async fn what_is_no_database_is_refused() {
    assert!(matches!(PostgresConfig::new("no address"), Err(StoreError::Refused(_))));
    let config = PostgresConfig::new("postgres://me:hidden@127.0.0.1:1/calls").unwrap();
    assert!(!format!("{config:?}").contains("hidden"));
    let nobody = Postgres::connect(config.with_wait(Duration::from_secs(1))).await;
    assert!(matches!(nobody, Err(StoreError::Unavailable(_))), "{nobody:?}");
    let database = Database::create().unwrap();
    let other = Postgres::connect(PostgresConfig::new(&database.url().replace("/test_", "/no_")).unwrap()).await;
    assert!(matches!(other, Err(StoreError::Refused(_))), "{other:?}");
}
