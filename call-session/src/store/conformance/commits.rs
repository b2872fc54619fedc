//! Creating calls and changing them.

use futures_util::future::join_all;
use tokio::task::JoinSet;

use super::{Store, assert_whole, at, created, keys, loaded, new_call, pressed};
use crate::{
    call::{CallSession, Direction, Ending, NewCall, SessionEvent, Status, Version},
    id::SessionId,
    store::{self, Commit, CommitError},
};

/// A call is created once, however often that is asked for, also at the same time.
pub async fn creation_is_idempotent(store: Store) {
    let id = SessionId::new();
    let first = store.create(id, at(0), new_call(), vec![pressed(1)]).await.expect("a new call is kept");
    let mut wanted = CallSession::new(id, at(0), new_call());
    wanted.apply(&pressed(1));
    assert_eq!(first, wanted);

    store.commit(Commit::new(id, Version(2), vec![pressed(2)])).await.expect("the version is right");
    let other = NewCall::inbound("+819012345678", "+81312345678");
    let again = store.create(id, at(9), other, vec![pressed(3)]).await.expect("a known call is given");
    assert_eq!(again.summary.direction, Direction::Outbound);
    assert_eq!(again.summary.version, Version(3));
    assert_eq!(keys(&store, id).await, ["1", "2"]);
    assert_eq!(assert_whole(&store, id).await, again);

    let id = SessionId::new();
    let all = join_all((0..8).map(|i| store.create(id, at(i), new_call(), vec![pressed(i)]))).await;
    let all: Vec<_> = all.into_iter().map(|done| done.expect("the call is created, or known")).collect();
    assert!(all.iter().all(|session| *session == all[0]), "all are told of the same call");
    assert_eq!(assert_whole(&store, id).await, all[0]);
}

/// What was acknowledged can be read at once, by every door.
pub async fn commits_keep_what_happened(store: Store) {
    let unknown = SessionId::new();
    assert_eq!(store.load(unknown).await.expect("the store answers"), None);
    assert_eq!(store.summary(unknown).await.expect("the store answers"), None);
    assert_eq!(store.history(unknown).await.expect("the store answers"), []);
    let refused = store.commit(Commit::new(unknown, Version(1), vec![pressed(1)])).await;
    assert!(matches!(refused, Err(CommitError::NoCall(id)) if id == unknown), "{refused:?}");

    let id = created(&store).await;
    let events = vec![
        SessionEvent::Ringing.at(at(10)),
        SessionEvent::Answered.at(at(20)),
        SessionEvent::Ended(Ending::new(Status::Completed, "goodbye")).at(at(30)),
    ];
    let mut wanted = loaded(&store, id).await;
    wanted.take(events.clone()).expect("this may happen");
    let version = store.commit(Commit::new(id, Version(1), events)).await.expect("the version is right");
    assert_eq!(version, Version(4));
    assert_eq!(assert_whole(&store, id).await, wanted);
    let page = store.query(&store::Query::default()).await.expect("the store answers");
    assert_eq!(page.calls, [wanted.summary]);
}

/// A commit that was decided on another version changes nothing, and tells which version there is.
pub async fn conflicts_change_nothing(store: Store) {
    let id = created(&store).await;
    store.commit(Commit::new(id, Version(1), vec![pressed(1), pressed(2)])).await.expect("the version is right");
    for expected in [0, 1, 2, 4, 99] {
        let done = store.commit(Commit::new(id, Version(expected), vec![pressed(9)])).await;
        let right = matches!(done, Err(CommitError::Conflict { actual: Version(3) }));
        assert!(right, "on version {expected}: {done:?}");
    }
    assert_eq!(keys(&store, id).await, ["1", "2"]);
    assert_whole(&store, id).await;

    // Of many that were decided on the same version one happens.
    let commits = (0..16).map(|i| Commit::new(id, Version(3), vec![pressed(i), pressed(i)]));
    let done = join_all(commits.map(|commit| store.commit(commit))).await;
    let happened = done.iter().filter(|done| matches!(done, Ok(Version(5)))).count();
    let refused = done.iter().filter(|done| matches!(done, Err(CommitError::Conflict { actual: Version(5) }))).count();
    assert_eq!((happened, refused), (1, 15), "{done:?}");
    assert_eq!(assert_whole(&store, id).await.summary.version, Version(5));
}

/// Many tasks change one call; each change happens once.
pub async fn many_tasks_change_one_call(store: Store) {
    const TASKS: usize = 8;
    const CHANGES: usize = 12;
    let id = created(&store).await;
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let store = store.clone();
        tasks.spawn(async move {
            for change in 0..CHANGES {
                let propose = |_: &CallSession| vec![pressed(format_args!("{task}#{change}"))];
                store::update(&*store, id, propose).await.expect("somebody gets on each time");
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.expect("no task panics");
    }
    let all = keys(&store, id).await;
    assert_eq!(all.len(), TASKS * CHANGES);
    for task in 0..TASKS {
        let own: Vec<_> = all.iter().filter_map(|keys| keys.strip_prefix(&format!("{task}#"))).collect();
        let wanted: Vec<_> = (0..CHANGES).map(|change| change.to_string()).collect();
        assert_eq!(own, wanted, "each change of a task happens once, in order");
    }
    assert_whole(&store, id).await;
}

/// A commit that is repeated under its name happens once, and has the answer it had.
pub async fn attempts_happen_once(store: Store) {
    let id = created(&store).await;
    let commit = Commit::new(id, Version(1), vec![pressed(1), pressed(2)]);
    assert_eq!(store.commit(commit.clone()).await.expect("the version is right"), Version(3));
    assert_eq!(store.commit(commit.clone()).await.expect("it is known"), Version(3));
    store.commit(Commit::new(id, Version(3), vec![pressed(3)])).await.expect("the version is right");
    assert_eq!(store.commit(commit).await.expect("it is known, however late"), Version(3));
    assert_eq!(keys(&store, id).await, ["1", "2", "3"]);

    let commit = Commit::new(id, Version(4), vec![pressed(4)]);
    let done = join_all((0..8).map(|_| store.commit(commit.clone()))).await;
    assert!(done.iter().all(|done| matches!(done, Ok(Version(5)))), "{done:?}");
    assert_eq!(keys(&store, id).await, ["1", "2", "3", "4"]);
    assert_whole(&store, id).await;
}
