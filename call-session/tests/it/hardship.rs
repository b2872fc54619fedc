//! A store that is away, slow, quicker than its answer, or busy with somebody else.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use call_session::{
    call::{CallSession, CallSummary, NewCall, Recorded, SessionEvent, Stamped, Version},
    id::SessionId,
    store::{
        self, Commit, CommitError, FeedEvent, Page, Position, Query, SessionStore, StoreError, memory::MemoryStore,
    },
};
use jiff::Timestamp;
use tokio::{
    task::yield_now,
    time::{Instant, sleep},
};
use twilio_twiml::sid::CallSid;

/// Calls in memory, kept with hardship.
#[derive(Debug, Default)]
pub(crate) struct HardStore {
    inner: MemoryStore,
    plan: Mutex<Plan>,
}

/// What goes wrong.
#[derive(Debug, Default)]
struct Plan {
    /// Cannot be reached until then.
    away_until: Option<Instant>,
    /// So many commits happen, and their answers are lost.
    lose_answers: u32,
    /// Each commit takes so long.
    slow: Duration,
    /// What somebody else commits just before each of the next commits.
    others: VecDeque<SessionEvent>,
    /// What somebody else commits after the next lost answer.
    behind_lost: Option<SessionEvent>,
    /// How many commits were asked for.
    commits: usize,
    /// How often a call was looked at without its words.
    summaries: usize,
    /// How often a call was loaded with its words.
    loads: usize,
}

impl HardStore {
    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap()
    }

    pub(crate) fn away_for(&self, time: Duration) {
        self.plan().away_until = Some(Instant::now() + time);
    }

    pub(crate) fn lose_answers(&self, count: u32) {
        self.plan().lose_answers = count;
    }

    pub(crate) fn slow(&self, time: Duration) {
        self.plan().slow = time;
    }

    pub(crate) fn others(&self, events: impl IntoIterator<Item = SessionEvent>) {
        self.plan().others.extend(events);
    }

    pub(crate) fn behind_lost(&self, event: SessionEvent) {
        self.plan().behind_lost = Some(event);
    }

    /// How many commits were asked for so far.
    pub(crate) fn commits(&self) -> usize {
        self.plan().commits
    }

    /// How often a call was looked at without its words so far.
    pub(crate) fn summaries(&self) -> usize {
        self.plan().summaries
    }

    /// How often a call was loaded with its words so far.
    pub(crate) fn loads(&self) -> usize {
        self.plan().loads
    }

    /// What is kept, hardship aside.
    pub(crate) fn inner(&self) -> &MemoryStore {
        &self.inner
    }

    async fn reach(&self) -> Result<(), StoreError> {
        yield_now().await;
        if self.plan().away_until.is_some_and(|until| Instant::now() < until) {
            return Err(StoreError::Unavailable("the store is away".into()));
        }
        Ok(())
    }

    async fn somebody_else(&self, call: SessionId, event: SessionEvent) {
        let event = event.at(Timestamp::UNIX_EPOCH);
        store::update(&self.inner, call, |_| vec![event.clone()]).await.unwrap();
    }
}

#[async_trait]
impl SessionStore for HardStore {
    async fn create(
        &self,
        id: SessionId,
        at: Timestamp,
        call: NewCall,
        events: Vec<Stamped>,
    ) -> Result<CallSession, CommitError> {
        self.reach().await?;
        self.inner.create(id, at, call, events).await
    }

    async fn load(&self, id: SessionId) -> Result<Option<CallSession>, StoreError> {
        self.plan().loads += 1;
        self.reach().await?;
        self.inner.load(id).await
    }

    async fn summary(&self, id: SessionId) -> Result<Option<CallSummary>, StoreError> {
        self.plan().summaries += 1;
        self.reach().await?;
        self.inner.summary(id).await
    }

    async fn commit(&self, commit: Commit) -> Result<Version, CommitError> {
        let (slow, other) = {
            let mut plan = self.plan();
            plan.commits += 1;
            (plan.slow, plan.others.pop_front())
        };
        if !slow.is_zero() {
            sleep(slow).await;
        }
        self.reach().await?;
        let call = commit.call;
        if let Some(event) = other {
            self.somebody_else(call, event).await;
        }
        let kept = self.inner.commit(commit).await;
        let (lost, behind) = {
            let mut plan = self.plan();
            let lost = kept.is_ok() && plan.lose_answers > 0;
            plan.lose_answers -= u32::from(lost);
            (lost, plan.behind_lost.take_if(|_| lost))
        };
        if let Some(event) = behind {
            self.somebody_else(call, event).await;
        }
        if lost { Err(StoreError::Unavailable("the answer was lost".into()).into()) } else { kept }
    }

    async fn find_by_call_sid(&self, sid: &CallSid) -> Result<Option<SessionId>, StoreError> {
        self.reach().await?;
        self.inner.find_by_call_sid(sid).await
    }

    async fn query(&self, query: &Query) -> Result<Page, StoreError> {
        self.reach().await?;
        self.inner.query(query).await
    }

    async fn history(&self, id: SessionId) -> Result<Vec<Recorded>, StoreError> {
        self.reach().await?;
        self.inner.history(id).await
    }

    async fn read_feed(&self, after: Position, limit: usize) -> Result<Vec<FeedEvent>, StoreError> {
        self.reach().await?;
        self.inner.read_feed(after, limit).await
    }

    async fn feed_end(&self) -> Result<Position, StoreError> {
        self.reach().await?;
        self.inner.feed_end().await
    }

    async fn feed_moved(&self, after: Position) {
        self.inner.feed_moved(after).await;
    }

    async fn claim(&self, key: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        self.reach().await?;
        self.inner.claim(key, now, until).await
    }
}
