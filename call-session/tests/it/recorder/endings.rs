//! How the writing ends.

use std::sync::Arc;

use call_session::{
    id::SessionId,
    recorder::{RecordError, Recorder, RecorderConfig},
    store::SessionStore,
};
use futures_util::FutureExt;
use tokio::time::{Instant, sleep};

use super::{MS, S, note, words, written};
use crate::hardship::HardStore;

#[tokio::test(start_paused = true)]
async fn the_writing_ends_when_nobody_proposes_and_all_is_kept() {
    let mut call = written(RecorderConfig::default()).await;
    call.store.away_for(20 * S);
    call.recorder.propose(note(0)).await.unwrap();
    let clone = call.recorder.clone();
    let began = Instant::now();
    drop(std::mem::replace(&mut call.recorder, clone));
    sleep(25 * S).await;
    assert!(call.writing.try_join_next().is_none(), "a clone can still propose");
    call.recorder.propose(note(1)).await.unwrap();
    let (store, id) = (Arc::clone(&call.store), call.id);
    call.end().await.unwrap();
    assert!(began.elapsed() < 26 * S);
    assert_eq!(store.inner().load(id).await.unwrap().unwrap().notes.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn patience_with_a_store_has_an_end_after_the_call() {
    let call = written(RecorderConfig::default().with_patience(60 * S)).await;
    call.store.away_for(3_600 * S);
    for number in 0..100 {
        call.recorder.propose(note(number)).await.unwrap();
    }
    call.recorder.say(words("0/a", "Bye.", true));
    // While the call goes on there is no end of patience.
    sleep(600 * S).await;
    let began = Instant::now();
    let unwritten = call.end().await.unwrap_err();
    assert_eq!(unwritten.events, 101);
    let waited = began.elapsed();
    assert!(waited >= 58 * S && waited <= 64 * S, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_is_told_that_nobody_writes_any_more() {
    let mut call = written(RecorderConfig::default().with_waiting(2)).await;
    call.store.away_for(3_600 * S);
    call.recorder.propose(note(0)).await.unwrap();
    let recorder = &call.recorder;
    let waiting = async { tokio::join!(recorder.decide(note(1)), recorder.propose(note(2)), recorder.kept()) };
    let mut waiting = Box::pin(waiting);
    assert!(waiting.as_mut().now_or_never().is_none());
    sleep(S).await;
    call.writing.abort_all();
    while call.writing.join_next().await.is_some() {}
    let (decided, proposed, kept) = waiting.await;
    assert!(matches!(decided, Err(RecordError::Closed)));
    assert!(matches!(proposed, Err(RecordError::Closed)));
    assert!(matches!(kept, Err(RecordError::Closed)));
    // And so is whoever comes later.
    assert!(matches!(recorder.propose(note(3)).await, Err(RecordError::Closed)));
    assert!(matches!(recorder.decide(note(3)).await, Err(RecordError::Closed)));
    recorder.say(words("0/a", "Hello?", true));
    assert!(matches!(recorder.kept().await, Err(RecordError::Closed)));
}

#[tokio::test(start_paused = true)]
async fn nobody_writes_before_the_writing_runs_or_after_it_was_dropped() {
    let store: Arc<dyn SessionStore> = Arc::new(HardStore::default());
    let (recorder, writing) = Recorder::new(Arc::clone(&store), SessionId::new(), RecorderConfig::default());
    let mut decided = Box::pin(recorder.decide(note(0)));
    assert!(decided.as_mut().now_or_never().is_none());
    drop(writing);
    assert!(matches!(decided.await, Err(RecordError::Closed)));
    // There is no such call: each is told so, and the writing ends in order.
    let (recorder, writing) = Recorder::new(store, SessionId::new(), RecorderConfig::default());
    let proposing = async move {
        let asked = tokio::join!(recorder.decide(note(0)), recorder.decide(note(1)));
        assert!(matches!(asked, (Err(RecordError::Unstorable(_)), Err(RecordError::Unstorable(_)))), "{asked:?}");
        recorder.kept().await.unwrap();
    };
    let (ended, ()) = tokio::join!(writing.run(), proposing);
    ended.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_idle_recorder_has_kept_everything() {
    let call = written(RecorderConfig::default()).await;
    call.recorder.kept().now_or_never().unwrap().unwrap();
    sleep(MS).await;
    assert_eq!(call.store.commits(), 0);
    call.end().await.unwrap();
}
