//! What a session refuses, and in which words.

use call_simulator::{
    audio::fixtures::en,
    openai::{Answer, Script, Settings, session::Opening},
};
use serde_json::{Value, json};

use super::bench::{Bench, UNIX_SECONDS, create, telephone_update, turn_detection};

fn update(members: Value) -> Value {
    let mut session = members;
    session["type"] = json!("realtime");
    json!({"type": "session.update", "event_id": "cfg-2", "session": session})
}

fn voice(voice: &str) -> Value {
    json!({"output": {"voice": voice}})
}

#[test]
fn a_session_opens_with_defaults_that_are_wrong_for_a_telephone() {
    let mut bench = Bench::new(Script::new());
    let session = bench.until("session.created")["session"].clone();
    assert_eq!(session["model"], "gpt-realtime-2.1");
    assert_eq!(session["audio"]["input"]["format"], json!({"type": "audio/pcm", "rate": 24_000}));
    assert_eq!(session["audio"]["output"]["format"], json!({"type": "audio/pcm", "rate": 24_000}));
    assert_eq!(session["audio"]["output"]["voice"], "marin");
    assert_eq!(session["audio"]["input"]["turn_detection"]["silence_duration_ms"], 200);
    assert_eq!(session["expires_at"], UNIX_SECONDS + 3_600);
    assert_eq!(bench.kinds(), ["session.created", "conversation.created"]);
}

#[test]
fn an_update_is_echoed_with_everything_that_is_in_force() {
    let mut bench = Bench::new(Script::new());
    bench.send(&telephone_update());
    let session = bench.until("session.updated")["session"].clone();
    assert_eq!(session["audio"]["input"]["format"], json!({"type": "audio/pcmu"}));
    assert_eq!(session["audio"]["output"]["speed"], 1.0, "members left out keep their value");
    let turns = json!({
        "type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 500,
        "idle_timeout_ms": null, "create_response": true, "interrupt_response": true,
    });
    assert_eq!(session["audio"]["input"]["turn_detection"], turns);

    bench.send(&turn_detection(&Value::Null));
    let session = bench.until("session.updated")["session"].clone();
    assert_eq!(session["audio"]["input"]["turn_detection"], Value::Null);
    assert_eq!(session["audio"]["input"]["format"], json!({"type": "audio/pcmu"}));
}

#[test]
fn frames_that_are_no_events_are_answered_and_the_session_goes_on() {
    let mut bench = Bench::new(Script::new());
    bench.send_binary();
    bench.error("invalid_event");
    bench.send_text("{\"type\": ");
    bench.error("invalid_json");
    bench.send(&json!({"type": "session.start", "event_id": "e-1"}));
    let error = bench.error("invalid_value");
    assert_eq!((&error["param"], &error["event_id"]), (&json!("type"), &json!("e-1")));
    bench.set_up();
}

#[test]
fn an_update_of_the_beta_is_refused_as_a_whole() {
    let mut bench = Bench::telephone(Script::new());
    let error = bench.refused(&update(json!({"instructions": "new", "voice": "alloy"})), "unknown_parameter");
    assert_eq!(error["message"], "Unknown parameter: 'session.voice'.");
    assert_eq!(error["event_id"], "cfg-2");
    bench.send(&update(json!({})));
    assert_eq!(bench.until("session.updated")["session"]["instructions"], "Speak in one or two short sentences.");
}

#[test]
fn an_update_needs_its_type() {
    let mut bench = Bench::new(Script::new());
    let error = bench.refused(&json!({"type": "session.update", "session": {}}), "missing_required_parameter");
    assert_eq!(error["message"], "Missing required parameter: 'session.type'.");
    assert_eq!(error["param"], "session.type");
    let transcription = json!({"type": "session.update", "session": {"type": "transcription"}});
    assert_eq!(bench.refused(&transcription, "invalid_value")["param"], "session.type");
}

#[test]
fn the_voice_freezes_with_the_first_sound_and_takes_the_whole_update_with_it() {
    let mut bench = Bench::telephone(Script::new().greeting(Answer::say(en::AGENT_GREETING)));
    bench.send(&update(json!({"audio": voice("cedar")})));
    assert_eq!(bench.until("session.updated")["session"]["audio"]["output"]["voice"], "cedar");
    bench.send(&create());
    bench.until("response.output_audio.delta");

    let event = update(json!({"instructions": "new", "audio": voice("alloy")}));
    assert_eq!(bench.refused(&event, "cannot_update_voice")["param"], "session.audio.output.voice");
    bench.refused(&update(json!({"audio": voice("cedar")})), "cannot_update_voice");
    bench.send(&update(json!({"max_output_tokens": 1_024})));
    let session = bench.until("session.updated")["session"].clone();
    assert_eq!(session["instructions"], "Speak in one or two short sentences.");
    assert_eq!(session["audio"]["output"]["voice"], "cedar");
    bench.until("response.done");
    let response = json!({"type": "response.create", "response": {"audio": voice("alloy")}});
    assert_eq!(bench.refused(&response, "cannot_update_voice")["param"], "response.audio.output.voice");
}

#[test]
fn the_model_of_a_session_cannot_change() {
    let mut bench = Bench::new(Script::new());
    assert_eq!(bench.refused(&update(json!({"model": "gpt-realtime"})), "invalid_value")["param"], "session.model");
    bench.send(&update(json!({"model": "gpt-realtime-2.1"})));
    bench.until("session.updated");
}

#[test]
fn reasoning_is_for_models_that_reason_and_its_refusal_does_not_name_the_event() {
    let opening = Opening::new("gpt-realtime-1.5", UNIX_SECONDS);
    let mut bench = Bench::with(Script::new(), Settings::default(), opening);
    for (member, value) in [("reasoning", json!({"effort": "low"})), ("parallel_tool_calls", json!(false))] {
        let error = bench.refused(&update(json!({member: value})), "invalid_value");
        assert_eq!((&error["param"], &error["event_id"]), (&json!(format!("session.{member}")), &Value::Null));
    }
    let mut bench = Bench::new(Script::new());
    bench.send(&update(json!({"reasoning": {"effort": "minimal"}, "parallel_tool_calls": false})));
    assert_eq!(bench.until("session.updated")["session"]["reasoning"]["effort"], "minimal");
}

#[test]
fn hints_for_transcription_depend_on_its_model() {
    let mut bench = Bench::new(Script::new());
    let mut hint = |transcription: Value| {
        let event = update(json!({"audio": {"input": {"transcription": transcription}}}));
        bench.refused(&event, "invalid_value")["param"].clone()
    };
    let path = |hint: &str| json!(format!("session.audio.input.transcription.{hint}"));
    assert_eq!(hint(json!({"model": "whisper-1", "languages": ["en"]})), path("languages"));
    assert_eq!(hint(json!({"model": "gpt-4o-transcribe", "keywords": ["a"]})), path("keywords"));
    assert_eq!(hint(json!({"model": "gpt-transcribe", "delay": "low"})), path("delay"));
    assert_eq!(hint(json!({"model": "gpt-realtime-whisper", "prompt": "a"})), path("prompt"));
    assert_eq!(hint(json!({"model": "whisper-9"})), path("model"));
}

#[test]
fn tracing_cannot_be_changed_once_it_is_on() {
    let mut bench = Bench::new(Script::new());
    bench.send(&update(json!({"tracing": "auto"})));
    bench.until("session.updated");
    assert_eq!(bench.refused(&update(json!({"tracing": null})), "invalid_value")["param"], "session.tracing");
}

#[test]
fn audio_that_is_not_base64_is_refused() {
    let mut bench = Bench::telephone(Script::new());
    for audio in ["////", "/w", "ｘ", "/w==\n"] {
        let event = json!({"type": "input_audio_buffer.append", "event_id": "a-1", "audio": audio});
        if audio == "////" {
            bench.send(&event);
        } else {
            assert_eq!(bench.refused(&event, "invalid_value")["event_id"], "a-1", "{audio:?}");
        }
    }
}

#[test]
fn the_playback_queue_of_a_socket_is_not_the_providers() {
    let mut bench = Bench::telephone(Script::new());
    bench.refused(&json!({"type": "output_audio_buffer.clear"}), "invalid_value");
}
