//! Nothing that was taken is lost, doubled or out of order.

use call_session::{
    call::{Ending, Refused, SessionEvent, Status, Usage},
    recorder::{RecordError, RecorderConfig},
    store::SessionStore,
};
use proptest::prelude::*;
use tokio::{
    runtime,
    time::{Instant, sleep},
};

use super::{MS, S, note, numbers, words, written};
use crate::call::{at, stream};

fn used(input: u64) -> SessionEvent {
    let mut usage = Usage::default();
    usage.input = input;
    SessionEvent::Used { usage }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_gets_everything_when_it_is_back() {
    let call = written(RecorderConfig::default()).await;
    let began = Instant::now();
    call.store.away_for(20 * S);
    for number in 0..100 {
        call.recorder.propose(note(number)).await.unwrap();
        call.recorder.say(words("0/a", &"word ".repeat(number), number == 99));
        sleep(100 * MS).await;
    }
    assert_eq!(began.elapsed(), 10 * S, "nobody had to wait");
    assert!(call.kept().await.is_empty());
    call.recorder.kept().await.unwrap();
    let waited = began.elapsed();
    assert!(waited >= 20 * S && waited <= 23 * S, "{waited:?}");
    assert_eq!(call.notes().await, numbers(0..100));
    let session = call.store.inner().load(call.id).await.unwrap().unwrap();
    assert_eq!(session.transcript.len(), 1);
    assert!(session.transcript[0].complete);
    call.end().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_happened_though_its_answer_was_lost_happens_once() {
    let call = written(RecorderConfig::default()).await;
    call.store.lose_answers(3);
    call.store.behind_lost(SessionEvent::Ringing);
    for number in 0..5 {
        assert!(matches!(call.recorder.decide(note(number)).await, Ok(true)));
        assert!(matches!(call.recorder.decide(used(10).at(at(2))).await, Ok(true)));
    }
    assert_eq!(call.notes().await, numbers(0..5));
    let session = call.store.inner().load(call.id).await.unwrap().unwrap();
    assert_eq!(session.summary.usage.input, 50);
    assert!(session.summary.times.ringing.is_some(), "the other's work stays");
    call.end().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn others_write_for_the_same_call() {
    let call = written(RecorderConfig::default()).await;
    let other = |number: usize| SessionEvent::Noted { text: format!("other {number}") };
    call.store.others((0..3).map(other));
    for number in 0..10 {
        call.recorder.propose(note(number)).await.unwrap();
    }
    call.recorder.kept().await.unwrap();
    let (others, own): (Vec<_>, Vec<_>) = call.notes().await.into_iter().partition(|text| text.starts_with("other"));
    assert_eq!(own, numbers(0..10));
    assert_eq!(others, ["other 0", "other 1", "other 2"]);
    call.end().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_is_told_what_the_call_says() {
    let call = written(RecorderConfig::default()).await;
    assert!(matches!(call.recorder.decide(SessionEvent::Ringing.at(at(1))).await, Ok(true)));
    assert!(matches!(call.recorder.decide(SessionEvent::Ringing.at(at(2))).await, Ok(false)));
    // Somebody else ends the call in between: it is decided again.
    call.store.others([SessionEvent::Ended(Ending::new(Status::Completed, "completed"))]);
    let expected = SessionEvent::StreamExpected { stream: stream(1) }.at(at(3));
    assert!(matches!(call.recorder.decide(expected).await, Err(RecordError::Refused(Refused::Over))));
    // What was refused does not hold up what comes after it.
    call.recorder.propose(SessionEvent::StreamExpected { stream: stream(2) }.at(at(3))).await.unwrap();
    assert!(matches!(call.recorder.decide(note(1)).await, Ok(true)));
    call.end().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn one_that_cannot_be_kept_does_not_take_others_with_it() {
    let call = written(RecorderConfig::default()).await;
    let taken = SessionEvent::Bound { call: "CA00000000000000000000000000000001".parse().unwrap() }.at(at(1));
    let new = call_session::call::NewCall::inbound("+819012345678", "+81312345678");
    call.store.create(call_session::id::SessionId::new(), at(0), new, vec![taken.clone()]).await.unwrap();
    // All in one batch.
    call.store.slow(S);
    call.recorder.propose(note(0)).await.unwrap();
    sleep(MS).await;
    call.recorder.propose(note(1)).await.unwrap();
    let (asked, _, last) =
        tokio::join!(call.recorder.decide(taken), call.recorder.propose(note(2)), call.recorder.decide(note(3)));
    assert!(matches!(asked, Err(RecordError::Unstorable(_))), "{asked:?}");
    assert!(matches!(last, Ok(true)));
    assert_eq!(call.notes().await, numbers(0..4));
    call.end().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_slow_store_gets_many_at_once() {
    let call = written(RecorderConfig::default()).await;
    call.store.slow(S);
    for number in 0..200 {
        call.recorder.propose(note(number)).await.unwrap();
        sleep(MS).await;
    }
    call.recorder.kept().await.unwrap();
    assert_eq!(call.notes().await, numbers(0..200));
    assert_eq!(call.store.commits(), 5, "the first, and then as many as fit");
    call.end().await.unwrap();
}

/// What happens to a recorder and its store.
#[derive(Debug, Clone)]
enum Step {
    Note,
    Use,
    Say(u8),
    Kept,
    Pause(u16),
    Away(u16),
    Lose(u8),
    Other,
    Slow(u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Note),
        4 => Just(Step::Use),
        4 => any::<u8>().prop_map(Step::Say),
        1 => Just(Step::Kept),
        3 => (0..2000_u16).prop_map(Step::Pause),
        1 => (0..30_000_u16).prop_map(Step::Away),
        1 => (0..4_u8).prop_map(Step::Lose),
        1 => Just(Step::Other),
        1 => (0..1000_u16).prop_map(Step::Slow),
    ]
}

async fn live(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let call = written(RecorderConfig::default().with_waiting(8)).await;
    let (mut notes, mut input, mut others) = (0, 0, 0);
    let mut said = std::collections::BTreeMap::new();
    for (index, step) in steps.into_iter().enumerate() {
        match step {
            Step::Note => {
                call.recorder.propose(note(notes)).await.unwrap();
                notes += 1;
            }
            Step::Use => {
                call.recorder.propose(used(1).at(at(2))).await.unwrap();
                input += 1;
            }
            Step::Say(item) => {
                let (item, text) = (format!("0/{}", item % 4), index.to_string());
                call.recorder.say(words(&item, &text, false));
                said.insert(item, text);
            }
            Step::Kept => {
                call.recorder.kept().await.unwrap();
                prop_assert_eq!(call.notes().await.iter().filter(|text| *text != "other").count(), notes);
            }
            Step::Pause(time) => sleep(MS * u32::from(time)).await,
            Step::Away(time) => call.store.away_for(MS * u32::from(time)),
            Step::Lose(count) => call.store.lose_answers(count.into()),
            Step::Other => {
                call.store.others([SessionEvent::Noted { text: "other".into() }]);
                others += 1;
            }
            Step::Slow(time) => call.store.slow(MS * u32::from(time)),
        }
    }
    let (store, id) = (std::sync::Arc::clone(&call.store), call.id);
    call.end().await.unwrap();
    let session = store.inner().load(id).await.unwrap().unwrap();
    let own: Vec<_> = session.notes.iter().map(|note| note.text.clone()).filter(|text| text != "other").collect();
    prop_assert_eq!(own, numbers(0..notes));
    prop_assert!(session.notes.len() <= notes + others);
    prop_assert_eq!(session.summary.usage.input, input);
    let kept: std::collections::BTreeMap<_, _> =
        session.transcript.into_iter().map(|line| (line.item, line.generated)).collect();
    prop_assert_eq!(kept, said);
    Ok(())
}

proptest! {
    #[test]
    fn nothing_is_lost_doubled_or_out_of_order(steps in prop::collection::vec(step(), 0..80)) {
        let runtime = runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(live(steps))?;
    }
}
