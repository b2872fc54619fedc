//! A runner looks at its call when something of it has happened, not when something has.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use call_session::{
    call::{HandoffEvent, HandoffMode, NewCall, SessionEvent},
    handoff::{
        CallerAgent, Candidate, Clock, Dial, HandoffPlan, HandoffRunner, LineError, NoAgent, RunEnd, Telephone, request,
    },
    id::{SessionId, StreamId},
    store::{self, SessionStore},
};
use jiff::Timestamp;
use tokio::time::{Instant, sleep};
use twilio_twiml::{sid::CallSid, words::CallStatus};

use crate::hardship::HardStore;

/// Twilio, where nothing happens but what is told, and an agent who says what there is to say.
#[derive(Debug)]
struct Quiet(Instant);

impl Clock for Quiet {
    fn now(&self) -> Timestamp {
        "2026-11-21T09:00:00Z".parse::<Timestamp>().unwrap() + self.0.elapsed()
    }
}

#[async_trait]
impl Telephone for Quiet {
    async fn dial(&self, _: &Dial) -> Result<CallSid, LineError> {
        Ok("CA00000000000000000000000000000001".parse().unwrap())
    }

    async fn end(&self, _: &CallSid, _: bool) -> Result<CallStatus, LineError> {
        Ok(CallStatus::Canceled)
    }

    async fn redirect(&self, _: SessionId, _: &CallSid) -> Result<(), LineError> {
        Ok(())
    }

    async fn status(&self, _: &CallSid) -> Result<Option<CallStatus>, LineError> {
        Ok(Some(CallStatus::Ringing))
    }

    async fn find(&self, _: &Dial, _: Timestamp) -> Result<Vec<(CallSid, CallStatus)>, LineError> {
        Ok(Vec::new())
    }

    async fn room(&self, _: &str) -> Result<Vec<CallSid>, LineError> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl CallerAgent for Quiet {
    async fn say(&self, _: SessionId, _: &str) -> Result<(), NoAgent> {
        Ok(())
    }

    async fn tell(&self, _: SessionId, _: &str) -> Result<(), NoAgent> {
        Ok(())
    }

    async fn leave(&self, _: SessionId) -> Result<(), NoAgent> {
        Ok(())
    }
}

async fn begin(store: &HardStore, now: Timestamp, more: Vec<SessionEvent>) -> SessionId {
    let id = SessionId::new();
    let mut events = vec![SessionEvent::Answered];
    events.extend(more);
    let events = events.into_iter().map(|event| event.at(now)).collect();
    store.create(id, now, NewCall::inbound("+819012345678", "+81312345678"), events).await.unwrap();
    id
}

#[tokio::test(start_paused = true)]
async fn what_happens_to_other_calls_wakes_nobody() {
    let (store, quiet) = (Arc::new(HardStore::default()), Arc::new(Quiet(Instant::now())));
    let plan = HandoffPlan::new(HandoffMode::Warm, "+81312345678", vec![Candidate::new(None, "+81311112222")]);
    let call = begin(&store, quiet.now(), vec![request(plan, "operator", "")]).await;
    let other = begin(&store, quiet.now(), vec![]).await;
    let runner =
        HandoffRunner::new(Arc::clone(&store), quiet.clone(), quiet.clone(), quiet.clone(), "node-0".parse().unwrap());
    let telling = async {
        // It rings.
        sleep(Duration::from_secs(2)).await;
        let before = store.summaries();
        for _ in 0..200 {
            sleep(Duration::from_millis(20)).await;
            let event = SessionEvent::StreamExpected { stream: StreamId::new() }.at(quiet.now());
            store::update(&*store, other, |_| vec![event.clone()]).await.unwrap();
        }
        let looked = store.summaries() - before;
        assert!(looked < 10, "looked {looked} times");
        // What is its own is seen at once.
        let leg = *store.summary(call).await.unwrap().unwrap().legs.keys().next().unwrap();
        let declined = SessionEvent::from(HandoffEvent::GivenUp { leg, cause: "declined".into() }).at(quiet.now());
        store::update(&*store, call, |_| vec![declined.clone()]).await.unwrap();
        Instant::now()
    };
    let (end, declined) = tokio::join!(runner.run(call), telling);
    assert_eq!(end.unwrap(), RunEnd::Done);
    assert!(declined.elapsed() < Duration::from_secs(1), "{:?}", declined.elapsed());
}
