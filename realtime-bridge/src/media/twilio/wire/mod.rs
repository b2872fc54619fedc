//! The JSON of Twilio Media Streams, both directions, typed.
//!
//! [`FromTwilio`] is read tolerantly (numbers as text or as numbers, unknown members, any order) and written exactly as
//! Twilio writes it. [`ToTwilio`] is written exactly as Twilio demands it and read with Twilio's own strictness: a missing
//! member, an extra member, an unknown event or a wrong type is refused. A server needs the first of each pair, a
//! simulator or a test the second.
//!
//! Twilio: Media Streams, WebSocket messages.
//!
//! ```
//! use realtime_bridge::media::twilio::wire::{FromTwilio, ToTwilio};
//!
//! let text = r#"{"event":"mark","sequenceNumber":"212","streamSid":"MZ0123456789abcdef0123456789abcdef","mark":{"name":"7"}}"#;
//! let FromTwilio::Mark(mark) = FromTwilio::parse(text)? else { panic!("a mark is a mark") };
//! assert_eq!(mark.name, "7");
//!
//! let clear = ToTwilio::Clear { stream_sid: mark.stream_sid };
//! assert_eq!(clear.to_json(), r#"{"event":"clear","streamSid":"MZ0123456789abcdef0123456789abcdef"}"#);
//! # Ok::<(), realtime_bridge::media::twilio::wire::WireError>(())
//! ```

mod from_twilio;
mod full;
mod scan;
mod to_twilio;

pub use from_twilio::{Connected, Dtmf, FromTwilio, Mark, Media, MediaFormat, Start, Stop, Track};
pub use to_twilio::{ToTwilio, media_message};

/// Text that is not a message of Media Streams.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// Not JSON, or not the members and types that the event has.
    #[error("not the JSON of {event}")]
    Json {
        /// The event, as far as it could be told.
        event: &'static str,
        /// What the parser says.
        source: serde_json::Error,
    },
    /// A member that the event must have is not there.
    #[error("{event} has no {member}")]
    Missing {
        /// The event.
        event: &'static str,
        /// The member's name.
        member: &'static str,
    },
    /// A member has a value that the protocol does not know.
    #[error("{event} has an unusable {member}")]
    Value {
        /// The event.
        event: &'static str,
        /// The member's name.
        member: &'static str,
    },
    /// An event that this direction does not have. Only the strict reader refuses it.
    #[error("there is no such event")]
    UnknownEvent,
}

impl WireError {
    /// The event that was read, or `"message"` when it could not be told.
    #[must_use]
    pub const fn event(&self) -> &'static str {
        match self {
            Self::Json { event, .. } | Self::Missing { event, .. } | Self::Value { event, .. } => event,
            Self::UnknownEvent => "message",
        }
    }
}

/// A JSON string literal.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
