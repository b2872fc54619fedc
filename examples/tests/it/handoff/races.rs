//! What is lost, late, refused or in another order: the caller gets to the person all the same, or keeps the agent, and
//! nobody is left ringing.

use std::time::Duration;

use call_session::call::{CallSession, HandoffEnd, Status};
use call_simulator::twilio::{CallbackPlan, CallerScript, Cue, Operation, PhoneScript, RestFault};
use futures_util::future::join_all;
use serde_json::json;

use super::world::{World, back, presses, with_agent};

const SOON: Duration = Duration::from_millis(1_500);

/// Longer than anybody waits for an answer.
const HANGS: Duration = Duration::from_secs(40);

/// One request to Twilio goes wrong, in every way: the caller and one person talk in the end, once.
#[tokio::test]
async fn a_request_that_goes_wrong_keeps_nobody_from_talking() {
    let busy = RestFault::TooManyRequests { retry_after: None };
    let failed = |carried_out| RestFault::ServerError { status: 503, carried_out };
    let plans = [
        (Operation::UpdateCall, busy),
        (Operation::UpdateCall, failed(false)),
        (Operation::UpdateCall, failed(true)),
        (Operation::UpdateCall, RestFault::AnswerLost),
        // The stream has stopped, and the caller is in the room, before the answer.
        (Operation::UpdateCall, RestFault::AnswerLate(SOON)),
        (Operation::UpdateCall, RestFault::Late(SOON)),
        // No answer ever comes, though it is done: nobody waits for it for long.
        (Operation::UpdateCall, RestFault::NeverAnswered),
        (Operation::UpdateCall, RestFault::Late(HANGS)),
        (Operation::CreateCall, RestFault::NeverAnswered),
        (Operation::CreateCall, RestFault::AnswerLost),
        (Operation::CreateCall, failed(true)),
        // The person presses a key before it is known what their call is named.
        (Operation::CreateCall, RestFault::AnswerLate(4 * SOON)),
    ];
    join_all(plans.map(|(operation, fault)| Box::pin(connects(operation, fault)))).await;
}

async fn connects(operation: Operation, fault: RestFault) {
    let world = World::new().await;
    let agent = world.person("here", presses("1")).await;
    world.twilio.plan_rest(operation, fault);
    let caller = world.caller().await;
    let asked = world.post(caller.call, "handoff", json!({ "agentId": agent })).await;
    assert_eq!(asked.0, 202, "{operation:?} {fault:?}");
    let session = world.until(&caller, with_agent).await;
    assert_eq!(session.summary.legs.len(), 1, "{operation:?} {fault:?}");
    let handoff = session.summary.handoff.unwrap();
    let moved = Duration::try_from(handoff.connected.unwrap().duration_since(handoff.moving.unwrap())).unwrap();
    assert!(moved < HANGS / 2, "{operation:?} {fault:?}: the caller is moved after {moved:?}");
    let (session, report) = world.over(caller).await;
    assert_eq!(session.summary.status, Status::Completed);
    assert_eq!(world.twilio.calls().len(), 2, "{operation:?} {fault:?}: one caller, one person");
    assert_eq!(report.streams.len(), 1, "{operation:?} {fault:?}: {}", report.timeline);
}

/// Callbacks come twice, late and in another order.
#[tokio::test]
async fn callbacks_in_any_order_tell_the_same() {
    join_all((1..=4).map(|seed| Box::pin(permuted(seed)))).await;
}

async fn permuted(seed: u64) {
    let world = World::new().await;
    world.twilio.plan_callbacks(CallbackPlan::seeded(seed, Duration::from_millis(800), 30, 10));
    let agent = world.person("here", presses("1")).await;
    let caller = world.caller().await;
    assert_eq!(world.post(caller.call, "handoff", json!({ "agentId": agent })).await.0, 202);
    world.until(&caller, with_agent).await;
    world.hangs_up(&world.leg(&caller).await).await;
    world.until(&caller, back).await;
    let (session, _) = world.over(caller).await;
    assert_eq!(session.summary.handoff.unwrap().ended.unwrap().1, HandoffEnd::Returned, "seed {seed}");
}

type Holds = fn(&CallSession) -> bool;

/// The caller hangs up at every step; whoever was called is released, and the session says how it went.
#[tokio::test]
async fn a_caller_who_hangs_up_leaves_nobody_behind() {
    let steps: [(&str, Holds); 5] = [
        ("asked", |session| session.summary.handoff.is_some()),
        ("dialled", |session| !session.summary.legs.is_empty()),
        ("answered", |session| session.summary.legs.values().any(|leg| leg.answered)),
        ("accepted", |session| session.summary.legs.values().any(|leg| leg.accepted)),
        ("moving", |session| session.summary.handoff.as_ref().is_some_and(|handoff| handoff.moving.is_some())),
    ];
    let world = World::new().await;
    let world = &world;
    join_all(steps.into_iter().map(|(step, holds)| {
        Box::pin(async move {
            let agent = world.person(step, presses("1")).await;
            let leaves = Cue::new();
            let caller = world.caller_who(CallerScript::new().until_cue(&leaves).hang_up()).await;
            let asked = world.post(caller.call, "handoff", json!({ "agentId": agent })).await;
            assert_eq!(asked.0, 202, "{step}");
            super::world::until(&*world.store, caller.call, holds).await;
            leaves.give();
            let (session, _) = world.over(caller).await;
            assert_eq!(session.summary.status, Status::Completed, "{step}");
            assert!(session.summary.legs.len() <= 1, "{step}");
        })
    }))
    .await;
}

/// A person answers in the moment in which they are given up: caller and person talk, or both are free.
#[tokio::test]
async fn who_answers_at_the_last_moment_is_not_left_alone() {
    let world =
        World::with(super::world::receptionist(), |arguments| arguments.handoff.handoff_ring = Some("1".into()));
    let world = world.await;
    let world = &world;
    join_all((0..6).map(|late| {
        Box::pin(async move {
            let ringing = Duration::from_millis(5_000 + 400 * late);
            let number: twilio_twiml::phone::E164 = format!("+81901300000{late}").parse().unwrap();
            let listens = CallerScript::new().until_agent_spoke_for(Duration::from_secs(1)).press("1");
            world.twilio.phone(number.clone(), PhoneScript::answers(listens).after(ringing));
            let caller = world.caller().await;
            let asked = world.post(caller.call, "handoff", json!({ "phone": number })).await;
            assert_eq!(asked.0, 202);
            let settled = |call: &call_session::call::CallSummary| {
                with_agent(call) || call.handoff.as_ref().is_some_and(|handoff| handoff.told)
            };
            world.until(&caller, settled).await;
            world.over(caller).await;
        })
    }))
    .await;
}
