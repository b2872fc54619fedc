//! A run of audio as it came: base64 text or raw bytes, converted only when somebody asks.

use std::{fmt, time::Duration};

use base64::{
    Engine, alphabet,
    engine::general_purpose::{GeneralPurpose, PAD, STANDARD},
};
use bytes::Bytes;

use super::AudioFormat;

/// Text that is not the base64 of whole samples.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A byte outside the standard base64 alphabet, or wrong padding.
    #[error("audio payload is not standard base64 ({length} characters)")]
    NotBase64 {
        /// Length of the refused text in bytes.
        length: usize,
    },
}

/// Takes all that [`is_base64`] accepts.
const LENIENT: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, PAD.with_decode_allow_trailing_bits(true));

/// A run of audio in one format, of any length.
///
/// A frame that came as base64 stays base64 until somebody asks for its bytes, so that a telephone line and a voice
/// model which speak the same format never pay for decoding. Cloning is cheap: the payload is shared.
#[derive(Clone, PartialEq, Eq)]
pub struct AudioFrame {
    format: AudioFormat,
    payload: Payload,
}

#[derive(Clone, PartialEq, Eq)]
enum Payload {
    Raw(Bytes),
    /// Valid standard base64 with padding, which is ASCII.
    Base64(Bytes),
}

impl AudioFrame {
    /// A frame of raw bytes.
    #[must_use]
    pub fn raw(format: AudioFormat, bytes: impl Into<Bytes>) -> Self {
        Self { format, payload: Payload::Raw(bytes.into()) }
    }

    /// A frame of standard, padded base64 text.
    ///
    /// # Errors
    ///
    /// [`FrameError::NotBase64`] when the text has a character outside the alphabet, a wrong length or wrong padding.
    pub fn base64(format: AudioFormat, text: impl Into<Bytes>) -> Result<Self, FrameError> {
        let text = text.into();
        if is_base64(&text) {
            Ok(Self { format, payload: Payload::Base64(text) })
        } else {
            Err(FrameError::NotBase64 { length: text.len() })
        }
    }

    /// A frame of text that [`is_base64`] has accepted.
    pub(crate) fn from_checked_base64(format: AudioFormat, text: Bytes) -> Self {
        debug_assert!(is_base64(&text), "the caller has checked");
        Self { format, payload: Payload::Base64(text) }
    }

    /// Silence of the given length, rounded down to a whole sample.
    #[must_use]
    pub fn silence(format: AudioFormat, duration: Duration) -> Self {
        Self::raw(format, vec![format.silence_byte(); format.bytes_in(duration)])
    }

    /// Encoding and rate.
    #[must_use]
    pub const fn format(&self) -> AudioFormat {
        self.format
    }

    /// Length in raw bytes, without decoding.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        match &self.payload {
            Payload::Raw(bytes) => bytes.len(),
            Payload::Base64(text) => {
                let padding = text.iter().rev().take_while(|b| **b == b'=').count();
                text.len() / 4 * 3 - padding
            }
        }
    }

    /// Whether the frame holds no audio.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.byte_len() == 0
    }

    /// How long the frame plays.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.format.duration_of(self.byte_len())
    }

    /// The raw bytes; decodes a frame that came as base64.
    #[must_use]
    pub fn to_raw(&self) -> Bytes {
        match &self.payload {
            Payload::Raw(bytes) => bytes.clone(),
            Payload::Base64(text) => LENIENT.decode(text).expect("checked when the frame was made").into(),
        }
    }

    /// Appends the standard base64 of the audio; copies a frame that came as base64.
    pub fn push_base64(&self, out: &mut String) {
        match &self.payload {
            Payload::Raw(bytes) => STANDARD.encode_string(bytes, out),
            Payload::Base64(text) => out.push_str(std::str::from_utf8(text).expect("base64 is ASCII")),
        }
    }

    /// Bytes of base64 text that [`AudioFrame::push_base64`] writes.
    #[must_use]
    pub fn base64_len(&self) -> usize {
        match &self.payload {
            Payload::Raw(bytes) => bytes.len().div_ceil(3) * 4,
            Payload::Base64(text) => text.len(),
        }
    }
}

impl fmt::Debug for AudioFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.payload {
            Payload::Raw(_) => "raw",
            Payload::Base64(_) => "base64",
        };
        write!(f, "AudioFrame({}, {:?}, {kind})", self.format, self.duration())
    }
}

/// Whether text is standard, padded base64. Trailing bits may be set, as some encoders leave them.
pub(crate) fn is_base64(text: &[u8]) -> bool {
    let padding = text.iter().rev().take(2).take_while(|b| **b == b'=').count();
    let body = &text[..text.len() - padding];
    text.len().is_multiple_of(4)
        && body.iter().fold(true, |ok, b| ok & (b.is_ascii_alphanumeric() | (*b == b'+') | (*b == b'/')))
}
