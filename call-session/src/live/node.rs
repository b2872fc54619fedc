//! One server among those that have calls.

use std::{
    future::Future,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{
    sync::{Notify, mpsc, oneshot, watch},
    time::{Instant, sleep, sleep_until, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{
    AcquireError, Answer, Board, Command, Delivery, Fate, Held, Holder, Lease, Order, OrderId, Posted, Reply,
    SendError, Take, TakenOrder, Taking,
    seats::{Attempt, Seats},
};
use crate::{
    id::{NodeId, SessionId},
    store::StoreError,
};

/// How many commands are taken at once.
const BATCH: usize = 64;
/// How much longer than its deadline a send may take, to call the command off.
const GRACE: Duration = Duration::from_millis(250);
/// Between attempts to hand an answer in.
const RETRY: Duration = Duration::from_millis(200);

/// How servers keep in touch.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Terms {
    /// How long a server counts as alive after it last said so. Default: 6 s, so that one which pauses for a moment keeps
    /// its calls and one which died is known soon.
    pub lease: Duration,
    /// How often it says so, and looks for what it was not told about. Default: 1 s.
    pub beat: Duration,
}

impl Default for Terms {
    fn default() -> Self {
        Self { lease: Duration::from_secs(6), beat: Duration::from_secs(1) }
    }
}

impl Terms {
    /// Sets how long a server counts as alive after it last said so.
    #[must_use]
    pub const fn with_lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Sets how often a server says that it lives. Well below the lease.
    #[must_use]
    pub const fn with_beat(mut self, beat: Duration) -> Self {
        self.beat = beat;
        self
    }
}

/// One server among those that have calls. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Live {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    board: Arc<dyn Board>,
    node: NodeId,
    terms: Terms,
    seats: Mutex<Seats>,
    /// This server is about to stop.
    drains: AtomicBool,
    /// Something is to be let go.
    wake: Notify,
    /// Answers may have come.
    stirs: watch::Sender<()>,
}

/// A command that this server took and has not answered.
struct Owed {
    order: OrderId,
    until: Instant,
    answer: oneshot::Receiver<Answer>,
}

impl Live {
    /// A server. The name has to be a new one for each process: see [`NodeId::unique`].
    #[must_use]
    pub fn new(board: Arc<dyn Board>, node: NodeId) -> Self {
        Self::with_terms(board, node, Terms::default())
    }

    /// A server, with terms of its own.
    #[must_use]
    pub fn with_terms(board: Arc<dyn Board>, node: NodeId, terms: Terms) -> Self {
        let (seats, wake, stirs) = (Mutex::default(), Notify::new(), watch::Sender::new(()));
        let drains = AtomicBool::new(false);
        Self { inner: Arc::new(Inner { board, node, terms, seats, drains, wake, stirs }) }
    }

    /// This server.
    #[must_use]
    pub fn node(&self) -> &NodeId {
        &self.inner.node
    }

    /// Keeps this server alive for the others and brings commands to its calls, until it is to stop. Then it lets all
    /// calls go and says that it has stopped, which takes about a second at most.
    ///
    /// Without this, calls are held no longer than the lease. When the board cannot be reached it goes on trying.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future is like the death of the process: others find out when the lease is over.
    pub async fn run(&self, stop: CancellationToken) {
        let (owe, mut owed) = mpsc::channel(BATCH);
        let mut answers = FuturesUnordered::new();
        let node = &*self.inner;
        {
            let keep = node.keep(owe);
            tokio::pin!(keep);
            loop {
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = &mut keep => {}
                    Some(owed) = owed.recv() => answers.push(node.hand_in(owed)),
                    Some(()) = answers.next(), if !answers.is_empty() => {}
                }
            }
        }
        // What was taken and not given to a call yet counts as over.
        node.seats().clear();
        while let Ok(owed) = owed.try_recv() {
            answers.push(node.hand_in(owed));
        }
        let last = async {
            let settle = async { while answers.next().await.is_some() {} };
            // Answers that are still being made are not waited for.
            _ = timeout(GRACE, settle).await;
            node.board.leave(&node.node).await
        };
        if !matches!(timeout(GRACE * 4, last).await, Ok(Ok(()))) {
            warn!("other servers could not be told that this one stops");
        }
    }

    /// Takes a call that nobody has, or whose server is dead.
    ///
    /// # Errors
    ///
    /// [`AcquireError`].
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, the call is let go again, soon after.
    pub async fn acquire(&self, call: SessionId) -> Result<Held, AcquireError> {
        self.take(call, Take::IfFree).await
    }

    /// Takes a call, whoever has it: right for the server that has the caller's audio now. The server that had the call
    /// is told.
    ///
    /// # Errors
    ///
    /// [`AcquireError`]; never [`AcquireError::Held`].
    ///
    /// # Cancel safety
    ///
    /// As [`acquire`](Self::acquire).
    pub async fn seize(&self, call: SessionId) -> Result<Held, AcquireError> {
        self.take(call, Take::Anyway).await
    }

    async fn take(&self, call: SessionId, take: Take) -> Result<Held, AcquireError> {
        let node = &*self.inner;
        let attempt = Attempt::begin(node, call);
        match node.bounded(node.board.take_call(&node.node, call, take, node.terms.lease)).await? {
            Taking::Held(holder) => Err(AcquireError::Held(holder)),
            Taking::Taken(fence) => {
                let (lease, deliveries) = attempt.succeed(node.node.clone(), fence);
                Ok(Held { lease, deliveries, node: Arc::downgrade(&self.inner) })
            }
        }
    }

    /// The servers that are remembered, and whether each has said in time that it lives. One that stopped in order is not
    /// remembered; one that died is, for ten minutes.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the board cannot be reached.
    pub async fn nodes(&self) -> Result<Vec<(NodeId, bool)>, StoreError> {
        self.inner.bounded(self.inner.board.nodes()).await
    }

    /// Who has a call.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the board cannot be reached.
    pub async fn holder(&self, call: SessionId) -> Result<Option<Holder>, StoreError> {
        self.inner.bounded(self.inner.board.holder(call)).await
    }

    /// Says that this server is about to stop: it keeps its calls, and others do not count on it any more. If the board
    /// cannot be reached now, [`run`](Self::run) says it later.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the board cannot be reached.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, it is said later.
    pub async fn drain(&self) -> Result<(), StoreError> {
        let node = &*self.inner;
        node.drains.store(true, Ordering::Relaxed);
        node.bounded(node.board.drain(&node.node, node.terms.lease)).await
    }

    /// How many other servers live and take calls on, as far as the board knows: one that died counts until its lease is
    /// over. Of two servers that say that they [drain](Self::drain) before they look, neither counts on the other.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the board cannot be reached.
    pub async fn others(&self) -> Result<u64, StoreError> {
        self.inner.bounded(self.inner.board.others(&self.inner.node)).await
    }

    /// Sends a command to whichever server has a call, and waits for its reply. If another server takes the call before
    /// the command was taken, the command goes there.
    ///
    /// It comes back within the time given, plus at most 250 ms to call the command off. A command is carried out at most
    /// once; [`SendError::maybe_done`] says whether it may have been.
    ///
    /// # Errors
    ///
    /// [`SendError`].
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, the command may still be carried out until its time is over.
    pub async fn send(&self, call: SessionId, command: Command, within: Duration) -> Result<Reply, SendError> {
        let node = &*self.inner;
        let deadline = Instant::now() + within;
        let mut stirs = node.stirs.subscribe();
        let order = Order { id: OrderId(uuid::Uuid::now_v7()), call, sender: node.node.clone(), command };
        match timeout_at(deadline, node.board.post(&order, within)).await {
            Ok(Ok(Posted::Waiting)) => {}
            Ok(Ok(Posted::NotLive)) => return Err(SendError::NotLive),
            Ok(Ok(Posted::Dead(node))) => return Err(SendError::NodeDead { node, maybe_done: false }),
            Ok(Ok(Posted::Busy)) => return Err(SendError::Busy),
            Ok(Err(error)) => {
                // The board may have it in spite of the error.
                return match timeout(GRACE, node.board.call_off(order.id)).await {
                    Ok(Ok(Fate::Void)) => Err(error.into()),
                    Ok(Ok(Fate::Answered(answer))) => settled(answer),
                    _ => Err(SendError::TimedOut { maybe_done: true }),
                };
            }
            Err(_) => return node.give_up(order.id, SendError::TimedOut { maybe_done: false }).await,
        }
        loop {
            let look_again = sleep(node.terms.beat);
            tokio::select! {
                _ = stirs.changed() => {}
                () = look_again => {}
                () = sleep_until(deadline) => {
                    return node.give_up(order.id, SendError::TimedOut { maybe_done: false }).await;
                }
            }
            let Ok(Ok(fate)) = timeout_at(deadline, node.board.look(order.id)).await else { continue };
            let untaken = match fate {
                Fate::Answered(answer) => return settled(answer),
                Fate::Void => return Err(SendError::TimedOut { maybe_done: false }),
                Fate::Taken { by, alive: false } => return Err(SendError::NodeDead { node: by, maybe_done: true }),
                Fate::Waiting(Some(Holder { lease, alive: false })) => {
                    SendError::NodeDead { node: lease.node, maybe_done: false }
                }
                Fate::Waiting(None) => SendError::CallOver { maybe_done: false },
                Fate::Taken { alive: true, .. } | Fate::Waiting(Some(_)) => continue,
            };
            return node.give_up(order.id, untaken).await;
        }
    }
}

fn settled(answer: Answer) -> Result<Reply, SendError> {
    match answer {
        Answer::Reply(reply) => Ok(reply),
        Answer::Over => Err(SendError::CallOver { maybe_done: false }),
        Answer::Lost => Err(SendError::CallOver { maybe_done: true }),
    }
}

impl Inner {
    pub(super) fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The call is let go in the next round, which finds that nobody wants it.
    pub(super) fn let_go(&self, lease: &Lease) {
        self.seats().rise(lease.call, lease.fence);
        self.wake.notify_one();
    }

    pub(super) async fn release(&self, lease: &Lease) -> Result<bool, StoreError> {
        self.bounded(self.board.release(lease)).await
    }

    /// Nothing that hangs keeps us from saying that we live.
    async fn bounded<T>(&self, answer: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        match timeout(self.terms.lease, answer).await {
            Ok(answer) => answer,
            Err(elapsed) => Err(StoreError::Unavailable(elapsed.into())),
        }
    }

    /// Calls a command off. It comes back with `untaken`, if nobody took it.
    async fn give_up(&self, order: OrderId, untaken: SendError) -> Result<Reply, SendError> {
        match timeout(GRACE, self.board.call_off(order)).await {
            Ok(Ok(Fate::Void)) => Err(untaken),
            Ok(Ok(Fate::Answered(answer))) => settled(answer),
            Ok(Ok(Fate::Taken { by, alive: false })) => Err(SendError::NodeDead { node: by, maybe_done: true }),
            _ => Err(SendError::TimedOut { maybe_done: true }),
        }
    }

    async fn keep(&self, owe: mpsc::Sender<Owed>) {
        let mut reachable = true;
        loop {
            let next = Instant::now() + self.terms.beat;
            let round = self.round(&owe).await;
            if reachable != round.is_ok() {
                reachable = round.is_ok();
                match round {
                    Ok(()) => tracing::info!("the board can be reached again"),
                    Err(error) => warn!(error = &error as &dyn std::error::Error, "the board cannot be reached"),
                }
            }
            tokio::select! {
                () = self.board.stirred(&self.node) => {
                    self.stirs.send_replace(());
                }
                () = self.wake.notified() => {}
                () = sleep_until(next) => {}
            }
        }
    }

    async fn round(&self, owe: &mpsc::Sender<Owed>) -> Result<(), StoreError> {
        if self.drains.load(Ordering::Relaxed) {
            self.bounded(self.board.drain(&self.node, self.terms.lease)).await?;
        }
        let thought = self.seats().held();
        let leases = self.bounded(self.board.beat(&self.node, self.terms.lease)).await?;
        let orphans = self.seats().compare(&thought, leases);
        for lease in &orphans {
            self.release(lease).await?;
        }
        loop {
            let orders = self.bounded(self.board.take_orders(&self.node, BATCH)).await?;
            let more = orders.len() == BATCH;
            for order in orders {
                self.bring(order, owe).await;
            }
            if !more {
                return Ok(());
            }
        }
    }

    async fn bring(&self, order: TakenOrder, owe: &mpsc::Sender<Owed>) {
        let (answer, receiver) = oneshot::channel();
        let until = Instant::now() + order.left;
        // The receiver lives as long as this loop.
        let _ = owe.send(Owed { order: order.id, until, answer: receiver }).await;
        let delivery = Delivery::new(order.command, until, answer);
        self.seats().deliver(order.lease.call, order.lease.fence, delivery);
    }

    /// Waits for an answer and hands it in, as long as somebody waits for it.
    async fn hand_in(&self, owed: Owed) {
        let Ok(answer) = timeout_at(owed.until, owed.answer).await else { return };
        let answer = answer.unwrap_or(Answer::Lost);
        while let Err(error) = self.bounded(self.board.answer(owed.order, &answer)).await {
            if !error.retryable() || Instant::now() >= owed.until {
                warn!(error = &error as &dyn std::error::Error, "an answer could not be handed in");
                return;
            }
            sleep(RETRY).await;
        }
    }
}
