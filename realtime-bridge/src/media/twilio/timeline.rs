//! Where the caller's audio has holes.

use std::time::Duration;

/// Timestamps are whole milliseconds taken on another machine: less than half a frame of 20 ms is not a hole.
const JITTER: Duration = Duration::from_millis(10);
/// A timestamp that lies further back than this starts the timeline anew.
const REWIND: Duration = Duration::from_secs(1);

/// Finds holes in the caller's audio by the presentation time of each frame.
///
/// The timeline only grows: a frame that comes late by its timestamp is played where it is, and the next hole is as much
/// smaller. The silence it adds is bounded by the limit for each hole, and in all by the time that really went by, so that
/// a peer with a broken clock cannot make more audio out of nothing.
#[derive(Debug)]
pub(super) struct Timeline {
    limit: Duration,
    /// Presentation time at which the next frame is due; `None` before the first.
    due: Option<Duration>,
    /// All audio since the first frame, with the silence.
    total: Duration,
}

impl Timeline {
    pub(super) const fn new(limit: Duration) -> Self {
        Self { limit, due: None, total: Duration::ZERO }
    }

    /// Takes the next frame; returns the silence to play before it.
    ///
    /// `elapsed` is the time since the stream began, on our clock.
    pub(super) fn advance(&mut self, timestamp_ms: Option<u64>, length: Duration, elapsed: Duration) -> Duration {
        let at = timestamp_ms.map(Duration::from_millis);
        let (Some(at), Some(due)) = (at, self.due) else {
            self.due = at.or(self.due).map(|at| at.saturating_add(length));
            self.total = self.total.saturating_add(length);
            return Duration::ZERO;
        };
        let gap = at.saturating_sub(due);
        let hole = gap > JITTER;
        let silence = if hole { gap.min(self.limit).min(self.room(elapsed)) } else { Duration::ZERO };
        let start = if hole || due.saturating_sub(at) > REWIND { at } else { due };
        self.due = Some(start.saturating_add(length));
        self.total = self.total.saturating_add(silence).saturating_add(length);
        silence
    }

    /// What may be added before the audio runs ahead of the clock by more than the limit.
    fn room(&self, elapsed: Duration) -> Duration {
        elapsed.saturating_add(self.limit).saturating_sub(self.total)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FRAME: Duration = Duration::from_millis(20);
    const LIMIT: Duration = Duration::from_secs(10);

    /// Plays frames with these timestamps at no time at all; returns the silences in ms.
    fn check(timestamps: &[u64]) -> Vec<u128> {
        let mut timeline = Timeline::new(LIMIT);
        timestamps.iter().map(|at| timeline.advance(Some(*at), FRAME, Duration::ZERO).as_millis()).collect()
    }

    #[test]
    fn frames_on_time_or_with_jitter_leave_no_hole() {
        assert_eq!(check(&[65, 85, 105]), [0, 0, 0]);
        assert_eq!(check(&[0, 25, 38, 66, 80]), [0, 0, 0, 0, 0]);
    }

    #[test]
    fn one_lost_frame_is_20_ms_of_silence() {
        assert_eq!(check(&[0, 20, 60, 80]), [0, 0, 20, 0]);
    }

    #[test]
    fn a_late_timestamp_is_made_good_once() {
        assert_eq!(check(&[0, 45, 40, 60, 80, 100]), [0, 25, 0, 0, 0, 0]);
    }

    #[test]
    fn a_jump_back_starts_anew_and_a_jump_ahead_is_capped() {
        assert_eq!(check(&[60_000, 0, 20, 60]), [0, 0, 0, 20]);
        assert_eq!(check(&[0, 3_600_000, 3_600_020]), [0, 9_980, 0]);
        assert_eq!(check(&[0, u64::MAX, u64::MAX, 0]), [0, 9_980, 0, 0]);
    }

    #[test]
    fn a_frame_without_a_timestamp_keeps_the_clock_running() {
        let mut timeline = Timeline::new(LIMIT);
        for at in [Some(0), None, Some(40)] {
            assert_eq!(timeline.advance(at, FRAME, Duration::ZERO), Duration::ZERO);
        }
    }

    proptest! {
        #[test]
        fn silence_never_outgrows_the_clock(timestamps in prop::collection::vec((any::<u64>(), 0..200_u64), 1..200)) {
            let mut timeline = Timeline::new(LIMIT);
            let (mut elapsed, mut silence) = (Duration::ZERO, Duration::ZERO);
            for (at, wait) in timestamps {
                elapsed += Duration::from_millis(wait);
                silence += timeline.advance(Some(at), FRAME, elapsed);
                prop_assert!(silence <= elapsed + LIMIT);
            }
        }
    }
}
