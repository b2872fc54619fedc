//! The caller's audio: the input buffer and the turns found in it.
//!
//! Positions are audio time: milliseconds from the first byte ever appended, whenever it came.

use std::time::Duration;

use realtime_bridge::audio::AudioFormat;

use super::config::TurnDetection;
use crate::audio::{
    codec,
    energy::{SpeechChange, SpeechDetector, SpeechSettings},
};

/// Audio kept before speech is noticed, besides the prefix padding.
const ONSET: Duration = Duration::from_millis(60);

/// The input audio buffer.
#[derive(Debug)]
pub(super) struct Input {
    format: AudioFormat,
    buffer: Vec<u8>,
    /// All audio ever appended.
    received: Duration,
    detection: Option<Detection>,
}

#[derive(Debug)]
struct Detection {
    turns: TurnDetection,
    detector: SpeechDetector,
    /// Where the detector's zero lies in audio time.
    origin: Duration,
    /// Where the caller's present turn begins.
    began: Option<Duration>,
    /// Audio before this belongs to an earlier turn.
    committed: Duration,
}

/// A change of turn in the caller's audio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TurnChange {
    /// Speech, from this position, padding included.
    Began { start_ms: u64 },
    /// Silence; the turn lasts to this position and holds this audio.
    Ended { end_ms: u64, audio: Vec<u8> },
}

impl Input {
    pub(super) fn new(format: AudioFormat, turns: Option<TurnDetection>) -> Self {
        let mut input = Self { format, buffer: Vec::new(), received: Duration::ZERO, detection: None };
        input.configure(format, turns);
        input
    }

    pub(super) const fn format(&self) -> AudioFormat {
        self.format
    }

    /// All audio ever appended, in ms.
    pub(super) fn received_ms(&self) -> u64 {
        millis(self.received)
    }

    pub(super) fn is_speaking(&self) -> bool {
        self.detection.as_ref().is_some_and(|detection| detection.began.is_some())
    }

    /// Takes a new configuration. A change of format empties the buffer; new thresholds keep a turn that is under way.
    pub(super) fn configure(&mut self, format: AudioFormat, turns: Option<TurnDetection>) {
        if format != self.format {
            self.format = format;
            self.buffer.clear();
            self.detection = None;
        }
        self.detection = match (self.detection.take(), turns) {
            (_, None) => None,
            (Some(mut detection), Some(turns)) => {
                detection.turns = turns;
                detection.detector.reconfigure(speech_settings(format, turns));
                Some(detection)
            }
            (None, Some(turns)) => Some(Detection {
                turns,
                detector: SpeechDetector::new(speech_settings(format, turns)),
                origin: self.received,
                began: None,
                committed: self.received,
            }),
        };
    }

    /// Appends audio and tells what turns began and ended in it.
    pub(super) fn append(&mut self, audio: &[u8]) -> Vec<TurnChange> {
        self.buffer.extend_from_slice(audio);
        self.received += self.format.duration_of(audio.len());
        let Some(mut detection) = self.detection.take() else { return Vec::new() };
        let samples = codec::decode(self.format, audio);
        let changes = detection.detector.push(&samples);
        let turns = changes.into_iter().filter_map(|change| self.turn(&mut detection, change)).collect();
        if detection.began.is_none() {
            let padding = Duration::from_millis(detection.turns.prefix_padding_ms) + ONSET;
            self.forget_before(self.received.saturating_sub(padding));
        }
        self.detection = Some(detection);
        turns
    }

    fn turn(&mut self, detection: &mut Detection, change: SpeechChange) -> Option<TurnChange> {
        match change {
            SpeechChange::Started { at_ms } => {
                let padding = Duration::from_millis(detection.turns.prefix_padding_ms);
                let at = detection.origin + Duration::from_millis(at_ms);
                let start = at.saturating_sub(padding).max(detection.committed);
                detection.began = Some(start);
                Some(TurnChange::Began { start_ms: millis(start) })
            }
            SpeechChange::Stopped { at_ms } => {
                let silence = Duration::from_millis(u64::from(detection.turns.silence_ms));
                let end = (detection.origin + Duration::from_millis(at_ms) + silence).min(self.received);
                let start = detection.began.take()?;
                detection.committed = end;
                let audio = self.slice(start, end);
                self.forget_before(end);
                Some(TurnChange::Ended { end_ms: millis(end), audio })
            }
        }
    }

    /// Takes everything in the buffer. `None` when that is less than 100 ms, or when turn detection is on and nobody
    /// speaks, for then the server has emptied the buffer.
    pub(super) fn commit(&mut self) -> Option<Vec<u8>> {
        let between_turns = self.detection.is_some() && !self.is_speaking();
        if between_turns || self.format.duration_of(self.buffer.len()) < Duration::from_millis(100) {
            return None;
        }
        if let Some(detection) = &mut self.detection {
            detection.committed = self.received;
            detection.began = Some(self.received);
        }
        Some(std::mem::take(&mut self.buffer))
    }

    /// The last so many ms of audio, as far as they are there, taken from the buffer.
    pub(super) fn take_last(&mut self, length: Duration) -> Vec<u8> {
        let audio = self.slice(self.received.saturating_sub(length), self.received);
        self.clear();
        audio
    }

    pub(super) fn clear(&mut self) {
        self.buffer.clear();
        if let Some(detection) = &mut self.detection {
            detection.committed = self.received;
            detection.began = detection.began.map(|_| self.received);
        }
    }

    fn slice(&self, start: Duration, end: Duration) -> Vec<u8> {
        let from_end = |position: Duration| self.format.bytes_in(self.received.saturating_sub(position));
        let start = self.buffer.len().saturating_sub(from_end(start));
        let end = self.buffer.len().saturating_sub(from_end(end));
        self.buffer.get(start..end).unwrap_or_default().to_vec()
    }

    fn forget_before(&mut self, position: Duration) {
        let keep = self.format.bytes_in(self.received.saturating_sub(position));
        let cut = self.buffer.len().saturating_sub(keep);
        self.buffer.drain(..cut);
    }
}

/// The threshold of 0 to 1 as a level: 0.5 is -35 dB, a tenth more asks for 4 dB more. The provider does not document
/// its own scale.
fn speech_settings(format: AudioFormat, turns: TurnDetection) -> SpeechSettings {
    SpeechSettings::default()
        .with_rate_hz(format.sample_rate().hz())
        .with_threshold_dbfs(40.0f64.mul_add(turns.threshold, -55.0))
        .with_silence_ms(turns.silence_ms)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
