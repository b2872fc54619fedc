//! A call as JSON shows it.

use std::fmt;

use call_session::{
    call::{
        AnsweredBy, CallSession, CallSummary, Direction, HandoffEnd, HandoffMode, Line, Mode, Outcome, Recording,
        Speaker, Status, SupervisorLeg, SupervisorRole, Times, ToolOutcome, ToolRun, Usage, Version, Whereabouts,
    },
    id::{AgentId, CustomerId, LegId, SessionId},
};
use jiff::Timestamp;
use serde::Serialize;
use twilio_twiml::{phone::Address, sid::CallSid};

/// A call as JSON shows it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
#[expect(missing_docs, reason = "they are the fields of a call's summary")]
pub struct CallView {
    pub call_id: SessionId,
    pub twilio_call_sid: Option<CallSid>,
    pub status: Status,
    pub mode: Mode,
    pub direction: Direction,
    pub from: Address,
    pub to: Address,
    pub customer_id: Option<CustomerId>,
    pub agent_id: Option<AgentId>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub times: Times,
    pub answered_by: Option<AnsweredBy>,
    /// How long it was, in seconds.
    pub seconds: Option<u32>,
    pub outcome: Option<Outcome>,
    pub end_reason: Option<String>,
    pub problem: Option<String>,
    /// The handing over of the caller, the newest if there were several.
    pub handoff: Option<HandoffView>,
    /// Those who are, or were, with caller and person.
    pub supervisors: Vec<SupervisorView>,
    /// How many streams of audio it has had.
    pub streams: usize,
    pub recordings: Vec<Recording>,
    pub usage: Usage,
    pub version: Version,
    /// What was said; only where one call is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transcript: Option<Vec<LineView>>,
    /// What tools did; only where one call is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<ToolView>>,
}

/// The handing over of a caller as JSON shows it.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
#[expect(missing_docs, reason = "they are the fields of a handoff")]
pub struct HandoffView {
    pub mode: HandoffMode,
    pub by: String,
    pub reason: String,
    pub requested_at: Timestamp,
    pub farewell_over_at: Option<Timestamp>,
    pub moving_at: Option<Timestamp>,
    pub connected_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    /// How it ended: `returned`, `finished`, or what it failed by.
    pub end: Option<String>,
    /// Where the caller is, as far as is known.
    pub caller: Whereabouts,
    /// Those who were called, in order.
    pub legs: Vec<LegView>,
}

impl fmt::Debug for HandoffView {
    /// Without the reason, which is somebody's words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandoffView")
            .field("mode", &self.mode)
            .field("by", &self.by)
            .field("end", &self.end)
            .field("caller", &self.caller)
            .field("legs", &self.legs)
            .finish_non_exhaustive()
    }
}

/// A person's leg as JSON shows it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
#[expect(missing_docs, reason = "they are the fields of a leg")]
pub struct LegView {
    pub agent_id: Option<AgentId>,
    pub twilio_call_sid: Option<CallSid>,
    pub dialed_at: Timestamp,
    pub answered_at: Option<Timestamp>,
    pub accepted_at: Option<Timestamp>,
    /// Why they are not wanted any more, if they are not.
    pub given_up: Option<String>,
    /// How the leg ended.
    pub ended: Option<String>,
}

/// Somebody who is with caller and person, as JSON shows it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
#[expect(missing_docs, reason = "they are the fields of a leg")]
pub struct SupervisorView {
    pub leg_id: LegId,
    pub agent_id: Option<AgentId>,
    pub role: SupervisorRole,
    pub twilio_call_sid: Option<CallSid>,
    pub dialed_at: Timestamp,
    pub answered_at: Option<Timestamp>,
    /// Whether they came to the room.
    pub arrived: bool,
    /// Why they are not wanted any more, if they are not.
    pub given_up: Option<String>,
    /// How the leg ended.
    pub ended: Option<String>,
}

/// A line of the conversation as JSON shows it.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
#[expect(missing_docs, reason = "they are the fields of a line")]
pub struct LineView {
    pub item: String,
    pub speaker: Speaker,
    pub at: Timestamp,
    pub generated: String,
    pub heard: String,
    pub interrupted: bool,
    pub complete: bool,
}

impl fmt::Debug for LineView {
    /// Without the words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LineView")
            .field("item", &self.item)
            .field("speaker", &self.speaker)
            .field("complete", &self.complete)
            .finish_non_exhaustive()
    }
}

/// A run of a tool as JSON shows it.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
#[expect(missing_docs, reason = "they are the fields of a run")]
pub struct ToolView {
    pub name: String,
    pub arguments: String,
    pub began: Timestamp,
    pub outcome: Option<ToolOutcome>,
    pub output: Option<String>,
}

impl fmt::Debug for ToolView {
    /// Without what the tool was told and gave.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolView").field("name", &self.name).field("outcome", &self.outcome).finish_non_exhaustive()
    }
}

impl CallView {
    /// A call without its words.
    #[must_use]
    pub fn new(call: &CallSummary) -> Self {
        Self {
            call_id: call.id,
            twilio_call_sid: call.call_sid.clone(),
            status: call.status,
            mode: call.mode,
            direction: call.direction,
            from: call.from.clone(),
            to: call.to.clone(),
            customer_id: call.customer.clone(),
            agent_id: call.agent.clone(),
            created_at: call.created_at,
            updated_at: call.updated_at,
            times: call.times.clone(),
            answered_by: call.answered_by,
            seconds: call.seconds,
            outcome: call.outcome,
            end_reason: call.ending.as_ref().map(|ending| ending.reason.clone()),
            problem: call.problem.clone(),
            handoff: HandoffView::new(call),
            supervisors: call.supervisors.iter().map(SupervisorView::new).collect(),
            streams: call.attachments.iter().filter(|attachment| attachment.node.is_some()).count(),
            recordings: call.recordings.clone(),
            usage: call.usage.clone(),
            version: call.version,
            transcript: None,
            tools: None,
        }
    }

    /// A call with its words.
    #[must_use]
    pub fn whole(call: &CallSession) -> Self {
        let transcript = Some(call.transcript.iter().map(LineView::new).collect());
        let tools = Some(call.tools.iter().map(ToolView::new).collect());
        Self { transcript, tools, ..Self::new(&call.summary) }
    }
}

impl HandoffView {
    /// The newest handoff of a call.
    #[must_use]
    pub fn new(call: &CallSummary) -> Option<Self> {
        let handoff = call.handoff.as_ref()?;
        let end = handoff.ended.as_ref().map(|(_, end)| match end {
            HandoffEnd::Returned => "returned".to_owned(),
            HandoffEnd::Finished => "finished".to_owned(),
            HandoffEnd::Failed(cause) => cause.clone(),
            _ => "unknown".to_owned(),
        });
        let legs = handoff.legs.iter().filter_map(|id| call.legs.get(id)).map(|leg| LegView {
            agent_id: leg.person.clone(),
            twilio_call_sid: leg.call.clone(),
            dialed_at: leg.dialed,
            answered_at: leg.answered_at,
            accepted_at: leg.accepted_at,
            given_up: leg.given_up.clone(),
            ended: leg.ended.clone(),
        });
        Some(Self {
            mode: handoff.plan.mode,
            by: handoff.by.clone(),
            reason: handoff.reason.clone(),
            requested_at: handoff.requested,
            farewell_over_at: handoff.farewell_over,
            moving_at: handoff.moving,
            connected_at: handoff.connected,
            ended_at: handoff.ended.as_ref().map(|(at, _)| *at),
            end,
            caller: handoff.caller,
            legs: legs.collect(),
        })
    }
}

impl SupervisorView {
    fn new((id, leg): (&LegId, &SupervisorLeg)) -> Self {
        Self {
            leg_id: *id,
            agent_id: leg.person.clone(),
            role: leg.role,
            twilio_call_sid: leg.call.clone(),
            dialed_at: leg.dialed,
            answered_at: leg.answered_at,
            arrived: leg.arrived,
            given_up: leg.given_up.clone(),
            ended: leg.ended.clone(),
        }
    }
}

impl LineView {
    /// A line.
    #[must_use]
    pub fn new(line: &Line) -> Self {
        Self {
            // Names are unique within an attachment.
            item: line.stream.map_or_else(|| line.item.clone(), |stream| format!("{stream}/{}", line.item)),
            speaker: line.speaker,
            at: line.at,
            generated: line.generated.clone(),
            heard: line.heard.clone(),
            interrupted: line.interrupted,
            complete: line.complete,
        }
    }
}

impl ToolView {
    fn new(run: &ToolRun) -> Self {
        let ToolRun { name, arguments, began, outcome, output, .. } = run.clone();
        Self { name, arguments, began, outcome, output }
    }
}
