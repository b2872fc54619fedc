//! What happened in a session, for assertions and for people.

use std::time::Duration;

use realtime_bridge::audio::AudioFormat;
use serde_json::Value;

/// Everything observable of one session.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Recording {
    /// `sess_…`.
    pub session_id: String,
    /// The model that was asked for.
    pub model: String,
    /// All events in both directions, in order, without their audio.
    pub events: Vec<Logged>,
    /// The conversation as it stands, in order.
    pub items: Vec<RecordedItem>,
    /// The caller's audio as it came, one run for each format.
    pub caller_audio: Vec<(AudioFormat, Vec<u8>)>,
    /// How the session ended, as the server saw it; `None` while it is open.
    pub ending: Option<Ending>,
}

impl Recording {
    /// The events of this type that the server sent, or took.
    pub fn of_type<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Logged> {
        self.events.iter().filter(move |logged| logged.kind() == kind)
    }

    /// How much audio the client has appended.
    #[must_use]
    pub fn caller_audio_duration(&self) -> Duration {
        self.caller_audio.iter().map(|(format, bytes)| format.duration_of(bytes.len())).sum()
    }
}

/// One event.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Logged {
    /// Time since the session was opened.
    pub at: Duration,
    /// Who sent it.
    pub from: Party,
    /// The event; the audio of appends and deltas is replaced by an empty string.
    pub event: Value,
    /// Bytes of audio it carried, decoded.
    pub audio_bytes: usize,
}

impl Logged {
    /// The event's `type`; empty for what is no event.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.event["type"].as_str().unwrap_or_default()
    }
}

/// A side of the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Party {
    /// The bridge.
    Client,
    /// The simulator.
    Server,
}

/// An entry of the conversation.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RecordedItem {
    /// `item_…`.
    pub id: String,
    /// As in item events, without audio.
    pub item: Value,
    /// How much audio it has, after any truncation.
    pub audio: Duration,
    /// Where the client cut it, in ms.
    pub truncated_ms: Option<u64>,
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// The server closed with this code and reason.
    Closed(u16, String),
    /// The server ended the connection without a close frame.
    Dropped,
    /// The client closed, with this code if it gave one.
    ClientClosed(Option<u16>),
    /// The connection was lost.
    Lost,
}
