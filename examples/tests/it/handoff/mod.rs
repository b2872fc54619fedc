//! Callers and people, over sockets.

mod deaths;
mod requests;
mod stories;
mod world;
