//! Who said what, in the order of the conversation, with generated and heard words apart.

use std::{collections::VecDeque, time::Duration};

use super::{
    elsewhere::spoken_length,
    event::{Speaker, TranscriptEntry},
};
use crate::realtime::{ItemId, ItemKind, ResponseId};

/// How long words have to be for the pace to be learned from them.
const LEARNED_FROM: Duration = Duration::from_millis(700);

/// How long words of the caller are waited for. They come from a model of their own, often later than the answer.
const WORDS_LIMIT: Duration = Duration::from_secs(10);

/// How old an entry is when nothing about it will change, whatever was promised: without transcription the caller's
/// words never come.
const SETTLED: Duration = Duration::from_secs(600);

/// How far back entries are looked for that wait for something.
const RECENT: usize = 32;

#[derive(Debug)]
struct Entry {
    item: ItemId,
    session: u32,
    /// `None` for what is no speech: instructions and tools. They are kept, as others are placed behind them.
    speaker: Option<Speaker>,
    /// The answer that its words are of.
    response: Option<ResponseId>,
    at: Duration,
    /// When it was all said, as far as is known: from then on its words are waited for.
    said: Duration,
    /// One text for each part, in order of their index.
    parts: Vec<(u32, Words)>,
    interrupted: bool,
    /// The model has answered it, so that it will not be told again.
    answered: bool,
}

#[derive(Debug, Default)]
struct Words {
    generated: String,
    /// No more words will come.
    written: bool,
    heard: Heard,
    /// The session was lost in the middle of it: these are the words that have a voice.
    voiced: Option<String>,
}

#[derive(Debug, Default)]
enum Heard {
    /// It is not known yet.
    #[default]
    Unknown,
    /// Everything, also words that are told later than their audio.
    All,
    Part(String),
}

impl Words {
    fn heard(&self) -> &str {
        match &self.heard {
            Heard::Unknown => "",
            Heard::All => self.voiced(),
            Heard::Part(words) => words,
        }
    }

    fn voiced(&self) -> &str {
        self.voiced.as_deref().unwrap_or(&self.generated)
    }
}

#[derive(Debug)]
pub(crate) struct Transcript {
    entries: VecDeque<Entry>,
    /// The caller began to say something then, which will be this entry unless it was only a noise.
    speech: Option<(ItemId, Duration)>,
    /// The session whose entries come now.
    session: u32,
    /// How slow the agent speaks, beside the average.
    pace: f64,
    dropped: u64,
}

impl Default for Transcript {
    fn default() -> Self {
        Self { entries: VecDeque::new(), speech: None, session: 0, pace: 1.0, dropped: 0 }
    }
}

impl Transcript {
    /// The caller begins to say something that will be `item`.
    pub(crate) fn begins(&mut self, at: Duration, item: ItemId) {
        self.speech = Some((item, at));
    }

    /// Whether the entry is known.
    pub(crate) fn has(&self, item: &ItemId) -> bool {
        self.index(item).is_some()
    }

    /// An entry was added to the conversation behind `previous`.
    pub(crate) fn place(&mut self, at: Duration, item: &ItemId, previous: Option<&ItemId>, kind: ItemKind) {
        let speaker = match kind {
            ItemKind::User => Some(Speaker::Caller),
            ItemKind::Assistant => Some(Speaker::Agent),
            _ => None,
        };
        let behind = previous.and_then(|previous| self.index(previous)).map(|index| index + 1);
        match self.index(item) {
            Some(index) => {
                (self.entries[index].speaker, self.entries[index].said) = (speaker, at);
                if let Some(behind) = behind
                    && behind != index
                    && let Some(entry) = self.entries.remove(index)
                {
                    self.entries.insert(if behind > index { behind - 1 } else { behind }, entry);
                }
            }
            None => {
                let began = self.began(item).unwrap_or(at);
                let entry = Entry::new(self.session, item, speaker, (began, at));
                self.entries.insert(behind.unwrap_or(self.entries.len()), entry);
            }
        }
    }

    /// More words.
    pub(crate) fn add(&mut self, at: Duration, speaker: Speaker, item: &ItemId, part: u32, delta: &str) {
        self.words(at, speaker, item, part).generated.push_str(delta);
    }

    /// All words of a part. For the agent this says nothing about what was heard.
    pub(crate) fn write(
        &mut self,
        at: Duration,
        speaker: Speaker,
        item: &ItemId,
        part: u32,
        text: String,
    ) -> Option<TranscriptEntry> {
        let words = self.words(at, speaker, item, part);
        words.generated = text;
        words.written = true;
        if speaker == Speaker::Caller {
            words.heard = Heard::All;
        }
        self.entry(item)
    }

    /// What the caller said will not be put into words.
    pub(crate) fn lose_words(&mut self, at: Duration, item: &ItemId) -> Option<TranscriptEntry> {
        self.words(at, Speaker::Caller, item, 0);
        let index = self.index(item)?;
        self.entries[index].lose_words();
        self.entries[index].tell()
    }

    /// The model answers what the caller has said.
    pub(crate) fn answered(&mut self) {
        for entry in self.recent().filter(|entry| entry.lacks_words()) {
            entry.answered = true;
        }
    }

    /// Whether words of the caller are still to come.
    pub(crate) fn awaits_words(&self, now: Duration) -> bool {
        let mut recent = self.entries.iter().rev().take(RECENT).filter(|entry| entry.session == self.session);
        recent.any(|entry| entry.lacks_words() && now < entry.said + WORDS_LIMIT)
    }

    /// The words are of this answer.
    pub(crate) fn belongs(&mut self, item: &ItemId, response: &ResponseId) {
        if let Some(index) = self.index(item) {
            self.entries[index].response.get_or_insert_with(|| response.clone());
        }
    }

    /// An answer is over: those of its words whose voice never came were not heard. `sounds` tells what is still played.
    pub(crate) fn settle(&mut self, response: &ResponseId, sounds: impl Fn(&ItemId) -> bool) -> Vec<TranscriptEntry> {
        let silent = |entry: &&mut Entry| entry.response.as_ref() == Some(response) && !sounds(&entry.item);
        self.recent().filter(silent).filter_map(Entry::unheard).collect()
    }

    /// A part was heard to its end.
    pub(crate) fn heard_all(&mut self, item: &ItemId, part: u32) -> Option<TranscriptEntry> {
        self.heard_all_in(self.session, item, part)
    }

    /// A part that a session had made was heard to its end.
    pub(crate) fn heard_all_in(&mut self, session: u32, item: &ItemId, part: u32) -> Option<TranscriptEntry> {
        let index = self.index_in(session, item)?;
        let words = self.entries[index].words(part);
        words.heard = Heard::All;
        if words.generated.is_empty() {
            // Its words are still to come.
            return None;
        }
        words.written = true;
        self.entries[index].tell()
    }

    /// A part was cut: of `received` audio only `heard` reached the caller.
    pub(crate) fn cut(
        &mut self,
        item: &ItemId,
        part: u32,
        heard: Duration,
        received: Duration,
    ) -> Option<TranscriptEntry> {
        self.cut_in(self.session, (item, part), heard, received, true)
    }

    /// A part that a session had made was cut; `whole` when all its audio was received. Words come ahead of their voice:
    /// those that it had no time for were not heard.
    pub(crate) fn cut_in(
        &mut self,
        session: u32,
        (item, part): (&ItemId, u32),
        heard: Duration,
        received: Duration,
        whole: bool,
    ) -> Option<TranscriptEntry> {
        let pace = self.pace;
        let index = self.index_in(session, item)?;
        let entry = &mut self.entries[index];
        entry.interrupted = true;
        let words = &mut entry.parts.iter_mut().find(|(p, _)| *p == part)?.1;
        words.written = true;
        if !whole {
            words.voiced.get_or_insert_with(|| words_within(&words.generated, received.div_f64(pace)));
        }
        words.heard = Heard::Part(heard_words(words.voiced(), heard, received));
        entry.tell()
    }

    /// The session was lost in the middle of a part, of which this much audio was made. Words come ahead of their voice:
    /// those that were never spoken were never heard.
    pub(crate) fn broken(&mut self, item: &ItemId, part: u32, received: Duration) -> Option<TranscriptEntry> {
        let pace = self.pace;
        let index = self.index(item)?;
        let entry = &mut self.entries[index];
        entry.interrupted = true;
        let words = &mut entry.parts.iter_mut().find(|(p, _)| *p == part)?.1;
        words.voiced = Some(words_within(&words.generated, received.div_f64(pace)));
        words.written = true;
        entry.tell()
    }

    /// The session is over. Words that nobody ever heard a sound of are told as unheard; what the caller has said and
    /// nobody has put into words is told so where it was answered, and otherwise left to the session that hears it again.
    pub(crate) fn leave(&mut self, now: Duration, sounding: &[ItemId]) -> Vec<TranscriptEntry> {
        let mut told = Vec::new();
        let session = self.session;
        for entry in self.entries.iter_mut().filter(|entry| entry.session == session) {
            if entry.lacks_words() && entry.answered && now < entry.said + WORDS_LIMIT {
                entry.lose_words();
                told.extend(entry.tell());
            } else if entry.speaker == Some(Speaker::Agent) && !sounding.contains(&entry.item) {
                told.extend(entry.unheard());
            }
        }
        self.speech = None;
        self.entries.retain(|entry| {
            let unfinished = entry.session == session && entry.lacks_words();
            !unfinished && entry.speaker.is_some() && !entry.parts.is_empty()
        });
        self.session += 1;
        told
    }

    /// What will have been heard of an entry of an earlier session once it has been played.
    pub(crate) fn expected(&self, session: u32, item: &ItemId) -> Option<TranscriptEntry> {
        let entry = &self.entries[self.index_in(session, item)?];
        let mut told = entry.tell()?;
        told.heard = entry
            .parts
            .iter()
            .map(|(_, words)| match &words.heard {
                Heard::Unknown => words.voiced(),
                _ => words.heard(),
            })
            .collect();
        Some(told)
    }

    /// How slow the agent speaks: these words took so long.
    pub(crate) fn learn(&mut self, words: &str, took: Duration) {
        let average = spoken_length(words);
        if average >= LEARNED_FROM && took >= LEARNED_FROM {
            self.pace = took.div_duration_f64(average).clamp(0.25, 4.0);
        }
    }

    /// Keeps no more than this many entries; the oldest are dropped once nothing about them will change.
    pub(crate) fn trim(&mut self, now: Duration, limit: usize) {
        let settled = |entry: &Entry| now >= entry.at + SETTLED || entry.tell().is_none_or(|entry| entry.complete);
        while self.entries.len() > limit && self.entries.front().is_some_and(settled) {
            let dropped = self.entries.pop_front();
            self.dropped += u64::from(dropped.is_some_and(|entry| entry.speaker.is_some() && !entry.parts.is_empty()));
        }
    }

    /// How many entries were dropped.
    pub(crate) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The whole conversation. What was never settled counts as not heard.
    pub(crate) fn finish(&self) -> Vec<TranscriptEntry> {
        let told = |entry: &TranscriptEntry| !entry.generated.is_empty() || entry.is_not_understood();
        self.entries.iter().filter_map(Entry::tell).filter(told).collect()
    }

    /// The newest entries of the session, from the newest on.
    fn recent(&mut self) -> impl Iterator<Item = &mut Entry> {
        let session = self.session;
        self.entries.iter_mut().rev().take(RECENT).filter(move |entry| entry.session == session)
    }

    fn entry(&self, item: &ItemId) -> Option<TranscriptEntry> {
        self.entries[self.index(item)?].tell()
    }

    fn words(&mut self, at: Duration, speaker: Speaker, item: &ItemId, part: u32) -> &mut Words {
        let index = match self.index(item) {
            Some(index) => index,
            None => {
                let began = self.began(item).unwrap_or(at);
                self.entries.push_back(Entry::new(self.session, item, Some(speaker), (began, at)));
                self.entries.len() - 1
            }
        };
        self.entries[index].words(part)
    }

    fn began(&mut self, item: &ItemId) -> Option<Duration> {
        self.speech.take_if(|(speech, _)| speech == item).map(|(_, at)| at)
    }

    /// The newest entries are asked for most.
    fn index(&self, item: &ItemId) -> Option<usize> {
        self.index_in(self.session, item)
    }

    fn index_in(&self, session: u32, item: &ItemId) -> Option<usize> {
        self.entries.iter().rposition(|entry| entry.item == *item && entry.session == session)
    }
}

impl Entry {
    fn new(session: u32, item: &ItemId, speaker: Option<Speaker>, (at, said): (Duration, Duration)) -> Self {
        let (parts, response) = (Vec::new(), None);
        Self { item: item.clone(), session, speaker, response, at, said, parts, interrupted: false, answered: false }
    }

    fn words(&mut self, part: u32) -> &mut Words {
        let place = match self.parts.binary_search_by_key(&part, |(part, _)| *part) {
            Ok(place) => place,
            Err(place) => {
                self.parts.insert(place, (part, Words::default()));
                place
            }
        };
        &mut self.parts[place].1
    }

    /// It is the caller's, and not all its words have come.
    fn lacks_words(&self) -> bool {
        self.speaker == Some(Speaker::Caller)
            && (self.parts.is_empty() || self.parts.iter().any(|(_, words)| !words.written))
    }

    /// Its words will not come.
    fn lose_words(&mut self) {
        self.words(0);
        self.interrupted = true;
        for (_, words) in &mut self.parts {
            (words.written, words.heard) = (true, Heard::All);
        }
    }

    /// What is not known to be heard never will be. Gives the entry where that is news.
    fn unheard(&mut self) -> Option<TranscriptEntry> {
        let mut changed = false;
        for (_, words) in self.parts.iter_mut().filter(|(_, words)| matches!(words.heard, Heard::Unknown)) {
            (words.written, words.heard, changed) = (true, Heard::Part(String::new()), true);
        }
        self.interrupted |= changed;
        changed.then(|| self.tell()).flatten()
    }

    fn tell(&self) -> Option<TranscriptEntry> {
        let mut generated = String::new();
        let mut heard = String::new();
        for (_, words) in &self.parts {
            generated.push_str(&words.generated);
            heard.push_str(words.heard());
        }
        Some(TranscriptEntry {
            item: self.item.clone(),
            session: self.session,
            speaker: self.speaker?,
            at: self.at,
            generated,
            heard,
            interrupted: self.interrupted,
            complete: !self.parts.is_empty()
                && self.parts.iter().all(|(_, words)| words.written && !matches!(words.heard, Heard::Unknown)),
        })
    }
}

/// The words that fit into what was heard, at an even pace of speech, ending with a whole word. Languages that are
/// written without spaces end with a whole character.
fn heard_words(generated: &str, heard: Duration, received: Duration) -> String {
    if received.is_zero() || heard.is_zero() {
        return String::new();
    }
    if heard >= received {
        return generated.to_owned();
    }
    let characters = generated.chars().count();
    let share = heard.as_secs_f64() / received.as_secs_f64();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a count is within the count"
    )]
    #[expect(clippy::cast_precision_loss, reason = "transcripts are far shorter than 2^52 characters")]
    let count = (characters as f64 * share) as usize;
    whole_words(generated, count)
}

/// The words that can be said in this time at an average pace.
fn words_within(generated: &str, time: Duration) -> String {
    let mut left = time;
    let said = |c: &char| left.checked_sub(spoken_length(c.encode_utf8(&mut [0; 4]))).map(|rest| left = rest).is_some();
    let count = generated.chars().take_while(said).count();
    if count == generated.chars().count() { generated.to_owned() } else { whole_words(generated, count) }
}

/// The first `count` characters, ending with a whole word.
fn whole_words(generated: &str, count: usize) -> String {
    let end = generated.char_indices().nth(count).map_or(generated.len(), |(end, _)| end);
    let (told, rest) = generated.split_at(end);
    let spaced = generated.contains(char::is_whitespace);
    if !spaced || rest.is_empty() || rest.starts_with(char::is_whitespace) {
        return told.trim_end().to_owned();
    }
    told.rfind(char::is_whitespace).map_or_else(String::new, |end| told[..end].trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn what_was_heard_ends_with_a_whole_word() {
        let text = "We are open from nine to six.";
        assert_eq!(heard_words(text, ms(0), ms(2000)), "");
        assert_eq!(heard_words(text, ms(50), ms(2000)), "");
        assert_eq!(heard_words(text, ms(1000), ms(2000)), "We are open");
        assert_eq!(heard_words(text, ms(2000), ms(2000)), text);
        assert_eq!(heard_words("はい、九時から六時までです。", ms(1000), ms(2000)), "はい、九時から");
    }

    #[test]
    fn entries_stand_where_the_conversation_has_them() {
        let mut transcript = Transcript::default();
        let (user, agent) = (ItemId::from("u1"), ItemId::from("a1"));
        transcript.place(ms(10), &agent, Some(&user), ItemKind::Assistant);
        transcript.place(ms(5), &user, None, ItemKind::User);
        transcript.place(ms(12), &agent, Some(&user), ItemKind::Assistant);
        transcript.add(ms(12), Speaker::Agent, &agent, 0, "Nine o'clock.");
        assert!(!transcript.heard_all(&agent, 0).unwrap().interrupted);
        // The caller's words come last, as a model of their own writes them.
        let late = transcript.write(ms(99), Speaker::Caller, &user, 0, "When?".into()).unwrap();
        assert!(late.complete);
        let said: Vec<_> = transcript.finish().into_iter().map(|entry| entry.generated).collect();
        assert_eq!(said, ["When?", "Nine o'clock."]);
    }
}
