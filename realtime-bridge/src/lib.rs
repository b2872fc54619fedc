//! One call's audio between a telephone line and a realtime voice model.

pub mod audio;
pub mod bridge;
pub mod media;
pub mod realtime;
pub mod relay;
pub mod tool;
