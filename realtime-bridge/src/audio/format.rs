//! What a run of audio bytes means.

use std::{fmt, time::Duration};

/// Samples per second that a telephone line or a voice model speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SampleRate {
    /// 8,000 Hz: the telephone network.
    Hz8000,
    /// 16,000 Hz: wideband telephony, speech recognition and voice activity detection.
    Hz16000,
    /// 24,000 Hz: the PCM rate of voice models.
    Hz24000,
}

impl SampleRate {
    /// The rate in Hz.
    #[must_use]
    pub const fn hz(self) -> u32 {
        match self {
            Self::Hz8000 => 8_000,
            Self::Hz16000 => 16_000,
            Self::Hz24000 => 24_000,
        }
    }
}

/// The encoding and rate of mono audio.
///
/// Linear samples are signed 16-bit little-endian, as voice models and WAV files have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AudioFormat {
    /// G.711 μ-law, 8,000 Hz, one byte a sample: Twilio Media Streams, `audio/pcmu`.
    MuLaw,
    /// G.711 A-law, 8,000 Hz, one byte a sample: `audio/pcma`.
    ALaw,
    /// Linear 16-bit samples.
    Pcm16(SampleRate),
}

impl AudioFormat {
    /// Samples per second.
    #[must_use]
    pub const fn sample_rate(self) -> SampleRate {
        match self {
            Self::MuLaw | Self::ALaw => SampleRate::Hz8000,
            Self::Pcm16(rate) => rate,
        }
    }

    /// Bytes one sample takes.
    #[must_use]
    pub const fn bytes_per_sample(self) -> usize {
        match self {
            Self::MuLaw | Self::ALaw => 1,
            Self::Pcm16(_) => 2,
        }
    }

    /// Bytes one millisecond takes: 8 for G.711.
    #[must_use]
    pub const fn bytes_per_ms(self) -> usize {
        self.sample_rate().hz() as usize / 1_000 * self.bytes_per_sample()
    }

    /// How long `bytes` play, to the nanosecond, rounded down.
    #[must_use]
    pub const fn duration_of(self, bytes: usize) -> Duration {
        let samples = (bytes / self.bytes_per_sample()) as u64;
        let hz = self.sample_rate().hz() as u64;
        Duration::from_nanos(samples / hz * 1_000_000_000 + samples % hz * 1_000_000_000 / hz)
    }

    /// The bytes that `duration` takes, rounded down to a whole sample.
    #[must_use]
    pub fn bytes_in(self, duration: Duration) -> usize {
        let samples = duration.as_nanos() * u128::from(self.sample_rate().hz()) / 1_000_000_000;
        usize::try_from(samples).unwrap_or(usize::MAX / 2).saturating_mul(self.bytes_per_sample())
    }

    /// The byte that silence is made of: 0xFF in μ-law, 0xD5 in A-law, 0 in linear samples.
    #[must_use]
    pub const fn silence_byte(self) -> u8 {
        match self {
            Self::MuLaw => 0xFF,
            Self::ALaw => 0xD5,
            Self::Pcm16(_) => 0,
        }
    }
}

impl fmt::Display for AudioFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MuLaw => f.write_str("μ-law 8000 Hz"),
            Self::ALaw => f.write_str("A-law 8000 Hz"),
            Self::Pcm16(rate) => write!(f, "PCM16 {} Hz", rate.hz()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_telephone_frame_of_20_ms_is_160_bytes() {
        assert_eq!(AudioFormat::MuLaw.duration_of(160), Duration::from_millis(20));
        assert_eq!(AudioFormat::MuLaw.bytes_in(Duration::from_millis(20)), 160);
        assert_eq!(AudioFormat::Pcm16(SampleRate::Hz24000).bytes_in(Duration::from_millis(20)), 960);
        assert_eq!(AudioFormat::Pcm16(SampleRate::Hz24000).duration_of(961), Duration::from_millis(20));
    }
}
