//! What a conversation was about, kept so that another session, or another node, can go on with it.

mod fading;

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::{CallEvent, CallUpdate, Prompts, Speaker, ToolOutcome, TranscriptEntry, journal::same_arguments};
use crate::realtime::{NewItem, ToolCallId};

/// What a conversation was about: what both have heard, what tools were asked and what they gave.
///
/// A voice model forgets everything when its session ends. What is remembered here is told to the next session:
/// [`Bridge::with_memory`](crate::bridge::Bridge::with_memory) begins a call with it, and a report carries it on. Whoever
/// watches a call can keep one that is always current, by [`ConversationMemory::apply`].
///
/// It stays within its [`MemoryLimits`]: beyond them the oldest entries are forgotten and counted, and a summary can
/// stand in for them. It has no readable `Debug`, since it holds the words of people.
///
/// ```
/// use realtime_bridge::relay::{ConversationMemory, MemoryEntry, Speaker};
///
/// let mut memory = ConversationMemory::default();
/// memory.push(MemoryEntry::said(Speaker::Caller, "A table for two, please."));
/// let stored = serde_json::to_string(&memory)?;
/// assert_eq!(serde_json::from_str::<ConversationMemory>(&stored)?, memory);
/// assert!(!format!("{memory:?}").contains("table"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConversationMemory {
    limits: MemoryLimits,
    summary: Option<String>,
    /// How many entries, counted from the first there was, the summary stands in for.
    summarised: u64,
    forgotten: u64,
    /// How many lines the call has had: times count from the start of each.
    lines: u32,
    entries: Vec<MemoryEntry>,
}

/// The longest summary, in characters.
const SUMMARY: usize = 4_000;

/// How much is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MemoryLimits {
    /// Entries. Default: 60, some thirty turns; models that are told much more at once answer in a flat voice.
    pub entries: usize,
    /// Bytes of text in UTF-8. Default: 24 KiB. The newest entry is kept however long it is.
    pub bytes: usize,
}

impl Default for MemoryLimits {
    fn default() -> Self {
        Self { entries: 60, bytes: 24 << 10 }
    }
}

impl MemoryLimits {
    /// At most this many entries, and bytes of text.
    #[must_use]
    pub const fn new(entries: usize, bytes: usize) -> Self {
        Self { entries, bytes }
    }
}

/// Something that is remembered.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MemoryEntry {
    /// What.
    pub what: Remembered,
    /// When it began, since its line came up.
    pub at: Duration,
    /// Which of the call's lines this was on.
    line: u32,
}

/// What is remembered.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "snake_case")]
pub enum Remembered {
    /// Somebody said something, and the other heard it.
    Said(Said),
    /// A tool was asked.
    Tool(RememberedTool),
    /// The model was told something, such as keys the caller has pressed.
    Note(String),
}

/// What somebody said.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Said {
    /// Who.
    pub speaker: Speaker,
    /// The words that were heard.
    pub text: String,
    /// Whether the speaker was cut off; for the caller: whether words were lost before anybody had put them down.
    pub interrupted: bool,
    /// Whether the words will not change any more.
    pub complete: bool,
    /// The entry of the model's conversation that it was, and of which session.
    item: Option<(u32, String)>,
}

/// A run of a tool.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RememberedTool {
    /// The run, as the model named it.
    pub id: String,
    /// The key under which its effect happens once.
    pub key: String,
    /// The tool.
    pub name: String,
    /// The arguments as JSON text.
    pub arguments: String,
    /// How it ended; `None` for one of which nobody knows.
    pub outcome: Option<ToolOutcome>,
    /// What the model was told.
    pub output: Option<String>,
    /// When it ended, since its line came up.
    pub ended: Duration,
    /// The caller has heard what the model said about it. Until then an equal call is the same call, not a new wish.
    pub settled: bool,
}

/// What is known of an equal call of a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Twin {
    /// It runs, or did so when nobody could see it any more.
    Started { id: ToolCallId, key: String },
    /// It gave a result that the caller has not yet heard of.
    Done { output: String },
    /// It was stopped half-way; `asked` once the caller has said something since.
    Unsure { key: String, asked: bool },
}

impl ConversationMemory {
    /// An empty memory with these limits.
    #[must_use]
    pub fn with_limits(limits: MemoryLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// What is remembered, oldest first.
    #[must_use]
    pub fn entries(&self) -> &[MemoryEntry] {
        &self.entries
    }

    /// How many entries were forgotten.
    #[must_use]
    pub const fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// What was said before the oldest entry, in short.
    #[must_use]
    pub fn summary(&self) -> Option<&str> {
        self.summary.as_deref()
    }

    /// Sets what was said before the oldest entry, in short. The model is told so in place of what was forgotten. Of a
    /// summary of more than 4,000 characters the rest is dropped.
    pub fn set_summary(&mut self, summary: impl Into<String>) {
        self.sum_up(summary.into(), self.forgotten);
    }

    /// Sets a summary of this many entries, counted from the first there was; the newest of them may still be here.
    fn sum_up(&mut self, mut summary: String, entries: u64) {
        if let Some((end, _)) = summary.char_indices().nth(SUMMARY) {
            summary.truncate(end);
        }
        self.summary = Some(summary);
        self.summarised = self.summarised.max(entries);
    }

    /// Says how many lines the call has had before the one to come. The keys of tool runs differ between lines by this
    /// number, where a provider uses the same names in each session.
    #[must_use]
    pub const fn with_lines(mut self, lines: u32) -> Self {
        self.lines = lines;
        self
    }

    /// How many lines the call has had.
    pub(crate) const fn lines(&self) -> u32 {
        self.lines
    }

    /// Whether nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.summary.is_none()
    }

    /// Adds an entry behind all others.
    pub fn push(&mut self, entry: MemoryEntry) {
        self.entries.push(MemoryEntry { line: self.lines, ..entry });
        self.trim();
    }

    /// Takes in what a call tells. Whoever applies all updates of a call has the memory that the call has.
    pub fn apply(&mut self, update: &CallUpdate) {
        match &update.event {
            CallEvent::Started(_) => self.lines += 1,
            CallEvent::Transcript(entry) => self.heard(entry),
            CallEvent::Noted(text) => self.insert(update.at, Remembered::Note(text.clone())),
            CallEvent::ToolStarted { id, name, key, arguments } => {
                self.tool_started(update.at, id, name, key, arguments)
            }
            CallEvent::ToolFinished { id, outcome, output, .. } => self.tool_ended(update.at, id, *outcome, output),
            CallEvent::Summarised { summary, entries } => self.sum_up(summary.clone(), *entries),
            _ => {}
        }
    }

    pub(crate) fn heard(&mut self, entry: &TranscriptEntry) {
        let name =
            |said: &Said| said.item.as_ref().is_some_and(|(s, i)| *s == entry.session && i == entry.item.as_str());
        let line = self.lines;
        let known =
            self.entries.iter_mut().rev().filter(|known| known.line == line).find_map(|known| match &mut known.what {
                Remembered::Said(said) if name(said) => Some(said),
                _ => None,
            });
        match known {
            Some(said) => {
                said.text.clone_from(&entry.heard);
                said.interrupted = entry.interrupted;
                said.complete = entry.complete;
            }
            None => self.insert(entry.at, Remembered::Said(Said::from(entry))),
        }
        if entry.speaker == Speaker::Agent && entry.complete && !entry.interrupted {
            for tool in self.tools_mut().filter(|tool| tool.outcome.is_some() && tool.ended <= entry.at) {
                tool.settled = true;
            }
        }
        self.trim();
    }

    fn tool_started(&mut self, at: Duration, id: &ToolCallId, name: &str, key: &str, arguments: &str) {
        // One that is begun again is the same one.
        if self.tools_mut().any(|tool| tool.key == key && tool.outcome.is_none()) {
            return;
        }
        self.insert(
            at,
            Remembered::Tool(RememberedTool {
                id: id.to_string(),
                key: key.to_owned(),
                name: name.to_owned(),
                arguments: arguments.to_owned(),
                outcome: None,
                output: None,
                ended: Duration::ZERO,
                settled: false,
            }),
        );
    }

    fn tool_ended(&mut self, at: Duration, id: &ToolCallId, outcome: ToolOutcome, output: &str) {
        let ended = self.tools_mut().rev().find(|tool| tool.id == id.as_str() && tool.outcome.is_none());
        if let Some(tool) = ended {
            tool.outcome = Some(outcome);
            tool.output = Some(output.to_owned());
            tool.ended = at;
        }
        self.trim();
    }

    /// What is known of a call of this tool with these arguments, unless a call now would be a new wish.
    pub(crate) fn twin(&self, name: &str, arguments: &str) -> Option<Twin> {
        let equal = |tool: &&RememberedTool| tool.name == name && same_arguments(&tool.arguments, arguments);
        let (index, tool) = self.entries.iter().enumerate().rev().find_map(|(index, entry)| match &entry.what {
            Remembered::Tool(tool) if tool.outcome != Some(ToolOutcome::Refused) => {
                Some((index, tool)).filter(|(_, tool)| equal(tool))
            }
            _ => None,
        })?;
        let (key, entry) = (tool.key.clone(), &self.entries[index]);
        match tool.outcome {
            None => Some(Twin::Started { id: tool.id.as_str().into(), key }),
            Some(ToolOutcome::Done) if !tool.settled => {
                Some(Twin::Done { output: tool.output.clone().unwrap_or_default() })
            }
            Some(ToolOutcome::TimedOut | ToolOutcome::Abandoned) => {
                let answered = |said: &MemoryEntry| {
                    (said.line, said.at) > (entry.line, tool.ended)
                        && matches!(&said.what, Remembered::Said(said) if said.speaker == Speaker::Caller)
                };
                Some(Twin::Unsure { key, asked: self.entries[index..].iter().any(answered) })
            }
            Some(ToolOutcome::Done | ToolOutcome::Failed | ToolOutcome::Unknown | ToolOutcome::Refused) => None,
        }
    }

    /// The runs of which nobody knows how they ended.
    pub(crate) fn unfinished(&self) -> impl Iterator<Item = &RememberedTool> {
        self.entries.iter().filter_map(|entry| match &entry.what {
            Remembered::Tool(tool) if tool.outcome.is_none() => Some(tool),
            _ => None,
        })
    }

    /// Whether the model owes the caller an answer: somebody else than the agent had the last word.
    pub(crate) fn is_owed(&self) -> bool {
        let last = self.entries.iter().rev().find(|entry| match &entry.what {
            Remembered::Said(said) => !said.text.is_empty() || said.is_not_understood(),
            Remembered::Tool(_) => true,
            Remembered::Note(_) => false,
        });
        last.is_some_and(|entry| !matches!(&entry.what, Remembered::Said(said) if said.speaker == Speaker::Agent))
    }

    /// What a new session is told.
    pub(crate) fn items(&self, prompts: &Prompts) -> Vec<NewItem> {
        let mut items = Vec::new();
        if let Some(summary) = &self.summary {
            items.push(NewItem::System(format!("{}{summary}", prompts.summary)));
        } else if self.forgotten > 0 {
            items.push(NewItem::System(prompts.forgotten.clone()));
        }
        for entry in &self.entries {
            entry.what.tell(prompts, &mut items);
        }
        if !items.is_empty() {
            items.push(NewItem::System(prompts.resumed.clone()));
        }
        items
    }

    /// Entries stand where they began: the caller's words are known later than the answer to them.
    fn insert(&mut self, at: Duration, what: Remembered) {
        let line = self.lines;
        let index =
            self.entries.iter().rposition(|entry| (entry.line, entry.at) <= (line, at)).map_or(0, |index| index + 1);
        self.entries.insert(index, MemoryEntry { what, at, line });
        self.trim();
    }

    fn trim(&mut self) {
        let mut bytes: usize = self.entries.iter().map(MemoryEntry::bytes).sum();
        while self.entries.len() > 1 && (self.entries.len() > self.limits.entries || bytes > self.limits.bytes) {
            // How a run ended has to find its way here.
            let last = self.entries.len() - 1;
            let Some(oldest) = self.entries[..last].iter().position(MemoryEntry::is_over) else { break };
            bytes -= self.entries.remove(oldest).bytes();
            self.forgotten += 1;
        }
    }

    fn tools_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut RememberedTool> {
        self.entries.iter_mut().filter_map(|entry| match &mut entry.what {
            Remembered::Tool(tool) => Some(tool),
            _ => None,
        })
    }
}

impl MemoryEntry {
    const fn new(what: Remembered) -> Self {
        Self { what, at: Duration::ZERO, line: 0 }
    }

    /// Somebody said this to the end.
    #[must_use]
    pub fn said(speaker: Speaker, text: impl Into<String>) -> Self {
        let said = Said { speaker, text: text.into(), interrupted: false, complete: true, item: None };
        Self::new(Remembered::Said(said))
    }

    /// The caller said something of which no word is known.
    #[must_use]
    pub fn not_understood() -> Self {
        let (speaker, text) = (Speaker::Caller, String::new());
        Self::new(Remembered::Said(Said { speaker, text, interrupted: true, complete: true, item: None }))
    }

    /// The model was told this.
    #[must_use]
    pub fn note(text: impl Into<String>) -> Self {
        Self::new(Remembered::Note(text.into()))
    }

    /// A tool was asked; `ended` with how and what it gave, or `None` where nobody knows.
    #[must_use]
    pub fn tool(
        id: impl Into<String>,
        key: impl Into<String>,
        name: impl Into<String>,
        arguments: impl Into<String>,
        ended: Option<(ToolOutcome, String)>,
    ) -> Self {
        let (outcome, output) = ended.unzip();
        Self::new(Remembered::Tool(RememberedTool {
            id: id.into(),
            key: key.into(),
            name: name.into(),
            arguments: arguments.into(),
            outcome,
            output,
            ended: Duration::ZERO,
            settled: false,
        }))
    }

    fn bytes(&self) -> usize {
        match &self.what {
            Remembered::Said(said) => said.text.len(),
            Remembered::Note(text) => text.len(),
            Remembered::Tool(tool) => {
                tool.name.len() + tool.arguments.len() + tool.output.as_ref().map_or(0, String::len)
            }
        }
    }

    const fn is_over(&self) -> bool {
        !matches!(&self.what, Remembered::Tool(RememberedTool { outcome: None, .. }))
    }
}

impl Said {
    /// The caller has said something of which no word is known.
    #[must_use]
    pub fn is_not_understood(&self) -> bool {
        self.speaker == Speaker::Caller && self.interrupted && self.complete && self.text.is_empty()
    }
}

impl From<&TranscriptEntry> for Said {
    fn from(entry: &TranscriptEntry) -> Self {
        Self {
            speaker: entry.speaker,
            text: entry.heard.clone(),
            interrupted: entry.interrupted,
            complete: entry.complete,
            item: Some((entry.session, entry.item.to_string())),
        }
    }
}

impl Remembered {
    fn tell(&self, prompts: &Prompts, items: &mut Vec<NewItem>) {
        match self {
            Self::Said(said) if said.is_not_understood() => items.push(NewItem::System(prompts.not_understood.clone())),
            Self::Said(said) if said.text.is_empty() => {}
            Self::Said(Said { speaker: Speaker::Caller, text, .. }) => items.push(NewItem::User(text.clone())),
            Self::Said(Said { text, interrupted: true, .. }) => items.push(NewItem::Assistant(format!("{text}…"))),
            Self::Said(Said { text, .. }) => items.push(NewItem::Assistant(text.clone())),
            Self::Note(text) => items.push(NewItem::System(text.clone())),
            Self::Tool(tool) => tool.tell(prompts, items),
        }
    }
}

impl RememberedTool {
    /// A call is told with its result: a call without one confuses models. One that still runs is only spoken of.
    fn tell(&self, prompts: &Prompts, items: &mut Vec<NewItem>) {
        let Some(output) = &self.output else {
            items.push(NewItem::System(format!("{}{} {}", prompts.tool_runs, self.name, self.arguments)));
            return;
        };
        let call = ToolCallId::from(self.id.as_str());
        let (name, arguments) = (self.name.clone(), self.arguments.clone());
        items.push(NewItem::ToolCall { call: call.clone(), name, arguments });
        items.push(NewItem::ToolOutput { call, output: output.clone() });
    }
}

impl fmt::Debug for ConversationMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConversationMemory")
            .field("entries", &self.entries.len())
            .field("forgotten", &self.forgotten)
            .field("lines", &self.lines)
            .field("summary", &self.summary.is_some())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for MemoryEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryEntry").field("what", &self.what).field("at", &self.at).finish_non_exhaustive()
    }
}

impl fmt::Debug for Remembered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Said(said) => said.fmt(f),
            Self::Tool(tool) => tool.fmt(f),
            Self::Note(_) => f.write_str("Note"),
        }
    }
}

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Said")
            .field("speaker", &self.speaker)
            .field("interrupted", &self.interrupted)
            .field("complete", &self.complete)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for RememberedTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RememberedTool")
            .field("key", &self.key)
            .field("name", &self.name)
            .field("outcome", &self.outcome)
            .field("settled", &self.settled)
            .finish_non_exhaustive()
    }
}
