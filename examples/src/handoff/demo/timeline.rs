//! Who did what and when, by one clock.

use std::time::Duration;

use call_session::call::{HandoffEvent, SessionEvent, Speaker, Whereabouts};
use call_simulator::twilio::{CallReport, Event};
use jiff::Timestamp;
use tokio::time::Instant;

use super::report::ScenarioReport;

/// What is shown of a text that somebody hears, in characters.
const LONGEST: usize = 60;

/// Something that happened.
pub(super) struct Line {
    /// Since the caller dialled.
    pub(super) at: Duration,
    pub(super) who: String,
    pub(super) what: String,
}

/// Everything worth a line, in order.
pub(super) fn of(report: &ScenarioReport) -> Vec<Line> {
    let mut lines = Vec::new();
    for (party, telephone) in report.parties() {
        lines.extend(of_party(report, party, telephone));
    }
    let agent = report.call.transcript.iter().filter(|line| line.speaker == Speaker::Agent && !line.heard.is_empty());
    lines.extend(agent.map(|line| {
        let cut = if line.interrupted { "…" } else { "" };
        Line { at: told(report, line.at), who: "agent".into(), what: format!("“{}{cut}”", line.heard) }
    }));
    if let Some(request) = &report.request {
        let what = format!("asks for a handover: {} → {}", request.wanted, request.status);
        lines.push(Line { at: since(report, request.at), who: "operator".into(), what });
    }
    lines.extend(report.history.iter().filter_map(|recorded| {
        let SessionEvent::Handoff(event) = &recorded.stamped.event else { return None };
        let (at, who) = (told(report, recorded.stamped.at), "server".into());
        Some(Line { at, who, what: of_handoff(report, event)? })
    }));
    lines.sort_by_key(|line| line.at);
    lines
}

/// When that was, since the caller dialled.
pub(super) fn since(report: &ScenarioReport, instant: Instant) -> Duration {
    report.caller.at(instant)
}

/// The same for what is kept with the time of day.
fn told(report: &ScenarioReport, at: Timestamp) -> Duration {
    let after = Duration::try_from(at.duration_since(report.zero.timestamp)).unwrap_or_default();
    since(report, report.zero.instant + after)
}

fn of_party(report: &ScenarioReport, party: &str, telephone: &CallReport) -> Vec<Line> {
    let is_caller = party == "caller";
    let line = |moment: &call_simulator::twilio::Moment| {
        let what = match &moment.event {
            Event::Placed { to, .. } if is_caller => format!("dials {to}"),
            Event::Placed { .. } => "is being called".to_owned(),
            Event::Ringing => "the telephone rings".into(),
            Event::Answered if is_caller => "is answered".into(),
            Event::Answered => "picks up".into(),
            Event::Detected { answered_by, .. } => format!("sounds like: {answered_by}"),
            Event::StreamStarted { .. } => "has the agent on the line".into(),
            Event::StreamEnded { reason, .. } => format!("leaves the agent: {reason}"),
            Event::RoomJoined { .. } => "comes to the room".into(),
            Event::RoomStarted => "is connected".into(),
            Event::RoomWaits => "hears music".into(),
            Event::RoomLeft { reason } => format!("is out of the room: {reason}"),
            Event::Verb { name: "Say", detail } => format!("hears {detail}"),
            Event::Document { twiml } if twiml.contains("<Gather") => format!("is asked “{}”", spoken(twiml)),
            Event::CallerSays { text } => format!("“{text}”"),
            Event::KeyPressed { key } => format!("presses {key}"),
            Event::Alert(alert) => format!("Twilio's debugger: {alert}"),
            Event::Ended(end) => format!("the call is over: {end}"),
            _ => return None,
        };
        let at = since(report, telephone.instant(moment.at));
        // In the report of a telephone that is called, the caller is who was called.
        Some(Line { at, who: party.to_owned(), what: what.replace("the caller hung up", "hung up") })
    };
    telephone.timeline.moments().iter().filter_map(line).collect()
}

/// What a document says, in short.
fn spoken(twiml: &str) -> String {
    let mut words = String::new();
    for piece in twiml.split('<').filter_map(|tag| tag.strip_prefix("Say")?.split_once('>')) {
        words.push_str(piece.1.trim());
        words.push(' ');
    }
    let words = words.trim_end();
    match words.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words.to_owned(),
    }
}

/// A step of the handover, if the telephones do not tell it better.
fn of_handoff(report: &ScenarioReport, event: &HandoffEvent) -> Option<String> {
    let who = |leg| {
        let person = report.call.summary.legs.get(leg).and_then(|leg| leg.person.as_ref());
        person.map_or("somebody", |person| person.as_str())
    };
    Some(match event {
        HandoffEvent::Requested { plan, by, .. } => {
            let mode = serde_json::to_value(plan.mode).unwrap_or_default();
            format!("hands over for the {by}, {}", mode.as_str().unwrap_or_default())
        }
        HandoffEvent::FarewellOver => "the farewell was heard".into(),
        HandoffEvent::Dialing { leg, .. } => format!("calls {}", who(leg)),
        HandoffEvent::Accepted { leg } => format!("{} takes the call", who(leg)),
        HandoffEvent::GivenUp { leg, cause } => format!("gives {} up: {cause}", who(leg)),
        HandoffEvent::LegEnded { leg, cause } => format!("{} is off the line: {cause}", who(leg)),
        HandoffEvent::Moving => "moves the caller".into(),
        HandoffEvent::CallerAt { place: Whereabouts::Room, .. } => "the caller is in the room".into(),
        HandoffEvent::PersonArrived { leg } => format!("{} is in the room", who(leg)),
        HandoffEvent::Connected { leg } => format!("the caller has {}", who(leg)),
        HandoffEvent::Returned => "gives the caller back to the agent".into(),
        HandoffEvent::Finished => "is done".into(),
        HandoffEvent::Failed { cause } => format!("nobody takes the call: {cause}"),
        HandoffEvent::Told => "the agent was told".into(),
        _ => return None,
    })
}
