//! Performs handoffs on this server, and takes over those whose server is gone.

use std::{
    collections::{HashMap, HashSet},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use call_session::{
    call::{CallSummary, Status},
    handoff::{Company, HandoffRunner, SystemClock, Telephone},
    id::{NodeId, SessionId},
    store::{Query, StoreError},
};
use jiff::Timestamp;
use tokio::time::{Instant, sleep_until};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

use super::agent::Agents;
use crate::{chain::Chain, phone::Phone};

/// How often is looked which servers live: as often as they say so.
const EVERY: Duration = Duration::from_secs(1);

/// How often is looked for handoffs that nobody performs although all servers live.
const THOROUGH: u32 = 5;

/// How long whoever accepted a request may take to begin.
const BEGINNING: Duration = Duration::from_secs(3);

/// How far back calls that are over are looked at for legs that may be alive.
const RECENT: Duration = Duration::from_secs(3600);

/// How many calls are looked at on a page.
const PAGE: usize = 500;

/// The handoffs that this server performs.
#[derive(Debug, Default)]
pub(in crate::phone) struct Runs(Mutex<HashMap<SessionId, Run>>);

#[derive(Debug)]
struct Run {
    stop: CancellationToken,
    ended: TaskTracker,
}

impl Runs {
    fn all(&self) -> MutexGuard<'_, HashMap<SessionId, Run>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has(&self, call: SessionId) -> bool {
        self.all().get(&call).is_some_and(|run| !run.ended.is_empty())
    }
}

impl Phone {
    /// Performs the handoff of a call, until it and its legs are over. Whoever performed it before stops.
    pub(super) fn perform(&self, call: SessionId) {
        let Some(telephone) = &self.0.telephone else { return };
        let telephone: Arc<dyn Telephone> = telephone.clone();
        let agents = Agents(self.clone());
        let (store, clock, node) = (Arc::clone(&self.0.store), Arc::new(SystemClock), self.0.live.node().clone());
        let runner = HandoffRunner::new(store, telephone, Arc::new(agents.clone()), clock, node)
            .with_roster(Arc::new(self.clone()));
        let (stop, ended) = (self.0.stop.child_token(), TaskTracker::new());
        let run = Run { stop: stop.clone(), ended: ended.clone() };
        let mut all = self.0.runs.all();
        all.retain(|other, run| *other == call || !run.ended.is_empty());
        let former = all.insert(call, run);
        let phone = self.clone();
        let work = async move {
            if let Some(former) = former {
                // Two of one server would take each other for the same.
                former.stop.cancel();
                former.ended.close();
                former.ended.wait().await;
            }
            let performed = async {
                // Beside the rest: another server may take its time.
                let (mut kept, mut run) = (pin!(phone.keep_company(&agents, call)), pin!(runner.run(call)));
                tokio::select! {
                    () = &mut kept => run.await,
                    end = &mut run => end,
                }
            };
            tokio::select! {
                // Another server goes on with it, or this one after its start.
                () = stop.cancelled() => {}
                done = performed => match done {
                    Ok(end) => tracing::debug!(?end, "the handoff is performed"),
                    Err(error) => tracing::error!(error = %Chain(&error), "a handoff cannot be performed now"),
                },
            }
        };
        // Counted before it begins, so that nobody takes the call for one that nobody performs.
        let work = ended.track_future(work);
        drop(all);
        self.0.tasks.spawn(work.instrument(tracing::info_span!("handoff", %call)));
    }

    async fn keep_company(&self, agents: &Agents, call: SessionId) {
        let summary = self.0.store.summary(call).await.ok().flatten();
        let handoff = summary.as_ref().and_then(|call| call.handoff.as_ref());
        let agent = handoff.is_some_and(|handoff| handoff.under_way() && handoff.plan.company == Company::Agent);
        if agent && !summary.as_ref().is_some_and(super::leads_elsewhere) {
            agents.keep(call).await;
        }
    }
}

/// Takes over handoffs that nobody performs any more, until the server stops.
pub(in crate::phone) async fn watch(phone: Phone) {
    let mut lived = HashSet::new();
    // Also after the start: whoever had them before may be gone.
    let mut rounds = 0;
    loop {
        match phone.0.live.nodes().await {
            Ok(nodes) => {
                let mut live: HashSet<_> =
                    nodes.into_iter().filter(|(_, alive)| *alive).map(|(node, _)| node).collect();
                // It may not have said so yet.
                live.insert(phone.0.live.node().clone());
                if !lived.is_subset(&live) {
                    rounds = 0;
                }
                if rounds % THOROUGH == 0
                    && let Err(error) = phone.take_over(&live, rounds == 0).await
                {
                    tracing::warn!(error = %Chain(&error), "nobody can see whether handoffs are performed");
                }
                if rounds % THOROUGH == 0
                    && let Err(error) = phone.find_targets().await
                {
                    tracing::debug!(error = %Chain(&error), "whom models may name is not known anew");
                }
                rounds += 1;
                lived = live;
            }
            Err(error) => tracing::debug!(error = %Chain(&error), "nobody can see which servers live"),
        }
        tokio::select! {
            () = sleep_until(Instant::now() + EVERY) => {}
            () = phone.0.stop.cancelled() => return,
        }
    }
}

impl Phone {
    /// Takes over what nobody performs. A server that is gone may also have left legs of calls that are over, or that are
    /// the agent's again.
    async fn take_over(&self, live: &HashSet<NodeId>, gone: bool) -> Result<(), StoreError> {
        let under_way = Query::default().with_statuses([Status::Transferring, Status::WithAgent]);
        self.take_over_of(under_way, live).await?;
        if gone {
            let over = Status::ALL.into_iter().filter(|status| status.is_terminal());
            let since = Timestamp::now().saturating_sub(RECENT).ok();
            self.take_over_of(Query::default().with_statuses([Status::AiResponding]), live).await?;
            self.take_over_of(Query::default().with_statuses(over).with_time(since, None), live).await?;
        }
        Ok(())
    }

    async fn take_over_of(&self, query: Query, live: &HashSet<NodeId>) -> Result<(), StoreError> {
        let mut query = query.with_limit(PAGE);
        loop {
            let page = self.0.store.query(&query).await?;
            for call in &page.calls {
                if self.is_abandoned(call, live) {
                    tracing::info!(call = %call.id, "a handoff is taken over");
                    self.perform(call.id);
                }
            }
            match page.next {
                Some(before) => query = query.with_before(before),
                None => return Ok(()),
            }
        }
    }

    /// Whether nobody performs a handoff that somebody has to.
    fn is_abandoned(&self, call: &CallSummary, live: &HashSet<NodeId>) -> bool {
        let Some(handoff) = call.handoff.as_ref().filter(|_| call.needs_runner()) else { return false };
        match &handoff.runner {
            Some(runner) if runner == self.0.live.node() => !self.0.runs.has(call.id),
            Some(runner) => !live.contains(runner),
            None => {
                let age = Timestamp::now().duration_since(handoff.requested);
                Duration::try_from(age).is_ok_and(|age| age > BEGINNING) && !self.0.runs.has(call.id)
            }
        }
    }
}
