//! Audio on the wire: formats, frames, G.711 and resampling.
//!
//! - [`AudioFormat`], [`AudioFrame`]: what travels between a line and a model.
//! - [`Transcoder`]: from one format to another, frame by frame.
//! - [`g711`], [`Resampler`]: what it is made of.
//! - [`HoldTone`]: what the caller hears while a tool is slow.

mod base64;
mod format;
mod frame;
pub mod g711;
mod resample;
mod tone;
mod transcode;

#[cfg(feature = "twilio")]
pub(crate) use base64::is_base64;
pub use format::{AudioFormat, SampleRate};
pub use frame::{AudioFrame, FrameError};
pub use resample::Resampler;
pub use tone::HoldTone;
pub use transcode::Transcoder;
