//! The media streams of this server: which are expected, running or over.
//!
//! What becomes of a call is decided by what is kept of it. This is what only the server with the socket knows.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use call_session::{
    call::HANDED_OVER,
    id::{SessionId, StreamId},
};
use realtime_bridge::{bridge::CallHandle, realtime::openai::OpenAiSession};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::model::PreparedSession;

/// How long after a stream Twilio may ask what comes next. It has 15 s for a webhook, retries included.
const QUESTION_LIMIT: Duration = Duration::from_secs(15);

/// How long we may take to notice the end of a stream that Twilio knows of. Both learn it from the same socket.
const NOTICE: Duration = Duration::from_millis(250);

/// How long a stream that is over for Twilio may take to end here once it is told to.
const STOP_LIMIT: Duration = Duration::from_secs(2);

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
    /// Twilio says that it is over.
    gone: CancellationToken,
    /// A person has the caller next.
    handed_over: CancellationToken,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Expected,
    Running,
    Over,
}

#[derive(Debug)]
struct Inner {
    session: Option<PreparedSession<OpenAiSession>>,
    handle: Option<CallHandle>,
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
            inner: Mutex::new(Inner { session: Some(session), handle: None, answered: false, forget_at }),
            leave: self.leave.child_token(),
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
        let running = streams.values().filter(|stream| stream.call == call && *stream.phase.borrow() == Phase::Running);
        running.filter_map(|stream| stream.inner().handle.clone()).next()
    }

    /// Leaves the stream of a call to a person. False if none runs here.
    pub(super) fn hand_over(&self, call: SessionId) -> bool {
        let streams = self.streams();
        let running = streams.values().find(|stream| stream.call == call && *stream.phase.borrow() == Phase::Running);
        running.inspect(|stream| stream.handed_over.cancel()).is_some()
    }

    /// A stream is over, and everything about it is kept. `asks` unless there is no caller any more.
    pub(super) fn ended(&self, stream: &LocalStream, asks: bool) {
        stream.phase.send_replace(Phase::Over);
        {
            let mut inner = stream.inner();
            inner.session = None;
            inner.handle = None;
            inner.answered |= !asks;
            inner.forget_at = Instant::now() + QUESTION_LIMIT;
        }
        self.sweep(&mut self.streams());
    }

    /// Twilio was told what comes next.
    pub(super) fn answered(&self, stream: &LocalStream) {
        stream.inner().answered = true;
        self.sweep(&mut self.streams());
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

    /// Whether it was never up.
    pub(super) fn is_expected(&self) -> bool {
        *self.phase.borrow() == Phase::Expected
    }

    /// Resolves with the cause when this server has to leave the stream.
    pub(super) async fn left(&self) -> &'static str {
        tokio::select! {
            () = self.gone.cancelled() => "lost",
            () = self.handed_over.cancelled() => HANDED_OVER,
            () = self.leave.cancelled() => "drained",
        }
    }

    /// Waits until it is over here, too: it is over for Twilio.
    pub(super) async fn over(&self) {
        let over = async {
            let mut phase = self.phase.subscribe();
            // The sender is ours: it does not go away.
            let _ = phase.wait_for(|phase| *phase != Phase::Running).await;
        };
        let mut over = std::pin::pin!(over);
        if timeout(NOTICE, &mut over).await.is_err() {
            self.gone.cancel();
            let _ = timeout(STOP_LIMIT, over).await;
        }
    }

    /// When the stream may be forgotten; `None` while it runs.
    fn deadline(&self) -> Option<Instant> {
        let running = *self.phase.borrow() == Phase::Running;
        (!running).then(|| self.inner().forget_at)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
