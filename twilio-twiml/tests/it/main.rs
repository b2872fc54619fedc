//! What the crate promises, through its public doors.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

mod documents;
mod limits;
#[cfg(feature = "rest")]
mod rest;
#[cfg(feature = "parse")]
mod round_trip;
mod signature;
#[cfg(feature = "parse")]
mod table;
mod verifier;
mod webhooks;
