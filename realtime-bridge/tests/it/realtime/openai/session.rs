//! How a session ends, stalls and stays alive.

use std::{future::poll_fn, pin::Pin, task::Poll, time::Duration};

use futures_util::{FutureExt, Sink, SinkExt, StreamExt};
use realtime_bridge::{
    audio::{AudioFormat, AudioFrame},
    realtime::{
        CloseReason, ErrorClass, RealtimeCommand, RealtimeEvent, SessionError, classify, openai::OpenAiSession,
    },
};
use serde_json::json;
use tokio::{io::AsyncWriteExt, time::Instant};
use tokio_tungstenite::tungstenite::Message;

use super::server::{Server, session as new_session, session_with};

async fn last_word(mut session: OpenAiSession) -> SessionError {
    let error = loop {
        match session.next().await.expect("an error comes before the end") {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(session.next().await.is_none(), "nothing comes after an error");
    let sent = session.send(RealtimeCommand::Commit).await;
    assert!(matches!(sent, Err(SessionError::Closed(_))), "nothing can be sent after the end: {sent:?}");
    error
}

#[tokio::test]
async fn a_close_frame_tells_why() {
    let (session, mut peer) = new_session().await;
    peer.send(json!({"type": "error", "error": {"type": "invalid_request_error", "code": "session_expired"}})).await;
    peer.close(1_001, "").await;
    let error = last_word(session).await;
    assert!(
        matches!(&error, SessionError::Closed(reason) if *reason == CloseReason::new(Some(1_001), "")),
        "{error:?}"
    );
    assert!(peer.recv().await.is_none(), "the goodbye was answered");
}

#[tokio::test]
async fn an_orderly_end_is_no_error() {
    let (mut session, mut peer) = new_session().await;
    peer.close(1_000, "bye").await;
    assert!(session.next().await.is_none());
    assert!(session.next().await.is_none());
}

#[tokio::test]
async fn a_lost_connection_has_no_code() {
    let (session, peer) = new_session().await;
    drop(peer);
    let error = last_word(session).await;
    assert!(matches!(&error, SessionError::Closed(reason) if reason.code.is_none() && reason.retryable()), "{error:?}");
}

#[tokio::test]
async fn garbage_is_named() {
    for text in ["hello", r#"{"event_id":"event_1"}"#, "[]"] {
        let (session, mut peer) = new_session().await;
        peer.send_text(text).await;
        let error = last_word(session).await;
        assert!(matches!(error, SessionError::Malformed { .. }), "{text}: {error:?}");
    }
    let (session, mut peer) = new_session().await;
    peer.socket.send(Message::binary(vec![0; 7])).await.unwrap();
    let error = last_word(session).await;
    assert!(matches!(&error, SessionError::Malformed { event, .. } if event == "binary message"), "{error:?}");

    let (session, peer) = new_session().await;
    let mut tcp = peer.socket.into_inner();
    tcp.write_all(&[0xFF; 32]).await.unwrap();
    let error = last_word(session).await;
    assert!(matches!(&error, SessionError::Malformed { event, .. } if event == "WebSocket frame"), "{error:?}");
}

#[tokio::test]
async fn an_event_of_another_shape_is_told_and_the_session_goes_on() {
    let (mut session, mut peer) = new_session().await;
    peer.send_text(r#"{"type":"input_audio_buffer.speech_started"}"#).await;
    peer.send_text(r#"{"type":"input_audio_buffer.speech_stopped","audio_end_ms":7,"item_id":"i"}"#).await;
    let told = session.next().await.unwrap().unwrap();
    let RealtimeEvent::Error(error) = &told else { panic!("{told:?}") };
    assert_eq!(error.code.as_deref(), Some("input_audio_buffer.speech_started"));
    assert_eq!(classify(error), ErrorClass::Benign);
    assert!(matches!(session.next().await, Some(Ok(RealtimeEvent::SpeechStopped { .. }))));
}

#[tokio::test]
async fn a_message_over_the_limit_is_not_even_read() {
    let server = Server::bind().await;
    let limit = 1 << 16;
    let (session, peer) = session_with(server.config().with_max_message_size(limit), &server).await;
    // The head of a message of 2^40 bytes, and nothing behind it.
    let mut tcp = peer.socket.into_inner();
    tcp.write_all(&[0x81, 127, 0, 0, 1, 0, 0, 0, 0, 0]).await.unwrap();
    let error = last_word(session).await;
    assert!(matches!(error, SessionError::Oversize { limit: l } if l == limit), "{error:?}");
}

#[tokio::test]
async fn large_messages_and_fragments_arrive_whole() {
    let (mut session, mut peer) = new_session().await;
    let text = "あ".repeat(100_000);
    let event = json!({
        "type": "response.output_audio_transcript.delta", "response_id": "r", "item_id": "i", "delta": text
    });
    let send = async { peer.send(event).await };
    let ((), event) = tokio::join!(send, session.next());
    let event = event.unwrap().unwrap();
    assert!(matches!(&event, RealtimeEvent::TranscriptDelta { delta, .. } if *delta == text));
}

#[tokio::test]
async fn pings_of_the_provider_are_answered() {
    let (mut session, mut peer) = new_session().await;
    peer.socket.send(Message::Ping("are you there".into())).await.unwrap();
    let pong = async {
        loop {
            if let Message::Pong(data) = peer.socket.next().await.unwrap().unwrap() {
                break data;
            }
        }
    };
    tokio::select! {
        data = pong => assert_eq!(&data[..], b"are you there"),
        event = session.next() => panic!("{event:?}"),
    }
}

#[tokio::test]
async fn a_dead_provider_is_asked_and_then_given_up() {
    let server = Server::bind().await;
    let (interval, limit) = (Duration::from_millis(40), Duration::from_millis(150));
    let (session, peer) = session_with(server.config().with_keep_alive(interval, limit), &server).await;
    // The peer's end stays open, but nobody reads or answers there.
    let started = Instant::now();
    let error = last_word(session).await;
    assert!(matches!(error, SessionError::Silent { limit: l } if l == limit), "{error:?}");
    assert!(started.elapsed() >= limit);
    drop(peer);
}

#[tokio::test]
async fn a_quiet_provider_that_answers_pings_is_alive() {
    let server = Server::bind().await;
    let (interval, limit) = (Duration::from_millis(100), Duration::from_secs(3));
    let (mut session, mut peer) = session_with(server.config().with_keep_alive(interval, limit), &server).await;
    let mut pings = 0;
    // Reading answers the pings. Thirty of them take longer than the limit.
    let far_end = async {
        while pings < 30 {
            if let Message::Ping(_) = peer.socket.next().await.unwrap().unwrap() {
                pings += 1;
            }
        }
    };
    tokio::select! {
        () = far_end => {}
        event = session.next() => panic!("{event:?}"),
    }
}

#[tokio::test]
async fn a_provider_that_does_not_read_is_felt() {
    let (mut session, mut peer) = new_session().await;
    let frame = AudioFrame::silence(AudioFormat::MuLaw, Duration::from_secs(1));
    let mut accepted = 0_usize;
    let mut seconds = 0_u32;
    // Fill the buffers of both sockets; each wait lets the kernel move what it can.
    while let Ok(result) = tokio::time::timeout(Duration::from_millis(300), poll_ready(&mut session)).await {
        result.unwrap();
        Pin::new(&mut session).start_send(RealtimeCommand::Append(frame.clone())).unwrap();
        seconds += 1;
        assert!(seconds < 10_000, "no backpressure");
    }
    assert!(poll_flush(&mut session).now_or_never().is_none(), "there is something left to write");
    // Once the provider reads, all of it arrives.
    let far_end = async {
        while accepted < seconds as usize {
            assert_eq!(peer.recv().await.unwrap()["type"], "input_audio_buffer.append");
            accepted += 1;
        }
    };
    let (flushed, ()) = tokio::join!(poll_flush(&mut session), far_end);
    flushed.unwrap();
    assert!(poll_ready(&mut session).now_or_never().is_some());
}

async fn poll_ready(session: &mut OpenAiSession) -> Result<(), SessionError> {
    poll_fn(|cx| Pin::new(&mut *session).poll_ready(cx)).await
}

async fn poll_flush(session: &mut OpenAiSession) -> Result<(), SessionError> {
    poll_fn(|cx| Pin::new(&mut *session).poll_flush(cx)).await
}

#[tokio::test]
async fn closing_says_goodbye_after_what_was_sent() {
    let (mut session, mut peer) = new_session().await;
    session.feed(RealtimeCommand::Commit).await.unwrap();
    let far_end = async {
        assert_eq!(peer.recv().await.unwrap()["type"], "input_audio_buffer.commit");
        assert!(matches!(peer.socket.next().await, Some(Ok(Message::Close(_)))));
        // Answers the goodbye and hangs up.
        assert!(peer.socket.next().await.is_none());
        drop(peer);
    };
    let (closed, ()) = tokio::join!(session.close(), far_end);
    closed.unwrap();
    assert!(session.next().await.is_none());
    assert!(matches!(session.send(RealtimeCommand::Commit).await, Err(SessionError::Closed(_))));
    session.close().await.expect("closing twice is fine");
}

#[tokio::test]
async fn closing_does_not_wait_for_ever() {
    let server = Server::bind().await;
    let limit = Duration::from_millis(100);
    let (mut session, peer) = session_with(server.config().with_close_timeout(limit), &server).await;
    let frame = AudioFrame::silence(AudioFormat::MuLaw, Duration::from_secs(1));
    // A peer that never reads, with more to write than the kernel takes.
    while let Some(result) = poll_ready(&mut session).now_or_never() {
        result.unwrap();
        Pin::new(&mut session).start_send(RealtimeCommand::Append(frame.clone())).unwrap();
    }
    let started = Instant::now();
    session.close().await.unwrap();
    assert!(started.elapsed() < limit * 100, "{:?}", started.elapsed());
    assert!(session.next().await.is_none());
    drop(peer);
}

#[tokio::test]
async fn nothing_is_lost_when_a_poll_is_dropped() {
    let (mut session, mut peer) = new_session().await;
    for position in 0..100_u64 {
        // Polls once and gives up, with the event at any stage of its journey.
        let early = poll_fn(|cx| Poll::Ready(session.poll_next_unpin(cx))).await;
        assert!(early.is_pending());
        peer.send(json!({"type": "input_audio_buffer.speech_started", "audio_start_ms": position})).await;
        let event = session.next().await.unwrap().unwrap();
        assert!(matches!(event, RealtimeEvent::SpeechStarted { audio_start, .. }
            if audio_start == Duration::from_millis(position)));
    }
}
