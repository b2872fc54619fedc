//! OpenAI Realtime, against a server on loopback that a test plays.

mod commands;
#[cfg(feature = "conformance")]
mod conformance;
mod connect;
mod events;
mod server;
mod session;
mod sip;
mod tls;
mod webhook;
mod wire;
