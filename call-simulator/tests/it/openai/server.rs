//! Over real sockets: who gets in, what a broken connection looks like, and how it all ends.

use std::time::Duration;

use call_simulator::{
    audio::fixtures::en,
    openai::{
        Act, Answer, ApiError, Builder, Ending, OpenAiSimulator, Script, SessionHandle, Settings, Timing, WrongKey,
    },
};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{
        self, Message,
        client::IntoClientRequest,
        http::{HeaderName, HeaderValue},
    },
};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

const KEY: (&str, &str) = ("authorization", "Bearer sk-right");

fn builder() -> Builder {
    let script = Script::new().greeting(Answer::say(en::AGENT_GREETING));
    let settings = Settings::default().with_timing(Timing::brisk());
    OpenAiSimulator::builder().api_key("sk-right").script(script).settings(settings)
}

async fn open(
    openai: &OpenAiSimulator,
    query: &str,
    headers: &[(&'static str, &'static str)],
) -> Result<Socket, tungstenite::Error> {
    let url = format!("{}/realtime{query}", openai.base_url().replace("http:", "ws:"));
    let mut request = url.into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    Ok(connect_async(request).await?.0)
}

async fn connected(openai: &OpenAiSimulator) -> (Socket, SessionHandle) {
    let socket = open(openai, "?model=gpt-realtime-2.1", &[KEY]).await.unwrap();
    (socket, openai.next_session().await)
}

/// The next message; pings are not of interest.
async fn next(socket: &mut Socket) -> Option<Result<Message, tungstenite::Error>> {
    timeout(Duration::from_secs(30), async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Ping(_))) => {}
                other => return other,
            }
        }
    })
    .await
    .expect("the server is silent")
}

/// The next event of this kind.
async fn event(socket: &mut Socket, kind: &str) -> Value {
    loop {
        let message = next(socket).await.expect("the socket has ended").unwrap();
        let event: Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
        if event["type"] == kind {
            return event;
        }
    }
}

async fn close_code(socket: &mut Socket) -> (u16, String) {
    loop {
        if let Message::Close(frame) = next(socket).await.expect("a close frame comes first").unwrap() {
            let frame = frame.expect("with a code");
            return (frame.code.into(), frame.reason.to_string());
        }
    }
}

fn status(error: &tungstenite::Error) -> (u16, Value, Option<&str>) {
    let tungstenite::Error::Http(response) = error else { panic!("{error}") };
    let body = serde_json::from_slice(response.body().as_ref().unwrap()).unwrap();
    let retry_after = response.headers().get("retry-after").map(|value| value.to_str().unwrap());
    (response.status().as_u16(), body, retry_after)
}

#[tokio::test]
async fn a_wrong_key_does_not_get_through_the_door() {
    let openai = builder().start().await.unwrap();
    let error = open(&openai, "?model=gpt-realtime-2.1", &[("authorization", "Bearer sk-wrong")]).await.unwrap_err();
    let (code, body, _) = status(&error);
    assert_eq!((code, &body["error"]["code"]), (401, &json!("invalid_api_key")));
    assert!(openai.sessions().is_empty());
}

#[tokio::test]
async fn a_wrong_key_may_be_told_behind_the_door() {
    let openai = builder().wrong_key(WrongKey::Close3000).start().await.unwrap();
    let mut socket = open(&openai, "?model=gpt-realtime-2.1", &[("authorization", "Bearer sk-wrong")]).await.unwrap();
    assert_eq!(event(&mut socket, "error").await["error"]["code"], "invalid_api_key");
    assert_eq!(close_code(&mut socket).await, (3000, "invalid_request_error.invalid_api_key".to_owned()));
}

#[tokio::test]
async fn what_is_wrong_with_the_address_is_told_by_the_close_code() {
    let openai = builder().start().await.unwrap();
    for (query, header, code, reason) in [
        ("?model=gpt-9", KEY, 4004, "model_not_found"),
        ("", KEY, 4000, "missing_model"),
        ("?model=gpt-realtime-2.1", ("openai-beta", "realtime=v1"), 4000, "beta_api_shape_disabled"),
    ] {
        let mut socket = open(&openai, query, &[KEY, header]).await.unwrap();
        assert_eq!(event(&mut socket, "error").await["error"]["code"], reason);
        assert_eq!(close_code(&mut socket).await, (code, format!("invalid_request_error.{reason}")));
        assert!(next(&mut socket).await.is_none_or(|message| message.is_err()));
    }
    let error = open(&openai, "?call_id=rtc_gone", &[KEY]).await.unwrap_err();
    assert_eq!(status(&error).0, 404);
}

#[tokio::test]
async fn a_busy_server_says_when_to_come_back_and_then_serves() {
    let overloaded = ApiError::invalid("server_is_overloaded", "Try again later.").with_kind("server_error");
    let openai = builder().busy(503, overloaded, Some(Duration::from_secs(2))).start().await.unwrap();
    let error = open(&openai, "?model=gpt-realtime-2.1", &[KEY]).await.unwrap_err();
    let (code, body, retry_after) = status(&error);
    assert_eq!((code, &body["error"]["code"], retry_after), (503, &json!("server_is_overloaded"), Some("2")));
    let (mut socket, _) = connected(&openai).await;
    event(&mut socket, "session.created").await;
}

#[tokio::test]
async fn a_plain_request_is_told_what_is_missing() {
    let openai = builder().start().await.unwrap();
    let mut stream = TcpStream::connect(openai.address()).await.unwrap();
    let request = b"GET /v1/realtime?model=gpt-realtime HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut stream, request).await.unwrap();
    let mut answer = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("websocket_required"), "{answer}");
}

#[tokio::test]
async fn a_conversation_is_recorded() {
    let openai = builder().start().await.unwrap();
    let mut socket =
        open(&openai, "?model=gpt-realtime-2.1", &[KEY, ("openai-safety-identifier", "h4sh")]).await.unwrap();
    let session = openai.next_session().await;
    event(&mut socket, "session.created").await;
    socket.send(Message::binary(vec![0])).await.unwrap();
    assert_eq!(event(&mut socket, "error").await["error"]["code"], "invalid_event");
    socket.send(Message::text(json!({"type": "response.create"}).to_string())).await.unwrap();
    event(&mut socket, "response.done").await;
    socket.close(None).await.unwrap();
    let recording = session.closed().await;
    assert_eq!(session.safety_identifier(), Some("h4sh"));
    assert!(matches!(recording.ending, Some(Ending::ClientClosed(_))), "{:?}", recording.ending);
    assert_eq!(recording.items[0].item["content"][0]["transcript"], en::AGENT_GREETING.transcript);
    let audio: usize = recording.of_type("response.output_audio.delta").map(|logged| logged.audio_bytes).sum();
    assert_eq!(audio, en::AGENT_GREETING.mulaw.len() * 6, "24 kHz of 16 bits, as nobody asked for less");
}

#[tokio::test]
async fn each_session_may_have_its_own_script() {
    let first = Script::new().greeting(Answer::say(en::AGENT_STILL_THERE));
    let openai = builder().first_scripts([first]).start().await.unwrap();
    for expected in [en::AGENT_STILL_THERE, en::AGENT_GREETING] {
        let (mut socket, _) = connected(&openai).await;
        socket.send(Message::text(json!({"type": "response.create"}).to_string())).await.unwrap();
        let done = event(&mut socket, "response.done").await;
        assert_eq!(done["response"]["output"][0]["content"][0]["transcript"], expected.transcript);
    }
}

#[tokio::test]
async fn a_dropped_connection_ends_without_a_close_frame() {
    let openai = builder().start().await.unwrap();
    let (mut socket, session) = connected(&openai).await;
    event(&mut socket, "session.created").await;
    session.act(Act::Drop);
    let ended = loop {
        match next(&mut socket).await {
            Some(Ok(Message::Close(_))) => panic!("a close frame came"),
            Some(Ok(_)) => {}
            other => break other,
        }
    };
    assert!(ended.is_none_or(|message| message.is_err()));
    assert_eq!(session.closed().await.ending, Some(Ending::Dropped));
}

#[tokio::test]
async fn a_client_that_vanishes_is_noticed() {
    let openai = builder().start().await.unwrap();
    let (socket, session) = connected(&openai).await;
    drop(socket);
    let recording = timeout(Duration::from_secs(30), session.closed()).await.unwrap();
    assert_eq!(recording.ending, Some(Ending::Lost));
}

#[tokio::test]
async fn a_server_that_stops_reading_fills_the_network() {
    let openai = builder().start().await.unwrap();
    let (mut socket, session) = connected(&openai).await;
    event(&mut socket, "session.created").await;
    session.act(Act::StopReading);
    let frame = json!({"type": "input_audio_buffer.append", "audio": "A".repeat(1 << 20)}).to_string();
    let flood = async {
        for _ in 0..64 {
            socket.send(Message::text(frame.clone())).await.unwrap();
        }
    };
    assert!(timeout(Duration::from_millis(500), flood).await.is_err(), "64 MiB cannot be on their way");
}

#[tokio::test]
async fn reading_goes_on_while_a_client_does_not_take_what_is_written() {
    let openai = builder().start().await.unwrap();
    let (mut socket, session) = connected(&openai).await;
    session.act(Act::Text("x".repeat(32 << 20)));
    socket.send(Message::text(json!({"type": "input_audio_buffer.clear"}).to_string())).await.unwrap();
    let wanted =
        |recording: &call_simulator::openai::Recording| recording.of_type("input_audio_buffer.clear").next().is_some();
    timeout(Duration::from_secs(30), session.wait_for(wanted)).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_message_over_the_limit_closes_the_socket() {
    let openai = builder().start().await.unwrap();
    let (mut socket, _) = connected(&openai).await;
    event(&mut socket, "session.created").await;
    // The server may close before all of it is written.
    let _ = socket.send(Message::text("x".repeat(25 << 20))).await;
    let code = loop {
        match next(&mut socket).await {
            Some(Ok(Message::Close(Some(frame)))) => break Some(u16::from(frame.code)),
            Some(Ok(_)) => {}
            _ => break None,
        }
    };
    assert!(code.is_none_or(|code| code == 1009), "{code:?}");
}

#[tokio::test]
async fn shutting_down_sends_everybody_away_and_leaves_nothing() {
    let openai = builder().start().await.unwrap();
    let (mut socket, session) = connected(&openai).await;
    event(&mut socket, "session.created").await;
    let address = openai.address();
    let client = async {
        assert_eq!(close_code(&mut socket).await, (1001, String::new()));
        while next(&mut socket).await.is_some_and(|message| message.is_ok()) {}
    };
    timeout(Duration::from_secs(30), async { tokio::join!(openai.shutdown(), client) }).await.unwrap();
    assert!(session.recording().ending.is_some());
    assert!(TcpStream::connect(address).await.is_err());
}
