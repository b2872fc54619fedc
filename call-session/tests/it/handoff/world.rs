//! Twilio as a model: a caller's leg, persons' legs, one room, documents and callbacks, in virtual time and with hardship.

mod api;
mod caller;
mod checks;
mod persons;
mod strangers;

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use call_session::{
    call::{CallSession, Ending, SessionEvent, Status, SupervisorRole},
    handoff::{Clock, Verdict, leg_machine, leg_progress, room_name, room_progress},
    id::{LegId, SessionId, StreamId},
    store::{self, SessionStore},
};
use strangers::Stranger;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};
use twilio_twiml::{
    phone::Address,
    sid::CallSid,
    webhook::{ConferenceProgress, Form, Webhook},
    words::{AnsweredBy, CallStatus},
};

use super::chance::Chance;
use crate::hardship::HardStore;

/// What a person does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Habit {
    NoAnswer,
    Busy,
    Unreachable,
    Accepts,
    /// As the time for a decision is over.
    AcceptsLate,
    AcceptsTwice,
    /// As the time for ringing is over.
    AnswersLate,
    /// Accepts, and hangs up before the caller can be there.
    AcceptsAndLeaves,
    Declines,
    SaysNothing,
    HangsUpInBriefing,
    Voicemail,
}

const HABITS: [Habit; 15] = [
    Habit::NoAnswer,
    Habit::Busy,
    Habit::Unreachable,
    Habit::Accepts,
    Habit::Accepts,
    Habit::Accepts,
    Habit::Accepts,
    Habit::AcceptsLate,
    Habit::AcceptsTwice,
    Habit::AnswersLate,
    Habit::AcceptsAndLeaves,
    Habit::Declines,
    Habit::SaysNothing,
    Habit::HangsUpInBriefing,
    Habit::Voicemail,
];

/// Where the caller's leg is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    Agent,
    /// Between two documents: nothing is heard.
    Nowhere,
    Waiting,
    Room,
    Direct(LegId),
    Goodbye,
    Gone,
}

#[derive(Debug)]
struct Leg {
    id: LegId,
    to: Address,
    sid: CallSid,
    name: String,
    habit: Habit,
    status: CallStatus,
    created: Instant,
    direct: bool,
    /// The line puts them through by itself when they pick up.
    cold: bool,
    /// What the leg does in the room, if it is one that supervises.
    role: Option<SupervisorRole>,
    in_room: bool,
    /// When the leg last came to the room or left it: lists lag.
    moved: Option<Instant>,
    accepted: bool,
    alone_since: Option<Instant>,
}

/// Which of our doors the caller's leg asks.
#[derive(Debug, Clone)]
enum Door {
    /// Of a redirect, or of the wait for the next direct dial.
    Redirect,
    /// What follows the room, or a direct dial, of which the leg and its status are told.
    AfterRoom(Option<(CallSid, CallStatus)>),
    /// What follows a stream.
    AfterStream(StreamId),
}

#[derive(Debug)]
enum Happening {
    LegRings(usize),
    LegAnswers(usize),
    LegEnds(usize, CallStatus),
    LegAsks(usize, u32),
    LegSays(usize, Verdict),
    Detected(usize, AnsweredBy),
    Machine(usize, AnsweredBy),
    CallerAsks {
        door: Door,
        tries: u32,
        epoch: u32,
    },
    StreamUp(StreamId, u32),
    StreamOver {
        stream: StreamId,
        cause: &'static str,
        orderly: bool,
    },
    StreamLost,
    GoodbyeOver(u32),
    CallerHangsUp,
    Status(usize, CallStatus),
    CallerOver,
    /// By a document that was not asked for.
    CallerEnters(u32),
    Room(Form),
    StrangerKnown(usize),
}

/// How much goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weather {
    /// Only servers die.
    Calm,
    Hard,
    /// Most callbacks are lost, too.
    Deaf,
}

#[derive(Debug)]
struct State {
    chance: Chance,
    queue: BTreeMap<(Instant, u64), Happening>,
    number: u64,
    caller: At,
    caller_since: Instant,
    /// Counts the caller's documents: what an older one would have done is void.
    epoch: u32,
    stream: Option<StreamId>,
    silent_since: Option<Instant>,
    waits_since: Option<Instant>,
    left_room: Option<Instant>,
    gone: Option<Instant>,
    legs: Vec<Leg>,
    strangers: Vec<Stranger>,
    /// Who had another caller when that was last asked.
    elsewhere: HashSet<Address>,
    /// A document may have been given to the caller's leg, and was not.
    unsure: bool,
    /// Of whom it was asked.
    asked_of: HashSet<Address>,
    conference: u32,
    told: u32,
    crash_in: Option<u32>,
    weather: Weather,
    /// How often the agent told the caller that nobody takes the call.
    failures_told: u32,
    trace: Vec<(Duration, String)>,
    wrongs: Vec<String>,
    together: Option<Instant>,
    longest_together: Duration,
    caller_seen: Option<Instant>,
    person_seen: Option<Instant>,
    near: bool,
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) session: SessionId,
    /// As all servers have it. What a stream tells is kept until it is back.
    pub(super) store: Arc<HardStore>,
    pub(super) crash: Notify,
    caller: CallSid,
    began: Instant,
    moved: Notify,
    state: Mutex<State>,
}

const EPOCH: &str = "2026-11-21T09:00:00Z";

impl World {
    pub(super) fn new(seed: u64, session: SessionId, caller: CallSid) -> Self {
        let mut chance = Chance::new(seed);
        let weather = match chance.below(100) {
            0..28 => Weather::Calm,
            28..94 => Weather::Hard,
            _ => Weather::Deaf,
        };
        let now = Instant::now();
        let state = State {
            chance,
            queue: BTreeMap::new(),
            number: 0,
            caller: At::Agent,
            caller_since: now,
            epoch: 0,
            stream: None,
            silent_since: None,
            waits_since: None,
            left_room: None,
            gone: None,
            legs: Vec::new(),
            strangers: Vec::new(),
            elsewhere: HashSet::new(),
            unsure: false,
            asked_of: HashSet::new(),
            conference: 0,
            told: 0,
            crash_in: None,
            weather,
            failures_told: 0,
            trace: vec![(Duration::ZERO, format!("the weather is {weather:?}"))],
            wrongs: Vec::new(),
            together: None,
            longest_together: Duration::ZERO,
            caller_seen: None,
            person_seen: None,
            near: false,
        };
        let (crash, moved) = (Notify::new(), Notify::new());
        let store = Arc::new(HardStore::default());
        Self { session, store, crash, caller, began: now, moved, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(super) fn with<T>(&self, ask: impl FnOnce(&mut Chance) -> T) -> T {
        ask(&mut self.state().chance)
    }

    /// So many times in a hundred, if times are hard.
    fn mishap(&self, chance: u64) -> bool {
        let state = &mut *self.state();
        state.weather != Weather::Calm && state.chance.percent(chance)
    }

    pub(super) fn say(&self, line: impl std::fmt::Display) {
        let at = self.began.elapsed();
        self.state().trace.push((at, line.to_string()));
    }

    pub(super) fn wrong(&self, line: impl std::fmt::Display) {
        self.say(format!("WRONG: {line}"));
        self.state().wrongs.push(line.to_string());
    }

    pub(super) fn wrongs(&self) -> Vec<String> {
        self.state().wrongs.clone()
    }

    /// What happened out there and what was written down of it, by time.
    pub(super) async fn timeline(&self) -> String {
        let began: jiff::Timestamp = EPOCH.parse().unwrap();
        let mut lines = self.state().trace.clone();
        let call = self.store.inner().summary(self.session).await.unwrap().unwrap();
        let undialled = call.legs.keys().chain(call.supervisors.keys()).enumerate();
        let mut names: BTreeMap<_, _> =
            undialled.map(|(number, leg)| (leg.to_string(), format!("leg written as {number}"))).collect();
        names.extend(self.state().legs.iter().map(|leg| (leg.id.to_string(), leg.name.clone())));
        for recorded in self.store.inner().history(self.session).await.unwrap() {
            let at = Duration::try_from(recorded.stamped.at.duration_since(began)).unwrap_or_default();
            let mut line = match &recorded.stamped.event {
                SessionEvent::Handoff(event) => {
                    let whole = serde_json::to_value(event).unwrap();
                    let details = ["leg", "cause", "place", "by"].iter().filter_map(|name| whole[name].as_str());
                    format!("    written: {} {}", event.name(), details.collect::<Vec<_>>().join(" "))
                }
                SessionEvent::Supervision(event) => {
                    let whole = serde_json::to_value(event).unwrap();
                    let details = ["leg", "cause", "role"].iter().filter_map(|name| whole[name].as_str());
                    format!("    written: supervisor {} {}", event.name(), details.collect::<Vec<_>>().join(" "))
                }
                event => format!("    written: {}", event.name()),
            };
            for (id, name) in &names {
                line = line.replace(id, name);
            }
            lines.push((at, line));
        }
        lines.sort_by_key(|(at, _)| *at);
        let lines: Vec<_> = lines.iter().map(|(at, line)| format!("{:8.3} {line}", at.as_secs_f64())).collect();
        lines.join("\n")
    }

    pub(super) fn crash_after(&self, steps: Option<u32>) {
        self.state().crash_in = steps;
    }

    pub(super) fn caller_hangs_up_in(&self, wait: Duration) {
        self.later(wait, Happening::CallerHangsUp);
    }

    pub(super) fn stream_breaks_in(&self, wait: Duration) {
        self.later(wait, Happening::StreamLost);
    }

    fn later(&self, wait: Duration, what: Happening) {
        let mut state = self.state();
        state.number += 1;
        let key = (Instant::now() + wait, state.number);
        state.queue.insert(key, what);
        drop(state);
        self.moved.notify_one();
    }

    /// A callback: late, twice or never, if times are hard.
    fn callback(&self, make: impl Fn() -> Happening) {
        let (delays, lost) = {
            let state = &mut *self.state();
            let (loss, repeated, slow) = match state.weather {
                Weather::Calm => (0, 0, 120),
                Weather::Hard => (6, 15, 2500),
                Weather::Deaf => (70, 15, 8000),
            };
            let lost = state.chance.percent(loss);
            let times = if state.chance.percent(repeated) { 2 } else { 1 };
            let delays: Vec<_> = (0..times).map(|_| state.chance.millis(20, slow)).collect();
            (delays, lost)
        };
        if !lost {
            delays.into_iter().for_each(|delay| self.later(delay, make()));
        }
    }

    pub(super) async fn run(&self) {
        loop {
            let next = self.state().queue.first_key_value().map(|(key, _)| *key);
            let Some(key) = next else {
                self.moved.notified().await;
                continue;
            };
            tokio::select! {
                biased;
                () = self.moved.notified() => continue,
                () = sleep_until(key.0) => {}
            }
            let Some(what) = self.state().queue.remove(&key) else { continue };
            self.happen(what).await;
            self.check();
        }
    }

    /// What a door makes of something it is told.
    async fn tell(&self, propose: impl Fn(&CallSession) -> Vec<SessionEvent> + Send + Sync) -> CallSession {
        let now = self.now();
        let stamped = |call: &CallSession| propose(call).into_iter().map(|event| event.at(now)).collect();
        store::update(self.store.inner(), self.session, stamped).await.unwrap().session
    }

    /// What a door makes of something it is told, which finds the store away at times: nothing then.
    async fn tell_door(
        &self,
        propose: impl Fn(&CallSession) -> Vec<SessionEvent> + Send + Sync,
    ) -> Option<CallSession> {
        let now = self.now();
        let stamped = |call: &CallSession| propose(call).into_iter().map(|event| event.at(now)).collect();
        match store::update(&*self.store, self.session, stamped).await {
            Ok(updated) => Some(updated.session),
            Err(error) if error.retryable() => {
                self.say("a door finds the store away");
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    async fn happen(&self, what: Happening) {
        match what {
            Happening::LegRings(leg) => self.leg_rings(leg),
            Happening::LegAnswers(leg) => self.leg_answers(leg),
            Happening::LegEnds(leg, status) => self.leg_ends(leg, &status),
            Happening::LegAsks(leg, tries) => self.leg_asks(leg, tries).await,
            Happening::LegSays(leg, said) => self.leg_says(leg, said).await,
            Happening::Detected(leg, by) => {
                if !over(&self.state().legs[leg].status) {
                    self.callback(|| Happening::Machine(leg, by.clone()));
                }
            }
            Happening::Machine(leg, by) => {
                let id = self.state().legs[leg].id;
                self.tell_door(|call| leg_machine(call, id, &by)).await;
            }
            Happening::CallerAsks { door, tries, epoch } => self.caller_asks(door, tries, epoch).await,
            Happening::StreamUp(stream, epoch) => self.stream_up(stream, epoch).await,
            Happening::StreamOver { stream, cause, orderly } => {
                let over = SessionEvent::StreamDetached { stream, cause: cause.to_owned(), orderly };
                self.tell(|_| vec![over.clone()]).await;
            }
            Happening::StreamLost => self.stream_breaks().await,
            Happening::CallerEnters(epoch) => {
                if self.state().epoch == epoch && !self.caller_gone() {
                    self.caller_enters();
                }
            }
            Happening::GoodbyeOver(epoch) => {
                if self.state().epoch == epoch {
                    self.caller_leaves().await;
                }
            }
            Happening::CallerHangsUp => self.caller_leaves().await,
            Happening::Status(leg, status) => {
                let (id, sid) = self.leg_names(leg);
                self.tell_door(|call| leg_progress(call, id, &sid, &status)).await;
            }
            Happening::CallerOver => {
                let over = SessionEvent::Ended(Ending::new(Status::Completed, "caller-hung-up"));
                self.tell(|_| vec![over.clone()]).await;
            }
            Happening::StrangerKnown(stranger) => self.stranger_known(stranger).await,
            Happening::Room(form) => {
                let told = ConferenceProgress::from_form(&form).unwrap();
                self.tell_door(|call| room_progress(call, &told)).await;
            }
        }
    }

    /// A call has one room, whoever asks for it.
    fn asked_for(&self, room: &str) {
        if room != room_name(self.session) {
            self.wrong(format!("{room} is asked for"));
        }
    }

    /// Of one conference; numbers grow, callbacks mix.
    fn room_tells(&self, leg: Option<usize>, what: &str, status: Option<&str>) {
        let (sid, conference, number) = {
            let state = &mut *self.state();
            let sid = leg.map_or_else(|| self.caller.clone(), |leg| state.legs[leg].sid.clone());
            state.told += 1;
            (sid, state.conference, state.told)
        };
        let pairs = [
            ("AccountSid", "AC0123456789abcdef0123456789abcdef".to_owned()),
            ("ConferenceSid", format!("CF{conference:032x}")),
            ("FriendlyName", room_name(self.session)),
            ("StatusCallbackEvent", what.to_owned()),
            ("SequenceNumber", number.to_string()),
            ("CallSid", sid.to_string()),
        ];
        let pairs: Vec<_> =
            pairs.into_iter().chain(status.map(|status| ("ParticipantCallStatus", status.to_owned()))).collect();
        self.callback(|| Happening::Room(pairs.iter().map(|(name, value)| (*name, value.as_str())).collect()));
    }

    fn room_opens(&self) {
        let empty = {
            let state = self.state();
            state.caller != At::Room && !state.legs.iter().any(|leg| leg.in_room)
        };
        if empty {
            let state = &mut *self.state();
            state.conference += 1;
            state.told = 0;
        }
    }

    /// The room is left by the caller, so it closes for the person.
    fn room_closes(&self) {
        let count = self.state().legs.len();
        for leg in 0..count {
            let goes = {
                let state = self.state();
                let leg = &state.legs[leg];
                (leg.in_room || leg.direct) && !over(&leg.status)
            };
            if goes {
                self.leg_ends(leg, &CallStatus::Completed);
            }
        }
    }
}

fn over(status: &CallStatus) -> bool {
    matches!(
        status,
        CallStatus::Completed | CallStatus::Busy | CallStatus::NoAnswer | CallStatus::Failed | CallStatus::Canceled
    )
}
