//! How the time of a call lies on the clock of this process.

use std::{fmt, time::Duration};

use tokio::time::Instant;

use super::frame::{FRAME, start_of};

/// When each frame of a call was played: the time of the call is that of its frames, and a busy machine plays some late.
#[derive(Clone)]
pub(super) struct CallTime {
    placed: Instant,
    /// Since then, in order.
    frames: Vec<Duration>,
}

impl fmt::Debug for CallTime {
    /// A count: there are 50 frames in each second of a call.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallTime").field("frames", &self.frames.len()).finish_non_exhaustive()
    }
}

impl CallTime {
    pub(super) const fn new(placed: Instant) -> Self {
        Self { placed, frames: Vec::new() }
    }

    pub(super) const fn placed(&self) -> Instant {
        self.placed
    }

    /// The next frame begins now.
    pub(super) fn frame(&mut self) {
        self.frames.push(self.placed.elapsed());
    }

    /// When that was on the clock of this process.
    pub(super) fn instant(&self, at: Duration) -> Instant {
        let index = usize::try_from(at.as_millis() / FRAME.as_millis()).unwrap_or(usize::MAX);
        let Some(last) = self.frames.len().checked_sub(1) else { return self.placed + at };
        let index = index.min(last);
        self.placed + self.frames[index] + at.saturating_sub(start_of(index as u64))
    }

    /// What the time of the call was then; zero before the call was placed. While a frame is late it stands still.
    pub(super) fn at(&self, instant: Instant) -> Duration {
        let since = instant.saturating_duration_since(self.placed);
        let begun = self.frames.partition_point(|frame| *frame <= since);
        let Some(current) = begun.checked_sub(1) else { return Duration::ZERO };
        let into = since - self.frames[current];
        let is_last = begun == self.frames.len();
        start_of(current as u64) + if is_last { into } else { into.min(FRAME) }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_long_call_does_not_flood_a_report() {
        let mut time = CallTime::new(Instant::now());
        (0..3000).for_each(|_| time.frame());
        assert_eq!(format!("{time:?}"), "CallTime { frames: 3000, .. }");
    }

    #[tokio::test(start_paused = true)]
    async fn a_frame_that_is_late_holds_the_time_of_the_call_up() {
        let placed = Instant::now();
        let mut time = CallTime::new(placed);
        assert_eq!((time.instant(ms(30)), time.at(placed)), (placed + ms(30), ms(0)));
        // The third frame is 500 ms late, and the fourth catches up a little.
        for wait in [0, 20, 520, 5] {
            advance(ms(wait)).await;
            time.frame();
        }
        for (at, after) in [(0, 0), (10, 10), (20, 20), (39, 39), (40, 540), (44, 544), (60, 545), (200, 685)] {
            assert_eq!(time.instant(ms(at)), placed + ms(after), "{at}");
            assert_eq!(time.at(placed + ms(after)), ms(at), "{after}");
        }
        for after in [40, 300, 539] {
            assert_eq!(time.at(placed + ms(after)), ms(40), "{after}");
        }
        assert_eq!(time.at(placed - ms(5)), ms(0));
    }
}
