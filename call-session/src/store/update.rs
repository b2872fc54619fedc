//! The usual way to change a call.

use super::{Commit, CommitError, SessionStore, StoreError};
use crate::{
    call::{CallSession, Refused, Stamped},
    id::SessionId,
};

/// How often a change is decided anew when others were quicker. Each time somebody else has got on.
const ATTEMPTS: u32 = 256;

/// How often a commit is repeated when its fate is unknown.
const REPEATS: u32 = 3;

/// Why a call was not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpdateError {
    /// The call does not allow it.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The store did not keep it.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

impl From<StoreError> for UpdateError {
    fn from(error: StoreError) -> Self {
        Self::Commit(error.into())
    }
}

impl UpdateError {
    /// Another attempt may help.
    #[must_use]
    pub const fn retryable(&self) -> bool {
        matches!(self, Self::Commit(error) if error.retryable() || matches!(error, CommitError::Conflict { .. }))
    }
}

/// A call after a change.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Updated {
    /// The call as it is now.
    pub session: CallSession,
    /// What has happened of what was proposed.
    pub events: Vec<Stamped>,
}

/// Proposes something to a call: loads it, asks what is proposed, keeps what happens. When somebody else was quicker, all
/// of it is done again on what the call is then.
///
/// ```
/// # use call_session::{call::{NewCall, SessionEvent}, id::SessionId, store::{self, SessionStore, memory::MemoryStore}};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (store, now, id) = (MemoryStore::new(), jiff::Timestamp::now(), SessionId::new());
/// # store.create(id, now, NewCall::outbound("+81312345678", "+819012345678"), vec![]).await?;
/// let updated = store::update(&store, id, |_| vec![SessionEvent::Ringing.at(now)]).await?;
/// assert_eq!(updated.events.len(), 1);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`UpdateError`]; [`CommitError::NoCall`] in it when there is no such call.
///
/// # Cancel safety
///
/// When the future is dropped, all of the change has happened, or nothing.
pub async fn update<S, F>(store: &S, id: SessionId, propose: F) -> Result<Updated, UpdateError>
where
    S: SessionStore + ?Sized,
    F: Fn(&CallSession) -> Vec<Stamped> + Send,
{
    change(store, id, move |session| {
        let proposals = propose(session);
        session.take(proposals)
    })
    .await
}

/// Tells a call what a provider says of it, as [`CallSession::hear`] does: what the call does not allow is passed over, the
/// rest is kept together.
///
/// # Errors
///
/// [`UpdateError`]; [`Refused::AnotherCall`] or [`CommitError::CallSidTaken`] in it when it is about another call.
///
/// # Cancel safety
///
/// When the future is dropped, all of the change has happened, or nothing.
pub async fn hear<S>(store: &S, id: SessionId, told: &[Stamped]) -> Result<Updated, UpdateError>
where
    S: SessionStore + ?Sized,
{
    change(store, id, |session| session.hear(told.iter().cloned())).await
}

/// Loads a call, decides what happens to it and keeps that, again when somebody else was quicker.
async fn change<S, F>(store: &S, id: SessionId, decide: F) -> Result<Updated, UpdateError>
where
    S: SessionStore + ?Sized,
    F: Fn(&mut CallSession) -> Result<Vec<Stamped>, Refused> + Send,
{
    let mut attempt = 0;
    loop {
        let mut session = store.load(id).await?.ok_or(CommitError::NoCall(id))?;
        let expected = session.summary.version;
        let events = decide(&mut session)?;
        if events.is_empty() {
            return Ok(Updated { session, events });
        }
        let commit = Commit::new(id, expected, events.clone());
        attempt += 1;
        match repeat(store, commit).await {
            Ok(_) => return Ok(Updated { session, events }),
            Err(CommitError::Conflict { .. }) if attempt < ATTEMPTS => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// The same commit again while its fate is unknown. The store knows it by its name.
async fn repeat<S: SessionStore + ?Sized>(store: &S, commit: Commit) -> Result<crate::call::Version, CommitError> {
    let mut last = store.commit(commit.clone()).await;
    for _ in 1..REPEATS {
        match &last {
            Err(error) if error.retryable() => last = store.commit(commit.clone()).await,
            _ => break,
        }
    }
    last
}
