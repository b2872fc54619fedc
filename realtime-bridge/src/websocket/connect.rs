//! The client's side of the handshake.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::Request;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::{
    client_async,
    tungstenite::{Error, protocol::Role},
};

use super::{Limits, WebSocket};

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Asks for a WebSocket and checks the answer, both as tungstenite does.
    ///
    /// # Errors
    ///
    /// [`Error::Http`] with the response when the server declines, and what else tungstenite finds.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the connection.
    pub(crate) async fn connect(io: S, request: Request<()>, limits: Limits) -> Result<Self, Error> {
        let (socket, _) = client_async(request, Answer { io, bytes: Vec::new(), handed: 0 }).await?;
        let Answer { io, bytes, handed } = socket.into_inner();
        Ok(Self::new(io, Role::Client, limits, &bytes[handed..]))
    }
}

/// Hands out the head of an answer of 101 and keeps what is behind it: the peer may speak at once, and tungstenite would
/// keep those bytes for itself.
struct Answer<S> {
    io: S,
    bytes: Vec<u8>,
    handed: usize,
}

impl<S: AsyncRead + Unpin> AsyncRead for Answer<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        const ROOM: usize = 1024;
        let this = self.get_mut();
        if this.handed == this.bytes.len() {
            let end = this.bytes.len();
            this.bytes.resize(end + ROOM, 0);
            let mut room = ReadBuf::new(&mut this.bytes[end..]);
            let outcome = Pin::new(&mut this.io).poll_read(cx, &mut room);
            let length = room.filled().len();
            this.bytes.truncate(end + length);
            ready!(outcome)?;
        }
        let head = memchr::memmem::find(&this.bytes, b"\r\n\r\n").map(|at| at + 4);
        let end = match head {
            Some(head) if this.bytes.starts_with(b"HTTP/1.1 101") => head,
            // The body of a refusal belongs to it.
            _ => this.bytes.len(),
        };
        let length = (end - this.handed).min(buf.remaining());
        buf.put_slice(&this.bytes[this.handed..this.handed + length]);
        this.handed += length;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Answer<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
