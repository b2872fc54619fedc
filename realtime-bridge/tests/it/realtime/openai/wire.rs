//! The protocol's types against the published examples and the published schema.

use std::{collections::BTreeMap, sync::LazyLock};

use realtime_bridge::realtime::openai::wire::{ClientEvent, ServerEvent};
use serde_json::{Value, json};

pub(super) const EXAMPLES: &str = include_str!("../../../data/openai/examples.json");
const SCHEMA: &str = include_str!("../../../data/openai/schema.json");

pub(super) static CLIENT: LazyLock<jsonschema::Validator> = LazyLock::new(|| validator("ClientEvent"));
pub(super) static SERVER: LazyLock<jsonschema::Validator> = LazyLock::new(|| validator("ServerEvent"));

fn validator(union: &str) -> jsonschema::Validator {
    let mut schema: Value = serde_json::from_str(SCHEMA).unwrap();
    schema["$ref"] = json!(format!("#/$defs/{union}"));
    jsonschema::validator_for(&schema).unwrap()
}

/// Fails with every reason that the schema has against the event.
pub(super) fn assert_valid(validator: &jsonschema::Validator, event: &Value) {
    let problems: Vec<String> = validator.iter_errors(event).map(|error| error.to_string()).collect();
    assert!(problems.is_empty(), "{event}: {problems:?}");
}

fn examples(side: &str) -> BTreeMap<String, Value> {
    let mut examples: BTreeMap<String, Value> = serde_json::from_str(EXAMPLES).unwrap();
    examples.retain(|name, _| name.starts_with(side));
    assert!(examples.len() > 10, "{side}");
    examples
}

/// 1 and 1.0 are one number.
fn with_floats(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(values) => values.iter().map(with_floats).collect(),
        Value::Object(members) => members.iter().map(|(key, value)| (key.clone(), with_floats(value))).collect(),
        other => other.clone(),
    }
}

/// What a server leaves out, and what it sends as null, mean the same in most places.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Array(values) => values.iter().map(without_nulls).collect(),
        Value::Object(members) => {
            let there = members.iter().filter(|(_, value)| !value.is_null());
            there.map(|(key, value)| (key.clone(), without_nulls(value))).collect()
        }
        other => other.clone(),
    }
}

#[test]
fn client_examples_come_back_as_they_were() {
    for (name, example) in examples("client.") {
        let event = ClientEvent::parse(&example.to_string()).unwrap();
        assert!(!matches!(event, ClientEvent::Unknown { .. }), "{name}");
        assert_eq!(event.kind(), example["type"], "{name}");
        let again: Value = serde_json::from_str(&event.to_json()).unwrap();
        assert_eq!(with_floats(&again), with_floats(&example), "{name}");
        assert_valid(&CLIENT, &again);
    }
}

#[test]
fn server_examples_come_back_as_they_were_but_for_nulls() {
    for (name, example) in examples("server.") {
        let event = ServerEvent::parse(&example.to_string()).unwrap();
        assert!(!matches!(event, ServerEvent::Unknown { .. }), "{name}");
        assert_eq!(event.kind(), example["type"], "{name}");
        let again: Value = serde_json::from_str(&event.to_json()).unwrap();
        assert_eq!(with_floats(&without_nulls(&again)), with_floats(&without_nulls(&example)), "{name}");
        assert_valid(&SERVER, &again);
    }
}

#[test]
fn every_event_of_the_schema_is_known_and_has_an_example() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    for (side, union, known) in
        [("client.", "ClientEvent", ClientEvent::KINDS), ("server.", "ServerEvent", ServerEvent::KINDS)]
    {
        let cases = schema["$defs"][union]["oneOf"].as_array().or(schema["$defs"][union]["anyOf"].as_array()).unwrap();
        let mut specified: Vec<&str> = Vec::new();
        for case in cases {
            let name = case["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
            specified.push(schema["$defs"][name]["properties"]["type"]["const"].as_str().unwrap());
        }
        specified.sort_unstable();
        let mut known = known.to_vec();
        known.sort_unstable();
        assert_eq!(known, specified);
        let shown: Vec<Value> = examples(side).into_values().collect();
        for kind in known {
            assert!(shown.iter().any(|example| example["type"] == kind), "{kind} has no example");
        }
    }
}

#[test]
fn what_is_new_is_kept_and_what_is_broken_is_told() {
    let json = r#"{"type":"response.of_next_year","n":1.50}"#;
    match ServerEvent::parse(json).unwrap() {
        ServerEvent::Unknown { kind, json: kept } => {
            assert_eq!((kind.as_str(), kept.get()), ("response.of_next_year", json));
        }
        other => panic!("{other:?}"),
    }
    // A member of next year in a known event, an item and a tool of next year.
    let started = r#"{"new":[1],"type":"input_audio_buffer.speech_started","audio_start_ms":5}"#;
    assert!(matches!(ServerEvent::parse(started), Ok(ServerEvent::SpeechStarted(event)) if event.audio_start_ms == 5));
    let added = r#"{"type":"conversation.item.added","item":{"type":"thought","id":"t"}}"#;
    assert_eq!(ServerEvent::parse(added).unwrap().to_json(), added);

    let broken = ServerEvent::parse(r#"{"type":"input_audio_buffer.speech_started","audio_start_ms":"soon"}"#);
    let error = broken.unwrap_err();
    assert_eq!(error.kind(), Some("input_audio_buffer.speech_started"));
    assert_eq!(error.to_string(), "malformed input_audio_buffer.speech_started");
    for garbage in ["", "null", "[]", "{}", r#"{"type":7}"#, "\u{0}", r#"{"type":"error""#] {
        assert!(ServerEvent::parse(garbage).is_err(), "{garbage:?}");
    }
}

#[test]
fn tokens_of_tool_servers_stay_out_of_debug() {
    let example = &examples("client.")["client.session.update.mcp"];
    let event = ClientEvent::parse(&example.to_string()).unwrap();
    let shown = format!("{event:?}");
    assert!(shown.contains("mcp.example.com") && !shown.contains("token-value"), "{shown}");
}
