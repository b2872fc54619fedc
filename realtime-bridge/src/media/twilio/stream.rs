//! The transport: a WebSocket that has said `start`.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Sink, Stream};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::Instant,
};
#[cfg(feature = "tungstenite")]
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{self, Message, Utf8Bytes, error::ProtocolError, protocol::Role};

use super::{
    Config, StreamStart,
    handshake::shake_hands,
    timeline::Timeline,
    wire::{FromTwilio, Media, ToTwilio, Track, WireError, media_message},
};
use crate::{
    alarm::Alarm,
    audio::{AudioFormat, AudioFrame},
    media::{DtmfDigit, MarkId, MediaCommand, MediaError, MediaEvent, MediaTransport},
    websocket::{AnyWebSocket, WebSocket},
};

/// Silence is handed out in pieces of this length, as audio comes: a long hole needs no long buffer, and whoever takes a
/// bounded number of frames at a time takes a bounded length of them.
const SILENCE_PIECE: Duration = Duration::from_millis(20);

/// One call's media stream.
///
/// Audio goes through as the base64 it came in: the payload of a frame is a slice of the message.
///
/// Frames that were fed are written together at the next flush, or earlier when they fill the write buffer.
#[derive(Debug)]
pub struct MediaStream<S> {
    socket: AnyWebSocket<S>,
    start: StreamStart,
    config: Config,
    state: State,
    timeline: Timeline,
    began: Instant,
    heard: Instant,
    /// While open: when the peer will have been silent for too long, at the earliest. While closing: when to give up.
    alarm: Alarm,
    /// Silence still to be handed out, and the frame after it.
    hole: Option<(Duration, AudioFrame)>,
    counters: Counters,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// `start` came and was not yet handed out.
    Fresh,
    Open,
    /// The close frame is on its way.
    Closing,
    /// The close frame was sent; the peer's is awaited.
    Closed,
    /// Nothing more comes.
    Ended,
}

/// What a stream has counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Audio messages of the caller.
    pub frames: u64,
    /// Holes in the caller's audio.
    pub gaps: u64,
    /// Silence put in their place.
    pub gap_total: Duration,
    /// Messages that mean nothing to us: unknown events, keys and marks, audio of another track.
    pub ignored: u64,
}

impl<S: AsyncRead + AsyncWrite + Unpin> MediaStream<S> {
    /// Takes a socket that has been upgraded to a WebSocket, as its server, and waits until Twilio has said who is calling.
    ///
    /// # Errors
    ///
    /// [`MediaError::MissingStart`] after [`Config::start_limit`], [`MediaError::OutOfOrder`] when anything else comes
    /// first, and what else a peer can do wrong. The socket is dropped.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the socket.
    pub async fn accept(io: S, config: Config) -> Result<Self, MediaError> {
        let socket = WebSocket::new(io, Role::Server, config.web_socket(), &[]);
        Self::introduce(AnyWebSocket::Own(socket), config).await
    }

    /// Takes a WebSocket that somebody else has set up, whose buffers and limits are its own.
    ///
    /// # Errors
    ///
    /// As [`MediaStream::accept`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the socket.
    #[cfg(feature = "tungstenite")]
    pub async fn accept_tungstenite(socket: WebSocketStream<S>, config: Config) -> Result<Self, MediaError> {
        Self::introduce(AnyWebSocket::Given(Box::new(socket)), config).await
    }

    async fn introduce(mut socket: AnyWebSocket<S>, config: Config) -> Result<Self, MediaError> {
        let start = shake_hands(&mut socket, &config).await?;
        let now = Instant::now();
        Ok(Self {
            socket,
            start,
            state: State::Fresh,
            timeline: Timeline::new(config.gap_limit),
            began: now,
            heard: now,
            alarm: Alarm::new(now + config.silence_limit),
            hole: None,
            counters: Counters::default(),
            config,
        })
    }

    fn read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<MediaEvent>, MediaError>> {
        loop {
            let message = match self.socket_next(cx)? {
                Poll::Ready(message) => message,
                Poll::Pending => return self.watch_silence(cx).map(Err),
            };
            self.heard = Instant::now();
            let Some(text) = text_of(message)? else { continue };
            if let Some(event) = self.take(text)? {
                return Poll::Ready(Ok(Some(event)));
            }
        }
    }

    fn socket_next(&mut self, cx: &mut Context<'_>) -> Result<Poll<Message>, MediaError> {
        match Pin::new(&mut self.socket).poll_next(cx) {
            Poll::Pending => Ok(Poll::Pending),
            Poll::Ready(Some(Ok(message))) => Ok(Poll::Ready(message)),
            Poll::Ready(Some(Err(error))) => Err(frame_error(error, &self.config)),
            Poll::Ready(None) => Err(MediaError::CutOff),
        }
    }

    /// The alarm is not moved at each message: when it rings, it is set again for what is left.
    fn watch_silence(&mut self, cx: &mut Context<'_>) -> Poll<MediaError> {
        let limit = self.config.silence_limit;
        loop {
            ready!(self.alarm.poll(cx));
            let deadline = self.heard + limit;
            if Instant::now() >= deadline {
                return Poll::Ready(MediaError::Silent { limit });
            }
            self.alarm.set(deadline);
        }
    }

    fn take(&mut self, text: Utf8Bytes) -> Result<Option<MediaEvent>, MediaError> {
        match FromTwilio::parse(&text)? {
            FromTwilio::Media(media) => {
                self.own(&media.stream_sid)?;
                Ok(self.audio(&media, &text))
            }
            FromTwilio::Mark(mark) => {
                self.own(&mark.stream_sid)?;
                Ok(self.known(mark.name.parse().ok().map(|id| MediaEvent::Mark(MarkId(id)))))
            }
            FromTwilio::Dtmf(dtmf) => {
                self.own(&dtmf.stream_sid)?;
                let mut keys = dtmf.digit.chars();
                let key = keys.next().filter(|_| keys.next().is_none()).and_then(DtmfDigit::new);
                Ok(self.known(key.map(MediaEvent::Dtmf)))
            }
            FromTwilio::Stop(stop) => {
                self.own(&stop.stream_sid)?;
                self.state = State::Ended;
                Ok(Some(MediaEvent::Stopped))
            }
            FromTwilio::Unknown(_) => Ok(self.known(None)),
            FromTwilio::Start(_) => Err(MediaError::SecondStart),
            FromTwilio::Connected(_) => Err(MediaError::OutOfOrder { message: "connected" }),
        }
    }

    fn own(&self, stream_sid: &str) -> Result<(), MediaError> {
        if stream_sid == self.start.stream_sid.as_str() { Ok(()) } else { Err(MediaError::WrongStream) }
    }

    fn known(&mut self, event: Option<MediaEvent>) -> Option<MediaEvent> {
        self.counters.ignored += u64::from(event.is_none());
        event
    }

    fn audio(&mut self, media: &Media<'_>, text: &Utf8Bytes) -> Option<MediaEvent> {
        if media.track == Track::Outbound {
            return self.known(None);
        }
        self.counters.frames += 1;
        let frame = AudioFrame::from_checked_base64(AudioFormat::MuLaw, payload_of(media, text));
        let silence = self.timeline.advance(media.timestamp, frame.duration(), self.heard - self.began);
        if silence.is_zero() {
            return Some(MediaEvent::Audio(frame));
        }
        self.counters.gaps += 1;
        self.counters.gap_total += silence;
        self.hole = Some((silence, frame));
        Some(MediaEvent::Gap(silence))
    }

    fn fill_hole(&mut self) -> Option<MediaEvent> {
        let (silence, frame) = self.hole.take()?;
        if silence.is_zero() {
            return Some(MediaEvent::Audio(frame));
        }
        let piece = silence.min(SILENCE_PIECE);
        self.hole = Some((silence - piece, frame));
        Some(MediaEvent::Audio(AudioFrame::silence(AudioFormat::MuLaw, piece)))
    }

    fn message(&self, command: &MediaCommand) -> Result<Option<String>, MediaError> {
        let stream_sid = self.start.stream_sid.as_str();
        match command {
            MediaCommand::Audio(frame) => {
                let (expected, got) = (AudioFormat::MuLaw, frame.format());
                if got != expected {
                    return Err(MediaError::WrongFormat { expected, got });
                }
                let limit = self.config.max_outgoing_size;
                let length = frame.base64_len();
                if length > limit {
                    return Err(MediaError::FrameTooLarge { limit, length });
                }
                Ok((!frame.is_empty()).then(|| media_message(stream_sid, frame)))
            }
            MediaCommand::Mark(id) => {
                Ok(Some(ToTwilio::Mark { stream_sid: stream_sid.into(), name: id.to_string().into() }.to_json()))
            }
            MediaCommand::Clear => Ok(Some(ToTwilio::Clear { stream_sid: stream_sid.into() }.to_json())),
        }
    }
}

impl<S> MediaStream<S> {
    /// Who is on the line.
    pub const fn start(&self) -> &StreamStart {
        &self.start
    }

    /// What was counted so far.
    pub const fn counters(&self) -> Counters {
        self.counters
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for MediaStream<S> {
    type Item = Result<MediaEvent, MediaError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        match this.state {
            State::Fresh => {
                this.state = State::Open;
                return Poll::Ready(Some(Ok(MediaEvent::Started((&this.start).into()))));
            }
            State::Open => {}
            State::Closing | State::Closed | State::Ended => return Poll::Ready(None),
        }
        if let Some(event) = this.fill_hole() {
            return Poll::Ready(Some(Ok(event)));
        }
        let event = ready!(this.read(cx)).transpose();
        if matches!(event, Some(Err(_)) | None) {
            this.state = State::Ended;
        }
        Poll::Ready(event)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sink<MediaCommand> for MediaStream<S> {
    type Error = MediaError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), MediaError>> {
        Pin::new(&mut self.socket).poll_ready(cx).map_err(|error| frame_error(error, &self.config))
    }

    fn start_send(mut self: Pin<&mut Self>, command: MediaCommand) -> Result<(), MediaError> {
        match self.message(&command)? {
            Some(text) => Pin::new(&mut self.socket)
                .start_send(Message::Text(text.into()))
                .map_err(|error| frame_error(error, &self.config)),
            None => Ok(()),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), MediaError>> {
        Pin::new(&mut self.socket).poll_flush(cx).map_err(|error| frame_error(error, &self.config))
    }

    /// Sends what was fed and a close frame, waits until the peer has answered it, at most [`Config::close_limit`], and
    /// shuts the connection down.
    ///
    /// What the caller says meanwhile is dropped.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), MediaError>> {
        let this = self.get_mut();
        if !matches!(this.state, State::Closing | State::Closed) {
            this.alarm.set(Instant::now() + this.config.close_limit);
            this.state = State::Closing;
        }
        match this.poll_goodbye(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(closed(frame_error(error, &this.config))),
            Poll::Ready(Ok(())) => Poll::Ready(Ok(())),
            Poll::Pending => this.alarm.poll(cx).map(Ok),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> MediaStream<S> {
    fn poll_goodbye(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), tungstenite::Error>> {
        if self.state == State::Closing {
            ready!(Pin::new(&mut self.socket).poll_close(cx))?;
            self.state = State::Closed;
        }
        while ready!(Pin::new(&mut self.socket).poll_next(cx)).transpose()?.is_some() {}
        Pin::new(self.socket.get_mut()).poll_shutdown(cx).map_err(Into::into)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> MediaTransport for MediaStream<S> {
    fn format(&self) -> AudioFormat {
        AudioFormat::MuLaw
    }
}

/// A peer that is gone, or breaks the rules, while we close is as good as closed.
fn closed(error: MediaError) -> Result<(), MediaError> {
    match error {
        MediaError::Transport(_) => Err(error),
        _ => Ok(()),
    }
}

/// The payload as a slice of the message, or a copy when it had escapes.
fn payload_of(media: &Media<'_>, text: &Utf8Bytes) -> Bytes {
    match &media.payload {
        std::borrow::Cow::Borrowed(payload) => AsRef::<Bytes>::as_ref(text).slice_ref(payload.as_bytes()),
        std::borrow::Cow::Owned(payload) => Bytes::copy_from_slice(payload.as_bytes()),
    }
}

/// The text of a message; `None` for what the WebSocket itself answers.
pub(super) fn text_of(message: Message) -> Result<Option<Utf8Bytes>, MediaError> {
    match message {
        Message::Text(text) => Ok(Some(text)),
        Message::Binary(data) => Err(MediaError::Binary { length: data.len() }),
        Message::Close(_) => Err(MediaError::CutOff),
        Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => Ok(None),
    }
}

/// What a failed socket means for the line.
pub(super) fn frame_error(error: tungstenite::Error, config: &Config) -> MediaError {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    use tungstenite::Error;
    match error {
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake | ProtocolError::SendAfterClosing) => {
            MediaError::CutOff
        }
        Error::Io(error)
            if matches!(error.kind(), ConnectionReset | ConnectionAborted | BrokenPipe | UnexpectedEof) =>
        {
            MediaError::CutOff
        }
        Error::Capacity(_) => MediaError::Oversize { limit: config.max_message_size },
        Error::Utf8(_) => MediaError::Malformed { message: "text", source: Box::new(error) },
        Error::Protocol(_) => MediaError::Malformed { message: "WebSocket frame", source: Box::new(error) },
        other => MediaError::Transport(Box::new(other)),
    }
}

impl From<WireError> for MediaError {
    fn from(error: WireError) -> Self {
        Self::Malformed { message: error.event(), source: Box::new(error) }
    }
}
