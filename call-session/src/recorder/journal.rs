//! The tool journal of a call: what its recorder keeps of tools.

use std::time::Duration;

use async_trait::async_trait;
use realtime_bridge::{
    relay,
    tool::{Begin, JournalError, PlannedRun, ToolJournal, ToolPolicy},
};
use tokio::time::{Instant, sleep, timeout_at};

use super::Recorder;
use crate::{
    call::{SessionEvent, ToolOutcome, ToolRun},
    store::{FeedEvent, Position, StoreError, until_told},
};

/// How long after a recorder began tools of the server before may still run: they outlive their line by five seconds, and
/// what they did has to be written down.
const ELSEWHERE: Duration = Duration::from_secs(6);

/// The pause after the first failure of the store, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// A tool runs once it is written down that it will, on whichever server.
#[async_trait]
impl ToolJournal for Recorder {
    async fn begin(&self, run: &PlannedRun) -> Result<Begin, JournalError> {
        let now = self.now();
        let planned = ToolRun::new(&run.key, run.id.as_str(), &run.name, &run.arguments, now);
        if self.decide(SessionEvent::ToolStarted { run: planned }.at(now)).await.map_err(JournalError::new)? {
            return Ok(Begin::Run);
        }
        // Whoever leaves a call lets its tools come to their end, and the caller may say yes before that. What happens once
        // for each key needs nobody to wait for it.
        let wait = run.again && run.policy != ToolPolicy::Repeat;
        let until = if wait { self.shared.born + ELSEWHERE } else { Instant::now() };
        match self.ended(&run.key, until).await.map_err(JournalError::new)? {
            Some((outcome, output)) => Ok(Begin::Replay { outcome, output }),
            // One that was begun before may be begun again if its tool says so, which the bridge has decided.
            None if run.again => Ok(Begin::Run),
            None => Ok(Begin::Refuse { why: "This was begun before; it is not known how it ended.".into() }),
        }
    }

    async fn finish(&self, run: &relay::ToolRun) -> Result<(), JournalError> {
        let outcome = run.outcome.unwrap_or(relay::ToolOutcome::Abandoned).into();
        let event = SessionEvent::ToolFinished { key: run.key.clone(), outcome, output: run.output.clone() };
        self.decide(event.at(self.now())).await.map(|_| ()).map_err(JournalError::new)
    }
}

impl Recorder {
    /// How a run has ended, if that is known by then. Waits for a store that is away, beyond that time: what it does not tell
    /// is not known not to be, and whoever asks has a time limit.
    async fn ended(&self, key: &str, until: Instant) -> Result<Option<(relay::ToolOutcome, String)>, StoreError> {
        let mut pause = PAUSES.0;
        loop {
            // What another server has written is not in what the writing knows of the call.
            let looked = async {
                let position = self.shared.store.feed_end().await?;
                Ok((position, self.shared.store.load(self.shared.call).await?))
            };
            match looked.await {
                Ok((position, call)) => {
                    let run = call.and_then(|call| call.tools.into_iter().find(|run| run.key == key));
                    if let Some(end) = run.and_then(known) {
                        return Ok(Some(end));
                    }
                    // A feed that never rests must not keep the deadline from being seen.
                    if Instant::now() >= until || timeout_at(until, self.end_of(key, position)).await.is_err() {
                        return Ok(None);
                    }
                }
                Err(error) if StoreError::retryable(&error) => {
                    sleep(pause).await;
                    pause = (pause * 2).min(PAUSES.1);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits until the feed tells that a run has ended. Most of what happens is of others, and no reason to load this call.
    async fn end_of(&self, key: &str, position: Position) {
        let ends = |known: &FeedEvent| {
            known.recorded.call == self.shared.call
                && matches!(&known.recorded.stamped.event, SessionEvent::ToolFinished { key: ended, .. } if ended == key)
        };
        // How things stand is asked again then, and again if the store is away.
        let _ = until_told(&*self.shared.store, position, ends).await;
    }
}

/// How a run ended, if that is sure.
fn known(run: ToolRun) -> Option<(relay::ToolOutcome, String)> {
    let outcome = match run.outcome? {
        ToolOutcome::Done => relay::ToolOutcome::Done,
        ToolOutcome::Failed => relay::ToolOutcome::Failed,
        _ => return None,
    };
    Some((outcome, run.output.unwrap_or_default()))
}
