//! What happens to a call when its media stream is over: pure.

use realtime_bridge::relay::EndReason;

/// What became of a media stream.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Outcome {
    /// The conversation ended.
    Ended(EndReason),
    /// There was no model session for it.
    NoModel,
    /// The stream never came, or its end went by unnoticed.
    Lost,
    /// The server stopped before the call was over.
    Stopped,
}

impl Outcome {
    /// A short fixed name, for logs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Ended(reason) => reason.name(),
            Self::NoModel => "no-model",
            Self::Lost => "lost",
            Self::Stopped => "stopped",
        }
    }
}

/// What the caller gets next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Next {
    /// Nothing more: the conversation had its end.
    HangUp,
    /// Another stream and another model session, which goes on where the caller was cut off.
    Reconnect,
    /// An apology, then the end.
    Apologize,
}

impl Next {
    /// What follows this outcome. Whoever was cut off is connected again, but only once: what fails twice would fail
    /// again, and a caller is not sent round in circles.
    #[must_use]
    pub const fn after(outcome: &Outcome, resumed: bool) -> Self {
        match outcome {
            Outcome::Ended(reason) if reason.is_orderly() => Self::HangUp,
            Outcome::Ended(_) | Outcome::Lost if !resumed => Self::Reconnect,
            // The model was tried for seconds already, and a server that stops takes nobody on.
            Outcome::Ended(_) | Outcome::Lost | Outcome::NoModel | Outcome::Stopped => Self::Apologize,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_left_in_silence_and_nobody_sent_round_in_circles() {
        let check = |outcome: Outcome, first, again| {
            assert_eq!(Next::after(&outcome, false), first, "{}", outcome.name());
            assert_eq!(Next::after(&outcome, true), again, "{} again", outcome.name());
        };
        check(Outcome::Ended(EndReason::Goodbye), Next::HangUp, Next::HangUp);
        check(Outcome::Ended(EndReason::CallerHungUp), Next::HangUp, Next::HangUp);
        check(Outcome::Ended(EndReason::ModelStalled), Next::Reconnect, Next::Apologize);
        check(Outcome::Ended(EndReason::ModelClosed), Next::Reconnect, Next::Apologize);
        check(Outcome::Ended(EndReason::LineSilent), Next::Reconnect, Next::Apologize);
        check(Outcome::Lost, Next::Reconnect, Next::Apologize);
        check(Outcome::NoModel, Next::Apologize, Next::Apologize);
        check(Outcome::Stopped, Next::Apologize, Next::Apologize);
    }
}
