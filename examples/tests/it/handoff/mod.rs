//! Callers and people, over sockets.

mod company;
mod deaths;
mod notes;
mod outage;
mod races;
mod recording;
mod requests;
mod stories;
mod supervisors;
mod world;
