//! Calls over SIP: REST and the control socket, against a server on loopback that a test plays.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use realtime_bridge::{
    audio::{AudioFormat, AudioFrame},
    bridge::Bridge,
    media::{MediaEvent, elsewhere::ElsewhereLine},
    realtime::{
        PlaybackChange, PlaybackOwner, RealtimeCommand, RealtimeEvent, RealtimeSession, RequestId, SessionConfig,
        openai::{
            OpenAiClient,
            sip::{Left, ReferTarget, RejectStatus, SipCallId, SipCalls, SipError, SipSession},
        },
    },
    relay::{CallConfig, EndReason},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, timeout},
};
use tokio_tungstenite::{
    accept_hdr_async,
    tungstenite::handshake::server::{Request, Response},
};

use super::server::{Peer, Server, created, updated};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const GONE: &str = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";

fn call() -> SipCallId {
    "rtc_1".parse().unwrap()
}

fn calls(server: &Server) -> SipCalls {
    let config = server.config().with_connect_timeout(Duration::from_secs(3)).with_project("proj_1");
    SipCalls::new(OpenAiClient::new(config).unwrap())
}

fn session() -> SessionConfig {
    SessionConfig::default().with_instructions("Be brief.")
}

impl Server {
    /// Reads a whole request and answers it. Gives its head and its body.
    async fn serve(&self, answer: &str) -> (String, Value) {
        let mut tcp = self.accept_tcp().await;
        let (mut head, mut body) = (Vec::new(), Vec::new());
        while !head.ends_with(b"\r\n\r\n") {
            head.push(tcp.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()?.parse().ok());
        body.resize(length.unwrap_or(0), 0);
        tcp.read_exact(&mut body).await.unwrap();
        tcp.write_all(answer.as_bytes()).await.unwrap();
        tcp.shutdown().await.unwrap();
        (head, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    /// Answers in this order, and gives the requests.
    async fn serve_all<const N: usize>(&self, answers: [&str; N]) -> Vec<(String, Value)> {
        let mut requests = Vec::new();
        for answer in answers {
            requests.push(self.serve(answer).await);
        }
        requests
    }

    /// The far end of a control socket, and where it was asked for.
    #[expect(clippy::result_large_err, reason = "the library's signature")]
    async fn accept_control(&self) -> (Peer, String) {
        let mut target = String::new();
        let look = |request: &Request, response: Response| {
            target = request.uri().to_string();
            Ok(response)
        };
        let socket = accept_hdr_async(self.accept_tcp().await, look).await.unwrap();
        (Peer { socket }, target)
    }
}

async fn attached(server: &Server) -> (ElsewhereLine, SipSession, Peer, Value, String) {
    let far_end = async {
        let (mut peer, target) = server.accept_control().await;
        peer.send(created()).await;
        let update = peer.recv().await.unwrap();
        peer.send(updated(&update)).await;
        (peer, update, target)
    };
    let (calls, call, config) = (calls(server), call(), session());
    let (attached, (peer, update, target)) = tokio::join!(calls.attach(&call, &config), far_end);
    let (line, session) = attached.unwrap();
    (line, session, peer, update, target)
}

#[tokio::test]
async fn requests_are_as_documented() {
    let server = Server::bind().await;
    let (calls, call) = (calls(&server), call());
    let config = session();
    let target: ReferTarget = "tel:+14155550123".parse().unwrap();
    let (made, seen) = tokio::join!(
        async {
            calls.accept(&call, &config).await?;
            calls.reject(&call, RejectStatus::Busy).await?;
            calls.refer(&call, &target).await?;
            calls.hang_up(&call).await
        },
        server.serve_all([OK; 4])
    );
    made.unwrap();
    let paths = ["accept", "reject", "refer", "hangup"];
    for ((head, _), path) in seen.iter().zip(paths) {
        assert!(head.starts_with(&format!("post /v1/realtime/calls/rtc_1/{path} http/1.1")), "{head}");
        assert!(head.contains("authorization: bearer sk-test") && head.contains("openai-project: proj_1"));
        assert!(!head.contains("upgrade") && !head.contains("sec-websocket"), "{head}");
        assert_eq!(head.contains("content-type: application/json"), path != "hangup");
    }
    let accept = json!({"type": "realtime", "model": "gpt-realtime-2.1", "instructions": "Be brief.",
        "audio": {"output": {"voice": "marin"}}});
    assert_eq!(seen[0].1, accept, "as little as it can be, and no formats");
    assert_eq!(seen[1].1, json!({"status_code": 486}));
    assert_eq!(seen[2].1, json!({"target_uri": "tel:+14155550123"}));
}

#[tokio::test]
async fn a_request_is_repeated_where_that_is_harmless() {
    let server = Server::bind().await;
    let (calls, call, config) = (calls(&server), call(), session());
    let target: ReferTarget = "tel:+14155550123".parse().unwrap();

    let (made, _) = tokio::join!(calls.accept(&call, &config), server.serve_all([BUSY, "", OK]));
    made.expect("a fault and a broken connection pass");
    // What may have been done is known to have been done when the provider says that it was.
    let conflict = "HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n";
    let (made, _) = tokio::join!(calls.accept(&call, &config), server.serve_all([BUSY, conflict]));
    made.unwrap();

    let (made, _) = tokio::join!(calls.refer(&call, &target), server.serve_all([BUSY]));
    let error = made.expect_err("nobody is dialled twice");
    assert!(error.retryable() && error.may_have_happened(), "{error}");
    let limited = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n";
    let (made, _) = tokio::join!(calls.refer(&call, &target), server.serve_all([limited, OK]));
    made.expect("what was certainly not done is repeated");
}

#[tokio::test]
async fn refusals_say_what_can_be_done() {
    let server = Server::bind().await;
    let (calls, call, config) = (calls(&server), call(), session());
    let (made, _) = tokio::join!(calls.accept(&call, &config), server.serve_all([GONE]));
    assert!(made.unwrap_err().is_gone());

    let body = r#"{"error":{"type":"invalid_request_error","code":"invalid_value","message":"No such voice.","param":"session.audio.output.voice"}}"#;
    let bad = format!("HTTP/1.1 400 Bad Request\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let (made, _) = tokio::join!(calls.accept(&call, &config), server.serve_all([&bad]));
    let SipError::Refused { status: 400, error: Some(error), .. } = made.unwrap_err() else { panic!("it is refused") };
    assert_eq!(error.param.as_deref(), Some("session.audio.output.voice"));

    let late = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n";
    let began = Instant::now();
    let (made, _) = tokio::join!(calls.hang_up(&call), server.serve_all([late]));
    assert!(made.unwrap_err().retryable() && began.elapsed() < Duration::from_secs(30), "nobody waits a minute");

    let nothing = calls.accept(&call, &SessionConfig::default().with_voice("")).await.unwrap_err();
    assert!(matches!(nothing, SipError::Config { .. }) && !nothing.retryable());
}

#[tokio::test]
async fn what_an_earlier_attempt_may_have_done_is_not_forgotten() {
    let bad = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    let server = Server::bind().await;
    let (calls, call, config) = (calls(&server), call(), session());
    for first in [BUSY, ""] {
        let (made, _) = tokio::join!(calls.accept(&call, &config), server.serve_all([first, bad]));
        let error = made.unwrap_err();
        assert!(error.may_have_happened() && !error.retryable() && !error.is_gone(), "{error:?}");
        let SipError::Uncertain(last) = error else { panic!("the last error is kept: {error:?}") };
        assert!(matches!(*last, SipError::Refused { status: 400, .. }));
    }
    let (made, _) = tokio::join!(calls.accept(&call, &config), server.serve_all([BUSY, GONE]));
    assert!(made.unwrap_err().is_gone(), "it is over, whatever was done");
    let (made, _) = tokio::join!(calls.accept(&call, &config), server.serve_all([bad]));
    assert!(!made.unwrap_err().may_have_happened());
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_given_up() {
    let server = Server::bind().await;
    let config = server.config().with_connect_timeout(Duration::from_millis(300));
    let calls = SipCalls::new(OpenAiClient::new(config).unwrap());
    let call = call();
    let silent = async {
        let _held = server.accept_tcp().await;
        std::future::pending::<()>().await;
    };
    let error = tokio::select! {
        result = calls.hang_up(&call) => result.unwrap_err(),
        () = silent => unreachable!(),
    };
    assert!(matches!(error, SipError::TimedOut { .. }) && error.may_have_happened());
}

#[tokio::test]
async fn the_control_socket_is_a_session_without_audio() {
    let server = Server::bind().await;
    let (mut line, mut session, mut peer, update, target) = attached(&server).await;
    assert_eq!(target, "/v1/realtime?call_id=rtc_1");
    assert!(
        update["session"]["audio"]["input"].get("format").is_none()
            && update["session"]["audio"].get("output").is_none()
    );
    assert_eq!(update["session"]["audio"]["input"]["turn_detection"]["type"], "server_vad");
    assert_eq!(session.capabilities().playback, PlaybackOwner::Provider);
    let Some(Ok(MediaEvent::Started(start))) = line.next().await else { panic!("the line starts") };
    assert_eq!((start.call_id.as_str(), start.stream_id.as_str()), ("rtc_1", "sess_1"));

    peer.send(json!({"type": "output_audio_buffer.started", "event_id": "e", "response_id": "resp_1"})).await;
    let event = session.next().await.unwrap().unwrap();
    assert!(matches!(event, RealtimeEvent::Playback { change: PlaybackChange::Started, .. }));
    session
        .send(RealtimeCommand::Append(AudioFrame::silence(AudioFormat::MuLaw, Duration::from_millis(20))))
        .await
        .unwrap();
    session.send(RealtimeCommand::ClearPlayback { request: RequestId(4) }).await.unwrap();
    assert_eq!(peer.recv().await.unwrap(), json!({"type": "output_audio_buffer.clear", "event_id": "req_4"}));
}

#[tokio::test]
async fn a_lost_socket_is_opened_again_and_the_call_goes_on() {
    let server = Server::bind().await;
    let (_line, mut session, peer, ..) = attached(&server).await;
    drop(peer);
    let far_end = async {
        server.serve(BUSY).await;
        let (mut peer, target) = server.accept_control().await;
        assert_eq!(target, "/v1/realtime?call_id=rtc_1");
        peer.send(created()).await;
        peer.send(json!({"type": "input_audio_buffer.dtmf_event_received", "event": "5", "received_at": 1})).await;
        peer
    };
    let (event, mut peer) = tokio::join!(session.next(), far_end);
    assert!(matches!(event, Some(Ok(RealtimeEvent::Dtmf(_)))), "{event:?}");
    session.send(RealtimeCommand::ClearPlayback { request: RequestId(4) }).await.unwrap();
    assert_eq!(peer.recv().await.unwrap()["type"], "output_audio_buffer.clear", "it was set up before, so not again");
}

#[tokio::test]
async fn a_socket_that_cannot_be_had_again_fails_the_session() {
    let server = Server::bind().await;
    let (_line, mut session, peer, ..) = attached(&server).await;
    drop(peer);
    let refused = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n";
    let (event, _) = tokio::join!(session.next(), server.serve(refused));
    assert!(matches!(event, Some(Err(_))), "{event:?}");
    assert!(session.next().await.is_none());
}

#[tokio::test]
async fn a_call_that_is_not_known_any_more_was_hung_up() {
    let server = Server::bind().await;
    let (line, session, mut peer, ..) = attached(&server).await;
    let bridge = Bridge::with_config(line, session, CallConfig::default().with_greeting(None)).unwrap();
    let far_end = async {
        peer.close(1_000, "").await;
        server.serve(GONE).await
    };
    let (report, _) = timeout(Duration::from_secs(10), async { tokio::join!(bridge.run(), far_end) }).await.unwrap();
    assert_eq!(report.reason.name(), "caller-hung-up");
}

#[tokio::test]
async fn a_call_that_is_over_cannot_be_attached_to() {
    let server = Server::bind().await;
    let (calls, call, config) = (calls(&server), call(), session());
    let (attached, _) = tokio::join!(calls.attach(&call, &config), server.serve(GONE));
    assert!(attached.unwrap_err().is_gone());
}

#[tokio::test]
async fn how_the_bridge_ended_says_what_becomes_of_the_call() {
    let server = Server::bind().await;
    let (calls, call) = (calls(&server), call());
    let target: ReferTarget = "tel:+14155550123".parse().unwrap();
    assert_eq!(calls.leave(&call, &EndReason::CallerHungUp, Some(&target)).await.unwrap(), Left::Over);
    assert_eq!(calls.leave(&call, &EndReason::Detached, None).await.unwrap(), Left::GoesOn);
    for (reason, answer, path, left) in [
        (EndReason::Detached, OK, "refer", Left::Referred),
        (EndReason::Goodbye, OK, "hangup", Left::HungUp),
        (EndReason::ModelStalled, OK, "hangup", Left::HungUp),
        (EndReason::Goodbye, GONE, "hangup", Left::Over),
    ] {
        let (done, (head, _)) = tokio::join!(calls.leave(&call, &reason, Some(&target)), server.serve(answer));
        assert_eq!(done.unwrap(), left);
        assert!(head.contains(&format!("/rtc_1/{path} ")), "{head}");
    }
}
