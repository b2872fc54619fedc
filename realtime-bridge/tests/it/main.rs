//! Behaviour of the crate, seen from outside.

mod audio;
mod bridge;
mod media;
mod realtime;
