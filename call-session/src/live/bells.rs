//! Wakes the servers of this process.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use crate::id::NodeId;

/// One bell for each server of this process. A ring is kept until somebody hears it.
#[derive(Debug, Default)]
pub(super) struct Bells(Mutex<HashMap<NodeId, Arc<Notify>>>);

impl Bells {
    pub(super) fn ring(&self, node: &NodeId) {
        self.of(node).notify_one();
    }

    pub(super) async fn heard(&self, node: &NodeId) {
        self.of(node).notified().await;
    }

    fn of(&self, node: &NodeId) -> Arc<Notify> {
        Arc::clone(self.all().entry(node.clone()).or_default())
    }

    fn all(&self) -> MutexGuard<'_, HashMap<NodeId, Arc<Notify>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
