//! Twilio as a model: a caller's leg, persons' legs, one room, documents and callbacks, in virtual time and with hardship.

mod api;
mod persons;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use call_session::{
    call::{CallSession, Ending, Place, SessionEvent, Status},
    handoff::{Clock, Verdict, caller_fetched, caller_leaves_room, leg_machine, leg_progress, room_progress},
    id::{LegId, NodeId, SessionId, StreamId},
    store::{self, memory::MemoryStore},
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};
use twilio_twiml::{
    sid::CallSid,
    webhook::{ConferenceProgress, Form, Webhook},
    words::{AnsweredBy, CallStatus},
};

use super::chance::Chance;

/// What a person does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Habit {
    NoAnswer,
    Busy,
    Unreachable,
    Accepts,
    AcceptsLate,
    AcceptsTwice,
    Declines,
    SaysNothing,
    HangsUpInBriefing,
    Voicemail,
}

const HABITS: [Habit; 12] = [
    Habit::NoAnswer,
    Habit::Busy,
    Habit::Unreachable,
    Habit::Accepts,
    Habit::Accepts,
    Habit::Accepts,
    Habit::AcceptsLate,
    Habit::AcceptsTwice,
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
    sid: CallSid,
    name: String,
    habit: Habit,
    status: CallStatus,
    created: Instant,
    direct: bool,
    in_room: bool,
    accepted: bool,
    alone_since: Option<Instant>,
}

#[derive(Debug)]
enum Happening {
    LegRings(usize),
    LegAnswers(usize),
    LegEnds(usize, CallStatus),
    LegAsks(usize, u32),
    LegSays(usize, Verdict),
    Machine(usize),
    CallerAsks { after_room: Option<CallStatus>, left: bool, tries: u32, epoch: u32 },
    StreamUp(StreamId, u32),
    CallerHangsUp,
    Status(usize, CallStatus),
    CallerOver,
    Room(Form),
}

#[derive(Debug)]
struct State {
    chance: Chance,
    queue: BTreeMap<(Instant, u64), Happening>,
    number: u64,
    caller: At,
    /// Counts the caller's documents: what an older one would have done is void.
    epoch: u32,
    silent_since: Option<Instant>,
    legs: Vec<Leg>,
    conference: u32,
    told: u32,
    crash_in: Option<u32>,
    hard: bool,
    cold: bool,
    trace: Vec<String>,
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
    pub(super) store: Arc<MemoryStore>,
    pub(super) crash: Notify,
    caller: CallSid,
    began: Instant,
    moved: Notify,
    state: Mutex<State>,
}

const EPOCH: &str = "2026-11-21T09:00:00Z";
/// The longest the caller may hear nothing.
const SILENCE: Duration = Duration::from_secs(4);
/// How late what happened in the room may be known.
const NEAR: Duration = Duration::from_secs(8);
/// The longest a person may be in the room without the caller.
const ALONE: Duration = Duration::from_secs(40);

impl World {
    pub(super) fn new(seed: u64, session: SessionId, store: Arc<MemoryStore>, caller: CallSid) -> Self {
        let mut chance = Chance::new(seed);
        let hard = chance.percent(70);
        let state = State {
            chance,
            queue: BTreeMap::new(),
            number: 0,
            caller: At::Agent,
            epoch: 0,
            silent_since: None,
            legs: Vec::new(),
            conference: 0,
            told: 0,
            crash_in: None,
            hard,
            cold: false,
            trace: Vec::new(),
            wrongs: Vec::new(),
            together: None,
            longest_together: Duration::ZERO,
            caller_seen: None,
            person_seen: None,
            near: false,
        };
        let (crash, moved) = (Notify::new(), Notify::new());
        Self { session, store, crash, caller, began: Instant::now(), moved, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(super) fn with<T>(&self, ask: impl FnOnce(&mut Chance) -> T) -> T {
        ask(&mut self.state().chance)
    }

    pub(super) fn say(&self, line: impl std::fmt::Display) {
        let at = self.began.elapsed();
        self.state().trace.push(format!("{:8.3} {line}", at.as_secs_f64()));
    }

    fn wrong(&self, line: impl std::fmt::Display) {
        self.say(format!("WRONG: {line}"));
        self.state().wrongs.push(line.to_string());
    }

    pub(super) fn trace(&self) -> String {
        self.state().trace.join("\n")
    }

    pub(super) fn wrongs(&self) -> Vec<String> {
        self.state().wrongs.clone()
    }

    pub(super) fn caller_gone(&self) -> bool {
        self.state().caller == At::Gone
    }

    /// Caller and person were there at the same time, as far as callbacks could tell.
    pub(super) fn near(&self) -> bool {
        self.state().near
    }

    pub(super) fn longest_together(&self) -> Duration {
        let state = self.state();
        state.together.map_or(state.longest_together, |at| state.longest_together.max(at.elapsed()))
    }

    pub(super) fn cold(&self, cold: bool) {
        self.state().cold = cold;
    }

    pub(super) fn crash_after(&self, steps: Option<u32>) {
        self.state().crash_in = steps;
    }

    pub(super) fn caller_hangs_up_in(&self, wait: Duration) {
        self.later(wait, Happening::CallerHangsUp);
    }

    pub(super) fn alive(&self) -> Vec<String> {
        let state = self.state();
        state.legs.iter().filter(|leg| !over(&leg.status)).map(|leg| leg.name.clone()).collect()
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
            let lost = state.hard && state.chance.percent(6);
            let times = if state.hard && state.chance.percent(15) { 2 } else { 1 };
            let slow = if state.hard { 2500 } else { 120 };
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

    fn check(&self) {
        let mut found = Vec::new();
        {
            let state = &mut *self.state();
            let caller_there = state.caller == At::Room;
            let accompanied = matches!(state.caller, At::Direct(_));
            let mut persons = 0;
            for leg in &mut state.legs {
                let there = leg.in_room && !over(&leg.status);
                persons += u32::from(there);
                let alone = there && !caller_there && !accompanied;
                leg.alone_since = if alone { leg.alone_since.or_else(|| Some(Instant::now())) } else { None };
                if leg.alone_since.is_some_and(|since| since.elapsed() > ALONE) {
                    found.push(format!("{} is alone in the room", leg.name));
                }
            }
            if persons > 1 {
                found.push("two persons are in the room".to_owned());
            }
            let together = persons > 0 && (caller_there || accompanied);
            let now = Instant::now();
            state.caller_seen = if caller_there || accompanied { Some(now) } else { state.caller_seen };
            state.person_seen = if persons > 0 { Some(now) } else { state.person_seen };
            if let (Some(caller), Some(person)) = (state.caller_seen, state.person_seen) {
                state.near |= caller.max(person) - caller.min(person) < NEAR;
            }
            match (together, state.together) {
                (true, None) => state.together = Some(Instant::now()),
                (false, Some(since)) => {
                    state.longest_together = state.longest_together.max(since.elapsed());
                    state.together = None;
                }
                _ => {}
            }
        }
        found.into_iter().for_each(|line| self.wrong(line));
    }

    fn caller_at(&self, at: At) {
        let silent = {
            let state = &mut *self.state();
            if state.caller == At::Gone {
                return;
            }
            if matches!(state.caller, At::Room | At::Direct(_)) {
                state.caller_seen = Some(Instant::now());
            }
            state.caller = at;
            let was = state.silent_since;
            state.silent_since = if at == At::Nowhere { was.or_else(|| Some(Instant::now())) } else { None };
            if at == At::Nowhere { None } else { was.map(|since| since.elapsed()) }
        };
        self.say(format!("caller: {}", caller_word(at)));
        if let Some(silent) = silent.filter(|silent| *silent > SILENCE && at != At::Gone) {
            self.wrong(format!("the caller heard nothing for {silent:?}"));
        }
    }

    async fn tell(&self, propose: impl Fn(&CallSession) -> Vec<SessionEvent> + Send + Sync) -> CallSession {
        let now = self.now();
        let stamped = |call: &CallSession| propose(call).into_iter().map(|event| event.at(now)).collect();
        store::update(&*self.store, self.session, stamped).await.unwrap().session
    }

    async fn happen(&self, what: Happening) {
        match what {
            Happening::LegRings(leg) => {
                if over(&self.state().legs[leg].status) {
                    return;
                }
                self.state().legs[leg].status = CallStatus::Ringing;
                self.callback(|| Happening::Status(leg, CallStatus::Ringing));
                let habit = self.state().legs[leg].habit;
                let wait = self.with(|chance| chance.millis(1500, 9000));
                match habit {
                    Habit::NoAnswer => {
                        self.later(Duration::from_secs(23), Happening::LegEnds(leg, CallStatus::NoAnswer));
                    }
                    Habit::Busy => self.later(Duration::from_secs(1), Happening::LegEnds(leg, CallStatus::Busy)),
                    Habit::Unreachable => {
                        self.later(Duration::from_secs(1), Happening::LegEnds(leg, CallStatus::Failed));
                    }
                    _ => self.later(wait, Happening::LegAnswers(leg)),
                }
            }
            Happening::LegAnswers(leg) => self.leg_answers(leg),
            Happening::LegEnds(leg, status) => self.leg_ends(leg, &status),
            Happening::LegAsks(leg, tries) => self.leg_asks(leg, tries).await,
            Happening::LegSays(leg, said) => self.leg_says(leg, said).await,
            Happening::Machine(leg) => {
                let id = self.state().legs[leg].id;
                self.tell(|call| leg_machine(call, id, &AnsweredBy::MachineStart)).await;
            }
            Happening::CallerAsks { after_room, left, tries, epoch } => {
                self.caller_asks(after_room, left, tries, epoch).await;
            }
            Happening::StreamUp(stream, epoch) => {
                if self.state().epoch == epoch && !self.caller_gone() {
                    self.caller_at(At::Agent);
                    let node: NodeId = "node-stream".parse().unwrap();
                    let up = SessionEvent::StreamAttached { stream, sid: None, node };
                    self.tell(|call| if call.summary.status.is_terminal() { vec![] } else { vec![up.clone()] }).await;
                }
            }
            Happening::CallerHangsUp => self.caller_leaves(),
            Happening::Status(leg, status) => {
                let (id, sid) = self.leg_names(leg);
                self.tell(|call| leg_progress(call, id, &sid, &status)).await;
            }
            Happening::CallerOver => {
                let over = SessionEvent::Ended(Ending::new(Status::Completed, "caller-hung-up"));
                self.tell(|_| vec![over.clone()]).await;
            }
            Happening::Room(form) => {
                let told = ConferenceProgress::from_form(&form).unwrap();
                self.tell(|call| room_progress(call, &told)).await;
            }
        }
    }

    fn caller_next(&self, after_room: Option<CallStatus>, left: bool, from: u64, to: u64) {
        if self.caller_gone() {
            return;
        }
        self.caller_at(At::Nowhere);
        let (wait, epoch) = {
            let state = &mut *self.state();
            state.epoch += 1;
            (state.chance.millis(from, to), state.epoch)
        };
        self.later(wait, Happening::CallerAsks { after_room, left, tries: 0, epoch });
    }

    /// The room is left by the caller, so it closes for the person.
    fn room_closes(&self, child_too: bool) {
        let count = self.state().legs.len();
        for leg in 0..count {
            let goes = {
                let state = self.state();
                let leg = &state.legs[leg];
                (leg.in_room || (child_too && leg.direct)) && !over(&leg.status)
            };
            if goes {
                self.leg_ends(leg, &CallStatus::Completed);
            }
        }
    }

    fn caller_leaves(&self) {
        if self.caller_gone() {
            return;
        }
        let was = self.state().caller;
        self.caller_at(At::Gone);
        self.callback(|| Happening::CallerOver);
        if was == At::Room {
            self.room_tells(None, "participant-leave", Some("completed"));
        }
        self.room_closes(true);
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
            ("FriendlyName", "room".to_owned()),
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

    async fn caller_asks(&self, after_room: Option<CallStatus>, left: bool, tries: u32, epoch: u32) {
        if self.state().epoch != epoch || self.caller_gone() {
            return;
        }
        if tries < 2 && self.state().hard && self.with(|chance| chance.percent(5)) {
            let again = Happening::CallerAsks { after_room, left, tries: tries + 1, epoch };
            return self.later(Duration::from_secs(1), again);
        }
        if left {
            self.tell(|call| caller_leaves_room(call, after_room.as_ref())).await;
        }
        let call = self.tell(caller_fetched).await;
        match call.summary.place() {
            Place::Agent => {
                let stream = StreamId::new();
                self.tell(|_| vec![SessionEvent::StreamExpected { stream }]).await;
                let wait = self.with(|chance| chance.millis(200, 900));
                self.later(wait, Happening::StreamUp(stream, epoch));
            }
            Place::Room => {
                self.room_opens();
                self.caller_at(At::Room);
                self.room_tells(None, "participant-join", None);
            }
            Place::Dial(id) => {
                self.caller_at(At::Direct(id));
                self.place(id, true);
            }
            Place::Wait => {
                self.caller_at(At::Waiting);
                self.later(
                    Duration::from_secs(1),
                    Happening::CallerAsks { after_room: None, left: false, tries: 2, epoch },
                );
            }
            Place::Goodbye => {
                self.caller_at(At::Goodbye);
                self.later(Duration::from_secs(2), Happening::CallerHangsUp);
            }
            _ => self.wrong("the caller is dropped"),
        }
    }
}

fn caller_word(at: At) -> &'static str {
    match at {
        At::Agent => "with the agent",
        At::Nowhere => "between documents",
        At::Waiting => "waiting",
        At::Room => "in the room",
        At::Direct(_) => "dialling directly",
        At::Goodbye => "hears a goodbye",
        At::Gone => "gone",
    }
}

fn over(status: &CallStatus) -> bool {
    matches!(
        status,
        CallStatus::Completed | CallStatus::Busy | CallStatus::NoAnswer | CallStatus::Failed | CallStatus::Canceled
    )
}
