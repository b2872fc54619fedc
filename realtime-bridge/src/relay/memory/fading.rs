//! What is about to be forgotten, and has to be summed up before.

use std::fmt::Write;

use super::{ConversationMemory, MemoryEntry, Remembered, Speaker};

impl ConversationMemory {
    /// Whether what is in no summary yet takes three quarters of the limits: some of it may soon be forgotten.
    pub(crate) fn is_filling(&self) -> bool {
        let fresh = &self.entries[self.summed_up()..];
        let bytes: usize = fresh.iter().map(MemoryEntry::bytes).sum();
        fresh.len() > 1 && (fresh.len() * 4 >= self.limits.entries * 3 || bytes * 4 >= self.limits.bytes * 3)
    }

    /// What is to be summed up: the earlier summary, and all but the newest quarter of what is remembered. With how many
    /// entries that are, counted from the first there was.
    pub(crate) fn to_sum_up(&self) -> Option<(u64, String)> {
        let (mut kept, mut bytes) = (0, 0);
        for entry in self.entries.iter().rev() {
            bytes += entry.bytes();
            if kept > 0 && (kept >= self.limits.entries / 4 || bytes > self.limits.bytes / 4) {
                break;
            }
            kept += 1;
        }
        let told = self.entries.len() - kept;
        if told <= self.summed_up() {
            return None;
        }
        let mut text = String::new();
        if let Some(summary) = &self.summary {
            let _ = writeln!(text, "summary of what was before: {summary}");
        }
        // What an earlier summary tells of need not be told again.
        self.entries[self.summed_up()..told].iter().for_each(|entry| entry.what.put_down(&mut text));
        Some((self.forgotten + told as u64, text))
    }

    /// How many of the entries the summary tells of.
    fn summed_up(&self) -> usize {
        let told = self.summarised.saturating_sub(self.forgotten);
        usize::try_from(told).unwrap_or(usize::MAX).min(self.entries.len())
    }
}

impl Remembered {
    /// As a line of a play.
    fn put_down(&self, text: &mut String) {
        // Writing into a string does not fail.
        let _ = match self {
            Self::Said(said) if said.is_not_understood() => writeln!(text, "caller: (not understood)"),
            Self::Said(said) if said.text.is_empty() => Ok(()),
            Self::Said(said) => {
                let rest = if said.interrupted { "…" } else { "" };
                let speaker = if said.speaker == Speaker::Caller { "caller" } else { "agent" };
                writeln!(text, "{speaker}: {}{rest}", said.text)
            }
            Self::Note(note) => writeln!(text, "note: {note}"),
            Self::Tool(tool) => {
                let output = tool.output.as_deref().unwrap_or("(not known)");
                writeln!(text, "tool {} {}: {output}", tool.name, tool.arguments)
            }
        };
    }
}
