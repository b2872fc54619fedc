//! A relay between a telephone and a provider, moved step by step, with everything it does held to the rules.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::{Duration, Instant},
};

use realtime_bridge::{
    audio::{AudioFormat, AudioFrame},
    media::{DtmfDigit, MediaCommand, MediaEvent, MediaStart},
    realtime::{
        Capabilities, ProviderError, RealtimeCommand, RealtimeEvent, RequestId, ResponseId, ResponseStatus,
        SessionInfo, ToolCallId, TurnOwner,
    },
    relay::{BargeIn, CallCommand, CallConfig, CallEvent, Greeting, Idle, Relay, Speaker, ToolAction, ToolOutcome},
    tool::{AfterTool, Filler, ToolOptions},
};

use super::peers::{Provider, Telephone, owner};

const MS: Duration = Duration::from_millis(1);

/// How long a request may go unanswered before another may be made.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);

const AGENT_QUEUE: Duration = Duration::from_secs(4);
const CALLER_QUEUE: Duration = Duration::from_millis(200);
/// What is added to the caller's audio when it stops in the middle of speech.
const PADDING: Duration = Duration::from_secs(1);

pub(super) const TOOLS: [&str; 6] = ["plain", "tone", "line", "silent", "end", "unknown"];

#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) confirmed: bool,
    pub(super) provider_owns_turns: bool,
    /// Marks come back when they are due and time goes by from deadline to deadline, as with a good driver.
    pub(super) prompt: bool,
    /// The model may stall.
    pub(super) impatient: bool,
    pub(super) greets: bool,
    pub(super) names_requests: bool,
    pub(super) dawdles: bool,
}

#[derive(Debug, Clone)]
pub(super) enum Step {
    Pass(Duration),
    Frame,
    Key(char),
    CallerBegins,
    CallerEnds,
    /// The model's answer grows.
    Speak(Duration),
    NextItem,
    Finish(Vec<usize>),
    Fail,
    Deliver(usize),
    Serve(usize),
    Tool(usize, ToolOutcome),
    Command(CallCommand),
    LineStalls(bool),
    ModelStalls(bool),
    Marks(usize),
    Refuse,
    HangUp,
    ModelCloses,
}

#[derive(Debug)]
pub(super) struct World {
    now: Instant,
    relay: Relay,
    setting: Setting,
    telephone: Telephone,
    provider: Provider,
    to_provider: VecDeque<RealtimeCommand>,
    line_stalled: bool,
    model_stalled: bool,
    /// The line has been stalled, so that positions are not exact.
    was_stalled: bool,
    tools: Vec<ToolCallId>,
    asked: Option<(RequestId, Instant)>,
    /// The answer the relay knows to run, and whether it has asked to stop it.
    running: Option<(ResponseId, bool)>,
    known: HashSet<ResponseId>,
    /// Answers that were cut, and what was heard of each item then.
    cut: HashSet<ResponseId>,
    heard_at_cut: HashMap<u8, Duration>,
    next_event: u64,
    ended: u32,
}

impl World {
    pub(super) fn new(setting: Setting) -> Self {
        let mut config = CallConfig::default()
            .with_greeting(setting.greets.then(|| Greeting::Line("Hello.".into())))
            .with_idle(setting.impatient.then(Idle::default))
            .with_no_media(Duration::from_secs(3_600))
            .with_model_stall(if setting.impatient { REQUEST_LIMIT } else { Duration::from_secs(36_000) });
        config.agent_queue = AGENT_QUEUE;
        config.caller_queue = CALLER_QUEUE;
        if setting.confirmed {
            config.barge_in = BargeIn::confirmed();
        }
        let owner = if setting.provider_owns_turns { TurnOwner::Provider } else { TurnOwner::Bridge };
        let info = SessionInfo::new("s", "m", AudioFormat::MuLaw, AudioFormat::MuLaw).with_turn_owner(owner);
        let after = 300 * MS;
        let options = [
            ToolOptions::default(),
            ToolOptions::default().with_filler(Filler::HoldTone { after }),
            ToolOptions::default().with_filler(Filler::Line { after, text: "One moment.".into() }),
            ToolOptions::default().with_after(AfterTool::Silent),
            ToolOptions::default().with_after(AfterTool::EndCall),
        ];
        let tools = TOOLS.iter().map(|name| (*name).to_owned()).zip(options).collect();
        let relay = Relay::new(config, AudioFormat::MuLaw, &info, Capabilities::client_driven()).with_tools(tools);
        let provider = Provider::new(setting.provider_owns_turns, setting.names_requests, setting.dawdles);
        let mut world = Self {
            now: tokio::time::Instant::now().into_std(),
            relay,
            setting,
            telephone: Telephone::default(),
            provider,
            to_provider: VecDeque::new(),
            line_stalled: false,
            model_stalled: false,
            was_stalled: false,
            tools: Vec::new(),
            asked: None,
            running: None,
            known: HashSet::new(),
            cut: HashSet::new(),
            heard_at_cut: HashMap::new(),
            next_event: 0,
            ended: 0,
        };
        world.relay.handle_media(world.now, MediaEvent::Started(MediaStart::new("call", "line")));
        world.drain();
        world
    }

    pub(super) fn apply(&mut self, step: Step) {
        match step {
            Step::Pass(time) => self.pass(time),
            Step::Frame => {
                let frame = AudioFrame::silence(AudioFormat::MuLaw, 20 * MS);
                self.relay.handle_media(self.now, MediaEvent::Audio(frame));
            }
            Step::Key(key) => {
                let key = DtmfDigit::new(key).expect("a key");
                self.relay.handle_media(self.now, MediaEvent::Dtmf(key));
            }
            Step::CallerBegins => self.provider.caller_begins(),
            Step::CallerEnds => self.provider.caller_ends(),
            Step::Speak(length) => self.provider.speak(length),
            Step::NextItem => self.provider.next_item(),
            Step::Finish(tools) => {
                let tools: Vec<_> = tools.into_iter().map(|tool| TOOLS[tool]).collect();
                self.provider.finish(ResponseStatus::Completed, &tools);
            }
            Step::Fail => {
                let error = ProviderError::new("server_error", "server_error", "bad luck");
                self.provider.finish(ResponseStatus::Failed(error), &["plain"]);
            }
            Step::Deliver(count) => (0..count).for_each(|_| self.deliver()),
            Step::Serve(count) => {
                for _ in 0..count {
                    if let Some(command) = self.to_provider.pop_front() {
                        self.provider.serve(command);
                    }
                }
            }
            Step::Tool(index, outcome) => {
                if !self.tools.is_empty() {
                    let id = self.tools.remove(index % self.tools.len());
                    self.relay.handle_tool(self.now, &id, outcome, "{}".into());
                    // A result that comes twice counts once.
                    self.relay.handle_tool(self.now, &id, outcome, "{}".into());
                }
            }
            Step::Command(command) => self.relay.handle_command(self.now, command),
            Step::LineStalls(stalled) => {
                self.line_stalled = stalled;
                self.was_stalled |= stalled;
            }
            Step::ModelStalls(stalled) => self.model_stalled = stalled,
            Step::Marks(count) => (0..count).for_each(|_| self.return_mark()),
            Step::Refuse => {
                if let Some((request, _)) = self.asked {
                    let error = ProviderError::new("invalid_request_error", "odd", "no").with_request(request);
                    self.provider.outbox.push_back(RealtimeEvent::Error(error));
                }
            }
            Step::HangUp => self.relay.handle_media(self.now, MediaEvent::Stopped),
            Step::ModelCloses => self.relay.handle_model_closed(self.now, None),
        }
        self.drain();
    }

    /// When all has come to rest the agent can be made to speak, and is heard.
    pub(super) fn settle(&mut self) {
        let rest = [
            Step::LineStalls(false),
            Step::ModelStalls(false),
            Step::CallerEnds,
            Step::Serve(500),
            Step::Deliver(500),
            Step::Finish(Vec::new()),
            Step::Deliver(500),
            Step::Tool(0, ToolOutcome::Done),
            Step::Marks(500),
            Step::Pass(1_000 * MS),
        ];
        for _ in 0..15 {
            rest.iter().cloned().for_each(|step| self.apply(step));
        }
        self.apply(Step::Command(CallCommand::Say("Are you there?".into())));
        self.apply(Step::Serve(500));
        let item = self.provider.items.len();
        if self.ended > 0 || item >= 200 {
            return;
        }
        assert!(self.provider.is_busy(), "nothing is asked of the model");
        self.apply(Step::Speak(500 * MS));
        self.apply(Step::Finish(Vec::new()));
        self.apply(Step::Deliver(500));
        (0..400).for_each(|_| self.apply(Step::Pass(50 * MS)));
        let byte = u8::try_from(item - 1).expect("items are fewer");
        if self.ended == 0 {
            assert_eq!(self.telephone.heard(self.now, byte), 500 * MS, "the caller does not hear the agent");
        }
    }

    /// The call ends, and then nothing happens any more, whatever comes.
    pub(super) fn end(mut self) {
        self.apply(Step::ModelStalls(false));
        self.apply(Step::LineStalls(false));
        self.apply(Step::Command(CallCommand::HangUp));
        assert_eq!(self.ended, 1, "a call ends once");
        self.to_provider.clear();
        let more = [Step::CallerBegins, Step::Frame, Step::Key('#'), Step::Deliver(50), Step::Pass(60_000 * MS)];
        more.into_iter().for_each(|step| self.apply(step));
        assert!(self.to_provider.is_empty(), "the model is told {:?} after the end", self.to_provider);
        assert_eq!(self.relay.poll_timeout(self.now), None);
        assert!(self.relay.tool_runs().iter().all(|run| run.outcome.is_some()));
        for entry in self.relay.transcript() {
            assert!(entry.generated.starts_with(&entry.heard), "heard what was not said: {entry:?}");
        }
    }

    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        if !self.setting.prompt {
            self.now = until;
            self.relay.handle_timeout(self.now);
            return;
        }
        while self.now < until {
            let due = self.relay.poll_timeout(self.now).map_or(until, |due| due.max(self.now + MS));
            let mark = self.telephone.next_mark().unwrap_or(until).max(self.now);
            self.now = until.min(due).min(mark);
            self.return_mark();
            self.relay.handle_timeout(self.now);
            self.drain();
            let waits = self.line_stalled || self.model_stalled;
            if let Some(next) = self.relay.poll_timeout(self.now).filter(|_| !waits) {
                assert!(next > self.now, "a deadline that has passed stays due");
            }
        }
    }

    fn return_mark(&mut self) {
        if let Some(mark) = self.telephone.reached(self.now) {
            self.relay.handle_media(self.now, MediaEvent::Mark(mark));
            self.drain();
        }
    }

    fn deliver(&mut self) {
        let Some(event) = self.provider.outbox.pop_front() else { return };
        match &event {
            RealtimeEvent::ResponseStarted { response, request } => {
                self.known.insert(response.clone());
                self.running = Some((response.clone(), false));
                self.asked.take_if(|(asked, _)| *request == Some(*asked));
            }
            RealtimeEvent::ResponseDone(outcome) => {
                self.running.take_if(|(running, _)| *running == outcome.response);
            }
            RealtimeEvent::Audio { item, frame, .. } => {
                let item = self.provider.items.iter_mut().find(|known| known.id == *item).expect("it was added");
                item.delivered += frame.duration();
            }
            RealtimeEvent::Error(error) => {
                let occupied = error.code.as_deref() == Some("conversation_already_has_active_response");
                self.asked.take_if(|(asked, _)| error.request == Some(*asked) || (error.request.is_none() && occupied));
            }
            _ => {}
        }
        self.relay.handle_model(self.now, event);
        self.drain();
    }

    /// Takes out whatever the relay has to give.
    fn drain(&mut self) {
        let (mut to_line, mut to_model) = (Duration::ZERO, Duration::ZERO);
        loop {
            let mut moved = false;
            while let Some(update) = self.relay.poll_event() {
                assert_eq!((update.sequence, self.ended), (self.next_event, 0), "out of order: {update:?}");
                self.next_event += 1;
                self.check_event(&update.event);
            }
            while let Some(action) = self.relay.poll_tool() {
                match action {
                    ToolAction::Start(call) => self.tools.push(call.id),
                    ToolAction::Abort(id) => self.tools.retain(|running| *running != id),
                    other => panic!("{other:?}"),
                }
            }
            while !self.line_stalled
                && let Some(command) = self.relay.poll_media(self.now)
            {
                moved = true;
                if let MediaCommand::Audio(frame) = &command {
                    to_line += frame.duration();
                    self.check_audio(frame);
                }
                self.telephone.take(self.now, &command);
            }
            while !self.model_stalled
                && let Some(command) = self.relay.poll_model(self.now)
            {
                moved = true;
                if let RealtimeCommand::Append(frame) = &command {
                    to_model += frame.duration();
                }
                self.check_command(&command);
                self.to_provider.push_back(command);
            }
            if !moved {
                break;
            }
        }
        assert!(to_line <= AGENT_QUEUE + 200 * MS, "{to_line:?} waited for the line");
        assert!(to_model <= CALLER_QUEUE + PADDING, "{to_model:?} waited for the model");
    }

    fn check_event(&mut self, event: &CallEvent) {
        match event {
            CallEvent::Interrupted { .. } => {
                for response in self.known.clone() {
                    self.note_cut(&response);
                }
            }
            CallEvent::Transcript(entry) if entry.speaker == Speaker::Agent => {
                assert!(entry.generated.starts_with(&entry.heard), "heard what was not said: {entry:?}");
            }
            CallEvent::Ended(_) => self.ended += 1,
            _ => {}
        }
    }

    fn note_cut(&mut self, response: &ResponseId) {
        if !self.cut.insert(response.clone()) {
            return;
        }
        for (index, item) in self.provider.items.iter().enumerate().filter(|(_, item)| item.response == *response) {
            let byte = u8::try_from(index).expect("items are fewer");
            assert!(!item.id.as_str().is_empty());
            self.heard_at_cut.insert(byte, self.telephone.heard(self.now, byte));
        }
    }

    /// Nothing from a cut answer is ever sent after its clear, and nothing that the model did not make.
    fn check_audio(&self, frame: &AudioFrame) {
        assert_eq!(self.ended, 0, "audio after the end");
        assert!(!frame.is_empty());
        let Some(byte) = owner(frame) else { return };
        let item = &self.provider.items[usize::from(byte)];
        assert!(!self.cut.contains(&item.response), "{} was cut and plays", item.id);
    }

    fn check_command(&mut self, command: &RealtimeCommand) {
        match command {
            RealtimeCommand::Respond { request, .. } => {
                if let Some((_, since)) = self.asked.replace((*request, self.now)) {
                    assert!(self.now >= since + REQUEST_LIMIT, "two answers are asked at once");
                }
                let free = self.running.as_ref().is_none_or(|(_, stopped)| *stopped && self.setting.impatient);
                assert!(free, "an answer is asked while {:?} runs", self.running);
            }
            RealtimeCommand::Cancel { response, .. } => {
                let response = response.as_ref().expect("the relay knows what it stops");
                assert!(self.known.contains(response), "there is no {response} to stop");
                if let Some((running, stopped)) = self.running.as_mut().filter(|(running, _)| running == response) {
                    assert!(!*stopped, "{running} is stopped twice");
                    *stopped = true;
                }
            }
            RealtimeCommand::Truncate { item, content_index, heard, .. } => {
                let (byte, known) = self.provider.item(item);
                assert_eq!(*content_index, 0);
                assert!(*heard <= known.delivered, "{item} has {:?}, not {heard:?}", known.delivered);
                let truth = self
                    .telephone
                    .heard(self.now, byte)
                    .min(self.heard_at_cut.get(&byte).copied().unwrap_or(Duration::MAX));
                assert!(*heard <= truth + MS, "{item}: {heard:?} were claimed to be heard, not {truth:?}");
                if self.setting.prompt && !self.was_stalled {
                    assert!(truth <= *heard + 20 * MS, "{item}: only {heard:?} of {truth:?} are told");
                }
            }
            _ => {}
        }
    }
}
