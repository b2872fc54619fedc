//! A model session that is opened before there is a call for it.
//!
//! Opening one takes most of a second, which the caller would hear as silence. So it begins with the webhook, while
//! Twilio still sets the media stream up; the stream adopts it. If the stream never comes, the session is closed.

use std::{fmt, future::pending, pin::pin, time::Duration};

use futures_util::SinkExt;
use realtime_bridge::{
    bridge::Endpoints,
    realtime::{ConnectError, RealtimeSession},
};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep, sleep_until, timeout, timeout_at},
};
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::chain::Chain;

/// The longest that a session may wait for its call: nobody answers the provider's pings meanwhile, which come every
/// 20 s.
pub const LONGEST_KEEP: Duration = Duration::from_secs(19);

/// How often an attempt that may succeed later is made.
const ATTEMPTS: u32 = 3;

/// The wait before the second attempt; it doubles with each.
const BACK_OFF: Duration = Duration::from_millis(200);

/// How long the provider may take to hear that a session is not wanted any more.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// Why there is no session for a call.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unavailable {
    /// It could not be opened.
    #[error("the model cannot be reached")]
    Refused(#[source] ConnectError),
    /// It is not ready in time.
    #[error("the model was not ready within {0:?}")]
    Late(Duration),
    /// It has waited so long for its call that it was closed.
    #[error("the session waited too long and was closed")]
    Expired,
}

/// A session that is open, or being opened, and waits for its call. Dropping it closes the session.
pub struct PreparedSession<S> {
    wanted: oneshot::Sender<Reply<S>>,
    /// As they were before they were asked.
    endpoints: Endpoints<S>,
}

/// A session, and the endpoints that gave it, which know which of them did.
type Opened<S> = Result<(S, Endpoints<S>), ConnectError>;

type Reply<S> = oneshot::Sender<Opened<S>>;

impl<S: RealtimeSession + 'static> PreparedSession<S> {
    /// Begins to open a session with the first of these endpoints that gives one, in a task of `tasks`; how they do counts
    /// for their health. The session waits for its call this long, at most [`LONGEST_KEEP`]. Returns at once.
    pub fn open(tasks: &TaskTracker, endpoints: Endpoints<S>, keep: Duration) -> Self {
        let (wanted, asked) = oneshot::channel();
        tasks.spawn(Box::pin(hold(endpoints.clone(), keep, asked)).in_current_span());
        Self { wanted, endpoints }
    }

    /// The session, for the call that has come, with the endpoints to give to its bridge. Waits at most this long until it
    /// is ready.
    ///
    /// # Errors
    ///
    /// [`Unavailable`], when it is not or cannot be.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the session.
    pub async fn adopt(self, limit: Duration) -> Result<(S, Endpoints<S>), Unavailable> {
        let (reply, session) = oneshot::channel();
        if self.wanted.send(reply).is_err() {
            return Err(Unavailable::Expired);
        }
        match timeout(limit, session).await {
            Ok(Ok(opened)) => opened.map_err(Unavailable::Refused),
            Ok(Err(_)) => Err(Unavailable::Expired),
            Err(_) => {
                // A provider that only keeps everybody waiting is down, too.
                self.endpoints.were_late();
                Err(Unavailable::Late(limit))
            }
        }
    }
}

impl<S> fmt::Debug for PreparedSession<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PreparedSession(…)")
    }
}

/// Opens a session and holds it until it is wanted, nobody can want it any more, or the time is over.
async fn hold<S: RealtimeSession + 'static>(
    endpoints: Endpoints<S>,
    keep: Duration,
    mut asked: oneshot::Receiver<Reply<S>>,
) {
    let deadline = Instant::now() + keep;
    let mut reply: Option<Reply<S>> = None;
    let opened = {
        let mut opening = pin!(open(endpoints));
        loop {
            tokio::select! {
                opened = &mut opening => break opened,
                wanted = &mut asked, if reply.is_none() => match wanted {
                    Ok(wanted) => reply = Some(wanted),
                    Err(_) => return,
                },
                () = given_up(&mut reply) => return,
                () = sleep_until(deadline), if reply.is_none() => return,
            }
        }
    };
    if reply.is_none() {
        reply = timeout_at(deadline, asked).await.ok().and_then(Result::ok);
    }
    let unwanted = match reply {
        Some(reply) => reply.send(opened).err(),
        None => Some(opened),
    };
    if let Some(Ok((session, _))) = unwanted {
        tracing::info!("the media stream did not come: the model session is closed");
        close(session).await;
    }
}

/// Whoever wanted the session waits no longer.
async fn given_up<T>(reply: &mut Option<oneshot::Sender<T>>) {
    match reply {
        Some(reply) => reply.closed().await,
        None => pending().await,
    }
}

async fn open<S: RealtimeSession + 'static>(mut endpoints: Endpoints<S>) -> Opened<S> {
    let mut wait = BACK_OFF;
    let mut attempt = 1;
    loop {
        let error = match endpoints.connect().await {
            Ok(session) => return Ok((session, endpoints)),
            Err(error) => error,
        };
        let again = error.retryable() && attempt < ATTEMPTS;
        tracing::warn!(attempt, again, error = %Chain(&error), "the model session could not be opened");
        if !again {
            return Err(error);
        }
        sleep(wait).await;
        (attempt, wait) = (attempt + 1, wait * 2);
    }
}

async fn close<S: RealtimeSession>(mut session: S) {
    let closed = timeout(CLOSE_LIMIT, session.close()).await;
    tracing::debug!(in_order = matches!(closed, Ok(Ok(()))), "closed a session that nobody wanted");
}

#[cfg(test)]
mod tests {
    use realtime_bridge::realtime::{
        EndpointHealth, SessionConfig,
        memory::{ConnectScript, MemoryClient, MemorySession},
    };

    use super::*;

    const KEEP: Duration = Duration::from_secs(10);

    fn prepare(client: MemoryClient) -> PreparedSession<MemorySession> {
        PreparedSession::open(&TaskTracker::new(), Endpoints::new(client, SessionConfig::default()), KEEP)
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_is_adopted() {
        let (client, mut provider) = MemoryClient::new();
        let prepared = prepare(client);
        let mut model = provider.accept().await.unwrap();
        let (session, _) = prepared.adopt(KEEP).await.unwrap();
        drop(session);
        assert_eq!(model.recv().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_whose_stream_never_comes_is_closed_after_the_limit() {
        let (client, mut provider) = MemoryClient::new();
        let began = Instant::now();
        let prepared = prepare(client);
        let mut model = provider.accept().await.unwrap();
        assert_eq!(model.recv().await, None);
        assert_eq!(began.elapsed(), KEEP);
        assert!(matches!(prepared.adopt(KEEP).await, Err(Unavailable::Expired)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_that_nobody_can_want_any_more_is_closed_at_once() {
        let (client, mut provider) = MemoryClient::new();
        let prepared = prepare(client);
        let mut model = provider.accept().await.unwrap();
        let began = Instant::now();
        drop(prepared);
        assert_eq!(model.recv().await, None);
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_opened_counts_for_the_health_of_its_endpoint() {
        let (client, provider) = MemoryClient::new();
        drop(provider);
        let health = EndpointHealth::default();
        let endpoints = || Endpoints::new(client.clone(), SessionConfig::default()).with_health(health.clone());
        for _ in 0..2 {
            let prepared = PreparedSession::open(&TaskTracker::new(), endpoints(), KEEP);
            assert!(matches!(prepared.adopt(KEEP).await, Err(Unavailable::Refused(_))));
        }
        assert!(health.is_open(), "a few calls are enough to know");
    }

    #[tokio::test(start_paused = true)]
    async fn a_provider_that_keeps_callers_waiting_is_found_to_be_down() {
        let (client, provider) = MemoryClient::new();
        (0..5).for_each(|_| provider.script(ConnectScript::Stall));
        let health = EndpointHealth::default();
        for _ in 0..5 {
            let endpoints = Endpoints::new(client.clone(), SessionConfig::default()).with_health(health.clone());
            let prepared = PreparedSession::open(&TaskTracker::new(), endpoints, KEEP);
            assert!(matches!(prepared.adopt(Duration::from_secs(1)).await, Err(Unavailable::Late(_))));
        }
        assert!(health.is_open());
    }
}
