//! The call, made from its events.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use twilio_twiml::{
    phone::Address,
    sid::{AccountSid, CallSid, ConferenceSid, StreamSid},
};

use super::{
    AnsweredBy, ConversationSettings, Direction, Ending, Handoff, HandoffEnd, HandoffEvent, Line, Mode, NewCall,
    Outcome, Recorded, Recording, SessionEvent, Speaker, Stamped, Status, SupervisorLeg, ToolRun, Usage, Version,
    Whereabouts,
};
use crate::id::{AgentId, CustomerId, LegId, NodeId, SessionId, StreamId};

/// The cause of a leg of which nothing was ever seen at Twilio.
pub(crate) const NEVER_PLACED: &str = "never-placed";

/// When a call came to each step; `None` for those it has not come to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Times {
    /// The other side rang.
    pub ringing: Option<Timestamp>,
    /// Somebody picked up.
    pub answered: Option<Timestamp>,
    /// The agent was first attached.
    pub connected: Option<Timestamp>,
    /// A person was first asked for.
    pub transferring: Option<Timestamp>,
    /// A person first had the caller.
    pub with_agent: Option<Timestamp>,
    /// It was over.
    pub ended: Option<Timestamp>,
}

/// The audio of a call, or one stretch of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Attachment {
    /// Its name.
    pub stream: StreamId,
    /// Twilio's name for it, once it is up.
    pub sid: Option<StreamSid>,
    /// The server that has it, once it is up.
    pub node: Option<NodeId>,
    /// The model session on it, as the provider names it.
    pub model: Option<String>,
    /// The model of that session, which what it uses is priced by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_name: Option<String>,
    /// How it ended.
    pub detached: Option<Detached>,
    /// Whether the caller said anything on it, so that there was a conversation.
    pub spoken: bool,
}

/// How an attachment ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Detached {
    /// Why, as a short fixed name.
    pub cause: String,
    /// Whether somebody wanted it.
    pub orderly: bool,
}

/// A person's leg.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PersonLeg {
    /// Who; `None` for a number that an operator gave.
    pub person: Option<AgentId>,
    /// Its name at Twilio, once it has one.
    pub call: Option<CallSid>,
    /// Whether the person picked up.
    #[serde(default)]
    pub answered: bool,
    /// When it was dialled.
    pub dialed: Timestamp,
    /// Which of its handoff's candidates, from 0.
    pub candidate: usize,
    /// Where the person is reached.
    #[serde(default)]
    pub to: Option<Address>,
    /// When the person picked up.
    #[serde(default)]
    pub answered_at: Option<Timestamp>,
    /// Whether it sounds like a machine.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub machine: bool,
    /// Whether the person took the call.
    pub accepted: bool,
    /// When the person took the call.
    #[serde(default)]
    pub accepted_at: Option<Timestamp>,
    /// Whether the person came to the room.
    #[serde(default)]
    pub arrived: bool,
    /// Why it is not wanted any more, if it is not.
    #[serde(default)]
    pub given_up: Option<String>,
    /// How it ended.
    pub ended: Option<String>,
}

/// All of a call but the words: what lists show and decisions need.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct CallSummary {
    /// Its name.
    pub id: SessionId,
    /// How many events it has had.
    pub version: Version,
    /// Where it stands.
    pub status: Status,
    /// Who called whom.
    pub direction: Direction,
    /// How the agent hears and speaks.
    pub mode: Mode,
    /// Who called.
    pub from: Address,
    /// Who was called.
    pub to: Address,
    /// The account at Twilio.
    pub account: Option<AccountSid>,
    /// Its name at Twilio.
    pub call_sid: Option<CallSid>,
    /// The customer.
    pub customer: Option<CustomerId>,
    /// The person on our side whose call it is.
    pub agent: Option<AgentId>,
    /// What it is about.
    pub settings: ConversationSettings,
    /// When it began to exist.
    pub created_at: Timestamp,
    /// When the last event happened.
    pub updated_at: Timestamp,
    /// When it came to each step.
    pub times: Times,
    /// Who, or what, picked up.
    pub answered_by: Option<AnsweredBy>,
    /// The stretches of its audio, in order.
    pub attachments: Vec<Attachment>,
    /// Its recordings, in the order in which they were heard of.
    pub recordings: Vec<Recording>,
    /// Its conference, once it has one.
    pub conference: Option<ConferenceSid>,
    /// The legs of persons on our side.
    pub legs: BTreeMap<LegId, PersonLeg>,
    /// The legs of those on our side who are with caller and person.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub supervisors: BTreeMap<LegId, SupervisorLeg>,
    /// The handing over of the caller, the newest if there were several.
    #[serde(default)]
    pub handoff: Option<Handoff>,
    /// The caller is being moved into the room of the conference.
    pub moving: bool,
    /// What the models have used.
    pub usage: Usage,
    /// Who asked for its end, if anybody did.
    pub end_requested: Option<String>,
    /// What went wrong last, if anything did.
    pub problem: Option<String>,
    /// The provider's number for it, if it has one.
    #[serde(default)]
    pub problem_code: Option<u32>,
    /// How long it was, in seconds, as the telephone company reckons.
    pub seconds: Option<u32>,
    /// What came of it.
    pub outcome: Option<Outcome>,
    /// Somebody said what came of it; otherwise it is reckoned from what happened.
    #[serde(default)]
    pub concluded: bool,
    /// How it ended.
    pub ending: Option<Ending>,
}

/// A call, whole.
#[derive(Debug, Clone, PartialEq)]
pub struct CallSession {
    /// All but the words.
    pub summary: CallSummary,
    /// What was said, in the order of the conversation.
    pub transcript: Vec<Line>,
    /// What tools did, in order.
    pub tools: Vec<ToolRun>,
    /// What the model was told besides, in order.
    pub notes: Vec<Note>,
    /// The beginning of the conversation in short, once it was too long to tell a model all of it.
    pub gist: Option<Note>,
}

/// Something that the model was told, to be remembered.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Note {
    /// When.
    pub at: Timestamp,
    /// What.
    pub text: String,
}

impl fmt::Debug for Note {
    /// Without the words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Note").field("at", &self.at).finish_non_exhaustive()
    }
}

/// Events that do not make a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the events of a call begin with `created`")]
pub struct NotACall;

impl CallSummary {
    /// A call that begins to exist.
    #[must_use]
    pub fn new(id: SessionId, at: Timestamp, call: NewCall) -> Self {
        Self {
            id,
            version: Version(1),
            status: Status::Initiated,
            direction: call.direction,
            mode: call.mode,
            from: call.from,
            to: call.to,
            account: call.account,
            call_sid: None,
            customer: call.customer,
            agent: call.agent,
            settings: call.settings,
            created_at: at,
            updated_at: at,
            times: Times::default(),
            answered_by: None,
            attachments: Vec::new(),
            recordings: Vec::new(),
            conference: None,
            legs: BTreeMap::new(),
            supervisors: BTreeMap::new(),
            handoff: None,
            moving: false,
            usage: Usage::default(),
            end_requested: None,
            problem: None,
            problem_code: None,
            seconds: None,
            outcome: None,
            concluded: false,
            ending: None,
        }
    }

    /// The stretch of audio that runs, or is expected.
    #[must_use]
    pub fn attachment(&self) -> Option<&Attachment> {
        self.attachments.last().filter(|attachment| attachment.detached.is_none())
    }

    /// The server that has the call's audio.
    #[must_use]
    pub fn node(&self) -> Option<&NodeId> {
        self.attachment()?.node.as_ref()
    }

    /// Takes an event in. Whether it may happen was decided before: see [`CallSession::admit`].
    pub fn apply(&mut self, stamped: &Stamped) {
        let at = stamped.at;
        self.version = self.version.plus(1);
        self.updated_at = self.updated_at.max(at);
        self.status = after(self.status, &stamped.event);
        match &stamped.event {
            SessionEvent::Bound { call } => self.call_sid = Some(call.clone()),
            SessionEvent::Ringing => _ = self.times.ringing.get_or_insert(at),
            SessionEvent::Answered => _ = self.times.answered.get_or_insert(at),
            SessionEvent::PickedUp { by } => self.answered_by = Some(*by),
            SessionEvent::StreamExpected { stream } => {
                self.attachments.push(Attachment::new(*stream));
                if let Some(handoff) = &mut self.handoff
                    && handoff.caller != Whereabouts::Agent
                {
                    handoff.caller_at(at, Whereabouts::Returning);
                }
            }
            SessionEvent::StreamAttached { stream, sid, node } => {
                if !self.attachments.iter().any(|known| known.stream == *stream) {
                    self.attachments.push(Attachment::new(*stream));
                }
                if let Some(attachment) = self.find(*stream) {
                    (attachment.sid, attachment.node) = (sid.clone(), Some(node.clone()));
                }
                self.times.connected.get_or_insert(at);
                self.times.answered.get_or_insert(at);
                // A stream that was expected before the caller went to the room has nobody any more.
                if let Some(handoff) = &mut self.handoff
                    && handoff.caller == Whereabouts::Returning
                {
                    handoff.caller_at(at, Whereabouts::Agent);
                }
            }
            SessionEvent::StreamDetached { stream, cause, orderly } => {
                if let Some(attachment) = self.find(*stream) {
                    attachment.detached = Some(Detached { cause: cause.clone(), orderly: *orderly });
                }
            }
            SessionEvent::StreamStays { stream } => {
                if let Some(attachment) = self.find(*stream) {
                    attachment.detached = None;
                }
            }
            SessionEvent::ModelAttached { stream, session, model } => {
                if let Some(attachment) = self.find(*stream) {
                    (attachment.model, attachment.model_name) = (Some(session.clone()), Some(model.clone()));
                }
            }
            SessionEvent::Said { lines } => {
                let spoken = |line: &&Line| line.speaker == Speaker::Caller && !line.generated.is_empty();
                for stream in lines.iter().filter(spoken).filter_map(|line| line.stream) {
                    if let Some(attachment) = self.find(stream) {
                        attachment.spoken = true;
                    }
                }
            }
            SessionEvent::Used { usage } => self.usage += usage,
            SessionEvent::Recorded { recording } => match self.recordings.iter_mut().find(|r| r.sid == recording.sid) {
                Some(known) => *known = known.with(recording),
                None => self.recordings.push(recording.clone()),
            },
            SessionEvent::Room { conference } => self.conference = Some(conference.clone()),
            SessionEvent::Handoff(event) => self.hand_over(at, event),
            SessionEvent::Supervision(event) => self.supervise(at, event),
            SessionEvent::EndRequested { by } => self.end_requested = Some(by.clone()),
            SessionEvent::EndCalledOff => self.end_requested = None,
            SessionEvent::Problem { what, code } => (self.problem, self.problem_code) = (Some(what.clone()), *code),
            SessionEvent::Concluded { outcome } => (self.outcome, self.concluded) = (Some(*outcome), true),
            SessionEvent::Lasted { seconds } => self.seconds = Some(*seconds),
            SessionEvent::Ended(ending) => {
                self.times.ended.get_or_insert(at);
                self.ending.get_or_insert_with(|| ending.clone());
            }
            SessionEvent::Created(_)
            | SessionEvent::ModelDetached { .. }
            | SessionEvent::Noted { .. }
            | SessionEvent::Summarised { .. }
            | SessionEvent::ToolStarted { .. }
            | SessionEvent::ToolFinished { .. }
            | SessionEvent::KeysPressed { .. }
            | SessionEvent::KeysSent { .. }
            | SessionEvent::Unknown => {}
        }
        // Who picked up, and how the audio ended, may be known only after the end.
        if self.status.is_terminal() && !self.concluded {
            self.outcome = Some(self.reckon());
        }
    }

    fn find(&mut self, stream: StreamId) -> Option<&mut Attachment> {
        self.attachments.iter_mut().rev().find(|attachment| attachment.stream == stream)
    }

    fn hand_over(&mut self, at: Timestamp, event: &HandoffEvent) {
        if let HandoffEvent::Requested { plan, by, reason } = event {
            self.times.transferring.get_or_insert(at);
            self.moving = false;
            self.handoff = Some(Handoff::new(at, (**plan).clone(), by, reason, self.handoff.take()));
            return;
        }
        let Some(handoff) = &mut self.handoff else { return };
        match event {
            HandoffEvent::Taken { by } => handoff.runner = Some(by.clone()),
            HandoffEvent::FarewellOver => handoff.farewell_over = Some(at),
            HandoffEvent::Dialing { leg, person, candidate } => {
                handoff.legs.push(*leg);
                let to = handoff.plan.candidates.get(*candidate).map(|candidate| candidate.to.clone());
                self.legs.insert(*leg, PersonLeg { to, ..PersonLeg::new(person.clone(), at, *candidate) });
            }
            HandoffEvent::Moving => {
                handoff.moving = Some(at);
                self.moving = true;
            }
            HandoffEvent::CallerAt { place, told } => {
                handoff.caller_at(at, *place);
                if let Some(told) = told {
                    handoff.heard_of(told);
                    self.conference = Some(told.0.clone());
                }
            }
            HandoffEvent::Connected { .. } => {
                handoff.connected.get_or_insert(at);
                self.moving = false;
                self.times.with_agent.get_or_insert(at);
            }
            HandoffEvent::Returned => self.close_handoff(at, HandoffEnd::Returned),
            HandoffEvent::Finished => self.close_handoff(at, HandoffEnd::Finished),
            HandoffEvent::Failed { cause } => self.close_handoff(at, HandoffEnd::Failed(cause.clone())),
            HandoffEvent::Told => handoff.told = true,
            leg => self.leg_did(at, leg),
        }
    }

    fn close_handoff(&mut self, at: Timestamp, end: HandoffEnd) {
        self.moving = false;
        if let Some(handoff) = &mut self.handoff {
            handoff.ended = Some((at, end));
        }
    }

    fn leg_did(&mut self, at: Timestamp, event: &HandoffEvent) {
        let id = match event {
            HandoffEvent::LegBound { leg, .. }
            | HandoffEvent::Answered { leg }
            | HandoffEvent::MachineHeard { leg }
            | HandoffEvent::Accepted { leg }
            | HandoffEvent::GivenUp { leg, .. }
            | HandoffEvent::LegEnded { leg, .. }
            | HandoffEvent::PersonArrived { leg } => leg,
            _ => return,
        };
        let Some(leg) = self.legs.get_mut(id) else { return };
        match event {
            HandoffEvent::LegBound { call, .. } => {
                leg.call = Some(call.clone());
                // It was taken for one that never came to be, and there it is.
                leg.ended = leg.ended.take().filter(|cause| cause != NEVER_PLACED);
            }
            HandoffEvent::Accepted { .. } => {
                leg.accepted = true;
                leg.accepted_at = Some(at);
                leg.picked_up(at);
            }
            HandoffEvent::MachineHeard { .. } => {
                leg.machine = true;
                leg.picked_up(at);
            }
            HandoffEvent::GivenUp { cause, .. } => leg.given_up = Some(cause.clone()),
            HandoffEvent::LegEnded { cause, .. } => leg.ended = Some(cause.clone()),
            HandoffEvent::PersonArrived { .. } => leg.arrived = true,
            _ => leg.picked_up(at),
        }
    }

    /// What came of a call of which nobody has said it.
    fn reckon(&self) -> Outcome {
        // A stream that was expected and never came says nothing of the conversation before.
        let last = self.attachments.iter().rev().find(|attachment| attachment.node.is_some());
        match (self.status, self.answered_by) {
            (Status::Busy, _) => Outcome::Busy,
            (Status::NoAnswer, _) => Outcome::NoAnswer,
            (Status::Canceled, _) => Outcome::Canceled,
            (_, Some(AnsweredBy::Fax)) => Outcome::Fax,
            (_, Some(AnsweredBy::Machine)) => Outcome::MachineHungUp,
            _ if self.times.with_agent.is_some() => Outcome::HandedOver,
            (Status::Failed, _) if self.times.connected.is_none() => Outcome::Unreachable,
            (Status::Failed, _) => Outcome::BrokenOff,
            _ if self.times.connected.is_none() && self.mode != Mode::Conference => Outcome::BrokenOff,
            _ => match last.and_then(|attachment| attachment.detached.as_ref()) {
                Some(detached) if !detached.orderly => Outcome::BrokenOff,
                _ => Outcome::Conversation,
            },
        }
    }
}

impl PersonLeg {
    const fn new(person: Option<AgentId>, dialed: Timestamp, candidate: usize) -> Self {
        Self {
            person,
            call: None,
            answered: false,
            dialed,
            candidate,
            to: None,
            answered_at: None,
            machine: false,
            accepted: false,
            accepted_at: None,
            arrived: false,
            given_up: None,
            ended: None,
        }
    }

    fn picked_up(&mut self, at: Timestamp) {
        self.answered = true;
        self.answered_at.get_or_insert(at);
    }

    /// It has this name at Twilio, or none yet.
    pub(crate) fn is(&self, sid: &CallSid) -> bool {
        self.call.as_ref().is_none_or(|known| known == sid)
    }

    /// It is not over, and still wanted.
    #[must_use]
    pub const fn is_wanted(&self) -> bool {
        self.ended.is_none() && self.given_up.is_none()
    }
}

impl Attachment {
    const fn new(stream: StreamId) -> Self {
        Self { stream, sid: None, node: None, model: None, model_name: None, detached: None, spoken: false }
    }
}

/// The kinds of events that [`CallSession::apply_words`] looks at, by [`SessionEvent::name`]. What makes a whole call of its
/// summary needs no others.
pub const WORDS: [&str; 5] = ["said", "noted", "summarised", "tool-started", "tool-finished"];

impl CallSession {
    /// A call that begins to exist.
    #[must_use]
    pub fn new(id: SessionId, at: Timestamp, call: NewCall) -> Self {
        Self::of(CallSummary::new(id, at, call))
    }

    /// A call of which the words are still missing: see [`apply_words`](Self::apply_words).
    #[must_use]
    pub const fn of(summary: CallSummary) -> Self {
        Self { summary, transcript: Vec::new(), tools: Vec::new(), notes: Vec::new(), gist: None }
    }

    /// The call that these events make.
    ///
    /// # Errors
    ///
    /// [`NotACall`] when the first of them does not create one.
    pub fn replay(events: impl IntoIterator<Item = Recorded>) -> Result<Self, NotACall> {
        let mut events = events.into_iter();
        let first = events.next().ok_or(NotACall)?;
        let SessionEvent::Created(call) = first.stamped.event else { return Err(NotACall) };
        let mut session = Self::new(first.call, first.stamped.at, *call);
        events.for_each(|event| session.apply(&event.stamped));
        Ok(session)
    }

    /// Takes an event in. Whether it may happen was decided before: see [`CallSession::admit`].
    pub fn apply(&mut self, stamped: &Stamped) {
        self.summary.apply(stamped);
        self.apply_words(stamped);
    }

    /// Takes in what an event says of the transcript and the tools: the half that a summary does not have.
    pub fn apply_words(&mut self, stamped: &Stamped) {
        match &stamped.event {
            SessionEvent::Said { lines } => lines.iter().for_each(|line| self.note(line)),
            SessionEvent::ToolStarted { run } => self.tools.push(run.clone()),
            SessionEvent::Noted { text } => self.notes.push(Note { at: stamped.at, text: text.clone() }),
            SessionEvent::Summarised { text } => self.gist = Some(Note { at: stamped.at, text: text.clone() }),
            SessionEvent::ToolFinished { key, outcome, output } => {
                if let Some(run) = self.tools.iter_mut().find(|run| run.key == *key) {
                    (run.outcome, run.output, run.ended) = (Some(*outcome), output.clone(), Some(stamped.at));
                }
            }
            _ => {}
        }
    }

    /// Lines change near the end, so that is where they are looked for.
    fn note(&mut self, line: &Line) {
        match self.transcript.iter_mut().rev().find(|known| known.is(line)) {
            Some(known) if known.complete => {}
            Some(known) => *known = line.clone(),
            None => {
                // The caller's words are written down late, when the answer is under way.
                let later = self.transcript.iter().rev().take_while(|known| known.at > line.at).count();
                self.transcript.insert(self.transcript.len() - later, line.clone());
            }
        }
    }
}

/// Where a call stands after an event. Terminal is terminal.
const fn after(status: Status, event: &SessionEvent) -> Status {
    if status.is_terminal() {
        return status;
    }
    match (event, status) {
        (SessionEvent::Ringing, Status::Initiated) => Status::Ringing,
        (SessionEvent::Answered | SessionEvent::StreamAttached { .. }, Status::Initiated | Status::Ringing) => {
            Status::AiResponding
        }
        (SessionEvent::Handoff(HandoffEvent::Requested { .. }), Status::AiResponding) => Status::Transferring,
        (SessionEvent::Handoff(HandoffEvent::Connected { .. }), Status::AiResponding | Status::Transferring) => {
            Status::WithAgent
        }
        (
            SessionEvent::Handoff(HandoffEvent::Returned | HandoffEvent::Failed { .. }),
            Status::Transferring | Status::WithAgent,
        ) => Status::AiResponding,
        (SessionEvent::Ended(ending), _) => ending.status,
        _ => status,
    }
}
