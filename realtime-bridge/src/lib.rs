//! One call's audio between a telephone line and a realtime voice model.

pub mod audio;
pub mod media;
pub mod realtime;
