//! One call, as REST, sockets and the telephone share it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

use super::{Ring, SipEnd, SipMoment, SipReport, Step};
use crate::openai::socket::Shared;

/// The calls that were ever placed, by their name.
#[derive(Debug, Default)]
pub(in crate::openai) struct Calls {
    calls: Mutex<HashMap<String, Arc<SipCall>>>,
}

/// One call.
#[derive(Debug)]
pub(in crate::openai) struct SipCall {
    pub(super) id: String,
    pub(super) ring: Ring,
    began: Instant,
    state: Mutex<CallState>,
    changes: watch::Sender<u64>,
}

#[derive(Debug)]
struct CallState {
    stage: Stage,
    accepted: Option<Duration>,
    moments: Vec<SipMoment>,
    /// When a transfer is decided, and how: to where the caller goes, or who does not answer.
    transfer: Option<(Instant, Result<String, String>)>,
    report: Option<SipReport>,
}

/// How far a call has come.
#[derive(Debug, Clone)]
pub(in crate::openai) enum Stage {
    Ringing,
    /// The caller and the model hear each other.
    Connected(Arc<Shared>),
    Over(SipEnd),
}

impl Calls {
    pub(in crate::openai) fn place(&self, id: String, ring: Ring) -> Arc<SipCall> {
        let state =
            CallState { stage: Stage::Ringing, accepted: None, moments: Vec::new(), transfer: None, report: None };
        let call = Arc::new(SipCall {
            id: id.clone(),
            ring,
            began: Instant::now(),
            state: Mutex::new(state),
            changes: watch::Sender::new(0),
        });
        lock(&self.calls).insert(id, Arc::clone(&call));
        call
    }

    pub(in crate::openai) fn find(&self, id: &str) -> Option<Arc<SipCall>> {
        lock(&self.calls).get(id).cloned()
    }

    pub(in crate::openai) fn count(&self) -> usize {
        lock(&self.calls).len()
    }
}

impl SipCall {
    pub(in crate::openai) fn stage(&self) -> Stage {
        lock(&self.state).stage.clone()
    }

    /// The session, while the call is connected.
    pub(in crate::openai) fn session(&self) -> Option<Arc<Shared>> {
        match self.stage() {
            Stage::Connected(session) => Some(session),
            Stage::Ringing | Stage::Over(_) => None,
        }
    }

    pub(in crate::openai) fn note(&self, step: Step) {
        let at = self.began.elapsed();
        lock(&self.state).moments.push(SipMoment { at, step });
        self.changed();
    }

    /// The caller and the model hear each other from now on. False when the call has gone on already.
    pub(super) fn connect(&self, session: Arc<Shared>) -> bool {
        let mut state = lock(&self.state);
        let rings = matches!(state.stage, Stage::Ringing);
        if rings {
            state.stage = Stage::Connected(session);
            state.accepted = Some(self.began.elapsed());
        }
        drop(state);
        self.changed();
        rings
    }

    /// The call is over. The first end counts.
    pub(super) fn end(&self, end: SipEnd) {
        let mut state = lock(&self.state);
        if !matches!(state.stage, Stage::Over(_)) {
            let session = match std::mem::replace(&mut state.stage, Stage::Over(end)) {
                Stage::Connected(session) => Some(session),
                Stage::Ringing | Stage::Over(_) => None,
            };
            drop(state);
            if let Some(session) = session {
                session.change(|session| session.hang_up(Instant::now().into_std()));
            }
        }
        self.changed();
    }

    /// The caller's telephone is down; whoever says so has seen to the session.
    pub(super) fn end_of_telephone(&self, end: SipEnd) {
        let mut state = lock(&self.state);
        if !matches!(state.stage, Stage::Over(_)) {
            state.stage = Stage::Over(end);
        }
        drop(state);
        self.changed();
    }

    /// A transfer will be decided then.
    pub(super) fn plan_transfer(&self, outcome: Result<String, String>, after: Duration) {
        lock(&self.state).transfer = Some((Instant::now() + after, outcome));
    }

    /// Decides a transfer that is due.
    pub(super) fn check_transfer(&self) {
        let due = lock(&self.state).transfer.take_if(|(at, _)| *at <= Instant::now());
        match due {
            Some((_, Ok(target))) => self.end(SipEnd::Transferred(target)),
            Some((_, Err(target))) => self.note(Step::TransferFailed(target)),
            None => {}
        }
    }

    pub(super) fn accepted(&self) -> Option<Duration> {
        lock(&self.state).accepted
    }

    pub(super) fn moments(&self) -> Vec<SipMoment> {
        lock(&self.state).moments.clone()
    }

    pub(super) fn finish(&self, report: SipReport) {
        lock(&self.state).report = Some(report);
        self.changed();
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }
}

/// A call that was placed, as its tests see it.
#[derive(Debug, Clone)]
pub struct SipHandle {
    pub(in crate::openai) call: Arc<SipCall>,
}

impl SipHandle {
    /// The provider's name for the call.
    #[must_use]
    pub fn call_id(&self) -> &str {
        &self.call.id
    }

    /// What was asked of the call and what it was told so far.
    #[must_use]
    pub fn moments(&self) -> Vec<SipMoment> {
        self.call.moments()
    }

    /// Whether the caller and the model hear each other.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.call.session().is_some()
    }

    /// The session's recording so far; `None` while the call is not connected.
    #[must_use]
    pub fn session(&self) -> Option<crate::openai::Recording> {
        self.call.session().map(|session| session.lock().recording())
    }

    /// Makes something happen in the session now, such as dropping the control socket.
    pub fn act(&self, act: crate::openai::Act) {
        if let Some(session) = self.call.session() {
            session.change(|session| session.act(Instant::now().into_std(), act));
        }
    }

    /// The caller hangs up now, whatever the script says.
    pub fn hang_up(&self) {
        self.call.end(SipEnd::CallerHungUp);
    }

    /// Waits until this has happened. Gives false when the call is over before.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn until(&self, mut wanted: impl FnMut(&Step) -> bool) -> bool {
        let mut changes = self.call.changes.subscribe();
        loop {
            if self.call.moments().iter().any(|moment| wanted(&moment.step)) {
                return true;
            }
            if matches!(self.call.stage(), Stage::Over(_)) || changes.changed().await.is_err() {
                return false;
            }
        }
    }

    /// Waits for the end of the call.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn ended(&self) -> SipReport {
        let mut changes = self.call.changes.subscribe();
        loop {
            if let Some(report) = lock(&self.call.state).report.clone() {
                return report;
            }
            changes.changed().await.expect("the sender lives as long as the call, which is held here");
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while the lock was held is a failed test already.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
