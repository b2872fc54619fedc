//! Callers whose agent has failed.

use call_session::{call::SessionEvent, handoff::LineError, recorder::Recorder};
use jiff::Timestamp;
use realtime_bridge::realtime::openai::sip::SipCallId;
use tokio::time::timeout;

use super::people::target;
use crate::{
    chain::Chain,
    sip::{SipServer, carry::propose},
};

/// How many persons are asked at most: nobody leads the model meanwhile.
const PERSONS: usize = 2;

impl SipServer {
    /// Has the provider move the caller to the first person whom it will. Gives true when the caller has gone there; otherwise
    /// the caller is still with the model, and has to be hung up.
    ///
    /// Nobody tells whether a person takes the call, so that it is given the time that one has for that; then a call that is
    /// still there was not taken.
    pub(in crate::sip) async fn refer_to_anyone(&self, call: &SipCallId, recorder: &Recorder) -> bool {
        let people = &self.0.settings.people;
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
                    if let Err(LineError::NotDone) = self.ask_carrier(recorder.call(), &person.to).await {
                        continue;
                    }
                }
            }
            let asked = SessionEvent::Problem { what: "no agent: referred".into(), code: None };
            propose(recorder, asked.at(Timestamp::now())).await;
            // Told to stop, there is no time to wait for anybody.
            let _ = timeout(people.patience(), self.0.stop.cancelled()).await;
            return match self.0.calls.hang_up(call).await {
                Ok(()) => false,
                Err(error) => error.is_gone(),
            };
        }
        false
    }
}
