//! One conversation over a WebSocket.

use std::{
    collections::VecDeque,
    fmt, io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Sink, Stream};
use tokio::time::{Sleep, sleep};
use tokio_tungstenite::tungstenite::{
    self, Message,
    error::{CapacityError, ProtocolError},
    protocol::CloseFrame,
};

use super::{
    Dialect, OpenAiConfig,
    decode::EventDecoder,
    encode::encode_command,
    keep_alive::{KeepAlive, Tick},
    socket::Socket,
};
use crate::{
    realtime::{
        Capabilities, CloseReason, RealtimeCommand, RealtimeEvent, RealtimeSession, RequestId, SessionError,
        SessionInfo,
    },
    websocket::WebSocket,
};

/// How many requests may wait for their answers to begin; one runs at a time, so more are forgotten.
const ASKED: usize = 4;

/// One conversation with OpenAI Realtime, set up and ready for audio.
///
/// Reading answers the provider's pings and finds dead connections, so keep polling the stream while the caller is on
/// the line. Closing the sink says goodbye and waits for the answer, for at most
/// [`close_timeout`](OpenAiConfig::close_timeout); dropping the session just cuts the connection.
pub struct OpenAiSession {
    socket: WebSocket<Socket>,
    decoder: EventDecoder,
    keep_alive: KeepAlive,
    capabilities: Capabilities,
    limit: Option<Duration>,
    /// What was asked for and has not begun, where the service does not tell which request an answer is for.
    asked: Option<VecDeque<RequestId>>,
    info: SessionInfo,
    max_message_size: usize,
    close_timeout: Duration,
    /// Runs from our goodbye on.
    closing: Option<Pin<Box<Sleep>>>,
    /// Nothing more comes from the provider.
    ended: bool,
}

impl OpenAiSession {
    pub(super) fn new(socket: WebSocket<Socket>, info: SessionInfo, config: &OpenAiConfig) -> Self {
        Self {
            socket,
            decoder: EventDecoder::new(info.output_format),
            keep_alive: KeepAlive::new(config.ping_interval, config.silence_limit),
            capabilities: within(Capabilities::client_driven(), config),
            limit: config.dialect.session_limit,
            asked: (!config.dialect.echoes_metadata).then_some(VecDeque::new()),
            info,
            max_message_size: config.max_message_size,
            close_timeout: config.close_timeout,
            closing: None,
            ended: false,
        }
    }

    /// Another provider's, or another way to it; the limit of a session is the same.
    pub(super) fn with_capabilities(mut self, capabilities: Capabilities) -> Self {
        self.capabilities = Capabilities { session_limit: self.limit, ..capabilities };
        self
    }

    /// An answer that begins is the one that was asked for, where nobody says which it is.
    fn attributed(&mut self, mut event: RealtimeEvent) -> RealtimeEvent {
        let Some(asked) = &mut self.asked else { return event };
        match &mut event {
            RealtimeEvent::ResponseStarted { request, .. } => *request = request.or_else(|| asked.pop_front()),
            // What was refused will not begin.
            RealtimeEvent::Error(error) => asked.retain(|request| error.request != Some(*request)),
            _ => {}
        }
        event
    }

    fn is_open(&self) -> bool {
        !self.ended && self.closing.is_none()
    }

    /// Ends the stream with what the provider's close frame says.
    fn closed_by_peer(
        &mut self,
        frame: Option<&CloseFrame>,
        cx: &mut Context<'_>,
    ) -> Option<Result<RealtimeEvent, SessionError>> {
        self.ended = true;
        // The answer to the goodbye is ready to be written; if it cannot be, the peer is gone and does not miss it.
        let _ = Pin::new(&mut self.socket).poll_flush(cx);
        let reason = close_reason(frame);
        match reason.code {
            Some(1_000) => None,
            _ if self.closing.is_some() => None,
            _ => Some(Err(SessionError::Closed(reason))),
        }
    }

    fn keep_alive(&mut self, cx: &mut Context<'_>) -> Result<(), SessionError> {
        while let Poll::Ready(tick) = self.keep_alive.poll(cx) {
            if tick == Tick::Dead {
                return Err(SessionError::Silent { limit: self.keep_alive.limit() });
            }
            // A socket that takes nothing needs no ping: it is either alive and slow, or soon found to be silent.
            if let Poll::Ready(Ok(())) = Pin::new(&mut self.socket).poll_ready(cx) {
                Pin::new(&mut self.socket).start_send(Message::Ping(Bytes::new())).map_err(|e| self.failed(e))?;
                if let Poll::Ready(Err(error)) = Pin::new(&mut self.socket).poll_flush(cx) {
                    return Err(self.failed(error));
                }
            }
        }
        Ok(())
    }

    fn failed(&self, error: tungstenite::Error) -> SessionError {
        session_error(error, self.max_message_size)
    }
}

impl Stream for OpenAiSession {
    type Item = Result<RealtimeEvent, SessionError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let result = loop {
            if this.ended {
                return Poll::Ready(None);
            }
            match Pin::new(&mut this.socket).poll_next(cx) {
                Poll::Ready(Some(Ok(Message::Text(text)))) => {
                    this.keep_alive.heard();
                    let message = Bytes::from(text.clone());
                    break this.decoder.decode_text(&message, &text);
                }
                Poll::Ready(Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)))) => {
                    this.keep_alive.heard();
                }
                Poll::Ready(Some(Ok(Message::Binary(bytes)))) => break Err(binary(bytes.len())),
                Poll::Ready(Some(Ok(Message::Close(frame)))) => {
                    return Poll::Ready(this.closed_by_peer(frame.as_ref(), cx));
                }
                Poll::Ready(None) => this.ended = true,
                Poll::Ready(Some(Err(_))) if this.closing.is_some() => this.ended = true,
                Poll::Ready(Some(Err(error))) => break Err(this.failed(error)),
                Poll::Pending => match this.keep_alive(cx) {
                    Ok(()) => return Poll::Pending,
                    Err(error) => break Err(error),
                },
            }
        };
        this.ended = result.is_err();
        Poll::Ready(Some(result.map(|event| this.attributed(event))))
    }
}

fn within(capabilities: Capabilities, config: &OpenAiConfig) -> Capabilities {
    // Only by its metadata is an answer beside the conversation known.
    let Dialect { truncates, session_limit, echoes_metadata: asides, .. } = config.dialect;
    Capabilities { truncate: truncates, asides, session_limit, ..capabilities }
}

impl Sink<RealtimeCommand> for OpenAiSession {
    type Error = SessionError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SessionError>> {
        if !self.is_open() {
            return Poll::Ready(Err(gone()));
        }
        let ready = ready!(Pin::new(&mut self.socket).poll_ready(cx));
        Poll::Ready(ready.map_err(|error| self.failed(error)))
    }

    fn start_send(mut self: Pin<&mut Self>, command: RealtimeCommand) -> Result<(), SessionError> {
        if let RealtimeCommand::Append(frame) = &command
            && frame.format() != self.info.input_format
        {
            return Err(SessionError::WrongFormat { expected: self.info.input_format, got: frame.format() });
        }
        if !self.is_open() {
            return Err(gone());
        }
        if let (Some(asked), RealtimeCommand::Respond { request, .. }) = (&mut self.asked, &command) {
            if asked.len() == ASKED {
                asked.pop_front();
            }
            asked.push_back(*request);
        }
        let message = Message::text(encode_command(&command));
        Pin::new(&mut self.socket).start_send(message).map_err(|error| self.failed(error))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SessionError>> {
        if !self.is_open() {
            return Poll::Ready(Ok(()));
        }
        let flushed = ready!(Pin::new(&mut self.socket).poll_flush(cx));
        Poll::Ready(flushed.map_err(|error| self.failed(error)))
    }

    /// Says goodbye, writes what is buffered, and waits until the provider has answered or the limit has passed. What
    /// the provider still says meanwhile is dropped.
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SessionError>> {
        let this = &mut *self;
        if this.ended {
            return Poll::Ready(Ok(()));
        }
        let limit = this.close_timeout;
        let deadline = this.closing.get_or_insert_with(|| Box::pin(sleep(limit)));
        if deadline.as_mut().poll(cx).is_ready() {
            this.ended = true;
            return Poll::Ready(Ok(()));
        }
        if ready!(Pin::new(&mut this.socket).poll_close(cx)).is_ok() {
            while let Some(Ok(_)) = ready!(Pin::new(&mut this.socket).poll_next(cx)) {}
        }
        this.ended = true;
        Poll::Ready(Ok(()))
    }
}

impl RealtimeSession for OpenAiSession {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn info(&self) -> &SessionInfo {
        &self.info
    }
}

impl fmt::Debug for OpenAiSession {
    /// Without the socket, whose buffers hold what is said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenAiSession").field("info", &self.info).field("ended", &self.ended).finish_non_exhaustive()
    }
}

/// What a close frame, or its absence, says.
pub(super) fn close_reason(frame: Option<&CloseFrame>) -> CloseReason {
    match frame {
        Some(frame) => CloseReason::new(Some(frame.code.into()), frame.reason.as_str()),
        None => CloseReason::new(None, ""),
    }
}

/// A WebSocket's failure in our words.
pub(super) fn session_error(error: tungstenite::Error, limit: usize) -> SessionError {
    use tungstenite::Error;
    let lost = |kind| {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
        matches!(kind, BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
    };
    match error {
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake | ProtocolError::SendAfterClosing) => gone(),
        Error::Io(error) if lost(error.kind()) => gone(),
        Error::Capacity(CapacityError::MessageTooLong { .. }) => SessionError::Oversize { limit },
        error @ (Error::Protocol(_) | Error::Utf8(_)) => {
            SessionError::Malformed { event: "WebSocket frame".into(), source: Box::new(error) }
        }
        error => SessionError::Transport(Box::new(error)),
    }
}

/// The protocol is text only.
pub(super) fn binary(length: usize) -> SessionError {
    let source = format!("{length} bytes where the protocol has text only");
    SessionError::Malformed { event: "binary message".into(), source: source.into() }
}

fn gone() -> SessionError {
    SessionError::Closed(CloseReason::new(None, ""))
}
