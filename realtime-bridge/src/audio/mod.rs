//! Audio on the wire: formats, frames, G.711 and resampling.

mod format;
mod frame;

pub use format::{AudioFormat, SampleRate};
pub use frame::{AudioFrame, FrameError};
