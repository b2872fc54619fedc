//! A provider in memory, and the client that connects to it.

use std::{
    collections::VecDeque,
    future::pending,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::{sync::mpsc, time};

use super::{MemoryModel, MemorySession, pair_named};
use crate::realtime::{Capabilities, CloseReason, ConnectError, RealtimeClient, SessionConfig};

/// Connections that may wait until the provider's end takes them.
const BACKLOG: usize = 64;

/// A client whose provider is a [`MemoryProvider`] in the same process. Clones share the provider.
#[derive(Debug, Clone)]
pub struct MemoryClient {
    incoming: mpsc::Sender<MemoryModel>,
    script: Arc<Mutex<VecDeque<ConnectScript>>>,
    capabilities: Capabilities,
    connect_timeout: Duration,
    model: String,
    opened: Arc<AtomicU64>,
}

/// What happens to one attempt to connect.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectScript {
    /// It succeeds at once. What happens when nothing is scripted.
    Answer,
    /// It succeeds after a while.
    AnswerAfter(Duration),
    /// It fails at once.
    Fail(ConnectError),
    /// Nothing happens, until the client's time-out.
    Stall,
}

/// The far end of a [`MemoryClient`]: takes its connections and decides how they go.
#[derive(Debug)]
pub struct MemoryProvider {
    incoming: mpsc::Receiver<MemoryModel>,
    script: Arc<Mutex<VecDeque<ConnectScript>>>,
}

impl MemoryClient {
    /// A client and its provider.
    #[must_use]
    pub fn new() -> (Self, MemoryProvider) {
        let (sender, receiver) = mpsc::channel(BACKLOG);
        let script = Arc::new(Mutex::new(VecDeque::new()));
        let client = Self {
            incoming: sender,
            script: Arc::clone(&script),
            capabilities: Capabilities::client_driven(),
            connect_timeout: Duration::from_secs(10),
            model: "memory".into(),
            opened: Arc::default(),
        };
        (client, MemoryProvider { incoming: receiver, script })
    }

    /// Sets what the provider can do. Default: [`Capabilities::client_driven`].
    #[must_use]
    pub fn with_capabilities(mut self, capabilities: Capabilities) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// Sets the model's name, from which its sessions get theirs. Default: `memory`.
    #[must_use]
    pub fn with_model(mut self, model: impl Into<String>) -> Self {
        self.model = model.into();
        self
    }

    /// Sets how long an attempt to connect may take. Default: 10 s.
    #[must_use]
    pub fn with_connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    async fn answer(&self, config: &SessionConfig) -> Result<MemorySession, ConnectError> {
        let scripted = self.script.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        match scripted.unwrap_or(ConnectScript::Answer) {
            ConnectScript::Answer => {}
            ConnectScript::AnswerAfter(delay) => time::sleep(delay).await,
            ConnectScript::Fail(error) => return Err(error),
            ConnectScript::Stall => pending().await,
        }
        let id = format!("{}-{}", self.model, self.opened.fetch_add(1, Ordering::Relaxed) + 1);
        let (session, model) = pair_named(config, self.capabilities.clone(), &id, &self.model);
        match self.incoming.send(model).await {
            Ok(()) => Ok(session),
            Err(_) => Err(ConnectError::Closed(CloseReason::new(None, "the provider in memory is gone"))),
        }
    }
}

#[async_trait]
impl RealtimeClient for MemoryClient {
    type Session = MemorySession;

    async fn connect(&self, config: &SessionConfig) -> Result<MemorySession, ConnectError> {
        match time::timeout(self.connect_timeout, self.answer(config)).await {
            Ok(result) => result,
            Err(_) => Err(ConnectError::Timeout { limit: self.connect_timeout, waiting_for: "the provider in memory" }),
        }
    }
}

impl MemoryProvider {
    /// Scripts the next attempt to connect that has no script yet.
    pub fn script(&self, next: ConnectScript) {
        self.script.lock().unwrap_or_else(PoisonError::into_inner).push_back(next);
    }

    /// The far end of the next connection; `None` when every client is gone.
    ///
    /// # Cancel safety
    ///
    /// Safe: no connection is lost.
    pub async fn accept(&mut self) -> Option<MemoryModel> {
        self.incoming.recv().await
    }
}
