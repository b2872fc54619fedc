//! Each of our commands as the server sees it.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::SinkExt;
use realtime_bridge::{
    audio::{AudioFormat, AudioFrame},
    realtime::{
        NewItem, RealtimeCommand, RequestId, ResponseOptions, SessionError, SessionUpdate, ToolCallId, ToolSpec,
    },
};
use serde_json::{Value, json};

use super::{
    server::session,
    wire::{CLIENT, assert_valid},
};

async fn check(command: RealtimeCommand, expected: Value) {
    let (mut session, mut peer) = session().await;
    session.send(command).await.unwrap();
    let event = peer.recv().await.unwrap();
    assert_valid(&CLIENT, &event);
    assert_eq!(event, expected);
}

#[tokio::test]
async fn audio_goes_out_as_it_came() {
    let bytes: Vec<u8> = (0..160).collect();
    let text = STANDARD.encode(&bytes);
    let expected = json!({"type": "input_audio_buffer.append", "audio": text});
    let encoded = AudioFrame::base64(AudioFormat::MuLaw, text.clone()).unwrap();
    check(RealtimeCommand::Append(encoded), expected.clone()).await;
    check(RealtimeCommand::Append(AudioFrame::raw(AudioFormat::MuLaw, bytes)), expected).await;
}

#[tokio::test]
async fn audio_in_another_format_is_refused_and_the_session_lives() {
    let (mut session, mut peer) = session().await;
    let frame = AudioFrame::silence(AudioFormat::ALaw, Duration::from_millis(20));
    let error = session.send(RealtimeCommand::Append(frame)).await.unwrap_err();
    assert!(
        matches!(error, SessionError::WrongFormat { expected: AudioFormat::MuLaw, got: AudioFormat::ALaw }),
        "{error:?}"
    );
    session.send(RealtimeCommand::ClearInput).await.unwrap();
    assert_eq!(peer.recv().await.unwrap()["type"], "input_audio_buffer.clear");
}

#[tokio::test]
async fn turns_of_our_own() {
    check(RealtimeCommand::Commit, json!({"type": "input_audio_buffer.commit"})).await;
    check(RealtimeCommand::ClearInput, json!({"type": "input_audio_buffer.clear"})).await;
}

#[tokio::test]
async fn answers_are_asked_for_and_stopped_by_name() {
    let request = RequestId(7);
    let respond = |options| RealtimeCommand::Respond { request, options };
    check(
        respond(ResponseOptions::default()),
        json!({"type": "response.create", "event_id": "req_7", "response": {"metadata": {"client_event_id": "req_7"}}}),
    )
    .await;
    check(
        respond(ResponseOptions::default().with_instructions("Greet.").without_tools()),
        json!({"type": "response.create", "event_id": "req_7", "response": {
            "instructions": "Greet.", "tool_choice": "none", "metadata": {"client_event_id": "req_7"}
        }}),
    )
    .await;
    let cancel = |response| RealtimeCommand::Cancel { request, response };
    check(cancel(None), json!({"type": "response.cancel", "event_id": "req_7"})).await;
    check(
        cancel(Some("resp_1".into())),
        json!({"type": "response.cancel", "event_id": "req_7", "response_id": "resp_1"}),
    )
    .await;
}

#[tokio::test]
async fn text_is_asked_for_beside_the_conversation() {
    let aside = RealtimeCommand::Aside {
        request: RequestId(7),
        instructions: "Sum up.".into(),
        text: "caller: A table for two, please.".into(),
    };
    check(
        aside,
        json!({"type": "response.create", "event_id": "req_7", "response": {
            "instructions": "Sum up.", "tools": [], "conversation": "none", "output_modalities": ["text"],
            "metadata": {"client_event_id": "req_7"},
            "input": [{"type": "message", "role": "user", "content": [
                {"type": "input_text", "text": "caller: A table for two, please."}
            ]}]
        }}),
    )
    .await;
}

#[tokio::test]
async fn a_cut_is_told_in_whole_milliseconds() {
    let heard = Duration::from_micros(1_999_999);
    check(
        RealtimeCommand::Truncate { request: RequestId(8), item: "item_1".into(), content_index: 2, heard },
        json!({
            "type": "conversation.item.truncate", "event_id": "req_8", "item_id": "item_1", "content_index": 2,
            "audio_end_ms": 1999
        }),
    )
    .await;
}

#[tokio::test]
async fn entries_of_every_kind_can_be_added() {
    let call = ToolCallId::from("call_1");
    let output = r#"{"free":["10:00"]}"#;
    for (item, expected) in [
        (
            NewItem::System("The caller pressed 1.".into()),
            json!({"type": "message", "role": "system", "content": [{"type": "input_text", "text": "The caller pressed 1."}]}),
        ),
        (
            NewItem::User("1".into()),
            json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": "1"}]}),
        ),
        (
            NewItem::Assistant("Hello.".into()),
            json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello."}]}),
        ),
        (
            NewItem::ToolCall { call: call.clone(), name: "free".into(), arguments: "{}".into() },
            json!({"type": "function_call", "call_id": "call_1", "name": "free", "arguments": "{}"}),
        ),
        (
            NewItem::ToolOutput { call, output: output.into() },
            json!({"type": "function_call_output", "call_id": "call_1", "output": output}),
        ),
    ] {
        let command = RealtimeCommand::AddItem { request: RequestId(9), item };
        check(command, json!({"type": "conversation.item.create", "event_id": "req_9", "item": expected})).await;
    }
}

#[tokio::test]
async fn an_update_leaves_alone_what_it_does_not_name() {
    let request = RequestId(10);
    let update = SessionUpdate::default().with_instructions("Say goodbye.");
    check(
        RealtimeCommand::Update { request, update },
        json!({
            "type": "session.update", "event_id": "req_10",
            "session": {"type": "realtime", "instructions": "Say goodbye."}
        }),
    )
    .await;
    let update = SessionUpdate::default().with_tools(vec![ToolSpec::new("bye", "", Value::Null)]);
    check(
        RealtimeCommand::Update { request, update },
        json!({
            "type": "session.update", "event_id": "req_10",
            "session": {"type": "realtime", "tools": [{"type": "function", "name": "bye"}]}
        }),
    )
    .await;
}
