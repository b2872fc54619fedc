//! How the time of a call lies on the clock of this process.

use std::time::Duration;

use tokio::time::Instant;

/// The time of a call: that of this process since the call was placed, less the times in which the call stood still
/// because the machine was too busy to play it.
#[derive(Debug, Clone)]
pub(super) struct CallTime {
    placed: Instant,
    /// In order.
    stills: Vec<Still>,
}

/// A time in which the call stood still.
#[derive(Debug, Clone, Copy)]
struct Still {
    /// When it was, in the time of the call: what is at that time was after it.
    at: Duration,
    lasted: Duration,
}

impl CallTime {
    pub(super) const fn new(placed: Instant) -> Self {
        Self { placed, stills: Vec::new() }
    }

    pub(super) const fn placed(&self) -> Instant {
        self.placed
    }

    /// Lets the call stand still at this time of its own, which is none before an earlier one.
    pub(super) fn stand_still(&mut self, at: Duration, lasted: Duration) {
        self.stills.push(Still { at, lasted });
    }

    /// All the time in which the call stood still.
    pub(super) fn stood_still(&self) -> Duration {
        self.stills.iter().map(|still| still.lasted).sum()
    }

    /// When that was on the clock of this process.
    pub(super) fn instant(&self, at: Duration) -> Instant {
        let before = self.stills.iter().take_while(|still| still.at <= at).map(|still| still.lasted);
        self.placed + at + before.sum()
    }

    /// What the time of the call was then; zero before the call was placed.
    pub(super) fn at(&self, instant: Instant) -> Duration {
        let since = instant.saturating_duration_since(self.placed);
        // A later still begins later than an earlier one has ended: what is before it stays before it.
        self.stills.iter().fold(since, |at, still| at.min(at.saturating_sub(still.lasted).max(still.at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_after_a_still_is_later_on_the_clock_and_what_was_in_it_is_at_its_end() {
        let placed = Instant::now();
        let mut time = CallTime::new(placed);
        time.stand_still(ms(100), ms(500));
        time.stand_still(ms(300), ms(50));
        assert_eq!(time.stood_still(), ms(550));
        for (at, after) in [(0, 0), (99, 99), (100, 600), (120, 620), (299, 799), (300, 850), (1_000, 1_550)] {
            assert_eq!(time.instant(ms(at)), placed + ms(after), "{at}");
            assert_eq!(time.at(placed + ms(after)), ms(at), "{after}");
        }
        for (after, at) in [(100, 100), (101, 100), (599, 100), (601, 101), (849, 300)] {
            assert_eq!(time.at(placed + ms(after)), ms(at), "{after}");
        }
        assert_eq!(time.at(placed - ms(5)), ms(0));
    }
}
