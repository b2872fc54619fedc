//! Behaviour of the crate, seen from outside.

mod media;
mod realtime;
