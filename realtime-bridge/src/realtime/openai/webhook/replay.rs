//! Deliveries are done once.

use std::{
    collections::HashMap,
    error::Error,
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use async_trait::async_trait;

/// Remembers deliveries, so that each is done once, on whatever node it arrives. A store that all nodes share implements
/// it; [`MemoryReplayGuard`] serves one node.
#[async_trait]
pub trait ReplayGuard: Send + Sync {
    /// Claims the delivery `id` for whoever asks: true for the first claim, false for all others, whichever node makes
    /// them, at least until `until`. `now` and `until` are wall-clock times.
    ///
    /// # Errors
    ///
    /// [`ClaimError`] when it cannot be told.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped may have claimed.
    async fn claim(&self, id: &str, now: SystemTime, until: SystemTime) -> Result<bool, ClaimError>;
}

/// It cannot be told whether a delivery came before.
#[derive(Debug, thiserror::Error)]
#[error("the deliveries that came before cannot be looked up")]
pub struct ClaimError(#[source] pub Box<dyn Error + Send + Sync>);

/// Remembers deliveries in memory for as long as their signatures are good, so that it holds no more than what is signed
/// within that time.
#[derive(Debug, Default)]
pub struct MemoryReplayGuard {
    claimed: Mutex<HashMap<String, SystemTime>>,
}

impl MemoryReplayGuard {
    /// How many deliveries are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[async_trait]
impl ReplayGuard for MemoryReplayGuard {
    async fn claim(&self, id: &str, now: SystemTime, until: SystemTime) -> Result<bool, ClaimError> {
        let mut claimed = self.claimed.lock().unwrap_or_else(PoisonError::into_inner);
        claimed.retain(|_, until| *until >= now);
        if claimed.contains_key(id) {
            return Ok(false);
        }
        claimed.insert(id.to_owned(), until);
        Ok(true)
    }
}
