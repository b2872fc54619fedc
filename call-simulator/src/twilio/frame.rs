//! The unit of a telephone line: 20 ms of μ-law, 160 bytes.

use std::time::Duration;

/// How long a frame plays.
pub(crate) const FRAME: Duration = Duration::from_millis(20);

/// Bytes of a frame: 8 a millisecond.
pub(crate) const FRAME_BYTES: usize = 160;

/// The μ-law byte that silence is made of.
pub(crate) const SILENCE: u8 = 0xFF;

/// 20 ms of μ-law.
pub(crate) type Frame = [u8; FRAME_BYTES];

/// A frame without a sound.
pub(crate) const SILENT: Frame = [SILENCE; FRAME_BYTES];

/// Frames that `duration` takes, rounded up.
pub(crate) fn frames_in(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(FRAME.as_nanos())).unwrap_or(u64::MAX)
}

/// Where the frame `index` begins, counted from the first.
pub(crate) fn start_of(index: u64) -> Duration {
    Duration::from_millis(index.saturating_mul(20))
}

/// Bytes of μ-law that play so long.
pub(crate) fn bytes_in(duration: Duration) -> usize {
    usize::try_from(duration.as_millis()).unwrap_or(usize::MAX / 8) * 8
}
