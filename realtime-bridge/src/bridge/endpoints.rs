//! Where the sessions of a call come from, when one fails or nears its limit.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::time::Instant;

use crate::realtime::{
    ConnectError, EndpointHealth, ErrorClass, RealtimeClient, RealtimeSession, SessionConfig, classify,
};
use crate::relay::{Again, EndReason};

/// Where the sessions of a call come from: one endpoint, and others for when it fails.
///
/// An endpoint is a client with the configuration of its sessions. Calls may share the clients and the
/// [health](EndpointHealth) of each; each call has a clone of its own, which knows what gave the call its session.
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
/// let mut endpoints = Endpoints::new(first, SessionConfig::default())
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
    /// The endpoint that gave the last session; `None` where it is not known.
    connected: Option<usize>,
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
        Self { list: Arc::clone(&self.list), connected: self.connected }
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
        Self { list: Arc::new([Endpoint::new(client, config)]), connected: None }
    }

    /// Adds an endpoint that is tried when those before it fail: another model, region or provider. Its sessions must
    /// leave the turns to the same [owner](crate::realtime::TurnOwner).
    #[must_use]
    pub fn or(self, client: impl RealtimeClient<Session = S> + 'static, config: SessionConfig) -> Self {
        let list = self.list.iter().cloned().chain([Endpoint::new(client, config)]).collect();
        Self { list, ..self }
    }

    /// Shares the health of the endpoint that was added last.
    #[must_use]
    pub fn with_health(self, health: EndpointHealth) -> Self {
        let last = self.list.len() - 1;
        let share = |(index, endpoint): (usize, &Endpoint<S>)| {
            let health = if index == last { health.clone() } else { endpoint.health.clone() };
            Endpoint { health, ..endpoint.clone() }
        };
        let list = self.list.iter().enumerate().map(share).collect();
        Self { list, ..self }
    }

    /// Whether all endpoints are known to be down, so that a new call should go to a person instead. Never waits.
    #[must_use]
    pub fn are_down(&self) -> bool {
        self.list.iter().all(|endpoint| endpoint.health.is_open())
    }

    /// Opens a session with the first endpoint that gives one. Those that are known to be down are not asked, unless all
    /// are. Give these endpoints to the [bridge](crate::bridge::Bridge::with_endpoints) with the session: they know which
    /// of them is to blame should it be lost, and which works once something is heard of it.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] of the last endpoint that was asked.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes whatever was opened.
    pub async fn connect(&mut self) -> Result<S, ConnectError> {
        let mut dialler = Dialler::new(self.clone());
        self.connected = None;
        let mut asked = 0;
        loop {
            let now = Instant::now();
            dialler.choose(now);
            let endpoint = &self.list[dialler.next];
            let error = match endpoint.client.connect(&endpoint.config).await {
                Ok(session) => {
                    // Whether it gives answers is to be seen.
                    self.connected = Some(dialler.next);
                    return Ok(session);
                }
                Err(error) => error,
            };
            dialler.failed(&error, now);
            asked += 1;
            if asked >= self.list.len() {
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
    /// The endpoint of the session; `None` where the session came from elsewhere, as far as is known.
    session: Option<usize>,
    /// The endpoint of the attempt that is under way, or of the session that waits to take over.
    next: usize,
    /// Where the search for the next endpoint begins.
    from: usize,
    tries: Vec<Tries>,
    opening: Option<Opening<S>>,
}

/// What a call has found out about an endpoint.
#[derive(Clone, Default)]
struct Tries {
    /// No session of this call will ever work there.
    hopeless: bool,
    /// It was asked in this round.
    asked: bool,
    /// It wants to be asked again then, and not before.
    not_before: Option<Instant>,
}

impl<S: RealtimeSession + 'static> Dialler<S> {
    pub(super) fn new(endpoints: Endpoints<S>) -> Self {
        let tries = vec![Tries::default(); endpoints.list.len()];
        // Where there is but one, it can hardly be another.
        let session = endpoints.connected.or((endpoints.list.len() == 1).then_some(0));
        Self { endpoints, session, next: 0, from: 0, tries, opening: None }
    }

    /// The session was lost, which is noted where it is the endpoint's fault; `elsewhere` when another endpoint is to be
    /// asked before this one.
    pub(super) fn lost(&mut self, cause: &EndReason, elsewhere: bool) {
        let class = match cause {
            EndReason::ModelRefused(error) => classify(error),
            // A session that was closed in order has come to its end.
            EndReason::ModelClosed => ErrorClass::Rotate,
            _ => ErrorClass::Retry,
        };
        if let Some(session) = self.session {
            self.tries[session].hopeless |= class == ErrorClass::Fatal;
            if class != ErrorClass::Rotate {
                self.health(session).failed();
            }
            self.from = session + usize::from(elsewhere);
        }
        self.tries.iter_mut().for_each(|tries| tries.asked = false);
    }

    /// The session has given an answer.
    pub(super) fn proven(&self) {
        if let Some(session) = self.session {
            self.health(session).succeeded();
        }
    }

    /// The session that was opened last has taken over.
    pub(super) fn switched(&mut self) {
        self.session = Some(self.next);
        self.from = self.next;
    }

    /// No session of this call will ever work anywhere.
    pub(super) fn is_hopeless(&self) -> bool {
        self.tries.iter().all(|tries| tries.hopeless)
    }

    /// Begins an attempt; one that is under way is given up.
    pub(super) fn open(&mut self, now: Instant) {
        self.choose(now);
        let endpoint = self.endpoints.list[self.next].clone();
        self.opening = Some(Box::pin(async move { endpoint.client.connect(&endpoint.config).await }));
    }

    /// How the attempt went, once it is known.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<Result<S, Again>> {
        let Some(opening) = &mut self.opening else { return Poll::Pending };
        let Poll::Ready(opened) = opening.as_mut().poll(cx) else { return Poll::Pending };
        self.opening = None;
        Poll::Ready(match opened {
            Ok(session) => {
                self.from = self.next;
                self.tries.iter_mut().for_each(|tries| tries.asked = false);
                // Whether it gives answers is to be seen.
                Ok(session)
            }
            Err(error) => {
                self.failed(&error, now);
                Err(self.again(now))
            }
        })
    }

    /// The session that waited to take over was lost.
    pub(super) fn lost_next(&mut self, now: Instant) -> Again {
        self.health(self.next).failed();
        self.from = self.next + 1;
        self.again(now)
    }

    fn failed(&mut self, error: &ConnectError, now: Instant) {
        let tries = &mut self.tries[self.next];
        tries.hopeless |= !error.retryable();
        if let ConnectError::Status { retry_after: Some(pause), .. } = error {
            tries.not_before = Some(now + *pause);
        }
        // What is wrong with our configuration says nothing about the endpoint.
        if !matches!(error, ConnectError::Config { .. }) {
            self.health(self.next).failed();
        }
        self.from = self.next + 1;
    }

    /// When another attempt may help. Endpoints that are known to be down are asked when no other can be.
    fn again(&mut self, now: Instant) -> Again {
        let usable: Vec<_> = (0..self.tries.len()).filter(|index| !self.tries[*index].hopeless).collect();
        let due = |index: &usize| self.tries[*index].not_before.unwrap_or(now).max(now);
        let works = |index: &usize| due(index) == now && !self.health(*index).is_open();
        let working: Vec<_> = usable.iter().copied().filter(works).collect();
        let list = if working.is_empty() { usable } else { working };
        if list.iter().any(|index| !self.tries[*index].asked && due(index) == now) {
            return Again::AtOnce;
        }
        let Some(first) = list.iter().map(due).min() else { return Again::Never };
        self.tries.iter_mut().for_each(|tries| tries.asked = false);
        Again::NotBefore(first.into_std())
    }

    /// In order from where the search begins, those first that were not asked in this round; those that are down come
    /// when all are, and those that want to be left alone last.
    fn choose(&mut self, now: Instant) {
        let count = self.tries.len();
        let order = (0..count).map(|step| (self.from + step) % count).filter(|index| !self.tries[*index].hopeless);
        let order: Vec<_> = order.collect();
        let due = |index: &&usize| self.tries[**index].not_before.is_none_or(|at| at <= now);
        let fresh = |index: &&usize| due(index) && !self.tries[**index].asked;
        let allows = |index: &&usize| self.health(**index).allows();
        let chosen = (order.iter().filter(fresh).find(allows))
            .or_else(|| order.iter().filter(due).find(allows))
            .or_else(|| order.iter().find(fresh))
            .or_else(|| order.iter().find(due))
            .or_else(|| order.first());
        if let Some(index) = chosen {
            self.next = *index;
        }
        self.tries[self.next].asked = true;
    }

    fn health(&self, index: usize) -> &EndpointHealth {
        &self.endpoints.list[index].health
    }
}
