//! Waiting for something of one call.

use super::{FeedEvent, Position, SessionStore, StoreError};
use crate::id::SessionId;

/// How many events of the feed are looked at at once.
const FEED: usize = 100;

/// Waits until the feed has something of this call after a position, which is given back: from there on everything is new.
/// Most of what happens is of other calls, and no reason to look at this one. Take the position
/// ([`SessionStore::feed_end`]) before the call is looked at, so that nothing is missed in between.
///
/// ```
/// # use call_session::{call::{NewCall, SessionEvent}, id::SessionId, store::{self, SessionStore, memory::MemoryStore}};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (store, now, call) = (MemoryStore::new(), jiff::Timestamp::now(), SessionId::new());
/// # store.create(call, now, NewCall::outbound("+81312345678", "+819012345678"), vec![]).await?;
/// let before = store.feed_end().await?;
/// store::update(&store, call, |_| vec![SessionEvent::Ringing.at(now)]).await?;
/// let after = store::news_of(&store, call, before).await?;
/// assert!(after > before);
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// [`StoreError`] when the feed cannot be read.
///
/// # Cancel safety
///
/// Dropping the future changes nothing.
pub async fn news_of<S: SessionStore + ?Sized>(
    store: &S,
    call: SessionId,
    after: Position,
) -> Result<Position, StoreError> {
    until_told(store, after, |event| event.recorded.call == call).await
}

/// Waits for an event of a kind. Gives the position behind what was read.
pub(crate) async fn until_told<S: SessionStore + ?Sized>(
    store: &S,
    mut after: Position,
    wanted: impl Fn(&FeedEvent) -> bool,
) -> Result<Position, StoreError> {
    loop {
        store.feed_moved(after).await;
        // It may come early.
        let events = store.read_feed(after, FEED).await?;
        let Some(last) = events.last() else { continue };
        after = last.position;
        if events.iter().any(&wanted) {
            return Ok(after);
        }
    }
}
