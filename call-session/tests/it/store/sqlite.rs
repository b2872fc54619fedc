//! Calls in an embedded database file.

use std::{sync::Arc, time::Duration};

use call_session::{
    call::{NewCall, SessionEvent, Version},
    id::SessionId,
    store::{
        self, Commit, Position, Query, SessionStore, StoreError,
        sqlite::{Durability, SqliteConfig, SqliteStore},
    },
};
use jiff::Timestamp;
use tokio::task::JoinSet;

use super::folder::Folder;

async fn fresh() -> (Arc<dyn SessionStore>, Folder) {
    let folder = Folder::new();
    let store = SqliteStore::open(folder.path().join("calls.db")).await.unwrap();
    (Arc::new(store), folder)
}

call_session::session_store_conformance!(fresh);

fn new_call() -> NewCall {
    NewCall::outbound("+81312345678", "+819012345678")
}

#[tokio::test]
async fn calls_are_there_after_a_restart() {
    let folder = Folder::new();
    let config = SqliteConfig::new(folder.path().join("calls.db")).with_durability(Durability::Process);
    let id = SessionId::new();
    let store = SqliteStore::open_with(config.clone()).await.unwrap();
    let created = store.create(id, Timestamp::now(), new_call(), vec![]).await.unwrap();
    let position = store.feed_end().await.unwrap();
    store.close().await;
    let closed = store.commit(Commit::new(id, Version(1), vec![SessionEvent::Ringing.at(Timestamp::now())])).await;
    assert!(closed.is_err());

    let store = SqliteStore::open_with(config).await.unwrap();
    assert_eq!(store.load(id).await.unwrap(), Some(created));
    assert_eq!(store.feed_end().await.unwrap(), position);
}

/// Servers that start at the same time on a new file each find it ready.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_open_a_new_file_at_once() {
    let folder = Folder::new();
    let config = SqliteConfig::new(folder.path().join("calls.db")).with_busy_timeout(Duration::from_secs(30));
    let mut opening = JoinSet::new();
    for _ in 0..8 {
        let config = config.clone();
        opening.spawn(async move { SqliteStore::open_with(config).await });
    }
    while let Some(opened) = opening.join_next().await {
        let store = opened.unwrap().unwrap();
        store.create(SessionId::new(), Timestamp::now(), new_call(), vec![]).await.unwrap();
    }
}

/// Two stores on one file, as two processes have, under load: nobody is told that it is locked, and each sees the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_stores_share_a_file() {
    let folder = Folder::new();
    let config = SqliteConfig::new(folder.path().join("calls.db")).with_durability(Durability::Process);
    let config = config.with_busy_timeout(Duration::from_secs(30));
    let stores = [
        Arc::new(SqliteStore::open_with(config.clone()).await.unwrap()),
        Arc::new(SqliteStore::open_with(config).await.unwrap()),
    ];
    let id = SessionId::new();
    stores[0].create(id, Timestamp::now(), new_call(), vec![]).await.unwrap();
    let mut tasks = JoinSet::new();
    for task in 0..8 {
        let store = stores[task % 2].clone();
        tasks.spawn(async move {
            for _ in 0..10 {
                let own = SessionId::new();
                store.create(own, Timestamp::now(), new_call(), vec![]).await.unwrap();
                let pressed = |_: &_| vec![SessionEvent::KeysPressed { keys: "1".into() }.at(Timestamp::now())];
                store::update(&*store, id, pressed).await.unwrap();
                store.query(&Query::active()).await.unwrap();
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    for store in stores {
        assert_eq!(store.load(id).await.unwrap().unwrap().summary.version, Version(81));
        assert_eq!(store.read_feed(Position::START, 1000).await.unwrap().len(), 161);
    }
}

/// Who waits for news is told of another process's.
#[tokio::test(flavor = "multi_thread")]
async fn news_of_another_process_come() {
    let folder = Folder::new();
    let path = folder.path().join("calls.db");
    let (here, there) = (SqliteStore::open(&path).await.unwrap(), SqliteStore::open(&path).await.unwrap());
    let create = there.create(SessionId::new(), Timestamp::now(), new_call(), vec![]);
    let (_, created) = tokio::join!(here.feed_moved(Position::START), create);
    created.unwrap();
    assert_eq!(here.read_feed(Position::START, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_no_database_is_refused() {
    let folder = Folder::new();
    let path = folder.path().join("calls.db");
    std::fs::write(&path, "This is a letter, and a long one, so that nobody takes it for an empty file.".repeat(99))
        .unwrap();
    let refused = SqliteStore::open(&path).await;
    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    let nowhere = SqliteStore::open(folder.path().join("no such folder").join("calls.db")).await;
    assert!(nowhere.is_err());
}
