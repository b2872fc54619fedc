//! The fast way to read the one message that comes fifty times a second.

use std::borrow::Cow;

use super::{Media, Track};
use crate::audio::is_base64;

/// Reads a `media` message in Twilio's own layout, from the outside in; `None` for anything that is laid out otherwise.
///
/// Nothing is searched for: every member has its place, and since Twilio puts the payload last, the end of the message is
/// the end of the payload. No text here can hold an escape: the stream is letters and digits, the payload is base64.
pub(super) fn media(text: &str) -> Option<Media<'_>> {
    let rest = text.strip_prefix(r#"{"event":"media","sequenceNumber":""#)?;
    let (sequence_number, rest) = number(rest)?;
    let rest = rest.strip_prefix(r#"","streamSid":""#)?;
    let (stream_sid, rest) = rest.split_at_checked(34)?;
    let rest = rest.strip_prefix(r#"","media":{"track":""#)?;
    let (track, rest) = match rest.strip_prefix("inbound") {
        Some(rest) => (Track::Inbound, rest),
        None => (Track::Outbound, rest.strip_prefix("outbound")?),
    };
    let (chunk, rest) = number(rest.strip_prefix(r#"","chunk":""#)?)?;
    let (timestamp, rest) = number(rest.strip_prefix(r#"","timestamp":""#)?)?;
    let payload = rest.strip_prefix(r#"","payload":""#)?.strip_suffix(r#""}}"#)?;
    if !stream_sid.bytes().all(|byte| byte.is_ascii_alphanumeric()) || !is_base64(payload.as_bytes()) {
        return None;
    }
    Some(Media {
        sequence_number: Some(sequence_number),
        stream_sid: Cow::Borrowed(stream_sid),
        track,
        chunk: Some(chunk),
        timestamp: Some(timestamp),
        payload: Cow::Borrowed(payload),
    })
}

/// Takes up to 18 digits, which cannot overflow; longer numbers are left to the full parser.
fn number(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take(19).take_while(u8::is_ascii_digit).count();
    if digits == 0 || digits == 19 {
        return None;
    }
    let (digits, rest) = text.split_at(digits);
    Some((digits.bytes().fold(0, |value, digit| value * 10 + u64::from(digit - b'0')), rest))
}
