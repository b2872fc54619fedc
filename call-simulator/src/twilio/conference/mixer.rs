//! Who hears what in a room: 20 ms at a time, without a clock.

use std::collections::{BTreeMap, VecDeque};

use realtime_bridge::audio::AudioFormat;
use twilio_twiml::sid::CallSid;

use crate::{
    audio::codec,
    twilio::frame::{Frame, SILENT},
};

/// Frames that are kept of each voice: half a second.
const KEPT: usize = 25;

/// How far a listener may fall behind a voice before audio is skipped: 200 ms.
const LONGEST_LAG: u64 = 10;

/// The voices of a room. Each leg has a clock of its own, so a listener keeps its place in each voice.
#[derive(Debug, Default)]
pub(super) struct Mixer {
    voices: BTreeMap<CallSid, Voice>,
}

#[derive(Debug, Default)]
struct Voice {
    frames: VecDeque<Frame>,
    /// Frames so far, those that are no longer kept too.
    said: u64,
    /// The next frame that each listener will hear.
    ears: BTreeMap<CallSid, u64>,
}

impl Mixer {
    /// Takes 20 ms of a voice.
    pub(super) fn say(&mut self, who: &CallSid, frame: Frame) {
        let voice = self.voices.entry(who.clone()).or_default();
        voice.frames.push_back(frame);
        voice.said += 1;
        if voice.frames.len() > KEPT {
            voice.frames.pop_front();
        }
    }

    /// What a listener hears of these voices. A single voice comes through unchanged.
    pub(super) fn hear(&mut self, listener: &CallSid, voices: &[CallSid]) -> Frame {
        let mut heard = Vec::new();
        for (who, voice) in &mut self.voices {
            if voices.contains(who) {
                heard.extend(voice.next(listener));
            } else {
                // Whoever listens again later hears what is said then.
                voice.ears.remove(listener);
            }
        }
        mix(&heard)
    }

    pub(super) fn leave(&mut self, who: &CallSid) {
        self.voices.remove(who);
        for voice in self.voices.values_mut() {
            voice.ears.remove(who);
        }
    }
}

impl Voice {
    fn next(&mut self, listener: &CallSid) -> Option<Frame> {
        let place = self.ears.entry(listener.clone()).or_insert(self.said);
        if self.said.saturating_sub(*place) > LONGEST_LAG {
            *place = self.said - 1;
        }
        let back = usize::try_from(self.said.checked_sub(*place)?).ok().filter(|back| *back > 0)?;
        let frame = self.frames.get(self.frames.len().checked_sub(back)?)?;
        *place += 1;
        Some(*frame)
    }
}

/// Several sounds at once.
pub(super) fn mix(frames: &[Frame]) -> Frame {
    match frames {
        [] => SILENT,
        [one] => *one,
        many => {
            let mut sum = vec![0_i16; SILENT.len()];
            for frame in many {
                for (sum, sample) in sum.iter_mut().zip(codec::decode(AudioFormat::MuLaw, frame)) {
                    *sum = sum.saturating_add(sample);
                }
            }
            codec::encode(AudioFormat::MuLaw, &sum).try_into().expect("as many bytes as samples")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leg(number: u8) -> CallSid {
        format!("CA{number:032x}").parse().unwrap()
    }

    #[test]
    fn a_single_voice_comes_through_in_order_and_once() {
        let (speaker, listener) = (leg(1), leg(2));
        let mut mixer = Mixer::default();
        let mut heard = Vec::new();
        for number in 0..40_u8 {
            heard.extend(mixer.hear(&listener, std::slice::from_ref(&speaker)).first().copied());
            mixer.say(&speaker, [number; 160]);
        }
        // The listener's ear is open from the moment it listens first.
        assert_eq!(heard[..2], [0xFF, 0xFF]);
        assert_eq!(heard[2..], (1..39).collect::<Vec<u8>>());
    }

    #[test]
    fn nobody_hears_themselves_and_two_voices_are_summed() {
        let mut mixer = Mixer::default();
        let (one, two, three) = (leg(1), leg(2), leg(3));
        let loud = codec::encode(AudioFormat::MuLaw, &[8_000]);
        for _ in 0..3 {
            mixer.hear(&three, &[one.clone(), two.clone()]);
            mixer.say(&one, [loud[0]; 160]);
            mixer.say(&two, [loud[0]; 160]);
        }
        let heard = codec::decode(AudioFormat::MuLaw, &mixer.hear(&three, &[one.clone(), two]));
        assert!(heard.iter().all(|sample| (15_000..17_000).contains(sample)), "{}", heard[0]);
        assert_eq!(mixer.hear(&one, &[]), SILENT);
        mixer.leave(&one);
        assert_eq!(mixer.hear(&three, &[one]), SILENT);
    }

    #[test]
    fn a_listener_who_stalls_skips_and_does_not_lag_for_ever() {
        let mut mixer = Mixer::default();
        let (speaker, listener) = (leg(1), leg(2));
        mixer.say(&speaker, [0; 160]);
        mixer.hear(&listener, std::slice::from_ref(&speaker));
        (1..=100).for_each(|number| mixer.say(&speaker, [number; 160]));
        assert_eq!(mixer.hear(&listener, &[speaker])[0], 100);
    }
}
