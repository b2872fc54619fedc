//! The agent's side: what it is asked to say, commands from outside, and tools.

use std::time::{Duration, Instant};

use super::{
    CallCommand, CallEvent, EndReason, Greeting, Relay, ToolOutcome, ToolRun,
    journal::{Begun, GroupDone},
    sequencer::{Purpose, Wish},
};
use crate::{
    realtime::{NewItem, RealtimeCommand, ResponseId, ToolCall, ToolCallId},
    tool::{AfterTool, Filler},
};

/// How long both are silent before a tone keeps the caller company: longer than a pause between two sentences.
const TONE_AFTER: Duration = Duration::from_millis(800);

impl Relay {
    /// Somebody outside wants something.
    pub fn handle_command(&mut self, now: Instant, command: CallCommand) {
        if self.is_over() {
            return;
        }
        match command {
            CallCommand::Say(line) => {
                self.say(Purpose::Say, &line);
                self.saying = true;
            }
            CallCommand::Instruct { text, respond: true } => {
                self.instruct(Purpose::Say, text);
                self.saying = true;
            }
            CallCommand::Instruct { text, respond: false } => self.note(now, NewItem::System(text)),
            CallCommand::Summarise(summary) => {
                let entries = self.memory.forgotten();
                self.tell(now, CallEvent::Summarised { summary, entries });
            }
            CallCommand::Accompany(accompany) => self.accompany(now, accompany),
            CallCommand::Interrupt => self.interrupt(now, true),
            CallCommand::UpdateTools(tools) => {
                self.journal.know(tools.options());
                self.link.set_tools(tools.specs());
                self.tell_tools();
            }
            CallCommand::End { line } => {
                let words = line.map(|line| self.word_for_word(&line));
                self.close(now, EndReason::Goodbye, words, false);
            }
            CallCommand::Detach { line } => {
                let words = line.map(|line| self.word_for_word(&line));
                self.close(now, EndReason::Detached, words, true);
            }
            CallCommand::HangUp => self.end(now, EndReason::HungUp),
        }
    }

    /// A tool's task has ended with text for the model.
    pub fn handle_tool(&mut self, now: Instant, id: &ToolCallId, outcome: ToolOutcome, output: String) {
        if self.is_over() {
            self.journal.finish(now, id, outcome, &output);
            return;
        }
        let followers = self.journal.followers(id);
        let known = self.journal.is_of_session(id);
        let Some((run, group)) = self.journal.finish(now, id, outcome, &output) else { return };
        let ToolRun { id, key, name, arguments, took, .. } = run;
        if !known {
            // Another session has asked for it: this one was only told that it is at work.
            self.add_item(NewItem::ToolCall { call: id.clone(), name: name.clone(), arguments });
        }
        self.add_item(NewItem::ToolOutput { call: id.clone(), output: output.clone() });
        self.tell(now, CallEvent::ToolFinished { id, name, key, outcome, output: output.clone(), took });
        self.journal.trim(self.config.transcript_limit);
        self.tool_settled(now, group);
        for follower in followers {
            self.answer_call(now, &follower, outcome, output.clone());
        }
    }

    /// A call that is not run gets its result.
    fn answer_call(&mut self, now: Instant, id: &ToolCallId, outcome: ToolOutcome, output: String) {
        let known = self.journal.is_of_session(id);
        let Some((run, group)) = self.journal.finish(now, id, outcome, &output) else { return };
        if self.is_over() {
            return;
        }
        // Another session is told of the run, and knows nothing of the call that had joined it.
        if known {
            self.add_item(NewItem::ToolOutput { call: run.id.clone(), output });
        }
        self.tell(now, CallEvent::ToolAnswered { id: run.id, name: run.name, outcome });
        self.tool_settled(now, group);
    }

    fn tool_settled(&mut self, now: Instant, group: Option<GroupDone>) {
        if !self.journal.wants_hold_tone() && !self.accompanies {
            self.playout.stop_hold_tone();
        }
        self.timers.active(now);
        match group {
            None | Some(GroupDone { after: AfterTool::Silent, .. }) => self.finish_if_said(now),
            Some(GroupDone { after: AfterTool::Speak, called_off, .. }) => {
                if called_off {
                    self.add_item(NewItem::System(self.config.prompts.end_called_off.clone()));
                }
                self.sequencer.want(Wish::new(Purpose::ToolResults));
            }
            Some(GroupDone { after: AfterTool::EndCall, spoke, .. }) => {
                let words = (!spoke).then(|| self.config.prompts.goodbye.clone());
                self.close(now, EndReason::Goodbye, words, false);
            }
        }
    }

    /// The calls of an answer that ended well.
    pub(super) fn run_tools(&mut self, now: Instant, response: &ResponseId, spoke: bool, calls: Vec<ToolCall>) {
        let known = (&self.memory, &self.config.prompts);
        let begun = self.journal.begin(now, response, spoke, calls, known);
        // What is answered at once may end the call.
        let (started, answered): (Vec<_>, Vec<_>) =
            begun.into_iter().partition(|begun| matches!(begun, Begun::Started(_)));
        for begun in started.into_iter().chain(answered) {
            self.begun(now, begun);
        }
    }

    fn begun(&mut self, now: Instant, begun: Begun) {
        match begun {
            Begun::Started(ToolRun { id, name, key, arguments, .. }) => {
                self.tell(now, CallEvent::ToolStarted { id, name, key, arguments });
            }
            Begun::Joined => {}
            Begun::Answered { id, outcome: ToolOutcome::Unknown, output } => {
                self.handle_tool(now, &id, ToolOutcome::Unknown, output);
            }
            Begun::Answered { id, outcome, output } => self.answer_call(now, &id, outcome, output),
        }
    }

    /// Goes on with a conversation that another session, or another node, has begun.
    pub(super) fn resume(&mut self, now: Instant) {
        if self.memory.is_empty() {
            return;
        }
        let known = self.memory_known && self.link.session() == 0;
        let unfinished: Vec<_> = self.memory.unfinished().cloned().collect();
        for tool in unfinished {
            match self.journal.resume(now, &tool, &self.config.prompts, known) {
                Begun::Answered { id, outcome, output } => {
                    if known {
                        self.add_item(NewItem::ToolOutput { call: id.clone(), output: output.clone() });
                    }
                    let (name, key, took) = (tool.name, tool.key, Duration::ZERO);
                    self.tell(now, CallEvent::ToolFinished { id, name, key, outcome, output, took });
                }
                begun => self.begun(now, begun),
            }
        }
        if !known {
            self.tell_memory();
        }
        if self.config.greeting.is_none() && self.memory.is_owed() && !self.journal.is_running() {
            self.sequencer.want(Wish::new(Purpose::Turn));
        }
    }

    /// The model is told something that it has to remember.
    pub(super) fn note(&mut self, now: Instant, item: NewItem) {
        if self.is_over() {
            return;
        }
        if let NewItem::System(text) | NewItem::User(text) = &item {
            self.tell(now, CallEvent::Noted(text.clone()));
        }
        self.add_item(item);
    }

    pub(super) fn check_tools(&mut self, now: Instant) {
        for id in self.journal.expired(now) {
            let output = self.journal.stopped_text(&id, &self.config.prompts);
            self.handle_tool(now, &id, ToolOutcome::TimedOut, output);
        }
        if self.accompanies && self.timers.quiet_since(now) >= TONE_AFTER && self.is_quiet(now) {
            self.playout.start_hold_tone();
        }
        if !self.journal.is_running() {
            return;
        }
        loop {
            let quiet = self.is_quiet(now);
            match self.journal.filler(now, quiet) {
                Some(Filler::Line { text, .. }) => self.say(Purpose::Filler, &text),
                Some(Filler::HoldTone { .. } | Filler::None) => {}
                None => break,
            }
        }
        if self.journal.wants_hold_tone() && self.is_quiet(now) {
            self.playout.start_hold_tone();
        }
    }

    fn accompany(&mut self, now: Instant, accompany: bool) {
        self.accompanies = accompany;
        self.timers.caller_active(now);
        if !accompany && !self.journal.wants_hold_tone() {
            self.playout.stop_hold_tone();
        }
    }

    /// When the tone that keeps a caller company is due.
    pub(super) fn tone_due(&self, now: Instant) -> Option<Instant> {
        let due = self.accompanies && !self.playout.has_hold_tone();
        self.timers.quiet_for(TONE_AFTER).filter(|at| due && *at > now)
    }

    /// Nobody speaks and nobody is about to.
    fn is_quiet(&mut self, now: Instant) -> bool {
        !self.caller.is_speaking() && !self.sequencer.is_busy() && self.playout.is_silent(now)
    }

    pub(super) fn greet(&mut self, now: Instant) {
        match self.config.greeting.clone() {
            Some(Greeting::Line(line)) => self.say(Purpose::Greeting, &line),
            Some(Greeting::Instructions(text)) => self.instruct(Purpose::Greeting, text),
            None => return,
        }
        self.latency.begin(now);
    }

    /// The model shall say these words and no others.
    pub(super) fn say(&mut self, purpose: Purpose, line: &str) {
        let words = self.word_for_word(line);
        self.sequencer.want(Wish::about(purpose, NewItem::System(words)).apart().without_tools());
    }

    /// The model shall speak as it is told to. The instruction is an entry of the conversation, as instructions of a
    /// single answer would replace the session's.
    pub(super) fn instruct(&mut self, purpose: Purpose, text: String) {
        let wish = Wish::about(purpose, NewItem::System(text));
        self.sequencer.want(match purpose {
            Purpose::Say => wish,
            // Nothing else is to be said with it.
            Purpose::Goodbye => wish.apart().without_tools(),
            _ => wish.without_tools(),
        });
    }

    pub(super) fn add_item(&mut self, item: NewItem) {
        if self.link.is_down() {
            // What counts of it is remembered, and told to the next session.
            return;
        }
        if matches!(item, NewItem::ToolOutput { .. } | NewItem::User(_)) {
            self.sequencer.result_told();
        }
        let request = self.request();
        self.commands.push_back(RealtimeCommand::AddItem { request, item });
    }

    /// Sends what waits to be said, if the model may speak now.
    pub(super) fn ask_model(&mut self, now: Instant) {
        let waits = self.caller.is_speaking() || self.caller.awaits_answer || self.playout.held;
        if waits || !self.sequencer.may_ask(now) || self.is_over() {
            return;
        }
        let request = self.request();
        let Some(ask) = self.sequencer.ask(now, request) else { return };
        for item in ask.items {
            self.add_item(item);
        }
        if self.capabilities.respond {
            self.timers.model(now);
            self.commands.push_back(RealtimeCommand::Respond { request, options: ask.options });
        } else {
            // Such a model speaks by itself when it has been told something.
            self.sequencer.withdraw();
        }
    }

    fn word_for_word(&self, line: &str) -> String {
        format!("{}{line}", self.config.prompts.say)
    }
}

/// What the model is told when a tool gives no result.
pub(crate) fn error_text(message: &str) -> String {
    serde_json::json!({ "error": message }).to_string()
}
