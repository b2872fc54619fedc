//! The peers' clock: callers and model are one process, so that a frame's two ends read the same one.

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

/// Nanoseconds since the process first asked.
pub(crate) fn now() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = *START.get_or_init(instant);
    nanos(instant() - start)
}

/// A duration in nanoseconds.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).expect("shorter than 584 years")
}

/// A number of milliseconds in nanoseconds.
pub(crate) const fn ms(ms: u64) -> u64 {
    ms * 1_000_000
}

#[expect(clippy::disallowed_methods, reason = "a measurement of real time, outside any runtime")]
fn instant() -> Instant {
    Instant::now()
}
