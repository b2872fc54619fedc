//! The state machine: what a handoff needs now, from the call, what was tried, and the time. Pure.
//!
//! It looks at where things stand, not at what happened last. Whoever loads the call, on whichever server, comes to the
//! same conclusion; an event that is lost, late or told twice only changes how soon.

mod asking;
mod refer;
mod supervisors;

use std::time::Duration;

use jiff::Timestamp;
use twilio_twiml::sid::CallSid;

use super::{
    desk::{Desk, Due, Task, after},
    plan::{AfterPerson, Candidate, Route},
};
use crate::{
    call::{
        CallSummary, Handoff, HandoffEnd, HandoffEvent, HandoffMode, NEVER_PLACED, PersonLeg, Place, SessionEvent,
        SupervisorRole, Whereabouts,
    },
    id::LegId,
};

/// What Twilio may add to the time a telephone rings.
const RING_MARGIN: Duration = Duration::from_secs(6);
/// How long Twilio may take to say whether somebody answered.
const ASKING: Duration = Duration::from_secs(20);
/// How long a dial may wait for its turn.
const TURN: Duration = Duration::from_secs(60);
/// How long Twilio may take to answer a dial.
const ON_ITS_WAY: Duration = Duration::from_secs(5);
/// How long a leg may be unseen at Twilio before somebody else is asked.
const UNSEEN: Duration = Duration::from_secs(10);
/// After its ringing time, how long a leg that was never seen might still turn up.
const HORIZON: Duration = Duration::from_secs(45);
/// How long a person who accepted may take to come to the room: the answer to a webhook.
const ARRIVAL: Duration = Duration::from_secs(15);
/// How long after a direct dial was answered it is told whether a machine did, at the latest.
const DETECTION: Duration = Duration::from_secs(10);
/// How long the caller may be on the way before that is looked into.
const ON_THE_WAY: Duration = Duration::from_secs(10);
/// How long the caller may take to ask for the next document when the room closes by itself.
const BY_ITSELF: Duration = Duration::from_millis(1500);
/// How long after a redirect its document is asked for, at the latest.
const REDIRECTED: Duration = Duration::from_secs(3);
/// How often the caller's move is tried before something else is done.
const MOVES: u32 = 3;
/// How often to look at Twilio when all is quiet, for what callbacks did not tell.
const LOOK: Duration = Duration::from_secs(15);
/// How often to look at Twilio while a callback is waited for.
const LOOK_CLOSELY: Duration = Duration::from_secs(3);
/// How long the agent may take to have the caller again and be told of a failure.
const TELLING: Duration = Duration::from_secs(60);

/// Something to be done outside.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Effect {
    /// The agent says its last words before the wait, and they are heard.
    SayFarewell {
        /// The words.
        words: String,
        /// How long that may take.
        limit: Duration,
    },
    /// It is asked whether the person who is to be called next is free, and they are kept so.
    KeepFree {
        /// Whom.
        candidate: Candidate,
        /// Which of the plan's candidates, from 0.
        number: usize,
        /// When the handoff was requested.
        requested: Timestamp,
        /// How many legs it had before.
        after: usize,
    },
    /// A person is called.
    Dial {
        /// The leg.
        leg: LegId,
        /// Whom.
        candidate: Candidate,
    },
    /// The agent's line is asked to move the caller.
    Refer {
        /// The person's leg, as far as it is known here: it never has a name at Twilio.
        leg: LegId,
        /// To whom.
        candidate: Candidate,
    },
    /// A leg that may have been dialled is looked for.
    FindLeg {
        /// The leg.
        leg: LegId,
        /// Whom it is to.
        candidate: Candidate,
        /// When it was dialled.
        since: Timestamp,
    },
    /// A leg is ended, or called off.
    EndLeg {
        /// The leg.
        leg: LegId,
        /// Its name at Twilio.
        call: CallSid,
        /// Whether somebody picked up.
        answered: bool,
    },
    /// The caller's leg asks for its document anew, which leads to where the caller shall be.
    RedirectCaller {
        /// The caller's leg.
        call: CallSid,
        /// Where the caller shall be.
        to: Place,
    },
    /// The agent leaves the stream, so that the caller's leg goes on by itself. For when it cannot be redirected.
    LeaveStream,
    /// The agent tells the caller that nobody takes the call.
    TellCaller {
        /// Why, as a short fixed name.
        cause: String,
    },
    /// A supervisor in the room does something else from now on.
    SetRole {
        /// The leg.
        leg: LegId,
        /// Its name at Twilio.
        call: CallSid,
        /// What.
        role: SupervisorRole,
        /// The leg that hears a whisper.
        coached: Option<CallSid>,
    },
    /// Twilio is asked what has become of everybody.
    Look {
        /// The caller's leg.
        caller: Option<CallSid>,
        /// The persons' legs.
        legs: Vec<(LegId, CallSid)>,
        /// Whether the room is of interest, too.
        room: bool,
    },
}

impl Effect {
    pub(super) const fn task(&self) -> Task {
        match self {
            Self::SayFarewell { .. } => Task::Farewell,
            Self::KeepFree { after, .. } => Task::KeepFree(*after),
            Self::Dial { leg, .. } | Self::Refer { leg, .. } => Task::Dial(*leg),
            Self::FindLeg { leg, .. } => Task::Find(*leg),
            Self::EndLeg { leg, .. } => Task::End(*leg),
            Self::RedirectCaller { to: Place::Agent | Place::Goodbye, .. } => Task::MoveBack,
            Self::RedirectCaller { .. } => Task::MoveOut,
            Self::LeaveStream => Task::LeaveStream,
            Self::SetRole { leg, .. } => Task::Role(*leg),
            Self::TellCaller { .. } => Task::Tell,
            Self::Look { .. } => Task::Look,
        }
    }

    /// A short fixed name, for logs and timelines.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::SayFarewell { .. } => "say-farewell",
            Self::KeepFree { .. } => "keep-free",
            Self::Dial { .. } => "dial",
            Self::Refer { .. } => "refer",
            Self::FindLeg { .. } => "find-leg",
            Self::EndLeg { .. } => "end-leg",
            Self::RedirectCaller { .. } => "redirect-caller",
            Self::LeaveStream => "leave-stream",
            Self::SetRole { .. } => "set-role",
            Self::TellCaller { .. } => "tell-caller",
            Self::Look { .. } => "look",
        }
    }
}

/// What a handoff needs now.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Decision {
    /// What has to be written down first. While there is anything, nothing is done.
    pub propose: Vec<SessionEvent>,
    /// Legs whose dial is called off, if it still waits for its turn: nobody wants them.
    pub called_off: Vec<LegId>,
    /// What has to be done. Each is begun once; it is asked for again if it did not help.
    pub effects: Vec<Effect>,
    /// When to decide again, whatever happens.
    pub wake: Option<Timestamp>,
    /// Nothing is left to be done, now or later.
    pub done: bool,
}

/// What the handoff of this call needs now. `fresh` is the name of the next leg, if one is dialled.
#[must_use]
pub fn decide(call: &CallSummary, desk: &Desk, now: Timestamp, fresh: LegId) -> Decision {
    let Some(handoff) = &call.handoff else { return Decision { done: true, ..Decision::default() } };
    let mut view = View { call, handoff, desk, now, decision: Decision::default(), asks: None };
    view.legs_over();
    view.referrals_over();
    view.former_legs();
    view.supervise(fresh);
    if !call.status.is_terminal() && handoff.under_way() {
        view.steps(fresh);
    } else {
        view.release();
    }
    if view.decision.propose.is_empty() {
        view.effects();
    }
    view.decision
}

impl CallSummary {
    /// Whether somebody has to perform a handoff of this call: one is under way, the caller is not yet where it leads, or a
    /// leg of it may still be alive.
    #[must_use]
    pub fn needs_runner(&self) -> bool {
        let Some(handoff) = &self.handoff else { return false };
        let unsettled = handoff.under_way() || !self.at_home() || self.is_to_be_told();
        (!self.status.is_terminal() && unsettled) || !self.legs_are_over()
    }

    fn legs_are_over(&self) -> bool {
        self.legs.values().all(|leg| leg.ended.is_some()) && self.supervisors.values().all(|leg| leg.ended.is_some())
    }

    /// The caller is where the caller shall be.
    fn at_home(&self) -> bool {
        let caller = self.handoff.as_ref().map_or(Whereabouts::Agent, |handoff| handoff.caller);
        match self.place() {
            Place::Agent => caller == Whereabouts::Agent,
            Place::Room | Place::Dial(_) | Place::Wait => {
                !matches!(caller, Whereabouts::Agent | Whereabouts::Returning)
            }
            Place::Goodbye => caller == Whereabouts::Goodbye,
            Place::Gone => true,
        }
    }

    /// The agent has yet to tell the caller that it came to nothing.
    fn is_to_be_told(&self) -> bool {
        let failed = |handoff: &Handoff| matches!(handoff.ended, Some((_, HandoffEnd::Failed(_)))) && !handoff.told;
        !self.status.is_terminal() && self.handoff.as_ref().is_some_and(failed)
    }
}

/// What becomes of a connected call when the person is gone.
#[must_use]
pub(super) const fn closing(after: AfterPerson) -> HandoffEvent {
    match after {
        AfterPerson::Return => HandoffEvent::Returned,
        AfterPerson::Goodbye => HandoffEvent::Finished,
    }
}

struct View<'a> {
    call: &'a CallSummary,
    handoff: &'a Handoff,
    desk: &'a Desk,
    now: Timestamp,
    decision: Decision,
    /// What has to be known before somebody is dialled.
    asks: Option<Effect>,
}

/// What is written down.
impl<'a> View<'a> {
    fn propose(&mut self, event: HandoffEvent) {
        self.decision.propose.push(SessionEvent::Handoff(event));
    }

    fn give_up(&mut self, leg: LegId, cause: &str) {
        self.propose(HandoffEvent::GivenUp { leg, cause: cause.to_owned() });
    }

    fn fail(&mut self, cause: &str) {
        self.propose(HandoffEvent::Failed { cause: cause.to_owned() });
    }

    /// Whether it is time; if not, when it will be is remembered.
    fn due(&mut self, at: Timestamp) -> bool {
        if at <= self.now {
            return true;
        }
        self.decision.wake = Some(self.decision.wake.map_or(at, |wake| wake.min(at)));
        false
    }

    /// A leg that was never seen is over when it cannot ring any more; at once, if nobody can have dialled it.
    fn legs_over(&mut self) {
        let limit = self.handoff.plan.limits.ring + HORIZON;
        for (id, leg) in self.dialled() {
            let dial = self.desk.tried(Task::Dial(*id));
            let unseen = leg.ended.is_none() && leg.call.is_none() && !dial.running;
            let unwanted = leg.given_up.is_some() && self.handoff.plan.route == Route::Room;
            let undialled = unwanted && self.desk.is_mine(*id) && dial.times == 0;
            if unseen && (undialled || self.due(after(self.dialed(*id, leg.dialed), limit))) {
                self.propose(HandoffEvent::LegEnded { leg: *id, cause: NEVER_PLACED.to_owned() });
            }
        }
    }

    /// Of a handoff before this one nobody is wanted any more.
    fn former_legs(&mut self) {
        for (id, leg) in &self.call.legs {
            if leg.is_wanted() && !self.handoff.legs.contains(id) {
                self.give_up(*id, "released");
            }
        }
    }

    /// Nobody is wanted any more.
    fn release(&mut self) {
        for (id, leg) in self.dialled() {
            if leg.is_wanted() && self.handoff.legs.contains(id) {
                let cause = if self.call.status.is_terminal() { "caller-gone" } else { "released" };
                self.give_up(*id, cause);
            }
        }
        if self.call.is_to_be_told() && self.due(after(self.ended_at(), TELLING)) {
            self.propose(HandoffEvent::Told);
        }
    }

    fn ended_at(&self) -> Timestamp {
        self.handoff.ended.as_ref().map_or(self.now, |(at, _)| *at)
    }

    /// Where a handoff under way stands, and what follows.
    fn steps(&mut self, fresh: LegId) {
        let plan = &self.handoff.plan;
        if self.handoff.farewell_over.is_none() {
            if plan.farewell.is_empty() || self.due(after(self.handoff.requested, plan.limits.farewell)) {
                self.propose(HandoffEvent::FarewellOver);
            }
            return;
        }
        if plan.route == Route::Refer {
            return self.referral(fresh);
        }
        let taker = self.handoff.legs.iter().copied().rfind(|leg| self.leg(*leg).is_some_and(|leg| leg.accepted));
        let taker = taker.and_then(|id| self.leg(id).map(|leg| (id, leg)));
        match taker {
            Some((_, leg)) if self.handoff.connected.is_some() => {
                if !leg.is_wanted() {
                    self.propose(closing(plan.after));
                }
                return;
            }
            Some((id, leg)) if leg.is_wanted() => return self.join(id, leg),
            _ => {}
        }
        if self.cannot_move() {
            return self.fail("move-failed");
        }
        if plan.moves_first() && self.handoff.moving.is_none() && plan.route == Route::Room {
            self.propose(HandoffEvent::Moving);
        }
        match self.call.wanted_leg().and_then(|id| self.leg(id).map(|leg| (id, leg))) {
            Some((id, leg)) => self.wait(id, leg),
            None => self.ask_next(fresh),
        }
    }

    /// A person has accepted; both come to the room.
    fn join(&mut self, id: LegId, leg: &PersonLeg) {
        if self.handoff.moving.is_none() {
            return self.propose(HandoffEvent::Moving);
        }
        let there = leg.arrived || self.handoff.plan.route == Route::Direct;
        if self.handoff.caller == Whereabouts::Room && there {
            return self.propose(HandoffEvent::Connected { leg: id });
        }
        if self.cannot_move() {
            self.give_up(id, "caller-not-moved");
            return self.fail("move-failed");
        }
        let limit = after(leg.accepted_at.unwrap_or(self.now).max(self.desk.since), ARRIVAL);
        if !there && self.due(limit) && self.asked_since(limit) {
            self.give_up(id, "did-not-come");
        }
    }

    /// Somebody is being called.
    fn wait(&mut self, id: LegId, leg: &PersonLeg) {
        let limits = &self.handoff.plan.limits;
        if let Some(answered) = leg.answered_at {
            if self.handoff.plan.mode == HandoffMode::Cold && self.handoff.plan.route == Route::Direct {
                // They talk: of a machine it would have been told by now.
                if self.due(after(answered, DETECTION)) {
                    self.propose(HandoffEvent::Accepted { leg: id });
                }
                return;
            }
            let limit = if self.handoff.plan.mode == HandoffMode::Warm { limits.decide } else { ARRIVAL };
            if self.due(after(answered, limit)) {
                self.give_up(id, if leg.machine { "machine" } else { "no-decision" });
            }
            return;
        }
        if self.desk.tried(Task::Dial(id)).running {
            // It does not ring before it was dialled, and that may wait for its turn.
            if self.due(after(leg.dialed, TURN)) {
                self.give_up(id, "not-placed");
            }
            return;
        }
        let quiet = after(self.dialed(id, leg.dialed), limits.ring + RING_MARGIN);
        if self.due(quiet) {
            // Twilio says by itself that nobody answered. If it says nothing, somebody may have: that is asked first.
            let unseen = leg.call.is_none() && self.handoff.plan.route == Route::Room;
            if leg.call.is_none() || self.asked_since(quiet) {
                self.give_up(id, if unseen { NEVER_PLACED } else { "no-answer" });
            }
        } else if leg.call.is_none()
            && self.handoff.plan.route == Route::Room
            && self.due(after(self.dialed(id, leg.dialed), UNSEEN))
        {
            self.give_up(id, NEVER_PLACED);
        }
    }

    /// Twilio has said how things stand since then, or could not in all that time.
    fn asked_since(&mut self, at: Timestamp) -> bool {
        self.desk.tried(Task::Look).well.is_some_and(|well| well > at) || self.due(after(at, ASKING))
    }

    /// Since when a leg may ring: not before Twilio was told, as far as that is known here.
    fn dialed(&self, leg: LegId, written: Timestamp) -> Timestamp {
        self.desk.tried(Task::Dial(leg)).ended.map_or(written, |ended| ended.max(written))
    }

    fn leg(&self, id: LegId) -> Option<&'a PersonLeg> {
        self.call.legs.get(&id)
    }

    /// The caller could not be moved, and still is with the agent.
    fn cannot_move(&self) -> bool {
        let out = self.desk.tried(Task::MoveOut);
        let left = self.desk.tried(Task::LeaveStream);
        let waited = |tried: super::desk::Tried| {
            !tried.running && tried.ended.is_none_or(|ended| after(ended, REDIRECTED) <= self.now)
        };
        self.handoff.caller == Whereabouts::Agent && out.times >= MOVES && waited(out) && left.times > 0 && waited(left)
    }
}

/// What is done.
impl View<'_> {
    fn effects(&mut self) {
        self.call_off();
        self.end_legs();
        self.find_legs();
        self.supervision();
        if self.handoff.under_way() && !self.call.status.is_terminal() {
            self.say_farewell();
            if let Some(asks) = self.asks.take() {
                self.start(asks, Duration::from_secs(1));
            }
            self.dial();
            self.refer();
        }
        if !self.call.status.is_terminal() {
            self.move_caller();
            self.tell();
        }
        self.look();
        let settled = self.call.status.is_terminal()
            || (!self.handoff.under_way() && self.call.at_home() && !self.call.is_to_be_told());
        self.decision.done = settled && self.call.legs_are_over();
    }

    fn start(&mut self, effect: Effect, pause: Duration) {
        if let Due::At(at) = self.desk.next(effect.task(), pause)
            && self.due(at)
        {
            self.decision.effects.push(effect);
        }
    }

    /// Dials that wait for their turn although nobody wants them any more. One that is on its way is answered sooner.
    fn call_off(&mut self) {
        let persons = self.call.legs.iter().map(|(id, leg)| (*id, leg.is_wanted(), leg.dialed));
        let others = self.call.supervisors.iter().map(|(id, leg)| (*id, leg.is_wanted(), leg.dialed));
        for (id, wanted, dialed) in persons.chain(others) {
            if !wanted && self.desk.tried(Task::Dial(id)).running && self.due(after(dialed, ON_ITS_WAY)) {
                self.decision.called_off.push(id);
            }
        }
    }

    fn end_legs(&mut self) {
        for (id, leg) in &self.call.legs {
            if let (Some(call), None, Some(_)) = (&leg.call, &leg.ended, &leg.given_up) {
                let effect = Effect::EndLeg { leg: *id, call: call.clone(), answered: leg.answered };
                self.start(effect, Duration::from_secs(1));
            }
        }
    }

    /// Legs that may be dialled, or not: nobody knows. Their callbacks tell, or asking does.
    fn find_legs(&mut self) {
        for (id, leg) in self.dialled() {
            let dial = self.desk.tried(Task::Dial(*id));
            let unknown = leg.call.is_none() && leg.ended.is_none() && !dial.running;
            let by_the_line = self.handoff.plan.route == Route::Direct && self.due(after(leg.dialed, LOOK_CLOSELY));
            if unknown && (by_the_line || !self.desk.is_mine(*id) || dial.times > 0) {
                let Some(to) = &leg.to else { continue };
                let candidate = Candidate::new(leg.person.clone(), to.clone());
                let effect = Effect::FindLeg { leg: *id, candidate, since: leg.dialed };
                self.start(effect, Duration::from_secs(1));
            }
        }
    }

    fn say_farewell(&mut self) {
        let plan = &self.handoff.plan;
        let begun = self.desk.inherited || self.desk.tried(Task::Farewell).times > 0;
        if self.handoff.farewell_over.is_none() && !begun {
            let (words, limit) = (plan.farewell.clone(), plan.limits.farewell);
            self.decision.effects.push(Effect::SayFarewell { words, limit });
        }
    }

    fn dial(&mut self) {
        let Some(id) = self.call.wanted_leg() else { return };
        let Some(leg) = self.leg(id) else { return };
        let first = self.desk.is_mine(id) && self.desk.tried(Task::Dial(id)).times == 0;
        if leg.call.is_none()
            && first
            && self.handoff.plan.route == Route::Room
            && let Some(candidate) = self.handoff.plan.candidates.get(leg.candidate)
        {
            self.decision.effects.push(Effect::Dial { leg: id, candidate: candidate.clone() });
        }
    }

    fn move_caller(&mut self) {
        let Some(call) = self.call.call_sid.clone() else { return };
        let to = self.call.place();
        let caller = self.handoff.caller;
        let out = matches!(to, Place::Room | Place::Dial(_) | Place::Wait);
        if out && caller == Whereabouts::Agent {
            self.move_out(call, to);
        } else if out && matches!(caller, Whereabouts::OnTheWay | Whereabouts::Between | Whereabouts::Returning) {
            // The document is on its way. If nothing comes of it, it is given anew, but not to a caller in the room, which
            // is only known some time after the caller would have come there.
            let since = self.handoff.caller_since.max(self.desk.since);
            let looked = self.desk.tried(Task::Look).well.is_some_and(|at| at > after(since, ON_THE_WAY / 2));
            if self.due(after(since, ON_THE_WAY)) && looked {
                self.start(Effect::RedirectCaller { call, to }, ON_THE_WAY);
            }
        } else if !out && !self.call.at_home() {
            self.move_back(call, to);
        }
    }

    fn move_out(&mut self, call: CallSid, to: Place) {
        let tried = self.desk.tried(Task::MoveOut);
        // Whoever had it before may have moved the caller already, and the document be on its way.
        let inherited = self.desk.inherited;
        if inherited && (self.desk.tried(Task::Look).ended.is_none() || !self.due(after(self.desk.since, REDIRECTED))) {
            return;
        }
        if tried.times < MOVES {
            self.start(Effect::RedirectCaller { call, to }, REDIRECTED);
        } else if self.desk.tried(Task::LeaveStream).times == 0 {
            self.start_after(Task::MoveOut, REDIRECTED, Effect::LeaveStream);
        } else if let Some(ended) = self.desk.tried(Task::LeaveStream).ended {
            // Whether it helped is seen by then.
            _ = self.due(after(ended, REDIRECTED));
        }
    }

    fn start_after(&mut self, task: Task, pause: Duration, effect: Effect) {
        let tried = self.desk.tried(task);
        if !tried.running
            && let Some(ended) = tried.ended
            && self.due(after(ended, pause))
        {
            self.start(effect, pause);
        }
    }

    fn move_back(&mut self, call: CallSid, to: Place) {
        let taker = self.call.legs.values().any(|leg| leg.accepted && leg.ended.is_some());
        let alone = self.handoff.caller == Whereabouts::Room && !taker;
        let ended = self.ended_at().max(self.handoff.caller_since);
        // When the person leaves the room closes, and the caller's leg asks by itself. The stream that it is told to open may
        // take a while; if it fails, the leg asks again.
        let by_itself = if self.handoff.caller == Whereabouts::Returning { ON_THE_WAY } else { BY_ITSELF };
        if alone || self.due(after(ended, by_itself)) {
            self.start(Effect::RedirectCaller { call, to }, REDIRECTED);
        }
    }

    fn tell(&mut self) {
        let here = self.call.place() == Place::Agent && self.handoff.caller == Whereabouts::Agent;
        if self.call.is_to_be_told()
            && here
            && let Some((_, HandoffEnd::Failed(cause))) = &self.handoff.ended
        {
            self.start(Effect::TellCaller { cause: cause.clone() }, Duration::from_secs(1));
        }
    }

    fn look(&mut self) {
        let persons = self.call.legs.iter().filter(|(_, leg)| leg.ended.is_none()).map(|(id, leg)| (id, &leg.call));
        let others =
            self.call.supervisors.iter().filter(|(_, leg)| leg.ended.is_none()).map(|(id, leg)| (id, &leg.call));
        let legs: Vec<_> = persons.chain(others).filter_map(|(id, call)| Some((*id, call.clone()?))).collect();
        let over = self.call.status.is_terminal();
        if over && legs.is_empty() || !over && self.handoff.ended.is_some() && legs.is_empty() && self.call.at_home() {
            return;
        }
        if self.call.call_sid.is_none() && legs.is_empty() {
            return;
        }
        let tried = self.desk.tried(Task::Look);
        let moving = self.handoff.under_way() && self.handoff.moving.is_some() && self.handoff.connected.is_none();
        let unsettled = moving && self.call.legs.values().any(|leg| leg.accepted && leg.is_wanted());
        let refused = self.desk.tried(Task::MoveOut).failed + self.desk.tried(Task::MoveBack).failed;
        let rings = |leg: &PersonLeg| leg.is_wanted() && !leg.answered && leg.call.is_some();
        let quiet = self.handoff.plan.limits.ring + RING_MARGIN;
        let silent = self.call.legs.values().any(|leg| rings(leg) && after(leg.dialed, quiet) <= self.now);
        let silent = silent || self.supervisor_silent(quiet);
        let close =
            silent || unsettled || !self.call.at_home() || refused > 0 || self.handoff.caller == Whereabouts::OnTheWay;
        let pause = if close { LOOK_CLOSELY } else { LOOK };
        let due = match tried.ended {
            _ if tried.running => return,
            None if self.desk.inherited => self.now,
            None => after(self.desk.since, pause),
            Some(ended) => after(ended, pause),
        };
        if self.due(due) {
            let caller = self.call.call_sid.clone().filter(|_| !over);
            let room = !over && self.handoff.plan.route == Route::Room && self.handoff.moving.is_some();
            self.decision.effects.push(Effect::Look { caller, legs, room });
        }
    }
}
