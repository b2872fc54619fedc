//! Messages from the server to Twilio.

use std::borrow::Cow;

use serde::{Deserialize, de::IgnoredAny};

use super::{WireError, quoted};
use crate::audio::{AudioFrame, is_base64};

/// A message to Twilio. Only bidirectional streams take any.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ToTwilio<'a> {
    /// Play this after what was sent before.
    Media {
        /// The stream.
        stream_sid: Cow<'a, str>,
        /// μ-law, 8000 Hz, mono, as standard, padded base64.
        payload: Cow<'a, str>,
    },
    /// Tell us when what was sent before has been played.
    Mark {
        /// The stream.
        stream_sid: Cow<'a, str>,
        /// Unique within the stream and short.
        name: Cow<'a, str>,
    },
    /// Drop what was sent and not yet played, and give back all marks.
    Clear {
        /// The stream.
        stream_sid: Cow<'a, str>,
    },
}

const MEDIA_HEAD: &str = r#"{"event":"media","streamSid":""#;
const MEDIA_BODY: &str = r#"","media":{"payload":""#;
const MEDIA_TAIL: &str = r#""}}"#;

/// Writes a `media` message in one allocation of the right size; the frame's audio must be μ-law.
///
/// `stream_sid` is written as it is.
#[must_use]
pub fn media_message(stream_sid: &str, frame: &AudioFrame) -> String {
    let length = MEDIA_HEAD.len() + stream_sid.len() + MEDIA_BODY.len() + frame.base64_len() + MEDIA_TAIL.len();
    let mut message = String::with_capacity(length);
    message.push_str(MEDIA_HEAD);
    message.push_str(stream_sid);
    message.push_str(MEDIA_BODY);
    frame.push_base64(&mut message);
    message.push_str(MEDIA_TAIL);
    message
}

impl<'a> ToTwilio<'a> {
    /// Writes the message as Twilio demands it, with no member more or less.
    #[must_use]
    pub fn to_json(&self) -> String {
        match self {
            Self::Media { stream_sid, payload } => {
                format!(r#"{{"event":"media","streamSid":{},"media":{{"payload":"{payload}"}}}}"#, quoted(stream_sid))
            }
            Self::Mark { stream_sid, name } => {
                format!(r#"{{"event":"mark","streamSid":{},"mark":{{"name":{}}}}}"#, quoted(stream_sid), quoted(name))
            }
            Self::Clear { stream_sid } => format!(r#"{{"event":"clear","streamSid":{}}}"#, quoted(stream_sid)),
        }
    }

    /// Reads a message as strictly as Twilio: a missing or an extra member, an unknown event, a wrong type or a payload that
    /// is not base64 is refused. (Twilio answers those with warning 31951 in its debugger and ignores the message.)
    ///
    /// # Errors
    ///
    /// [`WireError`] tells what Twilio would not have taken.
    pub fn parse_strict(text: &'a str) -> Result<Self, WireError> {
        #[derive(Deserialize)]
        struct Kind<'a> {
            #[serde(borrow)]
            event: Cow<'a, str>,
        }
        let kind: Kind<'_> = read(text, "message")?;
        match &*kind.event {
            "media" => media(text),
            "mark" => mark(text),
            "clear" => clear(text),
            _ => Err(WireError::UnknownEvent),
        }
    }
}

fn read<'a, T: Deserialize<'a>>(text: &'a str, event: &'static str) -> Result<T, WireError> {
    serde_json::from_str(text).map_err(|source| WireError::Json { event, source })
}

fn media(text: &str) -> Result<ToTwilio<'_>, WireError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Message<'a> {
        #[serde(rename = "event")]
        _event: IgnoredAny,
        #[serde(borrow)]
        stream_sid: Cow<'a, str>,
        #[serde(borrow)]
        media: Body<'a>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body<'a> {
        #[serde(borrow)]
        payload: Cow<'a, str>,
    }
    let Message { stream_sid, media: Body { payload }, .. } = read(text, "media")?;
    if is_base64(payload.as_bytes()) {
        Ok(ToTwilio::Media { stream_sid, payload })
    } else {
        Err(WireError::Value { event: "media", member: "payload" })
    }
}

fn mark(text: &str) -> Result<ToTwilio<'_>, WireError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Message<'a> {
        #[serde(rename = "event")]
        _event: IgnoredAny,
        #[serde(borrow)]
        stream_sid: Cow<'a, str>,
        #[serde(borrow)]
        mark: Body<'a>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body<'a> {
        #[serde(borrow)]
        name: Cow<'a, str>,
    }
    let Message { stream_sid, mark: Body { name }, .. } = read(text, "mark")?;
    Ok(ToTwilio::Mark { stream_sid, name })
}

fn clear(text: &str) -> Result<ToTwilio<'_>, WireError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Message<'a> {
        #[serde(rename = "event")]
        _event: IgnoredAny,
        #[serde(borrow)]
        stream_sid: Cow<'a, str>,
    }
    let Message { stream_sid, .. } = read(text, "clear")?;
    Ok(ToTwilio::Clear { stream_sid })
}
