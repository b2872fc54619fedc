//! What another model session has to know to go on with a call.

use jiff::Timestamp;
use realtime_bridge::relay::{self, ConversationMemory, MemoryEntry, MemoryLimits, Remembered};

use super::{CallSession, Line, Speaker, ToolRun};

impl CallSession {
    /// What a model session that goes on with the call has to know: what both have heard, what tools did, what it was
    /// told; the newest of it within the limits. For [`Bridge::with_memory`](realtime_bridge::bridge::Bridge::with_memory).
    #[must_use]
    pub fn memory(&self, limits: MemoryLimits) -> ConversationMemory {
        let heard = self.transcript.iter().filter(|line| !line.heard.is_empty() || not_understood(line));
        let mut told: Vec<(Timestamp, MemoryEntry)> = heard.map(|line| (line.at, said(line))).collect();
        told.extend(self.tools.iter().map(|run| (run.began, self.done(run))));
        told.extend(self.notes.iter().map(|note| (note.at, MemoryEntry::note(&note.text))));
        // Stable: what began at the same time stays in the order above.
        told.sort_by_key(|(at, _)| *at);
        // The streams of a call do not share the keys of tools.
        let lines = u32::try_from(self.summary.attachments.len()).unwrap_or(u32::MAX);
        let mut memory = ConversationMemory::with_limits(limits).with_lines(lines);
        told.into_iter().for_each(|(_, entry)| memory.push(entry));
        if let Some(gist) = &self.gist {
            memory.set_summary(&gist.text);
        }
        memory
    }

    fn done(&self, run: &ToolRun) -> MemoryEntry {
        let ended = run.outcome.map(|outcome| (outcome.into(), run.output.clone().unwrap_or_default()));
        let mut entry = MemoryEntry::tool(&run.id, &run.key, &run.name, &run.arguments, ended);
        let spoken = |line: &Line| line.speaker == Speaker::Agent && line.complete && !line.interrupted;
        // What was said while it ran, such as "one moment", tells nothing of the result.
        let told = run.ended.is_some_and(|ended| self.transcript.iter().any(|line| line.at >= ended && spoken(line)));
        if let Remembered::Tool(tool) = &mut entry.what {
            tool.settled = told;
        }
        entry
    }
}

/// The caller said something that nobody has put into words.
fn not_understood(line: &Line) -> bool {
    line.speaker == Speaker::Caller && line.interrupted && line.complete && line.heard.is_empty()
}

fn said(line: &Line) -> MemoryEntry {
    if not_understood(line) {
        return MemoryEntry::not_understood();
    }
    let speaker = match line.speaker {
        Speaker::Caller => relay::Speaker::Caller,
        // To the model, whoever spoke to the caller spoke on its side.
        Speaker::Agent | Speaker::Person => relay::Speaker::Agent,
    };
    let mut entry = MemoryEntry::said(speaker, &line.heard);
    if let Remembered::Said(said) = &mut entry.what {
        // Of words whose end was never written down the rest was not heard.
        said.interrupted = line.interrupted || !line.complete;
    }
    entry
}
