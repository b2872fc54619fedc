//! The shapes of the eleven client events.
//!
//! OpenAI: Realtime API reference, client events, session object, conversation items.

use serde_json::Value;

use super::shape::{
    Field,
    Shape::{self, Any, Either, Flag, Int, List, Map, Null, Number, Object, Tagged, Text, Word},
    may, must,
};
use crate::openai::ApiError;

/// Characters an `event_id` may have.
const EVENT_ID_MAX: usize = 512;
/// Characters an item id may have. The provider does not document the limit; 32 is what clients keep to.
const ITEM_ID_MAX: usize = 32;
const LONG: usize = 1 << 20;
/// Characters of base64 that 15 MiB of audio take, the most one append may carry.
const AUDIO_MAX: usize = 15 * 1024 * 1024 / 3 * 4;

const EVENT_ID: Field = may("event_id", Text(EVENT_ID_MAX));

/// Checks an event and gives its type.
///
/// # Errors
///
/// What the provider would answer: `invalid_event`, `invalid_value` for an unknown type, or a code that fits the
/// member at fault.
pub(super) fn check(event: &Value) -> Result<&'static str, ApiError> {
    let Value::Object(members) = event else {
        return Err(ApiError::invalid("invalid_event", "The event must be a JSON object."));
    };
    let kind = match members.get("type") {
        Some(Value::String(kind)) => kind,
        Some(_) => return Err(ApiError::invalid("invalid_event", "The 'type' field must be a string.")),
        None => return Err(ApiError::invalid("invalid_event", "The 'type' field is missing.")),
    };
    let Some((name, _)) = EVENTS.iter().find(|(name, _)| name == kind) else {
        let names: Vec<&str> = EVENTS.iter().map(|(name, _)| *name).collect();
        return Err(ApiError::not_one_of("type", kind, &names));
    };
    Tagged("type", EVENTS).check("", event)?;
    Ok(name)
}

/// Checks a session that is no part of an event, such as the one that accepts a call.
///
/// # Errors
///
/// As [`check`].
pub(super) fn check_session(session: &Value) -> Result<(), ApiError> {
    SESSION.check("session", session)
}

const EVENTS: &[(&str, &[Field])] = &[
    ("session.update", &[EVENT_ID, must("session", SESSION)]),
    ("input_audio_buffer.append", &[EVENT_ID, must("audio", Text(AUDIO_MAX))]),
    ("input_audio_buffer.commit", &[EVENT_ID]),
    ("input_audio_buffer.clear", &[EVENT_ID]),
    ("conversation.item.create", &[EVENT_ID, may("previous_item_id", ID_OR_NULL), must("item", ITEM)]),
    ("conversation.item.retrieve", &[EVENT_ID, must("item_id", Text(LONG))]),
    (
        "conversation.item.truncate",
        &[
            EVENT_ID,
            must("item_id", Text(LONG)),
            must("content_index", Int(0, i64::MAX)),
            must("audio_end_ms", Int(0, i64::MAX)),
        ],
    ),
    ("conversation.item.delete", &[EVENT_ID, must("item_id", Text(LONG))]),
    ("response.create", &[EVENT_ID, may("response", RESPONSE)]),
    ("response.cancel", &[EVENT_ID, may("response_id", Text(LONG))]),
    ("output_audio_buffer.clear", &[EVENT_ID]),
];

const ID_OR_NULL: Shape = Either(&[Text(LONG), Null]);

const FORMAT: Shape =
    Tagged("type", &[("audio/pcm", &[must("rate", Int(24_000, 24_000))]), ("audio/pcmu", &[]), ("audio/pcma", &[])]);

const MODALITIES: Shape = List(&Word(&["audio", "text"]), 1);

const VOICES: &[&str] = &["alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar"];
const VOICE: Shape = Either(&[Word(VOICES), Object(&[must("id", Text(LONG))])]);

const TRANSCRIPTION: Shape = Object(&[
    may(
        "model",
        Word(&[
            "gpt-transcribe",
            "gpt-live-transcribe",
            "gpt-realtime-whisper",
            "gpt-4o-transcribe",
            "gpt-4o-mini-transcribe",
            "gpt-4o-mini-transcribe-2025-12-15",
            "gpt-4o-transcribe-diarize",
            "whisper-1",
        ]),
    ),
    may("language", Text(16)),
    may("languages", List(&Text(16), 100)),
    may("keywords", List(&Text(LONG), 1_000)),
    may("prompt", Text(LONG)),
    may("delay", Word(&["minimal", "low", "medium", "high", "xhigh"])),
]);

const NOISE_REDUCTION: Shape =
    Object(&[must("type", Word(&["near_field", "far_field"])), may("strength", Number(0.0, f64::MAX))]);

const TURN_DETECTION: Shape = Tagged(
    "type",
    &[
        (
            "server_vad",
            &[
                may("threshold", Number(0.0, 1.0)),
                may("prefix_padding_ms", Int(0, 100_000)),
                may("silence_duration_ms", Int(0, 100_000)),
                may("idle_timeout_ms", Either(&[Int(5_000, 30_000), Null])),
                may("create_response", Flag),
                may("interrupt_response", Flag),
            ],
        ),
        (
            "semantic_vad",
            &[
                may("eagerness", Word(&["low", "medium", "high", "auto"])),
                may("create_response", Flag),
                may("interrupt_response", Flag),
            ],
        ),
    ],
);

const MCP_FILTER: Shape = Object(&[may("tool_names", List(&Text(LONG), 1_000)), may("read_only", Flag)]);

const TOOLS: Shape = List(
    &Tagged(
        "type",
        &[
            (
                "function",
                &[must("name", Text(64)), may("description", Text(LONG)), may("parameters", Map(LONG, LONG, &Any))],
            ),
            (
                "mcp",
                &[
                    must("server_label", Text(LONG)),
                    may("server_url", Text(LONG)),
                    may("connector_id", Text(LONG)),
                    may("tunnel_id", Text(LONG)),
                    may("authorization", Text(LONG)),
                    may("headers", Either(&[Map(LONG, LONG, &Text(LONG)), Null])),
                    may("allowed_tools", Either(&[List(&Text(LONG), 1_000), MCP_FILTER, Null])),
                    may(
                        "require_approval",
                        Either(&[
                            Word(&["always", "never"]),
                            Object(&[may("always", MCP_FILTER), may("never", MCP_FILTER)]),
                            Null,
                        ]),
                    ),
                    may("server_description", Text(LONG)),
                    may("defer_loading", Flag),
                    may("allowed_callers", Either(&[List(&Word(&["direct", "programmatic"]), 2), Null])),
                ],
            ),
        ],
    ),
    1_000,
);

const TOOL_CHOICE: Shape = Either(&[
    Word(&["none", "auto", "required"]),
    Tagged(
        "type",
        &[
            ("function", &[must("name", Text(64))]),
            ("mcp", &[must("server_label", Text(LONG)), may("name", Either(&[Text(LONG), Null]))]),
        ],
    ),
]);

const REASONING: Shape = Object(&[may("effort", Word(&["minimal", "low", "medium", "high", "xhigh"]))]);

const MAX_OUTPUT_TOKENS: Shape = Either(&[Int(1, 4_096), Word(&["inf"])]);

const TRUNCATION: Shape = Either(&[
    Word(&["auto", "disabled"]),
    Tagged(
        "type",
        &[(
            "retention_ratio",
            &[
                must("retention_ratio", Number(0.0, 1.0)),
                may("token_limits", Object(&[may("post_instructions", Int(0, i64::MAX))])),
            ],
        )],
    ),
]);

const TRACING: Shape = Either(&[
    Word(&["auto"]),
    Object(&[may("workflow_name", Text(LONG)), may("group_id", Text(LONG)), may("metadata", Map(LONG, LONG, &Any))]),
    Null,
]);

const PROMPT: Shape = Either(&[
    Object(&[
        must("id", Text(LONG)),
        may("version", Either(&[Text(LONG), Null])),
        may("variables", Either(&[Map(LONG, LONG, &Any), Null])),
    ]),
    Null,
]);

const SESSION: Shape = Tagged(
    "type",
    &[
        (
            "realtime",
            &[
                may("model", Text(LONG)),
                may("output_modalities", MODALITIES),
                may("instructions", Text(LONG)),
                may(
                    "audio",
                    Object(&[
                        may("input", AUDIO_INPUT),
                        may(
                            "output",
                            Object(&[may("format", FORMAT), may("voice", VOICE), may("speed", Number(0.25, 1.5))]),
                        ),
                    ]),
                ),
                may("tools", TOOLS),
                may("tool_choice", TOOL_CHOICE),
                may("parallel_tool_calls", Flag),
                may("reasoning", REASONING),
                may("max_output_tokens", MAX_OUTPUT_TOKENS),
                may("truncation", TRUNCATION),
                may("include", List(&Word(&["item.input_audio_transcription.logprobs"]), 1)),
                may("tracing", TRACING),
                may("prompt", PROMPT),
            ],
        ),
        (
            "transcription",
            &[
                may("audio", Object(&[may("input", AUDIO_INPUT)])),
                may("include", List(&Word(&["item.input_audio_transcription.logprobs"]), 1)),
            ],
        ),
    ],
);

const AUDIO_INPUT: Shape = Object(&[
    may("format", FORMAT),
    may("transcription", Either(&[TRANSCRIPTION, Null])),
    may("noise_reduction", Either(&[NOISE_REDUCTION, Null])),
    may("turn_detection", Either(&[TURN_DETECTION, Null])),
]);

const RESPONSE: Shape = Object(&[
    may("output_modalities", MODALITIES),
    may("instructions", Text(LONG)),
    may("audio", Object(&[may("output", Object(&[may("format", FORMAT), may("voice", VOICE)]))])),
    may("tools", TOOLS),
    may("tool_choice", TOOL_CHOICE),
    may("parallel_tool_calls", Flag),
    may("reasoning", REASONING),
    may("max_output_tokens", MAX_OUTPUT_TOKENS),
    may("conversation", Word(&["auto", "none"])),
    may("metadata", Either(&[Map(16, 64, &Text(512)), Null])),
    may("prompt", PROMPT),
    may("input", List(&INPUT_ITEM, 10_000)),
]);

const ID: Field = may("id", Text(ITEM_ID_MAX));
const OBJECT: Field = may("object", Word(&["realtime.item"]));
const STATUS: Field = may("status", Word(&["completed", "incomplete", "in_progress"]));

/// The content of a message depends on its role as well, which [`super::conversation`] checks.
const MESSAGE: &[Field] = &[
    ID,
    OBJECT,
    STATUS,
    must("role", Word(&["system", "user", "assistant"])),
    must("content", List(&PART, 1_000)),
    may("phase", Either(&[Word(&["commentary", "final_answer"]), Null])),
];

const PART: Shape = Tagged(
    "type",
    &[
        ("input_text", &[must("text", Text(LONG))]),
        ("input_audio", &[must("audio", Text(AUDIO_MAX)), may("transcript", Either(&[Text(LONG), Null]))]),
        ("input_image", &[must("image_url", Text(usize::MAX)), may("detail", Word(&["auto", "low", "high"]))]),
        ("output_text", &[must("text", Text(LONG))]),
        ("output_audio", &[may("audio", ID_OR_NULL), may("transcript", Either(&[Text(LONG), Null]))]),
    ],
);

const FUNCTION_CALL: &[Field] =
    &[ID, OBJECT, STATUS, may("call_id", Text(ITEM_ID_MAX)), must("name", Text(64)), must("arguments", Text(LONG))];

const FUNCTION_CALL_OUTPUT: &[Field] = &[ID, OBJECT, STATUS, must("call_id", Text(LONG)), must("output", Text(LONG))];

const APPROVAL_RESPONSE: &[Field] = &[
    must("id", Text(ITEM_ID_MAX)),
    OBJECT,
    STATUS,
    must("approval_request_id", Text(LONG)),
    must("approve", Flag),
    may("reason", Either(&[Text(LONG), Null])),
];

const ITEM: Shape = Tagged(
    "type",
    &[
        ("message", MESSAGE),
        ("function_call", FUNCTION_CALL),
        ("function_call_output", FUNCTION_CALL_OUTPUT),
        ("mcp_approval_response", APPROVAL_RESPONSE),
    ],
);

/// References to items are allowed in the input of a response only.
const INPUT_ITEM: Shape = Tagged(
    "type",
    &[
        ("message", MESSAGE),
        ("function_call", FUNCTION_CALL),
        ("function_call_output", FUNCTION_CALL_OUTPUT),
        ("mcp_approval_response", APPROVAL_RESPONSE),
        ("item_reference", &[must("id", Text(LONG))]),
    ],
);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn refused(event: &Value, code: &str, param: Option<&str>) {
        let error = check(event).unwrap_err();
        assert_eq!((error.code.as_deref(), error.param.as_deref()), (Some(code), param), "{}", error.message);
    }

    fn update(session: &Value) -> Value {
        json!({"type": "session.update", "session": session})
    }

    #[test]
    fn an_event_without_a_known_type_is_refused() {
        refused(&json!({}), "invalid_event", None);
        refused(&json!([]), "invalid_event", None);
        refused(&json!({"type": 7}), "invalid_event", None);
        refused(&json!({"type": "session.updates"}), "invalid_value", Some("type"));
        refused(&json!({"type": "transcription_session.update", "session": {}}), "invalid_value", Some("type"));
    }

    #[test]
    fn members_of_the_beta_are_unknown() {
        for (member, value) in [
            ("modalities", json!(["audio", "text"])),
            ("voice", json!("alloy")),
            ("input_audio_format", json!("g711_ulaw")),
            ("output_audio_format", json!("g711_ulaw")),
            ("input_audio_transcription", json!({"model": "whisper-1"})),
            ("turn_detection", json!({"type": "server_vad"})),
            ("max_response_output_tokens", json!(100)),
            ("temperature", json!(0.8)),
        ] {
            let path = format!("session.{member}");
            refused(&update(&json!({"type": "realtime", member: value})), "unknown_parameter", Some(&path));
        }
        refused(
            &json!({"type": "response.create", "response": {"modalities": ["audio"]}}),
            "unknown_parameter",
            Some("response.modalities"),
        );
    }

    #[test]
    fn a_session_without_its_type_is_refused() {
        refused(&update(&json!({})), "missing_required_parameter", Some("session.type"));
        refused(&json!({"type": "session.update"}), "missing_required_parameter", Some("session"));
    }

    #[test]
    fn values_out_of_range_are_named_by_their_path() {
        let audio = |side: &str, members: Value| update(&json!({"type": "realtime", "audio": {side: members}}));
        let format = |format: Value| audio("input", json!({"format": format}));
        refused(
            &format(json!({"type": "audio/pcm", "rate": 8000})),
            "integer_below_min_value",
            Some("session.audio.input.format.rate"),
        );
        refused(
            &format(json!({"type": "audio/pcmu", "rate": 8000})),
            "unknown_parameter",
            Some("session.audio.input.format.rate"),
        );
        refused(&format(json!("g711_ulaw")), "invalid_type", Some("session.audio.input.format"));
        refused(&audio("output", json!({"speed": 1.6})), "decimal_above_max_value", Some("session.audio.output.speed"));
        refused(&audio("output", json!({"voice": "nobody"})), "invalid_value", Some("session.audio.output.voice"));
        let turns = |members: Value| audio("input", json!({"turn_detection": members}));
        let path = |member: &str| format!("session.audio.input.turn_detection.{member}");
        refused(
            &turns(json!({"type": "server_vad", "threshold": 1.2})),
            "decimal_above_max_value",
            Some(&path("threshold")),
        );
        refused(
            &turns(json!({"type": "server_vad", "idle_timeout_ms": 4999})),
            "integer_below_min_value",
            Some(&path("idle_timeout_ms")),
        );
        refused(
            &turns(json!({"type": "server_vad", "silence_duration_ms": 500.5})),
            "invalid_type",
            Some(&path("silence_duration_ms")),
        );
        refused(
            &turns(json!({"type": "semantic_vad", "idle_timeout_ms": 6000})),
            "unknown_parameter",
            Some(&path("idle_timeout_ms")),
        );
        refused(&turns(json!({"threshold": 0.5})), "missing_required_parameter", Some(&path("type")));
        refused(
            &update(&json!({"type": "realtime", "max_output_tokens": 5000})),
            "integer_above_max_value",
            Some("session.max_output_tokens"),
        );
        refused(
            &update(&json!({"type": "realtime", "output_modalities": ["audio", "text"]})),
            "array_above_max_length",
            Some("session.output_modalities"),
        );
        refused(
            &update(&json!({"type": "realtime", "tools": [{"type": "function", "name": "a", "strict": true}]})),
            "unknown_parameter",
            Some("session.tools[0].strict"),
        );
    }

    #[test]
    fn an_event_id_has_at_most_512_characters() {
        let event = |length: usize| json!({"type": "input_audio_buffer.clear", "event_id": "あ".repeat(length)});
        assert_eq!(check(&event(512)).unwrap(), "input_audio_buffer.clear");
        refused(&event(513), "string_above_max_length", Some("event_id"));
    }

    #[test]
    fn an_append_holds_at_most_15_mib() {
        let event = |length: usize| json!({"type": "input_audio_buffer.append", "audio": "A".repeat(length)});
        assert!(check(&event(AUDIO_MAX)).is_ok());
        refused(&event(AUDIO_MAX + 4), "string_above_max_length", Some("audio"));
    }

    #[test]
    fn a_response_takes_sixteen_pairs_of_metadata() {
        let pairs = |count: usize| (0..count).map(|at| (at.to_string(), json!("x"))).collect::<serde_json::Map<_, _>>();
        let event = |metadata: Value| json!({"type": "response.create", "response": {"metadata": metadata}});
        assert!(check(&event(pairs(16).into())).is_ok());
        refused(&event(pairs(17).into()), "object_above_max_properties", Some("response.metadata"));
        refused(&event(json!({"a": "x".repeat(513)})), "string_above_max_length", Some("response.metadata.a"));
        refused(&event(json!({"a": 1})), "invalid_type", Some("response.metadata.a"));
    }

    #[test]
    fn a_truncation_needs_whole_milliseconds() {
        let event = |ms: Value| json!({"type": "conversation.item.truncate", "item_id": "i", "content_index": 0, "audio_end_ms": ms});
        assert!(check(&event(json!(1500))).is_ok());
        refused(&event(json!(1500.5)), "invalid_type", Some("audio_end_ms"));
        refused(&event(json!(-1)), "integer_below_min_value", Some("audio_end_ms"));
    }

    #[test]
    fn an_item_reference_is_no_item_to_create() {
        let item = json!({"type": "item_reference", "id": "item_1"});
        refused(&json!({"type": "conversation.item.create", "item": item}), "invalid_value", Some("item.type"));
        assert!(check(&json!({"type": "response.create", "response": {"input": [item]}})).is_ok());
    }
}
