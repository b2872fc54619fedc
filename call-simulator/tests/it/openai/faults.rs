//! The script's misbehaviour, and the ends of a session.

use std::time::Duration;

use call_simulator::{
    audio::fixtures::en,
    openai::{
        Act, Answer, ApiError, Ending, OnOpen, OnUpdate, Script, Settings,
        session::{Opening, Output},
    },
};
use serde_json::{Value, json};

use super::bench::{Bench, FRAME, UNIX_SECONDS, create, telephone_update};

fn after(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn outputs(bench: &Bench) -> Vec<&Output> {
    bench.sent.iter().map(|(_, output)| output).collect()
}

#[test]
fn a_session_ends_at_its_maximum_duration() {
    let mut bench = Bench::telephone(Script::new());
    bench.run(Duration::from_secs(3_599));
    assert!(!bench.session.is_ended());
    let error = bench.error("session_expired");
    assert_eq!(error["message"], "Your session hit the maximum duration of 60 minutes.");
    assert_eq!(bench.at(), Duration::from_secs(3_600));
    assert_eq!(outputs(&bench).last(), Some(&&Output::Close(1001, String::new())));
    bench.send(&create());
    assert!(bench.of_kind("response.created").is_empty());
}

#[test]
fn a_shorter_limit_is_told_in_expires_at() {
    let settings = Settings::default().with_session_limit(after(120));
    let mut bench = Bench::with(Script::new(), settings, Opening::new("gpt-realtime-2.1", UNIX_SECONDS));
    assert_eq!(bench.until("session.created")["session"]["expires_at"], UNIX_SECONDS + 120);
    bench.run(after(119));
    assert_eq!(bench.error("session_expired")["message"], "Your session hit the maximum duration of 2 minutes.");
}

#[test]
fn a_refused_session_gets_the_error_and_a_close_code_with_a_reason() {
    let error = ApiError::invalid("model_not_found", "No such model.");
    let mut bench = Bench::new(Script::new().on_open(OnOpen::Refuse(error, 4004)));
    bench.error("model_not_found");
    let reason = "invalid_request_error.model_not_found".to_owned();
    assert_eq!(outputs(&bench)[1], &Output::Close(4004, reason.clone()));
    assert_eq!(bench.recording().ending, Some(Ending::Closed(4004, reason)));
}

#[test]
fn a_server_may_never_say_a_word() {
    let mut bench = Bench::new(Script::new().on_open(OnOpen::Silent));
    bench.send(&telephone_update());
    bench.run(after(4_000));
    assert!(bench.sent.is_empty());
}

#[test]
fn an_update_may_be_ignored_refused_answered_late_or_answered_wrongly() {
    let mut bench = Bench::new(Script::new().on_update(OnUpdate::Ignore));
    bench.send(&telephone_update());
    bench.run(after(60));
    assert!(bench.of_kind("session.updated").is_empty());

    let mut bench = Bench::new(Script::new().on_update(OnUpdate::Refuse(ApiError::server())));
    bench.send(&telephone_update());
    let error = bench.until("error")["error"].clone();
    assert_eq!(
        (&error["type"], &error["code"], &error["event_id"]),
        (&json!("server_error"), &Value::Null, &json!("cfg-1"))
    );

    let mut bench = Bench::new(Script::new().on_update(OnUpdate::Late(after(5))));
    bench.send(&telephone_update());
    bench.until("session.updated");
    assert_eq!(bench.at(), after(5));

    let pcm = json!({"audio": {"input": {"format": {"type": "audio/pcm", "rate": 24_000}}}});
    let mut bench = Bench::new(Script::new().on_update(OnUpdate::Misquote(pcm)));
    bench.send(&telephone_update());
    let audio = bench.until("session.updated")["session"]["audio"].clone();
    assert_eq!(audio["input"]["format"], json!({"type": "audio/pcm", "rate": 24_000}));
    assert_eq!(audio["output"]["format"], json!({"type": "audio/pcmu"}));
}

#[test]
fn an_answer_may_be_refused_when_it_is_asked_for() {
    let error = ApiError::invalid("rate_limit_exceeded", "Rate limit reached.");
    let mut bench = Bench::telephone(Script::new().greeting(Answer::refused(error)));
    bench.send(&json!({"type": "response.create", "event_id": "create-1"}));
    assert_eq!(bench.error("rate_limit_exceeded")["event_id"], "create-1");
    assert!(bench.of_kind("response.created").is_empty());
}

#[test]
fn an_answer_may_fail_without_an_error_event() {
    let error = ApiError::invalid("insufficient_quota", "Quota used up.").with_kind("insufficient_quota");
    let mut bench = Bench::telephone(Script::new().greeting(Answer::silent().failed(error)));
    bench.send(&create());
    let done = bench.until("response.done")["response"].clone();
    let details = json!({"type": "insufficient_quota", "code": "insufficient_quota", "message": "Quota used up."});
    assert_eq!(done["status_details"], json!({"type": "failed", "error": details}));
    assert_eq!(done["usage"], Value::Null);
    assert!(bench.of_kind("error").is_empty());
}

#[test]
fn an_answer_may_be_filtered_in_mid_sentence() {
    let mut bench = Bench::telephone(Script::new().greeting(Answer::say(en::AGENT_HOURS).filtered_after(after(1))));
    bench.send(&create());
    let done = bench.until("response.done")["response"].clone();
    assert_eq!(done["status_details"], json!({"type": "incomplete", "reason": "content_filter"}));
    assert_eq!(bench.audio_of(done["output"][0]["id"].as_str().unwrap()).len(), 8_000);
}

#[test]
fn an_answer_may_stall_until_it_is_cancelled() {
    let mut bench = Bench::telephone(Script::new().greeting(Answer::say(en::AGENT_HOURS).stalls_after(after(2))));
    bench.send(&create());
    bench.run(after(60));
    assert!(bench.of_kind("response.done").is_empty());
    assert_eq!(bench.audio_of(&bench.recording().items[0].id).len(), 16_000);
    bench.send(&json!({"type": "response.cancel"}));
    bench.until("response.done");
}

#[test]
fn the_connection_may_break_in_the_middle_of_an_answer() {
    for (act, output) in [
        (Act::Close(1011, "oops".to_owned()), Output::Close(1011, "oops".to_owned())),
        (Act::Drop, Output::Drop),
        (Act::Text("<html>".to_owned()), Output::Text("<html>".to_owned())),
        (Act::Binary(vec![1, 2]), Output::Binary(vec![1, 2])),
        (Act::StopReading, Output::StopReading),
    ] {
        let answer = Answer::say(en::AGENT_HOURS).broken_after(after(1), act);
        let mut bench = Bench::telephone(Script::new().greeting(answer));
        bench.send(&create());
        bench.run(after(30));
        assert!(outputs(&bench).contains(&&output), "{output:?}");
        assert!(bench.of_kind("response.done").is_empty());
    }
}

#[test]
fn a_stalled_session_says_nothing_more() {
    let mut bench = Bench::telephone(Script::new().at(after(3), Act::Stall));
    bench.run(after(4));
    let sent = bench.sent.len();
    bench.send(&create());
    bench.run(after(60));
    assert_eq!(bench.sent.len(), sent);
}

#[test]
fn news_of_rate_limits_and_unknown_events_come_when_planned() {
    let script = Script::new()
        .at(after(1), Act::RateLimit { remaining: 0, reset_seconds: 12.5 })
        .at(after(2), Act::Error(ApiError::server()));
    let mut bench = Bench::telephone(script);
    let limits = bench.until("rate_limits.updated")["rate_limits"][0].clone();
    assert_eq!((&limits["remaining"], &limits["reset_seconds"]), (&json!(0), &json!(12.5)));
    bench.until("error");
    assert_eq!(bench.at(), after(2));
}

#[test]
fn a_session_tells_who_ended_it() {
    let mut bench = Bench::telephone(Script::new());
    let now = tokio::time::Instant::now().into_std();
    bench.session.handle_close(now, Some(1000));
    bench.session.handle_lost(now);
    assert_eq!(bench.recording().ending, Some(Ending::ClientClosed(Some(1000))));
    let mut bench = Bench::telephone(Script::new());
    bench.session.handle_lost(now);
    assert_eq!(bench.recording().ending, Some(Ending::Lost));
}

#[test]
fn ten_minutes_of_talk_take_no_time() {
    let mut script = Script::new();
    for _ in 0..60 {
        script = script.turn(en::CALLER_INTERRUPTS, Answer::say(en::AGENT_FRIDAY));
    }
    let mut bench = Bench::telephone(script);
    for _ in 0..60 {
        bench.speak(en::CALLER_INTERRUPTS.mulaw);
        bench.silence(after(10) - en::CALLER_INTERRUPTS.duration());
    }
    assert!(bench.at() >= after(600) - FRAME);
    assert_eq!(bench.of_kind("response.done").len(), 60);
    assert!(bench.of_kind("response.done").iter().all(|event| event["response"]["status"] == "completed"));
    assert_eq!(bench.recording().items.len(), 120);
}
