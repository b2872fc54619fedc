//! What the account knows of its calls, and what its REST API asks them to do.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, time::Instant};
use twilio_twiml::{
    jiff::Timestamp,
    phone::Address,
    sid::CallSid,
    twiml::Response,
    words::{AnsweredBy, CallEvent, CallStatus, Direction},
};

use super::{
    account::Leg,
    call::{Pause, RecordingPlan},
    conference::{ConferencePlan, SharedRoom},
    interpreter::Fetch,
    report::CallReport,
};

/// All calls of an account, in the order they were made.
#[derive(Debug, Default)]
pub(super) struct Register {
    calls: Mutex<Vec<Arc<Entry>>>,
    index: Mutex<BTreeMap<CallSid, Arc<Entry>>>,
    /// Calls whose report is there, in the order they ended.
    over: watch::Sender<Vec<Arc<Entry>>>,
    /// How many of those have been given away.
    given: Mutex<usize>,
}

/// One call, as the call itself and the REST API share it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) sid: CallSid,
    facts: Mutex<Facts>,
    orders: Mutex<Orders>,
    report: watch::Sender<Option<Arc<CallReport>>>,
}

/// What is known of a call.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) parent: Option<CallSid>,
    pub(super) from: Address,
    pub(super) to: Address,
    pub(super) direction: Direction,
    pub(super) status: CallStatus,
    pub(super) created: Timestamp,
    pub(super) created_at: Instant,
    pub(super) updated: Timestamp,
    /// When it was dialled.
    pub(super) started: Option<Timestamp>,
    pub(super) ended: Option<Timestamp>,
    /// How long it was, once it is over.
    pub(super) talked: Option<Duration>,
    pub(super) answered_by: Option<AnsweredBy>,
    pub(super) progress: Option<Progress>,
}

/// Who is told what becomes of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) fetch: Fetch,
    pub(super) events: Vec<CallEvent>,
    /// Whether the callbacks say their place, as all do but those of a number.
    pub(super) is_numbered: bool,
}

/// Where a call goes on.
#[derive(Debug)]
pub(super) enum Begin {
    Fetch(Fetch),
    /// A document that came with the request, as text and as it was read.
    Document {
        text: String,
        response: Response,
    },
    /// A room, and nothing after it.
    Room(Box<ConferencePlan>),
    /// The other end of a `<Dial>`, and what is heard before.
    Bridge {
        room: SharedRoom,
        whisper: Option<Fetch>,
    },
}

/// What the REST API wants of a call. The later one wins.
#[derive(Debug)]
pub(super) enum Order {
    Go(Box<Turn>),
    End,
}

/// Where a call goes on instead of what it does.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) begin: Begin,
    pub(super) fallback: Option<Fetch>,
}

/// What the REST API wants of a call's recording.
#[derive(Debug)]
pub(super) enum Taping {
    Start(RecordingPlan),
    Pause(Pause),
    Resume,
    Stop,
}

#[derive(Debug, Default)]
struct Orders {
    tapings: Vec<Taping>,
    /// The recording that runs.
    tape: Option<RecordingPlan>,
    next: Option<Order>,
    limit: Option<Duration>,
}

impl Register {
    /// Adds a call.
    pub(super) fn add(&self, leg: &Leg, status: CallStatus, progress: Option<Progress>) -> Arc<Entry> {
        let now = Timestamp::now();
        let facts = Facts {
            parent: leg.parent.clone(),
            from: leg.from.clone(),
            to: leg.to.clone(),
            direction: leg.direction.clone(),
            status,
            created: now,
            created_at: Instant::now(),
            updated: now,
            started: None,
            ended: None,
            talked: None,
            answered_by: None,
            progress,
        };
        let entry = Arc::new(Entry {
            sid: leg.call_sid.clone(),
            facts: Mutex::new(facts),
            orders: Mutex::default(),
            report: watch::Sender::new(None),
        });
        lock(&self.calls).push(Arc::clone(&entry));
        lock(&self.index).insert(entry.sid.clone(), Arc::clone(&entry));
        entry
    }

    pub(super) fn find(&self, sid: &CallSid) -> Option<Arc<Entry>> {
        lock(&self.index).get(sid).cloned()
    }

    /// All calls, oldest first.
    pub(super) fn all(&self) -> Vec<Arc<Entry>> {
        lock(&self.calls).clone()
    }

    /// Keeps the report of a call for who asks for it.
    pub(super) fn file(&self, entry: Arc<Entry>, report: CallReport) {
        entry.report.send_replace(Some(Arc::new(report)));
        self.over.send_modify(|over| over.push(entry));
    }

    /// Waits for the next report that was not given away.
    pub(super) async fn next_report(&self) -> Arc<CallReport> {
        let mut over = self.over.subscribe();
        let entry = loop {
            {
                let ended = over.borrow_and_update();
                let mut given = lock(&self.given);
                if let Some(entry) = ended.get(*given) {
                    *given += 1;
                    break Arc::clone(entry);
                }
            }
            over.changed().await.expect("the register, which is borrowed, holds the sender");
        };
        entry.report().await
    }

    /// Forgets a call.
    pub(super) fn remove(&self, sid: &CallSid) {
        lock(&self.calls).retain(|entry| entry.sid != *sid);
        lock(&self.index).remove(sid);
    }
}

impl Entry {
    pub(super) fn facts(&self) -> Facts {
        lock(&self.facts).clone()
    }

    pub(super) fn status(&self) -> CallStatus {
        lock(&self.facts).status.clone()
    }

    /// Changes what is known of the call.
    pub(super) fn change(&self, change: impl FnOnce(&mut Facts)) {
        let mut facts = lock(&self.facts);
        change(&mut facts);
        facts.updated = Timestamp::now();
    }

    pub(super) fn progress(&self) -> Option<Progress> {
        lock(&self.facts).progress.clone()
    }

    /// Asks something of the call, which looks every 20 ms.
    pub(super) fn order(&self, order: Order) {
        lock(&self.orders).next = Some(order);
    }

    /// Lets a recording be the call's; tells whether there was none.
    pub(super) fn begin_taping(&self, plan: &RecordingPlan) -> bool {
        let mut orders = lock(&self.orders);
        let is_free = orders.tape.is_none();
        if is_free {
            orders.tape = Some(plan.clone());
        }
        is_free
    }

    /// The recording that runs.
    pub(super) fn taping(&self) -> Option<RecordingPlan> {
        lock(&self.orders).tape.clone()
    }

    pub(super) fn order_taping(&self, taping: Taping) {
        let mut orders = lock(&self.orders);
        if matches!(taping, Taping::Stop) {
            orders.tape = None;
        }
        orders.tapings.push(taping);
    }

    pub(super) fn take_tapings(&self) -> Vec<Taping> {
        std::mem::take(&mut lock(&self.orders).tapings)
    }

    pub(super) fn limit(&self, limit: Duration) {
        lock(&self.orders).limit = Some(limit);
    }

    pub(super) fn take_order(&self) -> Option<Order> {
        lock(&self.orders).next.take()
    }

    pub(super) fn take_limit(&self) -> Option<Duration> {
        lock(&self.orders).limit.take()
    }

    /// Waits for the report.
    pub(super) async fn report(&self) -> Arc<CallReport> {
        let mut filed = self.report.subscribe();
        let report = filed.wait_for(Option::is_some).await.expect("the entry, which is borrowed, holds the sender");
        report.clone().expect("waited for above")
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
