//! Audio on the wire: formats, frames, G.711 and resampling.

mod format;
mod frame;

pub use format::{AudioFormat, SampleRate};
pub(crate) use frame::is_base64;
pub use frame::{AudioFrame, FrameError};
