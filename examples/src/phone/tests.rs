//! What a telephone does without a line, on boards and stores that a test can break.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use call_session::{
    call::{Ending, NewCall, SessionEvent, Status},
    directory::memory::MemoryDirectory,
    id::{NodeId, SessionId, StreamId},
    live::{Answer, Board, Fate, Holder, Lease, Order, OrderId, Posted, Take, TakenOrder, Taking, memory::MemoryBoard},
    store::{SessionStore, StoreError, memory::MemoryStore},
};
use jiff::Timestamp;
use realtime_bridge::tool::ToolSet;

use super::{Parts, Phone};
use crate::{
    database::Opened,
    settings::{Arguments, Settings},
};

/// A board at which calls cannot be taken as often as this.
#[derive(Debug, Default)]
struct Refusing {
    inner: MemoryBoard,
    left: AtomicU32,
}

#[async_trait]
impl Board for Refusing {
    async fn take_call(&self, node: &NodeId, id: SessionId, take: Take, lease: Duration) -> Result<Taking, StoreError> {
        let one_less = |left: u32| left.checked_sub(1);
        if self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok() {
            return Err(StoreError::Unavailable("nobody there".into()));
        }
        self.inner.take_call(node, id, take, lease).await
    }

    async fn beat(&self, node: &NodeId, lease: Duration) -> Result<Vec<Lease>, StoreError> {
        self.inner.beat(node, lease).await
    }

    async fn drain(&self, node: &NodeId, lease: Duration) -> Result<(), StoreError> {
        self.inner.drain(node, lease).await
    }

    async fn others(&self, node: &NodeId) -> Result<u64, StoreError> {
        self.inner.others(node).await
    }

    async fn leave(&self, node: &NodeId) -> Result<(), StoreError> {
        self.inner.leave(node).await
    }

    async fn nodes(&self) -> Result<Vec<(NodeId, bool)>, StoreError> {
        self.inner.nodes().await
    }

    async fn release(&self, lease: &Lease) -> Result<bool, StoreError> {
        self.inner.release(lease).await
    }

    async fn holder(&self, call: SessionId) -> Result<Option<Holder>, StoreError> {
        self.inner.holder(call).await
    }

    async fn post(&self, order: &Order, within: Duration) -> Result<Posted, StoreError> {
        self.inner.post(order, within).await
    }

    async fn take_orders(&self, node: &NodeId, limit: usize) -> Result<Vec<TakenOrder>, StoreError> {
        self.inner.take_orders(node, limit).await
    }

    async fn answer(&self, order: OrderId, answer: &Answer) -> Result<(), StoreError> {
        self.inner.answer(order, answer).await
    }

    async fn look(&self, order: OrderId) -> Result<Fate, StoreError> {
        self.inner.look(order).await
    }

    async fn call_off(&self, order: OrderId) -> Result<Fate, StoreError> {
        self.inner.call_off(order).await
    }

    async fn stirred(&self, node: &NodeId) {
        self.inner.stirred(node).await;
    }
}

/// A telephone on this board and this store.
fn phone(board: Arc<dyn Board>, store: Arc<dyn SessionStore>) -> Phone {
    let mut arguments = Arguments::default();
    arguments.openai.openai_api_key = Some("simulated".into());
    arguments.twilio.twilio_auth_token = Some("9f2c4b7a1d3e5f60718293a4b5c6d7e8".into());
    arguments.server.public_url = Some("https://bridge.example.com".into());
    arguments.server.database_url = Some("memory".into());
    let database = Opened { store, directory: Arc::new(MemoryDirectory::new()), board };
    Phone::new(Settings::check(&arguments).unwrap(), Parts::new(database, ToolSet::default())).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_call_that_could_not_be_taken_on_the_board_is_taken_later() {
    let (board, store) = (Arc::new(Refusing { left: AtomicU32::new(3), ..Refusing::default() }), MemoryStore::new());
    let (call, stream, began) = (SessionId::new(), StreamId::new(), tokio::time::Instant::now());
    let here = SessionEvent::StreamExpected { stream };
    let new = NewCall::outbound("+81312345678", "+819012345678");
    store.create(call, Timestamp::now(), new, vec![here.at(Timestamp::now())]).await.unwrap();
    let phone = phone(board.clone(), Arc::new(store));
    let _held = phone.seize(call, stream).await;
    assert!(board.holder(call).await.unwrap().is_some_and(|holder| holder.lease.node == *phone.0.live.node()));
    // The board is not run down by all calls of a server at once.
    assert_eq!(began.elapsed(), Duration::from_millis(250 + 500 + 1000));
}

#[tokio::test]
async fn a_lost_dial_is_told_from_another_to_the_same_number() {
    let store = Arc::new(MemoryStore::new());
    let phone = phone(Arc::new(MemoryBoard::new()), store.clone());
    let (ours, theirs, others) = ("+81312345678", "+819012345678", "+819087654321");
    let dial = async |from: &str, to: &str, events: Vec<SessionEvent>| {
        let events = events.into_iter().map(|event| event.at(Timestamp::now())).collect();
        let call = NewCall::outbound(from, to);
        store.create(SessionId::new(), Timestamp::now(), call, events).await.unwrap().summary
    };
    let lost = dial(ours, theirs, vec![]).await;
    dial(ours, others, vec![]).await;
    dial(others, theirs, vec![]).await;
    let named = SessionEvent::Bound { call: "CAfedcba9876543210fedcba9876543210".parse().unwrap() };
    dial(ours, theirs, vec![named]).await;
    dial(ours, theirs, vec![SessionEvent::Ended(Ending::new(Status::Failed, "create-lost"))]).await;
    assert!(!phone.has_a_twin(&lost).await.unwrap(), "each of the others is another call, or has its name, or is over");
    let twin = dial(ours, theirs, vec![]).await;
    assert!(phone.has_a_twin(&lost).await.unwrap() && phone.has_a_twin(&twin).await.unwrap());
}
