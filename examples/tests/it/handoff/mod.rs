//! Callers and people, over sockets.

mod deaths;
mod outage;
mod races;
mod requests;
mod stories;
mod supervisors;
mod world;
