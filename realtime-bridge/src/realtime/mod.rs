//! The voice model: one conversation with a provider.
//!
//! A provider is a [`RealtimeClient`]. It opens a [`RealtimeSession`], which is a stream of [`RealtimeEvent`]s and a sink
//! of [`RealtimeCommand`]s. The vocabulary is that of conversations, not of one provider; where providers differ, the
//! difference is data ([`Capabilities`]), so that whoever drives a session needs no case for each of them.
//!
//! ```
//! use futures_util::{SinkExt, StreamExt};
//! use realtime_bridge::realtime::{
//!     ConnectError, RealtimeClient, RealtimeCommand, RealtimeEvent, RequestId, ResponseOptions, SessionConfig,
//! };
//!
//! /// Has the model greet, whoever provides it, and counts the milliseconds of speech.
//! async fn greeting(client: &impl RealtimeClient) -> Result<u128, ConnectError> {
//!     let config = SessionConfig::default().with_instructions("Greet the caller in one sentence.");
//!     let mut session = client.connect(&config).await?;
//!     let request = RequestId(1);
//!     let greet = RealtimeCommand::Respond { request, options: ResponseOptions::default() };
//!     let mut spoken = 0;
//!     if session.send(greet).await.is_ok() {
//!         while let Some(Ok(event)) = session.next().await {
//!             match event {
//!                 RealtimeEvent::Audio { frame, .. } => spoken += frame.duration().as_millis(),
//!                 RealtimeEvent::ResponseDone(_) => break,
//!                 _ => {}
//!             }
//!         }
//!     }
//!     Ok(spoken)
//! }
//! # use realtime_bridge::realtime::memory::MemoryClient;
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! # let (client, mut provider) = MemoryClient::new();
//! # let model = async {
//! #     let mut model = provider.accept().await.unwrap();
//! #     let _ = model.recv().await;
//! #     model.say(None, "Hello.", std::time::Duration::from_millis(700)).await;
//! # };
//! # let (spoken, ()) = tokio::join!(greeting(&client), model);
//! # assert_eq!(spoken.unwrap(), 700);
//! # }
//! ```
//!
//! - [`openai`] (feature `openai`): OpenAI Realtime over WebSocket.
//! - [`memory`]: a provider that your tests play.
//! - [`conformance`] (feature `conformance`): what an implementation of yours must pass.
//! - [`classify`] sorts a provider's errors by what to do about them.

mod command;
mod config;
#[cfg(feature = "conformance")]
pub mod conformance;
mod error_class;
mod event;
mod health;
mod id;
pub mod memory;
#[cfg(feature = "openai")]
pub mod openai;

use std::{
    error::Error,
    time::{Duration, Instant},
};

use async_trait::async_trait;
pub use command::{NewItem, RealtimeCommand, ResponseOptions, SessionUpdate};
pub use config::{NoiseReduction, SessionConfig, ToolSpec, Transcription, TurnDetection, TurnOwner};
pub use error_class::{ErrorClass, classify, retry_delay};
pub use event::{
    ItemKind, PlaybackChange, ProviderError, RateLimit, RealtimeEvent, ResponseOutcome, ResponseStatus, ToolCall, Usage,
};
use futures_util::{Sink, Stream};
pub use health::{Breaker, BreakerConfig, BreakerState, EndpointHealth};
pub use id::{ItemId, NotARequest, RequestId, ResponseId, ToolCallId};

use crate::audio::AudioFormat;

/// A provider of voice models.
#[async_trait]
pub trait RealtimeClient: Send + Sync {
    /// One conversation.
    type Session: RealtimeSession + 'static;

    /// Opens a conversation and sets it up.
    ///
    /// The session that comes back is ready: the provider has confirmed the configuration, the formats above all, so
    /// that the caller's audio may flow at once.
    ///
    /// # Errors
    ///
    /// [`ConnectError`]; [`ConnectError::retryable`] tells whether another attempt may help.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes whatever was opened.
    async fn connect(&self, config: &SessionConfig) -> Result<Self::Session, ConnectError>;
}

/// One conversation with a voice model.
///
/// # Contract
///
/// - Events come in the provider's order. The stream ends after an `Err`, or with `None` when the provider closed
///   the conversation in order.
/// - Commands are carried out in order. `poll_ready` is the backpressure: it is pending while the provider does not take
///   what was sent. `start_send` buffers, `poll_flush` writes, closing the sink ends the conversation in order.
/// - A command the provider refuses comes back as [`RealtimeEvent::Error`]; it does not end the stream.
/// - Both halves are cancel safe.
pub trait RealtimeSession:
    Stream<Item = Result<RealtimeEvent, SessionError>> + Sink<RealtimeCommand, Error = SessionError> + Unpin + Send
{
    /// What this provider can do.
    fn capabilities(&self) -> &Capabilities;

    /// What was agreed when the session was set up.
    fn info(&self) -> &SessionInfo;
}

/// What a provider can do, as data, so that the relay needs no case for each of them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// An entry can be cut to what was heard.
    pub truncate: bool,
    /// Answers can be asked for and stopped. Where not, the model alone decides when it speaks.
    pub respond: bool,
    /// Text can be asked for beside the conversation.
    pub asides: bool,
    /// Who has the line and its playback queue.
    pub playback: PlaybackOwner,
    /// The longest session the provider allows.
    pub session_limit: Option<Duration>,
}

impl Capabilities {
    /// A provider that is driven by its client, as OpenAI Realtime is over WebSocket: answers can be asked for, stopped
    /// and cut, the bridge has the line, tools are called by name.
    #[must_use]
    pub const fn client_driven() -> Self {
        Self { truncate: true, respond: true, asides: false, playback: PlaybackOwner::Bridge, session_limit: None }
    }

    /// A full-duplex provider that decides by itself when it speaks and stops, as OpenAI GPT-Live does.
    #[must_use]
    pub const fn server_driven() -> Self {
        Self { truncate: false, respond: false, asides: false, playback: PlaybackOwner::Bridge, session_limit: None }
    }

    /// Sets the longest session the provider allows.
    #[must_use]
    pub const fn with_session_limit(mut self, limit: Duration) -> Self {
        self.session_limit = Some(limit);
        self
    }

    /// Sets whether text can be asked for beside the conversation. Default: no.
    #[must_use]
    pub const fn with_asides(mut self, asides: bool) -> Self {
        self.asides = asides;
        self
    }

    /// Sets who has the line.
    #[must_use]
    pub const fn with_playback(mut self, playback: PlaybackOwner) -> Self {
        self.playback = playback;
        self
    }
}

/// Who has the line and its playback queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PlaybackOwner {
    /// The bridge: audio passes through us.
    Bridge,
    /// The provider: the call reached it without us (SIP).
    Provider,
}

/// What was agreed when a session was set up.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionInfo {
    /// The provider's name for the session.
    pub id: String,
    /// The model that answers.
    pub model: String,
    /// The format the caller's audio must have.
    pub input_format: AudioFormat,
    /// The format the model's audio has.
    pub output_format: AudioFormat,
    /// Who begins and stops answers.
    pub turn_owner: TurnOwner,
    /// When it was opened, from which on the provider's [limit](Capabilities::session_limit) counts. `None` where that is
    /// not known: then it counts from when the session takes over.
    pub opened: Option<Instant>,
}

impl SessionInfo {
    /// A session with these formats, whose provider begins and stops answers.
    #[must_use]
    pub fn new(
        id: impl Into<String>,
        model: impl Into<String>,
        input_format: AudioFormat,
        output_format: AudioFormat,
    ) -> Self {
        Self {
            id: id.into(),
            model: model.into(),
            input_format,
            output_format,
            turn_owner: TurnOwner::Provider,
            opened: None,
        }
    }

    /// Sets who begins and stops answers.
    #[must_use]
    pub const fn with_turn_owner(mut self, owner: TurnOwner) -> Self {
        self.turn_owner = owner;
        self
    }

    /// Sets when the session was opened.
    #[must_use]
    pub const fn with_opened(mut self, at: Instant) -> Self {
        self.opened = Some(at);
        self
    }
}

/// Why no conversation could be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The configuration cannot work; all problems are named.
    #[error("the session configuration cannot work: {}", .problems.join("; "))]
    Config {
        /// One sentence each.
        problems: Vec<String>,
    },
    /// The provider was not ready in time.
    #[error("the provider was not ready within {limit:?}, waiting for {waiting_for}")]
    Timeout {
        /// The limit.
        limit: Duration,
        /// What was missing, such as `session.updated`.
        waiting_for: &'static str,
    },
    /// The provider answered the connection request with an HTTP error.
    #[error("the provider answered with HTTP status {status}")]
    Status {
        /// The status code.
        status: u16,
        /// When the provider wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// The provider refused the session.
    #[error("the provider refused the session")]
    Refused(#[source] ProviderError),
    /// The provider does not speak its protocol.
    #[error("the provider does not speak its protocol")]
    Protocol(#[source] SessionError),
    /// The provider set up something else than was asked for.
    #[error("the provider did not accept {what}: asked for {asked}, got {got}")]
    NotAsAsked {
        /// The setting.
        what: &'static str,
        /// What was asked for.
        asked: String,
        /// What the provider says it does.
        got: String,
    },
    /// The connection failed.
    #[error("the provider cannot be reached")]
    Transport(#[source] Box<dyn Error + Send + Sync>),
    /// The connection was made and then closed.
    #[error("the provider closed the connection while the session was set up ({0})")]
    Closed(CloseReason),
}

impl ConnectError {
    /// Whether another attempt may help: time-outs, lost connections, statuses 408, 429 and 5xx, and refusals that
    /// [`classify`] takes for bad luck.
    #[must_use]
    pub fn retryable(&self) -> bool {
        match self {
            Self::Timeout { .. } | Self::Transport(_) => true,
            Self::Status { status, .. } => matches!(status, 408 | 429 | 500..=599),
            Self::Closed(reason) => reason.retryable(),
            Self::Refused(error) => matches!(classify(error), ErrorClass::Retry | ErrorClass::Rotate),
            Self::Config { .. } | Self::Protocol(_) | Self::NotAsAsked { .. } => false,
        }
    }
}

/// Why a conversation cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The provider closed it.
    #[error("the provider closed the session ({0})")]
    Closed(CloseReason),
    /// The provider sent something that is not its protocol.
    #[error("the provider sent a malformed {event}")]
    Malformed {
        /// The kind of event, as far as it could be told.
        event: String,
        /// What was wrong with it.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The provider sent more than the limit in one message.
    #[error("the provider sent a message over {limit} bytes")]
    Oversize {
        /// The limit in bytes.
        limit: usize,
    },
    /// Nothing came for longer than the limit.
    #[error("the provider was silent for {limit:?}")]
    Silent {
        /// The limit.
        limit: Duration,
    },
    /// The provider took nothing of what it was sent for longer than the limit.
    #[error("the provider took nothing for {limit:?}")]
    Stalled {
        /// The limit.
        limit: Duration,
    },
    /// Audio in another format than the session's was to be sent.
    #[error("the session takes {expected}, not {got}")]
    WrongFormat {
        /// The session's format.
        expected: AudioFormat,
        /// The format of the refused frame.
        got: AudioFormat,
    },
    /// The connection failed.
    #[error("the connection to the provider failed")]
    Transport(#[source] Box<dyn Error + Send + Sync>),
}

/// How a provider closed a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloseReason {
    /// The WebSocket close code; `None` when the connection just ended.
    pub code: Option<u16>,
    /// The provider's reason, such as `invalid_request_error.model_not_found`.
    pub reason: String,
}

impl CloseReason {
    /// A close with this code and reason.
    #[must_use]
    pub fn new(code: Option<u16>, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into() }
    }

    /// Whether a new session may work: the connection was lost, or the provider restarts or is busy.
    #[must_use]
    pub const fn retryable(&self) -> bool {
        matches!(self.code, None | Some(1001 | 1005 | 1006 | 1011 | 1012 | 1013 | 1015))
    }
}

impl std::fmt::Display for CloseReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.code {
            Some(code) if self.reason.is_empty() => write!(f, "code {code}"),
            Some(code) => write!(f, "code {code}, {}", self.reason),
            None => f.write_str("without a close frame"),
        }
    }
}
