//! What a voice model tells us, whatever its provider.

use std::time::Duration;

use serde_json::value::RawValue;

use super::{ItemId, RequestId, ResponseId, ToolCallId};
use crate::{audio::AudioFrame, media::DtmfDigit};

/// What a voice model tells us.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum RealtimeEvent {
    /// The model hears the caller begin to speak.
    SpeechStarted {
        /// The entry the caller's words will get.
        item: Option<ItemId>,
        /// Position in the caller's audio, counted from the first byte appended.
        audio_start: Duration,
    },
    /// The model hears the caller end.
    SpeechStopped {
        /// The entry the caller's words will get.
        item: Option<ItemId>,
        /// Position in the caller's audio, counted from the first byte appended.
        audio_end: Duration,
    },
    /// The caller's words became an entry of the conversation.
    TurnCommitted {
        /// The entry.
        item: ItemId,
        /// The entry before it.
        previous: Option<ItemId>,
    },
    /// An entry was added to the conversation.
    ItemAdded {
        /// The entry.
        item: ItemId,
        /// The entry before it.
        previous: Option<ItemId>,
        /// What it is.
        kind: ItemKind,
    },
    /// More of what the caller said, in words.
    UserTranscriptDelta {
        /// The caller's entry.
        item: ItemId,
        /// The new words.
        delta: String,
    },
    /// All of what the caller said, in words. May come late, or never.
    UserTranscript {
        /// The caller's entry.
        item: ItemId,
        /// The words.
        text: String,
    },
    /// The words of the caller could not be told.
    UserTranscriptFailed {
        /// The caller's entry.
        item: ItemId,
        /// Why.
        error: ProviderError,
    },
    /// An answer begins.
    ResponseStarted {
        /// The answer.
        response: ResponseId,
        /// The request of ours that asked for it; `None` when the model began by itself.
        request: Option<RequestId>,
    },
    /// Speech of the model. Comes faster than it plays.
    Audio {
        /// The answer.
        response: ResponseId,
        /// The entry.
        item: ItemId,
        /// The part of the entry.
        content_index: u32,
        /// The speech.
        frame: AudioFrame,
    },
    /// No more speech for this part.
    AudioDone {
        /// The answer.
        response: ResponseId,
        /// The entry.
        item: ItemId,
        /// The part of the entry.
        content_index: u32,
    },
    /// More of what the model says, in words; mostly ahead of its speech.
    TranscriptDelta {
        /// The answer.
        response: ResponseId,
        /// The entry.
        item: ItemId,
        /// The part of the entry.
        content_index: u32,
        /// The new words.
        delta: String,
    },
    /// All of what the model says in this part, in words.
    Transcript {
        /// The answer.
        response: ResponseId,
        /// The entry.
        item: ItemId,
        /// The part of the entry.
        content_index: u32,
        /// The words.
        text: String,
    },
    /// An answer ended, one way or another.
    ResponseDone(Box<ResponseOutcome>),
    /// More of a text that was asked for beside the conversation.
    AsideDelta {
        /// The request.
        request: RequestId,
        /// The new words.
        delta: String,
    },
    /// A text that was asked for beside the conversation has come to its end.
    Aside {
        /// The request.
        request: RequestId,
        /// The whole text, or why there is none.
        result: Result<String, ProviderError>,
        /// What it used; `None` when the provider does not say.
        usage: Option<Usage>,
    },
    /// The model has cut an entry.
    Truncated {
        /// The entry.
        item: ItemId,
        /// What is left of its speech.
        audio_end: Duration,
    },
    /// A key the caller pressed, where the provider has the line (SIP).
    Dtmf(DtmfDigit),
    /// What the provider plays, where the provider has the line (SIP).
    Playback {
        /// The answer.
        response: ResponseId,
        /// What happened.
        change: PlaybackChange,
    },
    /// What is left of the account's limits.
    RateLimits(Vec<RateLimit>),
    /// A command of ours, or the session, has a problem.
    Error(ProviderError),
    /// Anything else the provider says, untouched.
    Other {
        /// The provider's name for the event.
        kind: String,
        /// The whole event.
        json: Box<RawValue>,
    },
}

/// What an entry of the conversation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ItemKind {
    /// Something the caller said, or that was said for the caller.
    User,
    /// Something the model said.
    Assistant,
    /// An instruction.
    System,
    /// A call of a tool.
    ToolCall,
    /// What a tool gave back.
    ToolOutput,
    /// Something else.
    Other,
}

/// What a provider that owns the line plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PlaybackChange {
    /// The caller begins to hear the answer.
    Started,
    /// The caller has heard all of it.
    Stopped,
    /// The rest was dropped.
    Cleared,
}

/// How an answer ended.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ResponseOutcome {
    /// The answer.
    pub response: ResponseId,
    /// How it ended.
    pub status: ResponseStatus,
    /// The tool calls in it, in order, complete or not.
    pub calls: Vec<ToolCall>,
    /// What it used; `None` when the provider does not say.
    pub usage: Option<Usage>,
}

impl ResponseOutcome {
    /// An outcome without calls and usage.
    #[must_use]
    pub fn new(response: ResponseId, status: ResponseStatus) -> Self {
        Self { response, status, calls: Vec::new(), usage: None }
    }

    /// Adds tool calls.
    #[must_use]
    pub fn with_calls(mut self, calls: Vec<ToolCall>) -> Self {
        self.calls = calls;
        self
    }

    /// Adds what the answer used.
    #[must_use]
    pub fn with_usage(mut self, usage: Usage) -> Self {
        self.usage = Some(usage);
        self
    }
}

/// How an answer ended.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ResponseStatus {
    /// It is whole.
    Completed,
    /// The caller spoke, and the provider stopped it.
    Interrupted,
    /// We asked to stop it.
    Cancelled,
    /// It was cut: the length limit, or the provider's policy.
    Incomplete {
        /// The provider's reason, such as `max_output_tokens` or `content_filter`.
        reason: String,
    },
    /// It could not be made.
    Failed(ProviderError),
}

/// The model wants a tool to be called.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ToolCall {
    /// The call.
    pub id: ToolCallId,
    /// Its entry in the conversation.
    pub item: ItemId,
    /// The tool.
    pub name: String,
    /// The arguments as JSON text, as the model wrote them.
    pub arguments: String,
    /// Whether the model finished writing the call. A call that is not complete must not run.
    pub complete: bool,
}

impl ToolCall {
    /// A complete call.
    #[must_use]
    pub fn new(
        id: impl Into<ToolCallId>,
        item: impl Into<ItemId>,
        name: impl Into<String>,
        arguments: impl Into<String>,
    ) -> Self {
        Self { id: id.into(), item: item.into(), name: name.into(), arguments: arguments.into(), complete: true }
    }
}

/// What answers have used, as the provider bills it. Counts tokens unless named otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub struct Usage {
    /// Input, all kinds, cached or not.
    pub input: u64,
    /// Input that is audio.
    pub input_audio: u64,
    /// Input that came from the cache; part of `input`.
    pub cached: u64,
    /// Output, all kinds.
    pub output: u64,
    /// Output that is audio.
    pub output_audio: u64,
    /// Seconds of session, where the provider bills time.
    pub seconds: f64,
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, more: Self) {
        self.input += more.input;
        self.input_audio += more.input_audio;
        self.cached += more.cached;
        self.output += more.output;
        self.output_audio += more.output_audio;
        self.seconds += more.seconds;
    }
}

/// What is left of one limit of the account.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RateLimit {
    /// The provider's name for it, such as `tokens`.
    pub name: String,
    /// The limit.
    pub limit: u64,
    /// What is left.
    pub remaining: u64,
    /// When it is whole again.
    pub reset: Duration,
}

impl RateLimit {
    /// What is left of the limit `name`.
    #[must_use]
    pub fn new(name: impl Into<String>, limit: u64, remaining: u64, reset: Duration) -> Self {
        Self { name: name.into(), limit, remaining, reset }
    }
}

/// A problem as the provider tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq, thiserror::Error)]
#[error("the provider says {}", self.code.as_deref().unwrap_or(&self.kind))]
#[non_exhaustive]
pub struct ProviderError {
    /// The provider's class, such as `invalid_request_error`.
    pub kind: String,
    /// The provider's code, such as `conversation_already_has_active_response`.
    pub code: Option<String>,
    /// The provider's words, for people.
    pub message: String,
    /// What was wrong, such as `session.type`.
    pub param: Option<String>,
    /// The request of ours that caused it, when the provider says so.
    pub request: Option<RequestId>,
}

impl ProviderError {
    /// A problem of this class with this code.
    #[must_use]
    pub fn new(kind: impl Into<String>, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind: kind.into(), code: Some(code.into()), message: message.into(), param: None, request: None }
    }

    /// Names the request that caused it.
    #[must_use]
    pub fn with_request(mut self, request: RequestId) -> Self {
        self.request = Some(request);
        self
    }
}
