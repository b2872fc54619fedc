//! How long the benches measure.

use std::time::Duration;

use criterion::Criterion;

/// Short, so that all of them are run while one waits. Between runs the numbers move by some percent: compare the two
/// sides of a decision in one run.
pub(crate) fn config() -> Criterion {
    Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(2))
}
