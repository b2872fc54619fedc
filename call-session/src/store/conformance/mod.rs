//! Tests that hold a store to the contract of [`SessionStore`]. Each is a function that takes a store of its own, empty,
//! and panics when the store breaks its promise.
//!
//! [`session_store_conformance!`](crate::session_store_conformance) makes a test of each, so that those that are added
//! later come by themselves:
//!
//! ```
//! mod memory {
//!     use std::sync::Arc;
//!
//!     use call_session::store::{SessionStore, memory::MemoryStore};
//!
//!     /// The store, and what has to stay while the test runs, such as a folder.
//!     async fn fresh() -> (Arc<dyn SessionStore>, ()) {
//!         (Arc::new(MemoryStore::new()), ())
//!     }
//!
//!     call_session::session_store_conformance!(fresh);
//! }
//! # fn main() {}
//! ```

mod commits;
mod feed;
mod lists;
mod names;
mod words;

use std::sync::Arc;

pub use commits::{
    attempts_happen_once, commits_keep_what_happened, conflicts_change_nothing, creation_is_idempotent,
    many_tasks_change_one_call,
};
pub use feed::{feed_ends_and_goes_on, feed_has_no_gap_and_no_repeat, feed_is_read_in_pieces};
use jiff::{SignedDuration, Timestamp};
pub use lists::{lists_show_what_fits, pages_are_stable};
pub use names::{claims_are_exclusive_for_their_time, names_are_bound_once, names_come_with_the_creation};
pub use words::{every_event_is_kept, long_calls_are_kept, words_are_kept_as_they_are};

use super::SessionStore;
use crate::{
    call::{CallSession, NewCall, SessionEvent, Stamped},
    id::SessionId,
};

/// Makes a test of each function of [`conformance`](crate::store::conformance).
///
/// It takes the name of an `async fn()` that gives a pair: an empty `Arc<dyn SessionStore>`, and whatever has to stay as
/// long as the test runs. The crate that uses it needs tokio with `macros` and `rt-multi-thread`.
#[macro_export]
macro_rules! session_store_conformance {
    ($fresh:path) => {
        $crate::session_store_conformance! {
            $fresh:
            creation_is_idempotent commits_keep_what_happened conflicts_change_nothing many_tasks_change_one_call
            attempts_happen_once names_are_bound_once names_come_with_the_creation claims_are_exclusive_for_their_time
            lists_show_what_fits pages_are_stable feed_has_no_gap_and_no_repeat feed_is_read_in_pieces
            feed_ends_and_goes_on every_event_is_kept long_calls_are_kept words_are_kept_as_they_are
        }
    };
    ($fresh:path: $($case:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
        async fn $case() {
            let (store, _stays) = $fresh().await;
            $crate::store::conformance::$case(store).await;
        }
    )*};
}

/// What the tests share: stores are used from many tasks.
type Store = Arc<dyn SessionStore>;

/// A time, in milliseconds after the beginning of the tests' world.
fn at(milliseconds: i64) -> Timestamp {
    let begin = Timestamp::from_second(1_795_250_000).expect("a time in 2026");
    begin.saturating_add(SignedDuration::from_millis(milliseconds)).expect("the world of the tests is short")
}

fn new_call() -> NewCall {
    NewCall::outbound("+81312345678", "+819012345678")
}

async fn created(store: &Store) -> SessionId {
    let id = SessionId::new();
    store.create(id, at(0), new_call(), vec![]).await.expect("a new call is kept");
    id
}

async fn loaded(store: &Store, id: SessionId) -> CallSession {
    store.load(id).await.expect("the store answers").expect("the call is there")
}

/// An event that can be told from others.
fn pressed(keys: impl ToString) -> Stamped {
    SessionEvent::KeysPressed { keys: keys.to_string() }.at(at(1))
}

/// What keys were pressed, according to the events of a call.
async fn keys(store: &Store, id: SessionId) -> Vec<String> {
    let history = store.history(id).await.expect("the store answers");
    let keys = history.into_iter().filter_map(|recorded| match recorded.stamped.event {
        SessionEvent::KeysPressed { keys } => Some(keys),
        _ => None,
    });
    keys.collect()
}

/// The summary, the call and the events say the same.
async fn assert_whole(store: &Store, id: SessionId) -> CallSession {
    let session = loaded(store, id).await;
    let summary = store.summary(id).await.expect("the store answers");
    assert_eq!(summary.as_ref(), Some(&session.summary), "the summary is that of the call");
    let history = store.history(id).await.expect("the store answers");
    let versions = history.iter().map(|recorded| recorded.version.0);
    assert!(versions.eq(1..=session.summary.version.0), "the events are numbered without a gap");
    assert!(history.iter().all(|recorded| recorded.call == id), "they are events of this call");
    assert_eq!(CallSession::replay(history).as_ref(), Ok(&session), "the call is what its events make");
    session
}
