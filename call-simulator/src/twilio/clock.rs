//! The clock of one line: 20 ms after 20 ms from the moment the call was placed.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::{call_time::CallTime, frame::start_of};

/// How far a line may be behind and still catch up: two frames.
const CATCH_UP: Duration = Duration::from_millis(40);

/// Ticks at absolute times, so that a late tick does not make the next one late.
///
/// Unless it is very late. A line that caught up with whatever a busy machine has kept from it would play seconds at once,
/// before any peer could say a word, and the call would be one that no telephone can have. What is beyond [`CATCH_UP`]
/// the call stands still, and its time with it.
#[derive(Debug)]
pub(crate) struct FrameClock {
    catch_up: Duration,
    time: CallTime,
    /// When the next frame begins if nothing holds it up.
    due: Instant,
    ticks: u64,
    worst_lateness: Duration,
}

impl FrameClock {
    pub(crate) fn start() -> Self {
        let now = Instant::now();
        Self { catch_up: CATCH_UP, time: CallTime::new(now), due: now, ticks: 0, worst_lateness: Duration::ZERO }
    }

    /// A clock that never stands still, for a line whose other end keeps the same time in this process.
    pub(crate) fn keeping_up() -> Self {
        Self { catch_up: Duration::MAX, ..Self::start() }
    }

    /// Waits for the begin of the next frame.
    ///
    /// # Cancel safety
    ///
    /// A dropped wait loses no frame.
    pub(crate) async fn tick(&mut self) {
        sleep_until(self.due).await;
        let late = self.due.elapsed();
        self.worst_lateness = self.worst_lateness.max(late);
        let still = late.saturating_sub(self.catch_up);
        if !still.is_zero() {
            self.time.stand_still(start_of(self.ticks), still);
        }
        self.due += still + start_of(1);
        self.ticks += 1;
    }

    /// The time of the call.
    pub(super) const fn time(&self) -> &CallTime {
        &self.time
    }

    /// When the call would have been placed if it had never stood still: the call's time is what has passed since then.
    fn zero(&self) -> Instant {
        self.due - start_of(self.ticks)
    }

    /// The time of the call, which goes no further than to a frame that is late.
    pub(crate) fn elapsed(&self) -> Duration {
        self.zero().elapsed().min(start_of(self.ticks))
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
        assert_eq!(clock.time().stood_still(), ms(0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_that_is_held_up_for_long_catches_up_with_two_frames_and_stands_still_for_the_rest() {
        let mut clock = FrameClock::start();
        let placed = Instant::now();
        ticks(&mut clock, 10).await;
        tokio::time::advance(ms(1_020)).await;
        // The time of the call waits for the frame that is late.
        assert_eq!(clock.elapsed(), ms(200));
        let held_up = Instant::now();
        ticks(&mut clock, 3).await;
        assert_eq!(clock.elapsed(), ms(240));
        assert_eq!(held_up.elapsed(), ms(0), "two frames at once");
        ticks(&mut clock, 1).await;
        assert_eq!((held_up.elapsed(), clock.elapsed()), (ms(20), ms(260)), "and then every 20 ms");
        assert_eq!((clock.worst_lateness(), clock.time().stood_still()), (ms(1_000), ms(960)));
        assert_eq!(clock.time().instant(clock.elapsed()), Instant::now());
        assert_eq!(clock.time().placed(), placed);
    }
}
