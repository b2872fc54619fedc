//! Lists and their pages.

use jiff::Timestamp;

use super::{Store, at, new_call};
use crate::{
    call::{CallSummary, Direction, Ending, HandoffEvent, HandoffMode, Mode, NewCall, Outcome, SessionEvent, Status},
    handoff::{Candidate, HandoffPlan},
    id::{AgentId, CustomerId, SessionId},
    store::Query,
};

async fn list(store: &Store, query: &Query) -> Vec<CallSummary> {
    let mut calls = Vec::new();
    let mut query = query.clone();
    loop {
        let page = store.query(&query).await.expect("the store answers");
        assert!(page.calls.len() <= query.limit);
        calls.extend(page.calls);
        match page.next {
            Some(next) => query = query.with_before(next),
            None => return calls,
        }
    }
}

fn ids(calls: &[CallSummary]) -> Vec<SessionId> {
    calls.iter().map(|call| call.id).collect()
}

fn customer(number: usize) -> CustomerId {
    format!("customer-{number}").parse().expect("a name")
}

fn agent(number: usize) -> AgentId {
    format!("agent-{number}").parse().expect("a name")
}

/// Sixty calls of all sorts, oldest first.
async fn all_sorts(store: &Store) -> Vec<CallSummary> {
    let mut calls = Vec::new();
    for i in 0..60_usize {
        let mode = [Mode::Realtime, Mode::Sip, Mode::Conference][i % 3];
        let mut call = match i % 2 {
            0 => new_call(),
            _ => NewCall::inbound("+819012345678", "+81312345678"),
        };
        call = call.with_mode(mode);
        if i % 5 > 0 {
            call = call.with_customer(customer(i % 5));
        }
        if i % 4 > 0 {
            call = call.with_agent(agent(i % 4));
        }
        // Several begin at the same time.
        let began = at(1000 * (i as i64 / 4));
        let id = SessionId::new();
        let mut session = store.create(id, began, call, vec![]).await.expect("a new call is kept");
        let plan = HandoffPlan::new(HandoffMode::Cold, "+81312345678", vec![Candidate::new(None, "+81311112222")]);
        let requested = HandoffEvent::Requested { plan: Box::new(plan), by: "rule".into(), reason: "asked".into() };
        let proposals = match i % 7 {
            0 => vec![],
            1 => vec![SessionEvent::Ringing],
            2 => vec![SessionEvent::Answered],
            3 => vec![SessionEvent::Answered, SessionEvent::Handoff(requested)],
            4 => vec![SessionEvent::Ended(Ending::new(Status::Busy, "busy"))],
            5 => vec![SessionEvent::Answered, SessionEvent::Ended(Ending::new(Status::Completed, "goodbye"))],
            _ => vec![SessionEvent::Concluded { outcome: Outcome::VoicemailLeft }],
        };
        let version = session.summary.version;
        let events = session.take(proposals.into_iter().map(|event| event.at(began))).expect("this may happen");
        if !events.is_empty() {
            let commit = crate::store::Commit::new(id, version, events);
            store.commit(commit).await.expect("the version is right");
        }
        calls.push(session.summary);
    }
    calls
}

/// Each condition of a list, alone and with others, shows the calls that fit, newest first, in pages of any length.
pub async fn lists_show_what_fits(store: Store) {
    let mut all = all_sorts(&store).await;
    all.sort_by_key(|call| std::cmp::Reverse((call.created_at, call.id)));
    let time = |since: i64, until: i64| (Some(at(since)), Some(at(until)));
    let mut queries = vec![Query::default(), Query::active()];
    queries.extend(Status::ALL.map(|status| Query::default().with_statuses([status])));
    queries.extend([Direction::Inbound, Direction::Outbound].map(|way| Query::default().with_direction(way)));
    queries.extend([Mode::Realtime, Mode::Sip, Mode::Conference].map(|mode| Query::default().with_mode(mode)));
    queries.extend((0..6).map(|i| Query::default().with_customer(customer(i))));
    queries.extend((0..5).map(|i| Query::default().with_agent(agent(i))));
    let outcomes = [Outcome::Conversation, Outcome::Busy, Outcome::VoicemailLeft, Outcome::BrokenOff, Outcome::Fax];
    queries.extend(outcomes.map(|outcome| Query::default().with_outcome(outcome)));
    for (since, until) in [time(0, 1), time(3000, 9000), time(4000, 4001), time(9000, 3000)] {
        queries.push(Query::default().with_time(since, until));
        queries.push(Query::default().with_time(since, None).with_direction(Direction::Inbound));
        queries.push(Query::active().with_time(None, until).with_mode(Mode::Sip));
    }
    let combined = Query::default().with_customer(customer(1)).with_agent(agent(1)).with_mode(Mode::Realtime);
    queries.push(combined.with_direction(Direction::Inbound).with_statuses([Status::Initiated, Status::Busy]));
    queries.push(Query::active().with_agent(agent(2)).with_customer(customer(2)));
    queries.push(Query::default().with_statuses([Status::Busy, Status::Completed]).with_agent(agent(3)));
    queries.push(Query::active().with_outcome(Outcome::VoicemailLeft));
    // The same one twice is the same as once.
    queries.push(Query::default().with_statuses([Status::Busy, Status::Busy]));
    for query in queries {
        let wanted: Vec<_> = all.iter().filter(|call| query.fits(call)).cloned().collect();
        for limit in [1, 7, 1000] {
            let found = list(&store, &query.clone().with_limit(limit)).await;
            assert_eq!(ids(&found), ids(&wanted), "{query:?}, {limit} to a page");
            assert_eq!(found, wanted);
        }
    }
    let unknown = Query::default().with_before(SessionId::new());
    assert_eq!(
        store.query(&unknown).await.expect("the store answers").calls,
        [],
        "nothing comes after what is not there"
    );
}

/// While somebody turns the pages, new calls shift nothing.
pub async fn pages_are_stable(store: Store) {
    let create = async |began: Timestamp| {
        let id = SessionId::new();
        store.create(id, began, new_call(), vec![]).await.expect("a new call is kept");
        id
    };
    let mut old = Vec::new();
    for i in 0..25 {
        old.insert(0, create(at(i)).await);
    }
    let (mut seen, mut query) = (Vec::new(), Query::default().with_limit(4));
    for i in 0.. {
        let page = store.query(&query).await.expect("the store answers");
        seen.extend(ids(&page.calls));
        create(at(1000 + i)).await;
        match page.next {
            Some(next) => query = query.with_before(next),
            None => break,
        }
    }
    assert_eq!(seen, old);
}
