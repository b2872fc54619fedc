//! Holds a [`Board`] to its contract, by itself and below [`Live`].
//!
//! Implement [`Harness`] for your board, then call [`check_all`] from a test, or the checks one by one. A check that fails
//! panics with what was expected; nothing waits longer than [`PATIENCE`].
//!
//! ```
//! use std::sync::Arc;
//!
//! use async_trait::async_trait;
//! use call_session::live::{Board, conformance::{self, Harness}, memory::MemoryBoard};
//!
//! struct Memory(Arc<MemoryBoard>);
//!
//! #[async_trait]
//! impl Harness for Memory {
//!     async fn board(&self) -> Arc<dyn Board> {
//!         self.0.clone()
//!     }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(async {
//! conformance::check_all(&Memory(Arc::default())).await;
//! # });
//! ```

use std::{future::Future, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::future::join_all;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    AcquireError, Answer, Board, Command, Fate, Held, Live, MAX_WAITING, Order, OrderId, Posted, Reply, SendError,
    Terms,
};
use crate::id::{NodeId, SessionId};

/// The longest that any step of a check may take. Only a check that fails waits so long.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Long enough for a busy machine, short enough to wait for its end.
const LEASE: Duration = Duration::from_secs(4);

/// Of servers that do not say that they live, and whose end nobody waits for.
const LONG: Duration = PATIENCE.saturating_mul(4);

/// How long is waited for a reply that does not come.
const SHORT: Duration = Duration::from_secs(3);

/// How often that is asked whose answer a busy machine may bring too late.
const ATTEMPTS: usize = 5;
const BEAT: Duration = Duration::from_millis(100);

/// Opens the board under test.
#[async_trait]
pub trait Harness: Sync {
    /// The board, as one more process sees it.
    async fn board(&self) -> Arc<dyn Board>;
}

/// Runs every check.
pub async fn check_all(harness: &impl Harness) {
    takes_a_call_for_one_server(harness).await;
    a_greater_fence_ends_the_former_lease(harness).await;
    a_call_that_is_let_go_is_free(harness).await;
    brings_commands_to_the_holder_and_replies_back(harness).await;
    keeps_the_order_of_commands(harness).await;
    says_why_there_is_no_reply(harness).await;
    lets_another_server_have_the_calls_of_a_dead_one(harness).await;
    a_command_goes_where_its_call_went(harness).await;
    a_server_that_stops_lets_go_at_once(harness).await;
    nobody_counts_on_a_server_that_drains(harness).await;
    a_command_is_taken_once(harness).await;
    a_command_that_is_called_off_is_not_taken(harness).await;
    a_command_is_not_taken_when_its_time_is_over(harness).await;
    bounds_the_commands_that_wait(harness).await;
    tells_servers_that_live_from_dead_ones(harness).await;
}

/// Of many that take a free call, one gets it; the others are told who has it.
pub async fn takes_a_call_for_one_server(harness: &impl Harness) {
    let call = SessionId::new();
    let servers = join_all((0..4).map(|_| Server::start(harness))).await;
    let attempts = join_all(servers.iter().map(|server| server.live.acquire(call))).await;
    let (won, lost): (Vec<_>, Vec<_>) = attempts.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1, "one server gets the call");
    let lease = won.into_iter().flatten().map(|held| held.lease().clone()).next();
    for attempt in lost {
        assert!(
            matches!(&attempt, Err(AcquireError::Held(holder)) if Some(&holder.lease) == lease.as_ref() && holder.alive),
            "the others are told who has it: {attempt:?}"
        );
    }
}

/// A call can be taken from a server that lives. That one is told, and cannot let it go any more.
pub async fn a_greater_fence_ends_the_former_lease(harness: &impl Harness) {
    let call = SessionId::new();
    let (first, second) = (Server::start(harness).await, Server::start(harness).await);
    let mut before = first.seize(call).await;
    let after = second.seize(call).await;
    assert!(after.lease().fence > before.lease().fence, "fences grow");
    assert!(soon(before.next()).await.is_none(), "the former holder is told");
    assert!(!good(first.board.release(before.lease()).await), "and cannot let the call go any more");
    let holder = good(first.live.holder(call).await);
    assert_eq!(holder.map(|holder| holder.lease).as_ref(), Some(after.lease()), "the call is where it went");

    let again = second.seize(call).await;
    assert!(again.lease().fence > after.lease().fence, "fences grow within a server, too");
    drop(after);
    let late = second.live.send(call, Command::Interrupt, PATIENCE);
    let (reply, ()) = tokio::join!(late, answer_one(again, Reply::Ok));
    assert!(matches!(reply, Ok(Reply::Ok)), "the newest of a server's leases counts: {reply:?}");
}

/// A call is free once it is let go, whether by word or by drop.
pub async fn a_call_that_is_let_go_is_free(harness: &impl Harness) {
    let call = SessionId::new();
    let (first, second) = (Server::start(harness).await, Server::start(harness).await);
    assert!(good(first.seize(call).await.release().await), "it was held until then");
    assert_eq!(good(first.live.holder(call).await), None, "nobody has it");
    drop(good(second.live.acquire(call).await));
    soon(async {
        while good(first.live.holder(call).await).is_some() {
            sleep(BEAT).await
        }
    })
    .await;
    good(first.live.acquire(call).await);
}

/// Every command comes as it was sent, from wherever, and so does every reply.
pub async fn brings_commands_to_the_holder_and_replies_back(harness: &impl Harness) {
    let call = SessionId::new();
    let (here, there) = (Server::start(harness).await, Server::start(harness).await);
    let mut held = here.seize(call).await;
    let long = "少々お待ちください。".repeat(5_000);
    let commands = [
        Command::Say { line: long },
        Command::Instruct { text: "O'Brien \"\\ \u{1f600}".into(), respond: true },
        Command::Interrupt,
        Command::End { line: None },
        Command::End { line: Some("Bye.".into()) },
        Command::HangUp,
        Command::PauseRecording,
        Command::ResumeRecording,
        Command::Detach { line: None },
        Command::Custom { name: "hand-over".into(), value: serde_json::json!({ "to": [1, null, 2.5] }) },
    ];
    for command in commands {
        for server in [&here, &there] {
            let reply = Reply::refused(format!("{}-not-now", command.name()));
            let serve = async {
                let delivery = soon(held.next()).await.expect("the call is held");
                assert!(*delivery.command() == command, "{command:?} comes as it was sent");
                delivery.reply(reply.clone());
            };
            let (replied, ()) = tokio::join!(server.live.send(call, command.clone(), PATIENCE), serve);
            assert!(matches!(&replied, Ok(got) if *got == reply), "the reply comes as it was given: {replied:?}");
        }
    }
}

/// Commands of one sender come in the order in which they were put up.
pub async fn keeps_the_order_of_commands(harness: &impl Harness) {
    let call = SessionId::new();
    let server = Server::start(harness).await;
    let mut held = server.seize(call).await;
    for number in 0..20 {
        let order = order(call, &server, &number.to_string());
        assert_eq!(good(server.board.post(&order, PATIENCE).await), Posted::Waiting);
    }
    for number in 0..20 {
        let delivery = soon(held.next()).await.expect("the call is held");
        let expected = Command::Say { line: number.to_string() };
        assert!(*delivery.command() == expected, "command {number} is next");
    }
}

/// A sender learns why there is no reply, in time, and whether the command may have been carried out.
pub async fn says_why_there_is_no_reply(harness: &impl Harness) {
    let server = Server::start(harness).await;
    let sent = server.live.send(SessionId::new(), Command::HangUp, PATIENCE).await;
    assert!(matches!(sent, Err(SendError::NotLive)), "nobody has the call: {sent:?}");

    let call = SessionId::new();
    let mut held = server.seize(call).await;
    let over = async { soon(held.next()).await.expect("the call is held").call_over() };
    let (sent, ()) = tokio::join!(server.live.send(call, Command::HangUp, PATIENCE), over);
    assert!(matches!(sent, Err(SendError::CallOver { maybe_done: false })), "the call was over: {sent:?}");
    let drop_it = async { drop(soon(held.next()).await) };
    let (sent, ()) = tokio::join!(server.live.send(call, Command::HangUp, PATIENCE), drop_it);
    assert!(matches!(sent, Err(SendError::CallOver { maybe_done: true })), "the command was dropped: {sent:?}");

    let began = Instant::now();
    let (sent, _kept) = tokio::join!(server.live.send(call, Command::HangUp, SHORT), soon(held.next()));
    assert!(matches!(sent, Err(SendError::TimedOut { maybe_done: true })), "it was taken: {sent:?}");
    assert!(began.elapsed() < PATIENCE / 6, "it does not take longer than said");

    // A server that does not run holds its call for the lease, and takes nothing.
    let still = Server::still(harness).await;
    let call = SessionId::new();
    let _held = still.seize(call).await;
    let mut attempts = 0;
    let sent = loop {
        attempts += 1;
        match server.live.send(call, Command::HangUp, SHORT / 10).await {
            // It could not be called off within a quarter of a second.
            Err(SendError::TimedOut { maybe_done: true }) if attempts < ATTEMPTS => {}
            sent => break sent,
        }
    };
    assert!(matches!(sent, Err(SendError::TimedOut { maybe_done: false })), "nobody took it: {sent:?}");
    assert!(good(still.board.take_orders(still.live.node(), 9).await).is_empty(), "and nobody will");
    still.leave().await;
}

/// A server that dies keeps its calls until its lease is over. Then senders are told, and another may take them.
pub async fn lets_another_server_have_the_calls_of_a_dead_one(harness: &impl Harness) {
    let (call, waiting) = (SessionId::new(), SessionId::new());
    let (mut first, second) = (Server::start(harness).await, Server::start(harness).await);
    let former = first.seize(call).await;
    let _other = first.seize(waiting).await;
    first.die().await;

    let early = second.live.acquire(call).await;
    assert!(matches!(early, Err(AcquireError::Held(_))), "the lease is not over: {early:?}");
    let sent = second.live.send(waiting, Command::HangUp, PATIENCE).await;
    assert!(
        matches!(&sent, Err(SendError::NodeDead { node, maybe_done: false }) if node == first.live.node()),
        "a sender learns that the server is dead: {sent:?}"
    );
    let sent = second.live.send(call, Command::HangUp, PATIENCE).await;
    assert!(matches!(sent, Err(SendError::NodeDead { .. })), "at once, when it is known: {sent:?}");

    let held = good(second.live.acquire(call).await);
    assert!(held.lease().fence > former.lease().fence, "fences grow");
    let (reply, ()) = tokio::join!(second.live.send(call, Command::HangUp, PATIENCE), answer_one(held, Reply::Ok));
    assert!(matches!(reply, Ok(Reply::Ok)), "commands go to the new holder: {reply:?}");
}

/// Whoever looks sees which servers live, and which died; those that stopped in order are not remembered.
pub async fn tells_servers_that_live_from_dead_ones(harness: &impl Harness) {
    let (mut first, second, mut third) =
        (Server::start(harness).await, Server::start(harness).await, Server::start(harness).await);
    let lives = async |of: &Server| {
        let nodes = good(second.live.nodes().await);
        nodes.into_iter().find(|(node, _)| node == of.live.node()).map(|(_, alive)| alive)
    };
    for server in [&first, &third] {
        // Its first beat may be on its way.
        soon(async {
            while lives(server).await != Some(true) {
                sleep(BEAT / 10).await
            }
        })
        .await;
    }
    first.die().await;
    third.stop().await;
    assert_eq!(lives(&third).await, None, "it said that it stops");
    soon(async {
        while lives(&first).await != Some(false) {
            sleep(BEAT).await
        }
    })
    .await;
    assert_eq!(lives(&second).await, Some(true));
}

/// A command that nobody has taken goes to the server that takes the call.
pub async fn a_command_goes_where_its_call_went(harness: &impl Harness) {
    let call = SessionId::new();
    let still = Server::still(harness).await;
    let (sender, second) = (Server::start(harness).await, Server::start(harness).await);
    let _former = still.seize(call).await;
    let take_over = async {
        soon(async {
            while !is_waiting(&*second.board, &still, call).await {
                sleep(BEAT).await
            }
        })
        .await;
        answer_one(second.seize(call).await, Reply::Ok).await;
    };
    let (reply, ()) = tokio::join!(sender.live.send(call, Command::HangUp, PATIENCE), take_over);
    assert!(matches!(reply, Ok(Reply::Ok)), "the command went along: {reply:?}");
    still.leave().await;
}

/// A server that stops in order keeps nobody waiting.
pub async fn a_server_that_stops_lets_go_at_once(harness: &impl Harness) {
    let call = SessionId::new();
    let (mut first, second) = (Server::start(harness).await, Server::start(harness).await);
    let mut held = first.seize(call).await;
    first.stop().await;
    assert!(soon(held.next()).await.is_none(), "its calls are told");
    assert_eq!(good(second.live.holder(call).await), None, "nobody has the call");
    good(second.live.acquire(call).await);
}

/// Whoever is about to stop knows whether others can take its calls, and keeps them meanwhile.
pub async fn nobody_counts_on_a_server_that_drains(harness: &impl Harness) {
    let (first, mut second) = (Server::start(harness).await, Server::start(harness).await);
    // Servers of earlier checks count until their leases are over.
    until_others(&first, 1).await;
    let held = second.seize(SessionId::new()).await;
    good(second.live.drain().await);
    assert_eq!(good(first.live.others().await), 0, "it is about to stop");
    sleep(BEAT * 3).await;
    assert_eq!(good(first.live.others().await), 0, "that it lives does not change it");
    let holder = good(first.live.holder(held.lease().call).await);
    assert!(holder.is_some_and(|holder| holder.alive), "it lives, and keeps its calls");
    assert_eq!(good(second.live.others().await), 1, "it can count on the other");
    second.stop().await;
    let third = Server::start(harness).await;
    until_others(&first, 1).await;
    drop(third);
}

/// However often a server asks, and a command is put up, it is taken once.
pub async fn a_command_is_taken_once(harness: &impl Harness) {
    let call = SessionId::new();
    let (still, again) = (Server::still(harness).await, harness.board().await);
    let _held = still.seize(call).await;
    let order = order(call, &still, "Hello.");
    for _ in 0..2 {
        assert_eq!(good(again.post(&order, PATIENCE).await), Posted::Waiting);
    }
    let boards = [&still.board, &again];
    let takes = join_all((0..8).map(|n| boards[n % 2].take_orders(still.live.node(), 9))).await;
    assert_eq!(takes.into_iter().flat_map(good).count(), 1, "it is taken once");
    assert_eq!(good(again.post(&order, PATIENCE).await), Posted::Waiting);
    assert!(good(again.take_orders(still.live.node(), 9).await).is_empty(), "also when it is put up again");

    let (first, second) = (Answer::Reply(Reply::Ok), Answer::Over);
    good(still.board.answer(order.id, &first).await);
    good(again.answer(order.id, &second).await);
    assert_eq!(good(again.look(order.id).await), Fate::Answered(first), "the first answer counts");
    still.leave().await;
}

/// What is called off is not taken, and what is taken cannot be called off.
pub async fn a_command_that_is_called_off_is_not_taken(harness: &impl Harness) {
    let call = SessionId::new();
    let still = Server::still(harness).await;
    let _held = still.seize(call).await;
    let (off, taken) = (order(call, &still, "off"), order(call, &still, "taken"));
    assert_eq!(good(still.board.look(off.id).await), Fate::Void, "nobody has heard of it");
    good(still.board.post(&off, PATIENCE).await);
    assert!(matches!(good(still.board.look(off.id).await), Fate::Waiting(Some(_))), "it waits");
    assert_eq!(good(still.board.call_off(off.id).await), Fate::Void);
    good(still.board.post(&taken, PATIENCE).await);
    let orders = good(still.board.take_orders(still.live.node(), 9).await);
    assert_eq!(orders.iter().map(|order| order.id).collect::<Vec<_>>(), [taken.id], "only the other is taken");
    let late = order(call, &still, "late");
    assert_eq!(good(still.board.call_off(late.id).await), Fate::Void);
    good(still.board.post(&late, PATIENCE).await);
    assert_eq!(good(still.board.look(late.id).await), Fate::Void, "it came after it was called off");
    assert!(good(still.board.take_orders(still.live.node(), 9).await).is_empty(), "and is not taken");
    let by = still.live.node().clone();
    assert_eq!(good(still.board.call_off(taken.id).await), Fate::Taken { by, alive: true }, "too late");
    still.leave().await;
}

/// Once the time of a command is over, nobody gets it.
pub async fn a_command_is_not_taken_when_its_time_is_over(harness: &impl Harness) {
    let call = SessionId::new();
    let still = Server::still(harness).await;
    let _held = still.seize(call).await;
    let order = order(call, &still, "late");
    good(still.board.post(&order, Duration::from_millis(50)).await);
    soon(async {
        while good(still.board.look(order.id).await) != Fate::Void {
            sleep(BEAT).await
        }
    })
    .await;
    assert!(good(still.board.take_orders(still.live.node(), 9).await).is_empty());
    still.leave().await;
}

/// No more than so many wait for one call.
pub async fn bounds_the_commands_that_wait(harness: &impl Harness) {
    let call = SessionId::new();
    let still = Server::still(harness).await;
    let _held = still.seize(call).await;
    for number in 0..MAX_WAITING {
        let order = order(call, &still, &number.to_string());
        assert_eq!(good(still.board.post(&order, PATIENCE).await), Posted::Waiting);
    }
    let more = order(call, &still, "more");
    assert_eq!(good(still.board.post(&more, PATIENCE).await), Posted::Busy);
    let mut taken = Vec::new();
    while taken.len() < MAX_WAITING {
        let orders = good(still.board.take_orders(still.live.node(), 10).await);
        assert!(!orders.is_empty() && orders.len() <= 10, "as many as asked for at most: {}", orders.len());
        taken.extend(orders);
    }
    assert_eq!(good(still.board.post(&more, PATIENCE).await), Posted::Waiting, "there is room again");
    still.leave().await;
}

/// A process.
struct Server {
    live: Live,
    board: Arc<dyn Board>,
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

impl Server {
    /// One that does not run: alive for its lease, deaf.
    async fn still(harness: &impl Harness) -> Self {
        Self::with_lease(harness, LONG).await
    }

    async fn with_lease(harness: &impl Harness, lease: Duration) -> Self {
        let board = harness.board().await;
        let terms = Terms::default().with_lease(lease).with_beat(BEAT);
        let live = Live::with_terms(Arc::clone(&board), NodeId::unique(), terms);
        Self { live, board, tasks: JoinSet::new(), stop: CancellationToken::new() }
    }

    async fn start(harness: &impl Harness) -> Self {
        let mut server = Self::with_lease(harness, LEASE).await;
        let (live, stop) = (server.live.clone(), server.stop.clone());
        server.tasks.spawn(async move { live.run(stop).await });
        server
    }

    async fn seize(&self, call: SessionId) -> Held {
        good(self.live.seize(call).await)
    }

    async fn stop(&mut self) {
        self.stop.cancel();
        soon(self.tasks.join_next()).await;
    }

    /// One that does not run counts no more.
    async fn leave(&self) {
        good(self.board.leave(self.live.node()).await);
    }

    async fn die(&mut self) {
        self.tasks.shutdown().await;
    }
}

fn order(call: SessionId, sender: &Server, line: &str) -> Order {
    let command = Command::Say { line: line.to_owned() };
    Order { id: OrderId(Uuid::now_v7()), call, sender: sender.live.node().clone(), command }
}

async fn answer_one(mut held: Held, reply: Reply) {
    soon(held.next()).await.expect("a command comes").reply(reply);
}

/// Whether a command waits for a call, found out by filling what room there is.
async fn is_waiting(board: &dyn Board, sender: &Server, call: SessionId) -> bool {
    let mut posted = Vec::new();
    let busy = loop {
        let order = order(call, sender, "room?");
        match good(board.post(&order, PATIENCE).await) {
            Posted::Waiting => posted.push(order.id),
            other => break other == Posted::Busy,
        }
    };
    for id in &posted {
        good(board.call_off(*id).await);
    }
    busy && posted.len() < MAX_WAITING
}

async fn until_others(server: &Server, others: u64) {
    soon(async {
        while good(server.live.others().await) != others {
            sleep(BEAT).await
        }
    })
    .await;
}

async fn soon<T>(step: impl Future<Output = T>) -> T {
    timeout(PATIENCE, step).await.expect("it comes soon")
}

fn good<T, E: std::fmt::Debug>(result: Result<T, E>) -> T {
    result.expect("the board works")
}
