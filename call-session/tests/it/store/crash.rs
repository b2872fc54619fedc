//! A process that dies between any two instructions of a commit leaves nothing half-made.
//!
//! The test starts itself once more as a child that writes until it is killed, and looks at what is left.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use call_session::{
    call::{CallSession, NewCall, SessionEvent, Stamped, Version},
    id::SessionId,
    store::{Commit, Position, SessionStore, postgres::PostgresStore, sqlite::SqliteStore},
};
use jiff::Timestamp;
use throwaway_postgres::Database;
use tokio::{task::JoinSet, time::timeout};

use super::folder::Folder;

/// Tells the child what to write to.
const TARGET: &str = "CALL_SESSION_CRASH_TARGET";

/// How many commits the parent lets be acknowledged before it kills. Another number each time, so that the death comes at
/// another moment.
const ACKNOWLEDGED: [usize; 4] = [1, 40, 117, 250];

/// How long the feed may take to show what is there. Only a test that fails waits so long.
const PATIENCE: Duration = Duration::from_secs(60);

fn pressed() -> Stamped {
    SessionEvent::KeysPressed { keys: "1".into() }.at(Timestamp::now())
}

/// Writes to several calls at once, for ever, and says on standard output what was acknowledged.
async fn write_until_killed(store: Arc<dyn SessionStore>) {
    let mut tasks = JoinSet::new();
    for _ in 0..4 {
        let store = store.clone();
        tasks.spawn(async move {
            let id = SessionId::new();
            let call = NewCall::outbound("+81312345678", "+819012345678");
            let mut version = store.create(id, Timestamp::now(), call, vec![pressed()]).await.unwrap().summary.version;
            loop {
                #[expect(clippy::print_stdout, reason = "the parent reads it")]
                {
                    println!("kept {id} {}", version.0);
                }
                let commit = Commit::new(id, version, vec![pressed(), pressed(), pressed()]);
                version = store.commit(commit).await.unwrap();
            }
        });
    }
    while tasks.join_next().await.is_some() {}
}

/// This test once more, as a child with a target. The flags are those of the test harness.
fn child(test: &str, target: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(TARGET, target)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Lets a child write, kills it, and gives what it said was kept: the last version of each call.
fn kill_after(acknowledged: usize, test: &str, target: &str) -> Vec<(SessionId, Version)> {
    let mut child = child(test, target);
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut kept = lines.filter_map(|line| {
        let (id, version) = line.split_once("kept ")?.1.split_once(' ')?;
        Some((id.parse().unwrap(), Version(version.parse().unwrap())))
    });
    let mut all: Vec<_> = kept.by_ref().take(acknowledged).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    all.extend(kept);
    assert!(all.len() >= acknowledged, "the child wrote until it was killed");
    all
}

/// What was acknowledged is there, and of everything else nothing or all.
async fn assert_nothing_half_made(store: &dyn SessionStore, kept: &[(SessionId, Version)]) {
    for (id, version) in kept {
        let session = store.load(*id).await.unwrap().unwrap();
        assert!(session.summary.version >= *version, "what was acknowledged is there");
        assert_eq!((session.summary.version.0 - 2) % 3, 0, "a commit happens whole");
        let history = store.history(*id).await.unwrap();
        assert_eq!(CallSession::replay(history).unwrap(), session);
    }
    let mut ids: Vec<_> = kept.iter().map(|(id, _)| *id).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut versions = 0;
    for id in ids {
        versions += store.summary(id).await.unwrap().unwrap().version.0;
    }
    // A call may have been created whose creation was not told. The feed may wait for others who write to the same server.
    let (mut after, mut events) = (Position::START, 0);
    let read = async {
        while events < versions {
            let piece = store.read_feed(after, 1000).await.unwrap();
            match piece.last() {
                Some(last) => after = last.position,
                None => store.feed_moved(after).await,
            }
            events += piece.len() as u64;
        }
    };
    assert!(timeout(PATIENCE, read).await.is_ok(), "the feed has {events} of {versions} events that the calls have");
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_survives_the_death_of_the_process() {
    if let Ok(target) = std::env::var(TARGET) {
        return write_until_killed(Arc::new(SqliteStore::open(target).await.unwrap())).await;
    }
    let folder = Folder::new();
    let path = folder.path().join("calls.db");
    let mut kept = Vec::new();
    for acknowledged in ACKNOWLEDGED {
        let test = "store::crash::sqlite_survives_the_death_of_the_process";
        kept.extend(kill_after(acknowledged, test, path.to_str().unwrap()));
        let store = SqliteStore::open(&path).await.unwrap();
        assert_nothing_half_made(&store, &kept).await;
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_survives_the_death_of_the_process() {
    if let Ok(target) = std::env::var(TARGET) {
        return write_until_killed(Arc::new(PostgresStore::connect(&target).await.unwrap())).await;
    }
    let database = Database::create().unwrap();
    let store = PostgresStore::connect(database.url()).await.unwrap();
    let mut kept = Vec::new();
    for acknowledged in ACKNOWLEDGED {
        let test = "store::crash::postgres_survives_the_death_of_the_process";
        kept.extend(kill_after(acknowledged, test, database.url()));
        assert_nothing_half_made(&store, &kept).await;
    }
}
