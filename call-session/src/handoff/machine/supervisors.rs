//! Supervisors: called to the room, kept in their role, and sent away when the room is no more.

use std::time::Duration;

use super::{ARRIVAL, Effect, HORIZON, RING_MARGIN, TURN, View};
use crate::{
    call::{NEVER_PLACED, SupervisionEvent, SupervisorLeg},
    handoff::{
        desk::{Task, after},
        plan::Candidate,
        supervise::{coached, ended, give_up},
    },
    id::LegId,
};

impl View<'_> {
    /// What is written down of supervisors.
    pub(super) fn supervise(&mut self, fresh: LegId) {
        let ring = self.handoff.plan.limits.ring;
        let mut dials = false;
        for (id, leg) in &self.call.supervisors {
            if leg.ended.is_some() {
                continue;
            }
            let dial = self.desk.tried(Task::Dial(*id));
            let mine = leg.attempt.is_some_and(|attempt| self.desk.is_mine(attempt));
            let undialled = leg.given_up.is_some() && (leg.attempt.is_none() || (mine && dial.times == 0));
            let unseen = leg.call.is_none() && !dial.running;
            if unseen && (undialled || self.due(after(self.dialed(*id, leg.dialed), ring + HORIZON))) {
                self.decision.propose.push(ended(*id, NEVER_PLACED));
            } else if leg.is_wanted() {
                if let Some(cause) = self.supervisor_unwanted(*id, leg, ring) {
                    self.decision.propose.push(give_up(*id, cause));
                } else if leg.attempt.is_none() && !dials {
                    dials = true;
                    self.decision.propose.push(SupervisionEvent::Dialing { leg: *id, attempt: fresh }.into());
                }
            }
        }
    }

    fn supervisor_unwanted(&mut self, id: LegId, leg: &SupervisorLeg, ring: Duration) -> Option<&'static str> {
        if !self.call.is_in_room() {
            return Some(if self.call.status.is_terminal() { "caller-gone" } else { "room-over" });
        }
        if leg.arrived || leg.attempt.is_none() {
            return None;
        }
        if self.desk.tried(Task::Dial(id)).running {
            return self.due(after(leg.dialed, TURN)).then_some("not-placed");
        }
        let rings = after(self.dialed(id, leg.dialed), ring + RING_MARGIN);
        let limit = leg.answered_at.map_or(rings, |answered| after(answered, ARRIVAL));
        let late = self.due(limit) && (leg.call.is_none() || self.asked_since(limit));
        late.then_some(if leg.answered_at.is_some() { "did-not-come" } else { "no-answer" })
    }

    /// Whether nothing was heard of one who must have picked up by now, or must be in the room.
    pub(super) fn supervisor_silent(&self, quiet: Duration) -> bool {
        let silent = |leg: &SupervisorLeg| leg.is_wanted() && leg.call.is_some() && !leg.arrived;
        self.call.supervisors.values().any(|leg| silent(leg) && after(leg.dialed, quiet) <= self.now)
    }

    /// What is done about supervisors.
    pub(super) fn supervision(&mut self) {
        for (id, leg) in &self.call.supervisors {
            if leg.ended.is_some() {
                continue;
            }
            let candidate = || Candidate::new(leg.person.clone(), leg.to.clone());
            let dial = self.desk.tried(Task::Dial(*id));
            let mine = leg.attempt.is_some_and(|attempt| self.desk.is_mine(attempt));
            match &leg.call {
                None if mine && dial.times == 0 && leg.is_wanted() => {
                    self.decision.effects.push(Effect::Dial { leg: *id, candidate: candidate() });
                }
                None if leg.attempt.is_some() && !dial.running => {
                    let effect = Effect::FindLeg { leg: *id, candidate: candidate(), since: leg.dialed };
                    self.start(effect, Duration::from_secs(1));
                }
                None => {}
                Some(call) if leg.given_up.is_some() => {
                    let (call, answered) = (call.clone(), leg.answered_at.is_some());
                    self.start(Effect::EndLeg { leg: *id, call, answered }, Duration::from_secs(1));
                }
                Some(call) if leg.arrived && leg.given.is_some_and(|given| given != leg.role) => {
                    let (call, coached) = (call.clone(), coached(self.call));
                    self.start(Effect::SetRole { leg: *id, call, role: leg.role, coached }, Duration::from_secs(1));
                }
                Some(_) => {}
            }
        }
    }
}
