//! Behaviour of the crate, seen from outside.

mod audio;
mod media;
mod realtime;
