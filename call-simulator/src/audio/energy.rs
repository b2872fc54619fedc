//! How loud audio is, and where in it somebody speaks.
//!
//! Speech is told from silence by level alone, as energy-based voice activity detection does it. A cough is speech
//! here, exactly as it is to a provider with such a detector.

/// The level that stands for digital silence, in dB.
pub const SILENCE_DBFS: f64 = -96.0;

/// Root mean square of the samples in dB below full scale; [`SILENCE_DBFS`] when there is nothing.
#[must_use]
pub fn level_dbfs(samples: &[i16]) -> f64 {
    if samples.is_empty() {
        return SILENCE_DBFS;
    }
    let sum: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    #[expect(clippy::cast_precision_loss, reason = "a call has far fewer than 2^52 samples")]
    let rms = (sum / samples.len() as f64).sqrt() / 32_768.0;
    if rms > 0.0 { (20.0 * rms.log10()).max(SILENCE_DBFS) } else { SILENCE_DBFS }
}

/// When audio counts as speech.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct SpeechSettings {
    /// Samples per second of the audio. Default 8,000: a telephone line.
    pub rate_hz: u32,
    /// Level in dB below full scale above which a window of 20 ms is loud. Default -35: telephone speech lies around
    /// -20, a quiet line below -50.
    pub threshold_dbfs: f64,
    /// Loud audio in ms, without a pause, that makes it speech. Default 60: a click is shorter.
    pub onset_ms: u32,
    /// Silence in ms that ends speech. Default 500, as usual for a voice model.
    pub silence_ms: u32,
}

impl Default for SpeechSettings {
    fn default() -> Self {
        Self { rate_hz: 8_000, threshold_dbfs: -35.0, onset_ms: 60, silence_ms: 500 }
    }
}

impl SpeechSettings {
    /// Sets the samples per second.
    #[must_use]
    pub const fn with_rate_hz(mut self, rate_hz: u32) -> Self {
        self.rate_hz = rate_hz;
        self
    }

    /// Sets the level above which audio is loud, in dB below full scale.
    #[must_use]
    pub const fn with_threshold_dbfs(mut self, threshold_dbfs: f64) -> Self {
        self.threshold_dbfs = threshold_dbfs;
        self
    }

    /// Sets how many ms of loud audio make speech.
    #[must_use]
    pub const fn with_onset_ms(mut self, onset_ms: u32) -> Self {
        self.onset_ms = onset_ms;
        self
    }

    /// Sets how many ms of silence end speech.
    #[must_use]
    pub const fn with_silence_ms(mut self, silence_ms: u32) -> Self {
        self.silence_ms = silence_ms;
        self
    }
}

/// A change between silence and speech, at a position in the audio, in ms from the first sample ever pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpeechChange {
    /// Somebody began to speak here. Known only [`SpeechSettings::onset_ms`] later.
    Started {
        /// Where the loud audio begins.
        at_ms: u64,
    },
    /// Somebody fell silent here. Known only [`SpeechSettings::silence_ms`] later.
    Stopped {
        /// Where the loud audio ends.
        at_ms: u64,
    },
}

const WINDOW_MS: u32 = 20;

/// Finds speech in audio that comes piece by piece, whatever the size of the pieces.
#[derive(Debug, Clone)]
pub struct SpeechDetector {
    settings: SpeechSettings,
    window: Vec<i16>,
    /// Whole windows seen so far.
    windows: u64,
    speaking: bool,
    /// Loud windows in a row while silent, quiet ones while speaking.
    run: u32,
}

impl SpeechDetector {
    /// A detector at the start of its audio, in silence.
    #[must_use]
    pub const fn new(settings: SpeechSettings) -> Self {
        Self { settings, window: Vec::new(), windows: 0, speaking: false, run: 0 }
    }

    /// Takes new settings for audio of the same rate; speech that is under way stays so.
    pub const fn reconfigure(&mut self, settings: SpeechSettings) {
        self.settings = settings;
    }

    /// Whether somebody is speaking at the end of what was pushed.
    #[must_use]
    pub const fn is_speaking(&self) -> bool {
        self.speaking
    }

    /// Takes the next samples and tells what changed in them.
    pub fn push(&mut self, samples: &[i16]) -> Vec<SpeechChange> {
        let window_len = usize::try_from(self.settings.rate_hz / 1_000 * WINDOW_MS).expect("a window is small");
        let mut changes = Vec::new();
        let mut rest = samples;
        while !rest.is_empty() {
            let (taken, left) = rest.split_at(rest.len().min(window_len - self.window.len()));
            self.window.extend_from_slice(taken);
            rest = left;
            if self.window.len() == window_len {
                let loud = level_dbfs(&self.window) > self.settings.threshold_dbfs;
                self.window.clear();
                changes.extend(self.step(loud));
            }
        }
        changes
    }

    fn step(&mut self, loud: bool) -> Option<SpeechChange> {
        self.windows += 1;
        self.run = if loud == self.speaking { 0 } else { self.run + 1 };
        let enough = if self.speaking { self.settings.silence_ms } else { self.settings.onset_ms };
        if self.run == 0 || self.run < enough.div_ceil(WINDOW_MS) {
            return None;
        }
        let at_ms = (self.windows - u64::from(self.run)) * u64::from(WINDOW_MS);
        self.run = 0;
        self.speaking = !self.speaking;
        Some(if self.speaking { SpeechChange::Started { at_ms } } else { SpeechChange::Stopped { at_ms } })
    }
}

#[cfg(test)]
mod tests {
    use realtime_bridge::audio::AudioFormat;

    use super::*;
    use crate::audio::{codec, fixtures};

    fn tone(ms: usize) -> Vec<i16> {
        (0..ms * 8).map(|at| if at % 16 < 8 { 6_000 } else { -6_000 }).collect()
    }

    fn changes(pieces: &[i16], piece_len: usize) -> Vec<SpeechChange> {
        let mut detector = SpeechDetector::new(SpeechSettings::default());
        pieces.chunks(piece_len).flat_map(|piece| detector.push(piece)).collect()
    }

    #[test]
    fn a_square_wave_at_half_scale_is_six_db_below_full_scale() {
        assert!((level_dbfs(&[16_384, -16_384]) + 6.02).abs() < 0.01);
        assert_eq!(level_dbfs(&[]), SILENCE_DBFS);
        assert_eq!(level_dbfs(&[0; 8]), SILENCE_DBFS);
    }

    #[test]
    fn speech_is_found_where_it_is_however_the_audio_is_cut() {
        let audio = [vec![0; 200 * 8], tone(400), vec![0; 600 * 8]].concat();
        for piece_len in [1, 160, 333, 8_000] {
            let expected = [SpeechChange::Started { at_ms: 200 }, SpeechChange::Stopped { at_ms: 600 }];
            assert_eq!(changes(&audio, piece_len), expected, "pieces of {piece_len}");
        }
    }

    #[test]
    fn a_click_is_no_speech_and_a_short_pause_no_end() {
        assert_eq!(changes(&[tone(40), vec![0; 8_000]].concat(), 160), []);
        let with_pause = [tone(200), vec![0; 400 * 8], tone(200)].concat();
        assert_eq!(changes(&with_pause, 160), [SpeechChange::Started { at_ms: 0 }]);
    }

    #[test]
    fn every_line_of_the_caller_is_one_utterance() {
        for speech in fixtures::ALL.iter().filter(|speech| speech.speaker == fixtures::Speaker::Caller) {
            let line = codec::decode(AudioFormat::MuLaw, fixtures::LINE_NOISE.mulaw);
            let said = codec::decode(AudioFormat::MuLaw, speech.mulaw);
            let found = changes(&[line.clone(), said, line].concat(), 160);
            assert_eq!(found.len(), 2, "{}: {found:?}", speech.name);
        }
    }
}
