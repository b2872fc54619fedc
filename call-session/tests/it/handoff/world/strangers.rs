//! Another call, whose person has the same telephone as one of ours.

use call_session::{
    call::{HandoffEvent, HandoffMode, NewCall, SessionEvent, Stamped},
    handoff::{Candidate, Clock, HandoffPlan, request},
    id::{LegId, SessionId},
    store::{self, SessionStore},
};
use tokio::time::Instant;
use twilio_twiml::{phone::Address, sid::CallSid};

use super::{Happening, World};

#[derive(Debug)]
pub(super) struct Stranger {
    pub(super) call: SessionId,
    pub(super) leg: LegId,
    pub(super) to: Address,
    pub(super) sid: CallSid,
    pub(super) created: Instant,
}

impl World {
    /// Another call dials this telephone now. What its leg is called at Twilio is written down in a while.
    pub(super) async fn stranger(&self, to: Address) {
        let (call, leg, now) = (SessionId::new(), LegId::new(), self.now());
        let plan = HandoffPlan::new(HandoffMode::Warm, "+81312345678", vec![Candidate::new(None, to.clone())]);
        let events: [SessionEvent; 4] = [
            SessionEvent::Answered,
            request(plan, "operator", ""),
            HandoffEvent::FarewellOver.into(),
            HandoffEvent::Dialing { leg, person: None, candidate: 0 }.into(),
        ];
        let events: Vec<Stamped> = events.into_iter().map(|event| event.at(now)).collect();
        self.store.inner().create(call, now, NewCall::inbound("+819087654321", "+81312345678"), events).await.unwrap();
        let number = {
            let state = &mut *self.state();
            let number = state.strangers.len();
            let sid = format!("CA{:032x}", 0xabcd_0000 + number).parse().unwrap();
            state.strangers.push(Stranger { call, leg, to, sid, created: Instant::now() });
            number
        };
        self.say("another call dials the same telephone");
        let wait = self.with(|chance| chance.millis(20, 12_000));
        self.later(wait, Happening::StrangerKnown(number));
    }

    pub(super) async fn stranger_known(&self, number: usize) {
        let (call, leg, sid) = {
            let state = self.state();
            let stranger = &state.strangers[number];
            (stranger.call, stranger.leg, stranger.sid.clone())
        };
        let bound = SessionEvent::from(HandoffEvent::LegBound { leg, call: sid }).at(self.now());
        store::update(self.store.inner(), call, |_| vec![bound.clone()]).await.unwrap();
    }
}
