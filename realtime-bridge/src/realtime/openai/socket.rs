//! The bytes below the WebSocket: a TCP connection, encrypted or in the clear.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::endpoint::Endpoint;

/// A TCP connection, encrypted or in the clear.
#[derive(Debug)]
pub(super) enum Socket {
    Clear(TcpStream),
    /// Boxed, as the state of TLS is a kilobyte that a call in the clear need not carry.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Socket {
    /// Connects; `waiting_for` tells how far it got.
    pub(super) async fn connect(endpoint: &Endpoint, waiting_for: &mut &'static str) -> io::Result<Self> {
        *waiting_for = "a TCP connection";
        let tcp = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await?;
        // Frames of 20 ms must not wait for each other.
        tcp.set_nodelay(true)?;
        match &endpoint.tls {
            None => Ok(Self::Clear(tcp)),
            Some(tls) => {
                *waiting_for = "TLS";
                let connector = TlsConnector::from(tls.config.clone());
                Ok(Self::Tls(Box::new(connector.connect(tls.name.clone(), tcp).await?)))
            }
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Clear(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Self::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Clear(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Self::Tls(tls) => Pin::new(tls).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Clear(tcp) => Pin::new(tcp).poll_flush(cx),
            Self::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Clear(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}
