//! Lines of the conversation change often and are written seldom.

use std::time::Duration;

use call_session::{call::SessionEvent, recorder::RecorderConfig};
use futures_util::FutureExt;
use tokio::time::{Instant, sleep};

use super::{MS, S, note, words, written};

/// The events that are kept, in short: each line with its words.
fn short(events: &[SessionEvent]) -> Vec<String> {
    let short = |event: &SessionEvent| match event {
        SessionEvent::Said { lines } => {
            let lines: Vec<_> = lines.iter().map(|line| format!("{} {}", line.item, line.generated)).collect();
            lines.join(", ")
        }
        SessionEvent::Noted { text } => format!("note {text}"),
        other => other.name().into(),
    };
    events.iter().map(short).collect()
}

#[tokio::test(start_paused = true)]
async fn versions_of_a_line_are_gathered() {
    let call = written(RecorderConfig::default()).await;
    let text = "one two three four five six seven eight nine ten";
    for length in 1..=text.len() {
        call.recorder.say(words("0/a", &text[..length], length == text.len()));
        sleep(50 * MS).await;
    }
    sleep(S).await;
    let kept = call.kept().await;
    assert_eq!(kept.len(), 5, "2.4 s of words, each half second once");
    assert_eq!(short(&kept)[4], format!("0/a {text}"));
    call.end().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn lines_stay_where_they_were_said() {
    let call = written(RecorderConfig::default()).await;
    call.recorder.say(words("0/a", "Hel", false));
    call.recorder.say(words("0/b", "Yes?", true));
    call.recorder.say(words("0/a", "Hello.", true));
    call.recorder.propose(note(1)).await.unwrap();
    call.recorder.say(words("0/c", "Bye.", true));
    let began = Instant::now();
    call.recorder.kept().await.unwrap();
    assert_eq!(began.elapsed(), Duration::ZERO, "whoever waits for them does not wait for more of them");
    assert_eq!(short(&call.kept().await), ["0/a Hello., 0/b Yes?", "note 1", "0/c Bye."]);
    // What is known already is not written again.
    call.recorder.say(words("0/a", "Hello.", true));
    call.recorder.say(words("0/d", "More.", true));
    call.recorder.kept().await.unwrap();
    assert_eq!(short(&call.kept().await)[3..], ["0/d More."]);
    call.end().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_last_words_of_a_call_are_written_at_once() {
    let call = written(RecorderConfig::default().with_gather(60 * S)).await;
    call.recorder.say(words("0/a", "Bye.", true));
    let (store, id, began) = (std::sync::Arc::clone(&call.store), call.id, Instant::now());
    call.end().await.unwrap();
    assert_eq!(began.elapsed(), Duration::ZERO);
    let history = call_session::store::SessionStore::history(&*store, id).await.unwrap();
    assert_eq!(history.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_full_recorder_makes_proposals_wait_and_words_never() {
    let call = written(RecorderConfig::default().with_waiting(4)).await;
    call.store.away_for(20 * S);
    for number in 0..4 {
        call.recorder.propose(note(number)).now_or_never().unwrap().unwrap();
    }
    let mut fifth = Box::pin(call.recorder.propose(note(4)));
    assert!(fifth.as_mut().now_or_never().is_none(), "there is no room");
    // A million words of one line take the room of one.
    for number in 0..10_000 {
        call.recorder.say(words("0/a", &number.to_string(), false));
    }
    // Whoever gives up waiting has proposed nothing.
    let gives_up = call.recorder.propose(note(99));
    assert!(gives_up.now_or_never().is_none());
    let began = Instant::now();
    fifth.await.unwrap();
    assert!(began.elapsed() >= 20 * S);
    call.recorder.kept().await.unwrap();
    assert_eq!(call.notes().await, super::numbers(0..5));
    assert_eq!(short(&call.kept().await).iter().filter(|text| text.starts_with("0/a")).count(), 1);
    call.end().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn words_take_no_more_room_than_there_is_for_them() {
    let call = written(RecorderConfig::default().with_lines(3)).await;
    call.store.away_for(20 * S);
    sleep(MS).await;
    for number in 0..5 {
        call.recorder.say(words(&format!("0/{number}"), "Hello", false));
        call.recorder.propose(note(number)).await.unwrap();
    }
    sleep(25 * S).await;
    assert_eq!(short(&call.kept().await).iter().filter(|text| text.starts_with("0/")).count(), 3);
    // There is room again.
    call.recorder.say(words("0/4", "Hello.", true));
    call.recorder.kept().await.unwrap();
    assert_eq!(short(&call.kept().await).last().map(String::as_str), Some("0/4 Hello."));
    call.end().await.unwrap();
}
