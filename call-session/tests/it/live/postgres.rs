//! Servers on one Postgres.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use call_session::{
    id::{NodeId, SessionId},
    live::{
        Board, Command, Fate, Live, Order, OrderId, Posted, Reply, SendError, Take, Terms,
        conformance::{self, Harness},
        postgres::PostgresBoard,
    },
    postgres::{Postgres, PostgresConfig},
};
use sqlx::{Connection, PgConnection, raw_sql};
use throwaway_postgres::{Database, Pooler};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::S;

const MS: Duration = Duration::from_millis(1);

struct Direct(Database);

#[async_trait]
impl Harness for Direct {
    async fn board(&self) -> Arc<dyn Board> {
        Arc::new(board(&self.0).await)
    }
}

async fn board(database: &Database) -> PostgresBoard {
    let config = PostgresConfig::new(database.url()).unwrap().with_connections(4).with_wait(S * 3);
    PostgresBoard::new(Postgres::connect(config).await.unwrap())
}

/// A server that runs, with a beat of its own.
async fn server(database: &Database, beat: Duration, tasks: &mut JoinSet<()>) -> Live {
    let board = board(database).await;
    let live = Live::with_terms(Arc::new(board), NodeId::unique(), Terms::default().with_lease(60 * S).with_beat(beat));
    let server = live.clone();
    tasks.spawn(async move { server.run(CancellationToken::new()).await });
    live
}

async fn run(database: &Database, sql: &'static str) {
    let mut connection = PgConnection::connect(database.url()).await.unwrap();
    raw_sql(sql).execute(&mut connection).await.unwrap();
}

async fn count(database: &Database, sql: &'static str) -> i64 {
    let mut connection = PgConnection::connect(database.url()).await.unwrap();
    sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
}

const LISTENERS: &str = "select count(*) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and query ilike 'listen%'";

async fn until_listening(database: &Database, servers: i64) {
    let listening = async {
        while count(database, LISTENERS).await != servers {
            sleep(20 * MS).await;
        }
    };
    timeout(20 * S, listening).await.expect("the servers listen");
}

fn say(call: SessionId, sender: &NodeId, line: &str) -> Order {
    let command = Command::Say { line: line.to_owned() };
    Order { id: OrderId(Uuid::now_v7()), call, sender: sender.clone(), command }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keeps_the_contract() {
    let database = Database::create().unwrap();
    conformance::check_all(&Direct(database)).await;
}

/// Servers whose statements go through a pooler in transaction mode, and that hear of no news.
struct Pooled {
    pooler: Pooler,
    _database: Database,
}

#[async_trait]
impl Harness for Pooled {
    async fn board(&self) -> Arc<dyn Board> {
        let config = PostgresConfig::new(self.pooler.url()).unwrap().with_pooler().with_connections(4).with_wait(S * 3);
        Arc::new(PostgresBoard::new(Postgres::connect(config).await.unwrap()))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keeps_the_contract_through_a_pooler() {
    let database = Database::create().unwrap();
    let pooler = Pooler::start(&database).unwrap();
    conformance::check_all(&Pooled { pooler, _database: database }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_and_replies_come_by_notification() {
    let database = Database::create().unwrap();
    let mut tasks = JoinSet::new();
    // Whoever waits for a beat waits too long.
    let here = server(&database, 30 * S, &mut tasks).await;
    let there = server(&database, 30 * S, &mut tasks).await;
    until_listening(&database, 2).await;
    let call = SessionId::new();
    let mut held = here.acquire(call).await.unwrap();
    for _ in 0..3 {
        let serve = async { held.next().await.unwrap().reply(Reply::Ok) };
        let (reply, ()) = tokio::join!(there.send(call, Command::Interrupt, 10 * S), serve);
        assert_eq!(reply.unwrap(), Reply::Ok);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beats_deliver_what_notifications_do_not() {
    let database = Database::create().unwrap();
    let mut tasks = JoinSet::new();
    let here = server(&database, 200 * MS, &mut tasks).await;
    let there = server(&database, 200 * MS, &mut tasks).await;
    until_listening(&database, 2).await;
    let call = SessionId::new();
    let mut held = here.acquire(call).await.unwrap();
    // A command that nobody is told of, as when the notification is lost.
    let mut connection = PgConnection::connect(database.url()).await.unwrap();
    let silent = sqlx::query(
        "insert into call_live_commands (id, call, sender, command, expires_at)
         values ($1, $2, 'somebody', '{\"type\":\"hang-up\"}', now() + interval '1 minute')",
    );
    silent.bind(Uuid::now_v7()).bind(call.0).execute(&mut connection).await.unwrap();
    let delivery = timeout(10 * S, held.next()).await.unwrap().unwrap();
    assert_eq!(*delivery.command(), Command::HangUp);
    drop(delivery);

    // With the listening connections cut again and again, commands go on.
    for number in 0..5 {
        run(
            &database,
            "select pg_terminate_backend(pid) from pg_stat_activity
             where datname = current_database() and pid <> pg_backend_pid() and query ilike 'listen%'",
        )
        .await;
        let command = Command::Say { line: number.to_string() };
        let serve = async {
            let delivery = held.next().await.unwrap();
            assert_eq!(*delivery.command(), command);
            delivery.reply(Reply::Ok);
        };
        let (reply, ()) = tokio::join!(there.send(call, command.clone(), 10 * S), serve);
        assert_eq!(reply.unwrap(), Reply::Ok);
    }
    until_listening(&database, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_of_the_database_costs_nobody_a_call() {
    let mut database = Database::alone().unwrap();
    let mut tasks = JoinSet::new();
    let here = server(&database, 200 * MS, &mut tasks).await;
    let there = server(&database, 200 * MS, &mut tasks).await;
    let call = SessionId::new();
    let mut held = here.acquire(call).await.unwrap();

    database.server().unwrap().stop().unwrap();
    let began = Instant::now();
    let sent = there.send(call, Command::Interrupt, 2 * S).await;
    let untold = matches!(sent, Err(SendError::Store(_) | SendError::TimedOut { .. }));
    assert!(untold && began.elapsed() < 5 * S, "a sender is told in time: {sent:?}");
    let lost = timeout(500 * MS, held.next()).await;
    assert!(lost.is_err(), "the call is still held: {lost:?}");

    database.server().unwrap().start_again().unwrap();
    let serve = async {
        while let Some(delivery) = held.next().await {
            delivery.reply(Reply::Ok);
        }
    };
    let again = async {
        loop {
            match there.send(call, Command::Interrupt, 2 * S).await {
                Ok(reply) => break reply,
                Err(_) => sleep(100 * MS).await,
            }
        }
    };
    let reply = tokio::select! {
        reply = timeout(20 * S, again) => reply.unwrap(),
        () = serve => panic!("the call was lost"),
    };
    assert_eq!(reply, Reply::Ok);
    assert_eq!(here.holder(call).await.unwrap().map(|holder| holder.lease), Some(held.lease().clone()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_takers_at_once_each_order_and_call_goes_to_one() {
    let database = Database::create().unwrap();
    let boards = [Arc::new(board(&database).await), Arc::new(board(&database).await)];
    let nodes = [(); 4].map(|()| NodeId::unique());
    for _ in 0..10 {
        let call = SessionId::new();
        let mut takes = JoinSet::new();
        for (number, node) in nodes.iter().cloned().enumerate() {
            let board = Arc::clone(&boards[number % 2]);
            takes.spawn(async move { board.take_call(&node, call, Take::IfFree, 60 * S).await.unwrap() });
        }
        let takings = takes.join_all().await;
        let won = takings.iter().filter(|taking| matches!(taking, call_session::live::Taking::Taken(_))).count();
        assert_eq!(won, 1, "one gets a free call: {takings:?}");

        let holder = boards[0].holder(call).await.unwrap().unwrap().lease.node;
        let mut posted = Vec::new();
        for number in 0..8 {
            let order = say(call, &nodes[0], &number.to_string());
            assert_eq!(boards[0].post(&order, 60 * S).await.unwrap(), Posted::Waiting);
            posted.push(order.id);
        }
        let (mut takes, mut offs) = (JoinSet::new(), JoinSet::new());
        for number in 0..8 {
            let (board, node) = (Arc::clone(&boards[number % 2]), holder.clone());
            takes.spawn(async move { board.take_orders(&node, 3).await.unwrap() });
            let (board, id) = (Arc::clone(&boards[number % 2]), posted[number]);
            offs.spawn(async move { (id, board.call_off(id).await.unwrap()) });
        }
        let mut taken: Vec<OrderId> = takes.join_all().await.into_iter().flatten().map(|order| order.id).collect();
        taken.extend(boards[0].take_orders(&holder, 99).await.unwrap().into_iter().map(|order| order.id));
        let called_off = offs.join_all().await.into_iter().filter(|(_, fate)| *fate == Fate::Void);
        taken.extend(called_off.map(|(id, _)| id));
        taken.sort_unstable();
        assert_eq!(taken, posted, "each order is taken, or called off, once");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_over_is_deleted() {
    let database = Database::create().unwrap();
    let board = board(&database).await;
    let (old, new) = (NodeId::unique(), NodeId::unique());
    for node in [&old, &new] {
        let call = SessionId::new();
        board.take_call(node, call, Take::IfFree, 60 * S).await.unwrap();
        board.post(&say(call, node, "secret"), 60 * S).await.unwrap();
    }
    run(
        &database,
        "update call_live_nodes set expires_at = now() - interval '1 hour' where node = (select min(node) from call_live_nodes);
         update call_live_commands set expires_at = now() - interval '1 hour' where number = 1",
    )
    .await;
    for _ in 0..30 {
        board.beat(&new, 60 * S).await.unwrap();
    }
    for table in [
        "select count(*) from call_live_nodes",
        "select count(*) from call_live_leases",
        "select count(*) from call_live_commands",
    ] {
        assert_eq!(count(&database, table).await, 1, "{table}");
    }
}
