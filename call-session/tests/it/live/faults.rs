//! Servers that come, go, stall and die at random, on a board that loses answers and notifications: whatever happens, a
//! call has one holder, no command is carried out twice, and every sender is told in time.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use call_session::{
    id::{NodeId, SessionId},
    live::{
        Answer, Board, Command, Fate, Fence, Held, Holder, Lease, Live, Order, OrderId, Posted, Reply, SendError, Take,
        TakenOrder, Taking, Terms, memory::MemoryBoard,
    },
    store::StoreError,
};
use proptest::prelude::*;
use tokio::{
    task::{AbortHandle, JoinSet},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::S;

const MS: Duration = Duration::from_millis(1);
const LEASE: Duration = Duration::from_secs(3);
/// What a send may take beyond its time, and a moment.
const GRACE: Duration = Duration::from_millis(251);
const SERVERS: usize = 3;
const CALLS: usize = 2;

/// A board between which and its servers things get lost and late. What was asked for happens, late perhaps, even when
/// whoever asked has gone.
#[derive(Debug)]
struct Faulty {
    board: Arc<MemoryBoard>,
    chance: AtomicU64,
    faults: AtomicBool,
    late: Mutex<JoinSet<()>>,
    fences: Mutex<HashMap<SessionId, Fence>>,
}

impl Faulty {
    fn new(seed: u64) -> Self {
        Self {
            board: Arc::default(),
            chance: AtomicU64::new(seed | 1),
            faults: AtomicBool::new(true),
            late: Mutex::default(),
            fences: Mutex::default(),
        }
    }

    /// A number below this one.
    fn roll(&self, below: u64) -> u64 {
        let next = |seed: u64| {
            let seed = seed ^ (seed << 13);
            let seed = seed ^ (seed >> 7);
            seed ^ (seed << 17)
        };
        let seed = self.chance.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |seed| Some(next(seed))).unwrap();
        (next(seed) >> 11) % below
    }

    fn delay(&self) -> Duration {
        match self.roll(8) {
            _ if !self.faults.load(Ordering::Relaxed) => Duration::ZERO,
            0 => Duration::from_millis(self.roll(4_000)),
            1 | 2 => Duration::from_millis(self.roll(300)),
            _ => Duration::ZERO,
        }
    }

    async fn ask<T, F, R>(&self, question: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(Arc<MemoryBoard>) -> R + Send + 'static,
        R: Future<Output = Result<T, StoreError>> + Send,
    {
        let failed = || StoreError::Unavailable("nobody there".into());
        if self.faults.load(Ordering::Relaxed) && self.roll(10) == 0 {
            return Err(failed());
        }
        let (there, back) = (self.delay(), self.delay());
        let (answer, answered) = tokio::sync::oneshot::channel();
        let board = Arc::clone(&self.board);
        self.late.lock().unwrap().spawn(async move {
            sleep(there).await;
            let _ = answer.send(question(board).await);
        });
        let answer = answered.await.map_err(|_| failed())?;
        sleep(back).await;
        if self.faults.load(Ordering::Relaxed) && self.roll(10) == 0 { Err(failed()) } else { answer }
    }
}

#[async_trait]
impl Board for Faulty {
    async fn beat(&self, node: &NodeId, lease: Duration) -> Result<Vec<Lease>, StoreError> {
        let node = node.clone();
        self.ask(move |board| async move { board.beat(&node, lease).await }).await
    }

    async fn drain(&self, node: &NodeId, lease: Duration) -> Result<(), StoreError> {
        let node = node.clone();
        self.ask(move |board| async move { board.drain(&node, lease).await }).await
    }

    async fn others(&self, node: &NodeId) -> Result<u64, StoreError> {
        let node = node.clone();
        self.ask(move |board| async move { board.others(&node).await }).await
    }

    async fn leave(&self, node: &NodeId) -> Result<(), StoreError> {
        let node = node.clone();
        self.ask(move |board| async move { board.leave(&node).await }).await
    }

    async fn nodes(&self) -> Result<Vec<(NodeId, bool)>, StoreError> {
        self.ask(move |board| async move { board.nodes().await }).await
    }

    async fn take_call(
        &self,
        node: &NodeId,
        call: SessionId,
        take: Take,
        lease: Duration,
    ) -> Result<Taking, StoreError> {
        let node = node.clone();
        let taking = self.ask(move |board| async move {
            // The board in memory does each of these at once, so that nothing comes between.
            let before = board.holder(call).await?;
            let taking = board.take_call(&node, call, take, lease).await?;
            if let (Taking::Taken(fence), Some(before)) = (&taking, before) {
                assert!(*fence > before.lease.fence, "fences grow");
                let free = !before.alive || before.lease.node == node;
                assert!(free || take == Take::Anyway, "a call that a living server has is not free");
            }
            Ok(taking)
        });
        let taking = taking.await?;
        if let Taking::Taken(fence) = taking {
            let mut fences = self.fences.lock().unwrap();
            let greatest = fences.entry(call).or_insert(fence);
            *greatest = fence.max(*greatest);
        }
        Ok(taking)
    }

    async fn release(&self, lease: &Lease) -> Result<bool, StoreError> {
        let lease = lease.clone();
        self.ask(move |board| async move { board.release(&lease).await }).await
    }

    async fn holder(&self, call: SessionId) -> Result<Option<Holder>, StoreError> {
        self.ask(move |board| async move { board.holder(call).await }).await
    }

    async fn post(&self, order: &Order, within: Duration) -> Result<Posted, StoreError> {
        let order = order.clone();
        self.ask(move |board| async move { board.post(&order, within).await }).await
    }

    async fn take_orders(&self, node: &NodeId, limit: usize) -> Result<Vec<TakenOrder>, StoreError> {
        let node = node.clone();
        self.ask(move |board| async move {
            let taken = board.take_orders(&node, limit).await?;
            for order in &taken {
                let holder = board.holder(order.lease.call).await?.map(|holder| holder.lease);
                assert_eq!(holder.as_ref(), Some(&order.lease), "only the holder takes commands");
            }
            Ok(taken)
        })
        .await
    }

    async fn answer(&self, order: OrderId, answer: &Answer) -> Result<(), StoreError> {
        let answer = answer.clone();
        self.ask(move |board| async move { board.answer(order, &answer).await }).await
    }

    async fn look(&self, order: OrderId) -> Result<Fate, StoreError> {
        self.ask(move |board| async move { board.look(order).await }).await
    }

    async fn call_off(&self, order: OrderId) -> Result<Fate, StoreError> {
        self.ask(move |board| async move { board.call_off(order).await }).await
    }

    async fn stirred(&self, node: &NodeId) {
        loop {
            self.board.stirred(node).await;
            if self.roll(3) > 0 {
                return;
            }
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Wait(u64),
    Take { server: usize, call: usize, anyway: bool },
    LetGo { server: usize, call: usize },
    Send { server: usize, call: usize, within: u64 },
    Stall(usize),
    GoOn(usize),
    Die(usize),
    Stop(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let (server, call) = (0..SERVERS, 0..CALLS);
    let place = (server.clone(), call);
    prop_oneof![
        6 => prop_oneof![0..200_u64, 0..4_000_u64].prop_map(Step::Wait),
        4 => (place.clone(), any::<bool>()).prop_map(|((server, call), anyway)| Step::Take { server, call, anyway }),
        1 => place.clone().prop_map(|(server, call)| Step::LetGo { server, call }),
        6 => (place, 50..5_000_u64).prop_map(|((server, call), within)| Step::Send { server, call, within }),
        1 => server.clone().prop_map(Step::Stall),
        2 => server.clone().prop_map(Step::GoOn),
        1 => server.clone().prop_map(Step::Die),
        1 => server.prop_map(Step::Stop),
    ]
}

/// What happened to commands.
#[derive(Debug, Default)]
struct Log {
    /// How often each was carried out.
    done: HashMap<String, u32>,
    told: HashMap<String, Result<Reply, SendError>>,
    /// Whom each call is with, as those who carry out commands see it.
    held: HashMap<(NodeId, SessionId, Fence), ()>,
}

type Shared = Arc<Mutex<Log>>;

/// Says who has a call as long as it lives.
struct Holding(Shared, (NodeId, SessionId, Fence));

impl Holding {
    fn new(log: &Shared, held: &Held) -> Self {
        let lease = held.lease();
        let key = (lease.node.clone(), lease.call, lease.fence);
        log.lock().unwrap().held.insert(key.clone(), ());
        Self(Arc::clone(log), key)
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.0.lock().unwrap().held.remove(&self.1);
    }
}

/// Carries out commands until the call is lost, with more or less zeal.
async fn carry_out(mut held: Held, log: Shared, board: Arc<Faulty>) {
    let _holding = Holding::new(&log, &held);
    while let Some(delivery) = held.next().await {
        let Command::Say { line } = delivery.command() else { panic!("only words are sent") };
        match board.roll(6) {
            // Not carried out.
            0 => delivery.call_over(),
            1 => delivery.reply(Reply::refused("no")),
            slow => {
                *log.lock().unwrap().done.entry(line.clone()).or_default() += 1;
                sleep(if slow == 2 { 700 * MS } else { Duration::ZERO }).await;
                delivery.reply(Reply::Ok);
            }
        }
    }
}

/// A process.
struct Process {
    live: Live,
    stop: CancellationToken,
    run: AbortHandle,
    work: JoinSet<()>,
    holders: HashMap<usize, Vec<AbortHandle>>,
}

impl Process {
    fn start(board: &Arc<Faulty>, runs: &mut JoinSet<()>) -> Self {
        let terms = Terms::default().with_lease(LEASE).with_beat(300 * MS);
        let live = Live::with_terms(Arc::clone(board) as Arc<dyn Board>, NodeId::unique(), terms);
        let stop = CancellationToken::new();
        let run = Self::run(&live, &stop, runs);
        Self { live, stop, run, work: JoinSet::new(), holders: HashMap::new() }
    }

    fn run(live: &Live, stop: &CancellationToken, runs: &mut JoinSet<()>) -> AbortHandle {
        let (live, stop) = (live.clone(), stop.clone());
        runs.spawn(async move { live.run(stop).await })
    }
}

async fn play(steps: Vec<Step>, seed: u64) {
    let board = Arc::new(Faulty::new(seed));
    let log = Shared::default();
    let calls = [(); CALLS].map(|()| SessionId::new());
    let (mut runs, mut sends) = (JoinSet::new(), JoinSet::new());
    let mut servers: Vec<_> = (0..SERVERS).map(|_| Process::start(&board, &mut runs)).collect();
    for (number, step) in steps.into_iter().enumerate() {
        match step {
            Step::Wait(ms) => sleep(Duration::from_millis(ms)).await,
            Step::Take { server, call, anyway } => {
                let process = &mut servers[server];
                let (live, name, log, board) = (process.live.clone(), calls[call], log.clone(), board.clone());
                let holder = process.work.spawn(async move {
                    let held = if anyway { live.seize(name).await } else { live.acquire(name).await };
                    if let Ok(held) = held {
                        carry_out(held, log, board).await;
                    }
                });
                process.holders.entry(call).or_default().push(holder);
            }
            Step::LetGo { server, call } => {
                let holders = servers[server].holders.remove(&call).unwrap_or_default();
                holders.iter().for_each(AbortHandle::abort);
            }
            Step::Send { server, call, within } => {
                let (live, call, log) = (servers[server].live.clone(), calls[call], log.clone());
                let within = Duration::from_millis(within);
                sends.spawn(async move {
                    let (began, line) = (Instant::now(), number.to_string());
                    let told = live.send(call, Command::Say { line: line.clone() }, within).await;
                    assert!(
                        began.elapsed() <= within + GRACE,
                        "in time: {:?} of {within:?}, {told:?}",
                        began.elapsed()
                    );
                    log.lock().unwrap().told.insert(line, told);
                });
            }
            Step::Stall(server) => servers[server].run.abort(),
            Step::GoOn(server) => {
                let process = &mut servers[server];
                process.run.abort();
                process.run = Process::run(&process.live, &process.stop, &mut runs);
            }
            Step::Die(server) => {
                servers[server].run.abort();
                servers[server] = Process::start(&board, &mut runs);
            }
            Step::Stop(server) => {
                servers[server].stop.cancel();
                servers[server] = Process::start(&board, &mut runs);
            }
        }
    }
    settle(&board, &log, &calls, servers, runs, sends).await;
}

/// All goes well again. What is left then has to be true.
async fn settle(
    board: &Arc<Faulty>,
    log: &Shared,
    calls: &[SessionId],
    mut servers: Vec<Process>,
    mut runs: JoinSet<()>,
    sends: JoinSet<()>,
) {
    sends.join_all().await;
    board.faults.store(false, Ordering::Relaxed);
    for process in &mut servers {
        process.run.abort();
        process.run = Process::run(&process.live, &process.stop, &mut runs);
    }
    sleep(30 * S).await;
    let mut late = std::mem::take(&mut *board.late.lock().unwrap());
    while let Some(asked) = late.join_next().await {
        asked.unwrap();
    }
    for call in calls {
        // The dead keep their leases until somebody comes.
        let holder = board.board.holder(*call).await.unwrap().filter(|holder| holder.alive);
        let holder = holder.map(|holder| (holder.lease.node, holder.lease.call, holder.lease.fence));
        let log = log.lock().unwrap();
        let held: Vec<_> = log.held.keys().filter(|(_, held, _)| held == call).cloned().collect();
        assert_eq!(held, Vec::from_iter(holder), "those who think that they hold a call do, and only they");
    }
    let log = log.lock().unwrap();
    for (line, times) in &log.done {
        assert_eq!(*times, 1, "command {line} was carried out more than once");
    }
    for (line, told) in &log.told {
        let done = log.done.contains_key(line);
        match told {
            Ok(Reply::Ok) => assert!(done, "command {line} was carried out"),
            Ok(refused) => assert!(!done, "command {line} was not: {refused:?}"),
            Err(error) => assert!(!done || error.maybe_done(), "command {line} was carried out: {error:?}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn nothing_happens_twice_and_everybody_is_told(steps in prop::collection::vec(step(), 1..80), seed: u64) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(play(steps, seed));
    }
}
