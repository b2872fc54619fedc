//! What the caller gets when a stretch of audio is over.

use call_session::call::{CallSession, DRAINED, HandoffEvent, KEYS, NO_MODEL, Next, SessionEvent, Speaker, Status};

use super::{after, at, attached, detached, ended, leg, line, requested, stream};

/// The stream of this number comes up and ends.
fn went(number: u128, cause: &str, orderly: bool) -> Vec<SessionEvent> {
    let stream = stream(number);
    attached(stream).into_iter().chain([detached(stream, cause, orderly)]).collect()
}

/// The same, with words of the caller.
fn talked(number: u128, cause: &str, orderly: bool) -> Vec<SessionEvent> {
    let mut events = went(number, cause, orderly);
    let lines = vec![line(stream(number), "0/item_1", Speaker::Caller, 8, "Hello?")];
    events.insert(2, SessionEvent::Said { lines });
    events
}

fn handoff() -> Vec<SessionEvent> {
    let dialing = HandoffEvent::Dialing { leg: leg(1), person: None, candidate: 0 };
    let accepted = HandoffEvent::Accepted { leg: leg(1) };
    [requested(""), dialing, accepted].map(SessionEvent::Handoff).into()
}

fn check(events: impl IntoIterator<Item = Vec<SessionEvent>>, asked: u128, next: Next) -> CallSession {
    let call = after(events.into_iter().flatten());
    assert_eq!(call.summary.after_stream(stream(asked)), next);
    call
}

#[test]
fn whoever_had_the_end_of_a_conversation_is_let_go() {
    check([talked(1, "goodbye", true)], 1, Next::HangUp);
    check([went(1, "goodbye", true)], 1, Next::HangUp);
    check([talked(1, "line-failed", false), vec![ended(Status::Completed)]], 1, Next::HangUp);
    let asked = SessionEvent::EndRequested { by: "operator".into() };
    check([talked(1, "line-failed", false), vec![asked]], 1, Next::HangUp);
}

#[test]
fn an_end_that_was_called_off_is_no_end() {
    let asked = SessionEvent::EndRequested { by: "operator".into() };
    let spoke_on = vec![asked.clone(), SessionEvent::EndCalledOff];
    check([talked(1, "line-failed", false), spoke_on.clone()], 1, Next::Reconnect);
    check([talked(1, "line-failed", false), spoke_on, vec![asked]], 1, Next::HangUp);
}

#[test]
fn keys_that_are_not_pressed_leave_the_stream_as_it_was() {
    let keys = || went(1, KEYS, false);
    let stays = || vec![SessionEvent::StreamStays { stream: stream(1) }];
    let call = check([keys(), stays(), vec![detached(stream(1), "goodbye", true)]], 1, Next::HangUp);
    assert_eq!(call.summary.attachments.len(), 1);
    assert!(after([keys(), stays()].concat()).summary.attachment().is_some());
    // The keys were pressed after all, or the stream ended for another reason.
    for before in [[keys(), Vec::from(attached(stream(2)))].concat(), went(1, "goodbye", true)] {
        let mut call = after(before);
        let stays = stays().into_iter().map(|event| event.at(at(70)));
        assert!(call.take(stays).unwrap().is_empty(), "it stays over");
    }
}

/// News of the line come before the end of the conversation does: it has its end all the same.
#[test]
fn a_goodbye_counts_whatever_was_told_of_the_line_before() {
    for told in ["stream-error", KEYS, "lost"] {
        let call = check([talked(1, told, false), vec![detached(stream(1), "goodbye", true)]], 1, Next::HangUp);
        let kept = call.summary.attachments[0].detached.as_ref().unwrap();
        assert_eq!((kept.cause.as_str(), kept.orderly), ("goodbye", true));
        // Whoever is led elsewhere seems to hang up.
        let mut call = check([talked(1, told, false)], 1, Next::Reconnect);
        assert!(call.take([detached(stream(1), "caller-hung-up", true).at(at(70))]).unwrap().is_empty());
    }
    let mut call = check([talked(1, "goodbye", true)], 1, Next::HangUp);
    for late in [detached(stream(1), "lost", false), detached(stream(1), "hung-up", true)] {
        assert!(call.take([late.at(at(70))]).unwrap().is_empty(), "and stays its end");
    }
}

#[test]
fn whoever_was_cut_off_is_connected_again() {
    check([talked(1, "line-failed", false)], 1, Next::Reconnect);
    check([went(1, "line-failed", false)], 1, Next::Reconnect);
    // Nobody could write down how it ended: the process died.
    check([attached(stream(1)).into()], 1, Next::Reconnect);
    // It never came up.
    check([vec![SessionEvent::StreamExpected { stream: stream(1) }]], 1, Next::Reconnect);
    // Nothing is known of it at all.
    check([vec![SessionEvent::Answered]], 1, Next::Reconnect);
    check([talked(1, "model-failed", false), talked(2, "model-failed", false)], 2, Next::Reconnect);
}

#[test]
fn what_fails_twice_would_fail_again() {
    check([went(1, "line-failed", false), went(2, "line-failed", false)], 2, Next::Apologize);
    check([talked(1, "x", false), went(2, "x", false)], 2, Next::Reconnect);
    check([talked(1, "x", false), went(2, "x", false), went(3, "x", false)], 3, Next::Apologize);
    check([went(1, NO_MODEL, false)], 1, Next::Apologize);
    check([talked(1, "x", false), went(2, NO_MODEL, false)], 2, Next::Apologize);
}

#[test]
fn leaving_on_purpose_is_no_failure() {
    check([went(1, DRAINED, false), went(2, DRAINED, false), went(3, DRAINED, false)], 3, Next::Reconnect);
    check([went(1, KEYS, false), went(2, "line-failed", false)], 2, Next::Reconnect);
    check([went(1, "x", false), went(2, KEYS, false), went(3, "x", false)], 3, Next::Apologize);
}

#[test]
fn a_caller_on_the_way_to_a_person_goes_to_the_room() {
    let moving = SessionEvent::Handoff(HandoffEvent::Moving);
    let connected = SessionEvent::Handoff(HandoffEvent::Connected { leg: leg(1) });
    let up = || Vec::from(attached(stream(1)));
    let gone = |orderly| vec![detached(stream(1), "detached", orderly)];
    check([up(), handoff(), vec![moving.clone()], gone(true)], 1, Next::Room);
    check([up(), handoff(), vec![connected.clone()], gone(false)], 1, Next::Room);
    // While the person is still being called, the agent has the caller.
    check([up(), handoff(), gone(false)], 1, Next::Reconnect);
    let failed = SessionEvent::Handoff(HandoffEvent::Failed { cause: "nobody".into() });
    check([up(), handoff(), vec![moving, failed], gone(false)], 1, Next::Reconnect);
    check([up(), handoff(), vec![connected, ended(Status::Completed)]], 1, Next::HangUp);
}

#[test]
fn an_old_stream_has_nothing_to_say() {
    check([talked(1, "line-failed", false), attached(stream(2)).into()], 1, Next::Elsewhere);
    // The answer that announced the second stream was lost, and the line asks again: it did not fail.
    let announced = vec![SessionEvent::StreamExpected { stream: stream(2) }];
    let mut call = check([went(1, "line-failed", false), announced], 1, Next::Reconnect);
    call.take(attached(stream(3)).map(|event| event.at(at(70)))).unwrap();
    assert_eq!(call.summary.after_stream(stream(1)), Next::Elsewhere);
    assert_eq!(call.summary.after_stream(stream(3)), Next::Apologize);
}
