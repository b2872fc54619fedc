//! What happens when the model is lost at a given moment, and when it stays lost.

use realtime_bridge::{
    audio::{AudioFormat, AudioFrame},
    bridge::{Bridge, Endpoints},
    media::memory::{Caller, line},
    realtime::{
        BreakerConfig, BreakerState, CloseReason, ConnectError, EndpointHealth, NewItem, ProviderError,
        RealtimeCommand, ResponseStatus, SessionConfig, SessionError,
        memory::{ConnectScript, MemoryClient, MemoryModel, MemoryProvider},
    },
    relay::{CallConfig, CallEvent, EndReason, GapFiller, Recovery, Speaker},
    tool::ToolSet,
};
use tokio::{
    task::JoinSet,
    time::{Duration, Instant, sleep},
};

use super::super::{Call, MS, S, greeting, quiet, settle};

/// A call that can open other sessions, and where they are opened.
pub(super) async fn call(config: CallConfig) -> (Call, MemoryProvider) {
    let (client, provider) = MemoryClient::new();
    let endpoints = Endpoints::new(client, SessionConfig::default());
    call_with(config, endpoints, provider).await
}

pub(super) async fn call_with(
    config: CallConfig,
    mut endpoints: Endpoints<realtime_bridge::realtime::memory::MemorySession>,
    mut provider: MemoryProvider,
) -> (Call, MemoryProvider) {
    let (line, caller) = line(AudioFormat::MuLaw);
    let session = endpoints.connect().await.unwrap();
    let model = provider.accept().await.unwrap();
    let bridge = Bridge::with_config(line, session, config).unwrap();
    let bridge = bridge.with_seeded_endpoints(endpoints, 1).with_tools(ToolSet::new());
    let (handle, mut run) = (bridge.handle(), JoinSet::new());
    let updates = handle.watch();
    run.spawn(bridge.run());
    settle().await;
    (Call { caller, model, handle, updates, run }, provider)
}

/// The model is lost, and the next session is there at once.
async fn lose(call: &mut Call, provider: &mut MemoryProvider) {
    let next = lost(call, provider).await;
    call.model = next;
}

async fn lost(call: &mut Call, provider: &mut MemoryProvider) -> MemoryModel {
    call.model.error(ProviderError::new("invalid_request_error", "session_expired", "over")).await;
    provider.accept().await.unwrap()
}

pub(super) fn voice(byte: u8, frames: usize) -> Vec<AudioFrame> {
    vec![AudioFrame::raw(AudioFormat::MuLaw, vec![byte; 160]); frames]
}

pub(super) async fn speak(caller: &Caller, frames: Vec<AudioFrame>) {
    for frame in frames {
        caller.send(frame).await.unwrap();
        sleep(20 * MS).await;
    }
}

/// What the session is told of the caller's voice, as (byte, length).
pub(super) fn voices(model: &mut MemoryModel) -> Vec<(u8, Duration)> {
    let mut voices: Vec<(u8, Duration)> = Vec::new();
    while let Some(command) = model.try_recv() {
        if let RealtimeCommand::Append(frame) = command {
            let byte = frame.to_raw()[0];
            match voices.last_mut() {
                Some((last, length)) if *last == byte => *length += frame.duration(),
                _ => voices.push((byte, frame.duration())),
            }
        }
    }
    voices
}

fn last(items: &[NewItem]) -> &str {
    match items.last() {
        Some(NewItem::System(text) | NewItem::User(text) | NewItem::Assistant(text)) => text,
        other => panic!("a text was to come, not {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_greeting_that_nobody_heard_is_asked_for_again() {
    let (mut call, mut provider) = call(quiet().with_greeting(greeting())).await;
    let (_, items) = call.asked().await;
    assert!(last(&items).ends_with("Hello."));
    lose(&mut call, &mut provider).await;
    let (request, items) = call.asked().await;
    assert!(last(&items).ends_with("Hello."));
    call.model.say(Some(request), "Hello.", S).await;
    call.until("agent-silent").await;
    assert!(call.told_nothing(5 * S).await, "it is said once");
    let report = call.hang_up().await;
    assert_eq!((report.transcript.len(), report.stats.sessions_lost), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn what_the_line_has_goes_on_playing_and_the_rest_is_asked_for() {
    let (mut call, mut provider) = call(quiet()).await;
    let item = call.model.caller_says("When are you open?").await;
    assert!(!item.as_str().is_empty());
    let answer = call.model.begin(None).await;
    call.model.words(&answer, "We are open from nine to six on every day but Sunday.").await;
    call.model.speak(&answer, 2 * S).await;
    sleep(500 * MS).await;
    lose(&mut call, &mut provider).await;
    let (request, items) = call.asked().await;
    assert!(items.contains(&NewItem::Assistant("We are open from nine to six…".into())), "{items:?}");
    assert!(last(&items).contains("cut off by a technical fault"));
    call.model.say(Some(request), "on every day but Sunday.", S).await;
    call.caller.hear_out().await;
    assert_eq!(call.caller.heard_total(), 3 * S);
    assert_eq!(call.cleared(), 0, "nothing is taken from the line");
    let heard: Vec<_> = call.hang_up().await.transcript.into_iter().map(|entry| (entry.session, entry.heard)).collect();
    let expected = [(0, "When are you open?"), (0, "We are open from nine to six"), (1, "on every day but Sunday.")];
    assert_eq!(heard, expected.map(|(session, text)| (session, text.to_owned())));
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_talks_while_the_model_is_lost_is_heard_from_the_beginning() {
    let (mut call, mut provider) = call(quiet()).await;
    provider.script(ConnectScript::AnswerAfter(S));
    call.model.say(None, "We are open from nine to six on every day but Sunday.", 4 * S).await;
    speak(&call.caller, voice(1, 50)).await;
    // The caller interrupts; the model notices after 200 ms, and dies 300 ms later.
    speak(&call.caller, voice(2, 10)).await;
    call.model.speech_started().await;
    speak(&call.caller, voice(2, 15)).await;
    voices(&mut call.model);
    let since = Instant::now();
    call.model.error(ProviderError::new("invalid_request_error", "session_expired", "over")).await;
    let talking = speak(&call.caller, voice(3, 60));
    let (mut model, ()) = tokio::join!(async { provider.accept().await.unwrap() }, talking);
    assert_eq!(since.elapsed(), 1_200 * MS);
    let voices = voices(&mut model);
    // Half a second was kept before the model noticed.
    assert_eq!(voices, [(1, 280 * MS), (2, 500 * MS), (3, 1_200 * MS)]);
    call.model = model;
    let item = call.model.speech_started().await;
    call.model.speech_stopped(&item).await;
    call.model.user_transcript(&item, "And on Sunday?").await;
    call.model.say(None, "No.", 500 * MS).await;
    sleep(S).await;
    let report = call.hang_up().await;
    let said: Vec<_> = report.transcript.iter().map(|entry| (entry.speaker, entry.interrupted)).collect();
    assert_eq!(said, [(Speaker::Agent, true), (Speaker::Caller, false), (Speaker::Agent, false)]);
}

#[tokio::test(start_paused = true)]
async fn what_the_caller_says_in_the_gap_is_kept_up_to_a_bound() {
    let recovery = Recovery::default().with_caller_kept(2 * S).with_filler(GapFiller::Nothing, S);
    let (mut call, mut provider) = call(quiet().with_recovery(recovery)).await;
    provider.script(ConnectScript::AnswerAfter(4 * S));
    call.model.caller_says("Hello?").await;
    speak(&call.caller, voice(1, 5)).await;
    drop(std::mem::replace(&mut call.model, MemoryClientModel::none()));
    settle().await;
    speak(&call.caller, voice(2, 50)).await;
    speak(&call.caller, voice(3, 75)).await;
    let mut model = provider.accept().await.unwrap();
    settle().await;
    assert_eq!(voices(&mut model), [(2, 500 * MS), (3, 1_500 * MS)]);
    call.model = model;
    let report = call.hang_up().await;
    assert!(report.stats.caller_dropped >= 500 * MS, "{:?}", report.stats);
}

/// A model that is gone.
struct MemoryClientModel;

impl MemoryClientModel {
    fn none() -> MemoryModel {
        realtime_bridge::realtime::memory::pair(&SessionConfig::default()).1
    }
}

#[tokio::test(start_paused = true)]
async fn the_silence_is_filled_once_it_has_lasted() {
    let clip = AudioFrame::raw(AudioFormat::MuLaw, vec![9; 8_000]);
    let fillers = [(GapFiller::Nothing, 0, 0), (GapFiller::HoldTone, 1_200, 0), (GapFiller::Clip(clip), 1_000, 8_000)];
    for (filler, heard, bytes) in fillers {
        let config = quiet().with_recovery(Recovery::default().with_filler(filler, 800 * MS));
        let (mut call, mut provider) = call(config).await;
        provider.script(ConnectScript::AnswerAfter(3 * S));
        call.model.caller_says("Hello?").await;
        call.model.say(None, "Good morning.", S).await;
        let next = lost(&mut call, &mut provider).await;
        call.model = next;
        // One second of speech, 800 ms of silence, and the filler until the session is there.
        sleep(300 * MS).await;
        let total = call.caller.heard_total();
        assert!(total.abs_diff(S + heard * MS) <= 220 * MS, "{total:?} were heard, of the filler {heard} ms");
        let clip = call.caller.heard_bytes().iter().filter(|byte| **byte == 9).count();
        assert!(clip >= bytes, "{clip} of {bytes}");
        sleep(5 * S).await;
        assert!(call.caller.heard_total() <= total + 200 * MS, "nobody waits for anything");
        call.hang_up().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_model_that_owes_an_answer_and_gives_no_sign_is_left() {
    let (mut call, mut provider) = call(quiet()).await;
    let since = Instant::now();
    call.model.caller_says("Hello?").await;
    call.model = provider.accept().await.unwrap();
    assert_eq!(since.elapsed(), 6 * S);
    let (request, items) = call.asked().await;
    assert!(items.contains(&NewItem::User("Hello?".into())));
    call.model.say(Some(request), "Good morning.", S).await;
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_made_is_had_from_another_session() {
    let (mut call, mut provider) = call(quiet()).await;
    call.model.caller_says("Hello?").await;
    let error = ProviderError::new("rate_limit_error", "rate_limit_exceeded", "Please try again in 20s.");
    let answer = call.model.begin(None).await;
    call.model.done(&answer, ResponseStatus::Failed(error)).await;
    call.model = provider.accept().await.unwrap();
    let (request, _) = call.asked().await;
    call.model.say(Some(request), "Good morning.", S).await;
    let CallEvent::ModelLost(EndReason::ModelRefused(_)) = call.until("model-lost").await else { unreachable!() };
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn when_the_time_is_up_the_end_says_so() {
    let (mut call, provider) = call(quiet().with_recovery(Recovery::default().with_budget(8 * S))).await;
    let since = Instant::now();
    let refused = || ConnectError::Status { status: 503, retry_after: None };
    (0..50).for_each(|_| provider.script(ConnectScript::Fail(refused())));
    call.model.error(ProviderError::new("invalid_request_error", "session_expired", "over")).await;
    let report = call.over("model-unreachable").await;
    assert_eq!(since.elapsed(), 8 * S);
    assert!(!report.reason.is_orderly());
    let EndReason::ModelUnreachable { cause, attempts } = report.reason else { unreachable!() };
    // At once, then after 250 ms, 500 ms, 1 s, 2 s and 4 s, each up to a quarter shorter.
    assert_eq!((cause.name(), attempts), ("model-refused", 6));
    assert_eq!(report.stats.without_model, 8 * S);
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_will_never_work_is_not_asked_again() {
    let (mut call, provider) = call(quiet()).await;
    let since = Instant::now();
    let key = ProviderError::new("invalid_request_error", "invalid_api_key", "no");
    provider.script(ConnectScript::Fail(ConnectError::Refused(key)));
    call.model.error(ProviderError::new("invalid_request_error", "session_expired", "over")).await;
    call.until("ended").await;
    assert!(since.elapsed() <= MS);
    call.over("model-unreachable").await;
}

#[tokio::test(start_paused = true)]
async fn another_endpoint_is_tried_before_anybody_waits() {
    let ((first, provider), (second, mut other)) = (MemoryClient::new(), MemoryClient::new());
    let health = EndpointHealth::default();
    let endpoints = Endpoints::new(first, SessionConfig::default())
        .with_health(health.clone())
        .or(second, SessionConfig::default().with_voice("cedar"));
    let (mut call, provider) = call_with(quiet(), endpoints, provider).await;
    let since = Instant::now();
    provider.script(ConnectScript::Fail(ConnectError::Status { status: 503, retry_after: None }));
    call.model.caller_says("Hello?").await;
    settle().await;
    drop(std::mem::replace(&mut call.model, MemoryClientModel::none()));
    call.model = other.accept().await.unwrap();
    assert!(since.elapsed() <= 2 * MS);
    assert_eq!(call.model.config().voice, "cedar");
    let (request, _) = call.asked().await;
    call.model.say(Some(request), "Good morning.", S).await;
    assert_eq!(health.state(), BreakerState::Closed, "two failures are not many");
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn many_calls_open_the_breaker_and_one_that_gets_through_closes_it() {
    let health = EndpointHealth::new(BreakerConfig::default().with_failures(10, 30 * S));
    let (client, mut provider) = MemoryClient::new();
    let mut endpoints = Endpoints::new(client, SessionConfig::default()).with_health(health.clone());
    let mut calls = Vec::new();
    for _ in 0..30 {
        let (line, caller) = line(AudioFormat::MuLaw);
        let session = endpoints.connect().await.unwrap();
        let model = provider.accept().await.unwrap();
        let bridge = Bridge::with_config(line, session, quiet()).unwrap().with_endpoints(endpoints.clone());
        calls.push((caller, model, bridge));
    }
    let mut running = JoinSet::new();
    let mut far = Vec::new();
    for (caller, model, bridge) in calls {
        running.spawn(bridge.run());
        far.push((caller, model));
    }
    settle().await;
    assert!(!health.is_open());
    // The endpoint goes down, for all of them.
    let down = || SessionError::Closed(CloseReason::new(Some(1011), "down"));
    (0..2_000)
        .for_each(|_| provider.script(ConnectScript::Fail(ConnectError::Status { status: 503, retry_after: None })));
    let (callers, models): (Vec<_>, Vec<_>) = far.into_iter().unzip();
    models.into_iter().for_each(|model| model.fail(down()));
    sleep(2 * S).await;
    assert!(health.is_open() && endpoints.are_down(), "a new call is not given to it");
    drop(callers);
    while running.join_next().await.is_some() {}
    sleep(30 * S).await;
    assert!(!health.is_open(), "somebody may try");
    let (client, provider) = MemoryClient::new();
    let endpoints = Endpoints::new(client, SessionConfig::default()).with_health(health.clone());
    let (mut call, _provider) = call_with(quiet(), endpoints, provider).await;
    assert!(health.is_open(), "that it connects does not say that it works");
    call.model.say(None, "Good morning.", S).await;
    call.until("agent-silent").await;
    assert_eq!(health.state(), BreakerState::Closed);
    call.hang_up().await;
}
