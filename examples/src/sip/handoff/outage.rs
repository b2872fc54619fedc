//! Callers whose agent has failed.

use std::time::Duration;

use call_session::{
    call::{Handoff, SessionEvent},
    handoff::LineError,
    id::SessionId,
    recorder::Recorder,
};
use jiff::Timestamp;
use realtime_bridge::realtime::openai::sip::SipCallId;
use tokio::time::{Instant, timeout};

use super::people::target;
use crate::{
    chain::Chain,
    sip::{SipServer, carry::propose},
};

/// How many persons are asked at most: nobody leads the model meanwhile.
const PERSONS: usize = 2;

/// How often is looked whether a handoff is over.
const LOOK: Duration = Duration::from_millis(250);

impl SipServer {
    /// Has the provider move the caller to the first person whom it will. Gives true when the caller has gone there; otherwise
    /// the caller is still with the model, and has to be hung up.
    ///
    /// Nobody tells whether a person takes the call, so that it is given the time that one has for that; then a call that is
    /// still there was not taken.
    pub(in crate::sip) async fn refer_to_anyone(&self, call: &SipCallId, recorder: &Recorder) -> bool {
        let people = &self.0.settings.people;
        if !self.nobody_is_asked(recorder.call()).await {
            // One caller is not to ring at two persons.
            return self.is_gone(call).await && self.was_moved(recorder).await;
        }
        for person in people.persons().into_iter().take(PERSONS) {
            let Some(to) = target(&person.to) else { continue };
            match self.0.calls.refer(call, &to).await {
                Ok(()) => {}
                Err(error) if error.is_gone() => return false,
                Err(error) if error.may_have_happened() => {
                    tracing::warn!(error = %Chain(&error), "nobody knows whether the provider moves the caller");
                }
                Err(error) => {
                    tracing::warn!(error = %Chain(&error), "the provider does not move the caller");
                    match self.ask_carrier(recorder.call(), &person.to).await {
                        Err(LineError::NotDone) => continue,
                        // There is nobody to be moved.
                        Err(LineError::NotInProgress) => return false,
                        // Asked, or perhaps asked.
                        Ok(()) | Err(_) => {}
                    }
                }
            }
            let asked = SessionEvent::Problem { what: "no agent: referred".into(), code: None };
            propose(recorder, asked.at(Timestamp::now())).await;
            // Told to stop, there is no time to wait for anybody.
            let _ = timeout(people.patience(), self.0.stop.cancelled()).await;
            return self.is_gone(call).await;
        }
        false
    }

    /// Waits until no handoff of the call is under way, which may have been begun before the agent failed. Gives false if it
    /// still is after the time that a person has.
    async fn nobody_is_asked(&self, session: SessionId) -> bool {
        let until = Instant::now() + self.0.settings.people.patience();
        loop {
            match self.0.store.summary(session).await {
                Ok(Some(call)) if call.handoff.as_ref().is_some_and(Handoff::under_way) => {}
                Ok(_) => return true,
                Err(error) => {
                    tracing::warn!(error = %Chain(&error), "whether the caller is handed over cannot be looked up");
                    return true;
                }
            }
            let stops = timeout(LOOK, self.0.stop.cancelled()).await.is_ok();
            if stops || Instant::now() >= until {
                return false;
            }
        }
    }

    /// Hangs up. Whether there was nothing to hang up any more.
    async fn is_gone(&self, call: &SipCallId) -> bool {
        match self.0.calls.hang_up(call).await {
            Ok(()) => false,
            Err(error) => error.is_gone(),
        }
    }
}
