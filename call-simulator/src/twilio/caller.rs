//! A caller at work: one frame in, one frame out, no clock and no socket.

use std::{collections::VecDeque, time::Duration};

use bytes::{Buf, Bytes};
use realtime_bridge::media::DtmfDigit;

use super::{
    ear::Ear,
    frame::{FRAME_BYTES, Frame, SILENT, frames_in},
    script::{CallerScript, Phase, RoomPhase, Step},
};

/// From the begin of one key to the begin of the next.
const KEY_TIME: Duration = Duration::from_millis(200);

/// A script being carried out.
#[derive(Debug)]
pub(crate) struct Caller {
    steps: VecDeque<Step>,
    patience: u64,
    turn_gap: u64,
    tick: u64,
    /// When the step at the front became the front.
    step_began: u64,
    speech: Bytes,
    busy_until: u64,
    hang_up_at: Option<u64>,
    /// The agent was audible after the caller's last words.
    answered: bool,
    /// The tick from which on the agent is silent.
    silent_since: u64,
    /// What was heard after the caller's last words.
    ear: Ear,
    /// The agent said what the step at the front waits for.
    recognised: bool,
}

/// What the caller perceives in a tick.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heard {
    pub(crate) phase: Phase,
    pub(crate) room: RoomPhase,
    /// The frame that begins now.
    pub(crate) frame: Frame,
    /// Whether it has a sound in it.
    pub(crate) audible: bool,
    /// How long the agent has been speaking, pauses between words included.
    pub(crate) speaking_for: Option<Duration>,
}

/// What the caller does in a tick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Did {
    pub(crate) frame: Frame,
    pub(crate) acts: Vec<Act>,
}

/// Something a caller does besides making a sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    Says(String),
    Presses(DtmfDigit),
    /// The network loses the caller's audio for this long.
    LosesAudio(Duration),
    DropsSocket,
    HangsUp,
    /// Hangs up because nothing came of this step.
    GivesUp(&'static str),
}

impl Caller {
    pub(crate) fn new(script: CallerScript) -> Self {
        Self {
            steps: script.steps.into(),
            patience: frames_in(script.patience),
            turn_gap: frames_in(script.turn_gap),
            tick: 0,
            step_began: 0,
            speech: Bytes::new(),
            busy_until: 0,
            hang_up_at: None,
            answered: false,
            silent_since: 0,
            ear: Ear::default(),
            recognised: false,
        }
    }

    /// Lives through the next 20 ms.
    pub(crate) fn tick(&mut self, heard: Heard) -> Did {
        self.listen(heard);
        let mut acts = Vec::new();
        while self.speech.is_empty() && self.tick >= self.busy_until && self.hang_up_at.is_none_or(|at| self.tick < at)
        {
            let Some(step) = self.steps.front() else { break };
            if let Some(waiting_for) = self.waits(step, heard) {
                if self.tick - self.step_began >= self.patience {
                    self.steps.clear();
                    acts.push(Act::GivesUp(waiting_for));
                }
                break;
            }
            let step = self.steps.pop_front().expect("looked at above");
            self.step_began = self.tick;
            acts.extend(self.begin(step));
        }
        let frame = self.speak();
        if self.hang_up_at.is_some_and(|at| self.tick >= at) {
            self.hang_up_at = None;
            self.steps.clear();
            acts.push(Act::HangsUp);
        }
        self.tick += 1;
        Did { frame, acts }
    }

    fn listen(&mut self, heard: Heard) {
        if heard.audible {
            self.answered = true;
            self.silent_since = self.tick + 1;
            // Nobody loses patience with somebody who is talking to them.
            self.step_began = self.tick;
        }
        // Most callers listen for nothing in particular.
        if self.steps.iter().any(|step| matches!(step, Step::Hears(..))) {
            self.ear.hear(&heard.frame);
        }
        if let Some(Step::Hears(phrase, _)) = self.steps.front() {
            self.recognised |= self.ear.search(phrase);
        }
    }

    /// What the step still waits for.
    fn waits(&self, step: &Step, heard: Heard) -> Option<&'static str> {
        let (done, waiting_for) = match step {
            Step::Phase(phase) => (heard.phase >= *phase, "the call to go on"),
            Step::InRoom => (heard.room >= RoomPhase::Waiting, "a room"),
            Step::Together => (heard.room == RoomPhase::Together, "somebody in the room"),
            Step::Alone => (heard.room != RoomPhase::Together, "the others to leave the room"),
            Step::AwaitCue(cue) => (cue.is_given(), "a cue"),
            Step::AgentSpeaks => (self.answered && heard.speaking_for.is_some(), "the agent to speak"),
            Step::AgentSpokeFor(time) => {
                (heard.speaking_for.is_some_and(|spoken| spoken >= *time), "the agent to speak for some time")
            }
            Step::AgentFinishes(gap) => {
                let gap = gap.map_or(self.turn_gap, frames_in);
                let silent = self.tick.saturating_sub(self.silent_since);
                (self.answered && silent >= gap, "the agent to speak and to finish")
            }
            Step::Hears(_, or_silent_for) => {
                let silent = self.tick.saturating_sub(self.silent_since);
                let said = self.recognised && silent >= self.turn_gap;
                let other = or_silent_for.is_some_and(|time| self.answered && silent >= frames_in(time));
                (said || other, "the agent to say certain words")
            }
            Step::Say { .. } | Step::Press(_) => (heard.phase >= Phase::Answered, "the call to be answered"),
            Step::DropSocket => (heard.phase == Phase::Streaming, "a media stream"),
            Step::GiveCue(_) | Step::Pause(_) | Step::LoseAudio(_) | Step::HangUpIn(_) => (true, ""),
        };
        (!done).then_some(waiting_for)
    }

    fn begin(&mut self, step: Step) -> Option<Act> {
        match step {
            Step::Phase(_) | Step::InRoom | Step::AwaitCue(_) | Step::AgentSpeaks | Step::AgentSpokeFor(_) => None,
            Step::AgentFinishes(_) | Step::Hears(..) | Step::Together | Step::Alone => {
                // The next wait is for the other side's next words.
                self.answered = false;
                self.recognised = false;
                self.ear.forget();
                None
            }
            Step::GiveCue(cue) => {
                cue.give();
                None
            }
            Step::Pause(time) => {
                self.busy_until = self.tick + frames_in(time);
                None
            }
            Step::Say { text, audio } => {
                self.speech = audio;
                Some(Act::Says(text))
            }
            Step::Press(key) => {
                self.busy_until = self.tick + frames_in(KEY_TIME);
                Some(Act::Presses(key))
            }
            Step::LoseAudio(time) => Some(Act::LosesAudio(time)),
            Step::HangUpIn(time) => {
                self.hang_up_at = Some(self.tick + frames_in(time));
                None
            }
            Step::DropSocket => Some(Act::DropsSocket),
        }
    }

    fn speak(&mut self) -> Frame {
        let mut frame = SILENT;
        if !self.speech.is_empty() {
            let take = self.speech.len().min(FRAME_BYTES);
            self.speech.copy_to_slice(&mut frame[..take]);
            self.answered = false;
            self.ear.forget();
            // What comes next is another 20 ms away, and patience begins there.
            self.step_began = self.tick + 1;
            self.busy_until = self.tick + 1;
        }
        frame
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{cue::Cue, frame::SILENCE, line::is_audible},
        *,
    };
    use crate::audio::fixtures::{self, en, ja};

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Plays a script against an agent who speaks in the frames marked `#`, and tells when the caller did what.
    fn play(script: CallerScript, agent: &str) -> Vec<(u64, String)> {
        let mut caller = Caller::new(script);
        let mut did = Vec::new();
        let mut talking = 0;
        for (tick, sound) in (0_u64..).zip(agent.chars()) {
            let audible = matches!(sound, '#' | 'w' | 'T');
            talking = if audible { talking + 1 } else { 0 };
            let phase = match sound {
                'r' => Phase::Ringing,
                'c' => Phase::Connecting,
                _ => Phase::Streaming,
            };
            let room = match sound {
                'w' => RoomPhase::Waiting,
                't' | 'T' => RoomPhase::Together,
                _ => RoomPhase::Outside,
            };
            let heard = Heard { phase, room, frame: SILENT, audible, speaking_for: audible.then(|| ms(20) * talking) };
            let done = caller.tick(heard);
            if done.frame != SILENT {
                did.push((tick, "sound".into()));
            }
            let over = done.acts.contains(&Act::HangsUp);
            did.extend(done.acts.into_iter().map(|act| (tick, format!("{act:?}"))));
            if over {
                break;
            }
        }
        did
    }

    fn speech(frames: usize) -> Vec<u8> {
        vec![0x10; frames * FRAME_BYTES]
    }

    #[track_caller]
    fn check(script: CallerScript, agent: &str, expected: &[(u64, &str)]) {
        let did = play(script, agent);
        let did: Vec<_> = did.iter().map(|(tick, what)| (*tick, what.as_str())).collect();
        assert_eq!(did, expected);
    }

    #[test]
    fn speaks_when_the_agent_has_finished() {
        check(
            CallerScript::new().turn_gap(ms(60)).until_agent_finishes().say_audio("hi", speech(2)).hang_up(),
            "..##.##........",
            &[(10, "sound"), (10, "Says(\"hi\")"), (11, "sound"), (12, "HangsUp")],
        );
    }

    #[test]
    fn waits_for_new_words_after_its_own() {
        check(
            CallerScript::new()
                .turn_gap(ms(40))
                .until_agent_finishes()
                .say_audio("hi", speech(1))
                .until_agent_finishes()
                .hang_up(),
            "##.......##...",
            &[(4, "sound"), (4, "Says(\"hi\")"), (13, "HangsUp")],
        );
    }

    #[test]
    fn interrupts_after_hearing_so_much() {
        check(
            CallerScript::new().until_agent_spoke_for(ms(80)).say_audio("stop", speech(1)),
            "..########",
            &[(5, "sound"), (5, "Says(\"stop\")")],
        );
    }

    #[test]
    fn nobody_speaks_into_a_ringing_telephone() {
        check(CallerScript::new().say_audio("hi", speech(1)), "rrrrc", &[(4, "sound"), (4, "Says(\"hi\")")]);
        check(CallerScript::new().until_phase(Phase::Connecting).hang_up(), "rrc..", &[(2, "HangsUp")]);
    }

    #[test]
    fn keys_are_200_ms_apart() {
        check(
            CallerScript::new().press("4#"),
            "............",
            &[(0, "Presses(DtmfDigit('4'))"), (10, "Presses(DtmfDigit('#'))")],
        );
    }

    #[test]
    fn hangs_up_in_the_middle_of_its_own_words() {
        check(
            CallerScript::new().hang_up_in(ms(40)).say_audio("hello", speech(9)),
            "........",
            &[(0, "sound"), (0, "Says(\"hello\")"), (1, "sound"), (2, "sound"), (2, "HangsUp")],
        );
    }

    #[test]
    fn music_is_nobodys_words_and_who_is_left_alone_notices() {
        check(
            CallerScript::new()
                .turn_gap(ms(40))
                .until_in_room()
                .press("1")
                .until_together()
                .until_agent_finishes()
                .say_audio("hi", speech(1))
                .until_alone()
                .hang_up(),
            "..wwwwwwwwwwwwtttTtttt....",
            &[(2, "Presses(DtmfDigit('1'))"), (20, "sound"), (20, "Says(\"hi\")"), (22, "HangsUp")],
        );
    }

    #[test]
    fn knows_words_by_their_recording_wherever_a_frame_begins() {
        let mut caller = Caller::new(CallerScript::new().until_hears(en::AGENT_NOBODY).hang_up());
        let words = |speech: fixtures::Speech| [&[SILENCE; 37], speech.mulaw, &[SILENCE; 9_000]].concat();
        let mut line = |audio: Vec<u8>| {
            audio.as_chunks().0.iter().any(|frame| {
                let heard = Heard {
                    phase: Phase::Streaming,
                    room: RoomPhase::Outside,
                    frame: *frame,
                    audible: is_audible(frame),
                    speaking_for: None,
                };
                caller.tick(heard).acts.contains(&Act::HangsUp)
            })
        };
        assert!(!line(words(en::AGENT_HANDS_OVER)) && !line(words(ja::AGENT_NOBODY)));
        assert!(line(words(en::AGENT_NOBODY)));
    }

    #[test]
    fn one_gives_a_cue_and_another_waits_for_it() {
        let cue = Cue::new();
        let waits = CallerScript::new().patience(ms(60)).until_cue(&cue).press("1");
        check(waits.clone(), "......", &[(3, "GivesUp(\"a cue\")")]);
        check(
            CallerScript::new().say_audio("now", speech(2)).cue(&cue),
            "....",
            &[(0, "sound"), (0, "Says(\"now\")"), (1, "sound")],
        );
        assert!(cue.is_given());
        check(waits, "......", &[(0, "Presses(DtmfDigit('1'))")]);
    }

    #[test]
    fn gives_up_when_nobody_answers() {
        check(
            CallerScript::new().patience(ms(100)).until_agent_speaks().press("1"),
            "..............",
            &[(5, "GivesUp(\"the agent to speak\")")],
        );
    }

    #[test]
    fn loses_audio_and_drops_the_socket_beside_the_other_steps() {
        check(
            CallerScript::new().lose_audio(ms(60)).say_audio("hi", speech(1)).drop_socket(),
            "....",
            &[(0, "sound"), (0, "LosesAudio(60ms)"), (0, "Says(\"hi\")"), (1, "DropsSocket")],
        );
    }
}
