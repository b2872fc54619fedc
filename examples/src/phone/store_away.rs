//! The store cannot be asked what a caller gets next: the caller waits for it, for as long as that can be borne.

use std::time::Duration;

use call_session::store::UpdateError;
use jiff::Timestamp;
use serde::Deserialize;
use twilio_twiml::twiml::{Pause, Response};

use super::Phone;
use crate::web::Document;

/// How long a caller waits for a store that is away, counted from the first question that it did not answer.
const LONGEST: Duration = Duration::from_secs(60);

/// The pause before the same question is asked again. Each takes its time, too, where a store does not even refuse.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// Since when a caller has been waiting, in the address that is asked: whichever server is asked next knows it. Twilio signs
/// the address, so that nobody else can say so.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub(super) struct Waiting {
    /// In seconds of Unix time; none at the first question.
    since: Option<i64>,
}

impl Waiting {
    /// Since when. `None` if the caller has waited for long enough.
    fn goes_on(self, now: Timestamp) -> Option<i64> {
        let now = now.as_second();
        let since = self.since.unwrap_or(now);
        // A clock that is behind the other server's has seen no time pass.
        let waited = u64::try_from(now.saturating_sub(since)).unwrap_or(0);
        (waited < LONGEST.as_secs()).then_some(since)
    }
}

impl Phone {
    /// The caller waits, and Twilio asks at this path again. `None` if waiting does not help, or would take too long.
    pub(super) async fn wait_for_store(&self, path: &str, waiting: Waiting, error: &UpdateError) -> Option<Document> {
        let since = waiting.goes_on(Timestamp::now()).filter(|_| error.retryable())?;
        let stops = self.0.leave.is_cancelled() || self.0.stop.is_cancelled();
        if stops && matches!(self.0.live.others().await, Ok(0)) {
            // Nobody will be there to be asked.
            return None;
        }
        let again = self.0.settings.public_url.webhook(&format!("{path}?since={since}"));
        // Said once: whoever hears it every other second wants to hang up.
        let said = match waiting.since {
            None => Response::new().say(self.0.settings.conversation.handoff_wait()),
            Some(_) => Response::new(),
        };
        Some(Document(said.pause(Pause::new(ASK_AGAIN)).redirect(again)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_for_longer_than_can_be_borne() {
        let now: Timestamp = "2026-11-30T09:00:00Z".parse().unwrap();
        let at = |since| Waiting { since }.goes_on(now);
        let second = now.as_second();
        assert_eq!(at(None), Some(second), "the first question");
        for (since, goes_on) in
            [(second, true), (second - 59, true), (second - 60, false), (i64::MIN, false), (second + 5, true)]
        {
            assert_eq!(at(Some(since)), goes_on.then_some(since), "{}", second.saturating_sub(since));
        }
    }
}
