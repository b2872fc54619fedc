//! Callers and people, over sockets.

mod deaths;
mod outage;
mod notes;
mod races;
mod requests;
mod stories;
mod recording;
mod supervisors;
mod world;
