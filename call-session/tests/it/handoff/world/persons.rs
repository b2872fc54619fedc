//! The persons who are called.

use std::time::Duration;

use call_session::{
    call::SupervisorRole,
    handoff::{LegPlace, Verdict, answer_leg, leg_place, verdict},
    id::LegId,
    store::SessionStore,
};
use tokio::time::Instant;
use twilio_twiml::{
    phone::Address,
    sid::CallSid,
    words::{AnsweredBy, CallStatus},
};

use super::{At, Door, HABITS, Habit, Happening, Leg, World, over};

impl World {
    pub(super) fn leg_names(&self, leg: usize) -> (LegId, CallSid) {
        let state = self.state();
        (state.legs[leg].id, state.legs[leg].sid.clone())
    }

    pub(super) fn leg_rings(&self, leg: usize) {
        let habit = {
            let leg = &mut self.state().legs[leg];
            if over(&leg.status) {
                return;
            }
            leg.status = CallStatus::Ringing;
            leg.habit
        };
        self.callback(|| Happening::Status(leg, CallStatus::Ringing));
        let (soon, late) = self.with(|chance| (chance.millis(1500, 9000), chance.millis(18_000, 26_000)));
        let rings = Duration::from_secs(23);
        match habit {
            Habit::NoAnswer => self.later(rings, Happening::LegEnds(leg, CallStatus::NoAnswer)),
            Habit::Busy => self.later(Duration::from_secs(1), Happening::LegEnds(leg, CallStatus::Busy)),
            Habit::Unreachable => self.later(Duration::from_secs(1), Happening::LegEnds(leg, CallStatus::Failed)),
            Habit::AnswersLate => {
                self.later(late, Happening::LegAnswers(leg));
                self.later(rings, Happening::LegEnds(leg, CallStatus::NoAnswer));
            }
            _ => self.later(soon, Happening::LegAnswers(leg)),
        }
    }

    pub(super) fn leg_answers(&self, leg: usize) {
        let (direct, cold, habit, name) = {
            let leg = &mut self.state().legs[leg];
            if over(&leg.status) {
                return;
            }
            leg.status = CallStatus::InProgress;
            leg.accepted |= leg.cold;
            (leg.direct, leg.cold, leg.habit, leg.name.clone())
        };
        let through = direct && cold;
        self.say(format!("{name} picks up"));
        self.callback(|| Happening::Status(leg, CallStatus::InProgress));
        // Some persons sound like machines.
        let (machine, wait) = self.with(|chance| (chance.percent(10), chance.millis(900, 4500)));
        let machine = habit == Habit::Voicemail || (machine && !through);
        let by = if machine { AnsweredBy::MachineStart } else { AnsweredBy::Human };
        if direct || !cold {
            self.later(wait, Happening::Detected(leg, by));
        }
        if through {
            // The line puts them through by itself.
            self.leg_in_room(leg);
            let talk = self.talk(habit);
            return self.later(talk, Happening::LegEnds(leg, CallStatus::Completed));
        }
        let wait = self.with(|chance| chance.millis(60, 700));
        self.later(wait, Happening::LegAsks(leg, 0));
        if habit == Habit::Voicemail {
            self.later(Duration::from_secs(60), Happening::LegEnds(leg, CallStatus::Completed));
        }
    }

    fn talk(&self, habit: Habit) -> Duration {
        let at_once = habit == Habit::AcceptsAndLeaves;
        self.with(|chance| if at_once { chance.millis(50, 3000) } else { chance.millis(4000, 60_000) })
    }

    fn leg_in_room(&self, leg: usize) {
        let leg = &mut self.state().legs[leg];
        (leg.in_room, leg.moved) = (true, Some(Instant::now()));
    }

    /// A leg is over. If it was in the room, or dialled directly, the other side goes on.
    pub(super) fn leg_ends(&self, leg: usize, status: &CallStatus) {
        let (was_in_room, direct, name, id, sid, supervises) = {
            let leg = &mut self.state().legs[leg];
            if over(&leg.status) || (*status == CallStatus::NoAnswer && leg.status == CallStatus::InProgress) {
                return;
            }
            leg.status = status.clone();
            leg.moved = leg.in_room.then(Instant::now).or(leg.moved);
            let supervises = leg.role.is_some();
            (std::mem::take(&mut leg.in_room), leg.direct, leg.name.clone(), leg.id, leg.sid.clone(), supervises)
        };
        if was_in_room && !supervises {
            self.state().person_seen = Some(Instant::now());
        }
        self.say(format!("{name} is over: {status}"));
        self.released(&name);
        self.callback(|| Happening::Status(leg, status.clone()));
        if was_in_room && !direct {
            self.room_tells(Some(leg), "participant-leave", Some("completed"));
        }
        if supervises {
            return;
        }
        if was_in_room && !direct {
            self.supervisors_leave();
        }
        let caller = self.state().caller;
        if (was_in_room && !direct && caller == At::Room) || caller == At::Direct(id) {
            if !direct {
                self.room_tells(None, "participant-leave", Some("in-progress"));
            }
            self.caller_next(Door::AfterRoom(direct.then(|| (sid, status.clone()))), 40, 300);
        }
    }

    pub(super) async fn leg_asks(&self, leg: usize, tries: u32) {
        if over(&self.state().legs[leg].status) {
            return;
        }
        if tries < 2 && self.mishap(8) {
            return self.later(Duration::from_secs(1), Happening::LegAsks(leg, tries + 1));
        }
        let (id, sid) = self.leg_names(leg);
        let habit = self.state().legs[leg].habit;
        let by =
            (habit == Habit::Voicemail && self.with(|chance| chance.percent(70))).then_some(AnsweredBy::MachineStart);
        let call = self.tell_door(|call| answer_leg(call, id, &sid, by.as_ref())).await;
        // Nobody is connected by guess.
        let place = call.map_or(LegPlace::Gone, |call| leg_place(&call.summary, id, &sid));
        if place == LegPlace::Briefing {
            let (wait, late) = self.with(|chance| (chance.millis(3000, 9000), chance.millis(43_500, 46_500)));
            match habit {
                Habit::Accepts | Habit::AnswersLate | Habit::AcceptsAndLeaves => {
                    self.later(wait, Happening::LegSays(leg, Verdict::Accept))
                }
                Habit::AcceptsLate => self.later(late, Happening::LegSays(leg, Verdict::Accept)),
                Habit::AcceptsTwice => {
                    self.later(wait, Happening::LegSays(leg, Verdict::Accept));
                    self.later(wait, Happening::LegSays(leg, Verdict::Accept));
                }
                Habit::Declines => self.later(wait, Happening::LegSays(leg, Verdict::Decline)),
                // A greeting may begin as a consent does.
                Habit::Voicemail if self.mishap(40) => self.later(wait, Happening::LegSays(leg, Verdict::Accept)),
                Habit::Voicemail | Habit::SaysNothing => self.later(wait, Happening::LegSays(leg, Verdict::Unclear)),
                Habit::HangsUpInBriefing => self.later(wait, Happening::LegEnds(leg, CallStatus::Completed)),
                _ => {}
            }
        }
        self.follow(leg, place);
    }

    pub(super) async fn leg_says(&self, leg: usize, said: Verdict) {
        if over(&self.state().legs[leg].status) {
            return;
        }
        let (id, sid) = self.leg_names(leg);
        let by_key = self.state().legs[leg].habit != Habit::Voicemail && self.with(|chance| chance.percent(50));
        let known = self.store.inner().summary(self.session).await.unwrap();
        let machine = known.is_some_and(|call| call.legs.get(&id).is_some_and(|leg| leg.machine));
        if said == Verdict::Accept && (by_key || !machine) {
            self.state().legs[leg].accepted = true;
        }
        let call = self.tell_door(|call| verdict(call, id, &sid, said, by_key)).await;
        let place = call.map_or(LegPlace::Gone, |call| leg_place(&call.summary, id, &sid));
        if place == LegPlace::Briefing {
            // Asked again.
            self.later(Duration::from_secs(10), Happening::LegSays(leg, said));
        }
        self.follow(leg, place);
    }

    /// The room closes when the person leaves it, or the caller.
    fn supervisors_leave(&self) {
        let there: Vec<_> = {
            let state = self.state();
            let legs = state.legs.iter().enumerate().filter(|(_, leg)| leg.in_room && leg.role.is_some());
            legs.map(|(number, _)| number).collect()
        };
        there.into_iter().for_each(|leg| self.leg_ends(leg, &CallStatus::Completed));
    }

    /// A supervisor comes to the room: whoever whispers only if the person is there.
    fn supervisor_comes(&self, leg: usize, role: SupervisorRole) {
        let (there, name, habit) = {
            let state = self.state();
            let person = state.legs.iter().any(|leg| leg.in_room && leg.role.is_none());
            let leg = &state.legs[leg];
            if leg.in_room {
                return;
            }
            (person, leg.name.clone(), leg.habit)
        };
        if role == SupervisorRole::Whisper && !there {
            return self.leg_ends(leg, &CallStatus::Completed);
        }
        self.room_opens();
        self.state().legs[leg].role = Some(role);
        self.leg_in_room(leg);
        self.say(format!("{name} is in the room to {role:?}"));
        self.room_tells(Some(leg), "participant-join", None);
        let talk = self.talk(habit);
        self.later(talk, Happening::LegEnds(leg, CallStatus::Completed));
    }

    /// What the leg does with its document.
    fn follow(&self, leg: usize, place: LegPlace) {
        if self.state().legs[leg].role.is_some() && matches!(place, LegPlace::Briefing | LegPlace::Room) {
            return self.wrong("a supervisor is taken for the person");
        }
        match place {
            LegPlace::Supervisor(role) => self.supervisor_comes(leg, role),
            LegPlace::Briefing => {}
            LegPlace::Room => {
                let (accepted, there, direct, name, habit) = {
                    let state = self.state();
                    let leg = &state.legs[leg];
                    (leg.accepted, leg.in_room, leg.direct, leg.name.clone(), leg.habit)
                };
                if there {
                    return;
                }
                if !accepted {
                    self.wrong(format!("{name} comes to the caller and did not accept"));
                }
                if !direct {
                    self.room_opens();
                }
                self.leg_in_room(leg);
                self.say(format!("{name} is in the room"));
                if !direct {
                    self.room_tells(Some(leg), "participant-join", None);
                }
                let talk = self.talk(habit);
                self.later(talk, Happening::LegEnds(leg, CallStatus::Completed));
            }
            _ => self.later(Duration::from_millis(800), Happening::LegEnds(leg, CallStatus::Completed)),
        }
    }

    /// A leg begins to exist.
    pub(super) fn place(
        &self,
        id: LegId,
        to: Address,
        direct: bool,
        cold: bool,
        role: Option<SupervisorRole>,
    ) -> CallSid {
        let (number, sid) = {
            let state = &mut *self.state();
            let number = state.legs.len();
            let sid: CallSid = format!("CA{:032x}", number + 1).parse().unwrap();
            let habit = state.chance.one(&HABITS);
            let kind = if role.is_some() { "supervisor" } else { "leg" };
            let name = format!("{kind} {number} ({habit:?})");
            state.legs.push(Leg {
                id,
                to,
                sid: sid.clone(),
                name,
                habit,
                status: CallStatus::Queued,
                created: Instant::now(),
                direct,
                cold,
                role,
                in_room: false,
                moved: None,
                accepted: false,
                alone_since: None,
            });
            (number, sid)
        };
        let (name, offered_twice) = {
            let state = self.state();
            let leg = &state.legs[number];
            let free = state.asked_of.contains(&leg.to) && !state.elsewhere.contains(&leg.to);
            (leg.name.clone(), leg.role.is_none() && !free)
        };
        self.say(format!("{name} is dialled"));
        if offered_twice {
            self.wrong(format!("{name} was not known to be free"));
        }
        self.callback(|| Happening::Status(number, CallStatus::Queued));
        let wait = self.with(|chance| chance.millis(200, 1200));
        self.later(wait, Happening::LegRings(number));
        sid
    }
}
