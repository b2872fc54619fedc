//! The provider's events as a session tells them.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::StreamExt;
use realtime_bridge::realtime::{
    ErrorClass, ItemId, ItemKind, RealtimeEvent, RequestId, ResponseStatus, SessionError, ToolCall, classify,
    openai::OpenAiSession,
};
use serde_json::{Value, json};

use super::server::{Peer, session};

/// What a session makes of the events of a server, one for one.
async fn events_for(events: &[Value]) -> Vec<RealtimeEvent> {
    let (mut session, mut peer) = session().await;
    let mut told = Vec::new();
    for event in events {
        peer.send(event.clone()).await;
        told.push(session.next().await.unwrap().unwrap());
    }
    told
}

fn example(name: &str) -> Value {
    let examples: Value = serde_json::from_str(super::wire::EXAMPLES).unwrap();
    examples[name].clone()
}

async fn event_for(name: &str) -> RealtimeEvent {
    events_for(&[example(name)]).await.remove(0)
}

async fn next(session: &mut OpenAiSession, peer: &mut Peer, text: &str) -> RealtimeEvent {
    peer.send_text(text.to_owned()).await;
    session.next().await.unwrap().unwrap()
}

/// One delta of audio, written in the ways that services write it.
#[tokio::test]
async fn audio_is_told_however_it_is_written() {
    let (mut session, mut peer) = session().await;
    let audio = STANDARD.encode([0x7F; 800]);
    let in_order = format!(
        r#"{{"type":"response.output_audio.delta","event_id":"e","response_id":"r","item_id":"i","output_index":0,"content_index":0,"delta":"{audio}"}}"#
    );
    let spaced = in_order.replace(':', ": ").replace(',', ", ");
    let last_first = format!(
        r#"{{"delta":"{audio}","content_index":0,"output_index":0,"item_id":"i","response_id":"r","event_id":"e","type":"response.output_audio.delta"}}"#
    );
    let escaped = in_order.replace('/', r"\/").replace(r#""r""#, r#""\u0072""#);
    let with_more = in_order.replace(r#""event_id":"e""#, r#""event_id":null,"new":{"a":[1,"}"]}"#);
    for text in [in_order, spaced, last_first, escaped, with_more] {
        match next(&mut session, &mut peer, &text).await {
            RealtimeEvent::Audio { response, item, content_index, frame } => {
                assert_eq!((response.as_str(), item.as_str(), content_index), ("r", "i", 0));
                assert_eq!(frame.duration(), Duration::from_millis(100));
                assert_eq!(frame.to_raw(), [0x7F; 800][..]);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn names_change_from_answer_to_answer() {
    let delta = |response: &str, item: &str| {
        json!({
            "type": "response.output_audio.delta", "response_id": response, "item_id": item, "content_index": 0,
            "output_index": 0, "delta": ""
        })
    };
    let told = events_for(&[delta("r1", "i1"), delta("r1", "i2"), delta("r2", "i3"), delta("r1", "i1")]).await;
    let names: Vec<(String, String)> = told
        .iter()
        .map(|event| match event {
            RealtimeEvent::Audio { response, item, .. } => (response.to_string(), item.to_string()),
            other => panic!("{other:?}"),
        })
        .collect();
    let expected = [("r1", "i1"), ("r1", "i2"), ("r2", "i3"), ("r1", "i1")];
    assert_eq!(names, expected.map(|(response, item)| (response.to_owned(), item.to_owned())));
}

#[tokio::test]
async fn audio_that_is_not_base64_ends_the_session() {
    for delta in ["####", "abc", "ab=c"] {
        let (mut session, mut peer) = session().await;
        peer.send(json!({
            "type": "response.output_audio.delta", "response_id": "r", "item_id": "i", "delta": delta
        }))
        .await;
        let error = session.next().await.unwrap().unwrap_err();
        assert!(
            matches!(&error, SessionError::Malformed { event, .. } if event == "response.output_audio.delta"),
            "{error:?}"
        );
        assert!(session.next().await.is_none());
    }
}

#[tokio::test]
async fn words_of_both_sides() {
    assert!(matches!(
        event_for("server.response.output_audio_transcript.delta").await,
        RealtimeEvent::TranscriptDelta { delta, item, .. } if delta == "Hello, how can I a" && item.as_str() == "msg_008"
    ));
    let escaped = json!({
        "type": "response.output_audio_transcript.delta", "response_id": "r", "item_id": "i", "delta": "line\n\"two\""
    });
    assert!(matches!(
        events_for(&[escaped]).await.remove(0),
        RealtimeEvent::TranscriptDelta { delta, .. } if delta == "line\n\"two\""
    ));
    assert!(matches!(
        event_for("server.response.output_audio_transcript.done").await,
        RealtimeEvent::Transcript { text, .. } if text == "Hello, how can I assist you today?"
    ));
    assert!(matches!(
        event_for("server.conversation.item.input_audio_transcription.delta").await,
        RealtimeEvent::UserTranscriptDelta { .. }
    ));
    assert!(matches!(
        event_for("server.conversation.item.input_audio_transcription.completed").await,
        RealtimeEvent::UserTranscript { text, .. } if text == "Hey, can you hear me?"
    ));
    assert!(matches!(
        event_for("server.conversation.item.input_audio_transcription.failed").await,
        RealtimeEvent::UserTranscriptFailed { error, .. } if error.code.as_deref() == Some("audio_unintelligible")
    ));
}

#[tokio::test]
async fn a_turn_of_the_caller() {
    let told = events_for(&[
        json!({"type": "input_audio_buffer.speech_started", "audio_start_ms": 1000, "item_id": "u"}),
        json!({"type": "input_audio_buffer.speech_stopped", "audio_end_ms": 2500, "item_id": "u"}),
        json!({"type": "input_audio_buffer.committed", "item_id": "u", "previous_item_id": "a"}),
        json!({"type": "conversation.item.added", "previous_item_id": "a", "item": {
            "type": "message", "id": "u", "role": "user", "content": [{"type": "input_audio", "transcript": null}]
        }}),
    ])
    .await;
    let u = ItemId::from("u");
    assert!(matches!(&told[0], RealtimeEvent::SpeechStarted { item: Some(item), audio_start }
        if *item == u && *audio_start == Duration::from_secs(1)));
    assert!(matches!(&told[1], RealtimeEvent::SpeechStopped { item: Some(item), audio_end }
        if *item == u && *audio_end == Duration::from_millis(2_500)));
    assert!(matches!(&told[2], RealtimeEvent::TurnCommitted { item, previous: Some(_) } if *item == u));
    assert!(
        matches!(&told[3], RealtimeEvent::ItemAdded { item, previous: Some(_), kind: ItemKind::User } if *item == u)
    );
}

#[tokio::test]
async fn answers_carry_back_what_asked_for_them() {
    let created = |metadata: Value| {
        json!({"type": "response.created", "response": {
            "id": "r", "status": "in_progress", "conversation_id": "c", "metadata": metadata
        }})
    };
    let told = events_for(&[
        created(json!({"client_event_id": "req_5"})),
        created(json!({"client_event_id": "somebody else's"})),
        created(Value::Null),
    ])
    .await;
    let requests: Vec<Option<RequestId>> = told
        .iter()
        .map(|event| match event {
            RealtimeEvent::ResponseStarted { request, .. } => *request,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(requests, [Some(RequestId(5)), None, None]);
}

#[tokio::test]
async fn answers_end_in_every_way() {
    let status = async |name: &str| match event_for(name).await {
        RealtimeEvent::ResponseDone(outcome) => outcome.status,
        other => panic!("{other:?}"),
    };
    assert_eq!(status("server.response.done").await, ResponseStatus::Completed);
    assert_eq!(status("server.response.done.cancelled-turn-detected").await, ResponseStatus::Interrupted);
    assert_eq!(status("server.response.done.cancelled-by-client").await, ResponseStatus::Cancelled);
    for reason in ["max_output_tokens", "content_filter"] {
        let name = format!("server.response.done.incomplete-{}", reason.replace('_', "-"));
        assert_eq!(status(&name).await, ResponseStatus::Incomplete { reason: reason.into() });
    }
    for (name, class) in [
        ("server.response.done.failed-rate-limit", ErrorClass::Retry),
        ("server.response.done.failed-server-error", ErrorClass::Retry),
        ("server.response.done.failed-quota", ErrorClass::Fatal),
    ] {
        let ResponseStatus::Failed(error) = status(name).await else { panic!("{name}") };
        assert_eq!(classify(&error), class, "{name}");
    }
    let future =
        json!({"type": "response.done", "response": {"id": "r", "status": "postponed", "conversation_id": "c"}});
    let RealtimeEvent::ResponseDone(outcome) = events_for(&[future]).await.remove(0) else { panic!("not done") };
    assert_eq!(outcome.status, ResponseStatus::Incomplete { reason: "postponed".into() });
}

#[tokio::test]
async fn usage_is_counted_by_kind() {
    let RealtimeEvent::ResponseDone(outcome) = event_for("server.response.done").await else { panic!("not done") };
    let usage = outcome.usage.unwrap();
    assert_eq!((usage.input, usage.input_audio, usage.cached), (132, 13, 64));
    assert_eq!((usage.output, usage.output_audio), (121, 91));
}

#[tokio::test]
async fn a_tool_call_is_complete_only_when_answer_and_call_are() {
    let calls = async |response: &str, call: Value| {
        let done = json!({"type": "response.done", "response": {"id": "r", "status": response, "conversation_id": "c",
        "output": [
            {"type": "message", "id": "i0", "role": "assistant", "content": []},
            {"type": "function_call", "id": "i1", "status": call, "call_id": "call_1", "name": "f", "arguments": "{"},
        ]}});
        match events_for(&[done]).await.remove(0) {
            RealtimeEvent::ResponseDone(outcome) => outcome.calls,
            other => panic!("{other:?}"),
        }
    };
    let whole = ToolCall::new("call_1", "i1", "f", "{");
    let mut cut = whole.clone();
    cut.complete = false;
    assert_eq!(calls("completed", json!("completed")).await, std::slice::from_ref(&whole));
    assert_eq!(calls("completed", Value::Null).await, [whole]);
    assert_eq!(calls("completed", json!("incomplete")).await, std::slice::from_ref(&cut));
    assert_eq!(calls("cancelled", json!("completed")).await, std::slice::from_ref(&cut));
    assert_eq!(calls("incomplete", json!("incomplete")).await, [cut]);

    let RealtimeEvent::ResponseDone(outcome) = event_for("server.response.done.parallel-function-calls").await else {
        panic!("not done")
    };
    assert_eq!(outcome.calls.len(), 2);
    assert!(outcome.calls.iter().all(|call| call.complete));
}

#[tokio::test]
async fn answers_beside_the_conversation_are_not_its_answers() {
    let response = |kind: &str, id: &str, conversation: Value| json!({"type": kind, "response": {"id": id, "status": "completed", "conversation_id": conversation}});
    let delta =
        |id: &str| json!({"type": "response.output_audio.delta", "response_id": id, "item_id": "i", "delta": ""});
    let told = events_for(&[
        response("response.created", "main", json!("c")),
        response("response.created", "aside", Value::Null),
        delta("main"),
        delta("aside"),
        json!({"type": "response.output_audio_transcript.delta", "response_id": "aside", "item_id": "i", "delta": "x"}),
        response("response.done", "aside", Value::Null),
        delta("main"),
        response("response.done", "main", json!("c")),
        // A service that does not tell the conversation has one.
        json!({"type": "response.created", "response": {"id": "r", "status": "in_progress"}}),
    ])
    .await;
    let aside: Vec<bool> = told.iter().map(|event| matches!(event, RealtimeEvent::Other { .. })).collect();
    assert_eq!(aside, [false, true, false, true, true, true, false, false, false]);
}

#[tokio::test]
async fn errors_name_the_request() {
    let error = |event_id: Value| {
        json!({"type": "error", "error": {
            "type": "invalid_request_error", "code": "invalid_value", "message": "No.", "param": "audio_end_ms",
            "event_id": event_id
        }})
    };
    let told = events_for(&[error(json!("req_3")), error(Value::Null), error(json!("event_7"))]).await;
    let requests: Vec<Option<RequestId>> = told
        .iter()
        .map(|event| match event {
            RealtimeEvent::Error(error) => {
                assert_eq!((error.kind.as_str(), error.message.as_str()), ("invalid_request_error", "No."));
                assert_eq!(
                    (error.code.as_deref(), error.param.as_deref()),
                    (Some("invalid_value"), Some("audio_end_ms"))
                );
                error.request
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(requests, [Some(RequestId(3)), None, None]);
}

#[tokio::test]
async fn the_rest() {
    assert!(matches!(
        event_for("server.conversation.item.truncated").await,
        RealtimeEvent::Truncated { audio_end, .. } if audio_end == Duration::from_millis(1_500)
    ));
    assert!(matches!(
        event_for("server.input_audio_buffer.dtmf_event_received").await,
        RealtimeEvent::Dtmf(digit) if digit.as_char() == '9'
    ));
    assert!(matches!(event_for("server.output_audio_buffer.started").await, RealtimeEvent::Playback { .. }));
    assert!(matches!(
        event_for("server.rate_limits.updated").await,
        RealtimeEvent::RateLimits(limits)
            if limits.len() == 2 && limits[1].remaining == 49_950 && limits[1].reset == Duration::from_secs(60)
    ));
    assert!(matches!(event_for("server.response.output_audio.done").await, RealtimeEvent::AudioDone { .. }));
    let odd_key = json!({"type": "input_audio_buffer.dtmf_event_received", "event": "12"});
    assert!(matches!(events_for(&[odd_key]).await.remove(0), RealtimeEvent::Other { .. }));
    let unknown = json!({"type": "response.of_next_year", "b": 1, "a": [null]});
    match events_for(std::slice::from_ref(&unknown)).await.remove(0) {
        RealtimeEvent::Other { kind, json } => {
            assert_eq!(kind, "response.of_next_year");
            assert_eq!(json.get(), unknown.to_string());
        }
        other => panic!("{other:?}"),
    }
}

/// Every event of three whole conversations and every other example is told, none ends the session.
#[tokio::test]
async fn every_example_is_told() {
    let examples: serde_json::Map<String, Value> = serde_json::from_str(super::wire::EXAMPLES).unwrap();
    let events: Vec<Value> =
        examples.into_iter().filter(|(name, _)| name.starts_with("server.")).map(|(_, event)| event).collect();
    assert_eq!(events_for(&events).await.len(), events.len());
}

/// The example of the reference, as if we had asked for it by this request.
fn asked_aside(request: &str) -> Value {
    let mut done = example("server.response.done.out-of-band-text");
    done["response"]["metadata"] = json!({"client_event_id": request});
    done
}

#[tokio::test]
async fn text_beside_the_conversation_comes_back_to_its_request_and_is_no_answer() {
    let done = asked_aside("req_9");
    let mut created = done.clone();
    created["type"] = json!("response.created");
    created["response"]["status"] = json!("in_progress");
    let delta = |response: &str| {
        json!({"type": "response.output_text.delta", "response_id": response, "item_id": "item_B3", "output_index": 0,
            "content_index": 0, "delta": "Caller"})
    };
    let mut failed = done.clone();
    failed["response"]["status"] = json!("failed");
    failed["response"]["status_details"] = json!({"type": "failed", "error": {"type": "server_error", "code": "down"}});
    let mut cut = done.clone();
    cut["response"]["status"] = json!("incomplete");
    cut["response"]["status_details"] = json!({"type": "incomplete", "reason": "max_output_tokens"});
    let theirs = example("server.response.done.out-of-band-text");
    let events = [created, delta("resp_B3"), delta("resp_other"), done, delta("resp_B3"), failed, cut, theirs];
    let told = events_for(&events).await;
    let short: Vec<_> = told.iter().map(short_aside).collect();
    assert_eq!(
        short,
        [
            "other response.created",
            "9 Caller",
            "other response.output_text.delta",
            "9 ok Caller asked about order 417. 212",
            "other response.output_text.delta",
            "9 down 212",
            "9 max_output_tokens 212",
            "other response.done",
        ]
    );
}

fn short_aside(event: &RealtimeEvent) -> String {
    match event {
        RealtimeEvent::AsideDelta { request, delta } => format!("{} {delta}", request.0),
        RealtimeEvent::Aside { request, result, usage } => {
            let usage = usage.unwrap();
            let result = match result {
                Ok(text) => format!("ok {text}"),
                Err(error) => error.code.clone().unwrap(),
            };
            format!("{} {result} {}", request.0, usage.input + usage.output)
        }
        RealtimeEvent::Other { kind, .. } => format!("other {kind}"),
        other => panic!("{other:?}"),
    }
}
