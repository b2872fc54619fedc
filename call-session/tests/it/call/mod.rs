//! The aggregate: what may happen to a call, and what comes of it.

pub(crate) mod callbacks;
mod knowledge;
mod next;
mod table;

use call_session::{
    call::{
        AnsweredBy, CallSession, ConversationSettings, Ending, HandoffEvent, HandoffMode, Line, NewCall, Outcome,
        Recorded, Recording, RecordingStatus, SessionEvent, Speaker, Stamped, Status, SupervisionEvent, SupervisorRole,
        ToolOutcome, ToolRun, Usage, Version, Whereabouts,
    },
    handoff::{Candidate, HandoffPlan},
    id::{LegId, NodeId, SessionId, StreamId},
};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

pub(crate) const CALL: &str = "CAfedcba9876543210fedcba9876543210";
pub(crate) const RECORDING: &str = "RE0123456789abcdef0123456789abcdef";

/// So many seconds into the call.
pub(crate) fn at(second: i64) -> Timestamp {
    "2026-11-21T09:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(second)
}

pub(crate) fn stream(number: u128) -> StreamId {
    StreamId(Uuid::from_u128(number))
}

pub(crate) fn leg(number: u128) -> LegId {
    LegId(Uuid::from_u128(number))
}

pub(crate) fn node() -> NodeId {
    "node-1".parse().unwrap()
}

pub(crate) fn id() -> SessionId {
    SessionId(Uuid::from_u128(7))
}

/// A call with everything that a call can begin with, of which no other may show the numbers.
pub(crate) fn new_call() -> NewCall {
    let settings = ConversationSettings::default()
        .with_company_name("Example")
        .with_target_person("secret-person")
        .with_sales_pitch("secret-pitch")
        .with_language("ja-JP");
    NewCall::outbound("+81312345678", "+819012345678")
        .with_account("AC0123456789abcdef0123456789abcdef".parse().unwrap())
        .with_customer("customer-1".parse().unwrap())
        .with_agent("agent-1".parse().unwrap())
        .with_settings(settings)
}

pub(crate) fn outbound() -> CallSession {
    CallSession::new(id(), at(0), new_call())
}

pub(crate) fn line(stream: StreamId, item: &str, speaker: Speaker, second: i64, words: &str) -> Line {
    let mut line = Line::new(item, speaker, at(second), words);
    line.stream = Some(stream);
    line
}

pub(crate) fn attached(stream: StreamId) -> [SessionEvent; 2] {
    [SessionEvent::StreamExpected { stream }, SessionEvent::StreamAttached { stream, sid: None, node: node() }]
}

pub(crate) fn detached(stream: StreamId, cause: &str, orderly: bool) -> SessionEvent {
    SessionEvent::StreamDetached { stream, cause: cause.into(), orderly }
}

pub(crate) fn ended(status: Status) -> SessionEvent {
    SessionEvent::Ended(Ending::new(status, status.name()))
}

pub(crate) fn recording(status: RecordingStatus) -> SessionEvent {
    let mut recording = Recording::new(RECORDING.parse().unwrap(), status);
    if status == RecordingStatus::Completed {
        recording.url = Some("https://api.example/RE01".into());
        recording.seconds = Some(17);
    }
    SessionEvent::Recorded { recording }
}

/// At least one event of each kind, about the streams and legs number 1 and 2.
pub(crate) fn samples() -> Vec<SessionEvent> {
    let run = ToolRun::new("call-1/tool-1", "call_1", "book", r#"{"name":"secret-arguments"}"#, at(20));
    let mut usage = Usage::default();
    (usage.input, usage.output, usage.seconds) = (120, 40, 2.5);
    let mut half = line(stream(1), "0/item_1", Speaker::Agent, 11, "secret-words and more");
    (half.heard, half.interrupted, half.complete) = ("secret-words".into(), true, false);
    let mut events = vec![
        SessionEvent::Created(Box::new(new_call())),
        SessionEvent::Bound { call: CALL.parse().unwrap() },
        SessionEvent::Bound { call: "CA0000000000000000000000000000000f".parse().unwrap() },
        SessionEvent::Ringing,
        SessionEvent::Answered,
        SessionEvent::PickedUp { by: AnsweredBy::Unknown },
        SessionEvent::PickedUp { by: AnsweredBy::Human },
        SessionEvent::PickedUp { by: AnsweredBy::Machine },
        SessionEvent::PickedUp { by: AnsweredBy::Fax },
    ];
    for number in 1..=2 {
        events.push(SessionEvent::StreamExpected { stream: stream(number) });
        events.push(SessionEvent::StreamAttached {
            stream: stream(number),
            sid: Some("MZ0123456789abcdef0123456789abcdef".parse().unwrap()),
            node: node(),
        });
        events.push(detached(stream(number), "line-failed", false));
    }
    events.extend([
        detached(stream(1), "goodbye", true),
        SessionEvent::ModelAttached { stream: stream(1), session: "sess_1".into(), model: "gpt-realtime".into() },
        SessionEvent::ModelDetached { session: "sess_1".into(), cause: "closed".into() },
        SessionEvent::Said { lines: vec![half.clone()] },
        SessionEvent::Said { lines: vec![line(stream(1), "0/item_2", Speaker::Caller, 10, "secret-words"), half] },
        SessionEvent::Said { lines: vec![line(stream(1), "0/item_1", Speaker::Agent, 11, "secret-words and more")] },
        SessionEvent::Noted { text: "secret-note".into() },
        SessionEvent::Summarised { text: "secret-summary".into() },
        SessionEvent::ToolStarted { run },
        SessionEvent::ToolFinished { key: "call-1/tool-1".into(), outcome: ToolOutcome::TimedOut, output: None },
        SessionEvent::ToolFinished {
            key: "call-1/tool-1".into(),
            outcome: ToolOutcome::Done,
            output: Some("secret-output".into()),
        },
        SessionEvent::Used { usage },
        SessionEvent::KeysPressed { keys: "secret-keys".into() },
        SessionEvent::KeysSent { count: 4 },
        recording(RecordingStatus::InProgress),
        recording(RecordingStatus::Completed),
        SessionEvent::Room { conference: "CF0123456789abcdef0123456789abcdef".parse().unwrap() },
    ]);
    events.extend(handoff().into_iter().map(SessionEvent::Handoff));
    events.extend(supervision().into_iter().map(SessionEvent::Supervision));
    events.extend([
        SessionEvent::StreamStays { stream: stream(1) },
        SessionEvent::EndRequested { by: "operator".into() },
        SessionEvent::EndCalledOff,
        SessionEvent::EndRequested { by: "operator".into() },
        SessionEvent::Problem { what: "line".into(), code: Some(31_920) },
        SessionEvent::Problem { what: "model: rate_limit_exceeded".into(), code: None },
        SessionEvent::Concluded { outcome: Outcome::VoicemailLeft },
        SessionEvent::Lasted { seconds: 42 },
        ended(Status::Completed),
        ended(Status::Failed),
        ended(Status::Busy),
        ended(Status::NoAnswer),
        ended(Status::Canceled),
        ended(Status::Ringing),
        SessionEvent::Unknown,
    ]);
    events
}

fn supervision() -> Vec<SupervisionEvent> {
    let (leg, role) = (leg(3), SupervisorRole::Listen);
    vec![
        SupervisionEvent::Asked {
            leg,
            person: Some("agent-3".parse().unwrap()),
            to: "+819000000103".into(),
            role,
            by: "operator".into(),
        },
        SupervisionEvent::Dialing { leg, attempt: self::leg(4) },
        SupervisionEvent::LegBound { leg, call: "CA00000000000000000000000000000003".parse().unwrap() },
        SupervisionEvent::Answered { leg },
        SupervisionEvent::Arrived { leg },
        SupervisionEvent::RoleGiven { leg, role },
        SupervisionEvent::RoleWanted { leg, role: SupervisorRole::Whisper },
        SupervisionEvent::RoleWanted { leg, role: SupervisorRole::Join },
        SupervisionEvent::GivenUp { leg, cause: "dismissed".into() },
        SupervisionEvent::LegEnded { leg, cause: "completed".into() },
        SupervisionEvent::Unknown,
    ]
}

fn handoff() -> Vec<HandoffEvent> {
    let person = Some("agent-2".parse().unwrap());
    let conference = "CF0123456789abcdef0123456789abcdef".parse().unwrap();
    vec![
        requested("secret-reason"),
        HandoffEvent::FarewellOver,
        HandoffEvent::Dialing { leg: leg(1), person, candidate: 0 },
        HandoffEvent::Dialing { leg: leg(2), person: None, candidate: 1 },
        HandoffEvent::LegBound { leg: leg(1), call: "CA00000000000000000000000000000001".parse().unwrap() },
        HandoffEvent::LegBound { leg: leg(1), call: "CA00000000000000000000000000000002".parse().unwrap() },
        HandoffEvent::Answered { leg: leg(1) },
        HandoffEvent::Accepted { leg: leg(1) },
        HandoffEvent::Moving,
        HandoffEvent::CallerAt { place: Whereabouts::Room, told: Some((conference, 1)) },
        HandoffEvent::PersonArrived { leg: leg(1) },
        HandoffEvent::Connected { leg: leg(1) },
        HandoffEvent::Taken { by: "node-2".parse().unwrap() },
        HandoffEvent::GivenUp { leg: leg(1), cause: "left".into() },
        HandoffEvent::LegEnded { leg: leg(1), cause: "declined".into() },
        HandoffEvent::Finished,
        HandoffEvent::Returned,
        HandoffEvent::Failed { cause: "nobody".into() },
        HandoffEvent::Told,
        HandoffEvent::Unknown,
    ]
}

/// Somebody wants the caller handed to one of two.
pub(crate) fn requested(reason: &str) -> HandoffEvent {
    let to = |number: &str| Candidate::new(None, number);
    let plan = HandoffPlan::new(HandoffMode::Warm, "+81312345678", vec![to("+81311112222"), to("+81311113333")]);
    HandoffEvent::Requested { plan: Box::new(plan), by: "agent".into(), reason: reason.into() }
}

/// The call after these, all of which have to happen.
pub(crate) fn after(events: impl IntoIterator<Item = SessionEvent>) -> CallSession {
    let mut call = outbound();
    for (second, event) in (1..).zip(events) {
        let name = event.name();
        assert_eq!(call.take([event.at(at(second))]).unwrap().len(), 1, "{name} happens");
    }
    call
}

/// A usual call at each status.
fn at_status(status: Status) -> CallSession {
    let mut before = Vec::new();
    if !matches!(status, Status::Initiated | Status::Canceled) {
        before.push(SessionEvent::Ringing);
    }
    if status.is_talking() || matches!(status, Status::Completed | Status::Failed) {
        before.push(SessionEvent::Answered);
        before.extend(attached(stream(1)));
    }
    if matches!(status, Status::Transferring | Status::WithAgent) {
        let [requested, farewell, dialing, ..] = handoff().try_into().map(|steps: [_; 20]| steps).unwrap();
        before.extend([requested, farewell, dialing].map(SessionEvent::Handoff));
    }
    if status == Status::WithAgent {
        let steps = [HandoffEvent::Accepted { leg: leg(1) }, HandoffEvent::Connected { leg: leg(1) }];
        before.extend(steps.map(SessionEvent::Handoff));
    }
    if status.is_terminal() {
        before.push(ended(status));
    }
    let call = after(before);
    assert_eq!(call.summary.status, status);
    call
}

/// A call that is kept as its events, as a store keeps them.
pub(crate) struct Kept {
    pub(crate) call: CallSession,
    pub(crate) history: Vec<Recorded>,
}

impl Kept {
    pub(crate) fn new() -> Self {
        let mut kept = Self { call: outbound(), history: Vec::new() };
        kept.keep(SessionEvent::Created(Box::new(new_call())).at(at(0)));
        kept
    }

    /// What of these happens, refusals aside.
    pub(crate) fn offer(&mut self, events: impl IntoIterator<Item = Stamped>) {
        for event in events {
            if let Ok(happened) = self.call.take([event]) {
                happened.into_iter().for_each(|event| self.keep(event));
            }
        }
    }

    fn keep(&mut self, stamped: Stamped) {
        let version = Version(self.history.len() as u64 + 1);
        self.history.push(Recorded { call: id(), version, stamped });
    }

    /// The call as it is made again from what was written.
    pub(crate) fn replayed(&self) -> CallSession {
        let written = serde_json::to_string(&self.history).unwrap();
        CallSession::replay(serde_json::from_str::<Vec<Recorded>>(&written).unwrap()).unwrap()
    }
}
