//! Our end of a session in memory.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_util::{Sink, Stream};

use super::pipe::Pipe;
use crate::realtime::{
    Capabilities, CloseReason, RealtimeCommand, RealtimeEvent, RealtimeSession, SessionError, SessionInfo,
};

/// Our end of a session whose other end is a [`MemoryModel`](super::MemoryModel).
#[derive(Debug)]
pub struct MemorySession {
    pub(super) events: Pipe<Result<RealtimeEvent, SessionError>>,
    pub(super) commands: Pipe<RealtimeCommand>,
    pub(super) capabilities: Capabilities,
    pub(super) info: SessionInfo,
}

impl Stream for MemorySession {
    type Item = Result<RealtimeEvent, SessionError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.events.poll_pop(cx)
    }
}

impl Sink<RealtimeCommand> for MemorySession {
    type Error = SessionError;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SessionError>> {
        if ready!(self.commands.poll_room(cx)) { Poll::Ready(Ok(())) } else { Poll::Ready(Err(gone())) }
    }

    fn start_send(self: Pin<&mut Self>, command: RealtimeCommand) -> Result<(), SessionError> {
        if let RealtimeCommand::Append(frame) = &command
            && frame.format() != self.info.input_format
        {
            return Err(SessionError::WrongFormat { expected: self.info.input_format, got: frame.format() });
        }
        if self.commands.is_abandoned() || self.commands.is_finished() {
            return Err(gone());
        }
        self.commands.push(command);
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SessionError>> {
        self.commands.poll_flushed(cx).map(Ok)
    }

    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Result<(), SessionError>> {
        self.commands.finish();
        self.events.finish();
        Poll::Ready(Ok(()))
    }
}

impl RealtimeSession for MemorySession {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn info(&self) -> &SessionInfo {
        &self.info
    }
}

impl Drop for MemorySession {
    fn drop(&mut self) {
        self.commands.finish();
        self.events.abandon();
    }
}

fn gone() -> SessionError {
    SessionError::Closed(CloseReason::new(None, ""))
}
