//! How a call lives through the loss of its model.

use std::time::Duration;

use crate::audio::AudioFrame;

/// How a call lives through the loss of its model, where the bridge was given
/// [endpoints](crate::bridge::Bridge::with_endpoints) to open another session with.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Recovery {
    /// How long a call may be without a model before it ends, over all sessions in a row that give nothing to hear: what
    /// a caller waits for such a session counts as well, up to `stall` each. Default: 20 s; few callers wait longer.
    pub budget: Duration,
    /// The pause before the second round of attempts, doubled for each further one; the first round follows at once. Each
    /// pause is shortened by up to a quarter at random, so that calls that were cut off together do not come back
    /// together. Default: 250 ms.
    pub backoff: Duration,
    /// The longest pause between two rounds. Default: 4 s.
    pub backoff_limit: Duration,
    /// What the caller hears while there is no model and nothing left to hear. Default: a soft tone.
    pub filler: GapFiller,
    /// How long the silence is before. Default: 800 ms, about the pause before any answer.
    pub filler_after: Duration,
    /// How much of the caller's audio is kept for the next session: what is said in the gap, and what the lost session
    /// has heard and not yet put into words. Beyond it the oldest is dropped. Default: 15 s.
    pub caller_kept: Duration,
    /// How long the model may leave an answer that it owes without a sign before its session counts as lost. Default: 6 s,
    /// as models that think take up to three.
    pub stall: Duration,
    /// How long before the provider's session limit the next session is opened. It takes over at the first quiet moment.
    /// Default: 10 min.
    pub rotate_before: Duration,
}

impl Default for Recovery {
    fn default() -> Self {
        Self {
            budget: Duration::from_secs(20),
            backoff: Duration::from_millis(250),
            backoff_limit: Duration::from_secs(4),
            filler: GapFiller::HoldTone,
            filler_after: Duration::from_millis(800),
            caller_kept: Duration::from_secs(15),
            stall: Duration::from_secs(6),
            rotate_before: Duration::from_secs(10 * 60),
        }
    }
}

impl Recovery {
    /// Sets how long a call may be without a model.
    #[must_use]
    pub const fn with_budget(mut self, budget: Duration) -> Self {
        self.budget = budget;
        self
    }

    /// Sets the first and the longest pause between rounds of attempts.
    #[must_use]
    pub const fn with_backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.backoff = first;
        self.backoff_limit = longest;
        self
    }

    /// Sets what the caller hears, after how long a silence.
    #[must_use]
    pub fn with_filler(mut self, filler: GapFiller, after: Duration) -> Self {
        self.filler = filler;
        self.filler_after = after;
        self
    }

    /// Sets how much of the caller's audio is kept.
    #[must_use]
    pub const fn with_caller_kept(mut self, audio: Duration) -> Self {
        self.caller_kept = audio;
        self
    }

    /// Sets how long the model may leave an answer that it owes without a sign.
    #[must_use]
    pub const fn with_stall(mut self, limit: Duration) -> Self {
        self.stall = limit;
        self
    }

    /// Sets how long before the provider's session limit the next session is opened.
    #[must_use]
    pub const fn with_rotate_before(mut self, time: Duration) -> Self {
        self.rotate_before = time;
        self
    }

    pub(crate) fn problems(&self, problems: &mut Vec<String>) {
        let positive = [
            ("budget", self.budget),
            ("backoff", self.backoff),
            ("caller_kept", self.caller_kept),
            ("stall", self.stall),
        ];
        for (name, value) in positive {
            if value.is_zero() {
                problems.push(format!("recovery.{name} must be longer than zero"));
            }
        }
    }
}

/// What the caller hears while there is no model.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum GapFiller {
    /// Nothing.
    Nothing,
    /// A soft tone, until there is something to hear.
    HoldTone,
    /// A recording, once and to its end, such as a person who asks for a moment. It must have the line's format; of
    /// another format nothing is played.
    Clip(AudioFrame),
}
