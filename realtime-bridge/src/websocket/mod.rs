//! A WebSocket for messages of a few hundred bytes, fifty times a second, on thousands of connections (RFC 6455).
//!
//! It speaks the words of tungstenite ([`Message`], [`Error`]) and does what `tokio_tungstenite::WebSocketStream` does,
//! for one task that polls both halves. The differences are what they cost: one buffer a direction that is used again
//! for each message and is never cleared, no waker between the socket and the task, one copy of each message.

#[cfg(feature = "twilio")]
mod any;
#[cfg(feature = "openai")]
mod connect;
mod frame;
#[cfg(test)]
mod tests;

use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll, ready},
};

#[cfg(feature = "twilio")]
pub(crate) use any::AnyWebSocket;
use bytes::Bytes;
use futures_util::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::{
    Error, Message, Utf8Bytes,
    error::{CapacityError, ProtocolError},
    protocol::{
        CloseFrame, Role,
        frame::coding::{CloseCode, Control, Data, OpCode},
    },
};

use self::frame::{Head, Masks};

/// Bytes of the write buffer that are kept when all is written: one delta of speech. A long answer of the model must not
/// stay in memory for as long as the call.
const KEPT: usize = 2 << 10;

/// How much a connection may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Bytes of the read buffer. A larger message takes more while it comes.
    pub(crate) read_buffer: usize,
    /// Bytes that may be unwritten before the sink is not ready.
    pub(crate) write_buffer: usize,
    /// The largest message, in bytes.
    pub(crate) max_message: usize,
}

/// One connection, after the handshake.
pub(crate) struct WebSocket<S> {
    io: S,
    /// The keys of a client; a server does not mask.
    masks: Option<Masks>,
    limits: Limits,
    state: State,
    input: Input,
    /// The parts of a message so far, and what it is.
    parts: Option<(Data, Vec<u8>)>,
    output: Vec<u8>,
    /// Bytes of the output that are already on their way.
    written: usize,
    /// The output holds an answer that the peer waits for, so reading writes it.
    answers: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// We have said goodbye, the peer has not.
    SaidGoodbye,
    /// The peer has said goodbye, and so have we.
    Closed,
    /// Nothing more comes.
    Ended,
}

impl<S> WebSocket<S> {
    /// A connection whose handshake somebody else has done. `early` is what the peer has said since then.
    pub(crate) fn new(io: S, role: Role, limits: Limits, early: &[u8]) -> Self {
        Self {
            io,
            masks: matches!(role, Role::Client).then(Masks::default),
            limits,
            state: State::Open,
            input: Input::new(limits.read_buffer, early),
            parts: None,
            output: Vec::new(),
            written: 0,
            answers: false,
        }
    }

    const fn is_server(&self) -> bool {
        self.masks.is_none()
    }

    fn unwritten(&self) -> usize {
        self.output.len() - self.written
    }

    fn queue(&mut self, opcode: OpCode, payload: &[u8]) {
        // A peer that is always a little behind never lets the output run empty.
        if self.written > self.limits.write_buffer {
            self.output.drain(..self.written);
            self.written = 0;
        }
        let mask = self.masks.as_mut().map(Masks::next);
        frame::push(&mut self.output, opcode, mask, payload);
    }

    fn queue_close(&mut self, close: Option<&CloseFrame>) {
        let mut payload = Vec::new();
        if let Some(CloseFrame { code, reason }) = close {
            payload.extend_from_slice(&u16::from(*code).to_be_bytes());
            payload.extend_from_slice(reason.as_bytes());
        }
        self.queue(OpCode::Control(Control::Close), &payload);
    }

    /// The next message of those that have come whole.
    fn take(&mut self) -> Result<Option<Message>, Error> {
        while let Some(head) = Head::read(self.input.bytes())? {
            match head.mask {
                None if self.is_server() => return Err(ProtocolError::UnmaskedFrameFromClient.into()),
                Some(_) if !self.is_server() => return Err(ProtocolError::MaskedFrameFromServer.into()),
                _ => {}
            }
            let max_size = self.limits.max_message;
            let so_far = self.parts.as_ref().map_or(0, |(_, parts)| parts.len());
            let size = head.length.saturating_add(so_far);
            if size > max_size && matches!(head.opcode, OpCode::Data(_)) {
                return Err(CapacityError::MessageTooLong { size, max_size }.into());
            }
            let Some(payload) = self.input.take(head) else { break };
            let message = match (head.opcode, &mut self.parts) {
                (OpCode::Control(control), _) => {
                    let payload = Bytes::copy_from_slice(payload);
                    self.control(control, payload)?
                }
                (OpCode::Data(Data::Continue), None) => return Err(ProtocolError::UnexpectedContinueFrame.into()),
                (OpCode::Data(Data::Continue), Some((_, parts))) => {
                    parts.extend_from_slice(payload);
                    match self.parts.take_if(|_| head.last) {
                        Some((kind, parts)) => Some(whole(kind, parts.into())?),
                        None => None,
                    }
                }
                (OpCode::Data(kind), Some(_)) => return Err(ProtocolError::ExpectedFragment(kind).into()),
                (OpCode::Data(kind), None) if head.last => Some(whole(kind, Bytes::copy_from_slice(payload))?),
                (OpCode::Data(kind), parts @ None) => {
                    *parts = Some((kind, payload.to_vec()));
                    None
                }
            };
            if message.is_some() {
                return Ok(message);
            }
        }
        Ok(None)
    }

    fn control(&mut self, control: Control, payload: Bytes) -> Result<Option<Message>, Error> {
        Ok(match control {
            Control::Ping => {
                // A peer that asks and does not read must not fill our memory; it may ask again when it has read.
                if self.state == State::Open && self.unwritten() <= self.limits.write_buffer {
                    self.queue(OpCode::Control(Control::Pong), &payload);
                    self.answers = true;
                }
                Some(Message::Ping(payload))
            }
            Control::Pong => Some(Message::Pong(payload)),
            Control::Close => {
                let close = close_frame(&payload)?;
                if self.state == State::Open {
                    self.queue_close(close.as_ref());
                    self.answers = true;
                }
                self.state = State::Closed;
                Some(Message::Close(close))
            }
            Control::Reserved(code) => return Err(ProtocolError::InvalidOpcode(code).into()),
        })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Reads once; `false` at the end of the connection.
    fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut room = ReadBuf::new(self.input.room());
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut room))?;
        let length = room.filled().len();
        self.input.came(length);
        Poll::Ready(Ok(length > 0))
    }

    /// Writes until at most `rest` bytes are unwritten.
    fn poll_output(&mut self, cx: &mut Context<'_>, rest: usize) -> Poll<Result<(), Error>> {
        while self.unwritten() > rest {
            match ready!(Pin::new(&mut self.io).poll_write(cx, &self.output[self.written..]))? {
                0 => return Poll::Ready(Err(io::Error::from(io::ErrorKind::WriteZero).into())),
                length => self.written += length,
            }
        }
        if self.unwritten() == 0 {
            (self.written, self.answers) = (0, false);
            self.output.clear();
            self.output.shrink_to(KEPT);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for WebSocket<S> {
    type Item = Result<Message, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if this.answers && this.state != State::Ended {
                match Pin::new(&mut *this).poll_flush(cx) {
                    // A server hangs up when its answer to the goodbye is written; until then there is nothing to read.
                    Poll::Pending if this.state == State::Closed => return Poll::Pending,
                    // A peer that has said goodbye need not wait for ours.
                    Poll::Ready(Err(_)) if this.state == State::Closed => this.state = State::Ended,
                    Poll::Ready(Err(error)) => return this.fail(error),
                    Poll::Ready(Ok(())) | Poll::Pending => {}
                }
            }
            match this.state {
                State::Open | State::SaidGoodbye => match this.take() {
                    Ok(Some(message)) => return Poll::Ready(Some(Ok(message))),
                    Ok(None) => {}
                    Err(error) => return this.fail(error),
                },
                State::Closed if this.is_server() => this.state = State::Ended,
                // A client waits until the server has hung up.
                State::Closed => this.input.forget(),
                State::Ended => {}
            }
            if this.state == State::Ended {
                return Poll::Ready(None);
            }
            match ready!(this.poll_input(cx)) {
                Ok(true) => {}
                Ok(false) | Err(_) if this.state == State::Closed => this.state = State::Ended,
                Ok(false) => return this.fail(ProtocolError::ResetWithoutClosingHandshake.into()),
                Err(error) => return this.fail(error.into()),
            }
        }
    }
}

impl<S> WebSocket<S> {
    fn fail(&mut self, error: Error) -> Poll<Option<Result<Message, Error>>> {
        self.state = State::Ended;
        Poll::Ready(Some(Err(error)))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sink<Message> for WebSocket<S> {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let limit = self.limits.write_buffer;
        self.poll_output(cx, limit)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        if self.state != State::Open {
            return Err(ProtocolError::SendAfterClosing.into());
        }
        match message {
            Message::Text(text) => self.queue(OpCode::Data(Data::Text), text.as_bytes()),
            Message::Binary(data) => self.queue(OpCode::Data(Data::Binary), &data),
            Message::Ping(data) => self.queue(OpCode::Control(Control::Ping), &data),
            Message::Pong(data) => self.queue(OpCode::Control(Control::Pong), &data),
            Message::Close(close) => {
                self.queue_close(close.as_ref());
                self.state = State::SaidGoodbye;
            }
            Message::Frame(_) => return Err(ProtocolError::UnexpectedContinueFrame.into()),
        }
        Ok(())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        ready!(self.poll_output(cx, 0))?;
        Pin::new(&mut self.io).poll_flush(cx).map_err(Error::from)
    }

    /// Says goodbye, where nobody has yet, and writes everything. The stream goes on until the peer has answered.
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.state == State::Open {
            self.queue_close(None);
            self.state = State::SaidGoodbye;
        }
        self.poll_flush(cx)
    }
}

impl<S> fmt::Debug for WebSocket<S> {
    /// Without the buffers, which hold what is said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket").field("state", &self.state).field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// What has come and was not taken yet.
struct Input {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// Bytes that the frame at the start needs, as far as it is known.
    needed: usize,
    usual: usize,
}

impl Input {
    fn new(usual: usize, early: &[u8]) -> Self {
        let mut bytes = vec![0; usual.max(early.len() + 1)];
        bytes[..early.len()].copy_from_slice(early);
        Self { bytes, start: 0, end: early.len(), needed: 0, usual }
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// The payload behind `head`, unmasked, once it is there.
    fn take(&mut self, head: Head) -> Option<&[u8]> {
        let frame = head.size + head.length;
        if self.end - self.start < frame {
            self.needed = frame;
            return None;
        }
        let payload = &mut self.bytes[self.start + head.size..self.start + frame];
        if let Some(mask) = head.mask {
            frame::apply(mask, payload);
        }
        (self.start, self.needed) = (self.start + frame, 0);
        Some(payload)
    }

    /// Room for what comes next: never empty.
    fn room(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            if self.bytes.len() > self.usual {
                self.bytes.truncate(self.usual);
                self.bytes.shrink_to_fit();
            }
        } else if self.end == self.bytes.len() {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.end == self.bytes.len() {
            // Grows with what really came, not with what the head promised.
            let grown = (self.bytes.len() * 2).min(self.needed.max(self.bytes.len() + self.usual));
            self.bytes.resize(grown, 0);
        }
        &mut self.bytes[self.end..]
    }

    const fn came(&mut self, length: usize) {
        self.end += length;
    }

    const fn forget(&mut self) {
        (self.start, self.end) = (0, 0);
    }
}

fn whole(kind: Data, payload: Bytes) -> Result<Message, Error> {
    Ok(match kind {
        Data::Text => Message::Text(Utf8Bytes::try_from(payload)?),
        _ => Message::Binary(payload),
    })
}

/// What a close frame says; a code nobody may send is a violation of the protocol.
fn close_frame(payload: &[u8]) -> Result<Option<CloseFrame>, Error> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return if payload.is_empty() { Ok(None) } else { Err(ProtocolError::InvalidCloseSequence.into()) };
    };
    let code = CloseCode::from(u16::from_be_bytes(*code));
    let reason = Utf8Bytes::try_from(Bytes::copy_from_slice(reason))?;
    Ok(Some(if code.is_allowed() {
        CloseFrame { code, reason }
    } else {
        CloseFrame { code: CloseCode::Protocol, reason: "Protocol violation".into() }
    }))
}
