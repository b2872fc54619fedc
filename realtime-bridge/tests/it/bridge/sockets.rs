//! Real sockets whose far ends die: in real time, and therefore few.

use std::future::pending;

use futures_util::{SinkExt, StreamExt};
use realtime_bridge::{
    audio::AudioFormat,
    bridge::{Bridge, CallHandle, CallReport, Updates},
    media::{
        MediaTransport,
        memory::line,
        twilio::{Config, MediaStream},
    },
    realtime::{
        RealtimeClient, RealtimeSession, SessionConfig,
        memory::pair,
        openai::{OpenAiClient, OpenAiConfig, OpenAiSession},
    },
};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, accept_async,
    tungstenite::{Message, protocol::Role},
};

use super::{MS, S, over, quiet};

const EXAMPLES: &str = include_str!("../../data/openai/examples.json");

type Socket = WebSocketStream<TcpStream>;

fn run<M, R>(line: M, session: R) -> (JoinSet<CallReport>, CallHandle, Updates)
where
    M: MediaTransport + 'static,
    R: RealtimeSession + 'static,
{
    let bridge = Bridge::with_config(line, session, quiet()).unwrap();
    let (handle, mut run) = (bridge.handle(), JoinSet::new());
    let updates = handle.watch();
    run.spawn(bridge.run());
    (run, handle, updates)
}

/// A media stream that has begun, and Twilio's end of its socket.
async fn twilio() -> (MediaStream<TcpStream>, Socket) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (peer, accepted) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    let mut peer = WebSocketStream::from_raw_socket(peer.unwrap(), Role::Client, None).await;
    let stream = "MZ0123456789abcdef0123456789abcdef";
    let start = json!({
        "event": "start", "sequenceNumber": "1", "streamSid": stream,
        "start": {
            "accountSid": "AC0123456789abcdef0123456789abcdef", "streamSid": stream,
            "callSid": "CAfedcba9876543210fedcba9876543210", "tracks": ["inbound"], "customParameters": {},
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8_000, "channels": 1},
        },
    });
    peer.send(Message::text(r#"{"event":"connected","protocol":"Call","version":"1.0.0"}"#)).await.unwrap();
    peer.send(Message::text(start.to_string())).await.unwrap();
    let config = Config::default().with_silence_limit(1_500 * MS);
    (MediaStream::accept(accepted.unwrap().0, config).await.unwrap(), peer)
}

/// A session that is set up, and OpenAI's end of its socket.
async fn openai() -> (OpenAiSession, Socket) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = OpenAiConfig::new("sk-test")
        .with_base_url(format!("http://{}/v1", listener.local_addr().unwrap()))
        .with_keep_alive(500 * MS, 1_500 * MS);
    let (client, settings) = (OpenAiClient::new(config).unwrap(), SessionConfig::default());
    let far_end = async {
        let mut peer = accept_async(listener.accept().await.unwrap().0).await.unwrap();
        let examples: Value = serde_json::from_str(EXAMPLES).unwrap();
        peer.send(Message::text(examples["server.session.created"].to_string())).await.unwrap();
        let Message::Text(update) = peer.next().await.unwrap().unwrap() else { panic!("no update") };
        let mut session = serde_json::from_str::<Value>(&update).unwrap()["session"].take();
        session["id"] = json!("sess_1");
        session["object"] = json!("realtime.session");
        session["model"] = json!("gpt-realtime-2.1");
        let updated = json!({"type": "session.updated", "event_id": "event_2", "session": session});
        peer.send(Message::text(updated.to_string())).await.unwrap();
        peer
    };
    let (session, peer) = tokio::join!(client.connect(&settings), far_end);
    (session.unwrap(), peer)
}

/// How the far end of a socket dies.
async fn die(peer: Socket, how: &str) {
    match how {
        // The process ends: its kernel says so.
        "ends" => drop(peer),
        // The connection is reset.
        "resets" => {
            peer.get_ref().set_zero_linger().unwrap();
            drop(peer);
        }
        // The machine is gone: nobody says anything any more.
        "is gone" => {
            let _open = peer;
            pending::<()>().await;
        }
        other => panic!("nobody dies by {other}"),
    }
}

#[tokio::test]
async fn a_line_that_dies_without_stop_ends_the_call() {
    for how in ["ends", "resets", "is gone"] {
        let ((line, peer), (session, model)) = (twilio().await, pair(&SessionConfig::default()));
        let (run, handle, updates) = run(line, session);
        sleep(50 * MS).await;
        let ended = over("line-failed", run, &handle, updates, None, Some(&model));
        let dying = async {
            die(peer, how).await;
            pending::<()>().await;
        };
        tokio::select! {
            ended = timeout(10 * S, ended) => drop(ended.unwrap_or_else(|_| panic!("the call lives, the line {how}"))),
            () = dying => {}
        }
    }
}

#[tokio::test]
async fn a_model_that_dies_ends_the_call() {
    for how in ["ends", "resets", "is gone"] {
        let ((line, caller), (session, peer)) = (line(AudioFormat::MuLaw), openai().await);
        let (run, handle, updates) = run(line, session);
        sleep(50 * MS).await;
        let ended = over("model-failed", run, &handle, updates, Some(&caller), None);
        let dying = async {
            die(peer, how).await;
            pending::<()>().await;
        };
        tokio::select! {
            ended = timeout(10 * S, ended) => drop(ended.unwrap_or_else(|_| panic!("the call lives, the model {how}"))),
            () = dying => {}
        }
    }
}

#[tokio::test]
async fn a_call_that_ends_says_goodbye_on_both_sockets() {
    let ((line, mut twilio), (session, mut openai)) = (twilio().await, openai().await);
    let (run, handle, updates) = run(line, session);
    handle.hang_up().await.unwrap();
    let goodbye = async |peer: &mut Socket| {
        loop {
            match peer.next().await {
                Some(Ok(Message::Close(_))) => break,
                Some(Ok(_)) => {}
                other => panic!("cut off: {other:?}"),
            }
        }
    };
    let all = async { tokio::join!(goodbye(&mut twilio), goodbye(&mut openai)) };
    timeout(10 * S, all).await.unwrap();
    // Both answer the goodbye as their sockets are read on.
    let read = async { tokio::join!(twilio.next(), openai.next()) };
    let ((..), _) = tokio::join!(read, over("hung-up", run, &handle, updates, None, None));
}
