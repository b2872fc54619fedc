//! Callers and people, over sockets.

mod deaths;
mod outage;
mod requests;
mod stories;
mod supervisors;
mod world;
