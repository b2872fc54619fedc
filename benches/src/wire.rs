//! Messages as Twilio and OpenAI send them, with a tag in the audio by which a frame is known again.
//!
//! (Twilio: Media Streams, WebSocket messages. OpenAI: Realtime API, server events.)

use std::io::Write;

use base64::{Engine, engine::general_purpose::STANDARD};

/// Bytes of a telephone frame: 20 ms of μ-law at 8,000 Hz.
pub const FRAME_BYTES: usize = 160;

/// Bytes of a model's audio delta: 100 ms of μ-law at 8,000 Hz.
pub const DELTA_BYTES: usize = 800;

const ACCOUNT_SID: &str = "AC0123456789abcdef0123456789abcdef";

/// What the first bytes of a frame's audio say: which frame it is and when it was sent.
///
/// It takes 18 bytes, which are exactly 24 characters of base64, so that it can be read without decoding the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag {
    /// When the frame was handed to the sender's socket, in nanoseconds of the sender's clock.
    pub nanos: u64,
    /// Number of the frame on its connection, from 0.
    pub seq: u32,
    /// The call or connection that sends it.
    pub who: u16,
    /// The answer it belongs to; 0 for a caller's frame.
    pub turn: u16,
}

impl Tag {
    /// Characters of base64 a tag takes.
    pub const CHARS: usize = 24;
    const BYTES: usize = 18;
    const MAGIC: [u8; 2] = [0xA5, 0x5A];

    /// The tag as raw bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..2].copy_from_slice(&Self::MAGIC);
        bytes[2..10].copy_from_slice(&self.nanos.to_le_bytes());
        bytes[10..14].copy_from_slice(&self.seq.to_le_bytes());
        bytes[14..16].copy_from_slice(&self.who.to_le_bytes());
        bytes[16..].copy_from_slice(&self.turn.to_le_bytes());
        bytes
    }

    /// The tag at the start of base64 text; `None` when there is none.
    #[must_use]
    pub fn read(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; Self::BYTES];
        STANDARD.decode_slice(text.get(..Self::CHARS)?, &mut bytes).ok()?;
        let (magic, rest) = bytes.split_first_chunk()?;
        let (nanos, rest) = rest.split_first_chunk()?;
        let (seq, rest) = rest.split_first_chunk()?;
        let (who, rest) = rest.split_first_chunk()?;
        let (turn, _) = rest.split_first_chunk()?;
        (*magic == Self::MAGIC).then(|| Self {
            nanos: u64::from_le_bytes(*nanos),
            seq: u32::from_le_bytes(*seq),
            who: u16::from_le_bytes(*who),
            turn: u16::from_le_bytes(*turn),
        })
    }
}

/// Base64 of audio whose first bytes change with each frame.
#[derive(Debug, Clone)]
pub struct Audio {
    /// What follows the tag, encoded.
    rest: String,
}

impl Audio {
    /// Audio of `bytes` bytes, tag included, that looks like speech to a compressor: no long runs.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        let mut state = 0x9E37_79B9_u32;
        let noise: Vec<u8> = (Tag::BYTES..bytes)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                state.to_le_bytes()[1]
            })
            .collect();
        Self { rest: STANDARD.encode(noise) }
    }

    /// Appends the base64 of the audio with this tag.
    pub fn push(&self, out: &mut Vec<u8>, tag: Tag) {
        let mut text = [0; Tag::CHARS];
        STANDARD.encode_slice(tag.to_bytes(), &mut text).expect("18 bytes are 24 characters");
        out.extend_from_slice(&text);
        out.extend_from_slice(self.rest.as_bytes());
    }
}

/// The name of call number `call`'s stream, as long as Twilio's are.
#[must_use]
pub fn stream_sid(call: u16) -> String {
    format!("MZ{call:032x}")
}

/// Appends Twilio's `media` message number `chunk` (from 1) of the call the tag names.
pub fn caller_media(out: &mut Vec<u8>, sequence: u32, chunk: u32, audio: &Audio, tag: Tag) {
    let timestamp = u64::from(chunk - 1) * 20;
    let call = tag.who;
    push(
        out,
        format_args!(
            r#"{{"event":"media","sequenceNumber":"{sequence}","streamSid":"MZ{call:032x}","media":{{"track":"inbound","chunk":"{chunk}","timestamp":"{timestamp}","payload":""#
        ),
    );
    audio.push(out, tag);
    out.extend_from_slice(b"\"}}");
}

/// Twilio's first two messages for call number `call`: `connected` and `start`.
#[must_use]
pub fn caller_start(call: u16) -> [String; 2] {
    let stream = stream_sid(call);
    [
        r#"{"event":"connected","protocol":"Call","version":"1.0.0"}"#.into(),
        format!(
            r#"{{"event":"start","sequenceNumber":"1","streamSid":"{stream}","start":{{"accountSid":"{ACCOUNT_SID}","streamSid":"{stream}","callSid":"CA{call:032x}","tracks":["inbound"],"mediaFormat":{{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1}},"customParameters":{{"token":"{call:032x}"}}}}}}"#
        ),
    ]
}

/// Appends Twilio's `mark`: the audio sent before it was played.
pub fn caller_mark(out: &mut Vec<u8>, sequence: u32, call: u16, name: &str) {
    push(
        out,
        format_args!(
            r#"{{"event":"mark","sequenceNumber":"{sequence}","streamSid":"MZ{call:032x}","mark":{{"name":"{name}"}}}}"#
        ),
    );
}

/// Appends Twilio's last message for call number `call`.
pub fn caller_stop(out: &mut Vec<u8>, sequence: u32, call: u16) {
    push(
        out,
        format_args!(
            r#"{{"event":"stop","sequenceNumber":"{sequence}","streamSid":"MZ{call:032x}","stop":{{"accountSid":"{ACCOUNT_SID}","callSid":"CA{call:032x}"}}}}"#
        ),
    );
}

/// Names of one answer of the model, as long as real ones are.
#[derive(Debug, Clone, Default)]
pub struct AnswerIds {
    /// The response.
    pub response: String,
    /// Its item.
    pub item: String,
}

impl AnswerIds {
    /// The names of answer `turn` on connection `who`.
    #[must_use]
    pub fn new(who: u16, turn: u16) -> Self {
        Self { response: format!("resp_CKmW{who:08x}{turn:08x}"), item: format!("item_CKmW{who:08x}{turn:08x}") }
    }
}

/// Appends OpenAI's `response.output_audio.delta`.
pub fn model_delta(out: &mut Vec<u8>, ids: &AnswerIds, audio: &Audio, tag: Tag) {
    let AnswerIds { response, item } = ids;
    push(
        out,
        format_args!(
            r#"{{"type":"response.output_audio.delta","event_id":"event_CKmW{:08x}{:08x}","response_id":"{response}","item_id":"{item}","output_index":0,"content_index":0,"delta":""#,
            tag.who, tag.seq
        ),
    );
    audio.push(out, tag);
    out.extend_from_slice(b"\"}");
}

fn push(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a vector takes everything");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_comes_back_from_the_audio() {
        let tag = Tag { nanos: 12_345_678_901, seq: 77, who: 3, turn: 9 };
        let mut text = Vec::new();
        Audio::new(FRAME_BYTES).push(&mut text, tag);
        assert_eq!(Tag::read(&text), Some(tag));
        assert_eq!(STANDARD.decode(&text).unwrap().len(), FRAME_BYTES);
        assert_eq!(Tag::read(b"////////////////////////////"), None);
    }

    #[test]
    fn messages_are_json_with_the_members_of_the_protocol() {
        let tag = Tag { nanos: 1, seq: 0, who: 0, turn: 0 };
        let mut media = Vec::new();
        caller_media(&mut media, 4, 3, &Audio::new(FRAME_BYTES), tag);
        let media: serde_json::Value = serde_json::from_slice(&media).unwrap();
        assert_eq!(media["media"]["timestamp"], "40");
        assert_eq!(media["sequenceNumber"], "4");

        let mut delta = Vec::new();
        model_delta(&mut delta, &AnswerIds::new(1, 2), &Audio::new(DELTA_BYTES), tag);
        let delta: serde_json::Value = serde_json::from_slice(&delta).unwrap();
        assert_eq!(delta["type"], "response.output_audio.delta");
        assert_eq!(STANDARD.decode(delta["delta"].as_str().unwrap()).unwrap().len(), DELTA_BYTES);
    }
}
