//! The relay while sessions come and go in any order: what it tells a session is about that session, and about nothing
//! of another, though all of them use the same names.

use std::collections::{BTreeSet, VecDeque};

use proptest::{collection::vec, prelude::*};
use realtime_bridge::{
    audio::{AudioFormat, AudioFrame},
    media::{MarkId, MediaCommand, MediaEvent, MediaStart},
    realtime::{
        Capabilities, ItemId, ItemKind, NewItem, RealtimeCommand, RealtimeEvent, ResponseId, ResponseOutcome,
        ResponseStatus, SessionInfo, ToolCall,
    },
    relay::{Again, CallCommand, CallConfig, LinkAction, Relay, ToolAction, ToolOutcome},
    tool::ToolOptions,
};
use std::time::{Duration, Instant};

use super::super::MS;

#[derive(Debug, Clone)]
enum Step {
    Pass(Duration),
    Frame,
    Lose,
    Opened(bool),
    CallerBegins,
    CallerEnds(bool),
    Begin,
    Speak(Duration),
    Done(bool),
    Tool,
    Say,
    Interrupt,
    End,
    Marks,
}

/// What the present session has told and been told.
#[derive(Default)]
struct Session {
    names: u32,
    items: BTreeSet<String>,
    responses: BTreeSet<String>,
    calls: BTreeSet<String>,
    running: Option<(ResponseId, ItemId)>,
    turn: Option<ItemId>,
}

struct World {
    now: Instant,
    relay: Relay,
    session: Option<Session>,
    opening: bool,
    marks: VecDeque<MarkId>,
    tools: Vec<realtime_bridge::realtime::ToolCallId>,
    ended: bool,
}

fn info() -> SessionInfo {
    SessionInfo::new("s", "m", AudioFormat::MuLaw, AudioFormat::MuLaw)
}

fn capabilities() -> Capabilities {
    Capabilities::client_driven().with_session_limit(Duration::from_secs(60))
}

impl World {
    fn new() -> Self {
        let config = CallConfig::default().with_no_media(Duration::from_secs(36_000));
        let relay = Relay::new(config, AudioFormat::MuLaw, &info(), capabilities())
            .with_tools(vec![("tool".into(), ToolOptions::default())])
            .with_recovery(2, 1);
        let now = tokio::time::Instant::now().into_std();
        let (marks, tools) = (VecDeque::new(), Vec::new());
        let mut world =
            Self { now, relay, session: Some(Session::default()), opening: false, marks, tools, ended: false };
        world.relay.handle_media(now, MediaEvent::Started(MediaStart::new("call", "line")));
        world.drain();
        world
    }

    fn tell(&mut self, event: RealtimeEvent) {
        self.relay.handle_model(self.now, event);
    }

    fn name(&mut self, kind: &str) -> String {
        let session = self.session.as_mut().expect("it is asked for");
        session.names += 1;
        format!("{kind}_{}", session.names)
    }

    fn apply(&mut self, step: Step) {
        let now = self.now;
        match step {
            Step::Pass(time) => {
                self.now += time;
                self.relay.handle_timeout(self.now);
            }
            Step::Frame => {
                let frame = AudioFrame::silence(AudioFormat::MuLaw, 20 * MS);
                self.relay.handle_media(now, MediaEvent::Audio(frame));
            }
            Step::Lose => self.relay.handle_model_closed(now, None),
            Step::Opened(true) if self.opening => {
                self.opening = false;
                self.relay.handle_session(now, &info(), &capabilities());
            }
            Step::Opened(false) if self.opening => {
                self.opening = false;
                self.relay.handle_session_failed(now, Again::NotBefore(now));
            }
            Step::Say => self.relay.handle_command(now, CallCommand::Say("Listen.".into())),
            Step::Interrupt => self.relay.handle_command(now, CallCommand::Interrupt),
            Step::End => self.relay.handle_command(now, CallCommand::End { line: Some("Bye.".into()) }),
            Step::Marks => {
                while let Some(mark) = self.marks.pop_front() {
                    self.relay.handle_media(now, MediaEvent::Mark(mark));
                }
            }
            Step::Tool => {
                if let Some(id) = self.tools.pop() {
                    self.relay.handle_tool(now, &id, ToolOutcome::Done, "done".into());
                }
            }
            model if self.session.is_some() => self.model(model),
            _ => {}
        }
        self.drain();
    }

    fn model(&mut self, step: Step) {
        let session = self.session.as_mut().expect("it was looked");
        match step {
            Step::CallerBegins if session.turn.is_none() => {
                let item = ItemId::from(self.name("item"));
                if let Some(session) = &mut self.session {
                    session.turn = Some(item.clone());
                }
                self.tell(RealtimeEvent::SpeechStarted { item: Some(item), audio_start: Duration::ZERO });
            }
            Step::CallerEnds(words) => {
                let Some(item) = session.turn.take() else { return };
                let (stopped, at) = (Some(item.clone()), Duration::ZERO);
                self.tell(RealtimeEvent::SpeechStopped { item: stopped, audio_end: at });
                self.tell(RealtimeEvent::TurnCommitted { item: item.clone(), previous: None });
                if words {
                    self.tell(RealtimeEvent::UserTranscript { item, text: "Hm?".into() });
                }
            }
            Step::Begin if session.running.is_none() => {
                let (response, item) = (self.name("resp"), self.name("item"));
                if let Some(session) = &mut self.session {
                    session.responses.insert(response.clone());
                    session.items.insert(item.clone());
                    session.running = Some((response.as_str().into(), item.as_str().into()));
                }
                self.tell(RealtimeEvent::ResponseStarted { response: response.into(), request: None });
                let kind = ItemKind::Assistant;
                self.tell(RealtimeEvent::ItemAdded { item: item.into(), previous: None, kind });
            }
            Step::Speak(length) => {
                let Some((response, item)) = session.running.clone() else { return };
                let (text, content_index) = (" word".to_owned(), 0);
                let (r, i) = (response.clone(), item.clone());
                self.tell(RealtimeEvent::TranscriptDelta { response: r, item: i, content_index, delta: text });
                let frame = AudioFrame::silence(AudioFormat::MuLaw, length);
                self.tell(RealtimeEvent::Audio { response, item, content_index, frame });
            }
            Step::Done(calls) => {
                let Some((response, item)) = session.running.take() else { return };
                let id = self.name("call");
                let mut outcome = ResponseOutcome::new(response.clone(), ResponseStatus::Completed);
                if calls {
                    if let Some(session) = &mut self.session {
                        session.calls.insert(id.clone());
                    }
                    outcome = outcome.with_calls(vec![ToolCall::new(id, "item", "tool", "{}")]);
                }
                self.tell(RealtimeEvent::AudioDone { response, item, content_index: 0 });
                self.tell(RealtimeEvent::ResponseDone(Box::new(outcome)));
            }
            _ => {}
        }
    }

    fn drain(&mut self) {
        while let Some(action) = self.relay.poll_link() {
            match action {
                LinkAction::Leave { .. } => self.session = None,
                LinkAction::Open => self.opening = true,
                LinkAction::Proven => {}
                LinkAction::Switch => self.session = Some(Session::default()),
                other => panic!("{other:?}"),
            }
        }
        while let Some(update) = self.relay.poll_event() {
            assert!(!self.ended, "{update:?} comes after the end");
            self.ended = update.event.name() == "ended";
        }
        while let Some(action) = self.relay.poll_tool() {
            match action {
                ToolAction::Start(run) => self.tools.push(run.id),
                ToolAction::Abort(id) => self.tools.retain(|running| *running != id),
                other => panic!("{other:?}"),
            }
        }
        while let Some(command) = self.relay.poll_media(self.now) {
            if let MediaCommand::Mark(mark) = command {
                self.marks.push_back(mark);
            }
        }
        while let Some(command) = self.relay.poll_model(self.now) {
            let session = self.session.as_mut().expect("nobody is told anything while there is no session");
            match command {
                RealtimeCommand::Truncate { item, .. } => assert!(session.items.contains(item.as_str()), "{item}"),
                RealtimeCommand::Cancel { response: Some(response), .. } => {
                    assert!(session.responses.contains(response.as_str()), "{response}");
                }
                RealtimeCommand::AddItem { item: NewItem::ToolCall { call, .. }, .. } => {
                    session.calls.insert(call.to_string());
                }
                RealtimeCommand::AddItem { item: NewItem::ToolOutput { call, .. }, .. } => {
                    assert!(session.calls.contains(call.as_str()), "{call} is not known to this session");
                }
                _ => {}
            }
        }
        assert_eq!(self.session.is_none(), self.relay.is_without_model());
    }
}

fn step() -> impl Strategy<Value = Step> {
    let ms = |range: std::ops::Range<u32>| range.prop_map(|ms| ms * MS);
    prop_oneof![
        10 => ms(1..900).prop_map(Step::Pass),
        2 => ms(2_000..20_000).prop_map(Step::Pass),
        4 => Just(Step::Frame),
        4 => Just(Step::Lose),
        8 => prop::bool::weighted(0.8).prop_map(Step::Opened),
        4 => Just(Step::CallerBegins),
        4 => any::<bool>().prop_map(Step::CallerEnds),
        8 => Just(Step::Begin),
        12 => ms(20..900).prop_map(Step::Speak),
        6 => any::<bool>().prop_map(Step::Done),
        4 => Just(Step::Tool),
        2 => Just(Step::Say),
        2 => Just(Step::Interrupt),
        1 => Just(Step::End),
        6 => Just(Step::Marks),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sessions_come_and_go_and_nothing_is_mixed_up(steps in vec(step(), 1..150)) {
        let mut world = World::new();
        for step in steps {
            world.apply(step);
        }
        // One that is ready to take over does so when the first is lost.
        world.apply(Step::Lose);
        world.apply(Step::Lose);
        world.apply(Step::Pass(Duration::from_secs(60)));
        // Without another session it ends, once.
        prop_assert!(world.ended);
        prop_assert_eq!(world.relay.poll_timeout(world.now), None);
    }
}
