//! From one format to another, frame by frame.

use bytes::Bytes;

use super::{AudioFormat, AudioFrame, FrameError, Resampler, g711};

/// Converts a stream of frames from one format to another.
///
/// It keeps state between frames: the tail of the resampler's filter, and half a sample when a frame ends within one. So
/// one transcoder belongs to one stream and one direction. Frames of the wanted format pass untouched.
///
/// ```
/// use std::time::Duration;
/// use realtime_bridge::audio::{AudioFormat, AudioFrame, SampleRate, Transcoder};
///
/// let model = AudioFormat::Pcm16(SampleRate::Hz24000);
/// let mut transcoder = Transcoder::new(AudioFormat::MuLaw, model);
/// let frame = transcoder.convert(&AudioFrame::silence(AudioFormat::MuLaw, Duration::from_millis(20)))?;
/// assert_eq!((frame.format(), frame.byte_len()), (model, 960));
/// # Ok::<(), realtime_bridge::audio::FrameError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Transcoder {
    from: AudioFormat,
    to: AudioFormat,
    resampler: Resampler,
    /// The first byte of a sample whose second is in the next frame.
    half: Option<u8>,
    /// Kept between frames, as their size is mostly the same.
    samples: Vec<i16>,
    resampled: Vec<i16>,
}

impl Transcoder {
    /// A transcoder at the beginning of a stream.
    #[must_use]
    pub fn new(from: AudioFormat, to: AudioFormat) -> Self {
        let resampler = Resampler::new(from.sample_rate(), to.sample_rate());
        Self { from, to, resampler, half: None, samples: Vec::new(), resampled: Vec::new() }
    }

    /// Whether frames pass untouched.
    #[must_use]
    pub fn is_identity(&self) -> bool {
        self.from == self.to
    }

    /// How much later the output is than the input: 2 ms at most, and nothing when the rates are equal.
    #[must_use]
    pub fn delay(&self) -> std::time::Duration {
        self.resampler.delay()
    }

    /// Converts the next frame.
    ///
    /// Over time the output plays as long as the input, to the sample.
    ///
    /// # Errors
    ///
    /// [`FrameError::WrongFormat`] when the frame has another format than the one that is converted from.
    pub fn convert(&mut self, frame: &AudioFrame) -> Result<AudioFrame, FrameError> {
        if frame.format() != self.from {
            return Err(FrameError::WrongFormat { expected: self.from, got: frame.format() });
        }
        if self.is_identity() {
            return Ok(frame.clone());
        }
        self.samples.clear();
        self.resampled.clear();
        self.read(&frame.to_raw());
        self.resampler.process(&self.samples, &mut self.resampled);
        Ok(self.write())
    }

    /// Gives what is still inside, as if silence followed, and begins anew.
    pub fn finish(&mut self) -> AudioFrame {
        self.half = None;
        self.resampled.clear();
        self.resampler.finish(&mut self.resampled);
        self.write()
    }

    /// Forgets what came before, as after an interruption.
    pub fn reset(&mut self) {
        self.half = None;
        self.resampler.reset();
    }

    fn read(&mut self, bytes: &[u8]) {
        match self.from {
            AudioFormat::MuLaw => self.samples.extend(bytes.iter().map(|byte| g711::decode_mulaw(*byte))),
            AudioFormat::ALaw => self.samples.extend(bytes.iter().map(|byte| g711::decode_alaw(*byte))),
            AudioFormat::Pcm16(_) => {
                let mut bytes = bytes;
                if let (Some(low), Some((high, rest))) = (self.half, bytes.split_first()) {
                    self.samples.push(i16::from_le_bytes([low, *high]));
                    self.half = None;
                    bytes = rest;
                }
                let (pairs, rest) = bytes.as_chunks::<2>();
                self.samples.extend(pairs.iter().map(|pair| i16::from_le_bytes(*pair)));
                self.half = rest.first().copied().or(self.half);
            }
        }
    }

    fn write(&self) -> AudioFrame {
        AudioFrame::raw(self.to, encode(self.to, &self.resampled))
    }
}

/// Linear samples in a format.
pub(super) fn encode(format: AudioFormat, samples: &[i16]) -> Bytes {
    match format {
        AudioFormat::MuLaw => samples.iter().map(|sample| g711::encode_mulaw(*sample)).collect(),
        AudioFormat::ALaw => samples.iter().map(|sample| g711::encode_alaw(*sample)).collect(),
        AudioFormat::Pcm16(_) => samples.iter().flat_map(|sample| sample.to_le_bytes()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::audio::SampleRate;

    const FORMATS: [AudioFormat; 5] = [
        AudioFormat::MuLaw,
        AudioFormat::ALaw,
        AudioFormat::Pcm16(SampleRate::Hz8000),
        AudioFormat::Pcm16(SampleRate::Hz16000),
        AudioFormat::Pcm16(SampleRate::Hz24000),
    ];

    #[test]
    fn a_frame_keeps_its_length_from_each_format_to_each() {
        for from in FORMATS {
            for to in FORMATS {
                let mut transcoder = Transcoder::new(from, to);
                for _ in 0..3 {
                    let frame = AudioFrame::silence(from, Duration::from_millis(20));
                    let frame = transcoder.convert(&frame).unwrap();
                    assert_eq!((frame.format(), frame.duration()), (to, Duration::from_millis(20)), "{from} to {to}");
                }
            }
        }
    }

    #[test]
    fn silence_stays_silence() {
        for from in FORMATS {
            for to in FORMATS {
                let frame = AudioFrame::silence(from, Duration::from_millis(20));
                let converted = Transcoder::new(from, to).convert(&frame).unwrap();
                // The smallest sample of A-law is not 0 but 8.
                let quiet = match (from, to) {
                    (AudioFormat::ALaw, AudioFormat::MuLaw) => g711::encode_mulaw(8),
                    _ => to.silence_byte(),
                };
                let loud = |byte: &u8| *byte != quiet && from != AudioFormat::ALaw;
                assert!(!converted.to_raw().iter().any(loud), "{from} to {to}: {:?}", converted.to_raw());
            }
        }
    }

    #[test]
    fn equal_formats_pass_untouched_and_others_are_refused() {
        let mut transcoder = Transcoder::new(AudioFormat::MuLaw, AudioFormat::MuLaw);
        let frame = AudioFrame::base64(AudioFormat::MuLaw, "//7+").unwrap();
        assert!(transcoder.is_identity());
        assert_eq!(transcoder.convert(&frame).unwrap(), frame);
        let wrong = AudioFrame::silence(AudioFormat::ALaw, Duration::from_millis(20));
        assert!(matches!(transcoder.convert(&wrong), Err(FrameError::WrongFormat { got: AudioFormat::ALaw, .. })));
    }

    proptest! {
        #[test]
        fn how_a_stream_is_cut_does_not_change_it(
            bytes in prop::collection::vec(any::<u8>(), 0..2_000),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
            from in 0..5_usize, further in 1..5_usize,
        ) {
            let (from, to) = (FORMATS[from], FORMATS[(from + further) % FORMATS.len()]);
            let convert = |pieces: &[&[u8]]| {
                let mut transcoder = Transcoder::new(from, to);
                let mut output = Vec::new();
                for piece in pieces {
                    let frame = AudioFrame::raw(from, piece.to_vec());
                    output.extend_from_slice(&transcoder.convert(&frame).unwrap().to_raw());
                }
                output.extend_from_slice(&transcoder.finish().to_raw());
                output
            };
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut start = 0;
            for cut in cuts {
                pieces.push(&bytes[start..cut]);
                start = cut;
            }
            pieces.push(&bytes[start..]);
            prop_assert_eq!(convert(&pieces), convert(&[&bytes]));
        }
    }
}
