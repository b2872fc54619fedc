//! One answer at a time, whatever the provider does.

use realtime_bridge::{
    realtime::{NewItem, ProviderError, RealtimeCommand, RealtimeEvent, ResponseOutcome, ResponseStatus, ToolCall},
    relay::{CallEvent, Idle},
};
use tokio::time::{Instant, sleep, timeout};

use super::{MS, S, call, quiet, settle};

fn occupied() -> ProviderError {
    ProviderError::new("invalid_request_error", "conversation_already_has_active_response", "busy")
}

#[tokio::test(start_paused = true)]
async fn a_request_that_an_answer_was_in_the_way_of_is_made_again_when_it_is_over() {
    for named in [true, false] {
        let mut call = call(quiet());
        call.handle.instruct("The parcel is here.", true).await.unwrap();
        let (request, items) = call.asked().await;
        assert_eq!(items, [NewItem::System("The parcel is here.".into())]);
        // The model has begun to answer by itself in the meantime.
        let answer = call.model.begin(None).await;
        call.model.error(if named { occupied().with_request(request) } else { occupied() }).await;
        assert!(call.told_nothing(5 * S).await, "an answer runs");
        call.model.done(&answer, ResponseStatus::Completed).await;
        // The instruction is in the conversation already.
        assert_eq!(call.asked().await.1, []);
        call.hang_up().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_models_own_answer_to_a_turn_goes_first() {
    let mut call = call(quiet());
    let item = call.model.speech_started().await;
    call.handle.say("The doctor is in.").await.unwrap();
    call.model.speech_stopped(&item).await;
    assert!(call.told_nothing(2 * S).await, "a request now would be refused");
    let answer = call.model.begin(None).await;
    call.model.done(&answer, ResponseStatus::Completed).await;
    assert_eq!(call.asked().await.1.len(), 1);
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_rate_limit_is_waited_for_once() {
    let mut call = call(quiet());
    call.handle.instruct("Say hello.", true).await.unwrap();
    let limit = ProviderError::new("rate_limit_error", "rate_limit_exceeded", "Please try again in 2s.");
    let (request, _) = call.asked().await;
    let refused = Instant::now();
    call.model.error(limit.clone().with_request(request)).await;
    let (request, _) = call.asked().await;
    assert_eq!(refused.elapsed(), 2 * S);
    call.model.error(limit.with_request(request)).await;
    assert!(call.told_nothing(60 * S).await);
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_without_answer_and_refusal_is_given_up_after_ten_seconds() {
    let mut call = call(quiet().with_model_stall(60 * S));
    call.handle.instruct("Say hello.", true).await.unwrap();
    call.asked().await;
    let asked = Instant::now();
    // A refusal that does not say what it is about may be about anything.
    call.model.error(ProviderError::new("invalid_request_error", "odd", "no")).await;
    call.asked().await;
    assert_eq!(asked.elapsed(), 10 * S);
    assert!(call.told_nothing(30 * S).await, "one more attempt is enough");
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_the_caller_talked_over_is_not_made_again() {
    let mut call = call(quiet().with_model_stall(60 * S).with_greeting(super::greeting()));
    call.asked().await;
    let item = call.model.speech_started().await;
    settle().await;
    call.model.speech_stopped(&item).await;
    assert!(call.told_nothing(30 * S).await);
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn wishes_that_wait_together_become_one_answer_but_for_exact_words() {
    let mut call = call(quiet());
    let answer = call.model.begin(None).await;
    settle().await;
    call.handle.instruct("Parking is free.", true).await.unwrap();
    call.handle.say("The doctor is in.").await.unwrap();
    call.handle.say("The door is open.").await.unwrap();
    call.handle.instruct("The lift is broken.", true).await.unwrap();
    assert!(call.told_nothing(2 * S).await);
    call.model.done(&answer, ResponseStatus::Completed).await;
    let mut told = Vec::new();
    for _ in 0..3 {
        let (request, items) = call.asked().await;
        told.push(items.len());
        call.model.say(Some(request), "So it is.", S).await;
    }
    assert_eq!(told, [2, 1, 1]);
    assert!(call.told_nothing(2 * S).await);
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_cut_short_before_a_word_is_asked_for_once_more() {
    let mut call = call(quiet());
    call.model.caller_says("Book a table.").await;
    for again in [true, false] {
        let request = if again { None } else { Some(call.asked().await.0) };
        let answer = call.model.begin(request).await;
        let status = ResponseStatus::Incomplete { reason: "max_output_tokens".into() };
        let calls = vec![ToolCall::new(if again { "1" } else { "2" }, "item", "book", "{}")];
        let outcome = ResponseOutcome::new(answer.response, status).with_calls(calls);
        call.model.emit(RealtimeEvent::ResponseDone(Box::new(outcome))).await;
        assert!(matches!(call.told().await, RealtimeCommand::AddItem { item: NewItem::ToolOutput { .. }, .. }));
    }
    assert!(call.told_nothing(60 * S).await, "one more attempt is enough");
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_rate_limit_without_a_name_is_about_the_request_in_flight() {
    let mut call = call(quiet());
    call.handle.instruct("Say hello.", true).await.unwrap();
    call.asked().await;
    let refused = Instant::now();
    call.model.error(ProviderError::new("rate_limit_error", "rate_limit_exceeded", "Please try again in 2s.")).await;
    call.asked().await;
    assert_eq!(refused.elapsed(), 2 * S);
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_rate_limit_that_is_too_long_for_a_caller_ends_the_call() {
    let limit = ProviderError::new("rate_limit_error", "rate_limit_exceeded", "Please try again in 20s.");
    let mut call = call(quiet());
    call.handle.instruct("Say hello.", true).await.unwrap();
    call.asked().await;
    call.model.error(limit.clone()).await;
    call.over("model-refused").await;

    let mut call = super::call(quiet());
    call.model.caller_says("Hello?").await;
    let answer = call.model.begin(None).await;
    call.model.done(&answer, ResponseStatus::Failed(limit)).await;
    call.over("model-refused").await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_adds_something_is_no_stalled_model() {
    let mut call = call(quiet());
    let item = call.model.speech_started().await;
    call.model.speech_stopped(&item).await;
    sleep(S).await;
    let item = call.model.speech_started().await;
    sleep(45 * S).await;
    call.model.speech_stopped(&item).await;
    call.model.say(None, "I see.", S).await;
    assert!(call.told_nothing(5 * S).await, "nothing was late");
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_answer_is_asked_for_once_more() {
    let mut call = call(quiet());
    call.model.caller_says("Hello?").await;
    let answer = call.model.begin(None).await;
    let error = ProviderError::new("server_error", "server_error", "bad luck");
    call.model.done(&answer, ResponseStatus::Failed(error.clone())).await;
    let (request, _) = call.asked().await;
    let answer = call.model.begin(Some(request)).await;
    call.model.done(&answer, ResponseStatus::Failed(error)).await;
    call.over("model-refused").await;
}

#[tokio::test(start_paused = true)]
async fn a_model_that_stalls_once_is_asked_again_and_the_call_goes_on() {
    let mut call = call(quiet());
    call.model.caller_says("When are you open?").await;
    let stalled = call.model.begin(None).await;
    call.model.speak(&stalled, 300 * MS).await;
    let began = Instant::now();
    let RealtimeCommand::Truncate { item, heard, .. } = call.told().await else { panic!("the entry is not cut") };
    assert_eq!((item, heard, began.elapsed()), (stalled.item.clone(), 300 * MS, 10 * S));
    assert!(matches!(call.told().await, RealtimeCommand::Cancel { response: Some(r), .. } if r == stalled.response));
    let (request, _) = call.asked().await;
    // Late audio of the answer that was given up is not heard.
    call.model.speak(&stalled, 300 * MS).await;
    call.model.done(&stalled, ResponseStatus::Cancelled).await;
    call.model.say(Some(request), "From nine.", S).await;
    sleep(15 * S).await;
    assert_eq!(call.caller.heard_total(), 1_300 * MS);
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_with_much_to_say_is_no_stalled_model() {
    let mut call = call(quiet());
    let answer = call.model.begin(None).await;
    call.model.speak(&answer, 3 * S).await;
    settle().await;
    call.handle.say("One more thing.").await.unwrap();
    settle().await;
    let item = call.model.speech_started().await;
    call.model.done(&answer, ResponseStatus::Interrupted).await;
    sleep(45 * S).await;
    call.model.speech_stopped(&item).await;
    call.until("caller-silent").await;
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_told_to_be_said_is_told_to_be_heard() {
    let mut call = call(quiet());
    // The agent is in the middle of something else, whose end is no news of the line.
    let answer = call.model.begin(None).await;
    call.model.speak(&answer, 2 * S).await;
    settle().await;
    call.handle.say("The doctor is in.").await.unwrap();
    settle().await;
    call.model.done(&answer, ResponseStatus::Completed).await;
    let (request, _) = call.asked().await;
    let began = Instant::now();
    assert!(timeout(3 * S, call.until("said")).await.is_err(), "it was not said yet");
    call.model.say(Some(request), "The doctor is in.", S).await;
    call.until("said").await;
    assert_eq!(began.elapsed().as_secs(), 4, "it was heard to its end");
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_is_kept_company_hears_a_tone_and_is_not_given_up() {
    let mut call = call(quiet().with_idle(Some(Idle::new(5 * S, 0))));
    call.handle.accompany(true).await.unwrap();
    call.until("agent-speaking").await;
    assert!(call.told_nothing(60 * S).await, "nobody asks whether the caller is there");
    // Speech takes the place of the tone.
    call.handle.say("Still ringing.").await.unwrap();
    let (request, _) = call.asked().await;
    call.model.say(Some(request), "Still ringing.", S).await;
    call.until("said").await;
    call.until("agent-speaking").await;
    call.handle.accompany(false).await.unwrap();
    call.until("agent-silent").await;
    let (_, items) = call.asked().await;
    assert_eq!(items.len(), 1, "now a caller who says nothing is said goodbye to");
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn the_end_of_an_answer_says_nothing_about_the_words_of_another() {
    let mut call = call(quiet());
    let first = call.model.begin(None).await;
    call.model.words(&first, "From nine to six.").await;
    let second = call.model.begin(None).await;
    call.model.words(&second, "Or rather,").await;
    call.model.done(&second, ResponseStatus::Cancelled).await;
    settle().await;
    let CallEvent::Transcript(entry) = call.until("transcript").await else { unreachable!() };
    assert_eq!((entry.generated.as_str(), entry.heard.as_str()), ("Or rather,", ""));
    call.model.speak(&first, S).await;
    call.model.spoken(&first, "From nine to six.").await;
    call.model.done(&first, ResponseStatus::Completed).await;
    call.until("agent-silent").await;
    let report = call.hang_up().await;
    let said: Vec<_> = report.transcript.iter().map(|entry| (entry.heard.as_str(), entry.interrupted)).collect();
    assert_eq!(said, [("From nine to six.", false), ("", true)]);
}
