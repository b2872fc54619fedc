//! Callers whom the agent's line is asked to move.

use std::{
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use call_session::{
    call::{CallSession, Ending, HandoffEnd, Mode, NewCall, Outcome, Place, SessionEvent, Status},
    handoff::{
        Ask, CallerAgent, Clock, Dial, HandoffRunner, HandoffSettings, HandoffStrategy, LineError, NoAgent, Person,
        RunEnd, SipRefer, Telephone, Wanted, referred, request,
    },
    id::{NodeId, SessionId, StreamId},
    store::{self, SessionStore, memory::MemoryStore},
};
use jiff::Timestamp;
use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout},
};
use twilio_twiml::{phone::Address, sid::CallSid, words::CallStatus};

/// What the line answers when it is asked to move the caller.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Line {
    /// It does so after this time.
    Moves(u64),
    /// It says yes, and nothing happens.
    SaysYes,
    /// It will not.
    Refuses,
    /// It does not answer.
    Lost,
    /// It does so after this time, and its answer is lost.
    MovesAndIsLost(u64),
}

/// A line without a telephone company that could be told anything.
#[derive(Debug)]
struct World {
    session: SessionId,
    store: Arc<MemoryStore>,
    began: Instant,
    lines: Mutex<Vec<Line>>,
    asked: Mutex<Vec<String>>,
    told: Mutex<Vec<String>>,
    moved: Notify,
}

const EPOCH: &str = "2026-11-21T09:00:00Z";

impl World {
    async fn new(lines: &[Line]) -> Arc<Self> {
        let world = Self {
            session: SessionId::new(),
            store: Arc::new(MemoryStore::new()),
            began: Instant::now(),
            lines: Mutex::new(lines.to_vec()),
            asked: Mutex::default(),
            told: Mutex::default(),
            moved: Notify::new(),
        };
        let (now, stream) = (world.now(), StreamId::new());
        let call = NewCall::inbound("+819012345678", "+81312345678").with_mode(Mode::Sip);
        let node = "node-stream".parse().unwrap();
        let up = SessionEvent::StreamAttached { stream, sid: None, node };
        let events = [SessionEvent::Answered, SessionEvent::StreamExpected { stream }, up];
        let events = events.map(|event| event.at(now)).into();
        let call = world.store.create(world.session, now, call, events).await.unwrap();
        let people = [
            Person::new("sato".parse().unwrap(), "+81311110000"),
            Person::new("ito".parse().unwrap(), "sip:ito@example.com"),
        ];
        let settings = HandoffSettings::default().with_farewell("One moment, please.");
        let plan = SipRefer.plan(&Ask::new(&call, &people, &Wanted::Anyone, &settings)).unwrap();
        let asked = request(plan, "agent", "wants a person").at(now);
        store::update(&*world.store, world.session, |_| vec![asked.clone()]).await.unwrap();
        Arc::new(world)
    }

    fn runner(self: &Arc<Self>, node: &str) -> HandoffRunner<MemoryStore> {
        let node: NodeId = node.parse().unwrap();
        HandoffRunner::new(Arc::clone(&self.store), self.clone(), self.clone(), self.clone(), node)
    }

    /// What whoever has the line writes when it is gone.
    async fn line_is_gone(&self) -> CallSession {
        let now = self.now();
        let updated = store::update(&*self.store, self.session, |call| {
            let mut events = referred(call);
            let reason = if events.is_empty() { "caller-hung-up" } else { "referred" };
            events.push(SessionEvent::Ended(Ending::new(Status::Completed, reason)));
            events.into_iter().map(|event| event.at(now)).collect()
        });
        updated.await.unwrap().session
    }

    /// Performs it to its end, with a line that does what it said.
    async fn play(self: &Arc<Self>) -> CallSession {
        let runner = self.runner("node-0");
        let moving = async {
            self.moved.notified().await;
            self.line_is_gone().await;
            pending::<()>().await;
        };
        tokio::select! {
            end = runner.run(self.session) => assert_eq!(end.unwrap(), RunEnd::Done),
            () = moving => {}
        }
        let call = self.store.load(self.session).await.unwrap().unwrap();
        assert!(!call.summary.needs_runner(), "{:?}", call.summary.legs);
        call
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        EPOCH.parse::<Timestamp>().unwrap() + self.began.elapsed()
    }
}

#[async_trait]
impl CallerAgent for World {
    async fn say(&self, _: SessionId, _: &str) -> Result<(), NoAgent> {
        sleep(Duration::from_secs(2)).await;
        Ok(())
    }

    async fn tell(&self, _: SessionId, cause: &str) -> Result<(), NoAgent> {
        self.told.lock().unwrap().push(cause.to_owned());
        Ok(())
    }

    async fn leave(&self, _: SessionId) -> Result<(), NoAgent> {
        panic!("the agent keeps the caller");
    }

    async fn refer(&self, _: SessionId, to: &Address) -> Result<(), LineError> {
        let at = self.began.elapsed().as_secs();
        self.asked.lock().unwrap().push(format!("{at} {}", to));
        let line = self.lines.lock().unwrap().remove(0);
        sleep(Duration::from_millis(100)).await;
        match line {
            Line::Moves(after) | Line::MovesAndIsLost(after) => {
                sleep(Duration::from_secs(after)).await;
                self.moved.notify_one();
            }
            Line::SaysYes | Line::Refuses | Line::Lost => {}
        }
        match line {
            Line::Moves(_) | Line::SaysYes => Ok(()),
            Line::Refuses => Err(LineError::NotDone),
            Line::Lost | Line::MovesAndIsLost(_) => Err(LineError::Unknown),
        }
    }
}

#[async_trait]
impl Telephone for World {
    async fn dial(&self, _: &Dial) -> Result<CallSid, LineError> {
        panic!("nobody is dialled");
    }

    async fn end(&self, _: &CallSid, _: bool) -> Result<CallStatus, LineError> {
        panic!("there is no leg");
    }

    async fn redirect(&self, _: SessionId, _: &CallSid) -> Result<(), LineError> {
        panic!("the caller's leg has no document");
    }

    async fn status(&self, _: &CallSid) -> Result<Option<CallStatus>, LineError> {
        panic!("nobody can be asked");
    }

    async fn find(&self, _: &Dial, _: Timestamp) -> Result<Vec<(CallSid, CallStatus)>, LineError> {
        panic!("there is nothing to be found");
    }

    async fn room(&self, _: &str) -> Result<Vec<CallSid>, LineError> {
        panic!("there is no room");
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_is_moved_is_with_a_person_and_the_call_is_over() {
    for line in [Line::Moves(5), Line::MovesAndIsLost(5)] {
        let world = World::new(&[line]).await;
        let call = world.play().await;
        assert_eq!(world.asked(), ["2 +81311110000"], "after the farewell, once");
        let summary = &call.summary;
        assert_eq!(summary.status, Status::Completed);
        assert_eq!(summary.ending.as_ref().unwrap().reason, "referred");
        assert_eq!(summary.outcome, Some(Outcome::HandedOver));
        assert!(summary.times.with_agent.is_some());
        assert!(world.told().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_goes_to_the_next_person_and_what_leads_nowhere_back_to_the_agent() {
    let world = World::new(&[Line::Refuses, Line::SaysYes]).await;
    let call = world.play().await;
    assert_eq!(world.asked(), ["2 +81311110000", "2 sip:ito@example.com"]);
    let summary = &call.summary;
    assert_eq!(summary.status, Status::AiResponding, "the agent has the caller");
    assert_eq!(summary.place(), Place::Agent);
    let handoff = summary.handoff.as_ref().unwrap();
    assert_eq!(handoff.ended.as_ref().unwrap().1, HandoffEnd::Failed("no-answer".into()));
    assert_eq!(world.told(), ["no-answer"], "the caller was told");
    // The line does it after all, when nobody waits for it any more.
    assert_eq!(world.line_is_gone().await.summary.ending.unwrap().reason, "caller-hung-up");

    let world = World::new(&[Line::Refuses, Line::Refuses]).await;
    world.play().await;
    assert_eq!(world.told(), ["not-placed"]);

    let world = World::new(&[Line::Lost, Line::Moves(1)]).await;
    let call = world.play().await;
    assert_eq!(
        world.asked(),
        ["2 +81311110000", "28 sip:ito@example.com"],
        "it may have been done: that is waited for"
    );
    assert_eq!(call.summary.outcome, Some(Outcome::HandedOver));
}

#[tokio::test(start_paused = true)]
async fn another_server_goes_on_and_asks_nothing_twice() {
    let world = World::new(&[Line::SaysYes, Line::SaysYes]).await;
    let first = timeout(Duration::from_secs(10), world.runner("node-0").run(world.session)).await;
    assert!(first.is_err(), "it waits");
    assert_eq!(world.runner("node-1").run(world.session).await.unwrap(), RunEnd::Done);
    assert_eq!(world.asked(), ["2 +81311110000", "28 sip:ito@example.com"]);
    assert_eq!(world.told(), ["no-answer"]);
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_hangs_up_before_anybody_was_asked_is_with_nobody() {
    let world = World::new(&[]).await;
    let call = world.line_is_gone().await;
    assert_eq!(call.summary.ending.as_ref().unwrap().reason, "caller-hung-up");
    assert!(call.summary.times.with_agent.is_none());
    let call = world.play().await;
    assert!(world.asked().is_empty() && call.summary.legs.is_empty());
}
