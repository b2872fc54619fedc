//! The driver: the only place that owns both connections and the clock.
//!
//! ```
//! # use realtime_bridge::{bridge::{Bridge, BridgeError}, media::MediaTransport, realtime::RealtimeSession};
//! # async fn serve(line: impl MediaTransport, session: impl RealtimeSession + 'static) -> Result<(), BridgeError> {
//! let bridge = Bridge::new(line, session)?;
//! let mut updates = bridge.handle().watch();
//! let watching = async { while let Some(update) = updates.next().await { println!("{}", update.event.name()) } };
//! let (report, ()) = tokio::join!(bridge.run(), watching);
//! println!("ended: {}", report.reason);
//! # Ok(())
//! # }
//! ```

mod endpoints;
mod handle;
mod report;
mod tasks;

use std::{
    collections::hash_map::RandomState,
    fmt,
    future::poll_fn,
    hash::BuildHasher,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

pub use endpoints::Endpoints;
use futures_util::{Sink, SinkExt, StreamExt};
pub use handle::{CallEnded, CallHandle, Updates};
pub use report::CallReport;
use tokio::{
    sync::{broadcast, mpsc},
    time::{Instant, timeout},
};

use self::{endpoints::Dialler, tasks::ToolTasks};
use crate::{
    alarm::Alarm,
    media::{MediaError, MediaEvent, MediaTransport},
    realtime::{PlaybackOwner, RealtimeSession, SessionError, SessionInfo, TurnOwner},
    relay::{
        Again, BargeIn, CallCommand, CallConfig, CallUpdate, ConversationMemory, EndReason, LinkAction, Relay,
        ToolAction,
    },
    tool::{ToolJournal, ToolSet},
};

/// Commands that may wait. They are few, and the driver takes them at once.
const COMMANDS: usize = 32;

/// Updates a watcher may be behind before it misses some.
const UPDATES: usize = 256;

/// Inputs taken from one side before the others have their turn, so that a flood on one does not starve them.
const FAIR_SHARE: usize = 64;

/// How long a side may take nothing of what it is sent before it counts as dead. What it sends itself says nothing: a peer
/// can be heard and still be deaf.
const WRITE_LIMIT: Duration = Duration::from_secs(10);

/// How long before the provider's limit a session ends with a goodbye, as it may have been opened before the call.
const SESSION_MARGIN: Duration = Duration::from_secs(60);

/// How long the last words to each side may take at the end of a call.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// How long tools may go on after the call, so that what they do is not cut in half.
const TOOLS_LIMIT: Duration = Duration::from_secs(5);

/// Where the timer stands while nothing is due.
const NEVER: Duration = Duration::from_secs(24 * 60 * 60);

/// A caller's voice goes on when the last of it is no older than this. A hole may have let deadlines come and go.
const GOES_ON: Duration = Duration::from_millis(200);

/// The shortest time between two looks at the clock.
const BREATH: Duration = Duration::from_millis(1);

/// Why a call cannot be bridged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BridgeError {
    /// The configuration cannot work; all problems are named.
    #[error("the call configuration cannot work: {}", .problems.join("; "))]
    Config {
        /// One sentence each.
        problems: Vec<String>,
    },
}

/// One call between a line and a voice model.
///
/// [`Bridge::run`] is one future that owns both connections: nothing is spawned for the audio, and dropping it closes
/// both and aborts the tools.
pub struct Bridge<M, S> {
    media: M,
    session: S,
    endpoints: Option<(Endpoints<S>, u64)>,
    config: CallConfig,
    tools: ToolSet,
    journal: Option<Arc<dyn ToolJournal>>,
    memory: ConversationMemory,
    memory_known: bool,
    commands: mpsc::Receiver<CallCommand>,
    handle: CallHandle,
    updates: broadcast::Sender<Arc<CallUpdate>>,
}

impl<M, S> fmt::Debug for Bridge<M, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bridge").field("config", &self.config).field("tools", &self.tools).finish_non_exhaustive()
    }
}

impl<M: MediaTransport, S: RealtimeSession> Bridge<M, S> {
    /// Joins a line and a session, with the default configuration.
    ///
    /// # Errors
    ///
    /// [`BridgeError::Config`] when the two do not fit.
    pub fn new(media: M, session: S) -> Result<Self, BridgeError> {
        Self::with_config(media, session, CallConfig::default())
    }

    /// Joins a line and a session. Without [endpoints](Bridge::with_endpoints) for another session a call may not be
    /// longer than the provider's session limit, less a minute: a longer [`max_duration`](CallConfig::max_duration), or
    /// none, becomes that.
    ///
    /// # Errors
    ///
    /// [`BridgeError::Config`] with everything that cannot work.
    pub fn with_config(media: M, session: S, config: CallConfig) -> Result<Self, BridgeError> {
        let mut problems = config.problems();
        if matches!(config.barge_in, BargeIn::Confirmed { .. }) && session.info().turn_owner != TurnOwner::Bridge {
            problems.push(
                "barge_in is Confirmed, but the provider owns the turns: use TurnDetection::with_owner(TurnOwner::Bridge)"
                    .into(),
            );
        }
        if matches!(config.barge_in, BargeIn::Confirmed { .. })
            && session.capabilities().playback == PlaybackOwner::Provider
        {
            problems.push("barge_in is Confirmed, but the provider has the line, which cannot be held back".into());
        }
        if !problems.is_empty() {
            return Err(BridgeError::Config { problems });
        }
        let (sender, commands) = mpsc::channel(COMMANDS);
        let updates = broadcast::Sender::new(UPDATES);
        let handle = CallHandle::new(sender, updates.downgrade());
        let (tools, journal, memory) = (ToolSet::new(), None, ConversationMemory::default());
        let (endpoints, memory_known) = (None, false);
        Ok(Self { media, session, endpoints, config, tools, journal, memory, memory_known, commands, handle, updates })
    }

    /// Opens another session when one is lost or nears its limit, and keeps the caller meanwhile: see
    /// [`Recovery`](crate::relay::Recovery). Where the provider has the line a lost session still ends the bridge. The
    /// endpoints that gave the call its session know which of them did; of others nobody is blamed for its loss.
    #[must_use]
    pub fn with_endpoints(self, endpoints: Endpoints<S>) -> Self
    where
        S: 'static,
    {
        // Calls that are cut off together must not come back together; nothing else depends on this number.
        let seed = RandomState::new().hash_one(0_u8);
        self.with_seeded_endpoints(endpoints, seed)
    }

    /// [`Bridge::with_endpoints`] with a number of one's own in place of chance, for tests.
    #[must_use]
    pub fn with_seeded_endpoints(mut self, endpoints: Endpoints<S>, seed: u64) -> Self {
        self.endpoints = Some((endpoints, seed));
        self
    }

    /// Gives the model tools. Their [`specs`](ToolSet::specs) have to be in the session's configuration.
    #[must_use]
    pub fn with_tools(mut self, tools: ToolSet) -> Self {
        self.tools = tools;
        self
    }

    /// Writes down what tools are about to do, so that no effect happens twice though the process may die.
    #[must_use]
    pub fn with_journal(mut self, journal: Arc<dyn ToolJournal>) -> Self {
        self.journal = Some(journal);
        self
    }

    /// Goes on with a conversation that another session, or another node, has begun. See [`Relay::with_memory`]. An empty
    /// memory sets the limits of this call's own.
    #[must_use]
    pub fn with_memory(mut self, memory: ConversationMemory) -> Self {
        (self.memory, self.memory_known) = (memory, false);
        self
    }

    /// Goes on with a conversation that the session itself has had, after whoever led it was lost. See
    /// [`Relay::with_known_memory`].
    #[must_use]
    pub fn with_known_memory(mut self, memory: ConversationMemory) -> Self {
        (self.memory, self.memory_known) = (memory, true);
        self
    }

    /// A handle to tell the call things and to watch it. May be taken before the call runs and cloned at will.
    #[must_use]
    pub fn handle(&self) -> CallHandle {
        self.handle.clone()
    }

    /// What was agreed with the session that the call begins with.
    #[must_use]
    pub fn session(&self) -> &SessionInfo {
        self.session.info()
    }

    /// Carries the call to its end.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the call: both connections are closed, tools are aborted.
    pub async fn run(self) -> CallReport
    where
        S: 'static,
    {
        let Self {
            media,
            session,
            endpoints,
            mut config,
            tools,
            journal,
            memory,
            memory_known,
            commands,
            handle,
            updates,
        } = self;
        if let Some(limit) = session.capabilities().session_limit.filter(|_| endpoints.is_none()) {
            let limit = limit.saturating_sub(SESSION_MARGIN).max(limit / 2);
            config.max_duration = Some(config.max_duration.map_or(limit, |asked| asked.min(limit)));
        }
        let (count, seed) = endpoints.as_ref().map_or((0, 0), |(endpoints, seed)| (endpoints.count(), *seed));
        let relay = Relay::new(config, media.format(), session.info(), session.capabilities().clone())
            .with_tools(tools.options())
            .with_recovery(count, seed);
        let relay = if memory_known { relay.with_known_memory(memory) } else { relay.with_memory(memory) };
        let tasks = ToolTasks::new(tools, journal, handle);
        let began = Instant::now();
        // Boxed, as it would be in the future twice: here, and where the call is finished.
        let mut driver = Box::new(Driver {
            media,
            session: Some(session),
            dialler: endpoints.map(|(endpoints, _)| Dialler::new(endpoints)),
            next: None,
            leaving: None,
            relay,
            tasks,
            commands,
            updates,
            timer: Alarm::new(began),
            armed: began,
            media_writes: Writes::default(),
            model_writes: Writes::default(),
            news: true,
            voice: began,
        });
        let reason = poll_fn(|cx| driver.poll(cx)).await;
        driver.finish(reason, began).await
    }
}

struct Driver<M, S> {
    media: M,
    /// `None` while the model is lost.
    session: Option<S>,
    dialler: Option<Dialler<S>>,
    /// A session that is ready to take over.
    next: Option<S>,
    /// A session that was left, and how long it may take to close.
    leaving: Option<(S, Instant)>,
    relay: Relay,
    tasks: ToolTasks,
    commands: mpsc::Receiver<CallCommand>,
    updates: broadcast::Sender<Arc<CallUpdate>>,
    timer: Alarm,
    /// When the timer wakes us. It is only ever moved to be earlier, until it has fired: waking too early is harmless,
    /// and moving it with every frame is not free.
    armed: Instant,
    media_writes: Writes,
    model_writes: Writes,
    /// This wake-up brought something else than the caller's voice as it goes on.
    news: bool,
    /// When the line last brought something.
    voice: Instant,
}

impl<M: MediaTransport, S: RealtimeSession + 'static> Driver<M, S> {
    /// One wake-up: everything that came is taken in, everything to be sent is written, each side is flushed once.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<EndReason> {
        let now = Instant::now();
        self.news = false;
        let more_media = self.take_media(cx, now);
        let more_model = self.take_model(cx, now);
        // Before the results are asked for, as only asking has us woken when a tool is done.
        self.start_tools();
        self.take_results(cx, now);
        // Commands come after what was there before them: "end when all is said" has to know what is being said.
        self.take_commands(cx, now);
        if self.timer.poll(cx).is_ready() {
            self.news = true;
            self.relay.handle_timeout(now.into_std());
            self.armed = now + NEVER;
            self.timer.set(self.armed);
        }
        self.news |= self.is_blocked();
        self.keep_link(cx, now);
        self.write_media(cx, now);
        self.write_model(cx, now);
        self.news |= self.is_blocked();
        self.keep_link(cx, now);
        self.start_tools();
        self.tell_watchers();
        if let Some(reason) = self.relay.poll_end() {
            return Poll::Ready(reason.clone());
        }
        // A voice that goes on brings no deadline nearer, and asking for them all is not free.
        if self.news {
            self.arm(cx, now);
        }
        if more_media || more_model {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// A side has not taken all that was written, so that what it takes next is news, too.
    const fn is_blocked(&self) -> bool {
        self.media_writes.blocked.is_some() || self.model_writes.blocked.is_some()
    }

    fn take_commands(&mut self, cx: &mut Context<'_>, now: Instant) {
        while let Poll::Ready(Some(command)) = self.commands.poll_recv(cx) {
            if let CallCommand::UpdateTools(tools) = &command {
                self.tasks.update(tools.clone());
            }
            self.news = true;
            self.relay.handle_command(now.into_std(), command);
        }
    }

    /// True when there may be more.
    fn take_media(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        for _ in 0..FAIR_SHARE {
            match self.media.poll_next_unpin(cx) {
                Poll::Pending => return false,
                Poll::Ready(Some(Ok(event))) => {
                    let goes_on = matches!(event, MediaEvent::Audio(_)) && now < self.voice + GOES_ON;
                    (self.news, self.voice) = (self.news || !goes_on, now);
                    self.relay.handle_media(now.into_std(), event);
                }
                Poll::Ready(Some(Err(error))) => {
                    self.relay.handle_media_closed(now.into_std(), Some(error));
                    return false;
                }
                Poll::Ready(None) => {
                    self.relay.handle_media_closed(now.into_std(), None);
                    return false;
                }
            }
        }
        true
    }

    /// True when there may be more.
    fn take_model(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        for _ in 0..FAIR_SHARE {
            // A goodbye may still be heard when the model is gone.
            if self.relay.model_is_gone() || self.relay.is_without_model() {
                return false;
            }
            let Some(session) = &mut self.session else { return false };
            match session.poll_next_unpin(cx) {
                Poll::Pending => return false,
                Poll::Ready(Some(Ok(event))) => {
                    self.news = true;
                    self.relay.handle_model(now.into_std(), event);
                }
                Poll::Ready(Some(Err(error))) => {
                    self.news = true;
                    self.relay.handle_model_closed(now.into_std(), Some(error));
                    return false;
                }
                Poll::Ready(None) => {
                    self.news = true;
                    self.relay.handle_model_closed(now.into_std(), None);
                    return false;
                }
            }
        }
        true
    }

    fn take_results(&mut self, cx: &mut Context<'_>, now: Instant) {
        while let Poll::Ready(Some((id, outcome, output))) = self.tasks.poll_next(cx) {
            self.news = true;
            self.relay.handle_tool(now.into_std(), &id, outcome, output);
        }
    }

    /// The line goes first, so that a clear is on its way before the model is told.
    fn write_media(&mut self, cx: &mut Context<'_>, now: Instant) {
        let written = write(&mut self.media, cx, &mut self.media_writes, now, || self.relay.poll_media(now.into_std()));
        let stalled = self.media_writes.is_stalled(now).then_some(MediaError::Stalled { limit: WRITE_LIMIT });
        if let Some(error) = written.err().or(stalled) {
            self.relay.handle_media_closed(now.into_std(), Some(error));
        }
    }

    fn write_model(&mut self, cx: &mut Context<'_>, now: Instant) {
        let Some(session) = self.session.as_mut().filter(|_| !self.relay.model_is_gone()) else {
            self.model_writes = Writes::default();
            return;
        };
        let written = write(session, cx, &mut self.model_writes, now, || self.relay.poll_model(now.into_std()));
        let stalled = self.model_writes.is_stalled(now).then_some(SessionError::Stalled { limit: WRITE_LIMIT });
        if let Some(error) = written.err().or(stalled) {
            self.relay.handle_model_closed(now.into_std(), Some(error));
        }
    }

    /// Leaves, opens and changes sessions as the relay has it.
    fn keep_link(&mut self, cx: &mut Context<'_>, now: Instant) {
        let Some(dialler) = &mut self.dialler else { return };
        loop {
            let mut acted = false;
            while let Some(action) = self.relay.poll_link() {
                acted = true;
                match action {
                    LinkAction::Leave { cause, elsewhere } => {
                        tracing::warn!(cause = cause.name(), "the model session is lost; another is opened");
                        dialler.lost(&cause, elsewhere);
                        self.session = None;
                        self.model_writes = Writes::default();
                    }
                    LinkAction::Proven => dialler.proven(),
                    LinkAction::Open if dialler.is_hopeless() => {
                        self.relay.handle_session_failed(now.into_std(), Again::Never);
                    }
                    LinkAction::Open => dialler.open(now),
                    LinkAction::Switch => {
                        dialler.switched();
                        self.leaving = self.session.take().map(|session| (session, now + CLOSE_LIMIT));
                        self.session = self.next.take();
                        self.model_writes = Writes::default();
                    }
                }
            }
            if let Poll::Ready(opened) = dialler.poll(cx, now) {
                acted = true;
                match opened {
                    Ok(session) => {
                        self.relay.handle_session(now.into_std(), session.info(), session.capabilities());
                        self.next = Some(session);
                    }
                    Err(again) => self.relay.handle_session_failed(now.into_std(), again),
                }
            }
            // What waits to take over has nothing to say, but may be lost as well.
            if !acted
                && let Some(next) = &mut self.next
                && matches!(next.poll_next_unpin(cx), Poll::Ready(None | Some(Err(_))))
            {
                acted = true;
                self.next = None;
                self.relay.handle_session_failed(now.into_std(), dialler.lost_next(now));
            }
            if !acted {
                break;
            }
            self.news = true;
            // A session that takes over is to be heard at once.
            cx.waker().wake_by_ref();
        }
        if let Some((session, limit)) = &mut self.leaving
            && (session.poll_close_unpin(cx).is_ready() || now >= *limit)
        {
            self.leaving = None;
        }
    }

    fn start_tools(&mut self) {
        while let Some(action) = self.relay.poll_tool() {
            match action {
                ToolAction::Start(run) => self.tasks.start(run),
                ToolAction::Abort(id) => self.tasks.abort(&id),
            }
        }
    }

    fn tell_watchers(&mut self) {
        while let Some(update) = self.relay.poll_event() {
            tracing::debug!(sequence = update.sequence, event = update.event.name(), "call event");
            // An error only says that nobody watches.
            let _ = self.updates.send(Arc::new(update));
        }
    }

    fn arm(&mut self, cx: &mut Context<'_>, now: Instant) {
        let relay = self.relay.poll_timeout(now.into_std()).map(Instant::from_std);
        let leaving = self.leaving.as_ref().map(|(_, limit)| *limit);
        let stalls = [self.media_writes.deadline(), self.model_writes.deadline(), leaving];
        let Some(next) = stalls.into_iter().chain([relay]).flatten().min() else { return };
        // A deadline that has passed and was not acted on waits for something else: look again, but do not spin.
        let next = next.max(now + BREATH);
        if next < self.armed {
            self.armed = next;
            self.timer.set(next);
            if self.timer.poll(cx).is_ready() {
                cx.waker().wake_by_ref();
            }
        }
    }

    /// Closes both sides in order, lets running tools come to their end, and sums the call up.
    async fn finish(mut self: Box<Self>, reason: EndReason, began: Instant) -> CallReport {
        let ended = Instant::now();
        // Whoever watches learns that the call is over by the end of the updates.
        drop(self.updates);
        self.commands.close();
        let close = async |session: Option<S>| match session {
            Some(mut session) => session.close().await.is_ok(),
            None => true,
        };
        let session = self.session.as_ref().map(|session| session.info().clone());
        let sessions = (self.session.take(), self.next.take(), self.leaving.take().map(|(session, _)| session));
        let closing =
            async { tokio::join!(self.media.close(), close(sessions.0), close(sessions.1), close(sessions.2)) };
        match timeout(CLOSE_LIMIT, closing).await {
            Ok((media, session, ..)) => {
                // The call is over and its reason known: that a side was already gone is no news.
                tracing::trace!(media = media.is_ok(), session, "closed");
            }
            Err(_) => tracing::debug!("a side did not close in time"),
        }
        drop(self.media);
        while let Ok(Some((id, outcome, output))) =
            timeout(TOOLS_LIMIT.saturating_sub(ended.elapsed()), self.tasks.next()).await
        {
            self.relay.handle_tool(Instant::now().into_std(), &id, outcome, output);
        }
        let started = self.relay.started().map_or(began, Instant::from_std);
        let report = CallReport {
            duration: ended.saturating_duration_since(started),
            transcript: self.relay.transcript(),
            transcript_dropped: self.relay.forgotten().0,
            tools: self.relay.tool_runs(),
            tools_dropped: self.relay.forgotten().1,
            session,
            memory: self.relay.memory().clone(),
            usage: self.relay.usage(),
            stats: self.relay.stats(),
            reason,
        };
        tracing::info!(reason = report.reason.name(), seconds = report.duration.as_secs(), "call ended");
        report
    }
}

/// What is on its way to one side.
#[derive(Debug, Default)]
struct Writes {
    /// Something was written that is not yet flushed.
    unflushed: bool,
    /// The side takes nothing since then.
    blocked: Option<Instant>,
}

impl Writes {
    fn deadline(&self) -> Option<Instant> {
        self.blocked.map(|since| since + WRITE_LIMIT)
    }

    fn is_stalled(&self, now: Instant) -> bool {
        self.deadline().is_some_and(|deadline| now >= deadline)
    }
}

/// Writes what there is while the sink takes it, then flushes once.
fn write<T, E, S: Sink<T, Error = E> + Unpin>(
    sink: &mut S,
    cx: &mut Context<'_>,
    writes: &mut Writes,
    now: Instant,
    mut next: impl FnMut() -> Option<T>,
) -> Result<(), E> {
    let (mut blocked, mut progress) = (false, false);
    loop {
        match sink.poll_ready_unpin(cx) {
            Poll::Ready(ready) => ready?,
            Poll::Pending => {
                blocked = true;
                break;
            }
        }
        let Some(item) = next() else { break };
        sink.start_send_unpin(item)?;
        (writes.unflushed, progress) = (true, true);
    }
    if writes.unflushed {
        match sink.poll_flush_unpin(cx) {
            Poll::Ready(flushed) => {
                flushed?;
                (writes.unflushed, blocked) = (false, false);
            }
            Poll::Pending => blocked = true,
        }
    }
    // A side that is slow takes something now and then.
    writes.blocked = blocked.then(|| writes.blocked.filter(|_| !progress).unwrap_or(now));
    Ok(())
}
