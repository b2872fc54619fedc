//! The WebSocket of a media stream, Twilio's end of it.

use std::{
    collections::VecDeque,
    future::poll_fn,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use tokio::time::timeout;
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        Error as WsError, Message, Utf8Bytes,
        client::IntoClientRequest,
        error::ProtocolError,
        http::{HeaderValue, Request, header},
        protocol::WebSocketConfig,
    },
};
use twilio_twiml::webhook::signature::{self, AuthToken};
use url::Url;

use super::{
    debugger::{Alert, AlertCode},
    dial::{DialError, Dialer, Io},
    webhook::{causes, host, signed_url},
};

/// How long the server may take to answer the upgrade. Twilio documents no limit; this is that of its webhooks.
const OPEN_LIMIT: Duration = Duration::from_secs(15);

/// How long a server may take to answer the closing handshake before its socket is dropped.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// Messages that wait for a server that does not read: 5 s of audio.
const OUTBOX_LIMIT: usize = 250;

/// A socket with messages on their way out.
pub(super) struct StreamSocket {
    socket: WebSocketStream<Box<dyn Io>>,
    outbox: VecDeque<Message>,
    unflushed: bool,
}

/// What comes out of a socket.
#[derive(Debug)]
pub(super) enum Arrived {
    Text(Utf8Bytes),
    /// A binary message of so many bytes.
    Binary(usize),
    /// The server closed the WebSocket.
    Closed,
    /// The connection ended in another way.
    Lost(Alert),
}

impl StreamSocket {
    /// Opens the WebSocket: a signed upgrade that must be answered with 101.
    ///
    /// # Cancel safety
    ///
    /// A dropped attempt leaves nothing open.
    pub(super) async fn open(dialer: Dialer, url: Url, token: AuthToken) -> Result<Self, Alert> {
        let attempt = async {
            let io = dialer.connect(&url).await.map_err(|error| dial_alert(&error, &url))?;
            let config = WebSocketConfig::default().read_buffer_size(8 * 1024);
            let request = upgrade_request(&url, &token)?;
            client_async_with_config(request, io, Some(config)).await.map_err(|error| upgrade_alert(&error))
        };
        let unanswered = |_| Alert::new(AlertCode::StreamConnectTimeout, host(&url));
        let (socket, _) = timeout(OPEN_LIMIT, attempt).await.map_err(unanswered)??;
        Ok(Self { socket, outbox: VecDeque::new(), unflushed: false })
    }

    /// Queues a message; [`StreamSocket::next`] writes it.
    pub(super) fn send(&mut self, text: String) {
        self.outbox.push_back(Message::text(text));
    }

    /// Whether the server has not read for so long that no more audio is queued.
    pub(super) fn is_stalled(&self) -> bool {
        self.outbox.len() >= OUTBOX_LIMIT
    }

    /// Writes what is queued and waits for what comes.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub(super) async fn next(&mut self) -> Arrived {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Arrived> {
        // A failure to write shows on the reading side too, after what the server has still said.
        let _ = self.poll_write(cx);
        loop {
            return Poll::Ready(match ready!(self.socket.poll_next_unpin(cx)) {
                Some(Ok(Message::Text(text))) => Arrived::Text(text),
                Some(Ok(Message::Binary(bytes))) => Arrived::Binary(bytes.len()),
                Some(Ok(Message::Close(_))) | None => Arrived::Closed,
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                Some(Err(error)) => Arrived::Lost(lost_alert(&error)),
            });
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WsError>> {
        loop {
            // What was written before must be on its way first: the socket's own buffer has no bound.
            if self.unflushed {
                ready!(self.socket.poll_flush_unpin(cx))?;
                self.unflushed = false;
            }
            if self.outbox.is_empty() {
                return Poll::Ready(Ok(()));
            }
            while !self.outbox.is_empty() {
                ready!(self.socket.poll_ready_unpin(cx))?;
                if let Some(message) = self.outbox.pop_front() {
                    self.socket.start_send_unpin(message)?;
                    self.unflushed = true;
                }
            }
        }
    }

    /// Writes what is queued and closes the WebSocket; waits for the server to do the same, within a limit.
    ///
    /// What the server still sends is read, as an unread byte would let the network reset the connection before the
    /// server has read the last message.
    pub(super) async fn close(mut self) {
        self.outbox.push_back(Message::Close(None));
        let read_to_the_end = async { while !matches!(self.next().await, Arrived::Closed | Arrived::Lost(_)) {} };
        // A server that does not answer in time loses its socket like any other.
        let _ = timeout(CLOSE_LIMIT, read_to_the_end).await;
    }
}

fn upgrade_request(url: &Url, token: &AuthToken) -> Result<Request<()>, Alert> {
    let malformed = |detail: String| Alert::new(AlertCode::StreamUrl, detail);
    let mut request = url.as_str().into_client_request().map_err(|error| malformed(error.to_string()))?;
    let signature = token.sign_get(&signed_url(url));
    let signature = HeaderValue::try_from(signature).map_err(|error| malformed(error.to_string()))?;
    request.headers_mut().insert(signature::HEADER, signature);
    request.headers_mut().insert(header::USER_AGENT, HeaderValue::from_static("Twilio.TmeWs/1.0"));
    Ok(request)
}

fn dial_alert(error: &DialError, url: &Url) -> Alert {
    let code = match error {
        DialError::Refused(_) => AlertCode::StreamConnectRefused,
        DialError::Unreachable(_) => AlertCode::StreamConnectTimeout,
        DialError::Tls(_) => AlertCode::StreamTls,
    };
    Alert::new(code, format!("{}: {}", host(url), causes(error)))
}

fn upgrade_alert(error: &WsError) -> Alert {
    match error {
        WsError::Http(response) => Alert::new(AlertCode::StreamHandshake, format!("status {}", response.status())),
        _ => Alert::new(AlertCode::StreamHandshake, causes(error)),
    }
}

fn lost_alert(error: &WsError) -> Alert {
    let code = match error {
        WsError::Protocol(ProtocolError::ResetWithoutClosingHandshake) | WsError::Io(_) => AlertCode::StreamClosed,
        _ => AlertCode::StreamProtocol,
    };
    Alert::new(code, causes(error))
}

#[cfg(test)]
mod tests {
    use tokio::{io::duplex, time::Instant};
    use tokio_tungstenite::tungstenite::protocol::Role;

    use super::*;

    async fn pair(buffer: usize) -> (StreamSocket, WebSocketStream<impl Io>) {
        let (ours, theirs) = duplex(buffer);
        let io: Box<dyn Io> = Box::new(ours);
        let socket = WebSocketStream::from_raw_socket(io, Role::Client, None).await;
        let server = WebSocketStream::from_raw_socket(theirs, Role::Server, None).await;
        (StreamSocket { socket, outbox: VecDeque::new(), unflushed: false }, server)
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_does_not_read_stalls_the_audio_and_loses_none_of_it() {
        let (mut socket, mut server) = pair(64).await;
        let mut sent = 0;
        while !socket.is_stalled() {
            socket.send(sent.to_string());
            sent += 1;
            // A look at the socket writes what fits.
            assert!(timeout(Duration::ZERO, socket.next()).await.is_err());
            assert!(sent < 10_000);
        }
        let read = async {
            for number in 0..sent {
                let message = server.next().await.unwrap().unwrap();
                assert_eq!(message.to_text().unwrap(), number.to_string());
            }
            server.close(None).await.unwrap();
            server
        };
        let (arrived, _) = tokio::join!(socket.next(), read);
        assert!(matches!(arrived, Arrived::Closed), "{arrived:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn closing_waits_no_longer_than_its_limit() {
        let (mut socket, _server) = pair(64).await;
        (0..10).for_each(|number| socket.send(number.to_string()));
        let began = Instant::now();
        socket.close().await;
        assert_eq!(began.elapsed(), CLOSE_LIMIT);
    }
}
