//! Writing down what happens to a live call, beside the call.
//!
//! A store may be slow, or away for a while; the audio must not notice. A [`Recorder`] takes what is proposed to its call
//! in order, and its [`Writing`] keeps it: several at once, again and again while the store cannot be reached.
//!
//! ```
//! use std::sync::Arc;
//!
//! use call_session::{
//!     call::{NewCall, SessionEvent, Status},
//!     id::SessionId,
//!     recorder::{Recorder, RecorderConfig},
//!     store::{SessionStore, memory::MemoryStore},
//! };
//! use jiff::Timestamp;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store: Arc<dyn SessionStore> = Arc::new(MemoryStore::new());
//! let (id, now) = (SessionId::new(), Timestamp::now());
//! store.create(id, now, NewCall::inbound("+819012345678", "+81312345678"), vec![]).await?;
//!
//! let (recorder, writing) = Recorder::new(Arc::clone(&store), id, RecorderConfig::default());
//! let call = async move {
//!     recorder.propose(SessionEvent::Answered.at(now)).await?;
//!     recorder.kept().await
//! };
//! let (kept, written) = tokio::join!(call, writing.run());
//! kept?;
//! written?;
//! assert_eq!(store.summary(id).await?.unwrap().status, Status::AiResponding);
//! # Ok(())
//! # }
//! ```

mod journal;
mod writing;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

pub use self::writing::{Unwritten, Writing};
use crate::{
    call::{Line, Refused, SessionEvent, Stamped},
    handoff::{Clock, SystemClock},
    id::SessionId,
    store::{CommitError, SessionStore},
};

/// How a recorder writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecorderConfig {
    /// How many events may wait for the store before whoever proposes more has to wait, too. Default: 1024, ten minutes of a
    /// busy conversation and less than a megabyte.
    pub waiting: usize,
    /// How many lines of the conversation may wait for the store; a line counts once for each event that came between its
    /// versions. Of more the newest are dropped, which is logged once for a call: what was said is never waited for.
    /// Default: 4096, some hours of talk.
    pub lines: usize,
    /// How long lines are gathered before they are written. Default: 500 ms.
    pub gather: Duration,
    /// How long a store may be away after the end of the call before what waits is given up. Default: 10 minutes.
    pub patience: Duration,
}

impl Default for RecorderConfig {
    fn default() -> Self {
        Self { waiting: 1024, lines: 4096, gather: Duration::from_millis(500), patience: Duration::from_secs(600) }
    }
}

impl RecorderConfig {
    /// Sets how many events may wait, at least one.
    #[must_use]
    pub fn with_waiting(mut self, events: usize) -> Self {
        self.waiting = events.max(1);
        self
    }

    /// Sets how many lines may wait, at least one.
    #[must_use]
    pub fn with_lines(mut self, lines: usize) -> Self {
        self.lines = lines.max(1);
        self
    }

    /// Sets how long lines are gathered.
    #[must_use]
    pub const fn with_gather(mut self, time: Duration) -> Self {
        self.gather = time;
        self
    }

    /// Sets how long a store may be away after the end of the call.
    #[must_use]
    pub const fn with_patience(mut self, time: Duration) -> Self {
        self.patience = time;
        self
    }
}

/// Why something was not written down.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The call does not allow it.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The store does not take it, and will not.
    #[error("the store does not take it")]
    Unstorable(#[source] Arc<CommitError>),
    /// Nobody writes any more: the writing has ended, or was dropped.
    #[error("nobody writes for this call any more")]
    Closed,
}

/// Takes what happens to one call, in order. Clones write for the same call.
///
/// The writing ends when all clones are gone and everything is kept.
#[derive(Debug, Clone)]
pub struct Recorder {
    shared: Arc<Shared>,
    /// All clones are gone when this is.
    _open: Arc<Open>,
}

#[derive(Debug)]
struct Shared {
    call: SessionId,
    store: Arc<dyn SessionStore>,
    clock: Arc<dyn Clock>,
    /// When the recorder was made: its server has the call since then.
    born: Instant,
    config: RecorderConfig,
    waiting: Mutex<Waiting>,
    room: Arc<Semaphore>,
    news: Notify,
    /// How many entries are settled, kept or refused.
    settled: watch::Sender<u64>,
    /// Nobody writes any more.
    ended: CancellationToken,
}

#[derive(Debug, Default)]
struct Waiting {
    entries: VecDeque<Entry>,
    /// Lines that may still change, and when the first of them came.
    lines: Vec<Line>,
    lines_since: Option<Instant>,
    /// How many lines wait, those that may still change among them.
    lines_waiting: usize,
    /// How many lines found no room.
    lines_dropped: u64,
    /// How many entries were ever taken.
    taken: u64,
    /// Nobody proposes any more.
    closed: bool,
    /// Nobody writes any more.
    abandoned: bool,
}

#[derive(Debug)]
struct Entry {
    stamped: Stamped,
    answer: Option<oneshot::Sender<Result<bool, RecordError>>>,
    room: Option<OwnedSemaphorePermit>,
}

impl Entry {
    /// How many lines it has that were [said](Recorder::say) and not proposed.
    fn lines(&self) -> usize {
        match &self.stamped.event {
            SessionEvent::Said { lines } if self.room.is_none() => lines.len(),
            _ => 0,
        }
    }
}

/// Tells the writing that nobody proposes any more.
#[derive(Debug)]
struct Open(Arc<Shared>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.waiting().closed = true;
        self.0.news.notify_one();
    }
}

impl Recorder {
    /// A recorder and its writing, which somebody has to run. Make it when this server gets the call.
    #[must_use]
    pub fn new(store: Arc<dyn SessionStore>, call: SessionId, config: RecorderConfig) -> (Self, Writing) {
        Self::with_clock(store, call, config, Arc::new(SystemClock))
    }

    /// As [`Recorder::new`], with this time of day for what happens on the call.
    #[must_use]
    pub fn with_clock(
        store: Arc<dyn SessionStore>,
        call: SessionId,
        config: RecorderConfig,
        clock: Arc<dyn Clock>,
    ) -> (Self, Writing) {
        let shared = Arc::new(Shared {
            call,
            store: Arc::clone(&store),
            clock,
            born: Instant::now(),
            config,
            waiting: Mutex::default(),
            room: Arc::new(Semaphore::new(config.waiting.clamp(1, Semaphore::MAX_PERMITS))),
            news: Notify::new(),
            settled: watch::Sender::new(0),
            ended: CancellationToken::new(),
        });
        let open = Arc::new(Open(Arc::clone(&shared)));
        (Self { shared: Arc::clone(&shared), _open: open }, Writing::new(store, shared))
    }

    /// The call.
    #[must_use]
    pub fn call(&self) -> SessionId {
        self.shared.call
    }

    /// Proposes an event. Waits only while there is no room; that it was taken does not say that it is kept.
    ///
    /// # Errors
    ///
    /// [`RecordError::Closed`] when nobody writes any more.
    ///
    /// # Cancel safety
    ///
    /// The event is taken or it is not.
    pub async fn propose(&self, stamped: Stamped) -> Result<(), RecordError> {
        let room = self.room().await?;
        self.shared.push(Entry { stamped, answer: None, room: Some(room) })
    }

    /// Proposes an event, and waits until it is kept. True if it happened, false if it was known already.
    ///
    /// # Errors
    ///
    /// [`RecordError`] when the call refuses it, or it cannot be kept.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, the event may still happen.
    pub async fn decide(&self, stamped: Stamped) -> Result<bool, RecordError> {
        let room = self.room().await?;
        let (answer, decided) = oneshot::channel();
        self.shared.push(Entry { stamped, answer: Some(answer), room: Some(room) })?;
        decided.await.unwrap_or(Err(RecordError::Closed))
    }

    /// A line of the conversation is new, or has changed. Never waits; lost when nobody writes any more, or when
    /// [too many](RecorderConfig::lines) wait for the store.
    pub fn say(&self, line: Line) {
        self.shared.say(line);
    }

    /// Waits until all that was taken so far is kept, or refused.
    ///
    /// # Errors
    ///
    /// [`RecordError::Closed`] when nobody writes any more.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn kept(&self) -> Result<(), RecordError> {
        let target = {
            let mut waiting = self.shared.waiting();
            waiting.close_lines();
            waiting.taken
        };
        self.shared.news.notify_one();
        let mut settled = self.shared.settled.subscribe();
        tokio::select! {
            // The last of it may be kept in the moment the writing ends.
            biased;
            _ = settled.wait_for(|settled| *settled >= target) => Ok(()),
            () = self.shared.ended.cancelled() => Err(RecordError::Closed),
        }
    }

    /// The time of day.
    pub(crate) fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    async fn room(&self) -> Result<OwnedSemaphorePermit, RecordError> {
        Arc::clone(&self.shared.room).acquire_owned().await.map_err(|_| RecordError::Closed)
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, entry: Entry) -> Result<(), RecordError> {
        let mut waiting = self.waiting();
        if waiting.abandoned {
            return Err(RecordError::Closed);
        }
        // What was said before stays before.
        waiting.close_lines();
        waiting.entries.push_back(entry);
        waiting.taken += 1;
        drop(waiting);
        self.news.notify_one();
        Ok(())
    }

    fn say(&self, line: Line) {
        let mut waiting = self.waiting();
        if waiting.abandoned {
            return;
        }
        let known = waiting.lines.iter().position(|known| known.is(&line));
        match known {
            Some(index) => waiting.lines[index] = line,
            None if waiting.lines_waiting >= self.config.lines => {
                waiting.lines_dropped += 1;
                let first = waiting.lines_dropped == 1;
                drop(waiting);
                if first {
                    tracing::warn!(call = %self.call, "the store is away for so long that words of a call are lost");
                }
                return;
            }
            None => {
                waiting.lines_waiting += 1;
                waiting.lines.push(line);
            }
        }
        let first = waiting.lines_since.is_none();
        waiting.lines_since.get_or_insert_with(Instant::now);
        drop(waiting);
        if first {
            self.news.notify_one();
        }
    }
}

impl Waiting {
    fn close_lines(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        self.lines_since = None;
        if let Some(at) = lines.iter().map(|line| line.at).max() {
            let stamped = SessionEvent::Said { lines }.at(at);
            self.entries.push_back(Entry { stamped, answer: None, room: None });
            self.taken += 1;
        }
    }
}
