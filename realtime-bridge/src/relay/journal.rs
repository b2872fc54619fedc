//! The tool journal: which tools run, which are done, and that each result is told once.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::event::ToolOutcome;
use crate::{
    realtime::{ResponseId, ToolCall, ToolCallId},
    tool::{AfterTool, Filler, ToolOptions},
};

/// How often at most to look whether somebody still speaks when a filler is due.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What the driver has to do about tools.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ToolAction {
    /// Run this call as a task, and tell the relay its result.
    Start(ToolCall),
    /// Abort the task; its result is not wanted any more.
    Abort(ToolCallId),
}

/// A run of a tool, as the report of a call tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ToolRun {
    /// The run.
    pub id: ToolCallId,
    /// The tool.
    pub name: String,
    /// The arguments as JSON text, as the model wrote them.
    pub arguments: String,
    /// How it ended. A run that has not ended yet is told as [`ToolOutcome::Abandoned`].
    pub outcome: Option<ToolOutcome>,
    /// What the model was told.
    pub output: Option<String>,
    /// How long it took.
    pub took: Duration,
}

#[derive(Debug)]
struct Entry {
    run: ToolRun,
    response: ResponseId,
    since: Instant,
    options: ToolOptions,
    /// From when on the filler's time counts.
    silent_since: Instant,
    /// Somebody spoke when the filler was due.
    disturbed: bool,
    filled: bool,
}

impl Entry {
    fn filler_due(&self) -> Option<Instant> {
        let awaited = self.run.outcome.is_none() && !self.filled;
        let least = if self.disturbed { LOOK_AGAIN } else { Duration::ZERO };
        self.options.filler.after().filter(|_| awaited).map(|after| self.silent_since + after.max(least))
    }
}

/// What follows when the last tool of an answer is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GroupDone {
    pub(crate) after: AfterTool,
    /// The answer with the calls was spoken, not only calls.
    pub(crate) spoke: bool,
    /// The call was to end, had the caller not said something.
    pub(crate) called_off: bool,
}

#[derive(Debug)]
struct Group {
    response: ResponseId,
    /// The answer was spoken, not only calls.
    spoke: bool,
    /// The caller has said something since, which outweighs that the call was to end.
    end_called_off: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Journal {
    known: Vec<(String, ToolOptions)>,
    entries: Vec<Entry>,
    /// Answers whose tools still run.
    groups: Vec<Group>,
    actions: VecDeque<ToolAction>,
    /// How many run, as the entries of a long call are many and are asked for at each wake-up.
    running: usize,
}

impl Journal {
    pub(crate) fn know(&mut self, tools: Vec<(String, ToolOptions)>) {
        self.known = tools;
    }

    /// The calls of an answer that ended well. Gives the calls that can't be made.
    pub(crate) fn begin(
        &mut self,
        now: Instant,
        response: &ResponseId,
        spoke: bool,
        calls: Vec<ToolCall>,
    ) -> (Vec<(ToolCallId, String)>, Vec<ToolCall>) {
        let mut started = Vec::new();
        let mut unknown = Vec::new();
        for call in calls {
            if self.entries.iter().any(|entry| entry.run.id == call.id) {
                continue;
            }
            let options = self.known.iter().find(|(name, _)| *name == call.name).map(|(_, options)| options.clone());
            let run = ToolRun {
                id: call.id.clone(),
                name: call.name.clone(),
                arguments: call.arguments.clone(),
                outcome: None,
                output: None,
                took: Duration::ZERO,
            };
            let (response, found) = (response.clone(), options.is_some());
            let options = options.unwrap_or_default();
            self.running += 1;
            self.entries.push(Entry {
                run,
                response,
                since: now,
                silent_since: now,
                disturbed: false,
                options,
                filled: false,
            });
            if found {
                started.push((call.id.clone(), call.name.clone()));
                self.actions.push_back(ToolAction::Start(call));
            } else {
                unknown.push(call);
            }
        }
        if !(started.is_empty() && unknown.is_empty()) {
            self.groups.push(Group { response: response.clone(), spoke, end_called_off: false });
        }
        (started, unknown)
    }

    /// A run ended. Gives it when it was still awaited, and what follows when it was the last of its answer.
    pub(crate) fn finish(
        &mut self,
        now: Instant,
        id: &ToolCallId,
        outcome: ToolOutcome,
        output: &str,
    ) -> Option<(ToolRun, Option<GroupDone>)> {
        let entry = self.entries.iter_mut().find(|entry| entry.run.id == *id && entry.run.outcome.is_none())?;
        self.running -= 1;
        entry.run.outcome = Some(outcome);
        entry.run.output = Some(output.to_owned());
        entry.run.took = now.saturating_duration_since(entry.since);
        let (run, response) = (entry.run.clone(), entry.response.clone());
        let mut group = self.entries.iter().filter(|entry| entry.response == response);
        if group.any(|entry| entry.run.outcome.is_none()) {
            return Some((run, None));
        }
        let index = self.groups.iter().position(|group| group.response == response)?;
        let Group { spoke, end_called_off, .. } = self.groups.swap_remove(index);
        let after = self.after(&response);
        let called_off = end_called_off && after == AfterTool::EndCall;
        let after = if called_off { AfterTool::Speak } else { after };
        Some((run, Some(GroupDone { after, spoke, called_off })))
    }

    /// The caller has something to say: tools that run do not end the call any more.
    pub(crate) fn call_off_end(&mut self) {
        for group in &mut self.groups {
            group.end_called_off = true;
        }
    }

    /// The runs that took too long, which are aborted.
    pub(crate) fn expired(&mut self, now: Instant) -> Vec<ToolCallId> {
        let expired: Vec<_> =
            self.running().filter(|entry| now >= entry.since + entry.options.limit).map(|e| e.run.id.clone()).collect();
        self.actions.extend(expired.iter().cloned().map(ToolAction::Abort));
        expired
    }

    /// A filler whose time has come, each once. Where somebody speaks its time begins anew.
    pub(crate) fn filler(&mut self, now: Instant, quiet: bool) -> Option<Filler> {
        let mut due = self.entries.iter_mut().filter(|entry| entry.filler_due().is_some_and(|due| now >= due));
        if !quiet {
            due.for_each(|entry| {
                entry.silent_since = now;
                entry.disturbed = true;
            });
            return None;
        }
        let entry = due.next()?;
        entry.filled = true;
        Some(entry.options.filler.clone())
    }

    /// Whether a tool runs that has a hold tone whose time has come.
    pub(crate) fn wants_hold_tone(&self) -> bool {
        self.running().any(|entry| entry.filled && matches!(entry.options.filler, Filler::HoldTone { .. }))
    }

    pub(crate) const fn is_running(&self) -> bool {
        self.running > 0
    }

    /// The next thing the driver has to do.
    pub(crate) fn poll(&mut self) -> Option<ToolAction> {
        self.actions.pop_front()
    }

    /// When the next limit or filler is due.
    pub(crate) fn timeout(&self) -> Option<Instant> {
        let due = |entry: &Entry| entry.filler_due().into_iter().chain([entry.since + entry.options.limit]).min();
        self.running().filter_map(due).min()
    }

    /// All runs, in order; those still running count as abandoned.
    pub(crate) fn runs(&self) -> Vec<ToolRun> {
        let abandoned = |run: &ToolRun| {
            let mut run = run.clone();
            run.outcome = run.outcome.or(Some(ToolOutcome::Abandoned));
            run
        };
        self.entries.iter().map(|entry| abandoned(&entry.run)).collect()
    }

    fn running(&self) -> impl Iterator<Item = &Entry> {
        // The newest are last, and few run at once: looking from the end finds them soon.
        self.entries.iter().rev().filter(|entry| entry.run.outcome.is_none()).take(self.running)
    }

    /// Speaking outweighs silence, and ending the call outweighs both.
    fn after(&self, response: &ResponseId) -> AfterTool {
        let mut after = AfterTool::Silent;
        for entry in self.entries.iter().filter(|entry| entry.response == *response) {
            // A tool that failed has to be spoken about, whatever it would have led to.
            match (entry.options.after, entry.run.outcome) {
                (AfterTool::EndCall, Some(ToolOutcome::Done)) => return AfterTool::EndCall,
                (AfterTool::Silent, Some(ToolOutcome::Done)) => {}
                _ => after = AfterTool::Speak,
            }
        }
        after
    }
}

#[cfg(test)]
mod tests;
