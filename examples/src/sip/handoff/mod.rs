//! Handing callers to people: the provider is asked to move them (SIP REFER), and where it will not, Twilio, if it carries
//! the call and the account is ours.
//!
//! People are named in the settings; the model may name no others, and only an operator may give a number. The provider
//! says that it was asked and nothing more, so the agent stays with the caller: if the call leaves this server, somebody has
//! the caller; if it does not, the agent says so and goes on. Twilio takes the caller away at once: whom nobody takes there
//! hears a goodbye, and the call is over.

mod agent;
mod carrier;
mod elsewhere;
mod outage;
mod people;
mod tool;

use std::sync::Arc;

use call_session::{
    call::{CallSession, HandoffEvent, Refused, SessionEvent},
    handoff::{Ask, HandoffRunner, HandoffStrategy, NoOne, SipRefer, SystemClock, Wanted, referred, request},
    id::SessionId,
    recorder::Recorder,
    store::{self, UpdateError},
};
use jiff::Timestamp;
use tracing::Instrument;

use self::agent::Nobody;
pub(super) use self::elsewhere::command;
pub use self::{
    people::{NoPeople, People},
    tool::HandOver,
};
use super::SipServer;
use crate::chain::Chain;

/// Why a caller is not handed over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotHandedOver {
    /// There is no such call.
    #[error("there is no such call")]
    NoCall,
    /// No agent here has the caller.
    #[error("no agent here has the caller")]
    NotHere,
    /// Nobody can take the call.
    #[error(transparent)]
    NoOne(#[from] NoOne),
    /// The call does not allow it now.
    #[error(transparent)]
    Refused(Refused),
    /// The call cannot be kept.
    #[error("the call cannot be kept")]
    Store(#[source] UpdateError),
}

impl SipServer {
    /// Hands a caller to somebody. Gives the call as it is when that has begun; what comes of it is the call's events.
    ///
    /// # Errors
    ///
    /// [`NotHandedOver`].
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped may have begun it.
    pub async fn hand_over(
        &self,
        session: SessionId,
        wanted: &Wanted,
        by: &'static str,
        reason: &str,
    ) -> Result<CallSession, NotHandedOver> {
        let state = &*self.0;
        let call = state.store.load(session).await.map_err(|error| NotHandedOver::Store(error.into()))?;
        let call = call.ok_or(NotHandedOver::NoCall)?;
        if state.lines.find(session).is_none() {
            return Err(NotHandedOver::NotHere);
        }
        let (people, settings) = (state.settings.people.persons(), state.settings.people.handoff());
        let plan = SipRefer.plan(&Ask::new(&call, &people, wanted, &settings).with_reason(reason))?;
        let asked = request(plan, by, reason).at(Timestamp::now());
        let updated = store::update(&*state.store, session, |_| vec![asked.clone()]).await;
        let updated = updated.map_err(|error| match error {
            UpdateError::Refused(refused) => NotHandedOver::Refused(refused),
            error => NotHandedOver::Store(error),
        })?;
        tracing::info!(call = %session, by, "the caller is handed over");
        self.perform(session);
        Ok(updated.session)
    }

    /// Performs the handoff of a call that this server leads.
    pub(super) fn perform(&self, session: SessionId) {
        let state = &*self.0;
        let runner = HandoffRunner::new(
            Arc::clone(&state.store),
            Arc::new(Nobody),
            Arc::new(self.clone()),
            Arc::new(SystemClock),
            state.live.node().clone(),
        );
        let performing = async move {
            if let Err(error) = Box::pin(runner.run(session)).await {
                tracing::error!(error = %Chain(&error), "the handing over is not written down to its end");
            }
        };
        state.tasks.spawn(performing.in_current_span());
    }

    /// The provider has no such call any more. Whether that is because it has moved the caller.
    pub(super) async fn was_moved(&self, recorder: &Recorder) -> bool {
        let call = match self.0.store.load(recorder.call()).await {
            Ok(Some(call)) => call,
            Ok(None) => return false,
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "whether the caller was handed over cannot be looked up");
                return false;
            }
        };
        let moved = referred(&call);
        let mut taken = false;
        for event in moved {
            let takes = matches!(event, SessionEvent::Handoff(HandoffEvent::Accepted { .. }));
            // Somebody may have called it off this very moment.
            match recorder.decide(event.at(Timestamp::now())).await {
                Ok(_) => taken |= takes,
                Err(_) if takes => return false,
                Err(_) => {}
            }
        }
        taken
    }
}
