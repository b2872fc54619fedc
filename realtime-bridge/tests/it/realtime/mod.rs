//! Voice models: in memory and over a loopback socket.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod memory;
#[cfg(feature = "openai")]
mod openai;
