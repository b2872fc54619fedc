//! What the caller hears where the provider has the line (SIP): no audio passes us, so the provider's playback events take
//! the place of the ledger.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{CallEvent, Relay};
use crate::realtime::{ItemId, PlaybackChange, RealtimeCommand, ResponseId};

/// How long a character takes to say where words are written with spaces between them, and where they are not. Nothing
/// tells the length of audio that does not pass us; with these, what was heard of a cut answer is an estimate.
const PER_CHARACTER: (Duration, Duration) = (Duration::from_millis(65), Duration::from_millis(140));

/// How much longer than estimated an answer may play before its end counts as lost.
const SLOWER: u32 = 2;

/// How long the provider may take from the words of an answer to playing it, and to telling its end.
const PLAYBACK_MARGIN: Duration = Duration::from_secs(3);

/// How many answers are remembered whose playback is over, as their words may come late.
const REMEMBERED: usize = 8;

#[derive(Debug)]
struct Answer {
    response: ResponseId,
    /// When its first words came.
    since: Instant,
    /// When the caller began to hear it.
    started: Option<Instant>,
    /// Its parts, in order, with the estimated length of each.
    parts: Vec<(ItemId, u32, Duration)>,
}

impl Answer {
    fn length(&self) -> Duration {
        self.parts.iter().map(|(.., length)| *length).sum()
    }

    /// How long it may still play.
    fn remaining(&self, now: Instant) -> Duration {
        let since = self.started.unwrap_or(self.since);
        let limit = since + self.length() * SLOWER + PLAYBACK_MARGIN;
        limit.saturating_duration_since(now)
    }
}

/// The answers that the provider plays, or is about to.
#[derive(Debug, Default)]
pub(crate) struct Elsewhere {
    answers: VecDeque<Answer>,
    over: VecDeque<ResponseId>,
}

impl Elsewhere {
    /// Everything the model has said was heard, or will never be.
    pub(crate) fn all_heard(&self) -> bool {
        self.answers.is_empty()
    }

    /// How long the provider may still play.
    pub(crate) fn remaining(&self, now: Instant) -> Duration {
        self.answers.iter().map(|answer| answer.remaining(now)).max().unwrap_or_default()
    }

    /// The provider is about to play words of this answer.
    fn says(&mut self, now: Instant, response: &ResponseId, item: &ItemId, part: u32, words: &str, whole: bool) {
        if self.over.contains(response) {
            return;
        }
        let length = spoken_length(words);
        let parts = &mut self.answer(now, response).parts;
        match parts.iter_mut().find(|(i, p, _)| i == item && *p == part) {
            Some((.., known)) if whole => *known = length,
            Some((.., known)) => *known += length,
            None => parts.push((item.clone(), part, length)),
        }
    }

    /// The caller begins to hear an answer. Gives those before it, which must have been heard.
    fn started(&mut self, now: Instant, response: &ResponseId) -> Vec<Answer> {
        if self.over.contains(response) {
            return Vec::new();
        }
        let index = self.answers.iter().position(|answer| answer.response == *response);
        let before: Vec<_> = self.answers.drain(..index.unwrap_or(self.answers.len())).collect();
        for answer in &before {
            self.forget(answer.response.clone());
        }
        self.answer(now, response).started.get_or_insert(now);
        before
    }

    /// The playback of an answer is over.
    fn stopped(&mut self, response: &ResponseId) -> Option<Answer> {
        let index = self.answers.iter().position(|answer| answer.response == *response)?;
        self.forget(response.clone());
        self.answers.remove(index)
    }

    /// Nothing plays any more.
    fn clear(&mut self) -> Vec<Answer> {
        let answers: Vec<_> = self.answers.drain(..).collect();
        for answer in &answers {
            self.forget(answer.response.clone());
        }
        answers
    }

    fn answer(&mut self, now: Instant, response: &ResponseId) -> &mut Answer {
        let index = self.answers.iter().position(|answer| answer.response == *response).unwrap_or_else(|| {
            let parts = Vec::new();
            self.answers.push_back(Answer { response: response.clone(), since: now, started: None, parts });
            self.answers.len() - 1
        });
        &mut self.answers[index]
    }

    fn forget(&mut self, response: ResponseId) {
        if self.over.len() == REMEMBERED {
            self.over.pop_front();
        }
        self.over.push_back(response);
    }
}

impl Relay {
    /// Words that the provider is about to play.
    pub(super) fn says_elsewhere(
        &mut self,
        now: Instant,
        response: &ResponseId,
        (item, part): (&ItemId, u32),
        words: &str,
        whole: bool,
    ) {
        let disowned = self.playout.is_disowned(response);
        if let Some(elsewhere) = self.playout.elsewhere.as_mut().filter(|_| !disowned) {
            elsewhere.says(now, response, item, part, words, whole);
            self.pending_spoken(response);
        }
    }

    /// The provider tells what the caller hears.
    pub(super) fn playback_changed(&mut self, now: Instant, response: &ResponseId, change: PlaybackChange) {
        let Some(elsewhere) = &mut self.playout.elsewhere else { return };
        match change {
            PlaybackChange::Started => {
                let heard = elsewhere.started(now, response);
                self.heard_elsewhere(now, heard);
                if !self.playout.speaking {
                    self.playout.speaking = true;
                    self.tell(now, CallEvent::AgentSpeaking);
                }
                if let Some(latency) = self.latency.heard_elsewhere(now, response) {
                    self.tell(now, CallEvent::Latency(latency));
                }
                self.timers.active(now);
            }
            PlaybackChange::Stopped => {
                let heard = elsewhere.stopped(response);
                self.heard_elsewhere(now, heard);
                self.silent_elsewhere(now);
            }
            PlaybackChange::Cleared => {
                let cut = elsewhere.stopped(response);
                self.cut_elsewhere(now, cut);
                self.silent_elsewhere(now);
            }
        }
        self.transcript.trim(self.since_start(now), self.config.transcript_limit);
    }

    /// An answer was stopped; where the caller has not begun to hear it, nobody will tell of its end.
    pub(super) fn never_begins(&mut self, now: Instant, response: &ResponseId) {
        let unheard = |elsewhere: &mut Elsewhere| {
            let waits = |answer: &Answer| answer.response == *response && answer.started.is_none();
            elsewhere.answers.iter().any(waits).then(|| elsewhere.stopped(response)).flatten()
        };
        let answer = self.playout.elsewhere.as_mut().and_then(unheard);
        self.cut_elsewhere(now, answer);
    }

    /// Nothing of what the provider plays will be heard any more. Gives the length of what never will.
    pub(super) fn clear_elsewhere(&mut self, now: Instant) -> Duration {
        let answers = self.playout.elsewhere.as_mut().map(Elsewhere::clear).unwrap_or_default();
        self.cut_elsewhere(now, answers)
    }

    /// Has the provider drop what it is about to play, where the line is the provider's.
    pub(super) fn ask_for_silence(&mut self) {
        if self.playout.elsewhere.is_some() {
            let request = self.request();
            self.commands.push_back(RealtimeCommand::ClearPlayback { request });
        }
    }

    fn silent_elsewhere(&mut self, now: Instant) {
        self.timers.active(now);
        if self.playout.speaking && self.playout.all_heard() {
            self.playout.speaking = false;
            self.tell(now, CallEvent::AgentSilent);
            self.check_tools(now);
        }
        self.finish_if_said(now);
    }

    fn heard_elsewhere(&mut self, now: Instant, answers: impl IntoIterator<Item = Answer>) {
        for (item, part, _) in answers.into_iter().flat_map(|answer| answer.parts) {
            if let Some(entry) = self.transcript.heard_all(&item, part) {
                self.tell(now, CallEvent::Transcript(entry));
            }
        }
    }

    fn cut_elsewhere(&mut self, now: Instant, answers: impl IntoIterator<Item = Answer>) -> Duration {
        let mut unheard = Duration::ZERO;
        for answer in answers {
            let mut left = answer.started.map_or(Duration::ZERO, |started| now.saturating_duration_since(started));
            for (item, part, length) in answer.parts {
                let heard = left.min(length);
                left -= heard;
                unheard += length - heard;
                if let Some(entry) = self.transcript.cut(&item, part, heard, length) {
                    self.tell(now, CallEvent::Transcript(entry));
                }
            }
        }
        unheard
    }
}

/// How long it takes to say these words, as well as it can be told from the words.
pub(crate) fn spoken_length(words: &str) -> Duration {
    let dense = |c: &char| matches!(c, '\u{2e80}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}');
    words.chars().map(|c| if dense(&c) { PER_CHARACTER.1 } else { PER_CHARACTER.0 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn an_answer_is_over_when_the_next_begins_or_its_time_is_long_past() {
        let (mut elsewhere, t0) = (Elsewhere::default(), tokio::time::Instant::now().into_std());
        let (first, second, item) = ("a".into(), "b".into(), ItemId::from("i"));
        elsewhere.says(t0, &first, &item, 0, "Good ", false);
        elsewhere.says(t0, &first, &item, 0, "Good morning.", true);
        assert!(elsewhere.started(t0, &first).is_empty() && !elsewhere.all_heard());
        assert!(elsewhere.remaining(t0) > PLAYBACK_MARGIN && elsewhere.remaining(t0 + 10 * S).is_zero());
        assert_eq!(elsewhere.started(t0 + S, &second).len(), 1, "the end of the first was lost");
        elsewhere.says(t0 + S, &first, &item, 0, "late", false);
        assert_eq!(elsewhere.stopped(&second).map(|answer| answer.parts.len()), Some(0));
        assert!(elsewhere.all_heard(), "late words of an answer that is over do not play");
    }

    #[test]
    fn dense_scripts_take_longer_for_each_character() {
        assert_eq!(spoken_length("はい"), 2 * PER_CHARACTER.1);
        assert_eq!(spoken_length("Yes"), 3 * PER_CHARACTER.0);
    }
}
