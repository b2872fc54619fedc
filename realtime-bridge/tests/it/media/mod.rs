//! The line: its contract, and each implementation of it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[cfg(feature = "conformance")]
mod conformance;
mod memory;
#[cfg(feature = "twilio")]
mod twilio;
#[cfg(feature = "twilio")]
mod twilio_peer;
#[cfg(feature = "upgrade")]
mod twilio_upgrade;
#[cfg(feature = "twilio")]
mod twilio_wire;
