//! Calling people, over sockets: fifty at once, and servers that die in the middle.

pub(crate) mod balancer;
mod fates;
mod led;
mod outlives;
mod world;
