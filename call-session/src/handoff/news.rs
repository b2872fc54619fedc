//! What is heard of a handoff, as proposals to the call, and what each leg is told in return. Pure.
//!
//! Callbacks come late, twice and in any order. None of these proposals is refused by the call they were made for, so that
//! each can be given to [`store::update`](crate::store::update) as it is.

use twilio_twiml::{
    phone::Address,
    sid::CallSid,
    webhook::{ConferenceHappening, ConferenceProgress},
    words::{AnsweredBy, CallStatus},
};

use super::{
    machine::closing,
    plan::{AfterPerson, HandoffPlan, Route},
    supervise,
    verdict::Verdict,
};
use crate::{
    call::{
        CallSession, CallSummary, Ending, Handoff, HandoffEvent, HandoffMode, Mode, NEVER_PLACED, PersonLeg, Place,
        SessionEvent, Status, SupervisionEvent, SupervisorRole, Whereabouts,
    },
    id::{LegId, SessionId},
};

/// The room of a call: one name, whoever asks.
#[must_use]
pub fn room_name(call: SessionId) -> String {
    format!("call-{call}")
}

/// Somebody wants the caller handed over.
#[must_use]
pub fn request(plan: HandoffPlan, by: impl Into<String>, reason: impl Into<String>) -> SessionEvent {
    HandoffEvent::Requested { plan: Box::new(plan), by: by.into(), reason: reason.into() }.into()
}

/// Somebody takes the caller back to the agent, whatever the handoff has come to. Nothing if there is none under way.
#[must_use]
pub fn take_back(call: &CallSession) -> Vec<SessionEvent> {
    let call = &call.summary;
    let Some(handoff) = call.handoff.as_ref().filter(|handoff| handoff.under_way()) else { return Vec::new() };
    let end = if handoff.connected.is_some() {
        HandoffEvent::Returned
    } else {
        HandoffEvent::Failed { cause: "taken-back".into() }
    };
    let mut events: Vec<SessionEvent> = Vec::new();
    events.extend(call.wanted_leg().map(|leg| give_up(leg, "taken-back")));
    events.push(end.into());
    events
}

/// The agent's line is gone. If it was asked to move the caller, that is taken to be why: a caller who hangs up in those
/// seconds looks the same. Nothing if it was not asked. How the call itself ended is for whoever asks to say.
#[must_use]
pub fn referred(call: &CallSession) -> Vec<SessionEvent> {
    let call = &call.summary;
    let handoff = call.handoff.as_ref().filter(|handoff| handoff.under_way() && handoff.plan.route == Route::Refer);
    let Some(leg) = handoff.and_then(|_| call.wanted_leg()) else { return Vec::new() };
    vec![
        HandoffEvent::Accepted { leg }.into(),
        HandoffEvent::Moving.into(),
        HandoffEvent::Connected { leg }.into(),
        // It rings and talks where nobody tells us.
        leg_ended(leg, "referred"),
    ]
}

/// What Twilio says has become of a person's leg.
#[must_use]
pub fn leg_progress(call: &CallSession, id: LegId, sid: &CallSid, status: &CallStatus) -> Vec<SessionEvent> {
    if let Some(leg) = call.summary.supervisors.get(&id) {
        return supervise::progress(leg, id, sid, status);
    }
    let Some(leg) = call.summary.legs.get(&id).filter(|leg| leg.is(sid)) else {
        return Vec::new();
    };
    let mut events: Vec<SessionEvent> = vec![HandoffEvent::LegBound { leg: id, call: sid.clone() }.into()];
    match status {
        CallStatus::InProgress => events.extend(picked_up(&call.summary, id)),
        ended => events.extend(over(leg, ended).map(|cause| leg_ended(id, cause))),
    }
    events
}

/// Asynchronous detection says who picked up a person's leg. Cold, that decides: a direct dial counts as taken by a person
/// from here on, and a machine loses the caller whom the line has put through. Warm, the answer to the briefing decides.
#[must_use]
pub fn leg_machine(call: &CallSession, id: LegId, by: &AnsweredBy) -> Vec<SessionEvent> {
    let undecided = call.summary.legs.get(&id).is_some_and(|leg| leg.is_wanted() && !leg.accepted);
    let plan = call.summary.handoff.as_ref().map(|handoff| &handoff.plan);
    let Some(plan) = plan.filter(|_| undecided) else { return Vec::new() };
    let machine = by.is_machine() || matches!(by, AnsweredBy::Fax);
    match (machine, plan.mode) {
        (true, HandoffMode::Cold) => vec![give_up(id, "machine")],
        (true, HandoffMode::Warm) => vec![HandoffEvent::MachineHeard { leg: id }.into()],
        (false, HandoffMode::Cold) if call.summary.place() == Place::Dial(id) => accept(call, id),
        (false, _) => Vec::new(),
    }
}

/// A person's leg asks for its first document: somebody, or something, picked up. Cold, that is taking the call.
#[must_use]
pub fn answer_leg(call: &CallSession, id: LegId, sid: &CallSid, by: Option<&AnsweredBy>) -> Vec<SessionEvent> {
    if let Some(leg) = call.summary.supervisors.get(&id) {
        return supervise::answered(&call.summary, leg, id, sid, by);
    }
    let mut events = leg_progress(call, id, sid, &CallStatus::InProgress);
    if let Some(by) = by {
        events.extend(leg_machine(call, id, by));
    }
    let cold = call.summary.handoff.as_ref().is_some_and(|handoff| handoff.plan.mode == HandoffMode::Cold);
    if cold
        && !is_detected(&call.summary, id)
        && !events.is_empty()
        && events.iter().all(|event| !matches!(event, SessionEvent::Handoff(HandoffEvent::GivenUp { .. })))
    {
        events.extend(accept(call, id));
    }
    events
}

/// A person has answered the briefing, with a key (`by_key`) or in words. Whether the acceptance came in time is seen in the
/// call afterwards. What sounded like a machine is believed only with a key, and is asked again: greetings have words, too.
#[must_use]
pub fn verdict(call: &CallSession, id: LegId, sid: &CallSid, verdict: Verdict, by_key: bool) -> Vec<SessionEvent> {
    let Some(leg) = call.summary.legs.get(&id).filter(|leg| leg.is(sid)) else { return Vec::new() };
    let undecided = leg.is_wanted() && !leg.accepted;
    match verdict {
        Verdict::Accept if leg.machine && !by_key => Vec::new(),
        Verdict::Accept => accept(call, id),
        Verdict::Decline if undecided => vec![give_up(id, "declined")],
        // The question is over, and nobody pressed a key.
        Verdict::Unclear if undecided && leg.machine => vec![give_up(id, "machine")],
        Verdict::Decline | Verdict::Unclear => Vec::new(),
    }
}

/// What a person's leg is told now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LegPlace {
    /// The briefing, and the question.
    Briefing,
    /// The room. Of a direct dial: the caller.
    Room,
    /// The room, for somebody who is there besides. It neither begins nor ends with them; who whispers is heard by
    /// [`coached`](super::coached) alone.
    Supervisor(SupervisorRole),
    /// That there is nothing to be done any more, then the end.
    Gone,
}

/// What a person's leg is told now. Only who accepted comes to the caller, on the very leg on which they did.
#[must_use]
pub fn leg_place(call: &CallSummary, id: LegId, sid: &CallSid) -> LegPlace {
    if let Some(leg) = call.supervisors.get(&id) {
        return supervise::place(call, leg, sid);
    }
    let under_way = call.handoff.as_ref().is_some_and(|handoff| handoff.under_way() && handoff.legs.contains(&id));
    match call.legs.get(&id) {
        Some(leg) if leg.is(sid) && leg.is_wanted() && under_way && !call.status.is_terminal() => {
            if leg.accepted {
                LegPlace::Room
            } else {
                LegPlace::Briefing
            }
        }
        _ => LegPlace::Gone,
    }
}

/// The caller's leg asks for its document, at whichever door: where it gets to is known then.
#[must_use]
pub fn caller_fetched(call: &CallSession) -> Vec<SessionEvent> {
    let Some(handoff) = &call.summary.handoff else { return Vec::new() };
    if let Place::Dial(id) = call.summary.place()
        && let Some(leg) = call.summary.legs.get(&id)
        && (leg.call.is_some() || handoff.caller == Whereabouts::Room)
    {
        // That one was dialled already, and the caller is not with them any more. Nobody is dialled twice as the same leg.
        let mut events = vec![give_up(id, if leg.call.is_some() { "left" } else { NEVER_PLACED })];
        events.extend(handoff.connected.map(|_| closing(handoff.plan.after).into()));
        // The document that is given now is another's already.
        let place = match (handoff.connected, handoff.plan.after) {
            (Some(_), AfterPerson::Goodbye) => Whereabouts::Goodbye,
            (Some(_), AfterPerson::Return) if call.summary.mode == Mode::Conference => Whereabouts::Agent,
            _ => Whereabouts::Between,
        };
        events.push(HandoffEvent::CallerAt { place, told: None }.into());
        return events;
    }
    let place = match call.summary.place() {
        Place::Room if handoff.caller != Whereabouts::Room => Whereabouts::OnTheWay,
        Place::Dial(_) => Whereabouts::Room,
        Place::Goodbye => Whereabouts::Goodbye,
        // A stream says itself that it is up; turn by turn there is none.
        Place::Agent if call.summary.mode == Mode::Conference => Whereabouts::Agent,
        _ => return Vec::new(),
    };
    vec![HandoffEvent::CallerAt { place, told: None }.into()]
}

/// The caller's leg has, or may have, a document that leads to the room, whatever was decided since. If it was heard of at
/// a door or in the room by now, that is newer.
pub(super) fn caller_shown(call: &CallSession) -> Vec<SessionEvent> {
    let call = &call.summary;
    let unheard = call.is_run_to_room() && call.handoff.as_ref().is_some_and(|it| it.caller == Whereabouts::Agent);
    unheard.then(|| HandoffEvent::CallerAt { place: Whereabouts::OnTheWay, told: None }.into()).into_iter().collect()
}

/// The caller's leg is out of the room, or its direct dial is over, and asks what comes next. With `dialed`, the leg that it
/// dialled, if that is told, and what became of it.
#[must_use]
pub fn caller_leaves_room(call: &CallSession, dialed: Option<(Option<&CallSid>, &CallStatus)>) -> Vec<SessionEvent> {
    let call = &call.summary;
    // An answer of this door was lost, and the line asks anew: it is told of the same stream again, which is on the way.
    let left = |handoff: &&Handoff| handoff.caller != Whereabouts::Returning;
    let Some(handoff) = call.handoff.as_ref().filter(left) else { return Vec::new() };
    let mut events: Vec<SessionEvent> = vec![HandoffEvent::CallerAt { place: Whereabouts::Between, told: None }.into()];
    let leg = call.wanted_leg().and_then(|id| call.legs.get(&id).map(|leg| (id, leg)));
    let Some((id, leg)) = leg.filter(|_| handoff.under_way()) else { return events };
    if let Place::Dial(_) = call.place() {
        let sid = dialed.and_then(|(sid, _)| sid);
        let of_another = |sid: &CallSid| {
            let named = |(other, known): (&LegId, &PersonLeg)| *other != id && known.call.as_ref() == Some(sid);
            !leg.is(sid) || call.legs.iter().any(named)
        };
        if sid.is_some_and(of_another) {
            // Told once more of the one before: this one was chosen since.
            return events;
        }
        events.extend(sid.map(|sid| HandoffEvent::LegBound { leg: id, call: sid.clone() }.into()));
        let cause = dialed.and_then(|(_, status)| over(leg, status)).unwrap_or("completed");
        events.push(leg_ended(id, cause));
    } else if leg.accepted && (leg.arrived || handoff.connected.is_some()) {
        // The room closes when the person leaves.
        events.push(give_up(id, "left"));
    }
    if handoff.connected.is_some() {
        events.push(closing(handoff.plan.after).into());
    }
    events
}

/// What happened in the room.
#[must_use]
pub fn room_progress(call: &CallSession, told: &ConferenceProgress) -> Vec<SessionEvent> {
    let call = &call.summary;
    let Some(sid) = &told.call_sid else { return Vec::new() };
    if call.call_sid.as_ref() == Some(sid) {
        return caller_in_room(call, told);
    }
    if let Some((id, _)) = call.supervisors.iter().find(|(_, leg)| leg.call.as_ref() == Some(sid)) {
        return match told.event {
            ConferenceHappening::Join => vec![SupervisionEvent::Arrived { leg: *id }.into()],
            // Their document ends with the room.
            ConferenceHappening::Leave => vec![supervise::give_up(*id, "left")],
            _ => Vec::new(),
        };
    }
    let Some((id, leg)) = call.legs.iter().find(|(_, leg)| leg.call.as_ref() == Some(sid)) else { return Vec::new() };
    match told.event {
        ConferenceHappening::Join => vec![HandoffEvent::PersonArrived { leg: *id }.into()],
        ConferenceHappening::Leave => {
            let ended = told.participant_call_status.as_ref().and_then(|status| over(leg, status));
            vec![ended.map_or_else(|| give_up(*id, "left"), |cause| leg_ended(*id, cause))]
        }
        _ => Vec::new(),
    }
}

fn caller_in_room(call: &CallSummary, told: &ConferenceProgress) -> Vec<SessionEvent> {
    let Some(handoff) = &call.handoff else { return Vec::new() };
    let leaves = told.event == ConferenceHappening::Leave;
    // A conference that the caller was in before tells late that the caller left it.
    let here = handoff.heard.as_ref().is_none_or(|(known, _)| *known == told.conference_sid);
    let place = match (&told.event, handoff.caller) {
        (ConferenceHappening::Join, Whereabouts::OnTheWay | Whereabouts::Between) => Some(Whereabouts::Room),
        // Whoever gave the leg its document had no time to say so.
        (ConferenceHappening::Join, Whereabouts::Agent) if call.is_run_to_room() => Some(Whereabouts::Room),
        (ConferenceHappening::Leave, Whereabouts::Room) if here => Some(Whereabouts::Between),
        // The caller's leg has another document since: that it was in the room is no news any more.
        _ => None,
    };
    let number = told.sequence_number.map(|number| (told.conference_sid.clone(), number));
    let mut events: Vec<SessionEvent> =
        place.map(|place| HandoffEvent::CallerAt { place, told: number }.into()).into_iter().collect();
    if leaves && told.participant_call_status == Some(CallStatus::Completed) {
        events.push(SessionEvent::Ended(Ending::new(Status::Completed, "caller-hung-up")));
    }
    events
}

/// A person picked up, or something did.
fn picked_up(call: &CallSummary, id: LegId) -> Vec<SessionEvent> {
    let mut events = vec![HandoffEvent::Answered { leg: id }.into()];
    let direct = call.place() == Place::Dial(id);
    let cold = call.handoff.as_ref().is_some_and(|handoff| handoff.plan.mode == HandoffMode::Cold);
    if direct && cold && !is_detected(call, id) {
        // The line itself has put them through.
        events.push(HandoffEvent::Accepted { leg: id }.into());
    }
    events
}

/// Whether the line tells, after it has put the caller through to this leg, who picked up.
fn is_detected(call: &CallSummary, id: LegId) -> bool {
    let machine = call.handoff.as_ref().is_some_and(|handoff| handoff.plan.detect_machines);
    // An application is no mailbox, and is not listened to.
    let telephone = call.legs.get(&id).is_none_or(|leg| !matches!(leg.to, Some(Address::Client(_))));
    call.place() == Place::Dial(id) && machine && telephone
}

fn accept(call: &CallSession, id: LegId) -> Vec<SessionEvent> {
    let event = HandoffEvent::Accepted { leg: id }.into();
    // Too late is not an error here: whoever asks sees in the call that nothing came of it.
    if call.admit(&event).is_ok() { vec![event] } else { Vec::new() }
}

fn give_up(leg: LegId, cause: &str) -> SessionEvent {
    HandoffEvent::GivenUp { leg, cause: cause.to_owned() }.into()
}

/// A leg of either kind is over.
pub(super) fn any_leg_ended(call: &CallSession, leg: LegId, cause: &str) -> SessionEvent {
    if call.summary.supervisors.contains_key(&leg) { supervise::ended(leg, cause) } else { leg_ended(leg, cause) }
}

/// A leg of either kind is in the room.
pub(super) fn any_leg_arrived(call: &CallSession, leg: LegId) -> SessionEvent {
    if call.summary.supervisors.contains_key(&leg) {
        SupervisionEvent::Arrived { leg }.into()
    } else {
        HandoffEvent::PersonArrived { leg }.into()
    }
}

pub(super) fn leg_ended(leg: LegId, cause: &str) -> SessionEvent {
    HandoffEvent::LegEnded { leg, cause: cause.to_owned() }.into()
}

/// Why a leg with this status is over, if it is.
pub(super) const fn over(leg: &PersonLeg, status: &CallStatus) -> Option<&'static str> {
    match status {
        CallStatus::Completed if leg.accepted => Some("completed"),
        CallStatus::Completed => Some("hung-up"),
        CallStatus::Busy => Some("busy"),
        CallStatus::NoAnswer => Some("no-answer"),
        CallStatus::Failed => Some("failed"),
        CallStatus::Canceled => Some("canceled"),
        _ => None,
    }
}
