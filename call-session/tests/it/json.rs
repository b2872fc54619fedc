//! The JSON of calls and events: it is kept for years, and read by other programs.

use call_session::{
    call::{
        CallSession, CallSummary, HandoffEvent, Recorded, SessionEvent, Stamped, Status, SupervisionEvent,
        SupervisorRole, Version,
    },
    id::LegId,
    store::{FeedEvent, Position},
};
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::call::{Kept, at, id, leg, samples};

#[test]
fn events_look_like_this() {
    let mut text = String::new();
    for event in samples() {
        text += &format!("{}\n", serde_json::to_string(&event.at(at(1))).unwrap());
    }
    assert_snapshot!(text);
}

#[test]
fn every_event_is_read_as_it_was_written() {
    let mut names = Vec::new();
    for event in samples() {
        let stamped = event.at(at(1));
        let written = serde_json::to_value(&stamped).unwrap();
        assert_eq!(written["type"], stamped.event.name());
        if let SessionEvent::Handoff(step) = &stamped.event {
            assert_eq!(written["step"], step.name());
        }
        assert_eq!(serde_json::from_value::<Stamped>(written).unwrap(), stamped);
        let recorded = Recorded { call: id(), version: Version(u64::MAX), stamped };
        let feed = FeedEvent { position: Position::new(u64::MAX, 3), recorded };
        let written = serde_json::to_string(&feed).unwrap();
        assert_eq!(serde_json::from_str::<FeedEvent>(&written).unwrap(), feed);
        names.push(feed.recorded.stamped.event.name());
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 30, "each kind is among the samples");
}

#[test]
fn steps_of_supervising_look_like_this() {
    let (leg, role, cause) = (leg(3), SupervisorRole::Whisper, "room-over".to_owned());
    let asked = SupervisionEvent::Asked { leg, person: None, to: "+81311114444".into(), role, by: "operator".into() };
    let written = serde_json::to_value(SessionEvent::from(asked.clone())).unwrap();
    let wanted = json!({
        "type": "supervision", "step": "asked", "leg": leg, "person": null, "to": "+81311114444", "role": "whisper",
        "by": "operator",
    });
    assert_eq!(written, wanted);
    let call = "CA00000000000000000000000000000001".parse().unwrap();
    for step in [
        asked,
        SupervisionEvent::Dialing { leg, attempt: LegId::new() },
        SupervisionEvent::RoleWanted { leg, role },
        SupervisionEvent::RoleGiven { leg, role },
        SupervisionEvent::LegBound { leg, call },
        SupervisionEvent::Answered { leg },
        SupervisionEvent::Arrived { leg },
        SupervisionEvent::GivenUp { leg, cause: cause.clone() },
        SupervisionEvent::LegEnded { leg, cause },
    ] {
        let name = step.name();
        assert_eq!(format!("{step:?}"), name, "no number is shown");
        let written = serde_json::to_value(SessionEvent::from(step.clone())).unwrap();
        assert_eq!(written["step"], name);
        assert_eq!(serde_json::from_value::<SessionEvent>(written).unwrap(), step.into());
    }
}

#[test]
fn what_a_later_version_adds_is_no_error() {
    let read = |event: Value| serde_json::from_value::<Stamped>(event).unwrap().event;
    let time = "2026-11-21T09:00:00Z";
    assert_eq!(read(json!({"at": time, "type": "sang", "song": {"verses": [1, 2]}})), SessionEvent::Unknown);
    let step = json!({"at": time, "type": "handoff", "step": "waltz", "with": "agent-1"});
    assert_eq!(read(step), SessionEvent::Handoff(HandoffEvent::Unknown));
    assert_eq!(read(json!({"at": time, "type": "ringing", "tone": 440})), SessionEvent::Ringing);

    // A call with such events is the call without them.
    let mut kept = Kept::new();
    let unknown = Recorded { call: id(), version: Version(2), stamped: SessionEvent::Unknown.at(at(1)) };
    kept.history.push(unknown);
    let call = kept.replayed();
    assert_eq!((call.summary.status, call.summary.version), (Status::Initiated, Version(2)));
    // Known ones that cannot be read are an error that is seen.
    serde_json::from_value::<Stamped>(json!({"at": time, "type": "bound", "call": "no-sid"})).unwrap_err();
}

#[test]
fn a_summary_looks_like_this() {
    let mut kept = Kept::new();
    kept.offer((1..).zip(samples()).map(|(second, event)| event.at(at(second))));
    let written = serde_json::to_string_pretty(&kept.call.summary).unwrap();
    assert_eq!(serde_json::from_str::<CallSummary>(&written).unwrap(), kept.call.summary);
    assert_snapshot!(written);
}

#[test]
fn events_without_a_beginning_are_no_call() {
    let ringing = Recorded { call: id(), version: Version(1), stamped: SessionEvent::Ringing.at(at(1)) };
    CallSession::replay([ringing]).unwrap_err();
    CallSession::replay([]).unwrap_err();
}

#[test]
fn positions_are_two_numbers() {
    let position = Position::new(3, 14);
    assert_eq!(position.to_string().parse(), Ok(position));
    assert_eq!(serde_json::to_value(position).unwrap(), "3.14");
    for bad in ["", "3", "3.", ".14", "3.14.15", "3.-1", "x.y", "99999999999999999999.0"] {
        assert!(bad.parse::<Position>().is_err(), "{bad}");
    }
}
