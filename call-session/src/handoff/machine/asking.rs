//! Who is called next, and whether they are free.

use super::{Effect, View};
use crate::{
    call::{HandoffEvent, NEVER_PLACED, PersonLeg},
    handoff::{
        Route,
        desk::{Next, after},
    },
    id::LegId,
};

/// Why nobody was called who has another caller.
const ELSEWHERE: &str = "busy-elsewhere";

impl View<'_> {
    /// Nobody is being called.
    pub(super) fn ask_next(&mut self, fresh: LegId) {
        let plan = &self.handoff.plan;
        let last = self.handoff.legs.last().and_then(|id| self.leg(*id));
        let next = match last {
            None => 0,
            // Of a leg that nobody ever saw the person knows nothing: asked again, but only once.
            Some(leg) if self.unseen(leg) && !self.asked_twice(leg.candidate) => leg.candidate,
            Some(leg) => leg.candidate + 1,
        };
        let late = self.now >= after(self.handoff.requested, plan.limits.search);
        let Some(candidate) = plan.candidates.get(next).filter(|_| !late) else {
            let cause = last.and_then(|leg| leg.given_up.clone().or_else(|| leg.ended.clone()));
            return self.fail(cause.as_deref().unwrap_or("nobody"));
        };
        let (requested, asked) = (self.handoff.requested, self.handoff.legs.len());
        match self.desk.is_free(Next { requested, after: asked, candidate: next }, self.now) {
            Some(free) => {
                self.propose(HandoffEvent::Dialing { leg: fresh, person: candidate.person.clone(), candidate: next });
                if !free {
                    // Somebody else has them by now: their telephone does not ring.
                    self.propose(HandoffEvent::LegEnded { leg: fresh, cause: ELSEWHERE.to_owned() });
                } else if plan.route == Route::Direct && self.handoff.moving.is_none() {
                    self.propose(HandoffEvent::Moving);
                }
            }
            None => {
                self.asks =
                    Some(Effect::KeepFree { candidate: candidate.clone(), number: next, requested, after: asked });
                // An answer that does not come is no reason to wait for ever.
                _ = self.due(after(requested, plan.limits.search));
            }
        }
    }

    fn unseen(&self, leg: &PersonLeg) -> bool {
        leg.call.is_none() && leg.given_up.as_deref() == Some(NEVER_PLACED)
    }

    fn asked_twice(&self, candidate: usize) -> bool {
        let asked = self.handoff.legs.iter().filter_map(|id| self.leg(*id));
        asked.filter(|leg| leg.candidate == candidate).count() > 1
    }
}
