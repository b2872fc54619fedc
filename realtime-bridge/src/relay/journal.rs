//! The tool journal: which tools run, which are done, and that each result is told once.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{
    Prompts,
    agent::error_text,
    event::ToolOutcome,
    memory::{ConversationMemory, RememberedTool, Twin},
};
use crate::{
    realtime::{ResponseId, ToolCall, ToolCallId},
    tool::{AfterTool, Filler, PlannedRun, ToolOptions, ToolPolicy},
};

/// How often at most to look whether somebody still speaks when a filler is due.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What the driver has to do about tools.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ToolAction {
    /// Run this as a task, and tell the relay its result.
    Start(PlannedRun),
    /// Abort the task; its result is not wanted any more.
    Abort(ToolCallId),
}

/// A run of a tool, as the report of a call tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ToolRun {
    /// The run.
    pub id: ToolCallId,
    /// The key under which its effect happens once. A run that is begun again keeps it.
    pub key: String,
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
    /// It is another call of a tool that runs already, and gets its result.
    follows: Option<ToolCallId>,
    /// It was not run: its result was known, or it was refused.
    echo: bool,
    /// The session of the model that it came from; `None` for one that was begun before this line was up.
    session: Option<u32>,
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
    /// What the keys of the runs begin with.
    call: String,
    /// The session of the model that calls come from.
    session: u32,
    dropped: u64,
}

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Begun {
    Started(ToolRun),
    /// It waits for an equal call that runs already.
    Joined,
    /// It is not run; this is its result.
    Answered {
        id: ToolCallId,
        outcome: ToolOutcome,
        output: String,
    },
}

impl Journal {
    pub(crate) fn know(&mut self, tools: Vec<(String, ToolOptions)>) {
        self.known = tools;
    }

    /// Names the telephone call, and the line of it that this is.
    pub(crate) fn name_call(&mut self, call: &str, line: u32) {
        self.call = format!("{call}/{line}");
    }

    /// The calls of an answer that ended well. What is known of equal calls decides what becomes of them.
    pub(crate) fn begin(
        &mut self,
        now: Instant,
        response: &ResponseId,
        spoke: bool,
        calls: Vec<ToolCall>,
        (memory, prompts): (&ConversationMemory, &Prompts),
    ) -> Vec<Begun> {
        let mut begun = Vec::new();
        for call in calls {
            if self.entries.iter().any(|entry| entry.run.id == call.id && entry.session == Some(self.session)) {
                continue;
            }
            let options = self.known.iter().find(|(name, _)| *name == call.name).map(|(_, options)| options.clone());
            // Equal calls of one answer are all meant: none of them is remembered yet.
            let twin = memory.twin(&call.name, &call.arguments);
            begun.push(self.begin_one(now, response, call, options, (twin, prompts)));
        }
        if !begun.is_empty() {
            self.groups.push(Group { response: response.clone(), spoke, end_called_off: false });
        }
        begun
    }

    fn begin_one(
        &mut self,
        now: Instant,
        response: &ResponseId,
        call: ToolCall,
        options: Option<ToolOptions>,
        (twin, prompts): (Option<Twin>, &Prompts),
    ) -> Begun {
        let fresh = format!("{}.{}/{}", self.call, self.session, call.id);
        let ToolCall { id, name, arguments, .. } = call;
        let run = ToolRun { id, key: fresh, name, arguments, outcome: None, output: None, took: Duration::ZERO };
        let answered = |outcome, output| Begun::Answered { id: run.id.clone(), outcome, output };
        let Some(options) = options else {
            let begun = answered(ToolOutcome::Unknown, error_text("there is no such tool"));
            self.enter(now, response, run, ToolOptions::default());
            return begun;
        };
        let policy = options.policy;
        let running = |id: &ToolCallId| self.running().any(|entry| entry.run.id == *id);
        let (begun, follows, key) = match twin {
            None => (None, None, None),
            Some(Twin::Started { id, .. }) if running(&id) => (Some(Begun::Joined), Some(id), None),
            Some(Twin::Done { output, .. }) => (Some(answered(ToolOutcome::Done, output)), None, None),
            Some(Twin::Started { key, .. } | Twin::Unsure { key, .. }) if policy == ToolPolicy::Repeat => {
                (None, None, Some(key))
            }
            Some(Twin::Unsure { key, asked: true }) if policy == ToolPolicy::Ask => (None, None, Some(key)),
            Some(Twin::Started { .. } | Twin::Unsure { .. }) => {
                (Some(answered(ToolOutcome::Refused, unsure(policy, prompts))), None, None)
            }
        };
        match begun {
            Some(begun) => {
                let entry = self.enter(now, response, run, options.with_filler(Filler::None));
                (entry.echo, entry.follows) = (true, follows);
                begun
            }
            None => Begun::Started(self.start(now, response, run, options, key)),
        }
    }

    /// A run that was under way when nobody could see it any more, which may be begun again, or else is told as
    /// abandoned, with what the model has to know of it. `known` when the present session has made the call.
    pub(crate) fn resume(&mut self, now: Instant, tool: &RememberedTool, prompts: &Prompts, known: bool) -> Begun {
        let options = self.known.iter().find(|(name, _)| *name == tool.name).map(|(_, options)| options.clone());
        let policy = options.as_ref().map_or(ToolPolicy::Never, |options| options.policy);
        let id = ToolCallId::from(tool.id.as_str());
        match options.filter(|_| policy == ToolPolicy::Repeat) {
            Some(options) => {
                let (name, arguments) = (tool.name.clone(), tool.arguments.clone());
                let (key, outcome, output) = (tool.key.clone(), None, None);
                let run = ToolRun { id, key, name, arguments, outcome, output, took: Duration::ZERO };
                let response = ResponseId::from(tool.key.as_str());
                self.groups.push(Group { response: response.clone(), spoke: true, end_called_off: false });
                let run = self.start(now, &response, run, options, Some(tool.key.clone()));
                let session = known.then_some(self.session);
                if let Some(entry) = self.entries.last_mut() {
                    entry.session = session;
                }
                Begun::Started(run)
            }
            None => Begun::Answered { id, outcome: ToolOutcome::Abandoned, output: unsure(policy, prompts) },
        }
    }

    fn start(
        &mut self,
        now: Instant,
        response: &ResponseId,
        mut run: ToolRun,
        options: ToolOptions,
        again: Option<String>,
    ) -> ToolRun {
        let policy = options.policy;
        let again = again.map(|key| run.key = key).is_some();
        let ToolRun { id, key, name, arguments, .. } = run.clone();
        self.actions.push_back(ToolAction::Start(PlannedRun { id, key, name, arguments, policy, again }));
        self.enter(now, response, run.clone(), options);
        run
    }

    fn enter(&mut self, now: Instant, response: &ResponseId, run: ToolRun, options: ToolOptions) -> &mut Entry {
        let entry = Entry {
            run,
            response: response.clone(),
            since: now,
            silent_since: now,
            disturbed: false,
            options,
            filled: false,
            follows: None,
            echo: false,
            session: Some(self.session),
        };
        self.running += 1;
        let index = self.entries.len();
        self.entries.push(entry);
        &mut self.entries[index]
    }

    /// What the model is told of a run that is stopped, as its time is up.
    pub(crate) fn stopped_text(&self, id: &ToolCallId, prompts: &Prompts) -> String {
        let stopped = "the tool took too long and was stopped";
        let policy = self.running().find(|entry| entry.run.id == *id).map(|entry| entry.options.policy);
        match policy {
            Some(ToolPolicy::Never) => error_text(&format!("{stopped}. {}", prompts.tool_never)),
            Some(ToolPolicy::Ask) => error_text(&format!("{stopped}. {}", prompts.tool_ask)),
            Some(ToolPolicy::Repeat) | None => error_text(stopped),
        }
    }

    /// The calls that wait for this one.
    pub(crate) fn followers(&self, id: &ToolCallId) -> Vec<ToolCallId> {
        let follows = |entry: &&Entry| entry.follows.as_ref() == Some(id);
        self.running().filter(follows).map(|entry| entry.run.id.clone()).collect()
    }

    /// From now on calls come from this session.
    pub(crate) const fn enter_session(&mut self, session: u32) {
        self.session = session;
    }

    /// Whether the present session has made this call.
    pub(crate) fn is_of_session(&self, id: &ToolCallId) -> bool {
        self.running().any(|entry| entry.run.id == *id && entry.session == Some(self.session))
    }

    /// Keeps no more than this many runs; the oldest are dropped once they are done.
    pub(crate) fn trim(&mut self, limit: usize) {
        let over = self.entries.len().saturating_sub(limit);
        // An answer is over when its last run is.
        let open = |entry: &Entry| self.groups.iter().any(|group| group.response == entry.response);
        let done =
            self.entries.iter().take(over).take_while(|entry| entry.run.outcome.is_some() && !open(entry)).count();
        self.dropped += self.entries.drain(..done).filter(|entry| !entry.echo).count() as u64;
    }

    /// How many runs were dropped.
    pub(crate) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// A run ended. Gives it when it was still awaited, and what follows when it was the last of its answer.
    pub(crate) fn finish(
        &mut self,
        now: Instant,
        id: &ToolCallId,
        outcome: ToolOutcome,
        output: &str,
    ) -> Option<(ToolRun, Option<GroupDone>)> {
        let entry = self.entries.iter_mut().rev().find(|entry| entry.run.id == *id && entry.run.outcome.is_none())?;
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

    /// All runs, in order; those still running count as abandoned. Calls that were not run are not among them.
    pub(crate) fn runs(&self) -> Vec<ToolRun> {
        let abandoned = |run: &ToolRun| {
            let mut run = run.clone();
            run.outcome = run.outcome.or(Some(ToolOutcome::Abandoned));
            run
        };
        self.entries.iter().filter(|entry| !entry.echo).map(|entry| abandoned(&entry.run)).collect()
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

/// What the model is told where nobody knows whether something was done.
fn unsure(policy: ToolPolicy, prompts: &Prompts) -> String {
    error_text(if policy == ToolPolicy::Ask { &prompts.tool_ask } else { &prompts.tool_never })
}

/// Whether two texts are the same JSON, however it is spaced and ordered.
pub(crate) fn same_arguments(one: &str, other: &str) -> bool {
    let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    one == other || parse(one).is_some_and(|one| parse(other).is_some_and(|other| one == other))
}

#[cfg(test)]
mod tests;
