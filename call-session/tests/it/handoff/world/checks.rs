//! What must hold at any time.

use std::time::Duration;

use call_session::{call::CallSummary, store::SessionStore};
use tokio::time::Instant;

use super::{At, Habit, Weather, World, over};

/// The longest the caller may hear nothing.
const SILENCE: Duration = Duration::from_secs(4);
/// How late what happened in the room may be known: when callbacks are lost, by asking now and then.
const NEAR: Duration = Duration::from_secs(20);
/// The longest a person may be in the room without the caller.
const ALONE: Duration = Duration::from_secs(40);
/// The longest a caller may wait in the room, or for a dial, with nobody there: the search, and one who does not decide.
const WAITS: Duration = Duration::from_secs(260);

impl World {
    pub(super) fn silence(&self, silent: Duration) {
        if silent > SILENCE {
            self.wrong(format!("the caller heard nothing for {silent:?}"));
        }
    }

    pub(super) fn check(&self) {
        let mut found = Vec::new();
        {
            let state = &mut *self.state();
            let now = Instant::now();
            let caller_there = state.caller == At::Room;
            let accompanied = matches!(state.caller, At::Direct(_));
            let mut persons = 0;
            let in_room = |leg: &super::Leg| leg.in_room && !over(&leg.status);
            let person_there = state.legs.iter().any(|leg| in_room(leg) && leg.role.is_none());
            for leg in &mut state.legs {
                let there = in_room(leg);
                persons += u32::from(there && leg.role.is_none());
                let with_person = leg.role.is_some() && person_there;
                let alone = there && !caller_there && !accompanied && !with_person;
                leg.alone_since = if alone { leg.alone_since.or(Some(now)) } else { None };
                if leg.alone_since.is_some_and(|since| since.elapsed() > ALONE) {
                    leg.alone_since = None;
                    found.push(format!("{} is alone in the room", leg.name));
                }
            }
            if persons > 1 {
                found.push("two persons are in the room".to_owned());
            }
            if state.silent_since.is_some_and(|since| since.elapsed() > SILENCE) {
                state.silent_since = None;
                found.push("the caller hears nothing for too long".to_owned());
            }
            let waits = matches!(state.caller, At::Room | At::Waiting | At::Direct(_)) && persons == 0;
            state.waits_since = if waits { state.waits_since.or(Some(now)) } else { None };
            if state.waits_since.is_some_and(|since| since.elapsed() > WAITS) {
                state.waits_since = None;
                found.push("the caller waits for ever".to_owned());
            }
            let together = persons > 0 && (caller_there || accompanied);
            state.caller_seen = if caller_there || accompanied { Some(now) } else { state.caller_seen };
            state.person_seen = if persons > 0 { Some(now) } else { state.person_seen };
            if let (Some(caller), Some(person)) = (state.caller_seen, state.person_seen) {
                state.near |= caller.max(person) - caller.min(person) < NEAR;
            }
            match (together, state.together) {
                (true, None) => state.together = Some(now),
                (false, Some(since)) => {
                    state.longest_together = state.longest_together.max(since.elapsed());
                    state.together = None;
                }
                _ => {}
            }
        }
        found.into_iter().for_each(|line| self.wrong(line));
    }

    /// A leg is over: not too long after the caller has gone.
    pub(super) fn released(&self, name: &str) {
        let late = {
            let state = self.state();
            let limit = Duration::from_secs(if state.weather == Weather::Calm { 20 } else { 90 });
            state.gone.map(|gone| gone.elapsed()).filter(|late| *late > limit)
        };
        if let Some(late) = late {
            self.wrong(format!("{name} was left for {late:?} after the caller had gone"));
        }
    }

    /// What must hold when everything is over, and what is written down agrees with what happened.
    pub(in crate::handoff) async fn check_end(&self) {
        let call = self.store.inner().summary(self.session).await.unwrap().unwrap();
        if !call.status.is_terminal() {
            self.wrong(format!("the call is over and the session says {:?}", call.status));
        }
        if call.needs_runner() {
            self.wrong("something is left to be done");
        }
        self.check_legs(&call);
        let (near, together) = {
            let state = self.state();
            let longest = state.together.map_or(state.longest_together, |at| state.longest_together.max(at.elapsed()));
            (state.near, longest)
        };
        if call.times.with_agent.is_some() && !near {
            self.wrong("with-agent was said, and nobody was with the caller");
        }
        // When all callbacks are lost and the API is away as well, nobody can know.
        if call.times.with_agent.is_none() && together > Duration::from_secs(45) {
            self.wrong("a person was with the caller, and nobody said so");
        }
    }

    fn check_legs(&self, call: &CallSummary) {
        let mut found = Vec::new();
        let state = self.state();
        for leg in &state.legs {
            if !over(&leg.status) {
                found.push(format!("{} is left", leg.name));
            }
            if let Some(written) = call.supervisors.get(&leg.id) {
                // What the line was told is what was wanted, if nothing went wrong on the way.
                let calm = state.weather == Weather::Calm && written.arrived && written.given == Some(written.role);
                if calm && leg.role != written.given {
                    found.push(format!("{} does not do what is written", leg.name));
                }
                continue;
            }
            let Some(written) = call.legs.get(&leg.id) else {
                found.push(format!("{} was dialled and not written down", leg.name));
                continue;
            };
            let calm = state.weather == Weather::Calm;
            if calm && leg.direct && written.accepted && leg.habit == Habit::Voicemail {
                found.push(format!("{} has taken a call", leg.name));
            }
            let answers = matches!(leg.habit, Habit::Accepts | Habit::AcceptsTwice | Habit::Declines);
            if answers && !leg.cold && written.given_up.as_deref() == Some("machine") {
                found.push(format!("{} was cut off before an answer", leg.name));
            }
            if written.accepted && !leg.accepted {
                found.push(format!("{} did not accept, and it is written that they did", leg.name));
            }
        }
        for (id, leg) in call.legs.iter().filter(|_| !state.legs.iter().any(|leg| leg.direct)) {
            let dialled = state.legs.iter().any(|leg| leg.id == *id);
            if !dialled && leg.given_up.as_deref() == Some("no-answer") {
                found.push("somebody did not answer who was never called".to_owned());
            }
        }
        for id in call.legs.keys().chain(call.supervisors.keys()) {
            if state.legs.iter().filter(|leg| leg.id == *id).count() > 1 {
                found.push("somebody was dialled twice as the same leg".to_owned());
            }
        }
        drop(state);
        found.into_iter().for_each(|line| self.wrong(line));
    }
}
