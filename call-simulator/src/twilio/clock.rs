//! The clock of one line: 20 ms after 20 ms from the moment the call was placed.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::frame::start_of;

/// Ticks at absolute times, so that a late tick does not make the next one late.
#[derive(Debug)]
pub(crate) struct FrameClock {
    started: Instant,
    ticks: u64,
    worst_lateness: Duration,
}

impl FrameClock {
    pub(crate) fn start() -> Self {
        Self { started: Instant::now(), ticks: 0, worst_lateness: Duration::ZERO }
    }

    /// Waits for the begin of the next frame.
    ///
    /// # Cancel safety
    ///
    /// A dropped wait loses no frame.
    pub(crate) async fn tick(&mut self) {
        let due = self.started + start_of(self.ticks);
        sleep_until(due).await;
        self.ticks += 1;
        self.worst_lateness = self.worst_lateness.max(due.elapsed());
    }

    pub(crate) const fn started(&self) -> Instant {
        self.started
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) const fn worst_lateness(&self) -> Duration {
        self.worst_lateness
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_late_tick_does_not_make_the_next_one_late() {
        let mut clock = FrameClock::start();
        for _ in 0..10 {
            clock.tick().await;
        }
        assert_eq!(clock.elapsed(), Duration::from_millis(180));
        tokio::time::advance(Duration::from_millis(55)).await;
        for _ in 0..10 {
            clock.tick().await;
        }
        assert_eq!(clock.elapsed(), Duration::from_millis(380));
        assert_eq!(clock.worst_lateness(), Duration::from_millis(35));
    }
}
