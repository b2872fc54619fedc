//! tungstenite is the oracle: whatever a peer sends, we say what it says.

use std::io::{Cursor, Read, Write};

use futures_util::{FutureExt, SinkExt, StreamExt};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex, join};
use tokio_tungstenite::{WebSocketStream, tungstenite};

use super::{
    frame::{apply, push},
    *,
};

const LIMITS: Limits = Limits { read_buffer: 64, write_buffer: 1_024, max_message: 1_000_000 };

fn text(length: usize) -> Message {
    Message::text("0123456789".chars().cycle().take(length).collect::<String>())
}

fn other(role: Role) -> Role {
    match role {
        Role::Server => Role::Client,
        Role::Client => Role::Server,
    }
}

#[tokio::test]
async fn messages_of_each_length_go_both_ways_however_small_the_pieces() {
    for (role, pipe) in [(Role::Server, 7), (Role::Client, 7), (Role::Server, 1 << 16), (Role::Client, 1 << 16)] {
        let (near, far) = duplex(pipe);
        let mut ours = WebSocket::new(near, role, LIMITS, &[]);
        let mut theirs = WebSocketStream::from_raw_socket(far, other(role), None).await;
        for length in [0, 1, 125, 126, 127, 5_000, 65_535, 65_536, 200_000] {
            for message in [text(length), Message::binary(vec![0xA5; length])] {
                let (sent, got) = tokio::join!(theirs.send(message.clone()), ours.next());
                sent.unwrap();
                assert_eq!(got.unwrap().unwrap(), message);
                let (sent, got) = tokio::join!(ours.send(message.clone()), theirs.next());
                sent.unwrap();
                assert_eq!(got.unwrap().unwrap(), message);
            }
        }
    }
}

#[tokio::test]
async fn a_ping_is_answered_by_reading_alone() {
    let (near, far) = duplex(1 << 10);
    let mut ours = WebSocket::new(near, Role::Server, LIMITS, &[]);
    let mut theirs = WebSocketStream::from_raw_socket(far, Role::Client, None).await;
    let ping = Bytes::from_static(b"there?");
    theirs.send(Message::Ping(ping.clone())).await.unwrap();
    assert_eq!(ours.next().await.unwrap().unwrap(), Message::Ping(ping.clone()));
    tokio::select! {
        _ = ours.next() => panic!("nothing was sent"),
        pong = theirs.next() => assert_eq!(pong.unwrap().unwrap(), Message::Pong(ping)),
    }
}

#[tokio::test]
async fn a_peer_that_asks_for_ever_and_never_reads_fills_no_memory() {
    let (near, mut far) = duplex(1 << 10);
    let mut ours = WebSocket::new(near, Role::Server, LIMITS, &[]);
    let mut ping = Vec::new();
    push(&mut ping, OpCode::Control(Control::Ping), Some([1, 2, 3, 4]), &[0; 125]);
    for _ in 0..100 {
        far.write_all(&ping).await.unwrap();
        assert!(matches!(ours.next().await.unwrap().unwrap(), Message::Ping(_)));
    }
    assert!(ours.unwritten() < 2 * LIMITS.write_buffer, "{} bytes wait", ours.unwritten());
}

#[tokio::test]
async fn either_side_may_say_goodbye_first() {
    for role in [Role::Server, Role::Client] {
        let (near, far) = duplex(1 << 10);
        let mut ours = WebSocket::new(near, role, LIMITS, &[]);
        let mut theirs = WebSocketStream::from_raw_socket(far, other(role), None).await;
        let close = CloseFrame { code: CloseCode::Away, reason: "restart".into() };
        theirs.send(Message::Close(Some(close.clone()))).await.unwrap();
        assert_eq!(ours.next().await.unwrap().unwrap(), Message::Close(Some(close.clone())));
        assert!(ours.send(text(1)).await.is_err(), "all is said");
        let (end, ()) = tokio::join!(ours.next(), async {
            assert_eq!(theirs.next().await.unwrap().unwrap(), Message::Close(Some(close)));
            drop(theirs);
        });
        assert!(end.is_none());

        let (near, far) = duplex(1 << 10);
        let mut ours = WebSocket::new(near, role, LIMITS, &[]);
        let mut theirs = WebSocketStream::from_raw_socket(far, other(role), None).await;
        ours.close().await.unwrap();
        theirs.send(text(3)).await.unwrap();
        let said_and_answered = async {
            let close = theirs.next().await;
            // tungstenite's answer is written by what it does next.
            theirs
                .flush()
                .await
                .or_else(|error| matches!(error, Error::ConnectionClosed).then_some(()).ok_or(error))
                .unwrap();
            close
        };
        let closed = tokio::join!(said_and_answered, async {
            assert_eq!(ours.next().await.unwrap().unwrap(), text(3), "what was on its way still comes");
            ours.next().await.unwrap().unwrap()
        });
        assert_eq!((closed.0.unwrap().unwrap(), closed.1), (Message::Close(None), Message::Close(None)));
        drop(theirs);
        assert!(ours.next().await.is_none());
    }
}

#[tokio::test]
async fn a_sink_that_cannot_write_is_not_ready_and_goes_on_where_it_was() {
    let (near, far) = duplex(16);
    let mut ours = WebSocket::new(near, Role::Server, LIMITS, &[]);
    let mut sent = 0;
    while std::future::poll_fn(|cx| ours.poll_ready_unpin(cx)).now_or_never().is_some() {
        ours.start_send_unpin(text(500)).unwrap();
        sent += 1;
    }
    assert_eq!(sent, 3, "the buffer is full with the third");
    let mut theirs = WebSocketStream::from_raw_socket(far, Role::Client, None).await;
    let (flushed, ()) = tokio::join!(ours.flush(), async {
        for _ in 0..sent {
            assert_eq!(theirs.next().await.unwrap().unwrap(), text(500));
        }
    });
    flushed.unwrap();
}

#[tokio::test]
async fn a_large_message_leaves_no_large_buffer() {
    let (near, mut far) = duplex(1 << 20);
    let mut ours = WebSocket::new(near, Role::Client, LIMITS, &[]);
    let mut bytes = Vec::new();
    push(&mut bytes, OpCode::Data(Data::Binary), None, &[0; 300_000]);
    far.write_all(&bytes).await.unwrap();
    ours.next().await.unwrap().unwrap();
    assert!(ours.next().now_or_never().is_none());
    assert_eq!(ours.input.bytes.capacity(), LIMITS.read_buffer);
    ours.send(text(300_000)).await.unwrap();
    assert!(ours.output.capacity() <= KEPT);
}

#[cfg(feature = "openai")]
#[tokio::test]
async fn what_the_server_says_with_its_answer_is_not_lost_and_a_refusal_keeps_its_body() {
    use tokio_tungstenite::tungstenite::handshake::{client::generate_key, derive_accept_key};

    for refuses in [false, true] {
        let (near, mut far) = duplex(1 << 10);
        let key = generate_key();
        let request = http::Request::get("ws://model/")
            .header("Host", "model")
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", &key)
            .body(())
            .unwrap();
        let server = async {
            let mut head = [0; 1024];
            let length = far.read(&mut head).await.unwrap();
            assert!(head[..length].ends_with(b"\r\n\r\n"));
            let mut answer = if refuses {
                b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 4\r\n\r\nbusy".to_vec()
            } else {
                let accept = derive_accept_key(key.as_bytes());
                format!(
                    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                     Sec-WebSocket-Accept: {accept}\r\n\r\n"
                )
                .into_bytes()
            };
            push(&mut answer, OpCode::Data(Data::Text), None, b"welcome");
            if refuses {
                answer.truncate(answer.len() - 9);
            }
            far.write_all(&answer).await.unwrap();
        };
        let (connected, ()) = tokio::join!(WebSocket::connect(near, request, LIMITS), server);
        match connected {
            Ok(mut socket) => assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("welcome")),
            Err(Error::Http(response)) => assert_eq!(response.into_body().as_deref(), Some(&b"busy"[..])),
            Err(error) => panic!("{error}"),
        }
    }
}

/// What an error means for the transports. Of several wrongs in one frame either may be named.
fn class(error: &Error) -> String {
    let class = match error {
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => CUT,
        Error::Protocol(_) | Error::Utf8(_) => WRONG,
        Error::Capacity(_) => TOO_LONG,
        _ => "failed",
    };
    class.into()
}

const WRONG: &str = "wrong";
const CUT: &str = "cut";
const TOO_LONG: &str = "too long";

/// Whether we say the same up to the first wrong, and do not take for a lost connection what is one.
fn agree(ours: &[String], theirs: &[String]) -> bool {
    let ends = [WRONG, CUT, TOO_LONG];
    match (ours, theirs) {
        ([before @ .., ours], [same @ .., theirs]) if ends.contains(&&**ours) && ends.contains(&&**theirs) => {
            before == same && (ours != CUT || theirs == CUT)
        }
        _ => ours == theirs,
    }
}

/// What is read of some bytes, to the end or the first error, and what is answered.
fn ours(bytes: &[u8], role: Role, max_message: usize) -> (Vec<String>, Vec<u8>) {
    let mut socket = WebSocket::new(join(bytes, Vec::new()), role, Limits { max_message, ..LIMITS }, &[]);
    let mut said = Vec::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        while let Some(message) = socket.next().await {
            said.push(message.map_or_else(|error| class(&error), |message| format!("{message:?}")));
        }
    });
    (said, socket.io.into_inner().1)
}

/// Reads from one place and writes to another.
struct Wire<'a>(Cursor<&'a [u8]>, Vec<u8>);

impl Read for Wire<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Read::read(&mut self.0, buffer)
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(&mut self.1, bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn theirs(bytes: &[u8], role: Role, max_message: usize) -> (Vec<String>, Vec<u8>) {
    let config = tungstenite::protocol::WebSocketConfig::default()
        .max_message_size(Some(max_message))
        .max_frame_size(Some(max_message));
    let mut socket = tungstenite::WebSocket::from_raw_socket(Wire(Cursor::new(bytes), Vec::new()), role, Some(config));
    let mut said = Vec::new();
    loop {
        match socket.read() {
            Err(Error::ConnectionClosed | Error::AlreadyClosed) => break,
            Ok(message) => said.push(format!("{message:?}")),
            Err(error) => {
                said.push(class(&error));
                break;
            }
        }
    }
    (said, std::mem::take(&mut socket.get_mut().1))
}

/// A frame as a peer may send it, right or wrong.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        8 => prop::sample::select(vec![0x81_u8, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8A]),
        1 => Just(0x88),
        1 => any::<u8>(),
    ];
    let payload = prop_oneof![
        4 => "[a-zé]{0,20}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..200),
        1 => Just(vec![0x03, 0xE8]),
        1 => Just(b"\x03\xE9bye".to_vec()),
    ];
    let frame = (first, any::<[u8; 4]>(), prop::bool::weighted(0.97), payload);
    let frame = frame.prop_map(|(first, mask, right, payload)| {
        // In a part that is not the last, tungstenite finds wrong UTF-8 at once, we find it with the last.
        let payload = if first & 0x8F < 2 { b"a part".to_vec() } else { payload };
        let mut bytes = Vec::new();
        push(&mut bytes, OpCode::Data(Data::Text), right.then_some(mask), &payload);
        bytes[0] = first;
        bytes
    });
    prop::collection::vec(frame, 1..8).prop_map(|frames| frames.concat())
}

proptest! {
    #[test]
    fn a_server_says_what_tungstenite_says(bytes in frames(), cut in 0_usize..40) {
        let bytes = &bytes[..bytes.len().saturating_sub(cut.saturating_sub(20))];
        let ((ours, our_answers), (theirs, their_answers)) =
            (ours(bytes, Role::Server, 150), theirs(bytes, Role::Server, 150));
        prop_assert!(agree(&ours, &theirs), "{:?} against {:?}", ours, theirs);
        prop_assert_eq!(our_answers, their_answers);
    }

    #[test]
    fn a_client_says_what_tungstenite_says(bytes in prop::collection::vec(any::<u8>(), 0..60), text in "[a-z]{0,9}") {
        let mut whole = Vec::new();
        push(&mut whole, OpCode::Data(Data::Text), None, text.as_bytes());
        whole.extend_from_slice(&bytes);
        let (ours, theirs) = (ours(&whole, Role::Client, 1_000).0, theirs(&whole, Role::Client, 1_000).0);
        prop_assert!(agree(&ours, &theirs), "{:?} against {:?}", ours, theirs);
    }

    #[test]
    fn a_mask_is_its_own_inverse(mask: [u8; 4], payload: Vec<u8>) {
        let mut masked = payload.clone();
        apply(mask, &mut masked);
        prop_assert!(masked.iter().zip(&payload).enumerate().all(|(i, (a, b))| a ^ b == mask[i % 4]));
    }
}
