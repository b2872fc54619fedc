//! The feed of all that happens.

use std::{collections::HashMap, time::Duration};

use tokio::{task::JoinSet, time::timeout};

use super::{Store, created, keys, pressed};
use crate::{
    call::{Recorded, Version},
    id::SessionId,
    store::{Commit, FeedEvent, Position},
};

/// Longer than anything in these tests takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Reads until so many events have come.
async fn follow(store: Store, mut after: Position, wanted: usize, piece: usize) -> Vec<FeedEvent> {
    let mut all = Vec::new();
    let read = async {
        while all.len() < wanted {
            let events = store.read_feed(after, piece).await.expect("the store answers");
            assert!(events.len() <= piece);
            match events.last() {
                Some(last) => after = last.position,
                None => store.feed_moved(after).await,
            }
            all.extend(events);
        }
    };
    assert!(timeout(PATIENCE, read).await.is_ok(), "{} of {wanted} events came", all.len());
    all
}

fn assert_in_order(events: &[FeedEvent]) {
    let mut versions: HashMap<SessionId, u64> = HashMap::new();
    assert!(events.is_sorted_by(|a, b| a.position < b.position), "positions rise");
    for FeedEvent { recorded, .. } in events {
        let last = versions.entry(recorded.call).or_default();
        assert_eq!(recorded.version, Version(*last + 1), "events of a call come once, in their order");
        *last += 1;
    }
}

/// While many write, readers that go on from where they were get every event once.
pub async fn feed_has_no_gap_and_no_repeat(store: Store) {
    const WRITERS: usize = 8;
    const CALLS: usize = 3;
    const COMMITS: u32 = 12;
    let wanted = WRITERS * CALLS * (1 + 2 * COMMITS as usize);
    let mut readers = JoinSet::new();
    for piece in [1000, 7, 50] {
        readers.spawn(follow(store.clone(), Position::START, wanted, piece));
    }
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let store = store.clone();
        writers.spawn(async move {
            for _ in 0..CALLS {
                let id = created(&store).await;
                for i in 0..COMMITS {
                    let commit = Commit::new(id, Version(1 + 2 * u64::from(i)), vec![pressed(i), pressed(i)]);
                    store.commit(commit).await.expect("the version is right");
                }
            }
        });
    }
    while let Some(done) = writers.join_next().await {
        done.expect("no task panics");
    }
    let mut feeds = Vec::new();
    while let Some(feed) = readers.join_next().await {
        feeds.push(feed.expect("no task panics"));
    }
    feeds.iter().for_each(|feed| assert_in_order(feed));
    assert!(feeds.iter().all(|feed| *feed == feeds[0]), "all readers get the same");
    let end = store.feed_end().await.expect("the store answers");
    assert_eq!(feeds[0].last().map(|event| event.position), Some(end), "that was all");
}

/// A position that was kept, also as text, is good for going on from there; the events are those of the calls.
pub async fn feed_is_read_in_pieces(store: Store) {
    assert_eq!(store.read_feed(Position::START, 10).await.expect("the store answers"), []);
    let id = created(&store).await;
    let events = (0..20).map(pressed).collect();
    store.commit(Commit::new(id, Version(1), events)).await.expect("the version is right");
    let all = follow(store.clone(), Position::START, 21, 1000).await;
    assert_in_order(&all);
    let recorded: Vec<Recorded> = all.iter().map(|event| event.recorded.clone()).collect();
    assert_eq!(recorded, store.history(id).await.expect("the store answers"));
    assert_eq!(store.read_feed(Position::START, 0).await.expect("the store answers"), []);
    for (i, event) in all.iter().enumerate() {
        let position: Position = event.position.to_string().parse().expect("a position is a text");
        let rest = store.read_feed(position, 3).await.expect("the store answers");
        assert_eq!(rest, all[i + 1..].iter().take(3).cloned().collect::<Vec<_>>());
    }
}

/// After the end comes what is new, and who waits for it is told.
pub async fn feed_ends_and_goes_on(store: Store) {
    let id = created(&store).await;
    follow(store.clone(), Position::START, 1, 10).await;
    let end = store.feed_end().await.expect("the store answers");
    assert_eq!(store.read_feed(end, 10).await.expect("the store answers"), []);
    let wait = timeout(PATIENCE, store.feed_moved(end)).await;
    assert!(wait.is_ok(), "who waits is let go from time to time, without news");
    let reader = follow(store.clone(), end, 1, 10);
    let writer = async {
        store.commit(Commit::new(id, Version(1), vec![pressed(1)])).await.expect("the version is right");
    };
    let (news, ()) = tokio::join!(reader, writer);
    assert_eq!(news[0].recorded.version, Version(2));
    assert_eq!(keys(&store, id).await, ["1"]);
    let wait = timeout(PATIENCE, store.feed_moved(end)).await;
    assert!(wait.is_ok(), "what is there already is not waited for");
}
