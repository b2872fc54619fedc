//! Audio that was dropped, told now and then instead of with every frame.

use std::time::{Duration, Instant};

use super::{CallEvent, Relay, Speaker};

/// How often at most it is told.
const EVERY: Duration = Duration::from_secs(1);

/// What was dropped of each side.
#[derive(Debug, Default)]
pub(crate) struct Drops {
    caller: Side,
    agent: Side,
}

#[derive(Debug, Default)]
struct Side {
    /// Dropped and not yet told.
    untold: Duration,
    /// When it may be told again.
    next: Option<Instant>,
}

impl Side {
    fn due(&self) -> Option<Instant> {
        self.next.filter(|_| !self.untold.is_zero())
    }

    fn take(&mut self, now: Instant) -> Option<Duration> {
        if self.untold.is_zero() || self.next.is_some_and(|next| now < next) {
            return None;
        }
        self.next = Some(now + EVERY);
        Some(std::mem::take(&mut self.untold))
    }
}

impl Drops {
    /// When something is to be told that was not told at once.
    pub(crate) fn timeout(&self) -> Option<Instant> {
        self.caller.due().into_iter().chain(self.agent.due()).min()
    }

    const fn side(&mut self, speaker: Speaker) -> &mut Side {
        match speaker {
            Speaker::Caller => &mut self.caller,
            Speaker::Agent => &mut self.agent,
        }
    }
}

impl Relay {
    /// Audio of this speaker had to be dropped.
    pub(super) fn dropped(&mut self, now: Instant, speaker: Speaker, audio: Duration) {
        self.drops.side(speaker).untold += audio;
        self.check_drops(now);
    }

    pub(super) fn check_drops(&mut self, now: Instant) {
        for speaker in [Speaker::Caller, Speaker::Agent] {
            if let Some(audio) = self.drops.side(speaker).take(now) {
                self.tell(now, CallEvent::Dropped { speaker, audio });
            }
        }
    }
}
