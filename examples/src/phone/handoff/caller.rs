//! What the caller's leg gets, at whichever door it asks.

use call_session::{
    call::{CallSummary, Place},
    handoff::caller_fetched,
    store::UpdateError,
};
use twilio_twiml::twiml::Response;

use super::documents;
use crate::{
    chain::Chain,
    phone::{Phone, connect::Leg, ending::hang_up, outage::MODEL_DOWN},
    web::Document,
};

impl Phone {
    /// The document that brings the caller to where the caller shall be now: to a person, back to the agent, or to an end.
    /// That the leg asks is news itself, so it is written down first.
    pub(in crate::phone) async fn send_caller(&self, leg: Leg) -> Document {
        let id = leg.call.id;
        match self.find_place(leg).await {
            Ok(document) => document,
            Err(error) => {
                // The caller is on the line, and the store may be back in a moment.
                tracing::warn!(error = %Chain(&error), "nobody knows where a caller shall be: asked again in a moment");
                documents::ask_again(&self.0.doors, &self.0.settings.conversation, id)
            }
        }
    }

    async fn find_place(&self, leg: Leg) -> Result<Document, UpdateError> {
        let call = self.told(leg.call.id, caller_fetched).await?.session.summary;
        let place = call.place();
        tracing::info!(?place, "the caller's leg asks where to go");
        let doors = &self.0.doors;
        let talk = self.0.settings.conversation.of(&call);
        let hang_up = || Document(Response::new().hangup());
        let plan = call.handoff.as_ref().map(|handoff| &handoff.plan);
        match (place, plan) {
            (Place::Agent, _) if self.0.models.are_down() => {
                Ok(self.down_the_ladder(Leg { call, ..leg }, MODEL_DOWN).await)
            }
            (Place::Agent, _) => self.back_to_agent(Leg { call, ..leg }).await,
            (Place::Room, Some(plan)) => Ok(documents::caller_in_room(self.copied(&leg), doors, &call, plan)),
            (Place::Dial(id), Some(plan)) => {
                let candidate = call.legs.get(&id).and_then(|leg| plan.candidates.get(leg.candidate));
                Ok(match candidate {
                    Some(candidate) => documents::direct(self.copied(&leg), doors, call.id, id, plan, candidate),
                    None => documents::ask_again(doors, &talk, call.id),
                })
            }
            (Place::Wait, _) => Ok(documents::ask_again(doors, &talk, call.id)),
            (Place::Goodbye, _) => {
                self.conclude(call.id, "handed-over").await?;
                Ok(Document(Response::new().say(talk.handoff_goodbye()).hangup()))
            }
            // Whatever a later version adds, nobody here knows the way.
            _ => Ok(hang_up()),
        }
    }

    /// Another stream, on which the agent goes on with its memory.
    async fn back_to_agent(&self, leg: Leg) -> Result<Document, UpdateError> {
        if self.0.stop.is_cancelled() || self.0.leave.is_cancelled() {
            // Nobody is taken on by a server that stops. Another one is asked by the same address, if there is one.
            if self.others_live().await {
                let talk = self.0.settings.conversation.of(&leg.call);
                return Ok(documents::ask_again(&self.0.doors, &talk, leg.call.id));
            }
            self.break_off(leg.call.id, "drained").await?;
            return Ok(self.apologize());
        }
        let (call, stream) = self.expect(leg.call.id, vec![]).await?;
        let Some(stream) = stream else { return Ok(hang_up()) };
        let talk = self.0.settings.conversation.of(&call);
        let Document(mut document) = self.connect(&Leg { call, ..leg }, stream, self.whose().await);
        // Who comes from a person, or from music, hears something while the model's session is being opened.
        document.verbs.insert(0, talk.handoff_wait().into());
        Ok(Document(document))
    }
}

impl Phone {
    async fn others_live(&self) -> bool {
        let nodes = self.0.live.nodes().await.unwrap_or_default();
        nodes.iter().any(|(node, alive)| *alive && node != self.0.live.node())
    }
}

/// Whether the caller's leg is to go somewhere else than to a stream.
pub(in crate::phone) fn leads_elsewhere(call: &CallSummary) -> bool {
    call.place() != Place::Agent
}
