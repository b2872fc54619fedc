//! Sides that do not take what they are sent.

use realtime_bridge::{
    media::{MediaCommand, MediaError},
    realtime::{RealtimeCommand, SessionError},
    relay::{CallEvent, EndReason, Speaker},
};
use tokio::time::{sleep, timeout};

use super::{Call, MS, S, call, quiet, settle};

#[tokio::test(start_paused = true)]
async fn the_oldest_of_the_caller_is_dropped_when_the_model_does_not_listen() {
    let mut call = call(quiet());
    call.model.stall();
    call.caller.keep_quiet(5 * S).await.unwrap();
    let CallEvent::Dropped { speaker, audio } = call.until("dropped").await else { unreachable!() };
    assert_eq!((speaker, audio), (Speaker::Caller, 20 * MS));
    // Then once a second, also when nothing more is dropped.
    for dropped in [1_000, 1_000, 1_000] {
        let CallEvent::Dropped { audio, .. } = call.until("dropped").await else { unreachable!() };
        assert!(audio.abs_diff(dropped * MS) <= 20 * MS, "{audio:?}");
    }
    // Control that comes later goes before audio that waits.
    call.handle.instruct("Know this.", false).await.unwrap();
    settle().await;
    call.model.resume();
    assert!(matches!(call.model.recv().await, Some(RealtimeCommand::AddItem { .. })));
    settle().await;
    while call.model.try_recv().is_some() {}
    assert_eq!(call.model.heard(), 1_500 * MS);
    let report = call.hang_up().await;
    assert_eq!(report.stats.caller_dropped, 3_500 * MS);
    assert_eq!(report.stats.frames_from_line, 250);
}

#[tokio::test(start_paused = true)]
async fn the_newest_of_the_agent_is_dropped_when_the_line_takes_nothing() {
    let mut config = quiet();
    config.agent_queue = 10 * S;
    let mut call = call(config);
    call.caller.stall();
    let answer = call.model.begin(None).await;
    call.model.speak(&answer, 12 * S).await;
    let CallEvent::Dropped { speaker, .. } = call.until("dropped").await else { unreachable!() };
    assert_eq!(speaker, Speaker::Agent);
    settle().await;
    call.caller.resume();
    call.model.speech_started().await;
    call.until("interrupted").await;
    settle().await;
    // A line that comes back late is cleared before it plays anything old.
    let commands = call.caller.commands();
    let audio = commands.iter().filter(|received| matches!(received.command, MediaCommand::Audio(_)));
    assert!(audio.count() <= 100, "{}", commands.len());
    let report = call.hang_up().await;
    assert_eq!(report.stats.agent_dropped, 2 * S);
}

#[tokio::test(start_paused = true)]
async fn speech_that_stops_without_silence_is_padded_once() {
    let mut call = call(quiet());
    call.caller.keep_quiet(200 * MS).await.unwrap();
    let item = call.model.speech_started().await;
    sleep(5 * S).await;
    while call.model.try_recv().is_some() {}
    assert_eq!(call.model.heard(), 1_200 * MS, "a second of silence ends the speech");
    call.model.speech_stopped(&item).await;
    // A caller who is silent on a silent line is not padded.
    sleep(5 * S).await;
    while call.model.try_recv().is_some() {}
    assert_eq!(call.model.heard(), 1_200 * MS);
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_line_that_is_heard_and_takes_nothing_is_dead() {
    let mut call = call(quiet());
    call.until("started").await;
    call.caller.stall();
    let answer = call.model.begin(None).await;
    call.model.speak(&answer, 2 * S).await;
    call.caller.keep_quiet(9 * S).await.unwrap();
    assert!(!call.caller.is_closed(), "a slow line may come back");
    let report = call.over("line-failed").await;
    let EndReason::LineFailed(error) = &report.reason else { unreachable!() };
    assert!(matches!(**error, MediaError::Stalled { .. }), "{error}");
    assert!(report.duration < 11 * S, "{:?}", report.duration);
}

#[tokio::test(start_paused = true)]
async fn a_model_that_takes_nothing_is_dead() {
    let mut call = call(quiet());
    call.until("started").await;
    call.model.stall();
    call.caller.keep_quiet(9 * S).await.unwrap();
    let report = call.over("model-failed").await;
    let EndReason::ModelFailed(error) = &report.reason else { unreachable!() };
    assert!(matches!(**error, SessionError::Stalled { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_hole_in_the_callers_audio_reaches_the_model_in_full_length() {
    let mut call = call(quiet());
    call.caller.keep_quiet(S).await.unwrap();
    let Call { caller, model, .. } = &mut call;
    let listening = async {
        while model.heard() < 10 * S {
            model.recv().await.unwrap();
        }
    };
    let speaking = async {
        caller.lose(8 * S).await.unwrap();
        caller.keep_quiet(S).await.unwrap();
    };
    timeout(20 * S, async { tokio::join!(listening, speaking) }).await.unwrap();
    let report = call.hang_up().await;
    assert_eq!((report.stats.gaps, report.stats.gap_time), (1, 8 * S));
    assert!(report.stats.caller_dropped.is_zero());
}
