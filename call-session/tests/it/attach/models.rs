//! One session of a model after the other, and what each has used.

use call_session::call::Status;
use realtime_bridge::{
    bridge::Endpoints,
    realtime::{
        Capabilities,
        memory::{MemoryClient, MemoryProvider},
    },
};

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

/// A call whose first session is of the model `memory`, and whose next are of `second`, which are changed before twenty minutes are over.
async fn started() -> (Live, MemoryProvider) {
    let (client, provider) = MemoryClient::new();
    let limits = Capabilities::client_driven().with_session_limit(20 * MINUTE);
    let endpoints = Endpoints::new(client.with_model("second").with_capabilities(limits), SessionConfig::default());
    let store = Arc::new(HardStore::default());
    let (id, config) = (new_call(&store).await, RecorderConfig::default());
    let with = |bridge: Bridge<_, _>| bridge.with_seeded_endpoints(endpoints, 7);
    (live_bridged(store, id, stream(1), config, with, pending()).await, provider)
}

async fn answer(model: &mut MemoryModel, input: u64) {
    let answer = model.begin(None).await;
    let mut used = realtime_bridge::realtime::Usage::default();
    used.input = input;
    let outcome = ResponseOutcome::new(answer.response, ResponseStatus::Completed).with_usage(used);
    model.emit(RealtimeEvent::ResponseDone(Box::new(outcome))).await;
    sleep(S).await;
}

/// What was told of sessions and of usage, in short.
async fn told(call: &Live) -> Vec<String> {
    let short = |event: SessionEvent| match event {
        SessionEvent::ModelAttached { session, model, .. } => Some(format!("+ {session} {model}")),
        SessionEvent::ModelDetached { session, cause } => Some(format!("- {session} {cause}")),
        SessionEvent::Used { usage } => Some(usage.input.to_string()),
        _ => None,
    };
    call.events().await.into_iter().filter_map(short).collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_used_after_a_session_was_lost_or_changed_is_known_to_be_the_next_ones() {
    let (mut call, mut provider) = started().await;
    answer(&mut call.model, 100).await;
    let lost = std::mem::replace(&mut call.model, pair(&SessionConfig::default()).1);
    drop(lost);
    call.model = provider.accept().await.unwrap();
    sleep(S).await;
    let there = call.kept().await.summary;
    assert_eq!((there.status, there.attachments[0].model.as_deref()), (Status::AiResponding, Some("second-1")));
    answer(&mut call.model, 20).await;
    // Before its time is up another takes its place.
    let mut next = provider.accept().await.unwrap();
    sleep(S).await;
    answer(&mut next, 3).await;
    let there = call.kept().await.summary;
    assert_eq!((there.status, there.attachments[0].model_name.as_deref()), (Status::AiResponding, Some("second")));
    let expected =
        ["100", "- memory model-failed", "+ second-1 second", "20", "- second-1 rotated", "+ second-2 second", "3"];
    assert_eq!(told(&call).await, expected);
    assert!(call.kept().await.summary.attachments[0].detached.is_none(), "the stream goes on");
    call.handle.hang_up().await.unwrap();
    let (kept, report) = call.over().await;
    // Whoever knows why the call is over detaches the last.
    assert_eq!(report.session.map(|session| session.id).as_deref(), Some("second-2"));
    assert_eq!(kept.summary.usage.input, 123);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_ends_without_a_model_has_no_session_at_its_end() {
    let (mut call, provider) = started().await;
    drop(provider);
    let lost = std::mem::replace(&mut call.model, pair(&SessionConfig::default()).1);
    drop(lost);
    sleep(MINUTE).await;
    assert_eq!(told(&call).await, ["- memory model-failed"]);
    let (_, report) = call.over().await;
    assert_eq!((report.reason.name(), report.session), ("model-unreachable", None));
}
