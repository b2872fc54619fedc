//! Whether a handover went as it should.

use std::time::Duration;

use call_session::call::{Speaker, Status};
use call_simulator::twilio::{CallEnd, CallReport};

use super::{
    report::{Party, ScenarioReport},
    scenarios::Fate,
};

/// The longest that a caller may hear nothing at all.
const SILENCE: Duration = Duration::from_secs(4);

pub(super) fn problems(report: &ScenarioReport) -> Vec<String> {
    let mut problems = Vec::new();
    check_request(report, &mut problems);
    check_people(report, &mut problems);
    check_caller(report, &mut problems);
    check_agent(report, &mut problems);
    check_session(report, &mut problems);
    for (party, telephone) in report.parties() {
        problems.extend(telephone.alerts().map(|alert| format!("Twilio's debugger says of {party}: {alert}")));
        if let CallEnd::CallerGaveUp { waiting_for } = &telephone.end {
            problems.push(format!("{party} waited in vain for {waiting_for}"));
        }
    }
    problems
}

fn check_request(report: &ScenarioReport, problems: &mut Vec<String>) {
    if let Some(request) = report.request.as_ref().filter(|request| request.status != 202) {
        problems.push(format!("the request should be answered with 202, not {}", request.status));
    }
}

/// Whether those were called who should be, and the caller met the one who took the call, and nobody else.
fn check_people(report: &ScenarioReport, problems: &mut Vec<String>) {
    let fates: Vec<_> = report.people.iter().map(|party| (party.person.as_str(), fate(party))).collect();
    let expected = report.expected.legs.iter().map(|(person, fate)| match fate {
        Fate::Talks => (*person, "talks".to_owned()),
        Fate::Not(why) => (*person, (*why).to_owned()),
    });
    let expected: Vec<_> = expected.collect();
    if fates != expected {
        problems.push(format!("the people should be {expected:?}, not {fates:?}"));
    }
    for party in &report.people {
        let Some(telephone) = &party.report else {
            problems.push(format!("the line of {} should be over", party.person));
            continue;
        };
        let was_with_caller = telephone.rooms.iter().any(|room| room.first_voice.is_some());
        if was_with_caller != party.leg.accepted {
            let was = if was_with_caller { "heard" } else { "did not hear" };
            problems.push(format!("{} {was} the caller", party.person));
        }
    }
    let placed = report.people.iter().filter(|party| party.leg.call.is_some()).count();
    if report.calls != placed + 1 {
        problems.push(format!("there were {} calls at Twilio, where {} are known", report.calls, placed + 1));
    }
}

fn fate(party: &Party) -> String {
    let leg = &party.leg;
    if leg.accepted {
        return "talks".into();
    }
    leg.given_up.as_ref().or(leg.ended.as_ref()).cloned().unwrap_or_else(|| "nothing".into())
}

fn check_caller(report: &ScenarioReport, problems: &mut Vec<String>) {
    let caller = &report.caller;
    let ends_well = match &caller.end {
        CallEnd::CallerHungUp { .. } => !report.expected.agent_ends,
        CallEnd::HungUp => report.expected.agent_ends,
        _ => false,
    };
    if !ends_well {
        problems.push(format!("the caller's line should not end like this: {}", caller.end));
    }
    if let Some(silence) = caller.measures.longest_silence.filter(|silence| silence.duration() > SILENCE) {
        let (length, start) = (silence.duration().as_secs_f64(), silence.start.as_secs_f64());
        problems.push(format!("the caller heard nothing for {length:.1} s, from {start:.1} s on"));
    }
    let talks = report.expected.legs.iter().any(|(_, fate)| *fate == Fate::Talks);
    let met = |telephone: &CallReport| telephone.rooms.iter().filter(|room| room.first_voice.is_some()).count();
    if met(caller) != usize::from(talks) {
        problems.push(format!("the caller should meet {} people, not {}", usize::from(talks), met(caller)));
    }
}

/// Whether the agent goes on with the caller, where it should.
fn check_agent(report: &ScenarioReport, problems: &mut Vec<String>) {
    let agent = report.call.transcript.iter().filter(|line| line.speaker == Speaker::Agent);
    let heard: Vec<_> = agent.map(|line| line.heard.as_str()).collect();
    if let Some(words) = report.expected.resumes
        && !heard.contains(&words.transcript)
    {
        problems
            .push(format!("the agent should come back with “{}”, but was heard to say {heard:?}", words.transcript));
    }
}

fn check_session(report: &ScenarioReport, problems: &mut Vec<String>) {
    let call = &report.call.summary;
    if call.status != Status::Completed {
        problems.push(format!("the session should be completed, not {}", call.status.name()));
    }
    if call.needs_runner() {
        problems.push("the handover is not over".into());
    }
    let talks = report.expected.legs.iter().any(|(_, fate)| *fate == Fate::Talks);
    let connected = call.handoff.as_ref().is_some_and(|handoff| handoff.connected.is_some());
    if connected != talks {
        problems.push(format!("the session says connected: {connected}"));
    }
}
