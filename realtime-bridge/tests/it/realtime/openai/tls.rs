//! Encrypted sessions.

use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use realtime_bridge::realtime::{
    ConnectError, RealtimeClient, RealtimeEvent, SessionConfig,
    openai::{OpenAiClient, OpenAiConfig},
};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_tungstenite::{WebSocketStream, accept_async, tungstenite::Message};

use super::server::{created, updated};

struct Server {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    certificate: Vec<u8>,
}

impl Server {
    async fn bind() -> Self {
        let own = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(own.signing_key.serialize_der()));
        let certificate = own.cert.der().to_vec();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { listener, acceptor: TlsAcceptor::from(Arc::new(config)), certificate }
    }

    fn config(&self) -> OpenAiConfig {
        let url = format!("https://{}/v1", self.listener.local_addr().unwrap());
        OpenAiConfig::new("sk-test").with_base_url(url)
    }

    /// `None` when the client does not like the certificate.
    async fn accept(&self) -> Option<WebSocketStream<TlsStream<TcpStream>>> {
        let (tcp, _) = self.listener.accept().await.unwrap();
        let tls = self.acceptor.accept(tcp).await.ok()?;
        Some(accept_async(tls).await.unwrap())
    }
}

#[tokio::test]
async fn a_session_over_tls() {
    let server = Server::bind().await;
    let client = OpenAiClient::new(server.config().with_root_certificate(server.certificate.clone())).unwrap();
    let settings = SessionConfig::default();
    let far_end = async {
        let mut socket = server.accept().await.expect("the certificate is trusted");
        socket.send(Message::text(created().to_string())).await.unwrap();
        let update = socket.next().await.unwrap().unwrap().into_text().unwrap();
        let echo = updated(&serde_json::from_str(&update).unwrap());
        socket.send(Message::text(echo.to_string())).await.unwrap();
        let speech = json!({"type": "input_audio_buffer.speech_started", "audio_start_ms": 1});
        socket.send(Message::text(speech.to_string())).await.unwrap();
        socket
    };
    let (session, _socket) = tokio::join!(client.connect(&settings), far_end);
    let event = session.unwrap().next().await.unwrap().unwrap();
    assert!(matches!(event, RealtimeEvent::SpeechStarted { .. }));
}

#[tokio::test]
async fn a_stranger_is_not_told_the_key() {
    let server = Server::bind().await;
    let client = OpenAiClient::new(server.config()).unwrap();
    let settings = SessionConfig::default();
    let (session, accepted) = tokio::join!(client.connect(&settings), server.accept());
    let error = session.expect_err("nobody vouches for the certificate");
    assert!(
        matches!(&error, ConnectError::Transport(source) if source.to_string().contains("certificate")),
        "{error:?}"
    );
    assert!(accepted.is_none(), "the upgrade request, which has the key in it, was not sent");
}

#[test]
fn a_certificate_that_is_none_is_a_problem_of_the_configuration() {
    let config = OpenAiConfig::new("sk-test").with_root_certificate(*b"not a certificate");
    let problems = OpenAiClient::new(config).unwrap_err().problems;
    assert!(problems.iter().any(|problem| problem.contains("root certificate")), "{problems:?}");
}
