//! A demonstration call, told on the terminal.

use std::{fmt, time::Duration};

use call_simulator::{
    openai::{Logged, Party, Recording},
    twilio::{self, Event},
};
use realtime_bridge::relay::{Speaker, TranscriptEntry, TurnLatency};

use super::check;
use crate::{conversation::Language, phone::StreamRecord};

/// A demonstration call, seen from its three sides.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DemoReport {
    /// The language that was spoken.
    pub language: Language,
    /// What Twilio and the caller saw and heard.
    pub telephone: twilio::CallReport,
    /// What the model saw.
    pub model: Recording,
    /// When the model session was opened, since the call was placed.
    pub model_opened: Duration,
    /// What the bridge tells.
    pub record: StreamRecord,
}

/// How fast the agent fell silent when the model heard the caller speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BargeInCut {
    /// When the model sent `speech_started`, since the call was placed.
    pub speech_started: Duration,
    /// From there to the end of the last frame of the agent that the caller heard.
    pub cut: Duration,
}

impl DemoReport {
    /// What did not go as scripted, one sentence each.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        check::problems(self)
    }

    /// Each time the caller spoke into the agent's words, by the simulators' own clocks.
    #[must_use]
    pub fn barge_ins(&self) -> Vec<BargeInCut> {
        let started = self.model.of_type("input_audio_buffer.speech_started");
        let started = started.map(|logged| self.call_time(logged));
        let cut = |at: Duration| {
            let agent = self.telephone.agent_speech.iter().find(|span| span.start < at && at <= span.end)?;
            Some(BargeInCut { speech_started: at, cut: agent.end - at })
        };
        started.filter_map(cut).collect()
    }

    /// When something happened at the model, in the time of the call.
    fn call_time(&self, logged: &Logged) -> Duration {
        self.telephone.at(self.telephone.placed_at + self.model_opened + logged.at)
    }

    /// What happened on both sides, in order. Marks and documents are left out.
    fn timeline(&self) -> Vec<(Duration, String)> {
        let quiet = |event: &Event| {
            matches!(
                event,
                Event::MarkSet { .. } | Event::MarkReturned { .. } | Event::Document { .. } | Event::WebhookSent { .. }
            )
        };
        let telephone = self.telephone.timeline.moments().iter().filter(|moment| !quiet(&moment.event));
        let mut lines: Vec<_> = telephone.map(|moment| (moment.at, moment.event.to_string())).collect();
        let model = self.model.events.iter().filter_map(|logged| Some((self.call_time(logged), told(logged)?)));
        lines.extend(model);
        lines.sort_by_key(|(at, _)| *at);
        lines
    }
}

/// What an event of the model's socket means, if it is worth a line.
fn told(logged: &Logged) -> Option<String> {
    let event = &logged.event;
    let text = match (logged.from, logged.kind()) {
        (Party::Server, "session.updated") => "the session is ready".into(),
        (Party::Server, "input_audio_buffer.speech_started") => "hears the caller speak".into(),
        (Party::Server, "input_audio_buffer.speech_stopped") => "hears the caller stop".into(),
        (Party::Server, "response.created") => "begins an answer".into(),
        (Party::Server, "response.done") => format!("answer {}", event["response"]["status"].as_str()?),
        (Party::Server, "response.function_call_arguments.done") => {
            format!("calls {}({})", event["name"].as_str()?, event["arguments"].as_str()?)
        }
        (Party::Server, "error") => format!("error: {}", event["error"]["message"].as_str()?),
        (Party::Client, "conversation.item.truncate") => {
            format!("is told that the caller heard {} ms of it", event["audio_end_ms"])
        }
        (Party::Client, "conversation.item.create") if event["item"]["type"] == "function_call_output" => {
            format!("is told {}", event["item"]["output"].as_str()?)
        }
        _ => return None,
    };
    Some(format!("model     {text}"))
}

impl fmt::Display for DemoReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Timeline, in seconds since the caller dialled")?;
        for (at, line) in self.timeline() {
            writeln!(f, "{:>8.3}  {line}", at.as_secs_f64())?;
        }
        writeln!(f, "\nTranscript, in seconds since the line was up")?;
        self.record.report.transcript.iter().try_for_each(|entry| write_entry(f, entry))?;
        writeln!(
            f,
            "\nLatency of each answer, in ms since the caller fell silent (of the greeting: since the line was up)"
        )?;
        writeln!(f, "    begun   first audio   sent   heard")?;
        self.record.latencies.iter().try_for_each(|latency| write_latency(f, latency))?;
        writeln!(f, "\nAs the caller has it")?;
        for line in self.telephone.to_string().lines().skip(1) {
            writeln!(f, "{line}")?;
        }
        for BargeInCut { speech_started, cut } in self.barge_ins() {
            let (at, cut) = (speech_started.as_secs_f64(), cut.as_millis());
            writeln!(
                f,
                "  barge-in  the agent fell silent {cut} ms after the model sent speech_started, at {at:.3} s"
            )?;
        }
        writeln!(f, "  call      {:.1} s, {}", self.telephone.ended.as_secs_f64(), self.record.report.reason)
    }
}

fn write_entry(f: &mut fmt::Formatter<'_>, entry: &TranscriptEntry) -> fmt::Result {
    let speaker = match entry.speaker {
        Speaker::Caller => "caller",
        Speaker::Agent => "agent ",
    };
    writeln!(f, "{:>8.3}  {speaker}  {}", entry.at.as_secs_f64(), entry.generated)?;
    if entry.heard != entry.generated {
        writeln!(f, "{:>8}  heard   {}{}", "", entry.heard, if entry.interrupted { " —" } else { "" })?;
    }
    Ok(())
}

fn write_latency(f: &mut fmt::Formatter<'_>, latency: &TurnLatency) -> fmt::Result {
    let ms = |time: Option<Duration>| time.map_or_else(|| "–".to_owned(), |time| time.as_millis().to_string());
    let TurnLatency { response_started, first_audio, first_sent, first_heard, .. } = *latency;
    let [begun, audio, sent, heard] = [response_started, first_audio, first_sent, first_heard].map(ms);
    writeln!(f, "{begun:>9}{audio:>14}{sent:>7}{heard:>8}")
}
