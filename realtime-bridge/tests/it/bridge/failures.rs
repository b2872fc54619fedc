//! Whatever fails, the call ends for one reason, both sides are closed and nothing is left running.

use std::io;

use realtime_bridge::{
    audio::AudioFormat,
    bridge::{Bridge, CallHandle, CallReport},
    media::{
        MediaError,
        memory::{Caller, line},
    },
    realtime::{
        CloseReason, ProviderError, RealtimeCommand, RequestId, ResponseStatus, SessionConfig, SessionError,
        memory::{MemoryModel, pair},
    },
    relay::CallConfig,
    tool::{EndCall, ToolSet},
};
use tokio::{runtime::Handle, task::JoinSet, time::sleep};

use super::{MS, S, greeting, over, quiet};

type FarEnds = (Option<Caller>, Option<MemoryModel>);

/// A call in which `act` happens ends for this reason. `act` gives back the far ends that it has not dropped.
async fn check(
    reason: &str,
    config: CallConfig,
    act: impl AsyncFnOnce(Caller, MemoryModel, &CallHandle) -> FarEnds,
) -> CallReport {
    let (line, caller) = line(AudioFormat::MuLaw);
    let (session, model) = pair(&SessionConfig::default());
    let bridge = Bridge::with_config(line, session, config).unwrap().with_tools(ToolSet::new().with(EndCall));
    let (handle, mut run) = (bridge.handle(), JoinSet::new());
    let updates = handle.watch();
    run.spawn(bridge.run());
    let (caller, model) = act(caller, model, &handle).await;
    over(reason, run, &handle, updates, caller.as_ref(), model.as_ref()).await
}

async fn asked(model: &mut MemoryModel) -> RequestId {
    loop {
        if let RealtimeCommand::Respond { request, .. } = model.recv_control().await.expect("the session is open") {
            return request;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_model_fails() {
    let report = check("model-stalled", quiet(), async |caller, mut model, _| {
        model.caller_says("Hello?").await;
        (Some(caller), Some(model))
    })
    .await;
    assert_eq!(report.duration, 20 * S, "it is asked a second time");
    check("model-stalled", quiet().with_greeting(greeting()), async |caller, model, _| (Some(caller), Some(model)))
        .await;
    check("model-stalled", quiet(), async |caller, mut model, _| {
        // In the middle of an answer, twice.
        for request in 0..2 {
            let answer = model.begin((request == 1).then_some(RequestId(2))).await;
            model.speak(&answer, 300 * MS).await;
            sleep(10 * S).await;
        }
        (Some(caller), Some(model))
    })
    .await;
    check("model-closed", quiet(), async |caller, model, _| {
        model.end();
        (Some(caller), None)
    })
    .await;
    check("model-failed", quiet(), async |caller, mut model, _| {
        let answer = model.begin(None).await;
        model.speak(&answer, S).await;
        sleep(300 * MS).await;
        model.close(CloseReason::new(Some(1_011), "try later"));
        (Some(caller), None)
    })
    .await;
    check("model-failed", quiet(), async |caller, model, _| {
        drop(model);
        (Some(caller), None)
    })
    .await;
    check("model-failed", quiet(), async |caller, model, _| {
        model.fail(SessionError::Malformed { event: "response.done".into(), source: "not JSON".into() });
        (Some(caller), None)
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_model_refuses() {
    for (code, ended) in [("insufficient_quota", true), ("session_expired", true), ("unknown_parameter", false)] {
        let reason = if ended { "model-refused" } else { "hung-up" };
        check(reason, quiet().with_greeting(greeting()), async |caller, mut model, handle| {
            let request = asked(&mut model).await;
            model.error(ProviderError::new("some_error", code, "no").with_request(request)).await;
            sleep(S).await;
            assert_eq!(caller.is_closed(), ended, "{code}");
            // A create that was refused for good leaves a call that can go on.
            let _ = handle.hang_up().await;
            (Some(caller), Some(model))
        })
        .await;
    }
    check("model-refused", quiet(), async |caller, mut model, _| {
        let answer = model.begin(None).await;
        model.done(&answer, ResponseStatus::Failed(ProviderError::new("x", "billing_hard_limit_reached", "no"))).await;
        (Some(caller), Some(model))
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_model_talks_on_after_it_was_stopped() {
    check("hung-up", quiet(), async |caller, mut model, handle| {
        let answer = model.begin(None).await;
        model.speak(&answer, S).await;
        sleep(400 * MS).await;
        handle.interrupt().await.unwrap();
        loop {
            if matches!(model.recv_control().await, Some(RealtimeCommand::Cancel { .. })) {
                break;
            }
        }
        let heard = caller.heard_total();
        for _ in 0..50 {
            model.speak(&answer, S).await;
            sleep(100 * MS).await;
        }
        assert_eq!(caller.heard_total(), heard);
        handle.hang_up().await.unwrap();
        (Some(caller), Some(model))
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_caller_hangs_up_in_each_phase() {
    let greeted = || quiet().with_greeting(greeting());
    // Before the greeting.
    check("caller-hung-up", greeted(), async |caller, model, _| {
        caller.hang_up().await.unwrap();
        (Some(caller), Some(model))
    })
    .await;
    // While the greeting plays.
    check("caller-hung-up", greeted(), async |caller, mut model, _| {
        let request = asked(&mut model).await;
        model.say(Some(request), "Hello.", 2 * S).await;
        sleep(S).await;
        caller.hang_up().await.unwrap();
        (Some(caller), Some(model))
    })
    .await;
    // In the middle of a word.
    check("caller-hung-up", quiet(), async |caller, mut model, _| {
        model.speech_started().await;
        sleep(S).await;
        caller.hang_up().await.unwrap();
        (Some(caller), Some(model))
    })
    .await;
    // While the model thinks.
    check("caller-hung-up", quiet(), async |caller, mut model, _| {
        model.caller_says("When are you open?").await;
        sleep(S).await;
        caller.hang_up().await.unwrap();
        (Some(caller), Some(model))
    })
    .await;
    // During the goodbye.
    check("caller-hung-up", quiet(), async |caller, mut model, handle| {
        handle.end(Some("Goodbye.".into())).await.unwrap();
        let request = asked(&mut model).await;
        model.say(Some(request), "Goodbye.", 2 * S).await;
        sleep(S).await;
        caller.hang_up().await.unwrap();
        (Some(caller), Some(model))
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_line_fails() {
    // Cut off, without a goodbye.
    check("line-failed", quiet(), async |caller, model, _| {
        drop(caller);
        (None, Some(model))
    })
    .await;
    check("line-failed", quiet(), async |caller, mut model, _| {
        model.say(None, "Hello.", 5 * S).await;
        sleep(S).await;
        let broken = io::Error::from(io::ErrorKind::ConnectionReset);
        caller.fail(MediaError::Transport(Box::new(broken))).await.unwrap();
        (Some(caller), Some(model))
    })
    .await;
    // Up, but without any audio.
    check("line-silent", quiet().with_no_media(15 * S), async |caller, model, _| {
        caller.keep_quiet(S).await.unwrap();
        (Some(caller), Some(model))
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn neither_side_takes_anything() {
    check("hung-up", quiet(), async |caller, mut model, handle| {
        caller.stall();
        model.stall();
        let answer = model.begin(None).await;
        model.speak(&answer, 30 * S).await;
        handle.say("Hello?").await.unwrap();
        sleep(S).await;
        handle.hang_up().await.unwrap();
        (Some(caller), Some(model))
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_half_way_leaves_nothing() {
    let (line, caller) = line(AudioFormat::MuLaw);
    let (session, mut model) = pair(&SessionConfig::default());
    let bridge =
        Bridge::with_config(line, session, quiet()).unwrap().with_tools(ToolSet::new().with(super::tools::slow()));
    let (handle, mut run) = (bridge.handle(), JoinSet::new());
    let mut updates = handle.watch();
    run.spawn(bridge.run());
    model.call_tool(None, "slow", "{}").await;
    model.say(None, "One moment.", 5 * S).await;
    sleep(S).await;
    assert_eq!(Handle::current().metrics().num_alive_tasks(), 2, "the call and its tool");
    run.shutdown().await;
    assert!(caller.is_closed() && model.is_dropped());
    while updates.next().await.is_some() {}
    assert!(handle.hang_up().await.is_err());
    sleep(S).await;
    assert_eq!(Handle::current().metrics().num_alive_tasks(), 0, "a task is left");
}
