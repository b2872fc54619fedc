//! What a long call was about is summed up before it is forgotten, and nobody hears of it.

use realtime_bridge::{
    bridge::Endpoints,
    realtime::{
        Capabilities, NewItem, ProviderError, RealtimeCommand, RealtimeEvent, RequestId, SessionConfig, Usage,
        memory::{MemoryClient, MemoryProvider, pair},
    },
    relay::{CallEvent, ConversationMemory},
};
use tokio::time::{Duration, Instant, sleep};

use super::{
    super::{Call, MS, S, quiet, settle},
    phases::call_with,
};

async fn call(capabilities: Capabilities) -> (Call, MemoryProvider) {
    let (client, provider) = MemoryClient::new();
    let endpoints = Endpoints::new(client.with_capabilities(capabilities), SessionConfig::default());
    call_with(quiet().with_max_duration(None), endpoints, provider).await
}

async fn able() -> (Call, MemoryProvider) {
    call(Capabilities::client_driven().with_asides(true)).await
}

/// These turns, two entries each; in silence after the last.
async fn talk(call: &mut Call, turns: std::ops::Range<u32>) {
    for turn in turns {
        call.model.caller_says(&format!("Question {turn}?")).await;
        call.model.say(None, &format!("Answer {turn}."), S).await;
        sleep(1_500 * MS).await;
    }
}

/// What was asked beside the conversation; anything else was not to be asked.
fn asides(call: &mut Call) -> Vec<(RequestId, String)> {
    let mut asides = Vec::new();
    while let Some(command) = call.model.try_recv() {
        match command {
            RealtimeCommand::Aside { request, text, .. } => asides.push((request, text)),
            RealtimeCommand::Append(_) | RealtimeCommand::AddItem { .. } => {}
            other => panic!("this was not to be asked: {other:?}"),
        }
    }
    asides
}

/// The number of an entry, counted from the first.
fn number(text: &str) -> Option<usize> {
    let (_, words) = text.rsplit_once(": ").unwrap_or(("", text));
    let turn = |words: &str| words.trim_end_matches(['?', '.']).parse::<usize>().ok();
    let question = words.strip_prefix("Question ").and_then(turn).map(|turn| 2 * turn);
    question.or_else(|| words.strip_prefix("Answer ").and_then(turn).map(|turn| 2 * turn + 1))
}

/// What a session is told at its beginning.
async fn told(call: &mut Call) -> Vec<String> {
    sleep(S).await;
    let mut told = Vec::new();
    while let Some(command) = call.model.try_recv() {
        if let RealtimeCommand::AddItem {
            item: NewItem::System(text) | NewItem::User(text) | NewItem::Assistant(text),
            ..
        } = command
        {
            told.push(text);
        }
    }
    told
}

async fn next_session(call: &mut Call, provider: &mut MemoryProvider) {
    let lost = std::mem::replace(&mut call.model, pair(&SessionConfig::default()).1);
    drop(lost);
    call.model = provider.accept().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_lost_after_two_hundred_entries_is_followed_by_one_that_is_told_all() {
    let (mut call, mut provider) = able().await;
    let (mut covered, mut asked) = (0, 0);
    for turn in 0..100 {
        talk(&mut call, turn..turn + 1).await;
        let asides = asides(&mut call);
        assert!(asides.len() <= 1, "one at a time");
        if let Some((request, text)) = asides.into_iter().next() {
            asked += 1;
            // What the summary before tells of, and all that is said since then, to near the end.
            assert!(covered == 0 || text.contains(&format!("Summary up to {covered}.")), "{text}");
            let told: Vec<_> = text.lines().filter_map(number).collect();
            assert_eq!(told, (covered..covered + told.len()).collect::<Vec<_>>());
            covered += told.len();
            call.model.aside(request, &format!("Summary up to {covered}.")).await;
        }
    }
    assert!((4..=7).contains(&asked), "asked {asked} times");
    next_session(&mut call, &mut provider).await;
    let told = told(&mut call).await;
    assert_eq!(told[0], format!("What was said earlier in this call, in short: Summary up to {covered}."));
    let entries: Vec<_> = told.iter().filter_map(|text| number(text)).collect();
    assert_eq!(entries, (entries[0]..200).collect::<Vec<_>>());
    assert!(entries[0] <= covered, "between {covered} and {} nothing is known", entries[0]);
    let report = call.hang_up().await;
    assert_eq!(report.transcript.len(), 200);
    assert!(report.transcript.iter().all(|entry| !entry.generated.contains("Summary")));
    assert_eq!(report.stats.interruptions, 0);
}

#[tokio::test(start_paused = true)]
async fn whoever_watches_knows_the_summary_as_the_call_does() {
    let (mut call, _provider) = able().await;
    let mut own = ConversationMemory::default();
    talk(&mut call, 0..25).await;
    let (request, _) = asides(&mut call).remove(0);
    call.model.aside(request, &format!(" {}\n", "ま".repeat(5_000))).await;
    settle().await;
    call.handle.hang_up().await.unwrap();
    while let Some(update) = call.updates.next().await {
        own.apply(&update);
    }
    let report = call.run.join_next().await.unwrap().unwrap();
    assert_eq!(report.memory, own);
    assert_eq!(report.memory.summary().map(|summary| summary.chars().count()), Some(4_000));
}

#[tokio::test(start_paused = true)]
async fn nobody_is_asked_while_somebody_speaks_or_an_answer_is_owed() {
    let (mut call, _provider) = able().await;
    talk(&mut call, 0..21).await;
    // The words that fill the memory, and an answer that goes on.
    call.model.caller_says("One?").await;
    call.model.say(None, "Two.", S).await;
    sleep(2 * S).await;
    call.model.caller_says("Three?").await;
    let answer = call.model.begin(None).await;
    call.model.speak(&answer, 5 * S).await;
    sleep(2 * S).await;
    assert_eq!(asides(&mut call), [], "it speaks");
    call.model.spoken(&answer, "Four.").await;
    sleep(2 * S).await;
    assert_eq!(asides(&mut call), [], "it still speaks");
    call.model.done(&answer, realtime_bridge::realtime::ResponseStatus::Completed).await;
    let item = call.model.speech_started().await;
    sleep(5 * S).await;
    let cut: Vec<_> = std::iter::from_fn(|| call.model.try_recv()).collect();
    assert!(!cut.iter().any(|command| matches!(command, RealtimeCommand::Aside { .. })), "the caller speaks");
    call.model.speech_stopped(&item).await;
    sleep(S).await;
    assert_eq!(asides(&mut call), [], "an answer is owed");
    call.model.user_transcript(&item, "Five?").await;
    call.model.say(None, "Six.", S).await;
    sleep(2 * S).await;
    assert_eq!(asides(&mut call).len(), 1);
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_summary_that_fails_is_asked_for_later_and_costs_nobody_anything() {
    let (mut call, _provider) = able().await;
    talk(&mut call, 0..25).await;
    let (mut last, _) = asides(&mut call).remove(0);
    let mut usage = Usage::default();
    usage.input = 7;
    let error = || ProviderError::new("server_error", "insufficient_quota", "no");
    // Refused, failed, empty, never answered.
    for failure in 0..4 {
        let request = last;
        match failure {
            0 => call.model.error(error().with_request(request)).await,
            1 => call.model.emit(RealtimeEvent::Aside { request, result: Err(error()), usage: Some(usage) }).await,
            2 => call.model.aside(request, " \n").await,
            _ => {}
        }
        let since = Instant::now();
        let pause = 60 * S * 2_u32.pow(failure);
        while let Ok(command) = tokio::time::timeout(2 * pause + 60 * S, call.model.recv_control()).await {
            if let Some(RealtimeCommand::Aside { request, .. }) = command {
                last = request;
                break;
            }
        }
        let waited = since.elapsed();
        let limit = if failure == 3 { 30 * S } else { Duration::ZERO };
        assert!(waited >= pause + limit && waited < pause + limit + 2 * S, "{failure}: {waited:?}");
        if failure == 3 {
            // The one before comes after all, which is too late.
            call.model.aside(request, "Late.").await;
            settle().await;
        }
    }
    call.model.aside(last, "At last.").await;
    let CallEvent::Summarised { summary, .. } = call.until("summarised").await else { unreachable!() };
    assert_eq!(summary, "At last.");
    let report = call.hang_up().await;
    assert_eq!((report.stats.sessions_lost, report.usage.input), (0, 7));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_lost_while_it_sums_up_leaves_that_to_the_next() {
    let (mut call, mut provider) = able().await;
    talk(&mut call, 0..25).await;
    assert_eq!(asides(&mut call).len(), 1);
    next_session(&mut call, &mut provider).await;
    sleep(2 * S).await;
    let asked = asides(&mut call);
    assert_eq!(asked.len(), 1);
    call.model.aside(asked[0].0, "Numbers.").await;
    call.until("summarised").await;
    assert_eq!(call.hang_up().await.memory.summary(), Some("Numbers."));
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_cannot_answer_beside_the_conversation_is_not_asked() {
    let (mut call, mut provider) = call(Capabilities::client_driven()).await;
    talk(&mut call, 0..100).await;
    assert_eq!(asides(&mut call), []);
    next_session(&mut call, &mut provider).await;
    assert_eq!(told(&mut call).await[0], "Earlier parts of this call are not told here.");
    call.hang_up().await;
}
