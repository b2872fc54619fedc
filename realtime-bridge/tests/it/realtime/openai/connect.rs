//! Opening a session: what is sent, what is awaited, and every way it fails.

use std::{error::Error, time::Duration};

use realtime_bridge::{
    audio::{AudioFormat, SampleRate},
    realtime::{
        ConnectError, NoiseReduction, RealtimeClient, RealtimeSession, SessionConfig, SessionError, ToolSpec,
        Transcription, TurnDetection, TurnOwner,
        openai::{OpenAiClient, OpenAiConfig},
    },
};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::Message;

use super::{
    server::{Server, connect_error, created, session, updated},
    wire::{CLIENT, assert_valid},
};

/// The update that a configuration becomes, as the server sees it.
async fn update_for(settings: SessionConfig) -> Value {
    let server = Server::bind().await;
    let client = OpenAiClient::new(server.config()).unwrap();
    let far_end = async { server.accept().await.set_up().await };
    let (session, update) = tokio::join!(client.connect(&settings), far_end);
    let session = session.unwrap();
    assert_eq!(session.info().input_format, settings.input_format);
    assert_eq!(session.info().output_format, settings.output_format);
    assert_valid(&CLIENT, &update);
    update["session"].clone()
}

#[tokio::test]
async fn the_upgrade_carries_key_model_and_who_calls() {
    let server = Server::bind().await;
    let config = server
        .config()
        .with_model("gpt-realtime-2.1-mini")
        .with_organization("org_1")
        .with_project("proj_1")
        .with_safety_identifier("caller_hash")
        .with_header("X-Trace", "abc");
    let client = OpenAiClient::new(config).unwrap();
    let settings = SessionConfig::default();
    let answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    let (result, request) = tokio::join!(client.connect(&settings), server.answer_http(answer));
    assert!(matches!(result, Err(ConnectError::Status { status: 404, .. })));
    assert!(request.starts_with("GET /v1/realtime?model=gpt-realtime-2.1-mini HTTP/1.1\r\n"), "{request}");
    let request = request.to_lowercase();
    for header in [
        "authorization: bearer sk-test",
        "openai-organization: org_1",
        "openai-project: proj_1",
        "openai-safety-identifier: caller_hash",
        "x-trace: abc",
        "host: 127.0.0.1:",
        "sec-websocket-version: 13",
    ] {
        assert!(request.contains(header), "{header} in {request}");
    }
    // The beta's header selects shapes that are gone; a browser's origin is not ours to send.
    assert!(!request.contains("openai-beta") && !request.contains("origin:"));
}

#[tokio::test]
async fn the_default_session_is_a_telephone() {
    let expected = json!({
        "type": "realtime",
        "output_modalities": ["audio"],
        "instructions": "",
        "audio": {
            "input": {
                "format": {"type": "audio/pcmu"},
                "transcription": {"model": "gpt-transcribe"},
                "noise_reduction": null,
                "turn_detection": {
                    "type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 500,
                    "create_response": true, "interrupt_response": true
                }
            },
            "output": {"format": {"type": "audio/pcmu"}, "voice": "marin"}
        },
        "tools": []
    });
    assert_eq!(update_for(SessionConfig::default()).await, expected);
}

#[tokio::test]
async fn every_setting_finds_its_place() {
    let parameters = json!({"type": "object", "properties": {"day": {"type": "string"}}});
    let settings = SessionConfig::default()
        .with_instructions("Be brief.")
        .with_voice("voice_1")
        .with_speed(Some(1.1))
        .with_formats(AudioFormat::ALaw, AudioFormat::Pcm16(SampleRate::Hz24000))
        .with_transcription(Some(
            Transcription::default().with_languages(vec!["ja".into()]).with_keywords(vec!["Mizuki".into()]),
        ))
        .with_turn_detection(TurnDetection::semantic_vad().with_owner(TurnOwner::Bridge))
        .with_noise_reduction(Some(NoiseReduction::FarField))
        .with_tools(vec![ToolSpec::new("book", "Books a day.", parameters.clone())])
        .with_max_output_tokens(Some(1_024))
        .with_reasoning_effort(Some("low".into()));
    let expected = json!({
        "type": "realtime",
        "output_modalities": ["audio"],
        "instructions": "Be brief.",
        "audio": {
            "input": {
                "format": {"type": "audio/pcma"},
                "transcription": {"model": "gpt-transcribe", "languages": ["ja"], "keywords": ["Mizuki"]},
                "noise_reduction": {"type": "far_field"},
                "turn_detection": {
                    "type": "semantic_vad", "eagerness": "auto", "create_response": false, "interrupt_response": false
                }
            },
            "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": {"id": "voice_1"}, "speed": 1.1}
        },
        "tools": [{"type": "function", "name": "book", "description": "Books a day.", "parameters": parameters}],
        "reasoning": {"effort": "low"},
        "max_output_tokens": 1024
    });
    assert_eq!(update_for(settings).await, expected);

    let silent = SessionConfig::default().with_turn_detection(TurnDetection::Off).with_transcription(None);
    let input = update_for(silent).await["audio"]["input"].clone();
    assert_eq!(input["turn_detection"], Value::Null);
    assert!(input.as_object().unwrap().contains_key("turn_detection"), "null is off, absent would be on");
    assert_eq!(input["transcription"], Value::Null);
}

#[tokio::test]
async fn settings_that_cannot_work_are_told_before_anything_is_sent() {
    let client = OpenAiClient::new(OpenAiConfig::new("sk-test").with_base_url("http://127.0.0.1:1")).unwrap();
    let whisper = Transcription::default().with_model("whisper-1");
    let settings = SessionConfig::default()
        .with_voice("")
        .with_speed(Some(2.0))
        .with_formats(AudioFormat::Pcm16(SampleRate::Hz16000), AudioFormat::MuLaw)
        .with_max_output_tokens(Some(5_000))
        .with_transcription(Some(whisper.with_languages(vec!["ja".into(), "en".into()])))
        .with_tools(vec![
            ToolSpec::new("two words", "", Value::Null),
            ToolSpec::new("twice", "", Value::Null),
            ToolSpec::new("twice", "", Value::Null),
        ]);
    let Err(ConnectError::Config { problems }) = client.connect(&settings).await else { panic!("not refused") };
    for word in ["voice", "speed", "input_format", "max_output_tokens", "whisper-1", "two words", "twice"] {
        assert!(problems.iter().any(|problem| problem.contains(word)), "{word} in {problems:?}");
    }
}

#[tokio::test]
async fn a_session_knows_what_it_can_do() {
    let (session, _peer) = session().await;
    assert_eq!(session.info().id, "sess_1");
    assert_eq!(session.info().model, "gpt-realtime-2.1");
    assert!(session.capabilities().truncate && session.capabilities().respond);
    assert_eq!(session.capabilities().session_limit, Some(Duration::from_secs(3_600)));
}

#[tokio::test]
async fn http_errors_tell_status_and_when_to_ask_again() {
    for (head, status, retry_after, retryable) in [
        ("401 Unauthorized", 401, None, false),
        ("404 Not Found", 404, None, false),
        ("429 Too Many Requests\r\nRetry-After: 3", 429, Some(3), true),
        ("503 Service Unavailable\r\nretry-after: 1", 503, Some(1), true),
        ("503 Service Unavailable\r\nRetry-After: Wed, 21 Oct 2026 07:28:00 GMT", 503, None, true),
        ("200 OK", 200, None, false),
    ] {
        let server = Server::bind().await;
        let answer = format!("HTTP/1.1 {head}\r\nContent-Length: 2\r\n\r\n{{}}");
        let error = connect_error(server.config(), server.answer_http(&answer)).await;
        let wait = retry_after.map(Duration::from_secs);
        assert!(
            matches!(error, ConnectError::Status { status: s, retry_after: r } if s == status && r == wait),
            "{head}: {error:?}"
        );
        assert_eq!(error.retryable(), retryable, "{head}");
    }
}

#[tokio::test]
async fn a_used_up_quota_is_not_a_rate_limit() {
    let server = Server::bind().await;
    let body = r#"{"error":{"message":"Pay.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#;
    let answer = format!("HTTP/1.1 429 Too Many Requests\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let error = connect_error(server.config(), server.answer_http(&answer)).await;
    assert!(matches!(&error, ConnectError::Refused(e) if e.code.as_deref() == Some("insufficient_quota")), "{error:?}");
    assert!(!error.retryable());
}

#[tokio::test]
async fn a_provider_that_stalls_is_told_by_what_was_missing() {
    let [tcp, upgraded, created_only] = [Server::bind().await, Server::bind().await, Server::bind().await];
    let limit = Duration::from_secs(5);
    let config = |server: &Server| server.config().with_connect_timeout(limit);
    let check = |error: ConnectError, missing: &str| {
        assert!(
            matches!(error, ConnectError::Timeout { limit: l, waiting_for } if l == limit && waiting_for == missing),
            "{error:?}"
        );
        assert!(error.retryable());
    };
    let no_update = async {
        let mut peer = created_only.accept().await;
        peer.send(created()).await;
        assert_eq!(peer.recv().await.unwrap()["type"], "session.update");
        // Other events do not pass for the answer.
        peer.send(json!({"type": "rate_limits.updated", "rate_limits": []})).await;
        peer.send(created()).await;
        peer
    };
    let (no_upgrade, nothing, no_update) = tokio::join!(
        connect_error(config(&tcp), tcp.accept_tcp()),
        connect_error(config(&upgraded), upgraded.accept()),
        connect_error(config(&created_only), no_update)
    );
    check(no_upgrade, "the WebSocket upgrade");
    check(nothing, "session.created");
    check(no_update, "session.updated");
}

#[tokio::test]
async fn nobody_at_the_door_is_a_transport_error() {
    let config = {
        let server = Server::bind().await;
        server.config()
    };
    let error = connect_error(config, async {}).await;
    assert!(matches!(&error, ConnectError::Transport(source) if source.to_string().contains("refused")), "{error:?}");
    assert!(error.retryable());
}

#[tokio::test]
async fn errors_and_closes_during_the_set_up_keep_their_words() {
    let server = Server::bind().await;
    let bad_key = async {
        let mut peer = server.accept().await;
        peer.send(json!({"type": "error", "error": {
            "type": "invalid_request_error", "code": "invalid_api_key", "message": "Incorrect API key."
        }}))
        .await;
        peer.close(3_000, "invalid_request_error.invalid_api_key").await;
        peer
    };
    let error = connect_error(server.config(), bad_key).await;
    assert!(matches!(&error, ConnectError::Refused(e) if e.code.as_deref() == Some("invalid_api_key")), "{error:?}");
    assert!(!error.retryable());

    let bad_model = async {
        let mut peer = server.accept().await;
        peer.close(4_004, "invalid_request_error.model_not_found").await;
        peer
    };
    let error = connect_error(server.config(), bad_model).await;
    assert!(
        matches!(&error, ConnectError::Closed(reason)
            if reason.code == Some(4_004) && reason.reason == "invalid_request_error.model_not_found"),
        "{error:?}"
    );
    assert!(!error.retryable());

    let refused_update = async {
        let mut peer = server.accept().await;
        peer.send(created()).await;
        let update = peer.recv().await.unwrap();
        peer.send(json!({"type": "error", "error": {
            "type": "server_error", "code": null, "message": "Oops.", "event_id": update["event_id"]
        }}))
        .await;
        peer
    };
    let error = connect_error(server.config(), refused_update).await;
    assert!(matches!(&error, ConnectError::Refused(e) if e.kind == "server_error"), "{error:?}");
    assert!(error.retryable(), "the provider's bad luck");

    let lost = async { drop(server.accept().await) };
    let error = connect_error(server.config(), lost).await;
    assert!(matches!(&error, ConnectError::Closed(reason) if reason.code.is_none()), "{error:?}");
    assert!(error.retryable());
}

#[tokio::test]
async fn garbage_during_the_set_up_is_not_the_protocol() {
    let server = Server::bind().await;
    let check = |error: ConnectError, kind: &str| {
        let ConnectError::Protocol(SessionError::Malformed { event, .. }) = &error else { panic!("{error:?}") };
        assert_eq!(event, kind);
        assert!(!error.retryable() && error.source().is_some());
    };
    let words = async {
        let mut peer = server.accept().await;
        peer.send_text("hello").await;
        peer
    };
    check(connect_error(server.config(), words).await, "event");
    let half = async {
        let mut peer = server.accept().await;
        peer.send(json!({"type": "session.created"})).await;
        peer
    };
    check(connect_error(server.config(), half).await, "session.created");
    let bytes = async {
        use futures_util::SinkExt;
        let mut peer = server.accept().await;
        peer.socket.send(Message::binary(vec![1, 2, 3])).await.unwrap();
        peer
    };
    check(connect_error(server.config(), bytes).await, "binary message");
    let frames = async {
        let mut tcp = server.accept().await.socket.into_inner();
        tcp.write_all(&[0xFF; 64]).await.unwrap();
        tcp
    };
    check(connect_error(server.config(), frames).await, "WebSocket frame");
}

#[tokio::test]
async fn a_session_that_is_not_as_asked_is_refused() {
    let server = Server::bind().await;
    let echo_of = |change: fn(&mut Value)| {
        let server = &server;
        async move {
            let mut peer = server.accept().await;
            peer.send(created()).await;
            let mut echo = updated(&peer.recv().await.unwrap());
            change(&mut echo["session"]["audio"]);
            peer.send(echo).await;
            peer
        }
    };
    type Change = fn(&mut Value);
    let cases: [(Change, &str, &str, &str); 4] = [
        (
            |audio| audio["input"]["format"] = json!({"type": "audio/pcm", "rate": 24000}),
            "the input format",
            "audio/pcmu",
            "audio/pcm at 24000 Hz",
        ),
        (
            |audio| audio["output"]["format"] = json!({"type": "audio/pcma"}),
            "the output format",
            "audio/pcmu",
            "audio/pcma",
        ),
        (|audio| *audio = json!({}), "the input format", "audio/pcmu", "nothing"),
        (|audio| audio["output"]["voice"] = json!("alloy"), "the voice", "marin", "alloy"),
    ];
    for (change, setting, wanted, received) in cases {
        let error = connect_error(server.config(), echo_of(change)).await;
        assert!(
            matches!(&error, ConnectError::NotAsAsked { what, asked, got }
                if *what == setting && asked == wanted && got == received),
            "{error:?}"
        );
        assert!(!error.retryable());
    }
}
