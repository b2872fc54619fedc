//! A delivery that is claimed is taken, whatever becomes of whoever brought it.

use std::sync::Arc;

use async_trait::async_trait;
use call_session::{
    call::{CallSession, CallSummary, NewCall, Recorded, Stamped, Version},
    directory::memory::MemoryDirectory,
    id::SessionId,
    live::memory::MemoryBoard,
    store::{Commit, CommitError, FeedEvent, Page, Position, Query, SessionStore, StoreError, memory::MemoryStore},
};
use call_simulator::{
    audio::fixtures::ja,
    openai::{
        Answer, Script,
        sip::{Ring, Step, WebhookTarget},
    },
    twilio::CallerScript,
};
use examples::{
    database::Opened,
    sip::{SipServer, attendance::Attendance, settings::SipSettings},
};
use jiff::Timestamp;
use tokio::sync::Semaphore;
use twilio_twiml::sid::CallSid;

use super::sip::{Folder, SECRET, World, arguments, model};

/// Calls in memory, where a claim is known at once and answered late.
#[derive(Debug)]
struct SlowClaims {
    inner: MemoryStore,
    claimed: Semaphore,
    answer: Semaphore,
}

#[async_trait]
impl SessionStore for SlowClaims {
    async fn create(
        &self,
        id: SessionId,
        at: Timestamp,
        call: NewCall,
        events: Vec<Stamped>,
    ) -> Result<CallSession, CommitError> {
        self.inner.create(id, at, call, events).await
    }

    async fn load(&self, id: SessionId) -> Result<Option<CallSession>, StoreError> {
        self.inner.load(id).await
    }

    async fn summary(&self, id: SessionId) -> Result<Option<CallSummary>, StoreError> {
        self.inner.summary(id).await
    }

    async fn commit(&self, commit: Commit) -> Result<Version, CommitError> {
        self.inner.commit(commit).await
    }

    async fn find_by_call_sid(&self, sid: &CallSid) -> Result<Option<SessionId>, StoreError> {
        self.inner.find_by_call_sid(sid).await
    }

    async fn query(&self, query: &Query) -> Result<Page, StoreError> {
        self.inner.query(query).await
    }

    async fn history(&self, id: SessionId) -> Result<Vec<Recorded>, StoreError> {
        self.inner.history(id).await
    }

    async fn read_feed(&self, after: Position, limit: usize) -> Result<Vec<FeedEvent>, StoreError> {
        self.inner.read_feed(after, limit).await
    }

    async fn feed_end(&self) -> Result<Position, StoreError> {
        self.inner.feed_end().await
    }

    async fn feed_moved(&self, after: Position) {
        self.inner.feed_moved(after).await;
    }

    async fn claim(&self, key: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        let claimed = self.inner.claim(key, now, until).await;
        self.claimed.add_permits(1);
        self.answer.acquire().await.unwrap().forget();
        claimed
    }
}

#[tokio::test]
async fn a_delivery_is_taken_though_its_peer_goes_away() {
    let script = Script::new().when_asked("受付でございます", Answer::say(ja::AGENT_GREETING));
    let (openai, folder) = (Arc::new(model(script).start().await.unwrap()), Arc::new(Folder::new()));
    let store =
        Arc::new(SlowClaims { inner: MemoryStore::new(), claimed: Semaphore::new(0), answer: Semaphore::new(0) });
    let database = Opened {
        store: store.clone(),
        directory: Arc::new(MemoryDirectory::new()),
        board: Arc::new(MemoryBoard::new()),
    };
    let settings = SipSettings::check(&arguments(&openai, &folder)).unwrap();
    let table = Attendance::open(&folder.0.join("attendance.db")).await.unwrap();
    let server = SipServer::new(settings, database, table).unwrap();
    let mut world = World::around(openai, folder, server).await;

    // The provider's own delivery comes to nobody.
    let nowhere = WebhookTarget::new("http://127.0.0.1:9/".parse().unwrap(), SECRET).unwrap();
    let leaves = CallerScript::new().until_agent_finishes().hang_up();
    let handle = world.openai.ring(Ring::new(nowhere, leaves));
    let call = handle.call_id().to_owned();
    let delivery = world.post(|delivery| delivery.body = delivery.body.replace("rtc_nobody", &call));
    tokio::select! {
        status = delivery => panic!("it is not answered yet: {status}"),
        claimed = store.claimed.acquire() => claimed.unwrap().forget(),
    }
    // The peer has gone, which the server sees no later than what others ask of it after that.
    let health = world.url.replace("/openai-webhook", "/healthz");
    for _ in 0..10 {
        assert!(reqwest::get(&health).await.unwrap().status().is_success());
    }
    // Now it is known that the delivery is claimed.
    store.answer.add_permits(1_000);
    assert!(handle.until(|step| *step == Step::Request("accept", 200)).await, "the call is taken");
    handle.ended().await;
    world.stop().await;
}
