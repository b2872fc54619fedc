//! Performs handoffs: writes down, acts, writes down what came of it.

use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    pin::pin,
    sync::Arc,
    time::Duration,
};

use futures_util::{
    StreamExt,
    future::{AbortHandle, Abortable, BoxFuture},
    stream::FuturesUnordered,
};
use jiff::Timestamp;
use tokio::time::{sleep, timeout};
use twilio_twiml::{sid::CallSid, twiml::InlineTwiml, words::CallStatus};

use super::{
    desk::{Desk, after},
    machine::{Decision, Effect, decide},
    news::{any_leg_arrived, any_leg_ended, caller_shown, leg_progress, room_name},
    plan::Candidate,
    ports::{CallerAgent, Clock, Detection, Dial, Documents, LineError, OpenRoster, Roster, Telephone},
    strangers,
};
use crate::{
    call::{
        self, CallSession, CallSummary, HandoffEvent, HandoffMode, Place, SessionEvent, Stamped, SupervisionEvent,
        SupervisorRole, Whereabouts,
    },
    id::{LegId, NodeId, SessionId},
    store::{self, Position, SessionStore, UpdateError},
};

/// The pause after the store did not answer.
const STORE_PAUSE: Duration = Duration::from_millis(500);
/// How long a list of who is in a room may show somebody who is not.
const LISTED: Duration = Duration::from_secs(4);
/// The longest sleep: feeds wake earlier, but one that does not is no reason to sleep for ever.
const LONGEST_SLEEP: Duration = Duration::from_secs(15);

/// How a runner came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunEnd {
    /// Nothing is left to be done: the handoff is over and so is every leg it dialled.
    Done,
    /// Another server performs it.
    Replaced,
    /// There is no handoff.
    Nothing,
}

/// Performs handoffs. One server at a time performs one: whoever calls [`HandoffRunner::run`] last, so that another server
/// can go on when this one is gone.
#[derive(Debug, Clone)]
pub struct HandoffRunner<S: ?Sized> {
    store: Arc<S>,
    telephone: Arc<dyn Telephone>,
    agent: Arc<dyn CallerAgent>,
    clock: Arc<dyn Clock>,
    roster: Arc<dyn Roster>,
    documents: Option<Arc<dyn Documents>>,
    node: NodeId,
}

impl<S: SessionStore + ?Sized + 'static> HandoffRunner<S> {
    /// A runner of this server.
    #[must_use]
    pub fn new(
        store: Arc<S>,
        telephone: Arc<dyn Telephone>,
        agent: Arc<dyn CallerAgent>,
        clock: Arc<dyn Clock>,
        node: NodeId,
    ) -> Self {
        Self { store, telephone, agent, clock, roster: Arc::new(OpenRoster), documents: None, node }
    }

    /// Sets who knows whether a person is free; without, all are.
    #[must_use]
    pub fn with_roster(mut self, roster: Arc<dyn Roster>) -> Self {
        self.roster = roster;
        self
    }

    /// Sets what callers are told that are in no stream; without, they are redirected like all others.
    #[must_use]
    pub fn with_documents(mut self, documents: Arc<dyn Documents>) -> Self {
        self.documents = Some(documents);
        self
    }

    /// Performs the handoff of a call to its end, which is when all the legs it dialled are over. If another server has it,
    /// that one stops.
    ///
    /// # Errors
    ///
    /// [`UpdateError`] when the store refuses for good. While it does not answer the runner waits.
    ///
    /// # Cancel safety
    ///
    /// Dropped at any point, another runner can go on.
    pub async fn run(&self, session: SessionId) -> Result<RunEnd, UpdateError> {
        let mut desk: Option<Desk> = None;
        let mut doing = Doing::default();
        loop {
            // What was done is written down before anything else is decided on.
            while let Some((effect, done)) = doing.finished.pop_front() {
                if let Some(desk) = &mut desk {
                    desk.end(&effect, done.well, self.clock.now());
                    if let News::Free(free) = done.news {
                        desk.hear(&effect, free, self.clock.now());
                    }
                }
                doing.beside(self.note(session, &done)).await?;
            }
            let position = doing.beside(self.store.feed_end()).await.ok();
            let decided = match doing.beside(self.decide(session, &mut desk)).await {
                Ok(Ok(decided)) => decided,
                Ok(Err(end)) => return Ok(end),
                Err(error) if error.retryable() => {
                    doing.beside(sleep(STORE_PAUSE)).await;
                    continue;
                }
                Err(error) => return Err(error),
            };
            if !doing.finished.is_empty() {
                continue;
            }
            let (call, decision) = decided;
            if decision.done && doing.running.is_empty() {
                return Ok(RunEnd::Done);
            }
            for effect in decision.effects {
                if let Some(desk) = &mut desk {
                    desk.begin(&effect);
                }
                let Some(work) = self.work(&call, effect) else { continue };
                doing.begin(work);
            }
            for leg in decision.called_off {
                doing.call_off(leg);
            }
            let now = self.clock.now();
            let wait = decision.wake.map_or(LONGEST_SLEEP, |wake| {
                Duration::try_from(wake.duration_since(now)).unwrap_or_default().min(LONGEST_SLEEP)
            });
            tokio::select! {
                biased;
                Some(done) = doing.running.next() => doing.finished.push_back(done),
                () = self.news_of(session, position) => {}
                () = sleep(wait) => {}
            }
        }
    }

    /// Waits until something happens to this call. While the store is away, how things stand is asked in a moment.
    async fn news_of(&self, session: SessionId, position: Option<Position>) {
        let came = match position {
            Some(position) => store::news_of(&*self.store, session, position).await.is_ok(),
            None => false,
        };
        if !came {
            sleep(STORE_PAUSE).await;
        }
    }

    /// Writes down what has to be before anything is done, until there is nothing more.
    async fn decide(
        &self,
        session: SessionId,
        desk: &mut Option<Desk>,
    ) -> Result<Result<(CallSummary, Decision), RunEnd>, UpdateError> {
        if desk.is_none() {
            let now = self.clock.now();
            let taken = SessionEvent::from(HandoffEvent::Taken { by: self.node.clone() });
            let mut inherited = false;
            let call = self.store.summary(session).await?;
            match call.as_ref().and_then(|call| call.handoff.as_ref()) {
                None => return Ok(Err(RunEnd::Nothing)),
                Some(handoff) => inherited |= handoff.runner.is_some(),
            }
            store::update(&*self.store, session, |_| vec![taken.clone().at(now)]).await?;
            *desk = Some(Desk::new(self.node.clone(), now, inherited));
        }
        let Some(desk) = desk else { return Ok(Err(RunEnd::Nothing)) };
        loop {
            let Some(call) = self.store.summary(session).await? else { return Ok(Err(RunEnd::Nothing)) };
            if !self.performs(&call) {
                return Ok(Err(RunEnd::Replaced));
            }
            let now = self.clock.now();
            let decision = decide(&call, desk, now, LegId::new());
            if decision.propose.is_empty() {
                return Ok(Ok((call, decision)));
            }
            // Should the answer be lost, a leg of this name is known as one that nobody else can have dialled.
            let fresh = LegId::new();
            desk.offer(fresh);
            let desk = &*desk;
            let propose = |call: &CallSession| -> Vec<Stamped> {
                if !self.performs(&call.summary) {
                    return Vec::new();
                }
                decide(&call.summary, desk, now, fresh).propose.into_iter().map(|event| event.at(now)).collect()
            };
            store::update(&*self.store, session, propose).await?;
        }
    }

    fn performs(&self, call: &CallSummary) -> bool {
        call.handoff.as_ref().and_then(|handoff| handoff.runner.as_ref()) == Some(&self.node)
    }

    /// What came of something. The store has to have it before the next decision; until then nothing is decided.
    async fn note(&self, session: SessionId, done: &Done) -> Result<(), UpdateError> {
        if let News::Nothing | News::Free(_) = done.news {
            return Ok(());
        }
        loop {
            let now = self.clock.now();
            let propose = |call: &CallSession| -> Vec<Stamped> {
                let events = done.news.events(call);
                let possible = |event: &SessionEvent| call.admit(event).is_ok();
                events.into_iter().filter(possible).map(|event| event.at(now)).collect()
            };
            match store::update(&*self.store, session, propose).await {
                Err(error) if error.retryable() => sleep(STORE_PAUSE).await,
                Ok(_) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn dial(&self, call: &CallSummary, leg: LegId, candidate: &Candidate) -> Option<Dial> {
        let plan = &call.handoff.as_ref()?.plan;
        let detection = match (plan.detect_machines, plan.mode) {
            (false, _) => Detection::Off,
            // A mailbox must not hear what is said in the room.
            _ if call.supervisors.contains_key(&leg) => Detection::Before,
            (true, HandoffMode::Warm) => Detection::Beside,
            (true, HandoffMode::Cold) => Detection::Before,
        };
        let (to, from) = (candidate.to.clone(), plan.from.clone());
        Some(Dial { session: call.id, leg, to, from, ring: plan.limits.ring, detection })
    }

    /// The doing of an effect, as a future that owns what it needs.
    fn work(&self, call: &CallSummary, effect: Effect) -> Option<Work> {
        let (telephone, agent) = (Arc::clone(&self.telephone), Arc::clone(&self.agent));
        let (session, now) = (call.id, self.clock.now());
        let dial = match &effect {
            Effect::Dial { leg, candidate } | Effect::FindLeg { leg, candidate, .. } => {
                Some(self.dial(call, *leg, candidate)?)
            }
            _ => None,
        };
        let document = match &effect {
            Effect::RedirectCaller { to: Place::Room, .. } if call.is_run_to_room() => {
                self.documents.as_ref().and_then(|documents| documents.room(call))
            }
            _ => None,
        };
        let (store, roster) = (Arc::clone(&self.store), Arc::clone(&self.roster));
        tracing::debug!(%session, effect = effect.name(), "handing over");
        let todo = effect.clone();
        let work = async move {
            match (&todo, &dial) {
                (Effect::RedirectCaller { call, .. }, _) if let Some(document) = &document => {
                    run_document(&*telephone, call, document).await
                }
                (Effect::KeepFree { candidate, .. }, _) => match roster.keep_free(session, candidate).await {
                    Ok(free) => done(true, News::Free(free)),
                    Err(_) => done(false, News::Nothing),
                },
                (Effect::FindLeg { leg, since, .. }, Some(dial)) => {
                    find_leg(&*store, &*telephone, *leg, dial, *since).await
                }
                _ => perform(&*telephone, &*agent, session, now, &todo, dial.as_ref()).await,
            }
        };
        Some(Work { effect, future: Box::pin(work) })
    }
}

/// The doing of an effect.
struct Work {
    effect: Effect,
    future: BoxFuture<'static, Done>,
}

/// What is being done, and what was done and is not written down yet.
#[derive(Default)]
struct Doing {
    /// Dials that can be called off.
    dials: HashMap<LegId, AbortHandle>,
    running: FuturesUnordered<BoxFuture<'static, (Effect, Done)>>,
    finished: VecDeque<(Effect, Done)>,
}

impl Doing {
    fn begin(&mut self, work: Work) {
        let (handle, registration) = AbortHandle::new_pair();
        let Work { effect, future } = work;
        if let Effect::Dial { leg, .. } = &effect {
            self.dials.insert(*leg, handle);
        }
        self.running.push(Box::pin(async move {
            // Dropped on its way, it may have been done.
            let done = Abortable::new(future, registration).await.unwrap_or_else(|_| done(false, News::Nothing));
            (effect, done)
        }));
    }

    /// Drops a dial that waits for its turn.
    fn call_off(&mut self, leg: LegId) {
        if let Some(dial) = self.dials.remove(&leg) {
            dial.abort();
        }
    }

    /// Waits for something, such as a store that is away, and goes on with what is being done meanwhile: what was begun
    /// belongs to the moment in which it was decided on.
    async fn beside<T>(&mut self, wait: impl Future<Output = T>) -> T {
        let mut wait = pin!(wait);
        loop {
            tokio::select! {
                biased;
                came = &mut wait => return came,
                Some(done) = self.running.next() => self.finished.push_back(done),
            }
        }
    }
}

/// What came of an effect.
#[derive(Debug)]
struct Done {
    well: bool,
    news: News,
}

#[derive(Debug)]
enum News {
    Nothing,
    Free(bool),
    FarewellOver,
    Told,
    Shown,
    Leg(LegId, CallSid, CallStatus),
    NotPlaced(LegId),
    Gone(LegId),
    Role(LegId, SupervisorRole),
    Seen(Box<Seen>),
}

/// What Twilio says of everybody.
#[derive(Debug)]
struct Seen {
    /// When it was asked.
    asked: Timestamp,
    caller: Option<(CallSid, Option<CallStatus>)>,
    legs: Vec<(LegId, CallSid, Option<CallStatus>)>,
    present: Vec<CallSid>,
}

impl News {
    fn events(&self, call: &CallSession) -> Vec<SessionEvent> {
        match self {
            Self::Nothing | Self::Free(_) => Vec::new(),
            Self::FarewellOver => vec![HandoffEvent::FarewellOver.into()],
            Self::Shown => caller_shown(call),
            Self::Told => vec![HandoffEvent::Told.into()],
            Self::Leg(id, sid, status) => leg_progress(call, *id, sid, status),
            Self::NotPlaced(id) => vec![any_leg_ended(call, *id, "not-placed")],
            Self::Gone(id) => vec![any_leg_ended(call, *id, "gone")],
            Self::Role(leg, role) => vec![SupervisionEvent::RoleGiven { leg: *leg, role: *role }.into()],
            Self::Seen(seen) => seen.events(call),
        }
    }
}

impl Seen {
    fn events(&self, call: &CallSession) -> Vec<SessionEvent> {
        let mut events = Vec::new();
        match &self.caller {
            Some((sid, Some(status))) => {
                let told = call::reconciled(sid, status, Timestamp::UNIX_EPOCH);
                let ended = |event: &SessionEvent| matches!(event, SessionEvent::Ended(_));
                events.extend(told.into_iter().map(|stamped| stamped.event).filter(ended));
            }
            Some((_, None)) => {
                let ending = call::Ending::new(call::Status::Completed, "gone");
                events.push(SessionEvent::Ended(ending));
            }
            None => {}
        }
        for (id, sid, status) in &self.legs {
            match status {
                Some(status) => events.extend(leg_progress(call, *id, sid, status)),
                None => events.push(any_leg_ended(call, *id, "gone")),
            }
            if self.present.contains(sid) {
                events.push(any_leg_arrived(call, *id));
            }
        }
        // Only presence is believed, of one who may be there: lists are late.
        let may_be = call.summary.handoff.as_ref().is_some_and(|handoff| match handoff.caller {
            Whereabouts::OnTheWay => true,
            Whereabouts::Between => after(handoff.caller_since, LISTED) < self.asked,
            Whereabouts::Agent if call.summary.is_run_to_room() => after(handoff.caller_since, LISTED) < self.asked,
            _ => false,
        });
        if may_be && call.summary.call_sid.as_ref().is_some_and(|sid| self.present.contains(sid)) {
            events.push(HandoffEvent::CallerAt { place: Whereabouts::Room, told: None }.into());
        }
        events
    }
}

const fn done(well: bool, news: News) -> Done {
    Done { well, news }
}

async fn perform(
    telephone: &dyn Telephone,
    agent: &dyn CallerAgent,
    session: SessionId,
    now: Timestamp,
    effect: &Effect,
    dial: Option<&Dial>,
) -> Done {
    match (effect, dial) {
        (Effect::SayFarewell { words, limit }, _) => {
            let heard = timeout(*limit, agent.say(session, words)).await;
            done(matches!(heard, Ok(Ok(()))), News::FarewellOver)
        }
        (Effect::TellCaller { cause }, _) => match agent.tell(session, cause).await {
            Ok(()) => done(true, News::Told),
            Err(_) => done(false, News::Nothing),
        },
        (Effect::LeaveStream, _) => done(agent.leave(session).await.is_ok(), News::Nothing),
        (Effect::Dial { leg, .. }, Some(dial)) => match telephone.dial(dial).await {
            Ok(call) => done(true, News::Leg(*leg, call, CallStatus::Queued)),
            Err(LineError::Unknown) => done(false, News::Nothing),
            Err(LineError::NotDone | LineError::NotInProgress) => done(false, News::NotPlaced(*leg)),
        },
        (Effect::Refer { leg, candidate }, _) => match agent.refer(session, &candidate.to).await {
            Ok(()) => done(true, News::Nothing),
            Err(LineError::Unknown) => done(false, News::Nothing),
            Err(LineError::NotDone | LineError::NotInProgress) => done(false, News::NotPlaced(*leg)),
        },
        (Effect::EndLeg { leg, call, answered }, _) => end_leg(telephone, *leg, call, *answered).await,
        (Effect::RedirectCaller { call, .. }, _) => {
            done(telephone.redirect(session, call).await.is_ok(), News::Nothing)
        }
        (Effect::SetRole { leg, call, role, coached }, _) => {
            match telephone.set_role(&room_name(session), call, *role, coached.as_ref()).await {
                Ok(()) => done(true, News::Role(*leg, *role)),
                Err(_) => done(false, News::Nothing),
            }
        }
        (Effect::Look { caller, legs, room }, _) => {
            let (well, seen) = look(telephone, session, now, caller.as_ref(), legs, *room).await;
            done(well, News::Seen(Box::new(seen)))
        }
        (Effect::Dial { .. } | Effect::FindLeg { .. } | Effect::KeepFree { .. }, _) => done(false, News::Nothing),
    }
}

/// Looks for a leg that may have been dialled.
async fn find_leg<S: SessionStore + ?Sized>(
    store: &S,
    telephone: &dyn Telephone,
    leg: LegId,
    dial: &Dial,
    since: Timestamp,
) -> Done {
    let Ok(found) = telephone.find(dial, since).await else { return done(false, News::Nothing) };
    match strangers::ours(store, dial, since, found).await {
        Ok(Some((call, status))) => done(true, News::Leg(leg, call, status)),
        Ok(None) => done(true, News::Nothing),
        Err(_) => done(false, News::Nothing),
    }
}

/// The caller's leg goes on with a document. No door sees it ask for one, so this is where it is written down.
async fn run_document(telephone: &dyn Telephone, call: &CallSid, document: &InlineTwiml) -> Done {
    match telephone.run(call, document).await {
        Ok(()) => done(true, News::Shown),
        // Given again, it would tear the caller out of the room. Whether they are there is looked at first.
        Err(LineError::Unknown) => done(false, News::Shown),
        Err(LineError::NotDone | LineError::NotInProgress) => done(false, News::Nothing),
    }
}

/// What has become of everybody, and whether all of it could be learned.
async fn look(
    telephone: &dyn Telephone,
    session: SessionId,
    asked: Timestamp,
    caller: Option<&CallSid>,
    legs: &[(LegId, CallSid)],
    room: bool,
) -> (bool, Seen) {
    let (mut well, mut seen) = (true, Seen { asked, caller: None, legs: Vec::new(), present: Vec::new() });
    if let Some(caller) = caller {
        match telephone.status(caller).await {
            Ok(status) => seen.caller = Some((caller.clone(), status)),
            Err(_) => well = false,
        }
    }
    for (id, call) in legs {
        match telephone.status(call).await {
            Ok(status) => seen.legs.push((*id, call.clone(), status)),
            Err(_) => well = false,
        }
    }
    if room {
        match telephone.room(&room_name(session)).await {
            Ok(present) => seen.present = present,
            Err(_) => well = false,
        }
    }
    (well, seen)
}

/// A leg that was answered meanwhile cannot be given up, only ended.
async fn end_leg(telephone: &dyn Telephone, leg: LegId, call: &CallSid, answered: bool) -> Done {
    let mut ended = telephone.end(call, answered).await;
    let still = |status: &CallStatus| matches!(status, CallStatus::InProgress);
    if !answered && (ended.as_ref().is_ok_and(still) || ended == Err(LineError::NotInProgress)) {
        ended = telephone.end(call, true).await;
    }
    match ended {
        Ok(status) => done(true, News::Leg(leg, call.clone(), status)),
        // Over, then, or not yet begun: asking tells which.
        Err(LineError::NotInProgress) => match telephone.status(call).await {
            Ok(Some(status)) => done(false, News::Leg(leg, call.clone(), status)),
            Ok(None) => done(true, News::Gone(leg)),
            Err(_) => done(false, News::Nothing),
        },
        Err(_) => done(false, News::Nothing),
    }
}
