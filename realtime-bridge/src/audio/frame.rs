//! A run of audio as it came: base64 text or raw bytes, converted only when somebody asks.

use std::{fmt, time::Duration};

use bytes::Bytes;

use super::{
    AudioFormat,
    base64::{self, is_base64},
};

/// Why audio is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A byte outside the standard base64 alphabet, or wrong padding.
    #[error("audio payload is not standard base64 ({length} characters)")]
    NotBase64 {
        /// Length of the refused text in bytes.
        length: usize,
    },
    /// Audio in another format than the one that is converted from.
    #[error("{expected} was to be converted, not {got}")]
    WrongFormat {
        /// The format that is converted from.
        expected: AudioFormat,
        /// The format of the refused frame.
        got: AudioFormat,
    },
}

/// Bytes of silence that are always at hand: one second of G.711.
const SILENCE: usize = 8_000;
static MULAW_SILENCE: [u8; SILENCE] = [AudioFormat::MuLaw.silence_byte(); SILENCE];
static ALAW_SILENCE: [u8; SILENCE] = [AudioFormat::ALaw.silence_byte(); SILENCE];
static PCM_SILENCE: [u8; SILENCE] = [0; SILENCE];

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
    #[cfg(feature = "twilio")]
    pub(crate) fn from_checked_base64(format: AudioFormat, text: Bytes) -> Self {
        debug_assert!(is_base64(&text), "the caller has checked");
        Self { format, payload: Payload::Base64(text) }
    }

    /// The bytes as they came, and whether they are base64.
    pub(crate) fn payload(&self) -> (&[u8], bool) {
        match &self.payload {
            Payload::Raw(bytes) => (bytes, false),
            Payload::Base64(text) => (text, true),
        }
    }

    /// What [`AudioFrame::payload`] gave.
    pub(crate) const fn from_payload(format: AudioFormat, bytes: Bytes, base64: bool) -> Self {
        Self { format, payload: if base64 { Payload::Base64(bytes) } else { Payload::Raw(bytes) } }
    }

    /// Silence of the given length, rounded down to a whole sample. Up to a second of G.711 needs no memory.
    #[must_use]
    pub fn silence(format: AudioFormat, duration: Duration) -> Self {
        let length = format.bytes_in(duration);
        let ready = match format {
            AudioFormat::MuLaw => &MULAW_SILENCE,
            AudioFormat::ALaw => &ALAW_SILENCE,
            AudioFormat::Pcm16(_) => &PCM_SILENCE,
        };
        match ready.get(..length) {
            Some(bytes) => Self::raw(format, Bytes::from_static(bytes)),
            None => Self::raw(format, vec![format.silence_byte(); length]),
        }
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
            Payload::Base64(text) => base64::decode(text).into(),
        }
    }

    /// Appends the standard base64 of the audio; copies a frame that came as base64.
    pub fn push_base64(&self, out: &mut String) {
        match &self.payload {
            Payload::Raw(bytes) => base64::encode(bytes, out),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::SampleRate;

    #[test]
    fn a_frame_is_the_same_audio_in_both_dresses() {
        for length in [0, 1, 2, 3, 160, 161, 162] {
            let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(length).collect();
            let raw = AudioFrame::raw(AudioFormat::MuLaw, bytes.clone());
            let mut text = String::new();
            raw.push_base64(&mut text);
            let encoded = AudioFrame::base64(AudioFormat::MuLaw, text.clone()).unwrap();
            assert_eq!(encoded.to_raw(), bytes);
            assert_eq!((encoded.byte_len(), encoded.base64_len()), (raw.byte_len(), raw.base64_len()));
            assert_eq!((encoded.duration(), encoded.is_empty()), (raw.duration(), length == 0));
            let mut again = String::new();
            encoded.push_base64(&mut again);
            assert_eq!(again, text);
        }
    }

    #[test]
    fn text_that_is_not_base64_is_refused_with_its_length() {
        let error = AudioFrame::base64(AudioFormat::MuLaw, "//7+\"").unwrap_err();
        assert_eq!(error, FrameError::NotBase64 { length: 5 });
    }

    #[test]
    fn silence_has_the_length_asked_for_in_each_format() {
        for format in [AudioFormat::MuLaw, AudioFormat::ALaw, AudioFormat::Pcm16(SampleRate::Hz24000)] {
            for ms in [0, 20, 1_000, 10_000] {
                let silence = AudioFrame::silence(format, Duration::from_millis(ms));
                assert_eq!(silence.duration(), Duration::from_millis(ms));
                assert!(silence.to_raw().iter().all(|byte| *byte == format.silence_byte()));
            }
        }
    }
}
