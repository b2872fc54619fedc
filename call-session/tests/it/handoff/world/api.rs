//! What the runner asks of the model: Twilio's API, the agent, the time.

use std::{future::pending, time::Duration};

use async_trait::async_trait;
use call_session::{
    call::{CallSummary, HandoffEvent, Recorded, SessionEvent, SupervisorRole},
    handoff::{
        CallerAgent, Candidate, Clock, Detection, Dial, Documents, LineError, NoAgent, NoRoster, Roster, Telephone,
        room_name,
    },
    id::{LegId, SessionId},
    store::SessionStore,
};
use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, sleep};
use twilio_twiml::{
    phone::Address,
    sid::CallSid,
    twiml::{self, Conference, InlineTwiml, Response},
    words::CallStatus,
};

use super::{At, Door, EPOCH, Weather, World, over};

impl World {
    /// A step of the runner: the server may die here.
    async fn step(&self) {
        let (away, lost) = (self.mishap(2), self.mishap(3));
        if away {
            self.store.away_for(self.with(|chance| chance.millis(200, 3000)));
        }
        if lost {
            self.store.lose_answers(1);
        }
        let dies = {
            let state = &mut *self.state();
            match &mut state.crash_in {
                Some(0) => true,
                Some(left) => {
                    *left -= 1;
                    false
                }
                None => false,
            }
        };
        if dies {
            self.state().crash_in = None;
            self.crash.notify_one();
            pending::<()>().await;
        }
    }

    /// How an answer of the API comes: `Ok(true)` done and said, `Ok(false)` not done and said, else unknown.
    async fn api(&self, name: &str) -> (bool, Option<LineError>) {
        self.step().await;
        let (wait, done, error) = {
            let state = &mut *self.state();
            let wait = state.chance.millis(20, 180);
            let hard = state.weather != Weather::Calm;
            match state.chance.below(100) {
                // 429, or a refusal; 21220 or 404 to one that is there; a time-out without effect, and with one.
                0..5 if hard => (wait, false, Some(LineError::NotDone)),
                5..7 if hard => (wait, false, Some(LineError::NotInProgress)),
                7..11 if hard => (wait, false, Some(LineError::Unknown)),
                11..16 if hard => (wait, true, Some(LineError::Unknown)),
                _ => (wait, true, None),
            }
        };
        sleep(wait).await;
        let outcome = match error {
            Some(error) => format!(" ({error}{})", if done { ", and was" } else { "" }),
            None => String::new(),
        };
        self.say(format!("api: {name}{outcome}"));
        (done, error)
    }

    async fn answer<T>(&self, value: T, error: Option<LineError>) -> Result<T, LineError> {
        match error {
            Some(error) => {
                if error == LineError::Unknown {
                    sleep(self.with(|chance| chance.millis(4000, 10_000))).await;
                }
                self.step().await;
                Err(error)
            }
            None => {
                sleep(Duration::from_millis(60)).await;
                self.step().await;
                Ok(value)
            }
        }
    }
}

impl World {
    /// Nobody is dialled long after they were given up.
    async fn still_wanted(&self, leg: LegId) {
        let given_up = |recorded: &Recorded| match &recorded.stamped.event {
            SessionEvent::Handoff(HandoffEvent::GivenUp { leg: other, .. }) => *other == leg,
            _ => false,
        };
        let history = self.store.inner().history(self.session).await.unwrap();
        let since = history.iter().find(|recorded| given_up(recorded)).map(|recorded| recorded.stamped.at);
        let late = since.is_some_and(|since| self.now_stamp().duration_since(since) > SignedDuration::from_secs(12));
        if late {
            self.wrong("somebody is dialled whom nobody wants any more");
        }
    }
}

/// How far the list of who is in a room is behind.
const LAG: Duration = Duration::from_millis(1200);

impl World {
    pub(super) fn now_stamp(&self) -> Timestamp {
        EPOCH.parse::<Timestamp>().unwrap() + self.began.elapsed()
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        self.now_stamp()
    }
}

#[async_trait]
impl Telephone for World {
    async fn dial(&self, dial: &Dial) -> Result<CallSid, LineError> {
        if self.mishap(12) {
            // Many are dialled at once: this one waits for its turn.
            sleep(self.with(|chance| chance.millis(1000, 45_000))).await;
            self.still_wanted(dial.leg).await;
        }
        let (done, error) = self.api("dial").await;
        if !done && error == Some(LineError::Unknown) && self.with(|chance| chance.percent(50)) {
            self.stranger(dial.to.clone()).await;
        }
        let call = self.store.inner().summary(self.session).await.unwrap().unwrap();
        let role = call.supervisors.get(&dial.leg).map(|leg| leg.role);
        let cold = dial.detection == Detection::Before && role.is_none();
        let sid = if done { Some(self.place(dial.leg, dial.to.clone(), false, cold, role)) } else { None };
        let sid = self.answer(sid, error).await?;
        sid.ok_or(LineError::NotDone)
    }

    async fn end(&self, call: &CallSid, answered: bool) -> Result<CallStatus, LineError> {
        let (done, error) = self.api("end").await;
        let Some(leg) = self.state().legs.iter().position(|leg| leg.sid == *call) else {
            self.wrong("a leg of another call is ended");
            return self.answer(CallStatus::Completed, error).await;
        };
        let status = self.state().legs[leg].status.clone();
        // Twilio says one or the other of a call that is over, or that was answered meanwhile.
        let refused = self.with(|chance| chance.percent(50));
        if over(&status) || (!answered && status == CallStatus::InProgress) {
            let said = if refused { Err(LineError::NotInProgress) } else { Ok(status) };
            return self.answer(said, error).await?;
        }
        let end = if answered { CallStatus::Completed } else { CallStatus::Canceled };
        if done {
            self.leg_ends(leg, &end);
        }
        self.answer(end, error).await
    }

    async fn redirect(&self, _session: SessionId, _call: &CallSid) -> Result<(), LineError> {
        let (done, error) = self.api("redirect").await;
        if self.caller_gone() {
            return self.answer(Err(LineError::NotInProgress), error).await?;
        }
        if done {
            self.torn().await;
            let was = self.state().caller;
            if was == At::Room {
                self.room_tells(None, "participant-leave", Some("in-progress"));
            }
            self.caller_next(Door::Redirect, 40, 300);
            if matches!(was, At::Room | At::Direct(_)) {
                self.room_closes();
            }
        }
        self.answer((), error).await
    }

    async fn run(&self, _call: &CallSid, document: &InlineTwiml) -> Result<(), LineError> {
        let (done, error) = self.api("run").await;
        if !document.as_str().contains(&room_name(self.session)) {
            self.wrong("a document leads to another room");
        }
        if self.caller_gone() {
            return self.answer(Err(LineError::NotInProgress), error).await?;
        }
        // Who cannot know whether the caller is in the room has a reason to fetch them back.
        self.state().unsure = !done && error == Some(LineError::Unknown);
        if done {
            self.torn().await;
            let was = self.state().caller;
            if was == At::Room {
                self.room_tells(None, "participant-leave", Some("in-progress"));
            }
            self.caller_runs();
            if matches!(was, At::Room | At::Direct(_)) {
                self.room_closes();
            }
        }
        self.answer((), error).await
    }

    async fn set_role(
        &self,
        room: &str,
        call: &CallSid,
        role: SupervisorRole,
        coached: Option<&CallSid>,
    ) -> Result<(), LineError> {
        self.asked_for(room);
        let (done, error) = self.api(&format!("set-role {role:?}")).await;
        let there = {
            let state = self.state();
            let in_room = |sid: &CallSid| state.legs.iter().any(|leg| leg.in_room && leg.sid == *sid);
            in_room(call) && (role != SupervisorRole::Whisper || coached.is_some_and(in_room))
        };
        if !there {
            return self.answer(Err(LineError::NotInProgress), error).await?;
        }
        if done {
            let state = &mut *self.state();
            state.legs.iter_mut().filter(|leg| leg.sid == *call).for_each(|leg| leg.role = Some(role));
        }
        self.answer((), error).await
    }

    async fn status(&self, call: &CallSid) -> Result<Option<CallStatus>, LineError> {
        let (_, error) = self.api("status").await;
        let status = if *call == self.caller {
            if self.caller_gone() { CallStatus::Completed } else { CallStatus::InProgress }
        } else {
            let leg = self.state().legs.iter().find(|leg| leg.sid == *call).map(|leg| leg.status.clone());
            leg.unwrap_or(CallStatus::InProgress)
        };
        self.answer(Some(status), error).await
    }

    /// By numbers and time, as Twilio's list is: with legs of other calls, and late.
    async fn find(&self, dial: &Dial, since: Timestamp) -> Result<Vec<(CallSid, CallStatus)>, LineError> {
        let (_, error) = self.api("find").await;
        let found = {
            let state = self.state();
            let fits = |to: &Address, created: Instant| {
                let at = EPOCH.parse::<Timestamp>().unwrap() + (created - self.began);
                *to == dial.to && at >= since && created.elapsed() > Duration::from_secs(2)
            };
            let legs = state.legs.iter().filter(|leg| fits(&leg.to, leg.created));
            let legs = legs.map(|leg| (leg.sid.clone(), leg.status.clone()));
            let strangers = state.strangers.iter().filter(|stranger| fits(&stranger.to, stranger.created));
            legs.chain(strangers.map(|stranger| (stranger.sid.clone(), CallStatus::InProgress))).collect()
        };
        self.answer(found, error).await
    }

    async fn room(&self, name: &str) -> Result<Vec<CallSid>, LineError> {
        self.asked_for(name);
        let (_, error) = self.api("room").await;
        let present = {
            let state = self.state();
            let shown = |moved: Option<Instant>| moved.is_none_or(|at| at.elapsed() > LAG);
            // Who has just come is not shown yet, who has just gone still is.
            let caller =
                if state.caller == At::Room { shown(Some(state.caller_since)) } else { !shown(state.left_room) };
            let caller = caller.then(|| self.caller.clone());
            let legs =
                state.legs.iter().filter(|leg| !leg.direct && leg.moved.is_some() && leg.in_room == shown(leg.moved));
            caller.into_iter().chain(legs.map(|leg| leg.sid.clone())).collect()
        };
        self.answer(present, error).await
    }
}

#[async_trait]
impl CallerAgent for World {
    async fn say(&self, _session: SessionId, _words: &str) -> Result<(), NoAgent> {
        self.step().await;
        if self.state().caller != At::Agent {
            return Err(NoAgent);
        }
        let wait = self.with(|chance| chance.millis(1500, 10_000));
        sleep(wait).await;
        World::say(self, "the farewell was heard");
        self.step().await;
        Ok(())
    }

    async fn tell(&self, _session: SessionId, cause: &str) -> Result<(), NoAgent> {
        self.step().await;
        if self.state().caller != At::Agent {
            return Err(NoAgent);
        }
        self.state().failures_told += 1;
        World::say(self, format!("the caller is told: {cause}"));
        self.step().await;
        Ok(())
    }

    async fn leave(&self, _session: SessionId) -> Result<(), NoAgent> {
        self.step().await;
        if self.state().caller != At::Agent {
            return Err(NoAgent);
        }
        let left = self.stream_is_left();
        self.step().await;
        if left { Ok(()) } else { Err(NoAgent) }
    }
}

#[async_trait]
impl Roster for World {
    async fn keep_free(&self, _session: SessionId, candidate: &Candidate) -> Result<bool, NoRoster> {
        self.step().await;
        let (wait, free, unknown) = self.with(|chance| (chance.millis(5, 900), !chance.percent(15), chance.percent(8)));
        sleep(wait).await;
        if unknown {
            return Err(NoRoster);
        }
        let to = candidate.to.clone();
        {
            let state = &mut *self.state();
            state.asked_of.insert(to.clone());
            if free {
                state.elsewhere.remove(&to)
            } else {
                state.elsewhere.insert(to)
            };
        }
        World::say(self, if free { "the person is free" } else { "the person has another caller" });
        self.step().await;
        Ok(free)
    }
}

impl Documents for World {
    fn room(&self, call: &CallSummary) -> Option<InlineTwiml> {
        Response::new().dial(twiml::Dial::to(Conference::new(room_name(call.id)))).to_inline().ok()
    }
}
