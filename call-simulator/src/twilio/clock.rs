//! The clock of one line: 20 ms after 20 ms from the moment the call was placed.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::{call_time::CallTime, frame::start_of};

/// What a line that is late leaves between two frames at least, so that it catches up four times as fast as it plays.
const CATCH_UP: Duration = Duration::from_millis(5);

/// Ticks at absolute times, so that a late tick does not make the next one late.
///
/// A line that caught up at once with what a busy machine has kept from it would play seconds before any peer could say a
/// word, and the call would be one that no telephone can have. So there is always some time for them.
#[derive(Debug)]
pub(crate) struct FrameClock {
    time: CallTime,
    catch_up: Duration,
    ticks: u64,
    last: Instant,
    worst_lateness: Duration,
}

impl FrameClock {
    pub(crate) fn start() -> Self {
        Self::catching_up(CATCH_UP)
    }

    /// A clock that catches up at once, for a line whose other end keeps the same time in this process.
    pub(crate) fn keeping_up() -> Self {
        Self::catching_up(Duration::ZERO)
    }

    fn catching_up(catch_up: Duration) -> Self {
        let now = Instant::now();
        Self { time: CallTime::new(now), catch_up, ticks: 0, last: now, worst_lateness: Duration::ZERO }
    }

    /// Waits for the begin of the next frame.
    ///
    /// # Cancel safety
    ///
    /// A dropped wait loses no frame.
    pub(crate) async fn tick(&mut self) {
        let due = self.time.placed() + start_of(self.ticks);
        let earliest = if self.ticks == 0 { due } else { self.last + self.catch_up };
        sleep_until(due.max(earliest)).await;
        self.time.frame();
        self.ticks += 1;
        self.last = Instant::now();
        self.worst_lateness = self.worst_lateness.max(due.elapsed());
    }

    pub(super) const fn time(&self) -> &CallTime {
        &self.time
    }

    /// The time of the call, which goes no further than to a frame that is late.
    pub(crate) fn elapsed(&self) -> Duration {
        self.time.placed().elapsed().min(start_of(self.ticks))
    }

    pub(crate) const fn worst_lateness(&self) -> Duration {
        self.worst_lateness
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    async fn ticks(clock: &mut FrameClock, count: u64) {
        for _ in 0..count {
            clock.tick().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_tick_does_not_make_the_next_one_late() {
        let mut clock = FrameClock::start();
        ticks(&mut clock, 10).await;
        assert_eq!(clock.elapsed(), ms(180));
        tokio::time::advance(ms(55)).await;
        ticks(&mut clock, 10).await;
        assert_eq!(clock.elapsed(), ms(380));
        assert_eq!(clock.worst_lateness(), ms(35));
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_that_was_held_up_catches_up_with_time_for_its_peers_between_the_frames() {
        let mut clock = FrameClock::start();
        let placed = Instant::now();
        ticks(&mut clock, 10).await;
        tokio::time::advance(ms(320)).await;
        // The time of the call waits for the frame that is late.
        assert_eq!(clock.elapsed(), ms(200));
        ticks(&mut clock, 1).await;
        assert_eq!((placed.elapsed(), clock.elapsed()), (ms(500), ms(220)));
        ticks(&mut clock, 10).await;
        assert_eq!((placed.elapsed(), clock.elapsed()), (ms(550), ms(420)));
        ticks(&mut clock, 10).await;
        assert_eq!((placed.elapsed(), clock.elapsed()), (ms(600), ms(600)));
        ticks(&mut clock, 1).await;
        assert_eq!((placed.elapsed(), clock.elapsed()), (ms(620), ms(620)), "and then every 20 ms");
        assert_eq!(clock.worst_lateness(), ms(300));
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_that_keeps_up_catches_up_at_once() {
        let mut clock = FrameClock::keeping_up();
        tokio::time::advance(ms(500)).await;
        ticks(&mut clock, 26).await;
        assert_eq!(clock.elapsed(), ms(500));
    }
}
