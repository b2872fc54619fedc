//! The line in memory, and the caller at its far end.

use std::time::Duration;

use futures_util::{FutureExt, SinkExt, StreamExt, future::poll_fn};
use realtime_bridge::{
    audio::{AudioFormat, AudioFrame},
    media::{
        DtmfDigit, MarkId, MediaCommand, MediaError, MediaEvent, MediaStart,
        memory::{self, Line, LineClosed},
    },
};
use tokio::time::Instant;

const MS: Duration = Duration::from_millis(1);

fn audio(ms: u32, byte: u8) -> AudioFrame {
    AudioFrame::raw(AudioFormat::MuLaw, vec![byte; ms as usize * 8])
}

async fn next(line: &mut Line) -> MediaEvent {
    line.next().await.expect("the line is up").unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_caller_speaks_in_real_time_and_presses_keys() {
    let start = MediaStart::new("call-7", "line-7").with_parameter("token", "k3J9");
    let (mut line, caller) = memory::line_with(AudioFormat::MuLaw, start.clone());
    assert!(!format!("{start:?}").contains("k3J9"), "the token is shown");
    assert_eq!(next(&mut line).await, MediaEvent::Started(start));
    let began = Instant::now();
    let speak = async {
        caller.speak(&audio(50, 1)).await.unwrap();
        caller.press(DtmfDigit::new('#').unwrap()).await.unwrap();
        caller.lose(30 * MS).await.unwrap();
        caller.hang_up().await.unwrap();
    };
    let listen = async {
        let mut events = Vec::new();
        while let Some(event) = line.next().await {
            events.push((began.elapsed(), event.unwrap()));
        }
        events
    };
    let ((), events) = tokio::join!(speak, listen);
    let expected = [
        (Duration::ZERO, MediaEvent::Audio(audio(20, 1))),
        (20 * MS, MediaEvent::Audio(audio(20, 1))),
        (40 * MS, MediaEvent::Audio(audio(10, 1))),
        (50 * MS, MediaEvent::Dtmf(DtmfDigit::new('#').unwrap())),
        (50 * MS, MediaEvent::Gap(30 * MS)),
        (50 * MS, MediaEvent::Audio(AudioFrame::silence(AudioFormat::MuLaw, 20 * MS))),
        (50 * MS, MediaEvent::Audio(AudioFrame::silence(AudioFormat::MuLaw, 10 * MS))),
        (50 * MS, MediaEvent::Stopped),
    ];
    assert_eq!(events, expected);
    assert!(line.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn the_caller_hears_at_the_pace_of_speech_and_marks_come_on_time() {
    let (mut line, caller) = memory::line(AudioFormat::MuLaw);
    next(&mut line).await;
    let began = Instant::now();
    line.feed(MediaCommand::Audio(audio(200, 1))).await.unwrap();
    line.feed(MediaCommand::Mark(MarkId(1))).await.unwrap();
    line.feed(MediaCommand::Audio(audio(300, 2))).await.unwrap();
    line.feed(MediaCommand::Mark(MarkId(2))).await.unwrap();
    assert_eq!(caller.left_to_hear(), Duration::ZERO, "nothing goes out before the flush");
    line.flush().await.unwrap();
    assert_eq!(caller.left_to_hear(), 500 * MS);
    assert_eq!(next(&mut line).await, MediaEvent::Mark(MarkId(1)));
    assert_eq!(began.elapsed(), 200 * MS);
    assert_eq!(next(&mut line).await, MediaEvent::Mark(MarkId(2)));
    assert_eq!(began.elapsed(), 500 * MS);
    let heard: Vec<_> = caller.heard().iter().map(|heard| (heard.at, heard.frame.duration())).collect();
    assert_eq!(heard, [(Duration::ZERO, 200 * MS), (200 * MS, 300 * MS)]);
    assert_eq!((caller.heard_bytes()[1_599], caller.heard_bytes()[1_600]), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_waits_is_woken_by_a_mark_that_was_sent_meanwhile() {
    let (line, _caller) = memory::line(AudioFormat::MuLaw);
    let (mut sink, mut stream) = line.split();
    let wait = async {
        stream.next().await;
        stream.next().await
    };
    let send = async {
        tokio::time::sleep(100 * MS).await;
        sink.send(MediaCommand::Mark(MarkId(1))).await.unwrap();
    };
    let (mark, ()) = tokio::time::timeout(Duration::from_secs(1), async { tokio::join!(wait, send) }).await.unwrap();
    assert_eq!(mark.unwrap().unwrap(), MediaEvent::Mark(MarkId(1)));
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_takes_nothing_holds_the_sink_back() {
    let (mut line, mut caller) = memory::line(AudioFormat::MuLaw);
    caller.stall();
    assert!(poll_fn(|cx| line.poll_ready_unpin(cx)).now_or_never().is_none());
    let send = line.send(MediaCommand::Clear);
    let resume = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        caller.resume();
        caller.next_command().await.unwrap()
    };
    let (sent, received) = tokio::join!(send, resume);
    sent.unwrap();
    assert_eq!((received.at, received.command), (Duration::from_secs(1), MediaCommand::Clear));
}

#[tokio::test(start_paused = true)]
async fn each_end_notices_when_the_other_is_gone() {
    let (mut line, caller) = memory::line(AudioFormat::MuLaw);
    next(&mut line).await;
    drop(caller);
    assert!(matches!(line.next().await, Some(Err(MediaError::CutOff))));

    let (mut line, caller) = memory::line(AudioFormat::MuLaw);
    caller.fail(MediaError::Silent { limit: MS }).await.unwrap();
    next(&mut line).await;
    assert!(matches!(line.next().await, Some(Err(MediaError::Silent { .. }))));
    assert!(line.next().await.is_none());

    let (mut line, mut caller) = memory::line(AudioFormat::MuLaw);
    line.send(MediaCommand::Clear).await.unwrap();
    drop(line);
    caller.closed().await;
    assert!(caller.is_closed());
    assert_eq!(caller.send(audio(20, 1)).await, Err(LineClosed));
    assert_eq!(caller.next_command().await.unwrap().command, MediaCommand::Clear);
    assert!(caller.next_command().await.is_none());
}
