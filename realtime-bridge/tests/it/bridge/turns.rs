//! Turns: keys, words on both sides, latency, usage, and what watchers see.

use realtime_bridge::{
    media::DtmfDigit,
    realtime::{
        ItemKind, NewItem, ProviderError, RealtimeCommand, RealtimeEvent, ResponseOutcome, ResponseStatus, Usage,
    },
    relay::{CallEvent, Speaker},
};
use tokio::time::{Duration, Instant, sleep};

use super::{Call, MS, S, call, greeting, quiet, settle};

async fn press(call: &Call, keys: &str) {
    for key in keys.chars() {
        call.caller.press(DtmfDigit::new(key).unwrap()).await.unwrap();
        sleep(300 * MS).await;
    }
}

fn keys(items: &[NewItem]) -> &str {
    match items {
        [NewItem::User(text)] => text.rsplit(' ').next().unwrap(),
        other => panic!("{other:?} are no keys"),
    }
}

#[tokio::test(start_paused = true)]
async fn keys_are_gathered_until_a_pause_or_the_end_key() {
    let mut call = call(quiet());
    press(&call, "0312").await;
    let began = Instant::now();
    let (request, items) = call.asked().await;
    // The last key was pressed 300 ms ago.
    assert_eq!((keys(&items), began.elapsed()), ("0312", 1_700 * MS));
    call.model.say(Some(request), "Thank you.", S).await;
    sleep(2 * S).await;
    press(&call, "42#").await;
    let began = Instant::now();
    let (_, items) = call.asked().await;
    assert_eq!((keys(&items), began.elapsed()), ("42#", Duration::ZERO));
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_key_stops_the_agent_and_more_keys_do_not_stop_it_again() {
    let mut call = call(quiet());
    let answer = call.model.begin(None).await;
    call.model.speak(&answer, 5 * S).await;
    sleep(S).await;
    press(&call, "123").await;
    assert_eq!(call.caller.heard_total(), S);
    assert!(matches!(call.told().await, RealtimeCommand::Truncate { heard, .. } if heard == S));
    assert!(matches!(call.told().await, RealtimeCommand::Cancel { .. }));
    call.model.done(&answer, ResponseStatus::Cancelled).await;
    assert_eq!(keys(&call.asked().await.1), "123");
    assert_eq!(call.hang_up().await.stats.interruptions, 1);

    // Nor what the agent says between two keys of one number.
    let mut call = super::call(quiet());
    press(&call, "1").await;
    call.model.say(None, "Please go on.", S).await;
    press(&call, "2").await;
    sleep(S).await;
    assert_eq!(call.caller.heard_total(), S);
    assert_eq!(call.hang_up().await.stats.interruptions, 0);
}

#[tokio::test(start_paused = true)]
async fn keys_without_end_are_told_in_pieces() {
    let mut call = call(quiet());
    for _ in 0..70 {
        call.caller.press(DtmfDigit::new('7').unwrap()).await.unwrap();
    }
    let mut told = Vec::new();
    while told.len() < 2 {
        if let RealtimeCommand::AddItem { item, .. } = call.told().await {
            told.push(keys(&[item]).len());
        }
    }
    assert_eq!(told, [64, 6]);
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn the_transcript_stands_in_the_order_of_the_conversation() {
    let mut call = call(quiet());
    let turn = call.model.speech_started().await;
    call.model.speech_stopped(&turn).await;
    // The answer and its words are faster than the words of the caller.
    call.model.say(None, "From nine to six.", S).await;
    call.until("agent-silent").await;
    call.model.user_transcript(&turn, "When are you open?").await;
    let second = call.model.speech_started().await;
    call.model.speech_stopped(&second).await;
    let failed = ProviderError::new("transcription_error", "audio_unintelligible", "no words");
    call.model.emit(RealtimeEvent::UserTranscriptFailed { item: second, error: failed }).await;
    call.until("provider-problem").await;
    let report = call.hang_up().await;
    let said: Vec<_> = report.transcript.iter().map(|entry| (entry.speaker, entry.generated.as_str())).collect();
    let expected =
        [(Speaker::Caller, "When are you open?"), (Speaker::Agent, "From nine to six."), (Speaker::Caller, "")];
    assert_eq!(said, expected);
    assert!(report.transcript.iter().all(|entry| entry.complete && entry.heard == entry.generated));
    let lost: Vec<_> = report.transcript.iter().map(|entry| entry.is_not_understood()).collect();
    assert_eq!(lost, [false, false, true]);
}

#[tokio::test(start_paused = true)]
async fn what_the_caller_says_has_the_time_of_its_first_word() {
    let mut call = call(quiet());
    sleep(S).await;
    call.model.speech_started().await;
    sleep(S).await;
    let item = call.model.speech_started().await;
    sleep(3 * S).await;
    call.model.speech_stopped(&item).await;
    call.model.user_transcript(&item, "When are you open?").await;
    settle().await;
    let report = call.hang_up().await;
    assert_eq!(report.transcript.len(), 1, "what was only a noise is no entry");
    assert_eq!(report.transcript[0].at, 2 * S);
}

#[tokio::test(start_paused = true)]
async fn words_that_come_after_their_audio_was_heard_count_as_heard() {
    let mut call = call(quiet());
    let answer = call.model.begin(None).await;
    call.model.words(&answer, "Good ").await;
    call.model.speak(&answer, 300 * MS).await;
    let (response, item) = (answer.response.clone(), answer.item.clone());
    call.model.emit(RealtimeEvent::AudioDone { response, item, content_index: 0 }).await;
    call.until("agent-silent").await;
    call.model.words(&answer, "morn").await;
    call.model.spoken(&answer, "Good morning.").await;
    // And words of which none had come when the audio was heard.
    let mut late = call.model.begin(None).await;
    late.item = call.model.new_item_id();
    call.model.add_item(late.item.clone(), ItemKind::Assistant).await;
    call.model.speak(&late, 300 * MS).await;
    let (response, item) = (late.response.clone(), late.item.clone());
    call.model.emit(RealtimeEvent::AudioDone { response, item, content_index: 0 }).await;
    call.until("agent-silent").await;
    call.model.spoken(&late, "How are you?").await;
    settle().await;
    let report = call.hang_up().await;
    let heard: Vec<_> = report.transcript.iter().map(|entry| (entry.heard.as_str(), entry.complete)).collect();
    assert_eq!(heard, [("Good morning.", true), ("How are you?", true)]);
}

#[tokio::test(start_paused = true)]
async fn latency_is_measured_at_the_ear() {
    let mut call = call(quiet().with_greeting(greeting()));
    let (request, _) = call.asked().await;
    sleep(250 * MS).await;
    let answer = call.model.begin(Some(request)).await;
    sleep(100 * MS).await;
    call.model.speak(&answer, 2 * S).await;
    let CallEvent::Latency(latency) = call.until("latency").await else { unreachable!() };
    let expected = [250, 350, 350, 350].map(|ms| Some(ms * MS));
    let told = [latency.response_started, latency.first_audio, latency.first_sent, latency.first_heard];
    assert_eq!(told, expected);
    // An answer that only calls tools leaves the turn to the next.
    call.model.spoken(&answer, "Hello.").await;
    call.model.done(&answer, ResponseStatus::Completed).await;
    call.until("agent-silent").await;
    call.model.caller_says("Hello.").await;
    call.model.call_tool(None, "unknown", "{}").await;
    sleep(S).await;
    call.model.say(None, "Yes?", S).await;
    let CallEvent::Latency(latency) = call.until("latency").await else { unreachable!() };
    assert_eq!(latency.first_heard, Some(S));
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn usage_is_summed_up() {
    let mut call = call(quiet());
    let mut usage = Usage::default();
    (usage.input, usage.output, usage.seconds) = (100, 20, 1.5);
    for _ in 0..3 {
        let answer = call.model.begin(None).await;
        let outcome = ResponseOutcome::new(answer.response, ResponseStatus::Completed).with_usage(usage);
        call.model.emit(RealtimeEvent::ResponseDone(Box::new(outcome))).await;
    }
    for _ in 0..3 {
        call.until("usage").await;
    }
    let report = call.hang_up().await;
    assert_eq!((report.usage.input, report.usage.output, report.usage.seconds), (300, 60, 4.5));
}

#[tokio::test(start_paused = true)]
async fn a_watcher_that_is_behind_sees_what_it_has_missed_and_still_learns_of_the_end() {
    let mut call = call(quiet());
    let mut slow = call.handle.watch();
    for _ in 0..200 {
        call.model.caller_says("Yes.").await;
        settle().await;
    }
    call.handle.hang_up().await.unwrap();
    call.until("ended").await;
    let mut seen = Vec::new();
    while let Some(update) = slow.next().await {
        seen.push((update.sequence, update.event.name()));
    }
    assert!(seen.len() >= 100, "only {} updates are kept", seen.len());
    assert!(seen[0].0 > 300 && seen.windows(2).all(|pair| pair[0].0 + 1 == pair[1].0));
    assert_eq!(seen.last().unwrap().1, "ended");
    call.over("hung-up").await;
}

#[tokio::test(start_paused = true)]
async fn handles_do_not_keep_a_call_alive() {
    let Call { caller, model, handle, updates, run } = call(quiet());
    let others = [handle.clone(), handle.clone()];
    caller.hang_up().await.unwrap();
    super::over("caller-hung-up", run, &handle, updates, Some(&caller), Some(&model)).await;
    for other in others {
        assert!(other.end(None).await.is_err());
    }
}
