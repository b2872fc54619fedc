//! The line: one call's audio from and to the telephone network.

use std::{collections::BTreeMap, error::Error, fmt, time::Duration};

use futures_util::{Sink, Stream};

use crate::audio::{AudioFormat, AudioFrame};

#[cfg(feature = "conformance")]
pub mod conformance;
pub mod elsewhere;
pub mod memory;
#[cfg(feature = "twilio")]
pub mod twilio;

/// One call's media connection.
///
/// # Contract
///
/// - The first event is [`MediaEvent::Started`], the last is [`MediaEvent::Stopped`] or an error; after that the stream
///   ends. A stream that ends without either was cut off.
/// - Commands are carried out in order. Audio is played in real time, however fast it was sent. A mark comes back as
///   [`MediaEvent::Mark`] when all audio sent before it was played, or when a clear has dropped that audio.
/// - `poll_ready` is the backpressure: it is pending while the peer does not take what was sent. `start_send` buffers,
///   `poll_flush` writes, and closing the sink ends the connection. None of them is needed for the stream to go on.
/// - Both halves are cancel safe: nothing is lost when a poll is dropped.
///
/// [`conformance`] (feature `conformance`) holds an implementation to this.
pub trait MediaTransport:
    Stream<Item = Result<MediaEvent, MediaError>> + Sink<MediaCommand, Error = MediaError> + Unpin + Send
{
    /// The format of both directions.
    fn format(&self) -> AudioFormat;
}

/// What the line tells us.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum MediaEvent {
    /// The line is up. Always the first event.
    Started(MediaStart),
    /// Audio of the caller, in the order it was spoken.
    Audio(AudioFrame),
    /// Audio was lost on the way here; silence of this length follows as [`MediaEvent::Audio`] in its place.
    Gap(Duration),
    /// The caller pressed a key.
    Dtmf(DtmfDigit),
    /// The playback has reached this mark, or a clear has released it.
    Mark(MarkId),
    /// The line is down: the caller hung up or the call was moved elsewhere.
    Stopped,
}

/// Who is on the line. `Debug` shows the names of the parameters, not their values, as one is usually a token.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MediaStart {
    /// The line's name for the call (Twilio: the `CallSid`).
    pub call_id: String,
    /// The line's name for this connection (Twilio: the `StreamSid`).
    pub stream_id: String,
    /// What whoever connected the call has passed along (Twilio: `<Parameter>`).
    pub parameters: BTreeMap<String, String>,
}

impl MediaStart {
    /// A line with these names and no parameters.
    #[must_use]
    pub fn new(call_id: impl Into<String>, stream_id: impl Into<String>) -> Self {
        Self { call_id: call_id.into(), stream_id: stream_id.into(), parameters: BTreeMap::new() }
    }

    /// Adds a parameter.
    #[must_use]
    pub fn with_parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.insert(name.into(), value.into());
        self
    }
}

impl fmt::Debug for MediaStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MediaStart")
            .field("call_id", &self.call_id)
            .field("stream_id", &self.stream_id)
            .field("parameters", &self.parameters.keys())
            .finish()
    }
}

/// What we tell the line.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum MediaCommand {
    /// Play this after what was sent before. The format must be [`MediaTransport::format`].
    Audio(AudioFrame),
    /// Tell us when all audio sent so far was played.
    Mark(MarkId),
    /// Drop everything that was sent and not yet played.
    Clear,
}

/// The name of a place in the outgoing audio, unique within a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MarkId(pub u64);

impl fmt::Display for MarkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One key of a telephone: `0` to `9`, `*`, `#`, `A` to `D`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DtmfDigit(char);

impl DtmfDigit {
    /// The key for a character; letters may be lower case. `None` for anything that is not on a telephone.
    #[must_use]
    pub const fn new(key: char) -> Option<Self> {
        match key.to_ascii_uppercase() {
            key @ ('0'..='9' | '*' | '#' | 'A'..='D') => Some(Self(key)),
            _ => None,
        }
    }

    /// The key as a character.
    #[must_use]
    pub const fn as_char(self) -> char {
        self.0
    }
}

/// Why a line cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MediaError {
    /// The peer did not say who it is within the limit.
    #[error("the line sent no start within {limit:?}")]
    MissingStart {
        /// The limit.
        limit: Duration,
    },
    /// The peer introduced itself twice.
    #[error("the line sent a second start")]
    SecondStart,
    /// A message came at a place where the protocol has none like it.
    #[error("the line sent {message} out of order")]
    OutOfOrder {
        /// The kind of message.
        message: &'static str,
    },
    /// A message names another connection than this one.
    #[error("the line sent a message for another stream")]
    WrongStream,
    /// A message is larger than the limit.
    #[error("the line sent a message over {limit} bytes")]
    Oversize {
        /// The limit in bytes.
        limit: usize,
    },
    /// A message is not what the protocol says.
    #[error("the line sent a malformed {message}")]
    Malformed {
        /// The kind of message, as far as it could be told.
        message: &'static str,
        /// What was wrong with it.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A binary message, where the protocol has text only.
    #[error("the line sent a binary message of {length} bytes")]
    Binary {
        /// Its length in bytes.
        length: usize,
    },
    /// Nothing at all came for longer than the limit: the peer is dead.
    #[error("the line was silent for {limit:?}")]
    Silent {
        /// The limit.
        limit: Duration,
    },
    /// The peer took nothing of what it was sent for longer than the limit.
    #[error("the line took nothing for {limit:?}")]
    Stalled {
        /// The limit.
        limit: Duration,
    },
    /// The connection ended without the line's goodbye.
    #[error("the line was cut off")]
    CutOff,
    /// Audio in another format than the line's was to be sent.
    #[error("the line takes {expected}, not {got}")]
    WrongFormat {
        /// The line's format.
        expected: AudioFormat,
        /// The format of the refused frame.
        got: AudioFormat,
    },
    /// Audio that does not fit one message of the line was to be sent at once.
    #[error("the line takes {limit} bytes of base64 audio in one frame, not {length}")]
    FrameTooLarge {
        /// The limit in bytes of base64 text.
        limit: usize,
        /// The length of the refused frame in bytes of base64 text.
        length: usize,
    },
    /// The connection failed.
    #[error("the line's connection failed")]
    Transport(#[source] Box<dyn Error + Send + Sync>),
}
