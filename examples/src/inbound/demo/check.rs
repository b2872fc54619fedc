//! Whether a demonstration call went as scripted.

use call_simulator::{
    audio::fixtures::{Speech, en, ja},
    openai::{END_CALL, FREE_SLOTS},
    twilio::CallEnd,
};
use realtime_bridge::relay::{EndReason, Speaker, ToolOutcome};

use super::DemoReport;
use crate::conversation::Language;

/// The agent's answer that the caller talks into.
const INTERRUPTED: usize = 2;

/// What is said, in order.
const ENGLISH: [Speech; 10] = [
    en::AGENT_GREETING,
    en::CALLER_HOURS,
    en::AGENT_HOURS,
    en::CALLER_INTERRUPTS,
    en::AGENT_FRIDAY,
    en::CALLER_SLOT,
    en::AGENT_ONE_MOMENT,
    en::AGENT_SLOT,
    en::CALLER_THANKS,
    en::AGENT_GOODBYE,
];

const JAPANESE: [Speech; 10] = [
    ja::AGENT_GREETING,
    ja::CALLER_HOURS,
    ja::AGENT_HOURS,
    ja::CALLER_INTERRUPTS,
    ja::AGENT_FRIDAY,
    ja::CALLER_SLOT,
    ja::AGENT_ONE_MOMENT,
    ja::AGENT_SLOT,
    ja::CALLER_THANKS,
    ja::AGENT_GOODBYE,
];

pub(super) fn problems(report: &DemoReport) -> Vec<String> {
    let mut problems = Vec::new();
    check_end(report, &mut problems);
    check_transcript(report, &mut problems);
    check_tools(report, &mut problems);
    check_barge_in(report, &mut problems);
    check_wires(report, &mut problems);
    problems
}

fn check_end(report: &DemoReport, problems: &mut Vec<String>) {
    if report.telephone.end != CallEnd::HungUp {
        problems.push(format!("the call should end by <Hangup>, not by: {}", report.telephone.end));
    }
    if !matches!(report.record.report.reason, EndReason::Goodbye) {
        problems.push(format!(
            "the conversation should end with a goodbye that was heard, not by: {}",
            report.record.report.reason
        ));
    }
}

fn check_transcript(report: &DemoReport, problems: &mut Vec<String>) {
    let expected = match report.language {
        Language::English => ENGLISH,
        Language::Japanese => JAPANESE,
    };
    let transcript = &report.record.report.transcript;
    if transcript.len() != expected.len() {
        problems.push(format!("{} things should be said, not {}", expected.len(), transcript.len()));
    }
    for (index, (entry, speech)) in transcript.iter().zip(expected).enumerate() {
        let wanted = speech.transcript;
        if entry.generated != wanted {
            problems.push(format!("entry {} should be “{wanted}”, not “{}”", index + 1, entry.generated));
        }
        let cut = index == INTERRUPTED;
        let heard_so = if cut {
            entry.interrupted && !entry.heard.is_empty() && entry.heard != wanted && wanted.starts_with(&entry.heard)
        } else {
            entry.heard == wanted && !entry.interrupted
        };
        if !heard_so {
            let whole = if cut { "in part" } else { "whole" };
            problems.push(format!("“{wanted}” should be heard {whole}, but was heard as “{}”", entry.heard));
        }
    }
    let turns = transcript.iter().filter(|entry| entry.speaker == Speaker::Agent).count();
    // "One moment" and what the tool found are one turn of the caller.
    if report.record.latencies.len() + 1 < turns {
        problems.push(format!("{turns} answers have only {} latencies", report.record.latencies.len()));
    }
}

fn check_tools(report: &DemoReport, problems: &mut Vec<String>) {
    let runs = &report.record.report.tools;
    let names: Vec<_> = runs.iter().map(|run| run.name.as_str()).collect();
    if names != [FREE_SLOTS, END_CALL] {
        problems.push(format!("the tools {FREE_SLOTS} and {END_CALL} should run, not {names:?}"));
    }
    for run in runs.iter().filter(|run| run.outcome != Some(ToolOutcome::Done)) {
        problems.push(format!("the tool {} ended as {:?}", run.name, run.outcome));
    }
    let slots = runs.first().and_then(|run| run.output.as_deref()).unwrap_or_default();
    if !slots.contains(r#""free":true"#) {
        problems.push(format!("Friday at ten should be free, but the tool says {slots}"));
    }
}

/// How fast the agent falls silent is told and not judged: on a busy machine it says more about the machine.
fn check_barge_in(report: &DemoReport, problems: &mut Vec<String>) {
    let cuts = report.barge_ins();
    if cuts.len() != 1 {
        problems.push(format!("the caller should interrupt once, not {} times", cuts.len()));
    }
}

fn check_wires(report: &DemoReport, problems: &mut Vec<String>) {
    problems.extend(report.telephone.alerts().map(|alert| format!("Twilio's debugger says: {alert}")));
    let errors = report.model.of_type("error").map(|logged| logged.event["error"]["message"].to_string());
    problems.extend(errors.map(|message| format!("the model says: {message}")));
    let stats = report.record.report.stats;
    let lost = [("of the caller", stats.gap_time + stats.caller_dropped), ("of the agent", stats.agent_dropped)];
    for (whose, time) in lost.into_iter().filter(|(_, time)| !time.is_zero()) {
        problems.push(format!("{} ms {whose} were lost", time.as_millis()));
    }
    let [stream] = &report.telephone.streams[..] else {
        return problems.push(format!("there should be one media stream, not {}", report.telephone.streams.len()));
    };
    if stream.counts.messages_refused > 0 {
        problems.push(format!("Twilio ignored {} messages of ours", stream.counts.messages_refused));
    }
}
