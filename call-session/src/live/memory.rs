//! A board in memory, for one process.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;

use super::{
    Answer, Board, Fate, Holder, Lease, Order, OrderId, Posted, Table, Take, TakenOrder, Taking, bells::Bells,
};
use crate::{
    id::{NodeId, SessionId},
    store::StoreError,
};

/// A board for one process, gone with it. A deployment on SQLite is one server and needs no other: after a restart the
/// server has another [`NodeId`] and nobody has any call, until the lines connect again.
#[derive(Debug, Default)]
pub struct MemoryBoard {
    table: Mutex<Table>,
    bells: Bells,
}

impl MemoryBoard {
    /// No servers, no calls.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self, nodes: impl IntoIterator<Item = NodeId>) {
        nodes.into_iter().for_each(|node| self.bells.ring(&node));
    }
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[async_trait]
impl Board for MemoryBoard {
    async fn beat(&self, node: &NodeId, lease: Duration) -> Result<Vec<Lease>, StoreError> {
        Ok(self.table().beat(now(), node, now() + lease))
    }

    async fn drain(&self, node: &NodeId, lease: Duration) -> Result<(), StoreError> {
        self.table().drain(node, now() + lease);
        Ok(())
    }

    async fn others(&self, node: &NodeId) -> Result<u64, StoreError> {
        Ok(self.table().others(now(), node))
    }

    async fn leave(&self, node: &NodeId) -> Result<(), StoreError> {
        let waiting = self.table().leave(node);
        self.ring(waiting);
        Ok(())
    }

    async fn nodes(&self) -> Result<Vec<(NodeId, bool)>, StoreError> {
        Ok(self.table().nodes(now()))
    }

    async fn take_call(
        &self,
        node: &NodeId,
        call: SessionId,
        take: Take,
        lease: Duration,
    ) -> Result<Taking, StoreError> {
        let (taking, former) = self.table().take_call(now(), node, call, take, now() + lease);
        // Commands that the former holder has not taken are ours now.
        let stir = matches!(taking, Taking::Taken(_)).then(|| node.clone());
        self.ring(former.into_iter().chain(stir));
        Ok(taking)
    }

    async fn release(&self, lease: &Lease) -> Result<bool, StoreError> {
        let (released, waiting) = self.table().release(lease);
        self.ring(waiting);
        Ok(released)
    }

    async fn holder(&self, call: SessionId) -> Result<Option<Holder>, StoreError> {
        Ok(self.table().holder(now(), call))
    }

    async fn post(&self, order: &Order, within: Duration) -> Result<Posted, StoreError> {
        let (posted, holder) = self.table().post(now(), order, now() + within);
        self.ring(holder);
        Ok(posted)
    }

    async fn take_orders(&self, node: &NodeId, limit: usize) -> Result<Vec<TakenOrder>, StoreError> {
        Ok(self.table().take_orders(now(), node, limit))
    }

    async fn answer(&self, order: OrderId, answer: &Answer) -> Result<(), StoreError> {
        let sender = self.table().answer(order, answer.clone());
        self.ring(sender);
        Ok(())
    }

    async fn look(&self, order: OrderId) -> Result<Fate, StoreError> {
        Ok(self.table().look(now(), order))
    }

    async fn call_off(&self, order: OrderId) -> Result<Fate, StoreError> {
        Ok(self.table().call_off(now(), order))
    }

    async fn stirred(&self, node: &NodeId) {
        self.bells.heard(node).await;
    }
}
