//! Whether a demonstration call went as scripted.

use std::time::Duration;

use call_session::call::{Status, ToolOutcome};
use call_simulator::{audio::fixtures::ja, openai::sip::SipEnd};

use super::DemoReport;

/// How long the caller may hear it ring, on a machine that has time.
const ACCEPT_LIMIT: Duration = Duration::from_secs(1);

/// What is said, in order.
const SAID: [&str; 6] = [
    ja::AGENT_GREETING.transcript,
    ja::CALLER_SLOT.transcript,
    ja::AGENT_ONE_MOMENT.transcript,
    ja::AGENT_SLOT.transcript,
    ja::CALLER_THANKS.transcript,
    ja::AGENT_GOODBYE.transcript,
];

const TOOLS: [&str; 4] = ["check_slots", "update_attendance", "send_message", "end_call"];

pub(super) fn problems(report: &DemoReport) -> Vec<String> {
    let mut problems = Vec::new();
    check_call(report, &mut problems);
    check_words(report, &mut problems);
    check_table(report, &mut problems);
    check_wires(report, &mut problems);
    problems
}

fn check_call(report: &DemoReport, problems: &mut Vec<String>) {
    let summary = &report.call.summary;
    let ending = summary.ending.as_ref().map(|ending| ending.reason.as_str());
    if summary.status != Status::Completed || ending != Some("goodbye") {
        problems
            .push(format!("the call should be completed by a goodbye, not {} by {ending:?}", summary.status.name()));
    }
    if report.telephone.end != SipEnd::HungUp {
        problems.push(format!("the server should hang up, but: {}", report.telephone.end));
    }
    if summary.usage.input == 0 {
        problems.push("the usage of the model is not kept".into());
    }
    let events: Vec<_> = report.history.iter().map(|recorded| recorded.stamped.event.name()).collect();
    for name in ["created", "answered", "stream-attached", "model-attached", "said", "tool-started", "ended"] {
        if !events.contains(&name) {
            problems.push(format!("the audit log has no {name}"));
        }
    }
}

fn check_words(report: &DemoReport, problems: &mut Vec<String>) {
    let heard: Vec<_> = report.call.transcript.iter().map(|line| line.heard.as_str()).collect();
    if heard != SAID {
        problems.push(format!("{SAID:?} should be heard, not {heard:?}"));
    }
    let runs: Vec<_> = report.call.tools.iter().map(|run| run.name.as_str()).collect();
    if runs != TOOLS {
        problems.push(format!("the tools {TOOLS:?} should run, not {runs:?}"));
    }
    for run in report.call.tools.iter().filter(|run| run.outcome != Some(ToolOutcome::Done)) {
        problems.push(format!("the tool {} ended as {:?}", run.name, run.outcome));
    }
}

fn check_table(report: &DemoReport, problems: &mut Vec<String>) {
    let slot = report.guest.as_ref().and_then(|guest| guest.slot.as_deref());
    if slot != Some("fri-10") {
        problems.push(format!("the table should show fri-10, not {slot:?}"));
    }
    if report.changes.len() != 1 {
        problems.push(format!("there should be one change, not {}", report.changes.len()));
    }
    match &report.messages[..] {
        [(body, Some(sent))] if body.contains("金曜日 10時") && sent == "logged" => {}
        messages => problems.push(format!("one message should tell the new time, not {messages:?}")),
    }
}

fn check_wires(report: &DemoReport, problems: &mut Vec<String>) {
    match report.telephone.accepted {
        Some(accepted) if accepted <= ACCEPT_LIMIT + report.late => {}
        accepted => problems.push(format!(
            "the call should be accepted within {ACCEPT_LIMIT:?} on a machine that is not late ({:?}), not {accepted:?}",
            report.late
        )),
    }
    let statuses: Vec<_> = report.telephone.deliveries().map(|delivery| delivery.status).collect();
    if statuses != [Some(200), Some(200)] {
        problems.push(format!("both copies of the webhook should be answered with 200, not {statuses:?}"));
    }
    let session = report.telephone.session.iter();
    let errors = session.flat_map(|session| session.of_type("error"));
    problems.extend(errors.map(|logged| format!("the model says: {}", logged.event["error"]["message"])));
}
