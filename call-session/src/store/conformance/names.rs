//! Names that belong to one call, and keys that belong to one claimant.

use futures_util::future::join_all;
use twilio_twiml::sid::CallSid;

use super::{Store, assert_whole, at, created, keys, new_call, pressed};
use crate::{
    call::{SessionEvent, Version},
    id::SessionId,
    store::{Commit, CommitError},
};

fn sid(number: u32) -> CallSid {
    format!("CA{number:032x}").parse().expect("32 hexadecimal digits")
}

/// Of calls that bind the same name at the same time one gets it; of the others nothing happens.
pub async fn names_are_bound_once(store: Store) {
    assert_eq!(store.find_by_call_sid(&sid(1)).await.expect("the store answers"), None);
    let mut calls = Vec::new();
    for _ in 0..20 {
        calls.push(created(&store).await);
    }
    let bind = |id: SessionId| {
        let events = vec![pressed(1), SessionEvent::Bound { call: sid(1) }.at(at(5))];
        store.commit(Commit::new(id, Version(1), events))
    };
    let done = join_all(calls.iter().map(|id| bind(*id))).await;
    let winners: Vec<_> = calls.iter().zip(&done).filter(|(_, done)| done.is_ok()).map(|(id, _)| *id).collect();
    let [winner] = winners[..] else { panic!("one call has the name, not {}", winners.len()) };
    assert_eq!(store.find_by_call_sid(&sid(1)).await.expect("the store answers"), Some(winner));
    for (id, done) in calls.into_iter().zip(done).filter(|(id, _)| *id != winner) {
        let right =
            matches!(&done, Err(CommitError::CallSidTaken { call, owner }) if *call == sid(1) && *owner == winner);
        assert!(right, "{done:?}");
        assert_eq!(assert_whole(&store, id).await.summary.version, Version(1));
    }
    let session = assert_whole(&store, winner).await;
    assert_eq!(session.summary.call_sid, Some(sid(1)));
    // One's own name, once more, is nobody else's.
    let again = vec![SessionEvent::Bound { call: sid(1) }.at(at(6))];
    store.commit(Commit::new(winner, Version(3), again)).await.expect("it is the call's own");
}

/// A call is created with its name, or not at all.
pub async fn names_come_with_the_creation(store: Store) {
    let bound = || vec![pressed(1), SessionEvent::Bound { call: sid(1) }.at(at(5))];
    let ids: Vec<_> = (0..8).map(|_| SessionId::new()).collect();
    let done = join_all(ids.iter().map(|id| store.create(*id, at(0), new_call(), bound()))).await;
    let winner = store.find_by_call_sid(&sid(1)).await.expect("the store answers").expect("one was created");
    for (id, done) in ids.into_iter().zip(done) {
        match done {
            Ok(session) => assert_eq!((session.summary.id, id), (winner, winner)),
            Err(CommitError::CallSidTaken { owner, .. }) => {
                assert_eq!(owner, winner);
                assert_eq!(store.load(id).await.expect("the store answers"), None);
                assert_eq!(keys(&store, id).await, [""; 0]);
            }
            Err(error) => panic!("{error:?}"),
        }
    }
    // The winner asks once more, as after a lost answer.
    let again = store.create(winner, at(0), new_call(), bound()).await.expect("it is the call's own");
    assert_eq!(assert_whole(&store, winner).await, again);
}

/// A key is taken once until its time is over, also when many try at the same time.
pub async fn claims_are_exclusive_for_their_time(store: Store) {
    let done = join_all((0..16).map(|_| store.claim("one", at(0), at(100)))).await;
    let first = done.into_iter().filter(|done| *done.as_ref().expect("the store answers")).count();
    assert_eq!(first, 1);
    let claim = async |key: &str, now, until| store.claim(key, at(now), at(until)).await.expect("the store answers");
    assert!(claim("two", 0, 100).await, "another key");
    assert!(claim("二つ目 'quoted'; \"2\" % _", 0, 100).await, "any text");
    assert!(!claim("one", 99, 200).await, "its time is not over");
    assert!(claim("one", 100, 200).await, "its time is over");
    assert!(!claim("one", 199, 300).await, "it was taken for longer");
    assert!(claim("two", 199, 300).await);
}
