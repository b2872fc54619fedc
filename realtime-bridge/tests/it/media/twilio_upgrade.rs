//! From a plain `http` request to a media stream, on a hyper server.

use std::convert::Infallible;

use futures_util::{SinkExt, StreamExt};
use http::{Request, Response, StatusCode, Version, header};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use realtime_bridge::media::{
    MediaCommand, MediaEvent,
    twilio::{
        Config, MediaStream,
        upgrade::{Upgrade, UpgradeError, upgrade},
    },
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        protocol::{
            Role,
            frame::{
                Frame,
                coding::{Data, OpCode},
            },
        },
    },
};

use super::twilio_peer::{CONNECTED, START, STOP, STREAM};

/// The example of RFC 6455, section 1.3, with what its client must send.
const REQUEST: &str = "GET /api/twilio/media-stream/1 HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n\
    Connection: keep-alive, Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Serves one connection; what was upgraded comes out of the channel.
async fn serve(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, upgrades: mpsc::Sender<Upgrade>) {
    let service = service_fn(move |mut request: Request<Incoming>| {
        let upgrades = upgrades.clone();
        async move {
            Ok::<_, Infallible>(match upgrade(&mut request) {
                Ok((response, socket)) => {
                    upgrades.send(socket).await.unwrap();
                    response.map(|()| String::new())
                }
                Err(refused) => refused.response().map(|()| String::new()),
            })
        }
    });
    http1::Builder::new().serve_connection(TokioIo::new(io), service).with_upgrades().await.unwrap();
}

/// Sends the request and the first two messages in one go, as a client may that does not wait, and has a short call.
async fn call(
    ours: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    mut theirs: impl AsyncRead + AsyncWrite + Unpin,
) -> bool {
    let (upgrades, mut upgraded) = mpsc::channel(1);
    let mut server = tokio::task::JoinSet::new();
    server.spawn(serve(ours, upgrades));
    let mut bytes = REQUEST.as_bytes().to_vec();
    for text in [CONNECTED, START] {
        let mut frame = Frame::message(text, OpCode::Data(Data::Text), true);
        frame.header_mut().mask = Some([0; 4]);
        frame.format(&mut bytes).unwrap();
    }
    theirs.write_all(&bytes).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(theirs.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    assert!(head.contains(&format!("sec-websocket-accept: {}", ACCEPT.to_lowercase())), "{head}");

    let socket = upgraded.recv().await.unwrap().await.unwrap();
    let is_tcp = socket.is_tcp();
    let mut line = MediaStream::accept(socket, Config::default()).await.unwrap();
    assert_eq!(line.start().stream_sid.as_str(), STREAM);
    assert!(matches!(line.next().await, Some(Ok(MediaEvent::Started(_)))));
    let mut peer = WebSocketStream::from_raw_socket(theirs, Role::Client, None).await;
    line.send(MediaCommand::Clear).await.unwrap();
    assert!(matches!(peer.next().await, Some(Ok(Message::Text(text))) if text.contains("clear")));
    peer.send(Message::text(STOP)).await.unwrap();
    assert!(matches!(line.next().await, Some(Ok(MediaEvent::Stopped))));
    is_tcp
}

#[tokio::test]
async fn a_tcp_connection_comes_out_as_itself_with_what_was_read_ahead() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
    assert!(call(accepted.unwrap().0, client.unwrap()).await);
}

#[tokio::test]
async fn any_other_connection_works_too() {
    let (ours, theirs) = tokio::io::duplex(4_096);
    assert!(!call(ours, theirs).await);
}

#[test]
fn what_is_no_upgrade_is_refused_with_the_right_status() {
    let good = || {
        Request::builder()
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "WebSocket")
            .header(header::SEC_WEBSOCKET_VERSION, "13")
            .header(header::SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ==")
            .body(())
            .unwrap()
    };
    let without = |name: header::HeaderName| {
        let mut request = good();
        request.headers_mut().remove(name);
        request
    };
    let with = |name: header::HeaderName, value: &'static str| {
        let mut request = good();
        request.headers_mut().insert(name, header::HeaderValue::from_static(value));
        request
    };
    let mut post = good();
    *post.method_mut() = http::Method::POST;
    let mut old = good();
    *old.version_mut() = Version::HTTP_10;
    let cases = [
        (post, UpgradeError::NotGet, StatusCode::METHOD_NOT_ALLOWED),
        (old, UpgradeError::NotGet, StatusCode::METHOD_NOT_ALLOWED),
        (without(header::CONNECTION), UpgradeError::NotAnUpgrade, StatusCode::UPGRADE_REQUIRED),
        (with(header::UPGRADE, "h2c"), UpgradeError::NotAnUpgrade, StatusCode::UPGRADE_REQUIRED),
        (with(header::SEC_WEBSOCKET_VERSION, "8"), UpgradeError::Version, StatusCode::UPGRADE_REQUIRED),
        (without(header::SEC_WEBSOCKET_KEY), UpgradeError::Key, StatusCode::BAD_REQUEST),
        (with(header::SEC_WEBSOCKET_KEY, "short"), UpgradeError::Key, StatusCode::BAD_REQUEST),
        // Not from a server.
        (good(), UpgradeError::NotUpgradable, StatusCode::INTERNAL_SERVER_ERROR),
    ];
    for (mut request, expected, status) in cases {
        let error = upgrade(&mut request).unwrap_err();
        assert_eq!((error, error.response().status()), (expected, status));
        let names_version = error.response().headers().contains_key(header::SEC_WEBSOCKET_VERSION);
        assert_eq!(names_version, status == StatusCode::UPGRADE_REQUIRED);
    }
    let _: Response<String> = UpgradeError::Key.response().map(|()| String::new());
}
