//! A server on loopback that a test plays, message by message.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use realtime_bridge::realtime::{
    ConnectError, RealtimeClient, SessionConfig,
    openai::{OpenAiClient, OpenAiConfig, OpenAiSession},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::{
    WebSocketStream, accept_async,
    tungstenite::{Message, Utf8Bytes, protocol::CloseFrame},
};

/// The server's door.
pub(super) struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

/// The server's end of one connection.
pub(super) struct Peer {
    pub(super) socket: WebSocketStream<TcpStream>,
}

impl Server {
    pub(super) async fn bind() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self { listener, address }
    }

    pub(super) fn config(&self) -> OpenAiConfig {
        OpenAiConfig::new("sk-test").with_base_url(format!("http://{}/v1", self.address))
    }

    pub(super) async fn accept_tcp(&self) -> TcpStream {
        let (tcp, _) = self.listener.accept().await.unwrap();
        tcp.set_nodelay(true).unwrap();
        tcp
    }

    pub(super) async fn accept(&self) -> Peer {
        Peer { socket: accept_async(self.accept_tcp().await).await.unwrap() }
    }

    /// Reads a request and answers it with this text, to the byte. Returns the request.
    pub(super) async fn answer_http(&self, answer: &str) -> String {
        let mut tcp = self.accept_tcp().await;
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(tcp.read_u8().await.unwrap());
        }
        tcp.write_all(answer.as_bytes()).await.unwrap();
        tcp.shutdown().await.unwrap();
        String::from_utf8(request).unwrap()
    }
}

impl Peer {
    pub(super) async fn send(&mut self, event: Value) {
        self.send_text(event.to_string()).await;
    }

    pub(super) async fn send_text(&mut self, text: impl Into<Utf8Bytes>) {
        self.socket.send(Message::Text(text.into())).await.unwrap();
    }

    /// The next event of the client; `None` when it has said goodbye or is gone.
    pub(super) async fn recv(&mut self) -> Option<Value> {
        loop {
            match self.socket.next().await? {
                Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).unwrap()),
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(Message::Binary(bytes)) => panic!("the client sent {} bytes as binary", bytes.len()),
                Ok(_) => {}
            }
        }
    }

    pub(super) async fn close(&mut self, code: u16, reason: &'static str) {
        let frame = CloseFrame { code: code.into(), reason: Utf8Bytes::from_static(reason) };
        self.socket.send(Message::Close(Some(frame))).await.unwrap();
    }

    /// The whole set-up, after which the client has its session. Returns the client's update.
    pub(super) async fn set_up(&mut self) -> Value {
        self.send(created()).await;
        self.send(json!({"type": "conversation.created", "conversation": {"id": "conv_1"}})).await;
        let update = self.recv().await.unwrap();
        self.send(updated(&update)).await;
        update
    }
}

/// The first event of a session, with the provider's defaults.
pub(super) fn created() -> Value {
    let examples: Value = serde_json::from_str(super::wire::EXAMPLES).unwrap();
    examples["server.session.created"].clone()
}

/// The echo of an update.
pub(super) fn updated(update: &Value) -> Value {
    let mut session = update["session"].clone();
    session["id"] = json!("sess_1");
    session["object"] = json!("realtime.session");
    session["model"] = json!("gpt-realtime-2.1");
    json!({"type": "session.updated", "event_id": "event_2", "session": session})
}

/// A session and its far end.
pub(super) async fn session_with(config: OpenAiConfig, server: &Server) -> (OpenAiSession, Peer) {
    let client = OpenAiClient::new(config).unwrap();
    let settings = SessionConfig::default();
    let far_end = async {
        let mut peer = server.accept().await;
        peer.set_up().await;
        peer
    };
    let (session, peer) = tokio::join!(client.connect(&settings), far_end);
    (session.unwrap(), peer)
}

/// A session and its far end.
pub(super) async fn session() -> (OpenAiSession, Peer) {
    let server = Server::bind().await;
    session_with(server.config(), &server).await
}

/// What comes of connecting to a server that does `far_end` and then nothing, with its connection open as long as
/// `far_end` returns it.
pub(super) async fn connect_error<T>(config: OpenAiConfig, far_end: impl Future<Output = T>) -> ConnectError {
    let client = OpenAiClient::new(config).unwrap();
    let settings = SessionConfig::default();
    let far_end = async {
        let _held = far_end.await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        result = client.connect(&settings) => result.expect_err("the server does not set up a session"),
        () = far_end => unreachable!("the server waits for ever"),
    }
}
