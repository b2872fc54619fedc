//! What happens when the caller is handed to a person, as it is kept.

use std::{fmt, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use twilio_twiml::sid::{CallSid, ConferenceSid};

use super::SessionEvent;
use crate::{
    handoff::{HandoffPlan, Route},
    id::{AgentId, LegId, NodeId},
};

/// Whether the person hears a briefing and accepts before the caller is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HandoffMode {
    /// Whoever picks up has the caller.
    Cold,
    /// The person is briefed and accepts first.
    Warm,
}

/// A step of handing the caller to a person.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case", rename_all_fields = "camelCase")]
#[non_exhaustive]
pub enum HandoffEvent {
    /// It begins.
    Requested {
        /// How it is done.
        plan: Box<HandoffPlan>,
        /// Who asked for it, as a short fixed name such as `operator`, `agent` or `rule`.
        by: String,
        /// Why, in somebody's words.
        reason: String,
    },
    /// A server performs it from now on. The one before, if there was one, stops.
    Taken {
        /// The server.
        by: NodeId,
    },
    /// The agent's last words before the wait were heard, or their time was over.
    FarewellOver,
    /// A person is about to be called.
    Dialing {
        /// The leg, which has a name before Twilio knows of it.
        leg: LegId,
        /// Who; `None` for a number that an operator gave.
        person: Option<AgentId>,
        /// Which of the plan's candidates, from 0.
        candidate: usize,
    },
    /// A leg has its name at Twilio.
    LegBound {
        /// The leg.
        leg: LegId,
        /// The name.
        #[serde(rename = "callSid")]
        call: CallSid,
    },
    /// A person picked up.
    Answered {
        /// The leg.
        leg: LegId,
    },
    /// A machine seems to have picked up. Whoever presses a key is none, whatever it sounds like.
    MachineHeard {
        /// The leg.
        leg: LegId,
    },
    /// A person takes the call.
    Accepted {
        /// The leg.
        leg: LegId,
    },
    /// A leg is not wanted any more. It is ended as soon as that can be done, and takes no call in the meantime.
    GivenUp {
        /// The leg.
        leg: LegId,
        /// Why, as a short fixed name such as `declined`, `no-answer` or `machine`.
        cause: String,
    },
    /// A leg is over, or never came to be.
    LegEnded {
        /// The leg.
        leg: LegId,
        /// Why, as a short fixed name such as `busy`, `no-answer` or `completed`.
        cause: String,
    },
    /// The caller leaves the agent for the person.
    Moving,
    /// The caller is somewhere else.
    CallerAt {
        /// Where.
        place: Whereabouts,
        /// The conference that told it, and the number of what it told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        told: Option<(ConferenceSid, u32)>,
    },
    /// The person is in the room.
    PersonArrived {
        /// The leg.
        leg: LegId,
    },
    /// The caller and the person hear each other.
    Connected {
        /// The person's leg.
        leg: LegId,
    },
    /// The caller goes back to the agent, since the person left or somebody took the caller back.
    Returned,
    /// The person left, and the caller hears a goodbye.
    Finished,
    /// It came to nothing; the agent still has the caller, or gets the caller back.
    Failed {
        /// Why, as a short fixed name.
        cause: String,
    },
    /// The agent has told the caller that it came to nothing.
    Told,
    /// A step of a later version of this crate.
    #[serde(other)]
    Unknown,
}

impl HandoffEvent {
    /// A short fixed name, as in JSON and in stores.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Requested { .. } => "requested",
            Self::Taken { .. } => "taken",
            Self::FarewellOver => "farewell-over",
            Self::Dialing { .. } => "dialing",
            Self::LegBound { .. } => "leg-bound",
            Self::Answered { .. } => "answered",
            Self::MachineHeard { .. } => "machine-heard",
            Self::Accepted { .. } => "accepted",
            Self::GivenUp { .. } => "given-up",
            Self::LegEnded { .. } => "leg-ended",
            Self::Moving => "moving",
            Self::CallerAt { .. } => "caller-at",
            Self::PersonArrived { .. } => "person-arrived",
            Self::Connected { .. } => "connected",
            Self::Returned => "returned",
            Self::Finished => "finished",
            Self::Failed { .. } => "failed",
            Self::Told => "told",
            Self::Unknown => "unknown",
        }
    }
}

impl From<HandoffEvent> for SessionEvent {
    fn from(event: HandoffEvent) -> Self {
        Self::Handoff(event)
    }
}

impl fmt::Debug for HandoffEvent {
    /// Without the reason, which may be in the caller's words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where the caller is, as far as is known: where the document leads that the caller's leg has fetched last. Callbacks only
/// refine that, since they may be older than the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Whereabouts {
    /// With the agent.
    Agent,
    /// On the way: the line has the document that leads to the person.
    OnTheWay,
    /// In the room, or dialling the person directly.
    Room,
    /// Out of the room, about to be told what comes next.
    Between,
    /// On the way back to the agent: the line was told to open a stream.
    Returning,
    /// Hearing the goodbye.
    Goodbye,
}

/// How a handoff ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum HandoffEnd {
    /// The caller went back to the agent after talking with a person.
    Returned,
    /// The caller heard a goodbye after talking with a person.
    Finished,
    /// It came to nothing, for this reason.
    Failed(String),
}

/// The handing over of a caller, made from its events.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Handoff {
    /// How it is done.
    pub plan: HandoffPlan,
    /// Who asked for it, as a short fixed name.
    pub by: String,
    /// Why, in somebody's words.
    pub reason: String,
    /// When it began.
    pub requested: Timestamp,
    /// The server that performs it, once one does.
    pub runner: Option<NodeId>,
    /// When the agent's last words before the wait were over.
    pub farewell_over: Option<Timestamp>,
    /// The legs that were dialled, in order.
    pub legs: Vec<LegId>,
    /// When the caller was to leave the agent.
    pub moving: Option<Timestamp>,
    /// Where the caller is, as far as is known.
    pub caller: Whereabouts,
    /// Since when the caller is there.
    pub caller_since: Timestamp,
    /// When caller and person first heard each other.
    pub connected: Option<Timestamp>,
    /// How it ended, and when.
    pub ended: Option<(Timestamp, HandoffEnd)>,
    /// Whether the caller was told of a failure.
    pub told: bool,
    /// The conference that last told of the caller, and the number of what it told.
    pub heard: Option<(ConferenceSid, u32)>,
    /// Conferences before that one.
    pub past: Vec<ConferenceSid>,
    /// How long caller and persons heard each other in the handoffs of the call before this one.
    #[serde(default, skip_serializing_if = "SignedDuration::is_zero")]
    pub earlier: SignedDuration,
}

impl fmt::Debug for Handoff {
    /// Without the reason, which may be in the caller's words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handoff")
            .field("mode", &self.plan.mode)
            .field("by", &self.by)
            .field("legs", &self.legs)
            .field("caller", &self.caller)
            .field("connected", &self.connected)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

impl Handoff {
    /// A handoff that begins. Of the one before it has what is known of the caller, who may still be on the way back.
    pub(super) fn new(at: Timestamp, plan: HandoffPlan, by: &str, reason: &str, before: Option<Self>) -> Self {
        let same_room = before.as_ref().is_some_and(|it| it.plan.route == Route::Room) && plan.route == Route::Room;
        let earlier = before.as_ref().map_or(SignedDuration::ZERO, |before| before.talked(at));
        let known = before.map(|before| (before.caller, before.caller_since, before.heard, before.past));
        let (caller, caller_since, heard, past) = known.unwrap_or((Whereabouts::Agent, at, None, Vec::new()));
        let caller = match caller {
            // Still where the one before led, which is not where this one does.
            Whereabouts::Room if !same_room => Whereabouts::Between,
            known => known,
        };
        Self {
            plan,
            by: by.to_owned(),
            reason: reason.to_owned(),
            requested: at,
            runner: None,
            farewell_over: None,
            legs: Vec::new(),
            moving: None,
            caller,
            caller_since,
            connected: None,
            ended: None,
            told: false,
            heard,
            past,
            earlier,
        }
    }

    /// How long the caller and persons have heard each other by now, in all the call's handoffs up to this one.
    #[must_use]
    pub fn with_persons(&self, now: Timestamp) -> Duration {
        self.talked(now).try_into().unwrap_or_default()
    }

    fn talked(&self, now: Timestamp) -> SignedDuration {
        let until = self.ended.as_ref().map_or(now, |(at, _)| *at);
        let this = self.connected.map_or(SignedDuration::ZERO, |connected| until.duration_since(connected));
        // Clocks of several servers tell these times.
        self.earlier.saturating_add(this.max(SignedDuration::ZERO))
    }

    /// It has begun and not ended.
    #[must_use]
    pub const fn under_way(&self) -> bool {
        self.ended.is_none()
    }

    /// Whether what a conference tells is older than what is known. Each conference numbers what it tells; of several
    /// with the same name the one that was heard of last counts.
    pub(super) fn is_stale(&self, told: Option<&(ConferenceSid, u32)>) -> bool {
        let Some((conference, number)) = told else { return false };
        self.past.contains(conference)
            || self.heard.as_ref().is_some_and(|(known, last)| known == conference && number <= last)
    }

    pub(super) fn caller_at(&mut self, at: Timestamp, place: Whereabouts) {
        (self.caller, self.caller_since) = (place, at);
    }

    pub(super) fn heard_of(&mut self, told: &(ConferenceSid, u32)) {
        if let Some((known, _)) = &self.heard
            && *known != told.0
        {
            self.past.push(known.clone());
        }
        self.heard = Some(told.clone());
    }
}
