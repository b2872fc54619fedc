//! The caller talks over the agent.

use realtime_bridge::{
    media::MediaCommand,
    realtime::{Capabilities, ItemId, ProviderError, RealtimeCommand, RequestId, ResponseStatus},
    relay::{BargeIn, CallEvent},
    tool::ToolSet,
};
use tokio::time::{Duration, sleep};

use super::{Call, MS, S, call, call_with, our_turns, quiet, settle};

fn confirmed() -> Call {
    let config = quiet().with_barge_in(BargeIn::confirmed());
    call_with(config, &our_turns(), Capabilities::client_driven(), ToolSet::new())
}

/// The model is told to cut an entry.
async fn cut(call: &mut Call) -> (RequestId, ItemId, Duration) {
    match call.told().await {
        RealtimeCommand::Truncate { request, item, content_index: 0, heard } => (request, item, heard),
        other => panic!("a cut was to come, not {other:?}"),
    }
}

fn near(told: Duration, truth: Duration) {
    assert!(told.abs_diff(truth) <= 20 * MS, "{told:?} are told, {truth:?} is true");
}

#[tokio::test(start_paused = true)]
async fn several_entries_are_cut_where_the_caller_was() {
    let mut call = call(quiet());
    let first = call.model.say(None, "One two three four.", S).await;
    let second = call.model.say(None, "Five six seven eight.", S).await;
    let third = call.model.say(None, "Nine ten.", S).await;
    sleep(1_310 * MS).await;
    call.model.speech_started().await;
    let (_, item, heard) = cut(&mut call).await;
    let truth = call.caller.heard_total();
    assert_eq!(item, second.item, "the first entry was heard whole, and {} is cut", first.item);
    near(heard, truth - S);
    let (_, item, heard) = cut(&mut call).await;
    assert_eq!((item, heard), (third.item, Duration::ZERO));
    let CallEvent::Interrupted { unheard } = call.until("interrupted").await else { unreachable!() };
    near(unheard, 3 * S - truth);
    sleep(5 * S).await;
    assert_eq!((call.caller.heard_total(), call.cleared()), (truth, 1));
    let report = call.hang_up().await;
    let heard: Vec<_> = report.transcript.iter().map(|entry| (entry.heard.as_str(), entry.interrupted)).collect();
    assert_eq!(heard, [("One two three four.", false), ("Five", true), ("", true)]);
    assert_eq!(report.stats.interruptions, 1);
    assert!(report.stats.void_marks > 0, "the clear has released marks");
}

#[tokio::test(start_paused = true)]
async fn the_cut_is_exact_wherever_it_falls() {
    for at in [1, 60, 499, 500, 501, 980, 1_730] {
        let mut call = call(quiet());
        let answer = call.model.begin(None).await;
        call.model.speak(&answer, 400 * MS).await;
        // Between the two bursts the line has nothing to play for a while.
        sleep(700 * MS).await;
        call.model.speak(&answer, 2 * S).await;
        sleep(at * MS).await;
        call.model.speech_started().await;
        let (_, item, heard) = cut(&mut call).await;
        assert_eq!(item, answer.item);
        near(heard, call.caller.heard_total());
        call.hang_up().await;
    }
}

#[tokio::test(start_paused = true)]
async fn late_audio_of_a_cut_answer_is_never_heard() {
    let mut call = call(quiet());
    let mut answer = call.model.begin(None).await;
    call.model.speak(&answer, 2 * S).await;
    sleep(300 * MS).await;
    call.model.speech_started().await;
    cut(&mut call).await;
    let heard = call.caller.heard_total();
    call.model.speak(&answer, 300 * MS).await;
    // An entry that begins after the cut was never heard at all.
    answer.item = call.model.new_item_id();
    call.model.speak(&answer, 300 * MS).await;
    assert_eq!(cut(&mut call).await, (RequestId(1), answer.item.clone(), Duration::ZERO));
    call.model.done(&answer, ResponseStatus::Interrupted).await;
    assert!(call.told_nothing(3 * S).await);
    assert_eq!(call.caller.heard_total(), heard);
    // The next answer plays.
    call.model.say(None, "Yes?", 500 * MS).await;
    sleep(S).await;
    assert_eq!(call.caller.heard_total(), heard + 500 * MS);
    assert_eq!(call.hang_up().await.stats.late_frames, 6);
}

#[tokio::test(start_paused = true)]
async fn a_cut_that_was_too_long_is_asked_once_more_with_less() {
    let mut call = call(quiet());
    call.model.say(None, "Good morning.", 2 * S).await;
    sleep(900 * MS).await;
    call.model.speech_started().await;
    let (request, item, heard) = cut(&mut call).await;
    let refusal =
        |request| ProviderError::new("invalid_request_error", "invalid_value", "too long").with_request(request);
    call.model.error(refusal(request)).await;
    let (request, again, less) = cut(&mut call).await;
    assert_eq!((again, less), (item, heard - 100 * MS));
    call.model.error(refusal(request)).await;
    assert!(call.told_nothing(5 * S).await);
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_asked_before_the_caller_spoke_is_stopped_when_it_begins() {
    let mut call = call(quiet());
    call.handle.instruct("Tell about the weather.", true).await.unwrap();
    let (request, _) = call.asked().await;
    call.handle.interrupt().await.unwrap();
    settle().await;
    let answer = call.model.begin(Some(request)).await;
    call.model.speak(&answer, 200 * MS).await;
    let RealtimeCommand::Cancel { response, .. } = call.told().await else { panic!("it is not stopped") };
    assert_eq!(response, Some(answer.response.clone()));
    let (_, item, heard) = cut(&mut call).await;
    assert_eq!((item, heard), (answer.item.clone(), Duration::ZERO));
    call.model.done(&answer, ResponseStatus::Cancelled).await;
    // What was to be said is still to be said.
    assert_eq!(call.asked().await.1, []);
    assert_eq!(call.caller.heard_total(), Duration::ZERO);
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_cough_pauses_the_agent_and_nothing_is_lost() {
    let mut call = confirmed();
    let answer = call.model.say(None, "We are open from nine to six.", 3 * S).await;
    sleep(700 * MS).await;
    let item = call.model.speech_started().await;
    call.until("paused").await;
    sleep(390 * MS).await;
    let paused_at = call.caller.heard_total();
    near(paused_at, S);
    call.model.speech_stopped(&item).await;
    call.until("resumed").await;
    call.until("agent-silent").await;
    assert_eq!(call.caller.heard_total(), 3 * S);
    let expected: Vec<u8> = (0..30).flat_map(|_| (1..=120).cycle().take(800)).collect();
    assert!(call.caller.heard_bytes() == expected, "the speech has a hole or a repetition");
    assert!(call.told_nothing(3 * S).await, "a noise is no turn");
    let report = call.hang_up().await;
    assert_eq!((report.transcript[0].item.clone(), report.transcript[0].interrupted), (answer.item, false));
    assert_eq!(report.stats.interruptions, 0);
}

#[tokio::test(start_paused = true)]
async fn words_stop_a_paused_agent_for_good() {
    let mut call = confirmed();
    let answer = call.model.begin(None).await;
    call.model.speak(&answer, 3 * S).await;
    sleep(700 * MS).await;
    let item = call.model.speech_started().await;
    let (_, cut_item, heard) = cut(&mut call).await;
    assert_eq!(cut_item, answer.item);
    near(heard, call.caller.heard_total());
    near(heard, S);
    assert!(matches!(call.told().await, RealtimeCommand::Cancel { .. }));
    call.model.done(&answer, ResponseStatus::Cancelled).await;
    sleep(S).await;
    call.model.speech_stopped(&item).await;
    let (request, _) = call.asked().await;
    call.model.say(Some(request), "Of course.", 500 * MS).await;
    sleep(S).await;
    near(call.caller.heard_total(), heard + 500 * MS);
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn words_at_the_end_of_an_answer_get_an_answer() {
    let mut call = confirmed();
    call.model.say(None, "Anything else?", S).await;
    sleep(900 * MS).await;
    let item = call.model.speech_started().await;
    call.until("paused").await;
    // The rest of the answer was at the line already and is heard.
    sleep(2 * S).await;
    call.model.speech_stopped(&item).await;
    let (request, _) = call.asked().await;
    call.model.say(Some(request), "Gladly.", 500 * MS).await;
    sleep(S).await;
    assert_eq!(call.caller.heard_total(), 1_500 * MS);
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_short_word_while_the_model_thinks_gets_an_answer() {
    let mut call = confirmed();
    call.model.caller_says("A table for two.").await;
    let (request, _) = call.asked().await;
    let answer = call.model.begin(Some(request)).await;
    let item = call.model.speech_started().await;
    sleep(350 * MS).await;
    assert!(matches!(call.told().await, RealtimeCommand::Cancel { .. }));
    call.model.speech_stopped(&item).await;
    call.model.done(&answer, ResponseStatus::Cancelled).await;
    call.asked().await;
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn the_clear_is_on_its_way_in_the_instant_of_the_speech() {
    let mut call = call(quiet());
    call.model.say(None, "Good morning.", 2 * S).await;
    sleep(300 * MS).await;
    call.model.speech_started().await;
    call.until("interrupted").await;
    settle().await;
    let clear = call.caller.commands().into_iter().find(|received| received.command == MediaCommand::Clear).unwrap();
    assert_eq!(clear.at, 300 * MS);
    call.hang_up().await;
}
