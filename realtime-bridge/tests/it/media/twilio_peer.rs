//! The far end of a media stream: Twilio, as far as a test needs it.

use futures_util::{SinkExt, StreamExt};
use realtime_bridge::media::{
    MediaError,
    twilio::{Config, MediaStream, wire::ToTwilio},
};
use tokio::io::DuplexStream;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::Role},
};

pub(super) const STREAM: &str = "MZ0123456789abcdef0123456789abcdef";
pub(super) const CONNECTED: &str = r#"{"event":"connected","protocol":"Call","version":"1.0.0"}"#;
pub(super) const START: &str = r#"{"event":"start","sequenceNumber":"1","streamSid":"MZ0123456789abcdef0123456789abcdef","start":{"accountSid":"AC0123456789abcdef0123456789abcdef","streamSid":"MZ0123456789abcdef0123456789abcdef","callSid":"CAfedcba9876543210fedcba9876543210","tracks":["inbound"],"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1},"customParameters":{"tenant":"7","token":"k3J9"}}}"#;
pub(super) const STOP: &str = r#"{"event":"stop","sequenceNumber":"940","streamSid":"MZ0123456789abcdef0123456789abcdef","stop":{"accountSid":"AC0123456789abcdef0123456789abcdef","callSid":"CAfedcba9876543210fedcba9876543210"}}"#;

/// Twilio's side of the WebSocket.
pub(super) struct Peer {
    pub(super) socket: WebSocketStream<DuplexStream>,
}

impl Peer {
    /// Both ends of a socket that has been upgraded and has room for `buffer` bytes each way.
    pub(super) async fn pair(buffer: usize) -> (DuplexStream, Self) {
        let (ours, theirs) = tokio::io::duplex(buffer);
        (ours, Self { socket: WebSocketStream::from_raw_socket(theirs, Role::Client, None).await })
    }

    /// A stream that has begun.
    pub(super) async fn line(config: Config) -> (MediaStream<DuplexStream>, Self) {
        Self::line_with_room(config, 256 * 1024).await
    }

    /// A stream that has begun, on a socket with room for `buffer` bytes each way.
    pub(super) async fn line_with_room(config: Config, buffer: usize) -> (MediaStream<DuplexStream>, Self) {
        let (ours, mut peer) = Self::pair(buffer).await;
        peer.say(CONNECTED).await;
        peer.say(START).await;
        (MediaStream::accept(ours, config).await.unwrap(), peer)
    }

    pub(super) async fn say(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    /// One frame of the caller at this presentation time.
    pub(super) async fn speak(&mut self, timestamp_ms: u64, payload: &str) {
        self.say(&media(timestamp_ms, payload)).await;
    }

    /// The next message from the server, as Twilio reads it.
    pub(super) async fn hear(&mut self) -> ToTwilio<'static> {
        match self.socket.next().await.expect("the server is there").unwrap() {
            Message::Text(text) => owned(ToTwilio::parse_strict(&text).unwrap()),
            other => panic!("Twilio takes no {other:?}"),
        }
    }
}

pub(super) fn media(timestamp_ms: u64, payload: &str) -> String {
    format!(
        r#"{{"event":"media","sequenceNumber":"4","streamSid":"{STREAM}","media":{{"track":"inbound","chunk":"3","timestamp":"{timestamp_ms}","payload":"{payload}"}}}}"#
    )
}

fn owned(message: ToTwilio<'_>) -> ToTwilio<'static> {
    match message {
        ToTwilio::Media { stream_sid, payload } => {
            ToTwilio::Media { stream_sid: stream_sid.into_owned().into(), payload: payload.into_owned().into() }
        }
        ToTwilio::Mark { stream_sid, name } => {
            ToTwilio::Mark { stream_sid: stream_sid.into_owned().into(), name: name.into_owned().into() }
        }
        ToTwilio::Clear { stream_sid } => ToTwilio::Clear { stream_sid: stream_sid.into_owned().into() },
        other => panic!("there is no {other:?}"),
    }
}

/// What an accept ends with when the peer says these messages and then nothing.
pub(super) async fn refused(messages: &[&str]) -> MediaError {
    let (ours, mut peer) = Peer::pair(256 * 1024).await;
    for message in messages {
        peer.say(message).await;
    }
    MediaStream::accept(ours, Config::default()).await.unwrap_err()
}
