//! A caller whom the agent's line is asked to move.
//!
//! The line says that it was asked, and nothing more: no progress, no failure. So a person has a while to take the call.
//! If the line is gone by then, that is what has happened, which whoever has the line tells with
//! [`referred`](crate::handoff::referred); if not, the next person's turn comes, or the caller is told.

use super::{Effect, RING_MARGIN, View};
use crate::{
    call::{HandoffEvent, PersonLeg},
    handoff::{
        Route,
        desk::{Task, after},
    },
    id::LegId,
};

impl<'a> View<'a> {
    /// Whether this leg is one that the line was asked for.
    fn is_referral(&self, leg: LegId) -> bool {
        self.handoff.plan.route == Route::Refer && self.handoff.legs.contains(&leg)
    }

    /// The legs that Twilio knows, or may know.
    pub(super) fn dialled(&self) -> impl Iterator<Item = (&'a LegId, &'a PersonLeg)> + use<'a> {
        let handoff = self.handoff;
        let refers = handoff.plan.route == Route::Refer;
        self.call.legs.iter().filter(move |(id, _)| !(refers && handoff.legs.contains(id)))
    }

    /// Nothing is left of a leg that is not wanted any more: a line that was asked cannot be asked back.
    pub(super) fn referrals_over(&mut self) {
        let over = self.call.status.is_terminal() || !self.handoff.under_way();
        for (id, leg) in &self.call.legs {
            if self.is_referral(*id) && leg.ended.is_none() && (over || leg.given_up.is_some()) {
                let cause = leg.given_up.clone().unwrap_or_else(|| "released".to_owned());
                self.propose(HandoffEvent::LegEnded { leg: *id, cause });
            }
        }
    }

    /// One person after the other, each for as long as a telephone rings.
    pub(super) fn referral(&mut self, fresh: LegId) {
        let Some(id) = self.call.wanted_leg() else { return self.ask_next(fresh) };
        let Some(leg) = self.leg(id) else { return };
        if self.due(after(leg.dialed, self.handoff.plan.limits.ring + RING_MARGIN)) {
            self.propose(HandoffEvent::LegEnded { leg: id, cause: "no-answer".to_owned() });
        }
    }

    /// Asked once, and never by a server that cannot know whether another one has.
    pub(super) fn refer(&mut self) {
        let Some(id) = self.call.wanted_leg().filter(|id| self.is_referral(*id)) else { return };
        let first = self.desk.is_mine(id) && self.desk.tried(Task::Dial(id)).times == 0;
        let candidate = self.leg(id).and_then(|leg| self.handoff.plan.candidates.get(leg.candidate));
        if let Some(candidate) = candidate.filter(|_| first) {
            self.decision.effects.push(Effect::Refer { leg: id, candidate: candidate.clone() });
        }
    }
}
