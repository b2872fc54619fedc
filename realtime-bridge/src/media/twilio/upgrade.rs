//! From a plain `http` request to the socket of a media stream, for axum, hyper and whatever else is built on hyper.
//!
//! ```no_run
//! use http::{Request, Response};
//! use realtime_bridge::media::twilio::{Config, MediaStream, upgrade::upgrade};
//!
//! # fn token_is_good(_: &MediaStream<realtime_bridge::media::twilio::upgrade::Socket>) -> bool { true }
//! // The body's type is the framework's: `axum::body::Body`, `http_body_util::Empty<Bytes>`, …
//! async fn media_stream<B, R: Default>(mut request: Request<B>, calls: &mut tokio::task::JoinSet<()>) -> Response<R> {
//!     let (response, socket) = match upgrade(&mut request) {
//!         Ok(upgraded) => upgraded,
//!         Err(refused) => return refused.response().map(|()| R::default()),
//!     };
//!     // The socket is there once the response has been sent, so it is awaited elsewhere.
//!     calls.spawn(async move {
//!         let Ok(socket) = socket.await else { return };
//!         let Ok(line) = MediaStream::accept(socket, Config::default()).await else { return };
//!         if token_is_good(&line) {
//!             // Bridge the call.
//!         }
//!     });
//!     response.map(|()| R::default())
//! }
//! ```

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version,
    header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE},
};
use hyper::upgrade::{OnUpgrade, Parts, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// Answers a WebSocket upgrade (RFC 6455, section 4.2).
///
/// The response is `101 Switching Protocols`; the future resolves when the server has sent it.
///
/// # Errors
///
/// [`UpgradeError`] when the request is no upgrade, or the server cannot do one; [`UpgradeError::response`] is the answer.
pub fn upgrade<B>(request: &mut Request<B>) -> Result<(Response<()>, Upgrade), UpgradeError> {
    let accept = accept_key(request)?;
    let on_upgrade = request.extensions_mut().remove::<OnUpgrade>().ok_or(UpgradeError::NotUpgradable)?;
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    Ok((response, Upgrade { on_upgrade }))
}

fn accept_key<B>(request: &Request<B>) -> Result<HeaderValue, UpgradeError> {
    let headers = request.headers();
    if request.method() != Method::GET || request.version() != Version::HTTP_11 {
        return Err(UpgradeError::NotGet);
    }
    if !has_token(headers, &CONNECTION, "upgrade") || !has_token(headers, &UPGRADE, "websocket") {
        return Err(UpgradeError::NotAnUpgrade);
    }
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(UpgradeError::Version);
    }
    // 16 bytes in base64 have 24 characters.
    let key = headers.get(SEC_WEBSOCKET_KEY).filter(|key| key.len() == 24).ok_or(UpgradeError::Key)?;
    HeaderValue::try_from(derive_accept_key(key.as_bytes())).map_err(|_| UpgradeError::Key)
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|value| value.trim().eq_ignore_ascii_case(token))
}

/// Why a request is not answered with an upgrade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UpgradeError {
    /// Another method than `GET`, or another version than HTTP/1.1.
    #[error("a WebSocket begins with a GET of HTTP/1.1")]
    NotGet,
    /// No `Connection: Upgrade` or no `Upgrade: websocket`.
    #[error("the request asks for no WebSocket")]
    NotAnUpgrade,
    /// Another `Sec-WebSocket-Version` than 13.
    #[error("the WebSocket version is not 13")]
    Version,
    /// No `Sec-WebSocket-Key` of 24 characters.
    #[error("the WebSocket key is not 16 bytes of base64")]
    Key,
    /// The request does not come from a hyper server that can upgrade its connection, or was upgraded before.
    #[error("the server cannot upgrade this connection")]
    NotUpgradable,
}

impl UpgradeError {
    /// The HTTP status that fits.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::NotGet => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAnUpgrade | Self::Version => StatusCode::UPGRADE_REQUIRED,
            Self::Key => StatusCode::BAD_REQUEST,
            Self::NotUpgradable => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The response to refuse with; with status 426 it names what would be taken.
    #[must_use]
    pub fn response(self) -> Response<()> {
        let mut response = Response::new(());
        *response.status_mut() = self.status();
        if self.status() == StatusCode::UPGRADE_REQUIRED {
            let headers = response.headers_mut();
            headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        }
        response
    }
}

/// Resolves to the socket when the response was sent.
///
/// # Errors
///
/// An I/O error when the connection ended before.
///
/// # Cancel safety
///
/// Dropping it closes the connection once the response was sent.
#[derive(Debug)]
pub struct Upgrade {
    on_upgrade: OnUpgrade,
}

impl Future for Upgrade {
    type Output = io::Result<Socket>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match ready!(Pin::new(&mut self.on_upgrade).poll(cx)) {
            Ok(upgraded) => Socket::new(upgraded),
            Err(error) => Err(io::Error::new(io::ErrorKind::ConnectionAborted, error)),
        })
    }
}

/// A socket that a hyper server has given up: the TCP connection itself where the server runs on plain TCP, so that no
/// read or write goes through a trait object.
#[derive(Debug)]
pub struct Socket {
    /// What the server has read beyond the request.
    read_ahead: Bytes,
    io: Io,
}

#[derive(Debug)]
enum Io {
    Tcp(TcpStream),
    Other(TokioIo<Upgraded>),
}

impl Socket {
    fn new(upgraded: Upgraded) -> io::Result<Self> {
        match upgraded.downcast::<TokioIo<TcpStream>>() {
            Ok(Parts { io, read_buf, .. }) => {
                let tcp = io.into_inner();
                // Frames are small and must not wait for each other.
                tcp.set_nodelay(true)?;
                // An empty slice would still keep the server's buffer for as long as the call.
                let read_ahead = if read_buf.is_empty() { Bytes::new() } else { read_buf };
                Ok(Self { read_ahead, io: Io::Tcp(tcp) })
            }
            Err(upgraded) => Ok(Self { read_ahead: Bytes::new(), io: Io::Other(TokioIo::new(upgraded)) }),
        }
    }

    /// Whether reads and writes go to the TCP connection itself.
    #[must_use]
    pub const fn is_tcp(&self) -> bool {
        matches!(self.io, Io::Tcp(_))
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.read_ahead.is_empty() {
            let length = self.read_ahead.len().min(buf.remaining());
            buf.put_slice(&self.read_ahead[..length]);
            self.read_ahead.advance(length);
            if self.read_ahead.is_empty() {
                // Lets go of the server's buffer.
                self.read_ahead = Bytes::new();
            }
            return Poll::Ready(Ok(()));
        }
        match &mut self.io {
            Io::Tcp(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Io::Other(io) => Pin::new(io).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.io {
            Io::Tcp(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Io::Other(io) => Pin::new(io).poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Tcp(tcp) => Pin::new(tcp).poll_flush(cx),
            Io::Other(io) => Pin::new(io).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Tcp(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Io::Other(io) => Pin::new(io).poll_shutdown(cx),
        }
    }
}
