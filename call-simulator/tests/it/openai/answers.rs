//! Answers: asked for, streamed, cancelled, accounted for.

use std::time::Duration;

use call_simulator::{
    audio::{codec, fixtures::en},
    openai::{Answer, FREE_SLOTS, Script, Settings, Timing, Utterance, session::Opening},
};
use realtime_bridge::audio::{AudioFormat, SampleRate};
use serde_json::{Value, json};

use super::bench::{Bench, UNIX_SECONDS, create, create_item, telephone_update};

fn greeting() -> Script {
    Script::new().greeting(Answer::say(en::AGENT_GREETING))
}

fn long() -> Script {
    Script::new().greeting(Answer::say(Utterance::tone("A very long answer.", Duration::from_secs(60))))
}

fn response(members: &Value) -> Value {
    json!({"type": "response.create", "event_id": "create-1", "response": members})
}

#[test]
fn a_spoken_answer_goes_through_all_its_events_in_order() {
    let mut bench = Bench::telephone(greeting());
    let before = bench.events.len();
    bench.send(&create());
    bench.until("rate_limits.updated");
    let mut kinds: Vec<&str> = bench.kinds()[before..].to_vec();
    kinds.retain(|kind| !kind.ends_with("delta"));
    assert_eq!(
        kinds,
        [
            "response.created",
            "response.output_item.added",
            "conversation.item.added",
            "response.content_part.added",
            "response.output_audio.done",
            "response.output_audio_transcript.done",
            "response.content_part.done",
            "conversation.item.done",
            "response.output_item.done",
            "response.done",
            "rate_limits.updated",
        ]
    );
    let part = &bench.of_kind("response.content_part.added")[0]["part"];
    assert_eq!(*part, json!({"type": "audio", "transcript": ""}));
    let done = &bench.of_kind("response.done")[0]["response"];
    assert_eq!((&done["status"], &done["status_details"]), (&json!("completed"), &Value::Null));
    assert_eq!(done["output"][0]["content"][0]["transcript"], en::AGENT_GREETING.transcript);
    assert_eq!(done["output"][0]["phase"], "final_answer");
}

#[test]
fn the_audio_is_the_recording_whatever_the_format() {
    for (format, name) in [
        (AudioFormat::MuLaw, json!({"type": "audio/pcmu"})),
        (AudioFormat::ALaw, json!({"type": "audio/pcma"})),
        (AudioFormat::Pcm16(SampleRate::Hz24000), json!({"type": "audio/pcm", "rate": 24_000})),
    ] {
        let mut bench = Bench::new(greeting());
        let mut update = telephone_update();
        update["session"]["audio"]["output"]["format"] = name;
        bench.send(&update);
        bench.send(&create());
        let done = bench.until("response.done");
        let id = done["response"]["output"][0]["id"].as_str().unwrap();
        assert_eq!(bench.audio_of(id), codec::from_mulaw(format, en::AGENT_GREETING.mulaw), "{format}");
    }
}

#[test]
fn audio_comes_faster_than_it_plays_in_uneven_pieces_with_the_words_ahead() {
    let settings = Settings::default().with_timing(Timing::realistic());
    let script = Script::new().greeting(Answer::say(en::AGENT_HOURS));
    let mut bench = Bench::with(script, settings, Opening::new("gpt-realtime-2.1", UNIX_SECONDS));
    bench.set_up();
    bench.send(&create());
    let created = bench.at();
    bench.until("response.done");
    let deltas: Vec<(Duration, usize)> = bench
        .events
        .iter()
        .filter(|(_, event)| event["type"] == "response.output_audio.delta")
        .map(|(at, event)| (*at, event["delta"].as_str().unwrap().len() / 4 * 3 / 8))
        .collect();
    let first = deltas[0].0 - created;
    assert_eq!(first, Duration::from_millis(700));
    let took = (bench.at() - created - first).as_secs_f64();
    assert!((took - en::AGENT_HOURS.duration().as_secs_f64() / 4.0).abs() < 0.1, "{took} s");
    let (_, body) = deltas.split_last().unwrap();
    assert!(body.iter().all(|(_, ms)| (98..=402).contains(ms)), "{deltas:?}");
    assert!(body.iter().any(|(_, ms)| *ms < 200) && body.iter().any(|(_, ms)| *ms > 300), "{deltas:?}");

    let mut words = String::new();
    let mut played = 0;
    let total = en::AGENT_HOURS.mulaw.len();
    for (_, event) in &bench.events {
        match event["type"].as_str().unwrap() {
            "response.output_audio_transcript.delta" => words.push_str(event["delta"].as_str().unwrap()),
            "response.output_audio.delta" => {
                played += event["delta"].as_str().unwrap().len() / 4 * 3;
                let share = played.min(total) * en::AGENT_HOURS.transcript.len() / total;
                assert!(words.len() + 12 >= share, "{} characters told, {share} said", words.len());
            }
            _ => {}
        }
    }
    assert_eq!(words, en::AGENT_HOURS.transcript);
}

#[test]
fn the_same_seed_gives_the_same_call() {
    let events = |seed: u64| {
        let settings = Settings::default().with_seed(seed);
        let mut bench = Bench::with(greeting(), settings, Opening::new("gpt-realtime-2.1", UNIX_SECONDS));
        bench.set_up();
        bench.send(&create());
        bench.until("response.done");
        bench.events
    };
    assert_eq!(events(7), events(7));
    assert_ne!(events(7), events(8));
}

#[test]
fn one_answer_at_a_time_speaks_in_the_conversation() {
    let mut bench = Bench::telephone(long());
    bench.send(&create());
    let id = bench.until("response.created")["response"]["id"].as_str().unwrap().to_owned();
    let error = bench.refused(&response(&json!({})), "conversation_already_has_active_response");
    assert_eq!(error["message"], format!("Conversation already has an active response in progress: {id}."));
    assert_eq!(error["event_id"], "create-1");
    bench.until("response.done");
    assert_eq!(bench.of_kind("response.created").len(), 1, "the refused wish is lost, not queued");
}

#[test]
fn an_answer_outside_the_conversation_runs_beside_it_and_leaves_no_trace() {
    let script = long().aside(Answer::say(Utterance::recorded("Caller asked about order 417.", vec![])));
    let mut bench = Bench::telephone(script);
    bench.send(&create());
    bench.until("conversation.item.added");
    bench.send(&response(&json!({
        "conversation": "none",
        "output_modalities": ["text"],
        "metadata": {"purpose": "summary"},
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Summarise."}]}],
    })));
    let created = bench.until("response.created")["response"].clone();
    assert_eq!((&created["conversation_id"], &created["metadata"]), (&Value::Null, &json!({"purpose": "summary"})));
    let done = bench.until("response.done")["response"].clone();
    assert_eq!(done["id"], created["id"]);
    assert_eq!(done["output"][0]["content"], json!([{"type": "output_text", "text": "Caller asked about order 417."}]));
    assert_eq!(done["metadata"], json!({"purpose": "summary"}));
    assert_eq!(bench.until("response.done")["response"]["status"], "completed");
    assert_eq!(bench.recording().items.len(), 1);
}

#[test]
fn a_reference_to_an_item_must_lead_somewhere() {
    let mut bench = Bench::telephone(greeting());
    let reference =
        |id: &str| response(&json!({"conversation": "none", "input": [{"type": "item_reference", "id": id}]}));
    assert_eq!(bench.refused(&reference("item_gone"), "invalid_value")["param"], "response.input[0].id");
    bench.send(&create());
    let id = bench.until("conversation.item.added")["item"]["id"].as_str().unwrap().to_owned();
    bench.until("response.done");
    bench.send(&reference(&id));
    bench.until("response.created");
}

#[test]
fn metadata_tells_whose_answer_it_is() {
    let mut bench = Bench::telephone(greeting());
    bench.send(&response(&json!({"metadata": {"client_event_id": "create-1"}})));
    for kind in ["response.created", "response.done"] {
        assert_eq!(bench.until(kind)["response"]["metadata"], json!({"client_event_id": "create-1"}));
    }
}

#[test]
fn an_answer_can_be_cancelled_once() {
    let mut bench = Bench::telephone(long());
    let cancel = json!({"type": "response.cancel", "event_id": "cancel-7"});
    let error = bench.refused(&cancel, "response_cancel_not_active");
    assert_eq!(error["message"], "Cancellation failed: no active response found");
    assert_eq!(error["event_id"], "cancel-7");
    bench.send(&create());
    bench.until("response.output_audio.delta");
    bench.send(&cancel);
    let done = bench.until("response.done")["response"].clone();
    assert_eq!(done["status_details"], json!({"type": "cancelled", "reason": "client_cancelled"}));
    let sent = bench.of_kind("response.output_audio.delta").len();
    bench.refused(&cancel, "response_cancel_not_active");
    bench.run(Duration::from_secs(10));
    assert_eq!(bench.of_kind("response.output_audio.delta").len(), sent, "nothing comes after a cancellation");
}

#[test]
fn an_answer_is_cancelled_by_its_id() {
    let mut bench = Bench::telephone(long());
    bench.send(&create());
    let id = bench.until("response.created")["response"]["id"].clone();
    bench.refused(&json!({"type": "response.cancel", "response_id": "resp_other"}), "response_cancel_not_active");
    bench.send(&json!({"type": "response.cancel", "response_id": id}));
    assert_eq!(bench.until("response.done")["response"]["status"], "cancelled");
}

#[test]
fn late_audio_still_comes_after_a_cancellation() {
    let answer = Answer::say(Utterance::tone("A long answer.", Duration::from_secs(60)));
    let mut bench = Bench::telephone(Script::new().greeting(answer.with_late_audio(Duration::from_millis(500))));
    bench.send(&create());
    bench.until("response.output_audio.delta");
    let id = bench.recording().items[0].id.clone();
    let before = bench.audio_of(&id).len();
    bench.send(&json!({"type": "response.cancel"}));
    bench.refused(&json!({"type": "response.cancel"}), "response_cancel_not_active");
    assert_eq!(bench.until("response.done")["response"]["status"], "cancelled");
    let late_ms = (bench.audio_of(&id).len() - before) / 8;
    assert!((500..=900).contains(&late_ms), "{late_ms} ms");
}

#[test]
fn a_tool_is_called_and_its_result_is_spoken_when_asked_for() {
    let answer = Answer::say(en::AGENT_ONE_MOMENT)
        .and_call(FREE_SLOTS, &json!({"day": "friday"}))
        .then(Answer::say(en::AGENT_SLOT));
    let mut bench = Bench::telephone(Script::new().greeting(answer));
    bench.send(&create());
    let added = [bench.until("response.output_item.added"), bench.until("response.output_item.added")];
    assert_eq!((&added[1]["item"]["name"], &added[1]["output_index"]), (&json!(FREE_SLOTS), &json!(1)));
    let call = bench.until("response.function_call_arguments.done");
    assert_eq!(call["arguments"], r#"{"day":"friday"}"#);
    let streamed: String = bench
        .of_kind("response.function_call_arguments.delta")
        .iter()
        .map(|event| event["delta"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(streamed, r#"{"day":"friday"}"#);
    let done = bench.until("response.done")["response"].clone();
    assert_eq!(done["output"][0]["phase"], "commentary");
    assert_eq!(done["output"][1]["call_id"], call["call_id"]);

    bench.run(Duration::from_secs(5));
    assert_eq!(bench.of_kind("response.created").len(), 1);
    let output = json!({"type": "function_call_output", "call_id": call["call_id"], "output": "[\"10:00\"]"});
    bench.send(&create_item(&output));
    bench.until("conversation.item.done");
    bench.run(Duration::from_secs(5));
    assert_eq!(bench.of_kind("response.created").len(), 1, "the output alone makes the model say nothing");
    bench.send(&create());
    let done = bench.until("response.done")["response"].clone();
    assert_eq!(done["output"][0]["content"][0]["transcript"], en::AGENT_SLOT.transcript);
}

#[test]
fn words_that_are_asked_for_go_before_the_rest_of_the_script() {
    let script = greeting().when_asked("say goodbye", Answer::say(en::AGENT_GOODBYE));
    let mut bench = Bench::telephone(script);
    bench.send(&create());
    bench.until("response.done");
    let system =
        json!({"type": "message", "role": "system", "content": [{"type": "input_text", "text": "Now say goodbye."}]});
    bench.send(&create_item(&system));
    bench.send(&create());
    let said = |done: &Value| done["response"]["output"][0]["content"][0]["transcript"].clone();
    assert_eq!(said(&bench.until("response.done")), en::AGENT_GOODBYE.transcript);
    bench.send(&response(&json!({"instructions": "say goodbye again"})));
    assert_eq!(said(&bench.until("response.done")), en::AGENT_GOODBYE.transcript);
    bench.send(&create());
    assert_eq!(said(&bench.until("response.done")), en::AGENT_APOLOGY.transcript, "the script has nothing else");
}

#[test]
fn a_budget_of_tokens_cuts_an_answer_short() {
    let mut bench = Bench::telephone(long());
    bench.send(&response(&json!({"max_output_tokens": 40})));
    let done = bench.until("response.done")["response"].clone();
    assert_eq!(done["status_details"], json!({"type": "incomplete", "reason": "max_output_tokens"}));
    assert_eq!(done["max_output_tokens"], 40);
    let id = done["output"][0]["id"].as_str().unwrap();
    assert_eq!(bench.audio_of(id).len(), 16_000, "20 tokens a second");
    assert_eq!(done["output"][0]["status"], "incomplete");
}

#[test]
fn usage_counts_the_context_anew_each_time_and_caches_what_did_not_change() {
    let script = greeting().otherwise(Answer::say(Utterance::tone("Four", Duration::from_secs(2))));
    let mut bench = Bench::telephone(script);
    bench.send(&create());
    let first = bench.until("response.done")["response"]["usage"].clone();
    let instructions = u64::try_from("Speak in one or two short sentences.".len()).unwrap().div_ceil(4);
    assert_eq!(first["input_tokens"], instructions);
    assert_eq!(first["input_token_details"]["cached_tokens"], 0);
    let audio = u64::try_from(en::AGENT_GREETING.duration().as_millis()).unwrap().div_ceil(50);
    assert_eq!(first["output_token_details"]["audio_tokens"], audio);

    bench.send(&create());
    let second = bench.until("response.done")["response"]["usage"].clone();
    assert_eq!(second["input_token_details"]["audio_tokens"], audio, "what was said before is read again");
    assert_eq!(second["input_token_details"]["cached_tokens"], instructions);
    assert_eq!(second["output_token_details"]["audio_tokens"], 40);
    assert_eq!(
        second["total_tokens"].as_u64(),
        Some(second["input_tokens"].as_u64().unwrap() + second["output_tokens"].as_u64().unwrap())
    );
    let limits = bench.until("rate_limits.updated")["rate_limits"][0].clone();
    let used = first["total_tokens"].as_u64().unwrap();
    assert_eq!(limits["name"], "tokens");
    assert!(limits["remaining"].as_u64().unwrap() <= 40_000 - used);
}

#[test]
fn an_answer_without_tools_calls_none() {
    let mut bench =
        Bench::telephone(Script::new().greeting(Answer::say(en::AGENT_GOODBYE).and_call("end_call", &json!({}))));
    bench.send(&response(&json!({"tools": []})));
    assert_eq!(bench.until("response.done")["response"]["output"].as_array().unwrap().len(), 1);
}
