//! Voice models: in memory and over a loopback socket.

mod memory;
#[cfg(feature = "openai")]
mod openai;
