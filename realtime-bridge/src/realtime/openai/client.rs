//! Opening conversations.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::{SinkExt, StreamExt};
use http::{HeaderMap, Request};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::{self, Message};

use super::{
    ConfigError, OpenAiConfig, OpenAiSession,
    decode::{malformed, provider_error},
    endpoint::Endpoint,
    session::{binary, close_reason, session_error},
    settings,
    sip::SipCallId,
    socket::Socket,
    wire::{ClientEvent, ErrorBody, ServerEvent, Session, SessionUpdate},
};
use crate::{
    realtime::{Capabilities, ConnectError, ErrorClass, PlaybackOwner, RealtimeClient, SessionConfig, classify},
    websocket::{Limits, WebSocket},
};

/// Our name for the update that sets up a session.
const SETUP: &str = "setup";

/// What is written at least at a time: more than a wake-up of the bridge has to say, so that it costs one system call.
const WRITE_BUFFER: usize = 4 << 10;

/// A client of OpenAI Realtime over WebSocket. Clones share everything.
#[derive(Debug, Clone)]
pub struct OpenAiClient {
    config: Arc<OpenAiConfig>,
    endpoint: Arc<Endpoint>,
}

impl OpenAiClient {
    /// A client for this configuration. Nothing is sent until [`connect`](RealtimeClient::connect).
    ///
    /// # Errors
    ///
    /// [`ConfigError`], with every problem that the configuration has.
    pub fn new(config: OpenAiConfig) -> Result<Self, ConfigError> {
        let endpoint = Arc::new(Endpoint::new(&config)?);
        Ok(Self { config: Arc::new(config), endpoint })
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &OpenAiConfig {
        &self.config
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    async fn open(
        &self,
        config: &SessionConfig,
        update: Session,
        waiting_for: &mut &'static str,
    ) -> Result<OpenAiSession, ConnectError> {
        // The provider counts from the connection; a moment too early is harmless.
        let opened = Instant::now();
        let (mut socket, _) = self.reach(self.endpoint.request(), waiting_for).await?;
        let updated = self.set_up(&mut socket, update, waiting_for).await?;
        let info = if self.config.dialect.echoes_session {
            settings::agreed(config, &updated)?
        } else {
            settings::believed(config, &updated)
        };
        Ok(OpenAiSession::new(socket, info.with_opened(opened.into_std()), &self.config))
    }

    /// Opens the control socket of a call. Without a configuration the session stays as it was set up before.
    pub(super) async fn open_control(
        &self,
        call: &SipCallId,
        config: Option<&SessionConfig>,
    ) -> Result<OpenAiSession, ConnectError> {
        let limit = self.config.connect_timeout;
        let mut waiting_for = "";
        let opened = timeout(limit, self.open_control_within(call, config, &mut waiting_for)).await;
        opened.unwrap_or(Err(ConnectError::Timeout { limit, waiting_for }))
    }

    async fn open_control_within(
        &self,
        call: &SipCallId,
        config: Option<&SessionConfig>,
        waiting_for: &mut &'static str,
    ) -> Result<OpenAiSession, ConnectError> {
        let update = config.map(settings::control).transpose()?;
        let (mut socket, mut session) = self.reach(self.endpoint.control(call), waiting_for).await?;
        if let Some(update) = update {
            session = self.set_up(&mut socket, update, waiting_for).await?;
        }
        let info = settings::agreed_by_sip(config, &session)?;
        let capabilities = Capabilities::client_driven().with_playback(PlaybackOwner::Provider);
        Ok(OpenAiSession::new(socket, info, &self.config).with_capabilities(capabilities))
    }

    /// Opens a socket and waits for its session, which has the provider's settings.
    async fn reach(
        &self,
        request: Request<()>,
        waiting_for: &mut &'static str,
    ) -> Result<(WebSocket<Socket>, Session), ConnectError> {
        let unreachable = |error: std::io::Error| ConnectError::Transport(Box::new(error));
        let socket = Socket::connect(&self.endpoint, waiting_for).await.map_err(unreachable)?;
        *waiting_for = "the WebSocket upgrade";
        let limits = Limits {
            read_buffer: self.config.read_buffer_size,
            write_buffer: WRITE_BUFFER,
            max_message: self.config.max_message_size,
        };
        let upgrade = WebSocket::connect(socket, request, limits).await;
        let mut socket = upgrade.map_err(|error| self.upgrade_failed(error))?;

        // An open socket is not yet a session: a wrong key may be told only now.
        *waiting_for = "session.created";
        let created = self.await_session(&mut socket, |event| matches!(event, ServerEvent::SessionCreated(_))).await?;
        Ok((socket, created))
    }

    /// Sends the settings and waits for what the provider made of them.
    async fn set_up(
        &self,
        socket: &mut WebSocket<Socket>,
        update: Session,
        waiting_for: &mut &'static str,
    ) -> Result<Session, ConnectError> {
        let update = SessionUpdate { event_id: Some(SETUP.into()), session: update };
        let update = Message::text(self.config.dialect.spell(ClientEvent::SessionUpdate(update).to_json()));
        socket.send(update).await.map_err(|error| self.setup_failed(error))?;
        *waiting_for = "session.updated";
        self.await_session(socket, |event| matches!(event, ServerEvent::SessionUpdated(_))).await
    }

    /// Reads until the event that is waited for. Whatever else comes before it is the provider's small talk, unless it
    /// is an error.
    async fn await_session(
        &self,
        socket: &mut WebSocket<Socket>,
        wanted: impl Fn(&ServerEvent) -> bool,
    ) -> Result<Session, ConnectError> {
        loop {
            let text = match socket.next().await {
                Some(Ok(Message::Text(text))) => text,
                Some(Ok(Message::Close(frame))) => return Err(ConnectError::Closed(close_reason(frame.as_ref()))),
                Some(Ok(Message::Binary(bytes))) => return Err(ConnectError::Protocol(binary(bytes.len()))),
                Some(Ok(_)) => continue,
                Some(Err(error)) => return Err(self.setup_failed(error)),
                None => return Err(ConnectError::Closed(close_reason(None))),
            };
            let event = ServerEvent::parse(&text).map_err(|error| ConnectError::Protocol(malformed(error)))?;
            match event {
                event if wanted(&event) => {
                    if let ServerEvent::SessionCreated(event) | ServerEvent::SessionUpdated(event) = event {
                        return Ok(event.session);
                    }
                }
                ServerEvent::Error(event) => return Err(ConnectError::Refused(provider_error(event.error))),
                event => tracing::trace!(kind = event.kind(), "passed over while the session is set up"),
            }
        }
    }

    fn setup_failed(&self, error: tungstenite::Error) -> ConnectError {
        use crate::realtime::SessionError;
        match session_error(error, self.config.max_message_size) {
            SessionError::Closed(reason) => ConnectError::Closed(reason),
            SessionError::Transport(source) => ConnectError::Transport(source),
            error => ConnectError::Protocol(error),
        }
    }

    fn upgrade_failed(&self, error: tungstenite::Error) -> ConnectError {
        let tungstenite::Error::Http(response) = error else { return self.setup_failed(error) };
        let (parts, body) = response.into_parts();
        // A used-up quota has the status of a rate limit, but waiting does not help.
        if let Some(error) = body.as_deref().and_then(error_in_body)
            && parts.status.as_u16() == 429
            && classify(&error) == ErrorClass::Fatal
        {
            return ConnectError::Refused(error);
        }
        ConnectError::Status { status: parts.status.as_u16(), retry_after: retry_after(&parts.headers) }
    }
}

#[async_trait]
impl RealtimeClient for OpenAiClient {
    type Session = OpenAiSession;

    async fn connect(&self, config: &SessionConfig) -> Result<OpenAiSession, ConnectError> {
        let update = settings::session(config)?;
        let limit = self.config.connect_timeout;
        let mut waiting_for = "";
        let opened = timeout(limit, self.open(config, update, &mut waiting_for)).await;
        opened.unwrap_or(Err(ConnectError::Timeout { limit, waiting_for }))
    }
}

/// The error of an HTTP answer: `{"error": {…}}`.
pub(super) fn error_in_body(body: &[u8]) -> Option<crate::realtime::ProviderError> {
    #[derive(serde::Deserialize)]
    struct Body {
        error: ErrorBody,
    }
    serde_json::from_slice::<Body>(body).ok().map(|body| provider_error(body.error))
}

/// `Retry-After` in seconds. The other form, a date, is not used by the provider and would need a wall clock.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?;
    let seconds: f64 = text.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}
