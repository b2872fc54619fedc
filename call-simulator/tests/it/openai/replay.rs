//! The published conversations, played against the simulator: it sends what they say, in their order.

use std::time::Duration;

use call_simulator::{
    audio::fixtures::en,
    openai::{
        Act, Answer, Script, Settings, Timing, Utterance,
        session::{Attachment, Opening},
    },
};
use serde_json::{Map, Value, json};

use super::bench::{Bench, UNIX_SECONDS, create, create_item, truncate};

/// The events of a published conversation: who sends it, and what.
fn scenario(name: &str) -> Vec<(String, Value)> {
    let text = include_str!("../../../../realtime-bridge/tests/data/openai/examples.json");
    let examples: Map<String, Value> = serde_json::from_str(text).unwrap();
    let marker = format!(".scenario.{name}.");
    let mut steps: Vec<(String, String, Value)> = examples
        .into_iter()
        .filter_map(|(key, event)| {
            let (from, step) = key.split_once(&marker)?;
            Some((step.to_owned(), from.to_owned(), event))
        })
        .collect();
    steps.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(!steps.is_empty(), "{name} is not among the examples");
    steps.into_iter().map(|(_, from, event)| (from, event)).collect()
}

/// The kinds of events in order. How often words and sound alternate is left to the provider; when transcripts and rate
/// limits come is not specified; that a conversation was created is not always told.
fn skeleton<'a>(events: impl IntoIterator<Item = &'a Value>) -> Vec<String> {
    let mut kinds: Vec<String> = Vec::new();
    for event in events {
        let kind = event["type"].as_str().unwrap();
        let kind = match kind {
            "conversation.created" | "rate_limits.updated" => continue,
            kind if kind.contains("input_audio_transcription") => continue,
            "response.output_audio.delta" | "response.output_audio_transcript.delta" => "speech",
            "response.function_call_arguments.delta" => "arguments",
            "response.done" => &format!("response.done {}", event["response"]["status"].as_str().unwrap()),
            kind => kind,
        };
        if kinds.last().is_none_or(|last| last != kind || !matches!(kind, "speech" | "arguments")) {
            kinds.push(kind.to_owned());
        }
    }
    kinds
}

/// What the server sends in a published conversation.
fn expected(name: &str) -> Vec<String> {
    skeleton(scenario(name).iter().filter(|(from, _)| from == "server").map(|(_, event)| event))
}

fn sent(bench: &Bench) -> Vec<String> {
    skeleton(bench.events.iter().map(|(_, event)| event))
}

/// The client's event of this type in a published conversation.
fn client_event(name: &str, kind: &str) -> Value {
    scenario(name).into_iter().find(|(from, event)| from == "client" && event["type"] == kind).unwrap().1
}

#[test]
fn a_greeting_a_turn_and_a_barge_in() {
    const NAME: &str = "greeting-turn-barge-in";
    let script =
        Script::new().greeting(Answer::say(en::AGENT_GREETING)).turn(en::CALLER_HOURS, Answer::say(en::AGENT_HOURS));
    let timing = Timing::brisk().with_audio_speed(5.0);
    let settings = Settings::default().with_timing(timing);
    let mut bench = Bench::with(script, settings, Opening::new("gpt-realtime-2.1", UNIX_SECONDS));
    bench.send(&client_event(NAME, "session.update"));
    bench.send(&client_event(NAME, "response.create"));
    bench.until("rate_limits.updated");
    bench.silence(Duration::from_secs(3));
    bench.speak(en::CALLER_HOURS.mulaw);
    bench.silence(Duration::from_millis(900));
    bench.speak(&en::CALLER_INTERRUPTS.mulaw[..4_000]);
    bench.run(Duration::from_millis(50));
    let cut = bench.recording().items[2].clone();
    bench.send(&truncate(&cut.id, 60));
    assert_eq!(sent(&bench), expected(NAME));
    assert_eq!(bench.recording().items[2].truncated_ms, Some(60));
    assert_eq!(bench.of_kind("rate_limits.updated").len(), 2);
    assert_eq!(bench.of_kind("conversation.item.input_audio_transcription.completed").len(), 1);
}

#[test]
fn a_function_call_and_the_answer_after_it() {
    const NAME: &str = "function-call";
    let answer = Answer::call("lookup_order", &json!({"order_number": "417"}))
        .then(Answer::say(Utterance::tone("It has been shipped.", Duration::from_secs(1))));
    let mut bench = Bench::telephone(Script::new().greeting(answer));
    let before = bench.events.len();
    bench.send(&create());
    let call_id = bench.until("response.done")["response"]["output"][0]["call_id"].clone();
    let mut output = client_event(NAME, "conversation.item.create")["item"].clone();
    output["call_id"] = call_id;
    bench.send(&create_item(&output));
    bench.send(&client_event(NAME, "response.create"));
    bench.until("response.done");
    assert_eq!(skeleton(bench.events[before..].iter().map(|(_, event)| event)), expected(NAME));
}

#[test]
fn the_control_socket_of_a_telephone_call() {
    const NAME: &str = "sip-sideband";
    let script = Script::new()
        .greeting(Answer::say(Utterance::tone("Hello.", Duration::from_secs(1))))
        .at(Duration::from_secs(5), Act::Dtmf('5'));
    let settings = Settings::default().with_timing(Timing::brisk());
    let opening = Opening::new("gpt-realtime-2.1", UNIX_SECONDS).with_attachment(Attachment::Call);
    let mut bench = Bench::with(script, settings, opening);
    bench.send(&client_event(NAME, "response.create"));
    bench.until("output_audio_buffer.stopped");
    let pressed = bench.until("input_audio_buffer.dtmf_event_received");
    assert_eq!((&pressed["event"], &pressed["received_at"]), (&json!("5"), &json!(UNIX_SECONDS + 5)));
    bench.send(&client_event(NAME, "response.cancel"));
    bench.send(&client_event(NAME, "output_audio_buffer.clear"));
    assert_eq!(sent(&bench), expected(NAME));
    assert!(bench.of_kind("response.output_audio.delta").is_empty(), "the audio goes to the telephone");
}

#[test]
fn clearing_the_playback_of_a_telephone_call_cuts_the_answer_to_what_was_played() {
    let script = Script::new().greeting(Answer::say(en::AGENT_HOURS));
    let settings = Settings::default().with_timing(Timing::brisk());
    let opening = Opening::new("gpt-realtime-2.1", UNIX_SECONDS).with_attachment(Attachment::Call);
    let mut bench = Bench::with(script, settings, opening);
    bench.send(&create());
    bench.until("output_audio_buffer.started");
    bench.run(Duration::from_secs(2));
    bench.send(&json!({"type": "output_audio_buffer.clear"}));
    bench.until("output_audio_buffer.cleared");
    assert_eq!(bench.until("conversation.item.truncated")["audio_end_ms"], 2_000);
    bench.run(Duration::from_secs(20));
    assert!(bench.of_kind("output_audio_buffer.stopped").is_empty());
}
