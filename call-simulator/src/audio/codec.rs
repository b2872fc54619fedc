//! Between the bytes on the wire and linear samples.

use audio_codec_algorithms::{decode_alaw, decode_ulaw, encode_alaw, encode_ulaw};
use realtime_bridge::audio::{AudioFormat, SampleRate};

/// Linear 16-bit samples at the format's own rate. A trailing half sample is left out.
#[must_use]
pub fn decode(format: AudioFormat, bytes: &[u8]) -> Vec<i16> {
    match format {
        AudioFormat::MuLaw => bytes.iter().map(|byte| decode_ulaw(*byte)).collect(),
        AudioFormat::ALaw => bytes.iter().map(|byte| decode_alaw(*byte)).collect(),
        AudioFormat::Pcm16(_) => bytes.as_chunks().0.iter().map(|sample| i16::from_le_bytes(*sample)).collect(),
    }
}

/// The bytes of linear 16-bit samples, which must already have the format's rate.
#[must_use]
pub fn encode(format: AudioFormat, samples: &[i16]) -> Vec<u8> {
    match format {
        AudioFormat::MuLaw => samples.iter().map(|sample| encode_ulaw(*sample)).collect(),
        AudioFormat::ALaw => samples.iter().map(|sample| encode_alaw(*sample)).collect(),
        AudioFormat::Pcm16(_) => samples.iter().flat_map(|sample| sample.to_le_bytes()).collect(),
    }
}

/// μ-law at 8,000 Hz, as recordings are kept, in the format a party speaks.
///
/// Higher rates are interpolated linearly: good enough to be understood and measured, not to judge a resampler by.
#[must_use]
pub fn from_mulaw(format: AudioFormat, mulaw: &[u8]) -> Vec<u8> {
    if format == AudioFormat::MuLaw {
        return mulaw.to_vec();
    }
    let samples = decode(AudioFormat::MuLaw, mulaw);
    match format.sample_rate() {
        SampleRate::Hz8000 => encode(format, &samples),
        SampleRate::Hz16000 => encode(format, &interpolate(&samples, 2)),
        SampleRate::Hz24000 => encode(format, &interpolate(&samples, 3)),
    }
}

fn interpolate(samples: &[i16], factor: i16) -> Vec<i16> {
    let mut out = Vec::with_capacity(samples.len() * usize::try_from(factor).unwrap_or(1));
    for (at, &from) in samples.iter().enumerate() {
        let to = samples.get(at + 1).copied().unwrap_or(from);
        for step in 0..factor {
            let step = i32::from(to).saturating_sub(i32::from(from)) * i32::from(step) / i32::from(factor);
            out.push(i16::try_from(i32::from(from) + step).expect("between two samples"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const PCM_24K: AudioFormat = AudioFormat::Pcm16(SampleRate::Hz24000);

    #[test]
    fn silence_of_every_format_decodes_to_almost_nothing() {
        for format in [AudioFormat::MuLaw, AudioFormat::ALaw, PCM_24K] {
            let silence = vec![format.silence_byte(); 320];
            assert!(decode(format, &silence).iter().all(|sample| sample.abs() <= 8), "{format}");
        }
    }

    #[test]
    fn telephone_speech_keeps_its_length_and_its_samples_at_a_higher_rate() {
        let mulaw: Vec<u8> = (0..=255).collect();
        let pcm = decode(PCM_24K, &from_mulaw(PCM_24K, &mulaw));
        assert_eq!(pcm.len(), 3 * mulaw.len());
        let kept: Vec<i16> = pcm.iter().step_by(3).copied().collect();
        assert_eq!(kept, decode(AudioFormat::MuLaw, &mulaw));
    }

    #[test]
    fn half_a_sample_at_the_end_is_left_out() {
        assert_eq!(decode(PCM_24K, &[1, 0, 2]), [1]);
    }
}
