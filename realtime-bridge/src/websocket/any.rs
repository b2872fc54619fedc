//! Ours, or one that somebody else has set up.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite};
#[cfg(feature = "tungstenite")]
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::WebSocket;

/// A WebSocket of either kind; they behave the same.
#[derive(Debug)]
pub(crate) enum AnyWebSocket<S> {
    Own(WebSocket<S>),
    /// Boxed, as it is larger than ours.
    #[cfg(feature = "tungstenite")]
    Given(Box<WebSocketStream<S>>),
}

impl<S> AnyWebSocket<S> {
    /// The connection below.
    pub(crate) fn get_mut(&mut self) -> &mut S
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        match self {
            Self::Own(socket) => &mut socket.io,
            #[cfg(feature = "tungstenite")]
            Self::Given(socket) => socket.get_mut(),
        }
    }
}

macro_rules! either {
    ($self:ident, $method:ident($($argument:expr),*)) => {
        match $self.get_mut() {
            AnyWebSocket::Own(socket) => Pin::new(socket).$method($($argument),*),
            #[cfg(feature = "tungstenite")]
            AnyWebSocket::Given(socket) => Pin::new(&mut **socket).$method($($argument),*),
        }
    };
}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for AnyWebSocket<S> {
    type Item = Result<Message, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        either!(self, poll_next(cx))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sink<Message> for AnyWebSocket<S> {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        either!(self, poll_ready(cx))
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        either!(self, start_send(message))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        either!(self, poll_flush(cx))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        either!(self, poll_close(cx))
    }
}
