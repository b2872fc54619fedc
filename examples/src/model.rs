//! A model session that is opened before there is a call for it.
//!
//! Opening one takes most of a second, which the caller would hear as silence. So it begins with the webhook, while
//! Twilio still sets the media stream up; the stream adopts it. If the stream never comes, the session is closed.

use std::{fmt, future::pending, pin::pin, time::Duration};

use futures_util::SinkExt;
use realtime_bridge::realtime::{ConnectError, RealtimeClient, SessionConfig};
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

/// What session to open.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SessionPlan {
    /// How the model listens, thinks and speaks.
    pub config: SessionConfig,
    /// How long the session waits for its call, at most [`LONGEST_KEEP`].
    pub keep: Duration,
}

impl SessionPlan {
    /// A session with this configuration, which waits this long.
    #[must_use]
    pub const fn new(config: SessionConfig, keep: Duration) -> Self {
        Self { config, keep }
    }
}

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
}

type Reply<S> = oneshot::Sender<Result<S, ConnectError>>;

impl<S: Send + 'static> PreparedSession<S> {
    /// Begins to open a session, in a task of `tasks`. Returns at once.
    pub fn open<C>(tasks: &TaskTracker, client: C, plan: SessionPlan) -> Self
    where
        C: RealtimeClient<Session = S> + 'static,
    {
        let (wanted, asked) = oneshot::channel();
        tasks.spawn(Box::pin(hold(client, plan, asked)).in_current_span());
        Self { wanted }
    }

    /// The session, for the call that has come. Waits at most this long until it is ready.
    ///
    /// # Errors
    ///
    /// [`Unavailable`], when it is not or cannot be.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the session.
    pub async fn adopt(self, limit: Duration) -> Result<S, Unavailable> {
        let (reply, session) = oneshot::channel();
        if self.wanted.send(reply).is_err() {
            return Err(Unavailable::Expired);
        }
        match timeout(limit, session).await {
            Ok(Ok(opened)) => opened.map_err(Unavailable::Refused),
            Ok(Err(_)) => Err(Unavailable::Expired),
            Err(_) => Err(Unavailable::Late(limit)),
        }
    }
}

impl<S> fmt::Debug for PreparedSession<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PreparedSession(…)")
    }
}

/// Opens a session and holds it until it is wanted, nobody can want it any more, or the time is over.
async fn hold<C: RealtimeClient>(client: C, plan: SessionPlan, mut asked: oneshot::Receiver<Reply<C::Session>>) {
    let deadline = Instant::now() + plan.keep;
    let mut reply: Option<Reply<C::Session>> = None;
    let opened = {
        let mut opening = pin!(open(&client, &plan));
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
    if let Some(Ok(session)) = unwanted {
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

async fn open<C: RealtimeClient>(client: &C, plan: &SessionPlan) -> Result<C::Session, ConnectError> {
    let mut wait = BACK_OFF;
    let mut attempt = 1;
    loop {
        let error = match client.connect(&plan.config).await {
            Ok(session) => return Ok(session),
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

async fn close<S: realtime_bridge::realtime::RealtimeSession>(mut session: S) {
    let closed = timeout(CLOSE_LIMIT, session.close()).await;
    tracing::debug!(in_order = matches!(closed, Ok(Ok(()))), "closed a session that nobody wanted");
}

#[cfg(test)]
mod tests {
    use realtime_bridge::realtime::memory::MemoryClient;

    use super::*;

    const KEEP: Duration = Duration::from_secs(10);

    fn plan() -> SessionPlan {
        SessionPlan::new(SessionConfig::default(), KEEP)
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_is_adopted() {
        let (client, mut provider) = MemoryClient::new();
        let prepared = PreparedSession::open(&TaskTracker::new(), client, plan());
        let mut model = provider.accept().await.unwrap();
        let session = prepared.adopt(KEEP).await.unwrap();
        drop(session);
        assert_eq!(model.recv().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_whose_stream_never_comes_is_closed_after_the_limit() {
        let (client, mut provider) = MemoryClient::new();
        let began = Instant::now();
        let prepared = PreparedSession::open(&TaskTracker::new(), client, plan());
        let mut model = provider.accept().await.unwrap();
        assert_eq!(model.recv().await, None);
        assert_eq!(began.elapsed(), KEEP);
        assert!(matches!(prepared.adopt(KEEP).await, Err(Unavailable::Expired)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_that_nobody_can_want_any_more_is_closed_at_once() {
        let (client, mut provider) = MemoryClient::new();
        let prepared = PreparedSession::open(&TaskTracker::new(), client, plan());
        let mut model = provider.accept().await.unwrap();
        let began = Instant::now();
        drop(prepared);
        assert_eq!(model.recv().await, None);
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}
