//! The session object: defaults, updates, and what they forbid.
//!
//! OpenAI: Realtime API reference, session object; Realtime guide, managing conversations.

use std::time::Duration;

use realtime_bridge::audio::{AudioFormat, SampleRate};
use serde_json::{Map, Value, json};

use super::usage;
use crate::openai::{ApiError, settings::Model};

/// The effective configuration of a session, kept as the JSON that is echoed.
#[derive(Debug, Clone)]
pub(super) struct Config {
    session: Value,
    model: Model,
}

/// When the caller's turn begins and ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct TurnDetection {
    /// 0 to 1.
    pub(super) threshold: f64,
    pub(super) prefix_padding_ms: u64,
    pub(super) silence_ms: u32,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) create_response: bool,
    pub(super) interrupt_response: bool,
}

/// What one response does differently from the session, merged with what it does not.
#[derive(Debug, Clone)]
pub(super) struct ResponseConfig {
    pub(super) in_conversation: bool,
    pub(super) speaks: bool,
    pub(super) format: AudioFormat,
    pub(super) format_json: Value,
    pub(super) voice: Value,
    pub(super) max_output_tokens: Value,
    pub(super) metadata: Value,
    pub(super) instructions: Option<String>,
    /// Replaces the conversation as context.
    pub(super) input: Option<Vec<Value>>,
    pub(super) reasoning: bool,
    /// Whether the model may call tools; not when the request says so.
    pub(super) tools: bool,
}

impl Config {
    /// What a session starts with: 24 kHz PCM both ways, which is wrong for a telephone.
    pub(super) fn new(id: &str, model: Model, expires_at: u64) -> Self {
        let mut session = json!({
            "type": "realtime",
            "object": "realtime.session",
            "id": id,
            "model": model.name,
            "output_modalities": ["audio"],
            "instructions": "You are a friendly and brief voice assistant.",
            "tools": [],
            "tool_choice": "auto",
            "max_output_tokens": "inf",
            "truncation": "auto",
            "tracing": null,
            "prompt": null,
            "expires_at": expires_at,
            "audio": {
                "input": {
                    "format": {"type": "audio/pcm", "rate": 24_000},
                    "transcription": null,
                    "noise_reduction": null,
                    "turn_detection": {
                        "type": "server_vad",
                        "threshold": 0.5,
                        "prefix_padding_ms": 300,
                        "silence_duration_ms": 200,
                        "idle_timeout_ms": null,
                        "create_response": true,
                        "interrupt_response": true
                    }
                },
                "output": {"format": {"type": "audio/pcm", "rate": 24_000}, "voice": "marin", "speed": 1.0}
            },
            "include": null
        });
        if model.reasoning {
            session["reasoning"] = json!({"effort": "low"});
            session["parallel_tool_calls"] = json!(true);
        }
        Self { session, model }
    }

    pub(super) fn echo(&self) -> Value {
        self.session.clone()
    }

    /// Applies an update whose shape has been checked, or none of it.
    ///
    /// `spoken` tells that audio has gone out, which freezes the voice.
    pub(super) fn update(&mut self, update: &Value, spoken: bool) -> Result<(), ApiError> {
        self.check(update, spoken)?;
        let mut session = self.session.clone();
        let members = update.as_object().expect("the shape has been checked");
        for (name, value) in members {
            if name == "audio" {
                for (side, members) in value.as_object().into_iter().flatten() {
                    for (name, value) in members.as_object().into_iter().flatten() {
                        session["audio"][side][name] = value.clone();
                    }
                }
            } else {
                session[name] = value.clone();
            }
        }
        fill_turn_detection(&mut session["audio"]["input"]["turn_detection"]);
        self.session = session;
        Ok(())
    }

    fn check(&self, update: &Value, spoken: bool) -> Result<(), ApiError> {
        if update["type"] == "transcription" {
            let message = "Passing a transcription session update to a realtime session is not allowed.";
            return Err(ApiError::invalid_value("session.type", message));
        }
        if update.get("model").is_some_and(|model| model != self.model.name) {
            return Err(ApiError::invalid_value("session.model", "The model cannot be changed during a session."));
        }
        check_voice(&update["audio"]["output"], spoken, "session.audio.output.voice")?;
        if update
            .get("tracing")
            .is_some_and(|tracing| !self.session["tracing"].is_null() && tracing != &self.session["tracing"])
        {
            let message = "Tracing cannot be changed once it is switched on.";
            return Err(ApiError::invalid_value("session.tracing", message));
        }
        self.check_reasoning(update, "session")?;
        check_transcription(&update["audio"]["input"]["transcription"])
    }

    /// The error does not always name the client's event; here it never does.
    fn check_reasoning(&self, object: &Value, path: &str) -> Result<(), ApiError> {
        match ["reasoning", "parallel_tool_calls"].iter().find(|name| object.get(*name).is_some()) {
            Some(name) if !self.model.reasoning => {
                let message = format!("Unsupported option for this model: '{path}.{name}'.");
                Err(ApiError::invalid_value(&format!("{path}.{name}"), message).without_event_id())
            }
            _ => Ok(()),
        }
    }

    /// The configuration of a response whose shape has been checked.
    pub(super) fn for_response(&self, response: &Value, spoken: bool) -> Result<ResponseConfig, ApiError> {
        check_voice(&response["audio"]["output"], spoken, "response.audio.output.voice")?;
        self.check_reasoning(response, "response")?;
        let own_or_sessions = |pointer: &str| {
            response.pointer(pointer).or_else(|| self.session.pointer(pointer)).cloned().unwrap_or(Value::Null)
        };
        let format_json = own_or_sessions("/audio/output/format");
        Ok(ResponseConfig {
            in_conversation: response["conversation"] != "none",
            speaks: own_or_sessions("/output_modalities")[0] == "audio",
            format: format(&format_json),
            format_json,
            voice: own_or_sessions("/audio/output/voice"),
            max_output_tokens: own_or_sessions("/max_output_tokens"),
            metadata: response["metadata"].clone(),
            instructions: response["instructions"].as_str().map(str::to_owned),
            input: response["input"].as_array().cloned(),
            reasoning: self.model.reasoning,
            tools: response["tool_choice"] != "none" && response["tools"] != json!([]),
        })
    }

    pub(super) fn input_format(&self) -> AudioFormat {
        format(&self.session["audio"]["input"]["format"])
    }

    pub(super) fn turn_detection(&self) -> Option<TurnDetection> {
        let turns = self.session["audio"]["input"]["turn_detection"].as_object()?;
        let flag = |name: &str| turns[name].as_bool().unwrap_or(true);
        let number = |name: &str| turns.get(name).and_then(Value::as_u64);
        let silence_ms = match turns.get("eagerness").and_then(Value::as_str) {
            // A model that judges whether a thought is finished cannot be had here; its patience can.
            Some("low") => 1_500,
            Some("high") => 400,
            Some(_) => 800,
            None => u32::try_from(number("silence_duration_ms").unwrap_or(500)).unwrap_or(u32::MAX),
        };
        Some(TurnDetection {
            threshold: turns.get("threshold").and_then(Value::as_f64).unwrap_or(0.5),
            prefix_padding_ms: number("prefix_padding_ms").unwrap_or(300),
            silence_ms,
            idle_timeout: number("idle_timeout_ms").map(Duration::from_millis),
            create_response: flag("create_response"),
            interrupt_response: flag("interrupt_response"),
        })
    }

    /// The model that writes down what the caller says, when one does.
    pub(super) fn transcription(&self) -> Option<String> {
        let transcription = self.session["audio"]["input"]["transcription"].as_object()?;
        Some(transcription.get("model").and_then(Value::as_str).unwrap_or("gpt-transcribe").to_owned())
    }

    /// Tokens of instructions and tools, which begin every context.
    pub(super) fn text_tokens(&self, instructions: Option<&str>) -> u64 {
        let own = self.session["instructions"].as_str().unwrap_or_default();
        let tools = &self.session["tools"];
        let tools =
            if tools.as_array().is_some_and(Vec::is_empty) { 0 } else { usage::text_tokens(&tools.to_string()) };
        usage::text_tokens(instructions.unwrap_or(own)) + tools
    }
}

/// The format an object of the wire stands for.
fn format(json: &Value) -> AudioFormat {
    match json["type"].as_str() {
        Some("audio/pcmu") => AudioFormat::MuLaw,
        Some("audio/pcma") => AudioFormat::ALaw,
        _ => AudioFormat::Pcm16(SampleRate::Hz24000),
    }
}

/// Once audio has gone out, a voice must not even be repeated.
fn check_voice(output: &Value, spoken: bool, path: &str) -> Result<(), ApiError> {
    if spoken && output.get("voice").is_some() {
        return Err(ApiError::invalid("cannot_update_voice", "The voice cannot be changed now.").with_param(path));
    }
    Ok(())
}

/// An update replaces turn detection as a whole; what it leaves out falls back to the documented defaults.
fn fill_turn_detection(turns: &mut Value) {
    let Some(members) = turns.as_object_mut() else { return };
    let defaults = match members["type"].as_str() {
        Some("semantic_vad") => json!({"eagerness": "auto", "create_response": true, "interrupt_response": true}),
        _ => json!({
            "threshold": 0.5,
            "prefix_padding_ms": 300,
            "silence_duration_ms": 500,
            "idle_timeout_ms": null,
            "create_response": true,
            "interrupt_response": true
        }),
    };
    let defaults: Map<String, Value> = defaults.as_object().cloned().unwrap_or_default();
    for (name, value) in defaults {
        members.entry(name).or_insert(value);
    }
}

/// Which hints a transcription takes depends on its model.
fn check_transcription(transcription: &Value) -> Result<(), ApiError> {
    let Some(members) = transcription.as_object() else { return Ok(()) };
    let model = members.get("model").and_then(Value::as_str).unwrap_or("gpt-transcribe");
    let takes = |hint: &str| match hint {
        "languages" | "keywords" => matches!(model, "gpt-transcribe" | "gpt-live-transcribe"),
        "delay" => model == "gpt-realtime-whisper",
        "prompt" => !matches!(model, "gpt-realtime-whisper" | "gpt-4o-transcribe-diarize"),
        _ => true,
    };
    match members.keys().find(|hint| !takes(hint)) {
        Some(hint) => {
            let path = format!("session.audio.input.transcription.{hint}");
            let message = format!("Unsupported parameter for the transcription model '{model}': '{hint}'.");
            Err(ApiError::invalid_value(&path, message))
        }
        None => Ok(()),
    }
}
