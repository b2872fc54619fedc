//! Recorded speech, WAV files, levels and voice activity: what both sides of a simulated call need.

pub mod codec;
pub mod energy;
pub mod fixtures;
pub mod wav;
