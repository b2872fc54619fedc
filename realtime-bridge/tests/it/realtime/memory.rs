//! The voice model in memory.

use std::{pin::pin, time::Duration};

use futures_util::{FutureExt, SinkExt, StreamExt};
use realtime_bridge::{
    audio::{AudioFormat, AudioFrame},
    realtime::{
        CloseReason, ConnectError, RealtimeClient, RealtimeCommand, RealtimeEvent, RequestId, ResponseOptions,
        SessionConfig, SessionError,
        memory::{ConnectScript, MemoryClient, pair},
    },
};
use tokio::time::Instant;

fn frame() -> AudioFrame {
    AudioFrame::silence(AudioFormat::MuLaw, Duration::from_millis(20))
}

fn connect_failure() -> ConnectError {
    ConnectError::Closed(CloseReason::new(Some(1_013), "try later"))
}

#[tokio::test(start_paused = true)]
async fn connections_go_as_scripted() {
    let (client, mut provider) = MemoryClient::new();
    let config = SessionConfig::default();
    provider.script(ConnectScript::Fail(connect_failure()));
    provider.script(ConnectScript::Stall);
    provider.script(ConnectScript::AnswerAfter(Duration::from_secs(3)));

    let error = client.connect(&config).await.unwrap_err();
    assert!(error.retryable() && matches!(error, ConnectError::Closed(_)));
    let started = Instant::now();
    let error = client.connect(&config).await.unwrap_err();
    assert!(matches!(error, ConnectError::Timeout { .. }));
    assert_eq!(started.elapsed(), Duration::from_secs(10));
    let started = Instant::now();
    let _session = client.connect(&config).await.unwrap();
    assert_eq!(started.elapsed(), Duration::from_secs(3));
    assert!(provider.accept().await.is_some());
    let _another = client.connect(&config).await.unwrap();
    assert!(provider.accept().await.is_some());

    drop(provider);
    assert!(matches!(client.connect(&config).await, Err(ConnectError::Closed(_))));
}

#[tokio::test(start_paused = true)]
async fn a_model_that_does_not_read_is_felt() {
    let (mut session, mut model) = pair(&SessionConfig::default());
    let mut sent = 0;
    while let Some(result) = session.send(RealtimeCommand::Append(frame())).now_or_never() {
        result.unwrap();
        sent += 1;
    }
    assert_eq!(sent, 256);
    assert!(model.recv().await.is_some());
    session.send(RealtimeCommand::Commit).await.unwrap();

    model.stall();
    while model.try_recv().is_some() {}
    assert!(session.send(RealtimeCommand::Commit).now_or_never().is_none());
    model.resume();
    session.send(RealtimeCommand::ClearInput).await.unwrap();
    assert_eq!(model.recv_control().await, Some(RealtimeCommand::ClearInput));
    assert_eq!(model.heard(), Duration::from_millis(20 * 256));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_not_read_holds_the_model_up() {
    let (mut session, mut model) = pair(&SessionConfig::default());
    let mut talk = pin!(model.say(None, "A very long answer.", Duration::from_secs(200)));
    assert!(talk.as_mut().now_or_never().is_none(), "2,000 deltas do not fit");
    let mut told = 0;
    let read = async {
        while told < 2_006 {
            session.next().await.unwrap().unwrap();
            told += 1;
        }
    };
    tokio::join!(talk, read);
    assert_eq!(told, 2_006);
}

#[tokio::test(start_paused = true)]
async fn a_spoken_answer_comes_in_the_order_of_the_wire() {
    let (mut session, mut model) = pair(&SessionConfig::default());
    let request = RequestId(1);
    session.send(RealtimeCommand::Respond { request, options: ResponseOptions::default() }).await.unwrap();
    let Some(RealtimeCommand::Respond { request, .. }) = model.recv_control().await else { panic!("no request") };
    let answer = model.say(Some(request), "Good morning.", Duration::from_millis(250)).await;
    model.end();

    let events: Vec<RealtimeEvent> = session.map(Result::unwrap).collect().await;
    let names: Vec<&str> = events
        .iter()
        .map(|event| match event {
            RealtimeEvent::ResponseStarted { .. } => "started",
            RealtimeEvent::ItemAdded { .. } => "item",
            RealtimeEvent::TranscriptDelta { .. } => "words",
            RealtimeEvent::Audio { .. } => "audio",
            RealtimeEvent::AudioDone { .. } => "audio done",
            RealtimeEvent::Transcript { .. } => "transcript",
            RealtimeEvent::ResponseDone(_) => "done",
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(names, ["started", "item", "words", "audio", "audio", "audio", "audio done", "transcript", "done"]);
    let spoken: Duration = events
        .iter()
        .filter_map(|event| match event {
            RealtimeEvent::Audio { item, frame, .. } if *item == answer.item => Some(frame.duration()),
            _ => None,
        })
        .sum();
    assert_eq!(spoken, Duration::from_millis(250));
}

#[tokio::test(start_paused = true)]
async fn endings_are_told_apart() {
    let (mut session, model) = pair(&SessionConfig::default());
    model.end();
    assert!(session.next().await.is_none());
    assert!(matches!(session.send(RealtimeCommand::Commit).await, Err(SessionError::Closed(_))));

    let (mut session, model) = pair(&SessionConfig::default());
    model.close(CloseReason::new(Some(1_001), "expired"));
    assert!(matches!(session.next().await, Some(Err(SessionError::Closed(reason))) if reason.code == Some(1_001)));
    assert!(session.next().await.is_none());

    let (mut session, model) = pair(&SessionConfig::default());
    drop(model);
    assert!(matches!(session.next().await, Some(Err(SessionError::Closed(reason))) if reason.code.is_none()));

    let (mut session, mut model) = pair(&SessionConfig::default());
    session.send(RealtimeCommand::Commit).await.unwrap();
    session.close().await.unwrap();
    assert!(model.is_closed() && !model.is_dropped());
    assert!(session.next().await.is_none());
    assert_eq!(model.recv().await, Some(RealtimeCommand::Commit));
    assert_eq!(model.recv().await, None);

    let (session, mut model) = pair(&SessionConfig::default());
    drop(session);
    assert!(model.is_closed() && model.is_dropped());
    model.caller_says("Is anybody there?").await;
    assert_eq!(model.recv().await, None);
}
