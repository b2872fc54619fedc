//! Sides that do not take what they are sent.

use realtime_bridge::{
    media::MediaCommand,
    realtime::RealtimeCommand,
    relay::{CallEvent, Speaker},
};
use tokio::time::sleep;

use super::{MS, S, call, quiet, settle};

#[tokio::test(start_paused = true)]
async fn the_oldest_of_the_caller_is_dropped_when_the_model_does_not_listen() {
    let mut call = call(quiet());
    call.model.stall();
    call.caller.keep_quiet(5 * S).await.unwrap();
    let CallEvent::Dropped { speaker, audio } = call.until("dropped").await else { unreachable!() };
    assert_eq!((speaker, audio), (Speaker::Caller, 20 * MS));
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
