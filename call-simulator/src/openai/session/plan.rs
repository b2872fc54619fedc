//! An answer laid out in time: what is sent, and when.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use realtime_bridge::audio::AudioFormat;

use super::config::ResponseConfig;
use crate::chance::Chance;
use crate::{
    audio::codec,
    openai::{
        ApiError,
        script::{Act, Answer, Ending, Part, Utterance},
        settings::Timing,
    },
};

/// One thing that happens in an answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    OpenMessage { phase: Option<&'static str> },
    OpenPart,
    Words(String),
    Audio(Vec<u8>),
    CloseMessage { complete: bool },
    OpenCall { name: String },
    Arguments(String),
    CloseCall,
    Act(Act),
    Finish(Outcome),
}

/// How a response ends on the wire.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Outcome {
    Completed,
    Cancelled(&'static str),
    Incomplete(&'static str),
    Failed(ApiError),
}

/// Steps with the moments they are due, in order.
pub(super) type Steps = VecDeque<(Instant, Step)>;

/// Lays an answer out in time from `start`, the moment of `response.created`.
pub(super) fn plan(
    answer: &Answer,
    config: &ResponseConfig,
    timing: &Timing,
    chance: &mut Chance,
    start: Instant,
) -> Steps {
    let mut planner = Planner { config, timing, chance, at: start, steps: VecDeque::new(), spoken: Duration::ZERO };
    let thinks_until = start + timing.first_audio + answer.delay;
    let limit = limit(answer, config);
    for (index, part) in answer.parts.iter().enumerate() {
        match part {
            Part::Say(utterance) => {
                let preamble = answer.parts[index..].iter().any(|part| matches!(part, Part::Call { .. }));
                let phase = config.reasoning.then_some(if preamble { "commentary" } else { "final_answer" });
                planner.step(Step::OpenMessage { phase });
                planner.at = planner.at.max(thinks_until);
                planner.step(Step::OpenPart);
                let whole = planner.say(utterance, limit.as_ref().map(|(limit, _)| *limit));
                if !whole {
                    let (_, stop) = limit.expect("only a limit cuts an utterance");
                    planner.stop(stop);
                    return planner.steps;
                }
                planner.step(Step::CloseMessage { complete: true });
            }
            Part::Call { .. } if !config.tools => {}
            Part::Call { name, arguments } => {
                planner.at = planner.at.max(thinks_until);
                planner.call(name, arguments);
            }
        }
    }
    planner.at = planner.at.max(thinks_until);
    match (&answer.ending, limit) {
        (Ending::Failed(error), _) => planner.step(Step::Finish(Outcome::Failed(error.clone()))),
        (Ending::Broken { act, .. }, _) => planner.steps.extend(act.clone().map(|act| (planner.at, Step::Act(act)))),
        (Ending::CutShort { reason, .. }, _) => planner.step(Step::Finish(Outcome::Incomplete(reason))),
        (Ending::Complete | Ending::Refused(_), _) => planner.step(Step::Finish(Outcome::Completed)),
    }
    planner.steps
}

/// What happens when the audio of an answer reaches its limit.
enum Stop {
    CutShort(&'static str),
    Broken(Option<Act>),
}

/// The nearest limit to the audio of an answer. A second of speech is 20 tokens.
fn limit(answer: &Answer, config: &ResponseConfig) -> Option<(Duration, Stop)> {
    let scripted = match &answer.ending {
        Ending::CutShort { after, reason } => Some((*after, Stop::CutShort(reason))),
        Ending::Broken { after, act } => Some((*after, Stop::Broken(act.clone()))),
        Ending::Complete | Ending::Refused(_) | Ending::Failed(_) => None,
    };
    let tokens = config.max_output_tokens.as_u64();
    let budget = tokens.map(|tokens| (Duration::from_millis(tokens * 50), Stop::CutShort("max_output_tokens")));
    [scripted, budget].into_iter().flatten().min_by_key(|(after, _)| *after)
}

struct Planner<'a> {
    config: &'a ResponseConfig,
    timing: &'a Timing,
    chance: &'a mut Chance,
    at: Instant,
    steps: Steps,
    spoken: Duration,
}

impl Planner<'_> {
    fn step(&mut self, step: Step) {
        self.steps.push_back((self.at, step));
    }

    fn stop(&mut self, stop: Stop) {
        match stop {
            Stop::CutShort(reason) => {
                self.step(Step::CloseMessage { complete: false });
                self.step(Step::Finish(Outcome::Incomplete(reason)));
            }
            Stop::Broken(Some(act)) => self.step(Step::Act(act)),
            Stop::Broken(None) => {}
        }
    }

    fn call(&mut self, name: &str, arguments: &str) {
        self.step(Step::OpenCall { name: name.to_owned() });
        for piece in pieces(arguments) {
            self.step(Step::Arguments(piece));
        }
        self.step(Step::CloseCall);
    }

    /// Plans words and sound, the words ahead of the sound; false when the limit cut them.
    fn say(&mut self, utterance: &Utterance, limit: Option<Duration>) -> bool {
        let words = pieces(&utterance.transcript);
        if !self.config.speaks {
            for word in words {
                self.step(Step::Words(word));
            }
            return true;
        }
        let format = self.config.format;
        let audio = codec::from_mulaw(format, &utterance.mulaw);
        let allowed = limit.map_or(usize::MAX, |limit| format.bytes_in(limit.saturating_sub(self.spoken)));
        let sent = &audio[..audio.len().min(allowed)];
        let mut words = words.into_iter().enumerate().peekable();
        let word_count = words.len().max(1);
        let mut from = 0;
        while from < sent.len() {
            let to = (from + self.delta_len(format)).min(sent.len());
            // The transcript is about one delta ahead.
            let ahead = (to + to - from) * word_count / audio.len().max(1);
            while let Some((_, word)) = words.next_if(|(index, _)| *index <= ahead) {
                self.step(Step::Words(word));
            }
            self.step(Step::Audio(sent[from..to].to_vec()));
            let played = format.duration_of(to - from);
            self.spoken += played;
            self.at += played.div_f64(self.timing.audio_speed.max(0.01));
            from = to;
        }
        let whole = sent.len() == audio.len();
        if whole {
            for (_, word) in words {
                self.step(Step::Words(word));
            }
        }
        whole
    }

    fn delta_len(&mut self, format: AudioFormat) -> usize {
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).max(1);
        let length = self.chance.between(ms(self.timing.delta_min), ms(self.timing.delta_max));
        format.bytes_in(Duration::from_millis(length))
    }
}

/// Text in the pieces it is streamed in: words with the space before them; where there are no spaces, four characters.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    for letter in text.chars() {
        let begins = letter == ' ' || pieces.last().is_none_or(|piece| !piece.is_ascii() && piece.chars().count() == 4);
        if begins {
            pieces.push(String::new());
        }
        pieces.last_mut().expect("pushed when there was none").push(letter);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_between_words_or_after_four_characters() {
        assert_eq!(pieces("Are you there?"), ["Are", " you", " there?"]);
        assert_eq!(pieces("少々お待ちください"), ["少々お待", "ちくださ", "い"]);
        assert_eq!(pieces(""), [""; 0]);
    }
}
