//! Others on our side who are with a caller and a person: to listen, to whisper to the person, or to join in.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use twilio_twiml::{phone::Address, sid::CallSid};

use super::{CallSummary, Refused, SessionEvent, Status};
use crate::{
    handoff::Route,
    id::{AgentId, LegId},
};

/// What a supervisor does in the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SupervisorRole {
    /// They hear both and are heard by nobody.
    Listen,
    /// They hear both and are heard by the person, not by the caller.
    Whisper,
    /// They hear both and are heard by both.
    Join,
}

/// A step of somebody's supervising a call.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case", rename_all_fields = "camelCase")]
#[non_exhaustive]
pub enum SupervisionEvent {
    /// Somebody is to be with caller and person.
    Asked {
        /// Their leg, which has a name before Twilio knows of it.
        leg: LegId,
        /// Who; `None` for a number that was given.
        person: Option<AgentId>,
        /// Where they are reached.
        to: Address,
        /// What they are to do.
        role: SupervisorRole,
        /// Who asked for it, as a short fixed name.
        by: String,
    },
    /// They are about to be called.
    Dialing {
        /// The leg.
        leg: LegId,
        /// The name of this attempt, which only the server that makes it knows beforehand.
        attempt: LegId,
    },
    /// They are to do something else from now on.
    RoleWanted {
        /// The leg.
        leg: LegId,
        /// What.
        role: SupervisorRole,
    },
    /// The line does as was wanted.
    RoleGiven {
        /// The leg.
        leg: LegId,
        /// What.
        role: SupervisorRole,
    },
    /// The leg has its name at Twilio.
    LegBound {
        /// The leg.
        leg: LegId,
        /// The name.
        #[serde(rename = "callSid")]
        call: CallSid,
    },
    /// They picked up.
    Answered {
        /// The leg.
        leg: LegId,
    },
    /// They are in the room.
    Arrived {
        /// The leg.
        leg: LegId,
    },
    /// They are not wanted any more. Their leg is ended as soon as that can be done.
    GivenUp {
        /// The leg.
        leg: LegId,
        /// Why, as a short fixed name.
        cause: String,
    },
    /// Their leg is over, or never came to be.
    LegEnded {
        /// The leg.
        leg: LegId,
        /// Why, as a short fixed name.
        cause: String,
    },
    /// A step of a later version of this crate.
    #[serde(other)]
    Unknown,
}

impl SupervisionEvent {
    /// A short fixed name, as in JSON and in stores.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Asked { .. } => "asked",
            Self::Dialing { .. } => "dialing",
            Self::RoleWanted { .. } => "role-wanted",
            Self::RoleGiven { .. } => "role-given",
            Self::LegBound { .. } => "leg-bound",
            Self::Answered { .. } => "answered",
            Self::Arrived { .. } => "arrived",
            Self::GivenUp { .. } => "given-up",
            Self::LegEnded { .. } => "leg-ended",
            Self::Unknown => "unknown",
        }
    }

    const fn leg(&self) -> Option<LegId> {
        match self {
            Self::Asked { leg, .. }
            | Self::Dialing { leg, .. }
            | Self::RoleWanted { leg, .. }
            | Self::RoleGiven { leg, .. }
            | Self::LegBound { leg, .. }
            | Self::Answered { leg }
            | Self::Arrived { leg }
            | Self::GivenUp { leg, .. }
            | Self::LegEnded { leg, .. } => Some(*leg),
            Self::Unknown => None,
        }
    }
}

impl From<SupervisionEvent> for SessionEvent {
    fn from(event: SupervisionEvent) -> Self {
        Self::Supervision(event)
    }
}

impl fmt::Debug for SupervisionEvent {
    /// Without the number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A supervisor's leg. It is never one of those that may take the call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SupervisorLeg {
    /// Who; `None` for a number that was given.
    pub person: Option<AgentId>,
    /// Where they are reached.
    pub to: Address,
    /// What they are to do.
    pub role: SupervisorRole,
    /// What the line has them do, once it has them.
    pub given: Option<SupervisorRole>,
    /// When they were asked for, and from then on when they were dialled.
    pub dialed: Timestamp,
    /// The attempt to dial them, once there is one.
    pub attempt: Option<LegId>,
    /// Its name at Twilio, once it has one.
    pub call: Option<CallSid>,
    /// When they picked up.
    pub answered_at: Option<Timestamp>,
    /// Whether they came to the room.
    pub arrived: bool,
    /// Why it is not wanted any more, if it is not.
    pub given_up: Option<String>,
    /// How it ended.
    pub ended: Option<String>,
}

impl SupervisorLeg {
    /// It is not over, and still wanted.
    #[must_use]
    pub const fn is_wanted(&self) -> bool {
        self.ended.is_none() && self.given_up.is_none()
    }

    /// It has this name at Twilio, or none yet.
    pub(crate) fn is(&self, sid: &CallSid) -> bool {
        self.call.as_ref().is_none_or(|known| known == sid)
    }
}

impl CallSummary {
    /// Caller and person hear each other in a room, where others can be with them.
    #[must_use]
    pub fn is_in_room(&self) -> bool {
        let connected = self.handoff.as_ref().is_some_and(|handoff| {
            handoff.under_way() && handoff.connected.is_some() && handoff.plan.route == Route::Room
        });
        connected && self.status == Status::WithAgent
    }

    pub(super) fn admit_supervision(&self, event: &SupervisionEvent) -> Result<bool, Refused> {
        let id = event.leg().ok_or(Refused::Unknown)?;
        if let SupervisionEvent::Asked { .. } = event {
            return match self.supervisors.get(&id) {
                _ if self.status.is_terminal() => Err(Refused::Over),
                Some(_) => Ok(false),
                None if self.is_in_room() => Ok(true),
                None => Err(Refused::NobodyInRoom),
            };
        }
        let leg = self.supervisors.get(&id).ok_or(Refused::NobodyInRoom)?;
        match event {
            SupervisionEvent::Dialing { .. } if !leg.is_wanted() => Err(Refused::LegUnwanted),
            SupervisionEvent::Dialing { .. } => Ok(leg.attempt.is_none()),
            SupervisionEvent::RoleWanted { .. } if !leg.is_wanted() => Err(Refused::LegUnwanted),
            SupervisionEvent::RoleWanted { role, .. } => Ok(leg.role != *role),
            SupervisionEvent::RoleGiven { role, .. } => Ok(leg.given != Some(*role)),
            SupervisionEvent::LegBound { call: told, .. } => match &leg.call {
                None => Ok(true),
                Some(known) if known == told => Ok(false),
                Some(known) => Err(Refused::AnotherCall { known: known.clone(), told: told.clone() }),
            },
            SupervisionEvent::Answered { .. } => Ok(leg.answered_at.is_none()),
            SupervisionEvent::Arrived { .. } => Ok(!leg.arrived),
            SupervisionEvent::GivenUp { .. } => Ok(leg.is_wanted()),
            SupervisionEvent::LegEnded { .. } => Ok(leg.ended.is_none()),
            SupervisionEvent::Asked { .. } | SupervisionEvent::Unknown => Err(Refused::Unknown),
        }
    }

    pub(super) fn supervise(&mut self, at: Timestamp, event: &SupervisionEvent) {
        if let SupervisionEvent::Asked { leg, person, to, role, .. } = event {
            let asked = SupervisorLeg {
                person: person.clone(),
                to: to.clone(),
                role: *role,
                given: None,
                dialed: at,
                attempt: None,
                call: None,
                answered_at: None,
                arrived: false,
                given_up: None,
                ended: None,
            };
            self.supervisors.insert(*leg, asked);
            return;
        }
        let Some(leg) = event.leg().and_then(|leg| self.supervisors.get_mut(&leg)) else { return };
        match event {
            SupervisionEvent::Dialing { attempt, .. } => (leg.attempt, leg.dialed) = (Some(*attempt), at),
            SupervisionEvent::RoleWanted { role, .. } => leg.role = *role,
            SupervisionEvent::RoleGiven { role, .. } => leg.given = Some(*role),
            SupervisionEvent::LegBound { call, .. } => {
                leg.call = Some(call.clone());
                // It was taken for one that never came to be, and there it is.
                leg.ended = leg.ended.take().filter(|cause| cause != super::NEVER_PLACED);
            }
            SupervisionEvent::Answered { .. } => leg.answered_at = Some(at),
            SupervisionEvent::Arrived { .. } => leg.arrived = true,
            SupervisionEvent::GivenUp { cause, .. } => leg.given_up = Some(cause.clone()),
            SupervisionEvent::LegEnded { cause, .. } => leg.ended = Some(cause.clone()),
            SupervisionEvent::Asked { .. } | SupervisionEvent::Unknown => {}
        }
    }
}
