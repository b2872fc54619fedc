//! The telephone line of one call: who hears what in each 20 ms, without a clock.

use std::time::Duration;

use realtime_bridge::audio::AudioFormat;

use super::{
    caller::{Act, Caller, Heard},
    frame::{FRAME, Frame, SILENT, start_of},
    playout::Playout,
    recording::Recording,
    script::{CallerScript, Phase, RoomPhase},
    speech::{SpanChange, SpeechSpan, SpeechTracker},
    timeline::{Event, Timeline},
};
use crate::audio::{codec, energy};

/// Silence that ends a stretch of speech on the timeline, longer than the pauses between words.
const SPEECH_GAP: Duration = Duration::from_millis(400);

/// Above this level somebody is heard, in dB below full scale. A quiet line is below -50, speech around -20.
const AUDIBLE_DBFS: f64 = -45.0;

/// Both sides of a call and the record of them.
#[derive(Debug)]
pub(crate) struct Line {
    frames: u64,
    pub(crate) phase: Phase,
    pub(crate) room: RoomPhase,
    /// The end of the last frame with a sound in it that was heard.
    pub(crate) last_heard: Option<Duration>,
    pub(crate) playout: Playout,
    caller: Caller,
    agent_speech: SpeechTracker,
    caller_speech: SpeechTracker,
    recording: Option<Recording>,
    /// Keys that were pressed for the telephone to hear.
    keys_heard: String,
    pub(crate) timeline: Timeline,
}

/// What 20 ms brought.
#[derive(Debug)]
pub(crate) struct Tick {
    /// What the caller said.
    pub(crate) frame: Frame,
    /// What the caller heard.
    pub(crate) heard: Frame,
    /// Whether there was a sound in it.
    pub(crate) is_audible: bool,
    /// Marks to be returned.
    pub(crate) marks: Vec<String>,
    /// What the caller did.
    pub(crate) acts: Vec<Act>,
}

impl Line {
    pub(crate) fn new(caller: CallerScript, record: bool) -> Self {
        Self {
            frames: 0,
            phase: Phase::Ringing,
            room: RoomPhase::Outside,
            last_heard: None,
            playout: Playout::default(),
            caller: Caller::new(caller),
            agent_speech: SpeechTracker::new(SPEECH_GAP),
            caller_speech: SpeechTracker::new(SPEECH_GAP),
            recording: record.then(Recording::default),
            keys_heard: String::new(),
            timeline: Timeline::default(),
        }
    }

    /// When the next frame begins, since the call was placed.
    pub(crate) fn now(&self) -> Duration {
        start_of(self.frames)
    }

    /// Lives through the next 20 ms.
    pub(crate) fn tick(&mut self) -> Tick {
        let now = self.now();
        let played = self.playout.tick();
        let audible = is_audible(&played.frame);
        if audible {
            self.last_heard = Some(now + FRAME);
        }
        let change = self.agent_speech.frame(audible);
        self.note(now, change, Event::AgentBegan, || Event::AgentStopped);

        let heard = Heard {
            phase: self.phase,
            room: self.room,
            frame: played.frame,
            audible,
            speaking_for: self.agent_speech.speaking_for(),
        };
        let did = self.caller.tick(heard);
        let change = self.caller_speech.frame(is_audible(&did.frame));
        self.note(now, change, Event::CallerBegan, || Event::CallerStopped);
        for act in &did.acts {
            match act {
                Act::Says(text) => self.timeline.push(now, Event::CallerSays { text: text.clone() }),
                Act::Presses(key) => self.timeline.push(now, Event::KeyPressed { key: key.as_char() }),
                Act::LosesAudio(time) => self.timeline.push(now, Event::AudioLost { time: *time }),
                Act::DropsSocket | Act::HangsUp | Act::GivesUp(_) => {}
            }
        }
        for name in &played.marks {
            self.timeline.push(now, Event::MarkReturned { name: name.clone(), cleared: false });
        }
        if let Some(recording) = &mut self.recording {
            recording.push(&did.frame, &played.frame);
        }
        self.frames += 1;
        Tick { frame: did.frame, heard: played.frame, is_audible: audible, marks: played.marks, acts: did.acts }
    }

    /// Lets the telephone ring for 20 ms: nobody hears and nobody speaks.
    pub(crate) fn ring(&mut self) {
        self.agent_speech.frame(false);
        self.caller_speech.frame(false);
        if let Some(recording) = &mut self.recording {
            recording.push(&SILENT, &SILENT);
        }
        self.frames += 1;
    }

    /// Writes down a key that is played to the telephone.
    pub(crate) fn hear_key(&mut self, key: char) {
        self.keys_heard.push(key);
    }

    /// Ends the speech that is going on, and gives out the speech of agent and caller and the recording.
    pub(crate) fn finish(&mut self) -> Finished {
        for (tracker, stopped) in
            [(&mut self.agent_speech, Event::AgentStopped), (&mut self.caller_speech, Event::CallerStopped)]
        {
            if let Some(span) = tracker.finish() {
                self.timeline.push(span.end, stopped);
            }
        }
        Finished {
            agent_speech: self.agent_speech.spans().to_vec(),
            caller_speech: self.caller_speech.spans().to_vec(),
            keys_heard: std::mem::take(&mut self.keys_heard),
            recording: self.recording.take().unwrap_or_default(),
        }
    }

    fn note(&mut self, now: Duration, change: Option<SpanChange>, began: Event, stopped: impl FnOnce() -> Event) {
        match change {
            Some(SpanChange::Began) => self.timeline.push(now, began),
            Some(SpanChange::Ended(span)) => self.timeline.push(span.end, stopped()),
            None => {}
        }
    }
}

/// What is left of a line.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) agent_speech: Vec<SpeechSpan>,
    pub(crate) caller_speech: Vec<SpeechSpan>,
    pub(crate) keys_heard: String,
    pub(crate) recording: Recording,
}

pub(crate) fn is_audible(frame: &Frame) -> bool {
    *frame != SILENT && energy::level_dbfs(&codec::decode(AudioFormat::MuLaw, frame)) > AUDIBLE_DBFS
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::audio::fixtures::{Speech, en};

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// When the caller speaks, after an agent who says these one after the other with this much silence before each.
    fn answers_after(script: CallerScript, agent: &[(Duration, Speech)]) -> Option<Duration> {
        let mut line = Line::new(script.say(en::CALLER_THANKS), false);
        line.phase = Phase::Streaming;
        for (silence, speech) in agent {
            line.playout.push_audio(Bytes::from(vec![0xFF; super::super::frame::bytes_in(*silence)]));
            line.playout.push_audio(Bytes::from_static(speech.mulaw));
        }
        (0..2_000).find_map(|_| {
            let now = line.now();
            line.tick().acts.iter().any(|act| matches!(act, Act::Says(_))).then_some(now)
        })
    }

    #[test]
    fn a_caller_waits_for_what_is_said_and_not_for_a_silence() {
        let late = [(ms(0), en::AGENT_ONE_MOMENT), (ms(9_000), en::AGENT_SLOT)];
        let answer = ms(9_000) + en::AGENT_ONE_MOMENT.duration() + en::AGENT_SLOT.duration();
        let spoke = answers_after(CallerScript::new().until_hears(en::AGENT_SLOT), &late).unwrap();
        assert!(spoke > answer && spoke < answer + ms(800), "{spoke:?}");
        let other = [(ms(0), en::AGENT_ONE_MOMENT)];
        assert_eq!(answers_after(CallerScript::new().until_hears(en::AGENT_SLOT), &other), None);
        let script = CallerScript::new().until_hears_or_silence_of(en::AGENT_SLOT, ms(4_000));
        let spoke = answers_after(script, &other).unwrap();
        assert!(spoke > ms(4_000) && spoke < ms(4_000) + en::AGENT_ONE_MOMENT.duration() + ms(40), "{spoke:?}");
    }

    #[test]
    fn what_was_said_while_the_caller_did_something_else_counts() {
        let script = CallerScript::new().press(&"1".repeat(30)).until_hears(en::AGENT_SLOT);
        assert_eq!(answers_after(script, &[(ms(500), en::AGENT_SLOT)]), Some(ms(6_000)));
    }

    /// A call in virtual time: the caller lets the agent speak, interrupts, and the agent is cut off 100 ms later.
    #[test]
    fn an_interrupted_agent_is_cut_at_the_frame() {
        let script = CallerScript::new().until_agent_spoke_for(ms(1_000)).say(en::CALLER_INTERRUPTS).hang_up();
        let mut line = Line::new(script, true);
        line.phase = Phase::Streaming;
        line.playout.push_audio(Bytes::from_static(en::AGENT_HOURS.mulaw));
        line.playout.push_mark("end".into());

        let (mut said_at, mut hung_up) = (None, false);
        for _ in 0..1_000 {
            let now = line.now();
            let tick = line.tick();
            if tick.acts.iter().any(|act| matches!(act, Act::Says(_))) {
                said_at = Some(now);
            }
            if said_at.is_some_and(|said| line.now() == said + ms(100)) {
                assert_eq!(line.playout.clear().marks, ["end"]);
            }
            if tick.acts.contains(&Act::HangsUp) {
                hung_up = true;
                break;
            }
        }
        assert!(hung_up);
        let ended = line.now();
        let totals = line.playout.totals();
        let finished = line.finish();

        let [agent] = finished.agent_speech[..] else { panic!("{:?}", finished.agent_speech) };
        let [caller] = finished.caller_speech[..] else { panic!("{:?}", finished.caller_speech) };
        assert!(agent.end - said_at.unwrap() <= ms(100));
        assert!(caller.duration() <= en::CALLER_INTERRUPTS.duration() + ms(20));
        assert_eq!(totals.received, en::AGENT_HOURS.mulaw.len() as u64);
        assert_eq!(totals.played + totals.cleared, totals.received);
        // The recording has every frame of the call, and in it what was played, where it was played.
        let played = usize::try_from(totals.played).unwrap();
        assert_eq!(finished.recording.agent()[..played], en::AGENT_HOURS.mulaw[..played]);
        assert_eq!(finished.recording.agent().len() as u128, ended.as_millis() * 8);
        let kinds: Vec<_> = line.timeline.moments().iter().map(|moment| moment.event.clone()).collect();
        assert!(kinds.contains(&Event::AgentStopped) && kinds.contains(&Event::CallerStopped), "{kinds:?}");
    }
}
