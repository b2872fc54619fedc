//! Servers that have calls, and commands between them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod conformance;
mod faults;
mod postgres;
mod serve;

use std::time::Duration;

const S: Duration = Duration::from_secs(1);
