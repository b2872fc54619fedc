//! Who can take a caller now, as far as the directory and the other calls tell.

use std::{collections::HashSet, time::Duration};

use async_trait::async_trait;
use call_session::{
    call::{CallSummary, Status},
    directory::{Agent, AgentStatus},
    handoff::{Availability, Candidate, NoRoster, Person, Roster},
    id::{AgentId, SessionId},
    store::{Query, StoreError},
};
use jiff::Timestamp;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use crate::{chain::Chain, phone::Phone};

/// How many calls are looked at on a page.
const PAGE: usize = 500;

/// How long a person is kept free for the call that is about to dial them: until that is written down, with some to spare.
const KEPT: Duration = Duration::from_secs(6);
/// How long one waits for whoever keeps a person free at the moment, and how often is looked.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(8), Duration::from_millis(250));

/// The persons there are.
#[derive(Debug, Clone, Default)]
pub(super) struct People {
    agents: Vec<Agent>,
    busy: HashSet<AgentId>,
    now: Timestamp,
}

/// Somebody who cannot take a caller now, for whoever asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Absent {
    /// Who.
    pub agent_id: AgentId,
    /// What people call them.
    pub name: String,
    /// Whether they have another caller, or are at work without taking calls; otherwise they are not there.
    pub busy: bool,
    /// When they are back, in their own zone, if that is known.
    pub back: Option<String>,
}

impl Absent {
    /// Who cannot take a caller and until when, in words; each is called by this name.
    pub(super) fn all<'a>(absent: &'a [Self], name: impl Fn(&'a Self) -> &'a str) -> String {
        let one = |who: &'a Self| match (&who.back, who.busy) {
            (_, true) => format!("{} is busy", name(who)),
            (Some(back), false) => format!("{} is back at {back}", name(who)),
            (None, false) => format!("{} is away", name(who)),
        };
        if absent.is_empty() {
            "nobody takes calls".into()
        } else {
            absent.iter().map(one).collect::<Vec<_>>().join(", ")
        }
    }
}

impl People {
    /// Those who can be reached by telephone, who speak this language first.
    pub(super) fn persons(&self, language: &str) -> Vec<Person> {
        let mut agents: Vec<_> = self.agents.iter().collect();
        agents.sort_by_key(|agent| !agent.languages.iter().any(|known| known.eq_ignore_ascii_case(language)));
        agents.into_iter().filter_map(|agent| self.person(agent)).collect()
    }

    pub(super) fn agent(&self, id: &AgentId) -> Option<&Agent> {
        self.agents.iter().find(|agent| agent.id == *id)
    }

    /// From now on this one counts as busy.
    pub(super) fn engage(&mut self, id: AgentId) {
        self.busy.insert(id);
    }

    /// Whether another call has this one.
    fn is_engaged(&self, id: &AgentId) -> bool {
        self.busy.contains(id)
    }

    fn person(&self, agent: &Agent) -> Option<Person> {
        let person = Person::new(agent.id.clone(), agent.phone.clone()?).with_availability(self.availability(agent));
        Some(match agent.languages.first() {
            Some(language) => person.with_language(language),
            None => person,
        })
    }

    fn availability(&self, agent: &Agent) -> Availability {
        let next = agent.working_hours.next(self.now);
        match agent.status {
            _ if self.busy.contains(&agent.id) => Availability::Busy,
            AgentStatus::Available if agent.working_hours.covers(self.now) => Availability::Free,
            AgentStatus::Busy if agent.working_hours.covers(self.now) => Availability::Busy,
            _ => Availability::Away { back: next },
        }
    }

    /// Those who cannot take a caller: this one, or all.
    pub(super) fn absent(&self, who: Option<&AgentId>) -> Vec<Absent> {
        let asked = self.agents.iter().filter(|agent| who.is_none_or(|who| agent.id == *who));
        let absent = asked.filter(|agent| agent.phone.is_some() || who.is_some()).filter_map(|agent| {
            let (busy, back) = match self.availability(agent) {
                Availability::Free if agent.phone.is_some() => return None,
                Availability::Busy => (true, None),
                Availability::Away { back } => (false, back),
                _ => (false, None),
            };
            let zone = agent.working_hours.zone();
            let back = back.map(|back| back.to_zoned(zone).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string());
            Some(Absent { agent_id: agent.id.clone(), name: agent.name.clone(), busy, back })
        });
        absent.collect()
    }
}

impl Phone {
    /// The people, as they are now. Who is in the handoff of a call, other than this one, is busy.
    pub(super) async fn people(&self, call: Option<SessionId>) -> Result<People, StoreError> {
        self.people_without(|other| Some(other.id) == call).await
    }

    /// The people, as if nobody were in the handoffs of these calls.
    async fn people_without(&self, without: impl Fn(&CallSummary) -> bool + Send + Sync) -> Result<People, StoreError> {
        let agents = self.0.directory.agents().await?;
        let mut busy = HashSet::new();
        let mut query = Query::default().with_statuses([Status::Transferring, Status::WithAgent]).with_limit(PAGE);
        loop {
            let page = self.0.store.query(&query).await?;
            busy.extend(page.calls.iter().filter(|call| !without(call)).filter_map(engaged).cloned());
            busy.extend(page.calls.iter().flat_map(supervising).cloned());
            match page.next {
                Some(before) => query = query.with_before(before),
                None => return Ok(People { agents, busy, now: Timestamp::now() }),
            }
        }
    }
}

#[async_trait]
impl Roster for Phone {
    async fn keep_free(&self, session: SessionId, candidate: &Candidate) -> Result<bool, NoRoster> {
        let Some(person) = &candidate.person else { return Ok(true) };
        self.is_kept_free(session, person).await.map_err(|error| {
            tracing::warn!(error = %Chain(&error), "nobody can see whether a person is free: asked again in a moment");
            NoRoster
        })
    }
}

impl Phone {
    /// Whether no other call has this person. From an answer on nobody else gets them, until the call itself tells it.
    async fn is_kept_free(&self, call: SessionId, person: &AgentId) -> Result<bool, StoreError> {
        let began = Instant::now();
        loop {
            // What is kept of calls is looked at after the key is had, so that who had it before has written it down.
            let own = self.0.store.summary(call).await?;
            let promised = own.as_ref().and_then(engaged) == Some(person);
            let kept = promised || self.keeps_free(person, KEPT).await?;
            let first = own.as_ref().filter(|_| promised);
            let yields =
                |other: &CallSummary| other.id == call || first.is_some_and(|own| is_promised_before(own, other));
            if self.people_without(yields).await?.is_engaged(person) {
                return Ok(false);
            }
            if kept {
                return Ok(true);
            }
            if began.elapsed() > PATIENCE.0 {
                return Ok(false);
            }
            sleep(PATIENCE.1).await;
        }
    }
}

/// Whether nobody has been called for either of these yet, and this one was to be handed over before the other. A promise is
/// no more than that: of two calls that were promised the same person, each would else leave them to the other.
fn is_promised_before(call: &CallSummary, other: &CallSummary) -> bool {
    let promise = |call: &CallSummary| {
        let handoff = call.handoff.as_ref().filter(|handoff| handoff.under_way() && handoff.legs.is_empty());
        handoff.map(|handoff| (handoff.requested, call.id))
    };
    promise(call).zip(promise(other)).is_some_and(|(call, other)| call < other)
}

/// Those who are with this caller and a person, or are called to be.
fn supervising(call: &CallSummary) -> impl Iterator<Item = &AgentId> {
    call.supervisors.values().filter(|leg| leg.is_wanted()).filter_map(|leg| leg.person.as_ref())
}

/// The person who has this caller, is being asked about them, or is to be asked next.
fn engaged(call: &CallSummary) -> Option<&AgentId> {
    let handoff = call.handoff.as_ref().filter(|handoff| handoff.under_way())?;
    match call.wanted_leg().and_then(|leg| call.legs.get(&leg)) {
        Some(leg) => leg.person.as_ref(),
        None if handoff.legs.is_empty() => handoff.plan.candidates.first()?.person.as_ref(),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use call_session::{
        call::{CallSession, HandoffEvent, HandoffMode, NewCall, SessionEvent},
        handoff::{HandoffPlan, request},
        id::LegId,
    };

    use super::*;

    /// A call that was promised somebody at this second.
    fn promised(second: i64) -> CallSession {
        let at = Timestamp::from_second(second).unwrap();
        let call = NewCall::outbound("+81312345678", "+819012345678");
        let mut call = CallSession::new(SessionId::new(), at, call);
        call.take([SessionEvent::Answered.at(at)]).unwrap();
        let candidate = Candidate::new(Some("sato".parse().unwrap()), "+81311112222");
        let plan = HandoffPlan::new(HandoffMode::Warm, "+81312345678", vec![candidate]);
        call.take([request(plan, "rule", "").at(at)]).unwrap();
        call
    }

    #[test]
    fn of_two_calls_that_were_promised_the_same_person_one_gets_them() {
        let (first, mut second) = (promised(10), promised(11));
        assert_eq!(engaged(&first.summary), engaged(&second.summary));
        let twin = promised(10);
        for (one, other) in [(&first, &second), (&first, &twin)] {
            let one_first = is_promised_before(&one.summary, &other.summary);
            assert_ne!(one_first, is_promised_before(&other.summary, &one.summary));
        }
        assert!(is_promised_before(&first.summary, &second.summary));
        // Whoever is called already is not taken away.
        let person = Some("sato".parse().unwrap());
        let dialing = HandoffEvent::Dialing { leg: LegId::new(), person, candidate: 0 };
        let at = Timestamp::from_second(12).unwrap();
        second.take([HandoffEvent::FarewellOver, dialing].map(|event| SessionEvent::from(event).at(at))).unwrap();
        assert!(!is_promised_before(&first.summary, &second.summary));
    }
}
