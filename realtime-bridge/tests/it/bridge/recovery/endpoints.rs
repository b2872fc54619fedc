//! Which endpoint is asked, when, and who is to blame.

use realtime_bridge::{
    bridge::Endpoints,
    realtime::{
        BreakerConfig, Capabilities, CloseReason, ConnectError, EndpointHealth, NewItem, ProviderError, ResponseStatus,
        SessionConfig, SessionError,
        memory::{ConnectScript, MemoryClient, MemoryProvider, MemorySession, pair},
    },
    relay::{EndReason, GapFiller, Recovery},
};
use tokio::time::{Duration, Instant, sleep, timeout};

use super::{
    super::{Call, MS, S, quiet, settle},
    phases::{call, call_with},
};

fn busy(retry_after: Option<Duration>) -> ConnectScript {
    ConnectScript::Fail(ConnectError::Status { status: 429, retry_after })
}

fn dead() -> SessionError {
    SessionError::Closed(CloseReason::new(Some(1011), "down"))
}

fn quota() -> ProviderError {
    ProviderError::new("insufficient_quota", "insufficient_quota", "You exceeded your quota.")
}

/// Two endpoints, the health of each, and where the sessions of each are opened.
fn two() -> (Endpoints<MemorySession>, [EndpointHealth; 2], [MemoryProvider; 2]) {
    let health = || EndpointHealth::new(BreakerConfig::default().with_failures(2, 60 * S).with_share(0.0));
    let healths = [health(), health()];
    let capabilities = Capabilities::client_driven().with_session_limit(20 * 60 * S);
    let ((first, one), (second, other)) = (MemoryClient::new(), MemoryClient::new());
    let endpoints = Endpoints::new(first.with_capabilities(capabilities.clone()), SessionConfig::default())
        .with_health(healths[0].clone())
        .or(second.with_capabilities(capabilities), SessionConfig::default().with_voice("cedar"))
        .with_health(healths[1].clone());
    (endpoints, healths, [one, other])
}

async fn call_to_two() -> (Call, MemoryProvider, MemoryProvider, [EndpointHealth; 2]) {
    let (endpoints, healths, [first, second]) = two();
    let (call, first) = call_with(quiet(), endpoints, first).await;
    (call, first, second, healths)
}

/// The session is answered from, so that it is none that gives nothing.
async fn answer(call: &mut Call) {
    let (request, _) = call.asked().await;
    call.model.say(Some(request), "Good morning.", S).await;
    call.until("agent-silent").await;
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_wants_to_be_left_alone_does_not_keep_the_next_from_being_asked() {
    let (mut call, first, mut second, _) = call_to_two().await;
    let since = Instant::now();
    first.script(busy(Some(30 * S)));
    call.model.caller_says("Hello?").await;
    settle().await;
    let model = std::mem::replace(&mut call.model, pair(&SessionConfig::default()).1);
    model.fail(dead());
    call.model = second.accept().await.unwrap();
    assert!(since.elapsed() <= 2 * MS, "it took {:?}", since.elapsed());
    answer(&mut call).await;
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_is_not_asked_before_it_wants_to_be() {
    let (mut call, first, mut second, _) = call_to_two().await;
    let since = Instant::now();
    first.script(busy(Some(10 * S)));
    (0..50).for_each(|_| second.script(busy(None)));
    call.model.error(ProviderError::new("invalid_request_error", "session_expired", "over")).await;
    let mut first = first;
    call.model = tokio::select! {
        model = first.accept() => model.unwrap(),
        _ = second.accept() => panic!("it refuses"),
    };
    assert!(since.elapsed() >= 10 * S && since.elapsed() <= 15 * S, "it was asked after {:?}", since.elapsed());
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_an_endpoint_that_comes_back_too_late() {
    let (mut call, provider) = call(quiet()).await;
    let since = Instant::now();
    provider.script(busy(Some(30 * S)));
    call.model.error(ProviderError::new("invalid_request_error", "session_expired", "over")).await;
    let report = call.over("model-unreachable").await;
    assert!(since.elapsed() <= 2 * MS, "the caller waited for {:?}", since.elapsed());
    let EndReason::ModelUnreachable { attempts, .. } = report.reason else { unreachable!() };
    assert_eq!(attempts, 1);
}

#[tokio::test(start_paused = true)]
async fn a_model_that_connects_and_stalls_is_left_for_the_other() {
    let (mut call, _first, mut second, healths) = call_to_two().await;
    let since = Instant::now();
    call.model.caller_says("Hello?").await;
    call.model = second.accept().await.unwrap();
    assert_eq!(since.elapsed(), 6 * S);
    assert_eq!(call.model.config().voice, "cedar");
    answer(&mut call).await;
    assert!(!healths[1].is_open());
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_model_that_refuses_is_left_for_the_other() {
    let (mut call, _first, mut second, _) = call_to_two().await;
    let limit = ProviderError::new("rate_limit_error", "rate_limit_exceeded", "Please try again in 20s.");
    let since = Instant::now();
    call.model.caller_says("Hello?").await;
    let made = call.model.begin(None).await;
    call.model.done(&made, ResponseStatus::Failed(limit)).await;
    call.model = second.accept().await.unwrap();
    assert!(since.elapsed() <= 2 * MS, "it took {:?}", since.elapsed());
    answer(&mut call).await;
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn the_time_that_a_caller_waits_is_counted_over_all_sessions_that_give_nothing() {
    let (mut call, mut provider) = call(quiet()).await;
    let since = Instant::now();
    call.model.caller_says("Hello?").await;
    let mut sessions = 0;
    let report = loop {
        tokio::select! {
            biased;
            report = call.run.join_next() => break report.unwrap().unwrap(),
            model = provider.accept() => {
                call.model = model.unwrap();
                sessions += 1;
            }
        }
    };
    assert_eq!(report.reason.name(), "model-unreachable");
    assert!(sessions >= 3);
    // The first stall, the budget, and what is left of the last session's time.
    assert!(since.elapsed() <= (6 + 20 + 6) * S, "the caller waited for {:?}", since.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_session_that_nobody_asked_for_anything_counts_for_no_time_that_a_caller_waited() {
    let (mut call, mut provider) = call(quiet()).await;
    for _ in 0..4 {
        call.model.error(ProviderError::new("invalid_request_error", "session_expired", "over")).await;
        call.model = provider.accept().await.unwrap();
        sleep(60 * S).await;
    }
    call.model.caller_says("Hello?").await;
    call.model = provider.accept().await.unwrap();
    let (request, items) = call.asked().await;
    assert!(items.contains(&NewItem::User("Hello?".into())), "{items:?}");
    call.model.say(Some(request), "Good morning.", S).await;
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_silence_counts_from_where_it_began() {
    let config = quiet().with_recovery(Recovery::default().with_filler(GapFiller::HoldTone, 800 * MS));
    let (mut call, mut provider) = call(config).await;
    provider.script(ConnectScript::AnswerAfter(3 * S));
    call.model.caller_says("Hello?").await;
    call.until("model-lost").await;
    sleep(300 * MS).await;
    assert!(call.caller.heard_total() >= 20 * MS, "the caller has waited for six seconds already");
    call.model = provider.accept().await.unwrap();
    answer(&mut call).await;
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_silence_in_which_nobody_waits_counts_for_nothing() {
    let config = quiet().with_recovery(Recovery::default().with_filler(GapFiller::HoldTone, 800 * MS));
    let (mut call, mut provider) = call(config).await;
    provider.script(ConnectScript::AnswerAfter(3 * S));
    call.model.caller_says("Hello?").await;
    call.model.say(None, "Good morning.", S).await;
    sleep(60 * S).await;
    let heard = call.caller.heard_total();
    call.model.error(ProviderError::new("invalid_request_error", "session_expired", "over")).await;
    sleep(700 * MS).await;
    assert_eq!(call.caller.heard_total(), heard, "the gap has hardly begun");
    sleep(500 * MS).await;
    assert!(call.caller.heard_total() > heard);
    call.model = provider.accept().await.unwrap();
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn the_endpoint_of_the_session_is_to_blame_and_not_that_of_the_next() {
    let (mut call, first, mut second, healths) = call_to_two().await;
    first.script(ConnectScript::Fail(ConnectError::Timeout { limit: S, waiting_for: "anything" }));
    sleep(10 * 60 * S - S).await;
    // It is time for another session, which the second gives; the agent is speaking.
    let made = call.model.begin(None).await;
    call.model.speak(&made, 20 * S).await;
    let next = second.accept().await.unwrap();
    settle().await;
    assert!(!healths[0].is_open());
    std::mem::replace(&mut call.model, next).fail(dead());
    settle().await;
    assert!(healths[0].is_open() && !healths[1].is_open());
    answer(&mut call).await;
    call.hang_up().await;
}

/// A call whose session the second endpoint has given, as the first is known to be down.
async fn call_from_second() -> (Call, MemoryProvider, MemoryProvider, [EndpointHealth; 2]) {
    let (endpoints, healths, [first, second]) = two();
    (0..2).for_each(|_| healths[0].failed());
    let (call, second) = call_with(quiet(), endpoints, second).await;
    (call, first, second, healths)
}

#[tokio::test(start_paused = true)]
async fn who_gave_the_first_session_is_to_blame_for_it() {
    let (mut call, mut first, _second, healths) = call_from_second().await;
    healths[1].failed();
    call.model.caller_says("Hello?").await;
    // It stalls.
    call.model = timeout(10 * S, first.accept()).await.expect("the other is asked first").unwrap();
    answer(&mut call).await;
    assert!(healths[1].is_open() && !healths[0].is_open());
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn who_gave_the_first_session_is_hopeless_when_it_refuses_for_good() {
    let (mut call, mut first, _second, _) = call_from_second().await;
    call.model.caller_says("Hello?").await;
    call.model.error(quota()).await;
    call.model = timeout(10 * S, first.accept()).await.expect("the other is asked").unwrap();
    answer(&mut call).await;
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_model_that_connects_and_stalls_stays_known_to_be_down() {
    let (endpoints, healths, [first, mut second]) = two();
    (0..2).for_each(|_| healths[0].failed());
    sleep(10 * S).await;
    // This call is the probe.
    let (mut call, _first) = call_with(quiet(), endpoints, first).await;
    assert!(healths[0].is_open());
    call.model.caller_says("Hello?").await;
    call.model = second.accept().await.unwrap();
    let since = Instant::now();
    answer(&mut call).await;
    tokio::time::sleep_until(since + 19 * S).await;
    assert!(healths[0].is_open(), "the pause is twice as long");
    tokio::time::sleep_until(since + 20 * S).await;
    assert!(!healths[0].is_open());
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_probe_of_which_nothing_is_heard_gives_way_to_another() {
    let (endpoints, healths, [first, _second]) = two();
    (0..2).for_each(|_| healths[0].failed());
    sleep(10 * S).await;
    let (call, first) = call_with(quiet(), endpoints.clone(), first).await;
    settle().await;
    call.hang_up().await;
    sleep(10 * S).await;
    let (mut call, _first) = call_with(quiet(), endpoints, first).await;
    call.model.say(None, "Good morning.", S).await;
    call.until("agent-silent").await;
    assert!(!healths[0].is_open());
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_where_no_session_will_ever_work() {
    let (mut call, mut provider) = call(quiet()).await;
    let since = Instant::now();
    call.model.caller_says("Hello?").await;
    call.model.error(quota()).await;
    let report = call.over("model-unreachable").await;
    assert!(since.elapsed() <= 2 * MS, "the caller waited for {:?}", since.elapsed());
    let EndReason::ModelUnreachable { cause, .. } = report.reason else { unreachable!() };
    assert!(matches!(&*cause, EndReason::ModelRefused(error) if *error == quota()));
    assert!(provider.accept().await.is_none(), "another session was opened");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_none_will_ever_follow_is_used_to_its_end() {
    let (endpoints, _, [first, mut second]) = two();
    let (mut call, mut first) = call_with(quiet(), endpoints, first).await;
    let never = || ConnectScript::Fail(ConnectError::Status { status: 401, retry_after: None });
    [&first, &second].into_iter().for_each(|provider| provider.script(never()));
    sleep(15 * 60 * S).await;
    let asked = async {
        tokio::select! { _ = first.accept() => {}, _ = second.accept() => {} }
    };
    assert!(timeout(S, asked).await.is_err(), "they were asked again");
    call.model.say(None, "Good morning.", S).await;
    call.until("agent-silent").await;
    call.hang_up().await;
}
