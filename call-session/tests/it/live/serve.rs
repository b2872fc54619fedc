//! A call on the bridge does as another server says.

use std::{future::pending, sync::Arc, time::Duration};

use call_session::{
    id::{NodeId, SessionId},
    live::{Command, Live, Reply, SendError, Served, memory::MemoryBoard, serve},
};
use realtime_bridge::{
    audio::AudioFormat,
    bridge::Bridge,
    media::memory::line,
    realtime::{SessionConfig, memory},
    relay::CallConfig,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::S;

/// Two servers that run.
fn servers(tasks: &mut JoinSet<()>) -> [Live; 2] {
    let board = Arc::new(MemoryBoard::new());
    [(); 2].map(|()| {
        let live = Live::new(board.clone(), NodeId::unique());
        let server = live.clone();
        tasks.spawn(async move { server.run(CancellationToken::new()).await });
        live
    })
}

fn bridge() -> (
    Bridge<impl realtime_bridge::media::MediaTransport, impl realtime_bridge::realtime::RealtimeSession>,
    impl Send,
    memory::MemoryModel,
) {
    let (line, caller) = line(AudioFormat::MuLaw);
    let (session, model) = memory::pair(&SessionConfig::default());
    let config = CallConfig::default().with_greeting(None).with_idle(None).with_no_media(3_600 * S);
    (Bridge::with_config(line, session, config).unwrap(), caller, model)
}

#[tokio::test(start_paused = true)]
async fn a_call_is_ended_from_another_server() {
    let mut tasks = JoinSet::new();
    let [here, there] = servers(&mut tasks);
    let (bridge, _caller, mut model) = bridge();
    let handle = bridge.handle();
    let call = SessionId::new();
    let mut held = here.acquire(call).await.unwrap();

    let conversation = async {
        let own = |command: Command| async move { Reply::refused(command.name()) };
        tokio::select! {
            report = bridge.run() => report,
            served = serve(&mut held, &handle, own) => unreachable!("{served:?}"),
        }
    };
    let operator = async {
        model.say(None, "Sakura Dental, good morning.", Duration::from_secs(2)).await;
        let paused = there.send(call, Command::PauseRecording, S).await.unwrap();
        assert_eq!(paused, Reply::refused("pause-recording"), "what the bridge does not know is the server's");
        assert_eq!(there.send(call, Command::End { line: None }, S).await.unwrap(), Reply::Ok);
    };
    let (report, ()) = tokio::join!(conversation, operator);
    assert_eq!(report.reason.name(), "goodbye");
    assert!(held.release().await.unwrap());
    let late = there.send(call, Command::HangUp, S).await;
    assert!(matches!(late, Err(SendError::NotLive)), "{late:?}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_command_does_not_hold_up_a_hang_up() {
    let mut tasks = JoinSet::new();
    let [here, there] = servers(&mut tasks);
    let (bridge, _caller, _model) = bridge();
    let handle = bridge.handle();
    let call = SessionId::new();
    let mut held = here.acquire(call).await.unwrap();

    let conversation = async {
        tokio::select! {
            report = bridge.run() => report,
            served = serve(&mut held, &handle, |_| pending()) => unreachable!("{served:?}"),
        }
    };
    let slow = there.send(call, Command::PauseRecording, 5 * S);
    let (report, slow, hang_up) = tokio::join!(conversation, slow, there.send(call, Command::HangUp, S));
    assert_eq!(report.reason.name(), "hung-up");
    assert_eq!(hang_up.unwrap(), Reply::Ok);
    assert!(matches!(slow, Err(SendError::CallOver { maybe_done: true })), "its sender is told: {slow:?}");
}

#[tokio::test(start_paused = true)]
async fn commands_for_a_call_that_is_over_say_so() {
    let mut tasks = JoinSet::new();
    let [here, there] = servers(&mut tasks);
    let (bridge, _caller, _model) = bridge();
    let handle = bridge.handle();
    drop(bridge);
    let call = SessionId::new();
    let mut held = here.acquire(call).await.unwrap();
    let (served, sent) =
        tokio::join!(serve(&mut held, &handle, |_| pending()), there.send(call, Command::Interrupt, S));
    assert_eq!(served, Served::CallOver);
    assert!(matches!(sent, Err(SendError::CallOver { maybe_done: false })), "{sent:?}");
}

#[tokio::test(start_paused = true)]
async fn serving_ends_when_another_server_has_the_call() {
    let mut tasks = JoinSet::new();
    let [here, there] = servers(&mut tasks);
    let (bridge, _caller, _model) = bridge();
    let handle = bridge.handle();
    let call = SessionId::new();
    let mut held = here.acquire(call).await.unwrap();
    let (served, taken) = tokio::join!(serve(&mut held, &handle, |_| pending()), there.seize(call));
    assert_eq!(served, Served::LeaseLost);
    assert!(taken.unwrap().lease().fence > held.lease().fence);
}
