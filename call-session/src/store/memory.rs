//! Calls in memory, gone with the process.

use std::{
    collections::{BTreeSet, HashMap},
    ops::Bound,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::{sync::watch, time::timeout};
use twilio_twiml::sid::CallSid;

use super::{Commit, CommitError, FeedEvent, Page, Position, Query, SessionStore, StoreError};
use crate::{
    call::{CallSession, CallSummary, NewCall, Recorded, SessionEvent, Stamped, Version},
    id::{CommitId, SessionId},
};

/// The longest wait for something new.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Keeps calls in memory, gone with the process. It grows with every call: for tests, and for servers that restart often.
#[derive(Debug)]
pub struct MemoryStore {
    shelf: Mutex<Shelf>,
    /// How many events there are.
    moved: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Shelf {
    calls: HashMap<SessionId, Kept>,
    /// The order of lists.
    order: BTreeSet<(Timestamp, SessionId)>,
    by_sid: HashMap<CallSid, SessionId>,
    feed: Vec<Recorded>,
    claims: HashMap<String, Timestamp>,
}

#[derive(Debug)]
struct Kept {
    session: CallSession,
    commits: HashMap<CommitId, Version>,
    /// Where its events are in the feed.
    events: Vec<usize>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self { shelf: Mutex::default(), moved: watch::Sender::new(0) }
    }
}

impl MemoryStore {
    /// No calls yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, shelf: &Shelf) {
        self.moved.send_replace(shelf.feed.len() as u64);
    }
}

impl Shelf {
    /// A name at Twilio belongs to one call.
    fn check_names(&self, id: SessionId, events: &[Stamped]) -> Result<(), CommitError> {
        for stamped in events {
            if let SessionEvent::Bound { call } = &stamped.event
                && let Some(owner) = self.by_sid.get(call)
                && *owner != id
            {
                return Err(CommitError::CallSidTaken { call: call.clone(), owner: *owner });
            }
        }
        Ok(())
    }

    fn append(&mut self, id: SessionId, version: Version, events: Vec<Stamped>) -> Option<CallSession> {
        for (index, stamped) in events.into_iter().enumerate() {
            if let SessionEvent::Bound { call } = &stamped.event {
                self.by_sid.insert(call.clone(), id);
            }
            if let Some(kept) = self.calls.get_mut(&id) {
                kept.session.apply(&stamped);
            }
            self.publish(id, version.plus(index + 1), stamped);
        }
        self.calls.get(&id).map(|kept| kept.session.clone())
    }

    fn publish(&mut self, call: SessionId, version: Version, stamped: Stamped) {
        if let Some(kept) = self.calls.get_mut(&call) {
            kept.events.push(self.feed.len());
        }
        self.feed.push(Recorded { call, version, stamped });
    }
}

#[async_trait]
impl SessionStore for MemoryStore {
    async fn create(
        &self,
        id: SessionId,
        at: Timestamp,
        call: NewCall,
        events: Vec<Stamped>,
    ) -> Result<CallSession, CommitError> {
        let mut shelf = self.shelf();
        if let Some(kept) = shelf.calls.get(&id) {
            return Ok(kept.session.clone());
        }
        shelf.check_names(id, &events)?;
        let session = CallSession::new(id, at, call.clone());
        shelf.order.insert((at, id));
        shelf.calls.insert(id, Kept { session, commits: HashMap::new(), events: Vec::new() });
        shelf.publish(id, Version(1), SessionEvent::Created(Box::new(call)).at(at));
        let session = shelf.append(id, Version(1), events);
        self.tell(&shelf);
        session.ok_or(CommitError::NoCall(id))
    }

    async fn load(&self, id: SessionId) -> Result<Option<CallSession>, StoreError> {
        Ok(self.shelf().calls.get(&id).map(|kept| kept.session.clone()))
    }

    async fn summary(&self, id: SessionId) -> Result<Option<CallSummary>, StoreError> {
        Ok(self.shelf().calls.get(&id).map(|kept| kept.session.summary.clone()))
    }

    async fn commit(&self, commit: Commit) -> Result<Version, CommitError> {
        let mut shelf = self.shelf();
        let shelf = &mut *shelf;
        let kept = shelf.calls.get(&commit.call).ok_or(CommitError::NoCall(commit.call))?;
        if let Some(version) = kept.commits.get(&commit.id) {
            return Ok(*version);
        }
        let actual = kept.session.summary.version;
        if actual != commit.expected {
            return Err(CommitError::Conflict { actual });
        }
        shelf.check_names(commit.call, &commit.events)?;
        let version = actual.plus(commit.events.len());
        if let Some(kept) = shelf.calls.get_mut(&commit.call) {
            kept.commits.insert(commit.id, version);
        }
        shelf.append(commit.call, actual, commit.events);
        self.tell(shelf);
        Ok(version)
    }

    async fn find_by_call_sid(&self, sid: &CallSid) -> Result<Option<SessionId>, StoreError> {
        Ok(self.shelf().by_sid.get(sid).copied())
    }

    async fn query(&self, query: &Query) -> Result<Page, StoreError> {
        let shelf = self.shelf();
        let end = match query.before.map(|before| (shelf.calls.get(&before), before)) {
            None => Bound::Unbounded,
            Some((Some(kept), before)) => Bound::Excluded((kept.session.summary.created_at, before)),
            Some((None, _)) => return Ok(Page::default()),
        };
        let ids = shelf.order.range((Bound::Unbounded, end)).rev().map(|(_, id)| id);
        let calls = ids.filter_map(|id| shelf.calls.get(id)).map(|kept| &kept.session.summary);
        let fitting = calls.filter(|call| query.fits(call)).take(query.limit.saturating_add(1)).cloned();
        Ok(Page::new(fitting.collect(), query.limit))
    }

    async fn history(&self, id: SessionId) -> Result<Vec<Recorded>, StoreError> {
        let shelf = self.shelf();
        let events = shelf.calls.get(&id).map(|kept| kept.events.iter().map(|index| shelf.feed[*index].clone()));
        Ok(events.map(Iterator::collect).unwrap_or_default())
    }

    async fn read_feed(&self, after: Position, limit: usize) -> Result<Vec<FeedEvent>, StoreError> {
        let shelf = self.shelf();
        let begin = usize::try_from(after.minor()).unwrap_or(usize::MAX).min(shelf.feed.len());
        let events = shelf.feed[begin..].iter().take(limit).zip(begin as u64 + 1..);
        let placed = |(recorded, minor): (&Recorded, u64)| FeedEvent {
            position: Position::new(0, minor),
            recorded: recorded.clone(),
        };
        Ok(events.map(placed).collect())
    }

    async fn feed_end(&self) -> Result<Position, StoreError> {
        Ok(Position::new(0, *self.moved.borrow()))
    }

    async fn feed_moved(&self, after: Position) {
        let mut moved = self.moved.subscribe();
        // The sender is ours, so that the wait ends by news or by time alone.
        let _ = timeout(LOOK_AGAIN, moved.wait_for(|count| *count > after.minor())).await;
    }

    async fn claim(&self, key: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        let mut shelf = self.shelf();
        shelf.claims.retain(|_, until| *until > now);
        if shelf.claims.contains_key(key) {
            return Ok(false);
        }
        shelf.claims.insert(key.to_owned(), until);
        Ok(true)
    }
}
