//! What the caller hears while something takes its time.

use std::{f64::consts::TAU, time::Duration};

use super::{AudioFormat, AudioFrame, transcode::encode};

/// Two soft notes and a pause, again and again. Quiet enough that a caller's voice, or speech of the model after it, is not
/// covered, and often enough that nobody takes the line for dead: the pause is under a second, also because it adds to what a
/// caller waits who is moved in the middle of it.
const CYCLE: Duration = Duration::from_millis(1_400);
/// Start in ms, pitch in Hz: C5 and E5, which a telephone carries well.
const NOTES: [(u32, f64); 2] = [(0, 523.25), (280, 659.26)];
/// Length of a note in ms.
const NOTE: u32 = 260;
/// Rise and fall of a note in ms, so that it does not click.
const EDGE: f64 = 60.0;
/// 26 dB below the loudest sample.
const LEVEL: f64 = 0.05 * 32_767.0;

/// A soft hold tone that goes on for as long as it is asked.
///
/// ```
/// use std::time::Duration;
/// use realtime_bridge::audio::{AudioFormat, HoldTone};
///
/// let mut tone = HoldTone::new(AudioFormat::MuLaw);
/// let frame = tone.next(Duration::from_millis(20));
/// assert_eq!(frame.byte_len(), 160);
/// ```
#[derive(Debug, Clone)]
pub struct HoldTone {
    format: AudioFormat,
    /// Samples since the cycle began.
    position: u32,
}

impl HoldTone {
    /// A tone that begins with its first note.
    #[must_use]
    pub const fn new(format: AudioFormat) -> Self {
        Self { format, position: 0 }
    }

    /// The next part of it, rounded down to a whole sample.
    #[must_use]
    pub fn next(&mut self, duration: Duration) -> AudioFrame {
        let hz = self.format.sample_rate().hz();
        let cycle = u32::try_from(CYCLE.as_millis()).expect("a cycle is some seconds") * (hz / 1_000);
        let count = self.format.bytes_in(duration) / self.format.bytes_per_sample();
        let samples: Vec<i16> = (0..count)
            .map(|_| {
                let sample = sample(f64::from(self.position) * 1_000.0 / f64::from(hz));
                self.position = (self.position + 1) % cycle;
                sample
            })
            .collect();
        AudioFrame::raw(self.format, encode(self.format, &samples))
    }
}

/// The sample at a time in ms from the start of the cycle.
#[expect(clippy::cast_possible_truncation, reason = "the level is far below the loudest sample")]
fn sample(at: f64) -> i16 {
    let sum: f64 = NOTES
        .iter()
        .map(|(start, pitch)| {
            let since = at - f64::from(*start);
            let left = f64::from(NOTE) - since;
            let edge = (since.min(left) / EDGE).clamp(0.0, 1.0);
            let loudness = edge * edge * (3.0 - 2.0 * edge);
            loudness * (TAU * pitch * since / 1_000.0).sin()
        })
        .sum();
    (sum * LEVEL) as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::{SampleRate, Transcoder};

    fn samples(format: AudioFormat, frames: u32) -> Vec<i16> {
        let linear = AudioFormat::Pcm16(format.sample_rate());
        let (mut tone, mut transcoder) = (HoldTone::new(format), Transcoder::new(format, linear));
        let mut samples = Vec::new();
        for _ in 0..frames {
            let frame = transcoder.convert(&tone.next(Duration::from_millis(20))).unwrap();
            samples.extend(frame.to_raw().as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair)));
        }
        samples
    }

    #[test]
    fn it_is_soft_without_clicks_and_never_ends() {
        for format in [AudioFormat::MuLaw, AudioFormat::ALaw, AudioFormat::Pcm16(SampleRate::Hz24000)] {
            let samples = samples(format, 140);
            let loudest = samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
            assert!((1_400..1_800).contains(&loudest), "{format}: {loudest}");
            // The steepest slope of the higher note: 2π · 659 Hz · level / rate, and G.711's coarse steps.
            let steepest = samples.windows(2).map(|pair| pair[0].abs_diff(pair[1])).max().unwrap();
            assert!(steepest < 950, "{format}: {steepest}");
            let (first, second) = samples.split_at(samples.len() / 2);
            assert_eq!(first, second, "a cycle is like the other");
        }
    }

    #[test]
    fn most_of_a_cycle_is_quiet_and_no_pause_is_as_long_as_a_second() {
        // A cycle has 70 frames.
        let samples = samples(AudioFormat::Pcm16(SampleRate::Hz8000), 140);
        let quiet = samples.iter().filter(|sample| **sample == 0).count();
        assert!(quiet * 2 > samples.len(), "{quiet} of {}", samples.len());
        let pauses = samples.split(|sample| *sample != 0).map(<[i16]>::len);
        let longest = pauses.max().unwrap() / 8;
        assert!((700..1_000).contains(&longest), "{longest} ms");
    }
}
