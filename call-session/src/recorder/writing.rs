//! The task that keeps what a recorder takes.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep, sleep_until};

use super::{Entry, RecordError, Shared};
use crate::{
    call::{CallSession, Refused, Stamped},
    store::{Commit, CommitError, SessionStore, StoreError},
};

/// How many events are kept in one commit at most.
const BATCH: usize = 64;

/// The pause after the first failure of the store, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// What was taken for a call and never kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the store was away for too long: {events} events of a call were not kept")]
pub struct Unwritten {
    /// How many events.
    pub events: usize,
}

/// Keeps what a [`Recorder`](super::Recorder) takes, until the recorder is gone.
#[derive(Debug)]
pub struct Writing {
    store: Arc<dyn SessionStore>,
    shared: Arc<Shared>,
    /// The call, as far as is known here.
    session: Option<CallSession>,
    /// When the patience with a store that is away after the call is over.
    until: Option<Instant>,
}

/// Why a batch is not kept.
enum Failed {
    /// The store is away.
    Away,
    /// The store refuses it, or does not know the call.
    For(CommitError),
}

impl Drop for Writing {
    /// Nobody waits for what nobody writes.
    fn drop(&mut self) {
        self.shared.room.close();
        let mut waiting = self.shared.waiting();
        waiting.abandoned = true;
        let left = (std::mem::take(&mut waiting.entries), std::mem::take(&mut waiting.lines));
        drop(waiting);
        // Whoever waits for an answer is told so, and not under the lock.
        drop(left);
        self.shared.ended.cancel();
    }
}

impl Writing {
    pub(super) const fn new(store: Arc<dyn SessionStore>, shared: Arc<Shared>) -> Self {
        Self { store, shared, session: None, until: None }
    }

    /// Writes until the recorder is gone and everything is kept.
    ///
    /// # Errors
    ///
    /// [`Unwritten`] when the store stayed away after the call for longer than the configured patience.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses what was not yet kept.
    pub async fn run(mut self) -> Result<(), Unwritten> {
        while let Some(mut batch) = self.next().await {
            let left = match self.keep(&mut batch).await {
                Ok(()) => {
                    self.settle(batch, Ok);
                    0
                }
                Err(Failed::Away) => batch.len(),
                // One of them is to blame: each for itself, so that the others are kept.
                Err(Failed::For(_)) if batch.len() > 1 => self.alone(batch).await,
                Err(Failed::For(why)) => {
                    self.blame(batch, why);
                    0
                }
            };
            if left > 0 {
                let mut waiting = self.shared.waiting();
                waiting.close_lines();
                let events = left + waiting.entries.len();
                drop(waiting);
                tracing::error!(call = %self.shared.call, events, "the store stayed away: events of a call are lost");
                return Err(Unwritten { events });
            }
        }
        Ok(())
    }

    /// How many are left when the store stays away.
    async fn alone(&mut self, batch: Vec<Pending>) -> usize {
        let mut left = batch.len();
        for pending in batch {
            let mut one = vec![pending];
            match self.keep(&mut one).await {
                Ok(()) => self.settle(one, Ok),
                Err(Failed::For(why)) => self.blame(one, why),
                Err(Failed::Away) => break,
            }
            left -= 1;
        }
        left
    }

    fn blame(&self, batch: Vec<Pending>, why: CommitError) {
        let error: &(dyn std::error::Error + 'static) = &why;
        tracing::error!(call = %self.shared.call, error, "an event of a call cannot be kept");
        let why = Arc::new(why);
        self.settle(batch, |_| Err(RecordError::Unstorable(Arc::clone(&why))));
    }

    /// The next events, as soon as there are some; `None` when there will be none.
    async fn next(&mut self) -> Option<Vec<Pending>> {
        loop {
            let due = {
                let mut waiting = self.shared.waiting();
                let due = waiting.lines_since.map(|since| since + self.shared.config.gather);
                if waiting.closed || due.is_some_and(|due| Instant::now() >= due) {
                    waiting.close_lines();
                }
                if !waiting.entries.is_empty() {
                    let count = waiting.entries.len().min(BATCH);
                    let batch: Vec<_> = waiting.entries.drain(..count).map(Pending::new).collect();
                    waiting.lines_waiting -= batch.iter().map(|pending| pending.entry.lines()).sum::<usize>();
                    return Some(batch);
                }
                if waiting.closed {
                    return None;
                }
                waiting.lines_since.map(|since| since + self.shared.config.gather)
            };
            match due {
                Some(due) => tokio::select! {
                    () = sleep_until(due) => {}
                    () = self.shared.news.notified() => {}
                },
                None => self.shared.news.notified().await,
            }
        }
    }

    /// Keeps what of a batch can happen. Each entry knows then what became of it.
    async fn keep(&mut self, batch: &mut [Pending]) -> Result<(), Failed> {
        loop {
            let mut session = match self.session.take() {
                Some(session) => session,
                None => self.load().await?,
            };
            let expected = session.summary.version;
            let events = decide(&mut session, batch);
            if events.is_empty() {
                self.session = Some(session);
                return Ok(());
            }
            let commit = Commit::new(self.shared.call, expected, events);
            match self.commit(commit).await {
                Ok(()) => {
                    self.session = Some(session);
                    return Ok(());
                }
                Err(CommitError::Conflict { .. }) => {}
                Err(CommitError::Store(error)) => return Err(failed(error)),
                Err(error) => return Err(Failed::For(error)),
            }
        }
    }

    /// The same commit while its fate is unknown: under its name it happens once.
    async fn commit(&mut self, commit: Commit) -> Result<(), CommitError> {
        let mut pause = PAUSES.0;
        loop {
            match self.store.commit(commit.clone()).await {
                Err(error) if error.retryable() && self.bears(&mut pause, &error).await => {}
                kept => {
                    self.until = self.until.filter(|_| kept.as_ref().is_err_and(CommitError::retryable));
                    return kept.map(|_| ());
                }
            }
        }
    }

    async fn load(&mut self) -> Result<CallSession, Failed> {
        let mut pause = PAUSES.0;
        loop {
            match self.store.load(self.shared.call).await {
                Ok(Some(session)) => return Ok(session),
                Ok(None) => return Err(Failed::For(CommitError::NoCall(self.shared.call))),
                Err(error) if error.retryable() && self.bears(&mut pause, &error).await => {}
                Err(error) => return Err(failed(error)),
            }
        }
    }

    /// Waits for a store that is away. False once the patience is over, which counts from the end of the call.
    async fn bears(&mut self, pause: &mut Duration, error: &(dyn std::error::Error + Send + Sync)) -> bool {
        if self.shared.waiting().closed {
            let until = *self.until.get_or_insert_with(|| Instant::now() + self.shared.config.patience);
            if Instant::now() >= until {
                return false;
            }
        }
        tracing::debug!(call = %self.shared.call, %error, "the store is away");
        sleep(*pause).await;
        *pause = (*pause * 2).min(PAUSES.1);
        true
    }

    fn settle(&self, batch: Vec<Pending>, fate: impl Fn(bool) -> Result<bool, RecordError>) {
        let count = batch.len() as u64;
        for Pending { entry, verdict } in batch {
            let answer = match verdict {
                Verdict::Refused(refused) => {
                    tracing::debug!(event = entry.stamped.event.name(), %refused, "the call does not allow an event");
                    Err(refused.into())
                }
                Verdict::Happens => fate(true),
                Verdict::Known => fate(false),
            };
            if let Some(sender) = entry.answer {
                // Whoever asked may have gone.
                let _ = sender.send(answer);
            }
        }
        self.shared.settled.send_modify(|settled| *settled += count);
    }
}

/// An entry with what is to become of it.
struct Pending {
    entry: Entry,
    verdict: Verdict,
}

enum Verdict {
    Happens,
    Known,
    Refused(Refused),
}

impl Pending {
    const fn new(entry: Entry) -> Self {
        Self { entry, verdict: Verdict::Known }
    }
}

fn decide(session: &mut CallSession, batch: &mut [Pending]) -> Vec<Stamped> {
    let mut events = Vec::new();
    for pending in batch {
        pending.verdict = match session.take_one(pending.entry.stamped.clone()) {
            Ok(Some(happened)) => {
                events.push(happened);
                Verdict::Happens
            }
            Ok(None) => Verdict::Known,
            Err(refused) => Verdict::Refused(refused),
        };
    }
    events
}

fn failed(error: StoreError) -> Failed {
    if error.retryable() { Failed::Away } else { Failed::For(error.into()) }
}
