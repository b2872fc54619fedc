//! OpenAI Realtime, against a server on loopback that a test plays.

mod commands;
mod connect;
mod events;
mod server;
mod session;
mod wire;
