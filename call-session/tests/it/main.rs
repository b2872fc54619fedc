//! Tests of call-session through its public doors.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod attach;
mod call;
mod directory;
mod handoff;
mod hardship;
mod json;
mod live;
mod recorder;
mod store;
mod update;
