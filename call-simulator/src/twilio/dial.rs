//! Connections to the application's servers, plain or over TLS.

use std::{fmt, io, sync::Arc};

use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;
use url::{Host, Url};

/// Opens connections.
#[derive(Clone)]
pub(crate) struct Dialer {
    tls: TlsConnector,
}

/// A connection, with or without TLS.
pub(crate) trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialError {
    #[error("the connection was refused")]
    Refused(#[source] io::Error),
    #[error("the server cannot be reached")]
    Unreachable(#[source] io::Error),
    #[error("the TLS handshake failed")]
    Tls(#[source] io::Error),
}

impl Dialer {
    /// Trusts the certificate authorities of the web.
    pub(crate) fn new() -> Self {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider supports the default versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self::with_tls(Arc::new(config))
    }

    /// Trusts whom this configuration trusts.
    pub(crate) fn with_tls(config: Arc<ClientConfig>) -> Self {
        Self { tls: TlsConnector::from(config) }
    }

    /// Connects to the host of an `http`, `https`, `ws` or `wss` URL.
    ///
    /// # Cancel safety
    ///
    /// A dropped attempt leaves nothing open.
    pub(crate) async fn connect(&self, url: &Url) -> Result<Box<dyn Io>, DialError> {
        let unusable = || DialError::Unreachable(io::Error::from(io::ErrorKind::AddrNotAvailable));
        let host = url.host().ok_or_else(unusable)?;
        let port = url.port_or_known_default().ok_or_else(unusable)?;
        let connected = match &host {
            Host::Domain(name) => TcpStream::connect((*name, port)).await,
            Host::Ipv4(address) => TcpStream::connect((*address, port)).await,
            Host::Ipv6(address) => TcpStream::connect((*address, port)).await,
        };
        let stream = connected.map_err(|error| match error.kind() {
            io::ErrorKind::ConnectionRefused => DialError::Refused(error),
            _ => DialError::Unreachable(error),
        })?;
        // 20 ms frames must not wait for each other's acknowledgement.
        stream.set_nodelay(true).map_err(DialError::Unreachable)?;
        if matches!(url.scheme(), "http" | "ws") {
            return Ok(Box::new(stream));
        }
        let name = match host {
            Host::Domain(name) => ServerName::try_from(name.to_owned()).map_err(|_| unusable())?,
            Host::Ipv4(address) => ServerName::from(std::net::IpAddr::from(address)),
            Host::Ipv6(address) => ServerName::from(std::net::IpAddr::from(address)),
        };
        Ok(Box::new(self.tls.connect(name, stream).await.map_err(DialError::Tls)?))
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dialer")
    }
}
