//! Where the sessions of a call come from, when one fails or nears its limit.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use crate::realtime::{
    ConnectError, EndpointHealth, ErrorClass, RealtimeClient, RealtimeSession, SessionConfig, classify,
};
use crate::relay::EndReason;

/// Where the sessions of a call come from: one endpoint, and others for when it fails.
///
/// An endpoint is a client with the configuration of its sessions. Calls may share the clients and the
/// [health](EndpointHealth) of each.
///
/// ```
/// use realtime_bridge::{
///     bridge::Endpoints,
///     realtime::{EndpointHealth, SessionConfig, memory::MemoryClient},
/// };
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let ((first, _provider), (second, _other)) = (MemoryClient::new(), MemoryClient::new());
/// let health = EndpointHealth::default();
/// let endpoints = Endpoints::new(first, SessionConfig::default())
///     .with_health(health.clone())
///     .or(second, SessionConfig::default());
/// // The first session of a call; the bridge opens the others.
/// let session = endpoints.connect().await?;
/// # drop(session);
/// # Ok(())
/// # }
/// ```
pub struct Endpoints<S> {
    list: Arc<[Endpoint<S>]>,
}

struct Endpoint<S> {
    client: Arc<dyn RealtimeClient<Session = S>>,
    config: Arc<SessionConfig>,
    health: EndpointHealth,
}

impl<S> Clone for Endpoint<S> {
    fn clone(&self) -> Self {
        Self { client: Arc::clone(&self.client), config: Arc::clone(&self.config), health: self.health.clone() }
    }
}

impl<S> Clone for Endpoints<S> {
    fn clone(&self) -> Self {
        Self { list: Arc::clone(&self.list) }
    }
}

impl<S> fmt::Debug for Endpoints<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoints").field("count", &self.list.len()).finish_non_exhaustive()
    }
}

impl<S: RealtimeSession + 'static> Endpoints<S> {
    /// One endpoint, with a health of its own.
    #[must_use]
    pub fn new(client: impl RealtimeClient<Session = S> + 'static, config: SessionConfig) -> Self {
        Self { list: Arc::new([Endpoint::new(client, config)]) }
    }

    /// Adds an endpoint that is tried when those before it fail: another model, region or provider. Its sessions must
    /// leave the turns to the same [owner](crate::realtime::TurnOwner).
    #[must_use]
    pub fn or(self, client: impl RealtimeClient<Session = S> + 'static, config: SessionConfig) -> Self {
        let list = self.list.iter().cloned().chain([Endpoint::new(client, config)]).collect();
        Self { list }
    }

    /// Shares the health of the endpoint that was added last.
    #[must_use]
    pub fn with_health(self, health: EndpointHealth) -> Self {
        let last = self.list.len() - 1;
        let share = |(index, endpoint): (usize, &Endpoint<S>)| {
            let health = if index == last { health.clone() } else { endpoint.health.clone() };
            Endpoint { health, ..endpoint.clone() }
        };
        Self { list: self.list.iter().enumerate().map(share).collect() }
    }

    /// Whether all endpoints are known to be down, so that a new call should go to a person instead. Never waits.
    #[must_use]
    pub fn are_down(&self) -> bool {
        self.list.iter().all(|endpoint| endpoint.health.is_open())
    }

    /// Opens a session with the first endpoint that gives one. Those that are known to be down are not asked, unless all
    /// are.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] of the last endpoint that was asked.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes whatever was opened.
    pub async fn connect(&self) -> Result<S, ConnectError> {
        let mut dialler = Dialler::new(self.clone());
        loop {
            let error = match dialler.connect().await {
                Ok(session) => return Ok(session),
                Err(error) => error,
            };
            dialler.failed(&error);
            if dialler.tried >= self.list.len() {
                return Err(error);
            }
        }
    }

    /// No session came in the time that a caller has: that counts against the endpoint that is asked first.
    pub fn were_late(&self) {
        let first = self.list.iter().find(|endpoint| !endpoint.health.is_open());
        first.unwrap_or(&self.list[0]).health.failed();
    }

    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.list.len()).unwrap_or(u32::MAX)
    }
}

impl<S> Endpoint<S> {
    fn new(client: impl RealtimeClient<Session = S> + 'static, config: SessionConfig) -> Self {
        Self { client: Arc::new(client), config: Arc::new(config), health: EndpointHealth::default() }
    }
}

type Opening<S> = Pin<Box<dyn Future<Output = Result<S, ConnectError>> + Send>>;

/// Which endpoint a call uses, and which it has given up.
pub(super) struct Dialler<S> {
    endpoints: Endpoints<S>,
    /// The endpoint of the session, or of the attempt that is under way.
    current: usize,
    /// Endpoints with which no session of this call will ever work.
    hopeless: Vec<bool>,
    /// Attempts since there was a session.
    tried: usize,
    opening: Option<Opening<S>>,
}

impl<S: RealtimeSession + 'static> Dialler<S> {
    pub(super) fn new(endpoints: Endpoints<S>) -> Self {
        let hopeless = vec![false; endpoints.list.len()];
        Self { endpoints, current: 0, hopeless, tried: 0, opening: None }
    }

    /// The session was lost, which is noted where it is the endpoint's fault.
    pub(super) fn lost(&mut self, cause: &EndReason) {
        let class = match cause {
            EndReason::ModelRefused(error) => classify(error),
            // A session that was closed in order has come to its end.
            EndReason::ModelClosed => ErrorClass::Rotate,
            _ => ErrorClass::Retry,
        };
        self.hopeless[self.current] |= class == ErrorClass::Fatal;
        if class != ErrorClass::Rotate {
            self.health().failed();
        }
    }

    /// Begins an attempt; one that is under way is given up.
    pub(super) fn open(&mut self) {
        self.choose();
        let endpoint = self.endpoints.list[self.current].clone();
        self.opening = Some(Box::pin(async move { endpoint.client.connect(&endpoint.config).await }));
    }

    async fn connect(&mut self) -> Result<S, ConnectError> {
        self.choose();
        let endpoint = self.endpoints.list[self.current].clone();
        let opened = endpoint.client.connect(&endpoint.config).await;
        if opened.is_ok() {
            endpoint.health.succeeded();
        }
        opened
    }

    /// How the attempt went, once it is known.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<S, ConnectError>> {
        let Some(opening) = &mut self.opening else { return Poll::Pending };
        let Poll::Ready(opened) = opening.as_mut().poll(cx) else { return Poll::Pending };
        self.opening = None;
        match &opened {
            Ok(_) => {
                self.tried = 0;
                self.health().succeeded();
            }
            Err(error) => self.failed(error),
        }
        Poll::Ready(opened)
    }

    /// Whether no endpoint is left to try.
    pub(super) fn is_hopeless(&self) -> bool {
        self.hopeless.iter().all(|hopeless| *hopeless)
    }

    fn failed(&mut self, error: &ConnectError) {
        self.hopeless[self.current] |= !error.retryable();
        // What is wrong with our configuration says nothing about the endpoint.
        if !matches!(error, ConnectError::Config { .. }) {
            self.health().failed();
        }
    }

    /// The endpoint of the lost session first, then the others in order; those that are down come when all are.
    fn choose(&mut self) {
        let count = self.endpoints.list.len();
        let first = self.current + usize::from(self.tried > 0);
        self.tried += 1;
        let order: Vec<_> = (0..count).map(|step| (first + step) % count).collect();
        let usable = |index: &&usize| !self.hopeless[**index];
        let healthy = order.iter().filter(usable).find(|index| self.endpoints.list[**index].health.allows());
        if let Some(index) = healthy.or_else(|| order.iter().find(usable)) {
            self.current = *index;
        }
    }

    fn health(&self) -> &EndpointHealth {
        &self.endpoints.list[self.current].health
    }
}
