//! Which media streams are let in.

use std::{collections::BTreeMap, time::Duration};

use call_simulator::{
    audio::fixtures::en,
    openai::{Answer, Ending, Script},
};
use examples::settings::Arguments;
use futures_util::{SinkExt, StreamExt};
use realtime_bridge::media::twilio::wire::{Connected, FromTwilio, MediaFormat, Start, Track};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{self, Message},
};
use twilio_twiml::sid::CallSid;

use crate::world::{TOKEN, World, account_sid, between, call_sid, model, voice_form};

type Line = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What the webhook's answer said of a stream.
struct Ticket {
    url: String,
    token: String,
}

fn unsigned(arguments: &mut Arguments) {
    arguments.twilio.twilio_require_stream_signature = None;
    arguments.conversation.language = Some("en-US".into());
}

fn greets() -> Script {
    Script::new().greeting(Answer::say(en::AGENT_GREETING))
}

async fn ticket(world: &World) -> Ticket {
    let (_, twiml) = world.post("/api/twilio/voice", &voice_form(), Some(TOKEN)).await;
    let path = between(&twiml, "<Stream url=\"", "\"");
    let token = between(&twiml, "name=\"token\" value=\"", "\"").to_owned();
    Ticket { url: format!("{}{path}", world.url.replace("http", "ws")), token }
}

/// Opens a stream as Twilio does, but with a token and a call of our choice.
async fn open(url: &str, token: &str, call: CallSid) -> Result<Line, u16> {
    let mut line = match connect_async(url).await {
        Ok((line, _)) => line,
        Err(tungstenite::Error::Http(response)) => return Err(response.status().as_u16()),
        Err(error) => panic!("{error}"),
    };
    let stream_sid = "MZ0123456789abcdef0123456789abcdef".parse().unwrap();
    let start = FromTwilio::Start(Box::new(Start {
        sequence_number: Some(1),
        stream_sid,
        account_sid: account_sid(),
        call_sid: call,
        tracks: vec![Track::Inbound],
        media_format: MediaFormat::mulaw(),
        custom_parameters: BTreeMap::from([("token".into(), token.into())]),
    }));
    for message in [FromTwilio::Connected(Connected { protocol: "Call".into(), version: "1.0.0".into() }), start] {
        line.send(Message::text(message.to_json())).await.unwrap();
    }
    Ok(line)
}

/// Whether the agent speaks on this line, or the server ends it.
async fn is_let_in(mut line: Line) -> bool {
    while let Some(Ok(message)) = line.next().await {
        if message.to_text().is_ok_and(|text| text.contains("\"media\"")) {
            return true;
        }
    }
    false
}

#[tokio::test]
async fn a_token_lets_one_stream_of_one_call_in() {
    let world = World::with(model(greets()), unsigned).await;
    let Ticket { url, token } = ticket(&world).await;
    let other_call = "CA0edcba9876543210fedcba9876543210".parse().unwrap();
    assert!(!is_let_in(open(&url, "guessed", call_sid()).await.unwrap()).await, "a wrong token");
    assert!(!is_let_in(open(&url, "", call_sid()).await.unwrap()).await, "no token");
    assert!(!is_let_in(open(&url, &token, other_call).await.unwrap()).await, "another call");
    let elsewhere = url.rsplit_once('/').unwrap().0.to_owned() + "/01890000-0000-7000-8000-000000000000";
    assert_eq!(open(&elsewhere, &token, call_sid()).await.err(), Some(404), "another stream");

    let line = open(&url, &token, call_sid()).await.unwrap();
    assert!(is_let_in(line).await, "strangers did not use the token up");
    assert_eq!(open(&url, &token, call_sid()).await.err(), Some(404), "the token was used");
    assert_eq!(world.openai.as_ref().unwrap().sessions().len(), 1);
}

#[tokio::test]
async fn a_stream_that_does_not_come_in_time_finds_its_session_closed_and_its_token_void() {
    let soon = |arguments: &mut Arguments| {
        unsigned(arguments);
        arguments.server.stream_wait = Some("2".into());
    };
    let world = World::with(model(greets()), soon).await;
    let Ticket { url, token } = ticket(&world).await;
    let recording = tokio::time::timeout(Duration::from_secs(30), world.session().await.closed()).await.unwrap();
    assert!(matches!(recording.ending, Some(Ending::ClientClosed(_))), "{:?}", recording.ending);
    assert_eq!(open(&url, &token, call_sid()).await.err(), Some(404));
}

#[tokio::test]
async fn a_session_is_closed_when_twilio_cannot_open_the_stream() {
    let world = World::with(model(greets()), unsigned).await;
    let Ticket { url, token } = ticket(&world).await;
    let (_, stream) = url.split_once("/media-stream/").unwrap();
    let failed = voice_form()
        .with("StreamSid", "MZ0123456789abcdef0123456789abcdef")
        .with("StreamEvent", "stream-error")
        .with("StreamError", "31920");
    let (status, _) = world.post(&format!("/api/twilio/stream-status/{stream}"), &failed, Some(TOKEN)).await;
    assert_eq!(status, 204);
    let recording = tokio::time::timeout(Duration::from_secs(30), world.session().await.closed()).await.unwrap();
    assert!(matches!(recording.ending, Some(Ending::ClientClosed(_))), "{:?}", recording.ending);
    assert_eq!(open(&url, &token, call_sid()).await.err(), Some(404), "nobody expects it any more");
}
