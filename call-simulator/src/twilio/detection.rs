//! Answering machine detection: who picked up, told from how long they speak (Twilio: Answering machine detection).

use std::time::Duration;

use realtime_bridge::audio::AudioFormat;
use twilio_twiml::words::{AnsweredBy, MachineDetection};

use super::frame::{FRAME, Frame};
use crate::audio::codec;

/// Silence after a machine's greeting that counts as its end.
const GREETING_END: Duration = Duration::from_millis(2_000);

/// A tone at least this long is a beep.
const SHORTEST_BEEP: Duration = Duration::from_millis(200);

/// How a detection is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) mode: MachineDetection,
    pub(super) timeout: Duration,
    /// Speech longer than this is a machine's.
    pub(super) speech_threshold: Duration,
    /// Silence after speech that ends it.
    pub(super) speech_end: Duration,
    /// Silence at the start that ends the attempt.
    pub(super) silence_timeout: Duration,
}

impl Settings {
    pub(super) const fn new(mode: MachineDetection) -> Self {
        Self {
            mode,
            timeout: Duration::from_secs(30),
            speech_threshold: Duration::from_millis(2_400),
            speech_end: Duration::from_millis(1_200),
            silence_timeout: Duration::from_millis(5_000),
        }
    }
}

/// A detection under way: 20 ms at a time, no clock.
#[derive(Debug)]
pub(super) struct Detector {
    settings: Settings,
    elapsed: Duration,
    spoken: Duration,
    silent: Duration,
    /// A machine is speaking; its end is waited for.
    is_machine: bool,
    tone: Duration,
    /// Set by a telephone that decides for itself.
    forced: Option<(AnsweredBy, Duration)>,
}

impl Detector {
    pub(super) const fn new(settings: Settings, forced: Option<(AnsweredBy, Duration)>) -> Self {
        Self {
            settings,
            elapsed: Duration::ZERO,
            spoken: Duration::ZERO,
            silent: Duration::ZERO,
            is_machine: false,
            tone: Duration::ZERO,
            forced,
        }
    }

    /// Hears 20 ms; tells who it was once it is known.
    pub(super) fn hear(&mut self, frame: &Frame, audible: bool) -> Option<AnsweredBy> {
        self.elapsed += FRAME;
        if let Some((answered_by, after)) = &self.forced {
            return (self.elapsed >= *after).then(|| answered_by.clone());
        }
        let found = if self.is_machine { self.greeting_end(frame, audible) } else { self.opening(audible) };
        found.or_else(|| {
            let late = if self.is_machine { AnsweredBy::MachineEndOther } else { AnsweredBy::Unknown };
            (self.elapsed >= self.settings.timeout).then_some(late)
        })
    }

    /// How long it has taken so far.
    pub(super) const fn elapsed(&self) -> Duration {
        self.elapsed
    }

    fn opening(&mut self, audible: bool) -> Option<AnsweredBy> {
        if !audible {
            self.silent += FRAME;
            return if self.spoken.is_zero() {
                (self.silent >= self.settings.silence_timeout).then_some(AnsweredBy::Unknown)
            } else {
                (self.silent >= self.settings.speech_end).then_some(AnsweredBy::Human)
            };
        }
        // The pauses between words belong to the speech.
        if !self.spoken.is_zero() {
            self.spoken += self.silent;
        }
        self.spoken += FRAME;
        self.silent = Duration::ZERO;
        if self.spoken <= self.settings.speech_threshold {
            return None;
        }
        if self.settings.mode == MachineDetection::Enable {
            return Some(AnsweredBy::MachineStart);
        }
        self.is_machine = true;
        None
    }

    fn greeting_end(&mut self, frame: &Frame, audible: bool) -> Option<AnsweredBy> {
        let is_tone = audible && is_tone(frame);
        if is_tone {
            self.tone += FRAME;
        } else if self.tone >= SHORTEST_BEEP {
            return Some(AnsweredBy::MachineEndBeep);
        } else {
            self.tone = Duration::ZERO;
        }
        self.silent = if audible { Duration::ZERO } else { self.silent + FRAME };
        (self.silent >= GREETING_END).then_some(AnsweredBy::MachineEndSilence)
    }
}

/// Whether nearly all the energy of a frame is at one frequency between 400 and 2,000 Hz.
fn is_tone(frame: &Frame) -> bool {
    let samples: Vec<f64> = codec::decode(AudioFormat::MuLaw, frame).into_iter().map(f64::from).collect();
    let total: f64 = samples.iter().map(|sample| sample * sample).sum();
    // 160 samples have a line each 50 Hz.
    let strongest = (8_u8..=40).map(|line| power_at(&samples, f64::from(line))).fold(0.0, f64::max);
    strongest >= 0.9 * total
}

/// The energy of the samples at a line of their spectrum (Goertzel).
fn power_at(samples: &[f64], line: f64) -> f64 {
    let turn = std::f64::consts::TAU * line / 160.0;
    let step = 2.0 * turn.cos();
    let (mut last, mut before) = (0.0, 0.0);
    for sample in samples {
        (last, before) = (sample + step * last - before, last);
    }
    (last * last + before * before - step * last * before) / 80.0
}

#[cfg(test)]
mod tests {
    use super::{
        super::{frame::SILENT, line::is_audible, phone::beep},
        *,
    };
    use crate::audio::fixtures::{Speech, en, ja};

    fn frames(audio: &[u8]) -> Vec<Frame> {
        audio.as_chunks().0.to_vec()
    }

    fn silence(ms: u64) -> Vec<Frame> {
        vec![SILENT; usize::try_from(ms / 20).unwrap()]
    }

    #[track_caller]
    fn check(mode: MachineDetection, heard: &[Vec<Frame>], expected: Option<(AnsweredBy, u64)>) {
        let mut detector = Detector::new(Settings::new(mode), None);
        let found = heard
            .concat()
            .iter()
            .find_map(|frame| detector.hear(frame, is_audible(frame)))
            .map(|answered_by| (answered_by, u64::try_from(detector.elapsed().as_millis()).unwrap()));
        assert_eq!(found, expected);
    }

    fn say(speech: Speech) -> Vec<Frame> {
        frames(speech.mulaw)
    }

    #[test]
    fn a_short_greeting_is_a_persons() {
        let greeting = [silence(300), say(en::CALLER_UH_HUH), silence(3_000)];
        let mut detector = Detector::new(Settings::new(MachineDetection::Enable), None);
        let found = greeting.concat().iter().find_map(|frame| detector.hear(frame, is_audible(frame)));
        assert_eq!(found, Some(AnsweredBy::Human));
        assert!(detector.elapsed() < Duration::from_secs(4));
    }

    #[test]
    fn a_long_greeting_is_a_machines() {
        for greeting in [en::AGENT_HOURS, ja::AGENT_HOURS] {
            let mut detector = Detector::new(Settings::new(MachineDetection::Enable), None);
            let found = say(greeting).iter().find_map(|frame| detector.hear(frame, is_audible(frame)));
            assert_eq!(found, Some(AnsweredBy::MachineStart));
            assert!(detector.elapsed() < Duration::from_secs(4));
        }
    }

    #[test]
    fn the_end_of_a_greeting_is_a_beep_or_silence() {
        let mode = MachineDetection::DetectMessageEnd;
        let tone = frames(&beep(Duration::from_millis(600)));
        for greeting in [en::AGENT_HOURS, ja::AGENT_HOURS, en::AGENT_APOLOGY] {
            let length = u64::try_from(say(greeting).len() * 20).unwrap();
            check(
                mode,
                &[say(greeting), silence(400), tone.clone(), silence(3_000)],
                Some((AnsweredBy::MachineEndBeep, length + 400 + 600 + 20)),
            );
            let mut detector = Detector::new(Settings::new(mode), None);
            let all = [say(greeting), silence(4_000)].concat();
            let found = all.iter().find_map(|frame| detector.hear(frame, is_audible(frame)));
            assert_eq!(found, Some(AnsweredBy::MachineEndSilence));
        }
    }

    #[test]
    fn nobody_who_speaks_is_unknown() {
        check(MachineDetection::Enable, &[silence(9_000)], Some((AnsweredBy::Unknown, 5_000)));
    }

    #[test]
    fn a_telephone_can_say_what_is_detected() {
        let forced = Some((AnsweredBy::Fax, Duration::from_millis(100)));
        let mut detector = Detector::new(Settings::new(MachineDetection::Enable), forced);
        let found = (1..).find_map(|tick| detector.hear(&SILENT, false).map(|by| (tick, by)));
        assert_eq!(found, Some((5, AnsweredBy::Fax)));
    }
}
