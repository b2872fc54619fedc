//! The HTTP side of a bridge: answers the caller's upgrade as a server built on hyper does.

use std::{convert::Infallible, io};

use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use realtime_bridge::media::twilio::upgrade::{Socket, upgrade};
use tokio::{net::TcpStream, sync::Mutex};

/// Serves one connection until it is a WebSocket.
///
/// # Errors
///
/// An I/O error when the connection ends before.
pub(super) async fn upgraded(connection: TcpStream) -> io::Result<Socket> {
    let pending = Mutex::new(None);
    let service = service_fn(async |mut request: Request<Incoming>| {
        let (response, socket) = match upgrade(&mut request) {
            Ok(upgraded) => upgraded,
            Err(refused) => return Ok::<_, Infallible>(refused.response().map(|()| String::new())),
        };
        *pending.lock().await = Some(socket);
        Ok(response.map(|()| String::new()))
    });
    let served = http1::Builder::new().serve_connection(TokioIo::new(connection), service).with_upgrades().await;
    served.map_err(io::Error::other)?;
    match pending.lock().await.take() {
        Some(socket) => socket.await,
        None => Err(io::Error::other("the caller asked for no WebSocket")),
    }
}
