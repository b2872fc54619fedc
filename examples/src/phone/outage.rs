//! There is no model for a caller: what else there is, by the ladder in the settings.

use std::{future::Future, pin::Pin};

use call_session::{
    call::{CallSummary, Handoff, HandoffEvent, Refused, SessionEvent},
    handoff::Wanted,
    id::SessionId,
    store::{self, UpdateError},
};
use jiff::Timestamp;

use super::{
    Phone,
    connect::Leg,
    handoff::{HandOver, NotHandedOver},
};
use crate::{chain::Chain, settings::Rung, web::Document};

/// Who asks for a person when there is no model, as it is kept with the call.
const OUTAGE: &str = "outage";

/// Why a call has no model: it was known to be down before anybody asked.
pub(super) const MODEL_DOWN: &str = "model-down";

impl Phone {
    /// What a caller gets for whom there is no model: the first rung of the ladder that holds. `cause` is why, as a short
    /// fixed name.
    ///
    /// The ladder may lead to where callers are told to go, and from there back here, so that the future has a box of its own.
    pub(super) fn down_the_ladder<'a>(
        &'a self,
        leg: Leg,
        cause: &'a str,
    ) -> Pin<Box<dyn Future<Output = Document> + Send + 'a>> {
        Box::pin(self.first_rung(leg, cause))
    }

    async fn first_rung(&self, leg: Leg, cause: &str) -> Document {
        let id = leg.call.id;
        if leg.call.handoff.as_ref().is_some_and(Handoff::under_way) {
            // Somebody is on the way already, whatever the ladder says: the caller waits for them.
            match self.waits_for_person(id).await {
                Ok(call) => return self.send_caller(Leg { call, ..leg }).await,
                Err(error) => tracing::warn!(error = %Chain(&error), cause, "a caller cannot wait for a person"),
            }
        }
        for rung in self.0.settings.outage.rungs() {
            match rung {
                // Whoever was asked before did not come. The caller is not sent round in circles.
                Rung::Person if was_asked(&leg.call) => {}
                Rung::Person => match self.person_instead(&leg.call).await {
                    Ok(call) => return self.send_caller(Leg { call, ..leg }).await,
                    Err(why) => tracing::warn!(error = %Chain(&why), cause, "no person can have the caller either"),
                },
                Rung::Apology => break,
            }
        }
        if let Err(error) = self.break_off(id, cause).await {
            tracing::error!(error = %Chain(&error), "how a call ended is not kept");
        }
        tracing::warn!(cause, "a caller hears an apology: there is no model");
        self.apologize()
    }

    async fn person_instead(&self, call: &CallSummary) -> Result<CallSummary, NotHandedOver> {
        let reason = self.0.settings.conversation.of(call).outage_reason();
        let ask = HandOver::new(OUTAGE, Wanted::Anyone).with_reason(reason).without_agent();
        match Box::pin(self.hand_over(call.id, &ask)).await {
            Ok(session) => Ok(session.summary),
            // Somebody is on the way already: the caller waits for them, as the agent cannot.
            Err(NotHandedOver::Refused(Refused::HandoffUnderWay)) => Ok(self.waits_for_person(call.id).await?),
            Err(error) => Err(error),
        }
    }

    /// The caller of a handoff that is under way has no agent any more.
    async fn waits_for_person(&self, call: SessionId) -> Result<CallSummary, UpdateError> {
        let waits = [HandoffEvent::FarewellOver, HandoffEvent::Moving];
        let updated = store::update(&*self.0.store, call, |_| {
            waits.iter().map(|event| SessionEvent::from(event.clone()).at(Timestamp::now())).collect()
        });
        Ok(updated.await?.session.summary)
    }
}

/// A person was asked for as there was no model, and that has come to its end.
fn was_asked(call: &CallSummary) -> bool {
    call.handoff.as_ref().is_some_and(|handoff| handoff.by == OUTAGE && !handoff.under_way())
}
