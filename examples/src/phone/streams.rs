//! The media streams of this server: which are expected, running or over.
//!
//! What becomes of a call is decided by what is kept of it. This is what only the server with the socket knows.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use call_session::{
    call::{DRAINED, HANDED_OVER, SessionEvent},
    id::{SessionId, StreamId},
};
use realtime_bridge::{bridge::CallHandle, realtime::openai::OpenAiSession};
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::model::PreparedSession;

/// How long after a stream Twilio may ask what comes next. It has 15 s for a webhook, retries included.
const QUESTION_LIMIT: Duration = Duration::from_secs(15);

/// The same for a stream that was left to other servers, which are asked as a rule.
const HANDED_ON: Duration = Duration::from_secs(2);

/// How long we may take to notice the end of a stream that Twilio knows of. Both learn it from the same socket.
const NOTICE: Duration = Duration::from_millis(250);

/// How long a stream that is over for Twilio may take to end here once it is told to.
const STOP_LIMIT: Duration = Duration::from_secs(2);

/// How long the agent may take to say what it is saying before a stream is left to another server.
const LAST_SENTENCE: Duration = Duration::from_secs(10);

/// How long the store may take to keep how a stream ended before it is answered from what is known here.
pub(super) const KEEP_LIMIT: Duration = Duration::from_secs(2);

/// The cause of a stream whose end only Twilio noticed.
pub(super) const LOST: &str = "lost";

/// The streams of a server.
#[derive(Debug)]
pub(super) struct Streams {
    /// How long a stream may take to come.
    wait: Duration,
    streams: Mutex<HashMap<StreamId, Arc<LocalStream>>>,
    /// How many streams are open: expected, running, or over with their question not yet asked.
    open: watch::Sender<usize>,
    /// Running streams have to be left.
    leave: CancellationToken,
}

/// A stream as the server with the socket knows it.
#[derive(Debug)]
pub(super) struct LocalStream {
    pub(super) id: StreamId,
    pub(super) call: SessionId,
    phase: watch::Sender<Phase>,
    inner: Mutex<Inner>,
    leave: CancellationToken,
    /// All streams have to be left, and there is no time for anything.
    at_once: CancellationToken,
    /// Twilio says that it is over.
    gone: CancellationToken,
    /// A person has the caller next.
    handed_over: CancellationToken,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Expected,
    Running,
    /// The bridge is over; not all that it left is kept.
    Ending,
    Over,
}

#[derive(Debug)]
struct Inner {
    session: Option<PreparedSession<OpenAiSession>>,
    handle: Option<CallHandle>,
    /// How it ended, which may be known here before it is kept.
    ending: Option<SessionEvent>,
    /// Twilio was told what comes next, or will not ask.
    answered: bool,
    forget_at: Instant,
}

impl Streams {
    pub(super) fn new(wait: Duration, leave: CancellationToken) -> Self {
        Self { wait, streams: Mutex::default(), open: watch::Sender::new(0), leave }
    }

    /// The line was told to open a stream, for which this session waits.
    pub(super) fn expect(
        &self,
        id: StreamId,
        call: SessionId,
        session: PreparedSession<OpenAiSession>,
    ) -> Arc<LocalStream> {
        let forget_at = Instant::now() + self.wait + QUESTION_LIMIT;
        let stream = Arc::new(LocalStream {
            id,
            call,
            phase: watch::Sender::new(Phase::Expected),
            inner: Mutex::new(Inner { session: Some(session), handle: None, ending: None, answered: false, forget_at }),
            leave: self.leave.child_token(),
            at_once: self.leave.clone(),
            gone: CancellationToken::new(),
            handed_over: CancellationToken::new(),
        });
        let mut streams = self.streams();
        streams.insert(id, Arc::clone(&stream));
        self.sweep(&mut streams);
        stream
    }

    /// The stream of this name, unless it is another server's or long over.
    pub(super) fn find(&self, id: StreamId) -> Option<Arc<LocalStream>> {
        self.streams().get(&id).cloned()
    }

    /// The handle of a call whose audio runs here.
    pub(super) fn handle(&self, call: SessionId) -> Option<CallHandle> {
        let streams = self.streams();
        let running = streams.values().filter(|stream| stream.call == call && stream.runs_now());
        running.filter_map(|stream| stream.inner().handle.clone()).next()
    }

    /// Leaves the stream of a call to a person. False if none runs here.
    pub(super) fn hand_over(&self, call: SessionId) -> bool {
        let streams = self.streams();
        let running = streams.values().find(|stream| stream.call == call && stream.runs_now());
        running.inspect(|stream| stream.handed_over.cancel()).is_some()
    }

    /// A stream is over, and everything about it is kept. `asks` unless there is no caller any more.
    pub(super) fn ended(&self, stream: &LocalStream, asks: bool) {
        stream.phase.send_replace(Phase::Over);
        let handed_on = stream.leave.is_cancelled() && !self.leave.is_cancelled();
        {
            let mut inner = stream.inner();
            inner.session = None;
            inner.handle = None;
            inner.answered |= !asks;
            inner.forget_at = Instant::now() + if handed_on { HANDED_ON } else { QUESTION_LIMIT };
        }
        self.sweep(&mut self.streams());
        // Whoever waits for all of them does not know yet until when.
        self.open.send_modify(|_| {});
    }

    /// Twilio was told what comes next.
    pub(super) fn answered(&self, stream: &LocalStream) {
        stream.inner().answered = true;
        self.sweep(&mut self.streams());
    }

    /// Leaves the streams that run now, with a pause after each: those who take them on open a session for each.
    ///
    /// Streams that begin meanwhile stay, so that no caller is sent round in circles while this server is still asked.
    pub(super) async fn leave_one_by_one(&self, pause: Duration) {
        let running: Vec<_> = {
            let mut streams = self.streams();
            // Those that have not come go to others, too; one that does come here finds another session.
            streams.retain(|_, stream| !stream.is_expected());
            self.sweep(&mut streams);
            streams.values().filter(|stream| stream.runs_now()).cloned().collect()
        };
        for stream in running {
            if stream.runs_now() {
                stream.leave.cancel();
                sleep(pause).await;
            }
        }
    }

    /// Waits until no stream is open.
    pub(super) async fn finished(&self) {
        let mut open = self.open.subscribe();
        loop {
            let next = self.sweep(&mut self.streams());
            if *open.borrow_and_update() == 0 {
                return;
            }
            // Streams that never come are forgotten by time alone.
            tokio::select! {
                _ = open.changed() => {}
                () = sleep_until(next) => {}
            }
        }
    }

    /// Forgets what is over. Gives the time when there is more to forget.
    fn sweep(&self, streams: &mut HashMap<StreamId, Arc<LocalStream>>) -> Instant {
        let now = Instant::now();
        streams.retain(|_, stream| stream.deadline().is_none_or(|at| now < at));
        let open = streams.values().filter(|stream| !stream.inner().answered).count();
        self.open.send_if_modified(|count| std::mem::replace(count, open) != open);
        streams.values().filter_map(|stream| stream.deadline()).min().unwrap_or(now + QUESTION_LIMIT)
    }

    fn streams(&self) -> MutexGuard<'_, HashMap<StreamId, Arc<LocalStream>>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LocalStream {
    /// The stream is up. Gives the session that waits for it; `None` if it was up before.
    pub(super) fn begin(&self) -> Option<PreparedSession<OpenAiSession>> {
        let session = self.inner().session.take()?;
        self.phase.send_replace(Phase::Running);
        Some(session)
    }

    /// The bridge runs.
    pub(super) fn runs(&self, handle: CallHandle) {
        self.inner().handle = Some(handle);
    }

    /// It is over, in this way.
    pub(super) fn ends(&self, ending: SessionEvent) {
        let mut inner = self.inner();
        (inner.ending, inner.handle) = (Some(ending), None);
        drop(inner);
        self.phase.send_replace(Phase::Ending);
    }

    /// How it ended, if it was up and is over.
    pub(super) fn ending(&self) -> Option<SessionEvent> {
        self.inner().ending.clone()
    }

    /// Whether it was never up.
    pub(super) fn is_expected(&self) -> bool {
        *self.phase.borrow() == Phase::Expected
    }

    /// Whether the bridge may be running.
    fn runs_now(&self) -> bool {
        *self.phase.borrow() == Phase::Running
    }

    /// Resolves with the cause when this server has to leave the stream. One that another server can have is left when the
    /// agent is not `speaking`, within bounds: no other could say the rest of a sentence as it was begun.
    pub(super) async fn left(&self, speaking: &watch::Sender<bool>) -> &'static str {
        let mut speaking = speaking.subscribe();
        let between_sentences = async {
            self.leave.cancelled().await;
            let _ = timeout(LAST_SENTENCE, speaking.wait_for(|speaking| !speaking)).await;
        };
        tokio::select! {
            // All may be so at once: what has become of the caller comes first.
            biased;
            () = self.gone.cancelled() => LOST,
            () = self.handed_over.cancelled() => HANDED_OVER,
            () = self.at_once.cancelled() => DRAINED,
            () = between_sentences => DRAINED,
        }
    }

    /// Waits until it is over here, too: it is over for Twilio. How it ended is known then, and as a rule kept.
    pub(super) async fn over(&self) {
        let mut phase = self.phase.subscribe();
        // The sender is ours: it does not go away.
        if timeout(NOTICE, phase.wait_for(|phase| *phase != Phase::Running)).await.is_err() {
            self.gone.cancel();
            let _ = timeout(STOP_LIMIT, phase.wait_for(|phase| *phase != Phase::Running)).await;
        }
        let _ = timeout(KEEP_LIMIT, phase.wait_for(|phase| *phase != Phase::Ending)).await;
    }

    /// When the stream may be forgotten; `None` while it runs, or is not kept.
    fn deadline(&self) -> Option<Instant> {
        let busy = matches!(*self.phase.borrow(), Phase::Running | Phase::Ending);
        (!busy).then(|| self.inner().forget_at)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
