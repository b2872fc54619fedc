//! Recognises a recording in what is heard, by the rise and fall of its level.
//!
//! Not sample by sample: on its way the audio may have been encoded anew, resampled, or cut into other frames.

use realtime_bridge::audio::AudioFormat;

use super::frame::Frame;
use crate::audio::{codec, energy};

/// Samples of one level: 10 ms.
const STEP: usize = 80;

/// Levels of a recording's end by which it is known: three seconds. Several recordings end with the same sentence.
const KNOWN_BY: usize = 300;

/// Levels at the very end that may be missing: a resampler holds the last samples back until more follow.
const HELD_BACK: usize = 5;

/// Positions within a step at which a recording may begin, so that frames need not be cut as the recording was.
const OFFSETS: usize = 4;

/// Below this nobody is heard, in dB below full scale. All that is quieter counts as equal.
const FLOOR_DBFS: f64 = -45.0;

/// How alike the levels have to be, from -1 to 1. Recordings of the catalogue that last a second are above 0.95
/// in themselves and below 0.85 in each other.
const ALIKE: f64 = 0.9;

/// Levels that are kept: a minute.
const KEPT: usize = 6_000;

/// What is listened for: how a recording ends.
#[derive(Debug, Clone)]
pub(super) struct Phrase {
    /// At each offset the last levels, with a mean of zero and a length of one.
    endings: Vec<Vec<f64>>,
}

impl Phrase {
    pub(super) fn new(mulaw: &[u8]) -> Self {
        let samples = codec::decode(AudioFormat::MuLaw, mulaw);
        let endings = (0..OFFSETS).filter_map(|offset| {
            let mut levels: Vec<_> = samples.get(offset * STEP / OFFSETS..)?.chunks_exact(STEP).map(level).collect();
            let audible = |level: &f64| *level > FLOOR_DBFS;
            levels.truncate((levels.iter().rposition(audible)? + 1).saturating_sub(HELD_BACK));
            levels.truncate(levels.iter().rposition(audible)? + 1);
            normal(&levels[levels.len().saturating_sub(KNOWN_BY)..])
        });
        Self { endings: endings.collect() }
    }

    /// How much these levels end as the recording does, from -1 to 1.
    fn alike(&self, levels: &[f64]) -> f64 {
        let endings = self.endings.iter().map(|ending| {
            let Some(begin) = levels.len().checked_sub(ending.len()) else { return 0.0 };
            let (window, mut product) = (&levels[begin..], 0.0);
            for (level, expected) in window.iter().zip(ending) {
                product += level * expected;
            }
            product / spread(window).1.max(1.0)
        });
        // A recording ends with a sound.
        if levels.last().is_some_and(|level| *level > FLOOR_DBFS) { endings.fold(0.0, f64::max) } else { 0.0 }
    }
}

/// What was heard since somebody last forgot it.
#[derive(Debug, Default)]
pub(super) struct Ear {
    levels: Vec<f64>,
    /// So many of them were searched for the end of what is listened for.
    searched: usize,
}

impl Ear {
    pub(super) fn hear(&mut self, frame: &Frame) {
        self.levels.extend(codec::decode(AudioFormat::MuLaw, frame).chunks_exact(STEP).map(level));
        if self.levels.len() > KEPT {
            self.levels.drain(..KEPT / 2);
            self.searched = self.searched.saturating_sub(KEPT / 2);
        }
    }

    /// Whether the phrase ends in what was heard since the last search, which was for the same one.
    pub(super) fn search(&mut self, phrase: &Phrase) -> bool {
        let from = std::mem::replace(&mut self.searched, self.levels.len());
        (from..self.levels.len()).any(|end| phrase.alike(&self.levels[..=end]) > ALIKE)
    }

    pub(super) fn forget(&mut self) {
        self.levels.clear();
        self.searched = 0;
    }
}

fn level(samples: &[i16]) -> f64 {
    energy::level_dbfs(samples).max(FLOOR_DBFS)
}

/// The levels with a mean of zero and a length of one, so that loudness does not matter; `None` when they are all equal.
fn normal(levels: &[f64]) -> Option<Vec<f64>> {
    let (mean, length) = spread(levels);
    (length > 1.0).then(|| levels.iter().map(|level| (level - mean) / length).collect())
}

/// The mean of the levels, and how far they are from it: the length of all differences.
fn spread(levels: &[f64]) -> (f64, f64) {
    let (mut sum, mut squares) = (0.0, 0.0);
    for level in levels {
        sum += level;
        squares += level * level;
    }
    #[expect(clippy::cast_precision_loss, reason = "a second has a hundred levels")]
    let count = levels.len().max(1) as f64;
    let mean = sum / count;
    (mean, (squares - mean * sum).max(0.0).sqrt())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use realtime_bridge::audio::{AudioFrame, SampleRate, Transcoder};

    use super::*;
    use crate::{
        audio::fixtures::{ALL, Speaker, Speech, ja},
        twilio::frame::{FRAME_BYTES, SILENCE},
    };

    fn voices() -> impl Iterator<Item = Speech> + Clone {
        ALL.iter().copied().filter(|speech| speech.speaker != Speaker::Noise)
    }

    /// What is heard of the audio when it begins that much later than a frame.
    fn ear(audio: &[u8], later: usize) -> Ear {
        let (mut ear, line) = (Ear::default(), [&vec![SILENCE; 8_000 + later][..], audio, &[SILENCE; 8_000]].concat());
        line.as_chunks::<FRAME_BYTES>().0.iter().for_each(|frame| ear.hear(frame));
        ear
    }

    /// How much alike the phrase and what was heard are at most, and how many levels of it were heard then.
    fn found(phrase: &Phrase, ear: &Ear) -> (f64, usize) {
        let alike = (1..=ear.levels.len()).map(|heard| (phrase.alike(&ear.levels[..heard]), heard));
        alike.max_by(|one, other| one.0.total_cmp(&other.0)).unwrap()
    }

    #[test]
    fn every_recording_is_known_at_its_end() {
        for speech in voices() {
            for later in [0, 33, 90, 150] {
                let (alike, at) = found(&Phrase::new(speech.mulaw), &ear(speech.mulaw, later));
                let end = (8_000 + later + speech.mulaw.len()) / STEP;
                assert!(alike > 0.95, "{}: {alike}", speech.name);
                assert!(at <= end && at + 60 > end, "{}: {at} of {end}", speech.name);
            }
        }
    }

    #[test]
    fn no_recording_is_mistaken_for_another() {
        for speech in voices() {
            let ear = ear(speech.mulaw, 0);
            let others = voices().filter(|other| other.language == speech.language);
            // Who ends with the very words has said them.
            let others = others.filter(|other| !speech.transcript.ends_with(other.transcript));
            for other in others.filter(|other| other.duration().as_secs() > 0) {
                let mut phrase = Phrase::new(other.mulaw);
                // The other beginnings differ by less than a pitch.
                phrase.endings.truncate(1);
                let (alike, _) = found(&phrase, &ear);
                assert!(alike < 0.85, "{} in {}: {alike}", other.name, speech.name);
            }
        }
    }

    #[test]
    fn a_recording_is_known_after_a_model_that_speaks_at_another_rate() {
        let pcm = AudioFormat::Pcm16(SampleRate::Hz24000);
        for speech in voices() {
            let sent = AudioFrame::raw(pcm, Bytes::from(codec::from_mulaw(pcm, speech.mulaw)));
            let heard = Transcoder::new(pcm, AudioFormat::MuLaw).convert(&sent).unwrap().to_raw();
            let (alike, _) = found(&Phrase::new(speech.mulaw), &ear(&heard, 70));
            assert!(alike > 0.95, "{}: {alike}", speech.name);
        }
    }

    #[test]
    fn what_is_cut_off_was_not_heard() {
        let cut = &ja::AGENT_SLOT.mulaw[..ja::AGENT_SLOT.mulaw.len() - 4_000];
        let (alike, _) = found(&Phrase::new(ja::AGENT_SLOT.mulaw), &ear(cut, 0));
        assert!(alike < 0.85, "{alike}");
    }

    #[test]
    fn silence_is_no_phrase() {
        assert!(Phrase::new(&[SILENCE; 8_000]).endings.is_empty());
        assert!(Phrase::new(&[]).endings.is_empty());
    }
}
