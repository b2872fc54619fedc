//! Changing calls from many places at once.

use std::sync::Arc;

use call_session::{
    call::{NewCall, Refused, SessionEvent, Stamped, Status},
    id::SessionId,
    store::{self, CommitError, SessionStore, UpdateError},
};
use proptest::prelude::*;
use tokio::{runtime, task::JoinSet};

use crate::{
    call::{
        at,
        callbacks::{Story, permuted},
    },
    hardship::HardStore,
};

/// How many calls are started in the same second.
const CALLS: usize = 50;

fn sid(number: usize) -> String {
    format!("CA{number:032x}")
}

/// All callbacks of all calls at once: each is a task, and the tasks overlap at each step of the store.
async fn play(stories: Vec<(Story, Vec<Vec<Stamped>>)>) -> Result<(), TestCaseError> {
    let store = Arc::new(HardStore::default());
    let mut tasks = JoinSet::new();
    let mut calls = Vec::new();
    for (story, told) in stories {
        let id = SessionId::new();
        let call = NewCall::outbound("+81312345678", "+819012345678");
        store.create(id, at(0), call, vec![]).await.unwrap();
        store::update(&*store, id, |_| story.carried()).await.unwrap();
        calls.push((id, story));
        for events in told {
            let store = Arc::clone(&store);
            tasks.spawn(async move { store::update(&*store, id, |_| events.clone()).await.map(|_| ()) });
        }
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap().unwrap();
    }
    for (number, (id, story)) in calls.into_iter().enumerate() {
        let call = store.load(id).await.unwrap().unwrap();
        prop_assert_eq!(call.summary.status, story.status());
        prop_assert_eq!(call.summary.outcome, Some(story.outcome()));
        prop_assert_eq!(store.find_by_call_sid(&sid(number).parse().unwrap()).await.unwrap(), Some(id));
        let history = store.history(id).await.unwrap();
        let ends = history.iter().filter(|event| event.stamped.event.name() == "ended").count();
        prop_assert_eq!(ends, 1);
        prop_assert!((1..).zip(&history).all(|(version, event)| event.version.0 == version));
        prop_assert_eq!(call_session::call::CallSession::replay(history).unwrap(), call);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn fifty_calls_at_once_come_to_their_own_ends(
        stories in (0..CALLS).map(|number| permuted(sid(number))).collect::<Vec<_>>(),
    ) {
        let runtime = runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(play(stories))?;
    }
}

async fn one_call(store: &HardStore) -> SessionId {
    let id = SessionId::new();
    store.create(id, at(0), NewCall::outbound("+81312345678", "+819012345678"), vec![]).await.unwrap();
    id
}

#[tokio::test(start_paused = true)]
async fn a_change_whose_answer_is_lost_happens_once() {
    let store = HardStore::default();
    let id = one_call(&store).await;
    store.lose_answers(1);
    // Somebody else gets on behind it: the repeated commit is known all the same.
    store.behind_lost(SessionEvent::Ringing);
    let noted = SessionEvent::Noted { text: "once".into() }.at(at(1));
    let updated = store::update(&store, id, |_| vec![noted.clone()]).await.unwrap();
    assert_eq!(updated.events.len(), 1);
    assert_eq!(store.load(id).await.unwrap().unwrap().notes.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_change_is_decided_again_on_what_the_call_is_then() {
    let store = HardStore::default();
    let id = one_call(&store).await;
    store.others([SessionEvent::Ended(call_session::call::Ending::new(Status::Busy, "busy"))]);
    let stream = SessionEvent::StreamExpected { stream: crate::call::stream(1) }.at(at(1));
    let error = store::update(&store, id, |_| vec![stream.clone()]).await.unwrap_err();
    assert!(matches!(error, UpdateError::Refused(Refused::Over)) && !error.retryable());
    // What is known by now is no change, and no error.
    store.others([SessionEvent::Noted { text: "other".into() }]);
    let end = SessionEvent::Ended(call_session::call::Ending::new(Status::Failed, "x")).at(at(2));
    assert!(store::update(&store, id, |_| vec![end.clone()]).await.unwrap().events.is_empty());
}

/// All of it is one commit, however much of it is late.
#[tokio::test(start_paused = true)]
async fn what_is_told_at_once_is_kept_at_once() {
    let store = HardStore::default();
    let (id, other) = (one_call(&store).await, one_call(&store).await);
    let told = Story::Talked.told(&sid(1)).into_iter().flatten().collect::<Vec<_>>();
    let heard = store::hear(&store, id, &told).await.unwrap();
    assert_eq!(heard.session.summary.status, Status::Completed);
    assert_eq!(heard.events.len() as u64 + 1, heard.session.summary.version.0);
    assert!(store::hear(&store, id, &told).await.unwrap().events.is_empty());
    // It is about another call than it says.
    let error = store::hear(&store, id, &Story::Talked.told(&sid(2)).concat()).await.unwrap_err();
    assert!(matches!(error, UpdateError::Refused(Refused::AnotherCall { .. })), "{error:?}");
    let error = store::hear(&store, other, &told).await.unwrap_err();
    assert!(matches!(error, UpdateError::Commit(CommitError::CallSidTaken { owner, .. }) if owner == id), "{error:?}");
    assert_eq!(store.load(other).await.unwrap().unwrap().summary.version.0, 1);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_kept_is_an_error() {
    let store = HardStore::default();
    let nobody = store::update(&store, SessionId::new(), |_| vec![SessionEvent::Ringing.at(at(1))]).await;
    assert!(matches!(nobody, Err(UpdateError::Commit(CommitError::NoCall(_)))));
    let (one, other) = (one_call(&store).await, one_call(&store).await);
    let bound = SessionEvent::Bound { call: sid(1).parse().unwrap() }.at(at(1));
    store::update(&store, one, |_| vec![bound.clone()]).await.unwrap();
    let taken = store::update(&store, other, |_| vec![bound.clone()]).await;
    assert!(matches!(taken, Err(UpdateError::Commit(CommitError::CallSidTaken { owner, .. })) if owner == one));
    store.away_for(std::time::Duration::from_secs(1));
    let away = store::update(&store, one, |_| vec![SessionEvent::Ringing.at(at(1))]).await.unwrap_err();
    assert!(away.retryable());
}

/// What happens to others is no news of a call, and what happened before it was asked for is not missed.
#[tokio::test]
async fn the_news_of_a_call_are_its_own() {
    let store = HardStore::default();
    let (ours, other) = (SessionId::new(), SessionId::new());
    for id in [ours, other] {
        store.create(id, at(0), NewCall::outbound("+81312345678", "+819012345678"), vec![]).await.unwrap();
    }
    let rings = |id| store::update(&store, id, |_| vec![SessionEvent::Ringing.at(at(1))]);
    let before = store.feed_end().await.unwrap();
    rings(other).await.unwrap();
    let mut waits = std::pin::pin!(store::news_of(&store, ours, before));
    for _ in 0..10 {
        assert!(futures_util::poll!(&mut waits).is_pending(), "something else happened");
        tokio::task::yield_now().await;
    }
    rings(ours).await.unwrap();
    let after = waits.await.unwrap();
    assert_eq!(after, store.feed_end().await.unwrap());
    assert!(store::news_of(&store, ours, before).await.unwrap() >= after, "it is not missed");
}
