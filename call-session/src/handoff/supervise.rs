//! Others who are with a caller and a person: what is wanted and heard of them, as proposals to the call. Pure.
//!
//! Possible only in a room, which is where a caller is with a person. While the agent has the caller by a stream there is no
//! room that somebody could be in: Twilio plays such a stream to nobody else.

use twilio_twiml::{
    phone::Address,
    sid::CallSid,
    words::{AnsweredBy, CallStatus},
};

use super::news::LegPlace;
use crate::{
    call::{CallSession, CallSummary, SessionEvent, SupervisionEvent, SupervisorLeg, SupervisorRole},
    id::{AgentId, LegId},
};

/// Somebody is to be with caller and person, in this role. Whoever is with them already, or is being called, changes the
/// role. Refused by a call that is in no room.
#[must_use]
pub fn supervise(
    call: &CallSession,
    fresh: LegId,
    person: Option<&AgentId>,
    to: &Address,
    role: SupervisorRole,
    by: &str,
) -> Vec<SessionEvent> {
    let same =
        |leg: &SupervisorLeg| leg.is_wanted() && (leg.to == *to || (person.is_some() && leg.person.as_ref() == person));
    let there = call.summary.supervisors.iter().find(|(_, leg)| same(leg));
    let event = match there {
        Some((leg, _)) => SupervisionEvent::RoleWanted { leg: *leg, role },
        None => {
            SupervisionEvent::Asked { leg: fresh, person: person.cloned(), to: to.clone(), role, by: by.to_owned() }
        }
    };
    vec![event.into()]
}

/// The leg that a whispering supervisor is heard by: the person's.
#[must_use]
pub fn coached(call: &CallSummary) -> Option<CallSid> {
    let taker = call.wanted_leg().and_then(|id| call.legs.get(&id));
    taker.filter(|leg| leg.accepted).and_then(|leg| leg.call.clone())
}

pub(super) fn progress(leg: &SupervisorLeg, id: LegId, sid: &CallSid, status: &CallStatus) -> Vec<SessionEvent> {
    if !leg.is(sid) {
        return Vec::new();
    }
    let mut events = vec![SupervisionEvent::LegBound { leg: id, call: sid.clone() }.into()];
    let over = match status {
        CallStatus::InProgress => {
            events.push(SupervisionEvent::Answered { leg: id }.into());
            None
        }
        CallStatus::Completed => Some("completed"),
        CallStatus::Busy => Some("busy"),
        CallStatus::NoAnswer => Some("no-answer"),
        CallStatus::Failed => Some("failed"),
        CallStatus::Canceled => Some("canceled"),
        _ => None,
    };
    events.extend(over.map(|cause| ended(id, cause)));
    events
}

/// They picked up, or something did. What their document says is written down with it: the line does so from then on.
pub(super) fn answered(
    call: &CallSummary,
    leg: &SupervisorLeg,
    id: LegId,
    sid: &CallSid,
    by: Option<&AnsweredBy>,
) -> Vec<SessionEvent> {
    let mut events = progress(leg, id, sid, &CallStatus::InProgress);
    if by.is_some_and(|by| by.is_machine() || matches!(by, AnsweredBy::Fax)) && leg.is_wanted() {
        // A mailbox must not hear what is said.
        events.push(give_up(id, "machine"));
    } else if !events.is_empty() && leg.is_wanted() && call.is_in_room() {
        events.push(SupervisionEvent::RoleGiven { leg: id, role: leg.role }.into());
    }
    events
}

pub(super) fn place(call: &CallSummary, leg: &SupervisorLeg, sid: &CallSid) -> LegPlace {
    if leg.is(sid) && leg.is_wanted() && call.is_in_room() { LegPlace::Supervisor(leg.role) } else { LegPlace::Gone }
}

pub(super) fn give_up(leg: LegId, cause: &str) -> SessionEvent {
    SupervisionEvent::GivenUp { leg, cause: cause.to_owned() }.into()
}

pub(super) fn ended(leg: LegId, cause: &str) -> SessionEvent {
    SupervisionEvent::LegEnded { leg, cause: cause.to_owned() }.into()
}
