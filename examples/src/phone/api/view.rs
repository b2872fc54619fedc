//! A call as JSON shows it.

use call_session::{
    call::{
        AnsweredBy, CallSession, CallSummary, Direction, Line, Mode, Outcome, Recording, Speaker, Status, Times,
        ToolOutcome, ToolRun, Usage, Version,
    },
    id::{AgentId, CustomerId, SessionId},
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

/// A line of the conversation as JSON shows it.
#[derive(Debug, Clone, Serialize)]
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

/// A run of a tool as JSON shows it.
#[derive(Debug, Clone, Serialize)]
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
