//! Messages from Twilio to the server.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use twilio_twiml::sid::{AccountSid, CallSid, StreamSid};

use super::{WireError, full, quoted, scan};

/// A message from Twilio. Text is borrowed from the message where it has no escapes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FromTwilio<'a> {
    /// The first message on the socket.
    Connected(Connected<'a>),
    /// The second message: who is calling. Boxed, as it comes once and is large.
    Start(Box<Start>),
    /// Audio.
    Media(Media<'a>),
    /// A key was pressed.
    Dtmf(Dtmf<'a>),
    /// The playback reached a mark, or a clear released it.
    Mark(Mark<'a>),
    /// The last message.
    Stop(Stop<'a>),
    /// An event that is not documented; carries its name.
    Unknown(Cow<'a, str>),
}

/// `connected`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connected<'a> {
    /// `"Call"`; empty when Twilio left it out.
    pub protocol: Cow<'a, str>,
    /// `"1.0.0"`; empty when Twilio left it out.
    pub version: Cow<'a, str>,
}

/// `start`. `Debug` shows the names of the custom parameters, not their values, as one is usually a token.
#[derive(Clone, PartialEq, Eq)]
pub struct Start {
    /// `1`.
    pub sequence_number: Option<u64>,
    /// The stream.
    pub stream_sid: StreamSid,
    /// The account that the call belongs to.
    pub account_sid: AccountSid,
    /// The leg that runs the TwiML.
    pub call_sid: CallSid,
    /// What will be received; [`Track::Inbound`] alone when the stream is bidirectional.
    pub tracks: Vec<Track>,
    /// The format of the audio.
    pub media_format: MediaFormat,
    /// One for each `<Parameter>`.
    pub custom_parameters: BTreeMap<String, String>,
}

impl fmt::Debug for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Start")
            .field("stream_sid", &self.stream_sid)
            .field("account_sid", &self.account_sid)
            .field("call_sid", &self.call_sid)
            .field("tracks", &self.tracks)
            .field("media_format", &self.media_format)
            .field("custom_parameters", &self.custom_parameters.keys())
            .finish_non_exhaustive()
    }
}

/// The format of a stream's audio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaFormat {
    /// Twilio sends `audio/x-mulaw`.
    pub encoding: String,
    /// In Hz; Twilio sends 8000.
    pub sample_rate: u32,
    /// Twilio sends 1.
    pub channels: u32,
}

impl MediaFormat {
    /// The only format that Twilio has: μ-law, 8000 Hz, mono.
    #[must_use]
    pub fn mulaw() -> Self {
        Self { encoding: "audio/x-mulaw".into(), sample_rate: 8_000, channels: 1 }
    }
}

/// Who is heard: as seen from Twilio, `inbound` is the party on this leg and `outbound` what is played to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Track {
    /// The party on this leg.
    Inbound,
    /// What is played to the party on this leg. Never on a bidirectional stream.
    Outbound,
}

impl Track {
    /// As written in `media.track` and `start.tracks`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }

    /// Takes both spellings that Twilio has, `inbound` and `inbound_track`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "inbound" | "inbound_track" => Some(Self::Inbound),
            "outbound" | "outbound_track" => Some(Self::Outbound),
            _ => None,
        }
    }
}

/// `media`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media<'a> {
    /// Counts all messages of the stream, from `start`, which is 1.
    pub sequence_number: Option<u64>,
    /// The stream.
    pub stream_sid: Cow<'a, str>,
    /// Who is heard.
    pub track: Track,
    /// Counts the audio messages, from 1.
    pub chunk: Option<u64>,
    /// Presentation time in ms from the start of the stream.
    pub timestamp: Option<u64>,
    /// μ-law as standard, padded base64. Checked when it was read.
    pub payload: Cow<'a, str>,
}

/// `dtmf`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dtmf<'a> {
    /// Counts all messages of the stream.
    pub sequence_number: Option<u64>,
    /// The stream.
    pub stream_sid: Cow<'a, str>,
    /// The key: `0` to `9`, `*`, `#`, perhaps `A` to `D`.
    pub digit: Cow<'a, str>,
}

/// `mark`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark<'a> {
    /// Counts all messages of the stream.
    pub sequence_number: Option<u64>,
    /// The stream.
    pub stream_sid: Cow<'a, str>,
    /// The name that the server gave.
    pub name: Cow<'a, str>,
}

/// `stop`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop<'a> {
    /// Counts all messages of the stream.
    pub sequence_number: Option<u64>,
    /// The stream.
    pub stream_sid: Cow<'a, str>,
    /// The account; empty when Twilio left it out.
    pub account_sid: Cow<'a, str>,
    /// The leg; empty when Twilio left it out.
    pub call_sid: Cow<'a, str>,
}

impl<'a> FromTwilio<'a> {
    /// Reads a message tolerantly: members in any order, unknown members, numbers as text or as numbers.
    ///
    /// The layout that Twilio sends fifty times a second is read by a scan; any surprise takes the full parser.
    ///
    /// # Errors
    ///
    /// [`WireError`] when it is not JSON, or a known event without what it must have. An unknown event is no error.
    pub fn parse(text: &'a str) -> Result<Self, WireError> {
        match Self::scan(text) {
            Some(media) => Ok(Self::Media(media)),
            None => Self::parse_full(text),
        }
    }

    /// Reads a `media` message in exactly the layout that Twilio sends; `None` for everything else.
    ///
    /// What it reads, [`FromTwilio::parse_full`] reads the same.
    #[must_use]
    pub fn scan(text: &'a str) -> Option<Media<'a>> {
        scan::media(text)
    }

    /// Reads a message with the full parser alone.
    ///
    /// # Errors
    ///
    /// As [`FromTwilio::parse`].
    pub fn parse_full(text: &'a str) -> Result<Self, WireError> {
        full::parse(text)
    }

    /// Writes the message as Twilio does: no white space, counters as text, `sampleRate` and `channels` as numbers.
    #[must_use]
    pub fn to_json(&self) -> String {
        match self {
            Self::Connected(connected) => format!(
                r#"{{"event":"connected","protocol":{},"version":{}}}"#,
                quoted(&connected.protocol),
                quoted(&connected.version)
            ),
            Self::Start(start) => start_json(start),
            Self::Media(media) => format!(
                r#"{{"event":"media"{},"streamSid":{},"media":{{"track":"{}"{}{},"payload":"{}"}}}}"#,
                counter("sequenceNumber", media.sequence_number),
                quoted(&media.stream_sid),
                media.track.as_str(),
                counter("chunk", media.chunk),
                counter("timestamp", media.timestamp),
                media.payload
            ),
            // Twilio's documentation has the stream before the counter here, unlike everywhere else.
            Self::Dtmf(dtmf) => format!(
                r#"{{"event":"dtmf","streamSid":{}{},"dtmf":{{"track":"inbound_track","digit":{}}}}}"#,
                quoted(&dtmf.stream_sid),
                counter("sequenceNumber", dtmf.sequence_number),
                quoted(&dtmf.digit)
            ),
            Self::Mark(mark) => format!(
                r#"{{"event":"mark"{},"streamSid":{},"mark":{{"name":{}}}}}"#,
                counter("sequenceNumber", mark.sequence_number),
                quoted(&mark.stream_sid),
                quoted(&mark.name)
            ),
            Self::Stop(stop) => format!(
                r#"{{"event":"stop"{},"streamSid":{},"stop":{{"accountSid":{},"callSid":{}}}}}"#,
                counter("sequenceNumber", stop.sequence_number),
                quoted(&stop.stream_sid),
                quoted(&stop.account_sid),
                quoted(&stop.call_sid)
            ),
            Self::Unknown(event) => format!(r#"{{"event":{}}}"#, quoted(event)),
        }
    }
}

fn start_json(start: &Start) -> String {
    let tracks: Vec<_> = start.tracks.iter().map(|track| quoted(track.as_str())).collect();
    let parameters: Vec<_> =
        start.custom_parameters.iter().map(|(name, value)| format!("{}:{}", quoted(name), quoted(value))).collect();
    format!(
        concat!(
            r#"{{"event":"start"{},"streamSid":"{}","start":{{"accountSid":"{}","streamSid":"{}","callSid":"{}","#,
            r#""tracks":[{}],"mediaFormat":{{"encoding":{},"sampleRate":{},"channels":{}}},"#,
            r#""customParameters":{{{}}}}}}}"#
        ),
        counter("sequenceNumber", start.sequence_number),
        start.stream_sid,
        start.account_sid,
        start.stream_sid,
        start.call_sid,
        tracks.join(","),
        quoted(&start.media_format.encoding),
        start.media_format.sample_rate,
        start.media_format.channels,
        parameters.join(",")
    )
}

/// A member with a number as Twilio writes its counters: as text.
fn counter(name: &str, value: Option<u64>) -> String {
    value.map(|value| format!(r#","{name}":"{value}""#)).unwrap_or_default()
}
