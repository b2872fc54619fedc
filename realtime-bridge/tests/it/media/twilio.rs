//! A media stream over a socket whose far end does right and wrong.

use std::{future::poll_fn, time::Duration};

use futures_util::{FutureExt, SinkExt, StreamExt};
use realtime_bridge::{
    audio::{AudioFormat, AudioFrame, SampleRate},
    media::{
        DtmfDigit, MarkId, MediaCommand, MediaError, MediaEvent,
        twilio::{Config, MediaStream, wire::ToTwilio},
    },
};
use tokio::{io::DuplexStream, time::Instant};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::frame::{
        Frame,
        coding::{Data, OpCode},
    },
};

use super::twilio_peer::{CONNECTED, Peer, START, STOP, STREAM, media, refused};

const FRAME: &str = "//7+/v7/fn5+";

fn frame() -> AudioFrame {
    AudioFrame::base64(AudioFormat::MuLaw, FRAME).unwrap()
}

async fn next(line: &mut MediaStream<DuplexStream>) -> MediaEvent {
    line.next().await.expect("the line is up").unwrap()
}

async fn failure(line: &mut MediaStream<DuplexStream>) -> MediaError {
    let error = loop {
        match line.next().await.expect("an error comes before the end") {
            Ok(MediaEvent::Started(_)) => {}
            Ok(other) => panic!("{other:?} is no failure"),
            Err(error) => break error,
        }
    };
    assert!(line.next().await.is_none(), "nothing comes after an error");
    error
}

/// What a line that has begun ends with when the peer says this.
async fn failure_after(message: impl Into<Message>) -> MediaError {
    let (mut line, mut peer) = Peer::line(Config::default()).await;
    peer.socket.send(message.into()).await.unwrap();
    failure(&mut line).await
}

#[tokio::test(start_paused = true)]
async fn a_call_from_start_to_stop() {
    let (mut line, mut peer) = Peer::line(Config::default()).await;
    assert_eq!(line.start().parameters["token"], "k3J9");
    assert_eq!(line.start().stream_sid.as_str(), STREAM);
    assert!(!format!("{line:?}").contains("k3J9"), "the token is shown");
    let MediaEvent::Started(start) = next(&mut line).await else { panic!("the first event is the start") };
    assert_eq!((start.call_id.as_str(), start.stream_id.as_str()), ("CAfedcba9876543210fedcba9876543210", STREAM));

    peer.speak(65, FRAME).await;
    assert_eq!(next(&mut line).await, MediaEvent::Audio(frame()));
    peer.say(&format!(r##"{{"event":"dtmf","streamSid":"{STREAM}","dtmf":{{"track":"inbound_track","digit":"#"}}}}"##))
        .await;
    assert_eq!(next(&mut line).await, MediaEvent::Dtmf(DtmfDigit::new('#').unwrap()));

    line.feed(MediaCommand::Audio(frame())).await.unwrap();
    line.feed(MediaCommand::Mark(MarkId(7))).await.unwrap();
    line.feed(MediaCommand::Clear).await.unwrap();
    line.flush().await.unwrap();
    assert_eq!(peer.hear().await, ToTwilio::Media { stream_sid: STREAM.into(), payload: FRAME.into() });
    assert_eq!(peer.hear().await, ToTwilio::Mark { stream_sid: STREAM.into(), name: "7".into() });
    assert_eq!(peer.hear().await, ToTwilio::Clear { stream_sid: STREAM.into() });
    peer.say(&format!(r#"{{"event":"mark","streamSid":"{STREAM}","mark":{{"name":"7"}}}}"#)).await;
    assert_eq!(next(&mut line).await, MediaEvent::Mark(MarkId(7)));

    peer.say(STOP).await;
    assert_eq!(next(&mut line).await, MediaEvent::Stopped);
    assert!(line.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn who_does_not_introduce_himself_is_refused() {
    let silent = refused(&[CONNECTED]).await;
    assert!(matches!(silent, MediaError::MissingStart { limit } if limit == Config::default().start_limit), "{silent}");
    for (messages, out_of_order) in [
        (&[START][..], "start"),
        (&[CONNECTED, CONNECTED], "connected"),
        (&[CONNECTED, &media(0, FRAME)], "media"),
        (&[CONNECTED, STOP], "stop"),
    ] {
        let error = refused(messages).await;
        assert!(matches!(error, MediaError::OutOfOrder { message } if message == out_of_order), "{error}");
    }
    let other_format = START.replace("audio/x-mulaw", "audio/l16");
    let error = refused(&[CONNECTED, &other_format]).await;
    assert!(matches!(error, MediaError::Malformed { message: "start", .. }), "{error}");
    let (ours, peer) = Peer::pair(1024).await;
    drop(peer);
    assert!(matches!(MediaStream::accept(ours, Config::default()).await, Err(MediaError::CutOff)));
}

#[tokio::test(start_paused = true)]
async fn unknown_events_before_the_start_are_passed_over() {
    let (ours, mut peer) = Peer::pair(64 * 1024).await;
    for message in [r#"{"event":"news"}"#, CONNECTED, r#"{"event":"more"}"#, START] {
        peer.say(message).await;
    }
    assert!(MediaStream::accept(ours, Config::default()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn each_wrong_has_its_name() {
    let other_stream = media(0, FRAME).replace("MZ01", "MZ99");
    let error = failure_after(Message::text(other_stream)).await;
    assert!(matches!(error, MediaError::WrongStream), "{error}");
    let error = failure_after(Message::text(STOP.replace("MZ01", "MZ99"))).await;
    assert!(matches!(error, MediaError::WrongStream), "{error}");
    let error = failure_after(Message::text(START)).await;
    assert!(matches!(error, MediaError::SecondStart), "{error}");
    let error = failure_after(Message::text(CONNECTED)).await;
    assert!(matches!(error, MediaError::OutOfOrder { message: "connected" }), "{error}");
    let error = failure_after(Message::binary(vec![1, 2, 3])).await;
    assert!(matches!(error, MediaError::Binary { length: 3 }), "{error}");
    let error = failure_after(Message::text("{")).await;
    assert!(matches!(error, MediaError::Malformed { message: "message", .. }), "{error}");
    let error = failure_after(Message::text(media(0, "//7"))).await;
    assert!(matches!(error, MediaError::Malformed { message: "media", .. }), "{error}");
    let error = failure_after(Message::text("x".repeat(70_000))).await;
    assert!(matches!(error, MediaError::Oversize { limit: 65_536 }), "{error}");
    let error = failure_after(Message::Frame(Frame::message(vec![0xC3, 0x28], OpCode::Data(Data::Text), true))).await;
    assert!(matches!(error, MediaError::Malformed { message: "text", .. }), "{error}");
    let error = failure_after(Message::Frame(Frame::message(vec![1], OpCode::Data(Data::Reserved(5)), true))).await;
    assert!(matches!(error, MediaError::Malformed { message: "WebSocket frame", .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_goes_without_a_stop_has_cut_the_line() {
    let (mut line, peer) = Peer::line(Config::default()).await;
    drop(peer);
    assert!(matches!(failure(&mut line).await, MediaError::CutOff));

    let (mut line, mut peer) = Peer::line(Config::default()).await;
    peer.socket.send(Message::Close(None)).await.unwrap();
    assert!(matches!(failure(&mut line).await, MediaError::CutOff));
}

#[tokio::test(start_paused = true)]
async fn a_dead_peer_is_noticed_at_the_limit_and_a_slow_one_is_not() {
    let (mut line, mut peer) = Peer::line(Config::default()).await;
    let limit = Config::default().silence_limit;
    assert!(matches!(next(&mut line).await, MediaEvent::Started(_)));
    for at in 1..4 {
        tokio::time::advance(limit - Duration::from_millis(20)).await;
        peer.speak(at, FRAME).await;
        assert_eq!(next(&mut line).await, MediaEvent::Audio(frame()));
    }
    let heard = Instant::now();
    let error = failure(&mut line).await;
    assert!(matches!(error, MediaError::Silent { limit: l } if l == limit), "{error}");
    assert!(heard.elapsed() >= limit && heard.elapsed() < limit + Duration::from_millis(5), "{:?}", heard.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_ping_is_answered_and_counts_as_a_sign_of_life() {
    let (mut line, mut peer) = Peer::line(Config::default()).await;
    assert!(matches!(next(&mut line).await, MediaEvent::Started(_)));
    tokio::time::advance(Duration::from_secs(9)).await;
    peer.socket.send(Message::Ping(b"ping"[..].into())).await.unwrap();
    assert!(line.next().now_or_never().is_none());
    assert_eq!(peer.socket.next().await.unwrap().unwrap(), Message::Pong(b"ping"[..].into()));
    tokio::time::advance(Duration::from_secs(9)).await;
    assert!(line.next().now_or_never().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_message_in_fragments_is_one_message() {
    let (mut line, mut peer) = Peer::line(Config::default()).await;
    assert!(matches!(next(&mut line).await, MediaEvent::Started(_)));
    let text = media(0, FRAME);
    let (head, tail) = text.as_bytes().split_at(100);
    let fragments = [
        Frame::message(head.to_vec(), OpCode::Data(Data::Text), false),
        Frame::message(tail.to_vec(), OpCode::Data(Data::Continue), true),
    ];
    for fragment in fragments {
        peer.socket.send(Message::Frame(fragment)).await.unwrap();
    }
    assert_eq!(next(&mut line).await, MediaEvent::Audio(frame()));
}

#[tokio::test(start_paused = true)]
async fn lost_audio_becomes_silence_and_is_counted() {
    let (mut line, mut peer) = Peer::line(Config::default()).await;
    assert!(matches!(next(&mut line).await, MediaEvent::Started(_)));
    let payload = "/".repeat(212) + "/w==";
    peer.speak(0, &payload).await;
    assert!(matches!(next(&mut line).await, MediaEvent::Audio(frame) if frame.duration() == Duration::from_millis(20)));
    peer.speak(2_520, &payload).await;
    assert_eq!(next(&mut line).await, MediaEvent::Gap(Duration::from_millis(2_500)));
    let silence = AudioFrame::silence(AudioFormat::MuLaw, Duration::from_millis(20));
    for _ in 0..125 {
        assert_eq!(next(&mut line).await, MediaEvent::Audio(silence.clone()));
    }
    assert!(matches!(next(&mut line).await, MediaEvent::Audio(frame) if frame.duration() == Duration::from_millis(20)));
    let counters = line.counters();
    assert_eq!((counters.frames, counters.gaps, counters.gap_total), (2, 1, Duration::from_millis(2_500)));
}

#[tokio::test(start_paused = true)]
async fn what_means_nothing_is_passed_over_and_counted() {
    let (mut line, mut peer) = Peer::line(Config::default()).await;
    assert!(matches!(next(&mut line).await, MediaEvent::Started(_)));
    peer.say(r#"{"event":"applause"}"#).await;
    peer.say(&media(0, FRAME).replace("inbound", "outbound")).await;
    peer.say(&format!(r#"{{"event":"dtmf","streamSid":"{STREAM}","dtmf":{{"digit":"flash"}}}}"#)).await;
    peer.say(&format!(r#"{{"event":"mark","streamSid":"{STREAM}","mark":{{"name":"not ours"}}}}"#)).await;
    peer.speak(0, FRAME).await;
    assert_eq!(next(&mut line).await, MediaEvent::Audio(frame()));
    assert_eq!((line.counters().ignored, line.counters().frames), (4, 1));
}

#[tokio::test(start_paused = true)]
async fn only_audio_that_twilio_plays_is_sent() {
    let (mut line, mut peer) = Peer::line(Config::default().with_max_outgoing_size(1_000)).await;
    let pcm = AudioFormat::Pcm16(SampleRate::Hz24000);
    let error = line.feed(MediaCommand::Audio(AudioFrame::raw(pcm, vec![0; 960]))).await.unwrap_err();
    assert!(matches!(error, MediaError::WrongFormat { expected: AudioFormat::MuLaw, got } if got == pcm), "{error}");
    let long = AudioFrame::silence(AudioFormat::MuLaw, Duration::from_secs(1));
    let error = line.feed(MediaCommand::Audio(long)).await.unwrap_err();
    assert!(matches!(error, MediaError::FrameTooLarge { limit: 1_000, .. }), "{error}");
    line.feed(MediaCommand::Audio(AudioFrame::raw(AudioFormat::MuLaw, vec![]))).await.unwrap();
    line.send(MediaCommand::Clear).await.unwrap();
    assert_eq!(peer.hear().await, ToTwilio::Clear { stream_sid: STREAM.into() });
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_nothing_holds_the_sink_back_and_the_stream_goes_on() {
    let (mut line, mut peer) = Peer::line_with_room(Config::default(), 4_096).await;
    let second = AudioFrame::silence(AudioFormat::MuLaw, Duration::from_secs(1));
    let mut fed = 0;
    while poll_fn(|cx| line.poll_ready_unpin(cx)).now_or_never().is_some() {
        line.start_send_unpin(MediaCommand::Audio(second.clone())).unwrap();
        fed += 1;
        assert!(fed < 10, "the sink takes all it gets");
    }
    assert!(matches!(next(&mut line).await, MediaEvent::Started(_)));
    peer.speak(0, FRAME).await;
    assert_eq!(next(&mut line).await, MediaEvent::Audio(frame()));
    let (flushed, heard) = tokio::join!(line.flush(), async {
        for _ in 0..fed {
            assert!(matches!(peer.hear().await, ToTwilio::Media { .. }));
        }
        fed
    });
    flushed.unwrap();
    assert_eq!(heard, fed);
}

#[tokio::test(start_paused = true)]
async fn closing_waits_for_the_answer_and_no_longer_than_its_limit() {
    let (mut line, mut peer) = Peer::line(Config::default()).await;
    line.feed(MediaCommand::Clear).await.unwrap();
    let began = Instant::now();
    let (closed, ()) = tokio::join!(line.close(), async {
        peer.speak(0, FRAME).await;
        assert_eq!(peer.hear().await, ToTwilio::Clear { stream_sid: STREAM.into() });
        assert!(matches!(peer.socket.next().await, Some(Ok(Message::Close(_)))));
        assert!(peer.socket.next().await.is_none());
    });
    closed.unwrap();
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert!(line.next().await.is_none());

    let (mut line, _peer) = Peer::line_with_room(Config::default(), 1_024).await;
    line.feed(MediaCommand::Audio(AudioFrame::silence(AudioFormat::MuLaw, Duration::from_secs(5)))).await.unwrap();
    let began = Instant::now();
    line.close().await.unwrap();
    assert!(began.elapsed() >= Config::default().close_limit && began.elapsed() < Duration::from_secs(2));
}
