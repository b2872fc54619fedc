//! Calls of every fate.

use std::{collections::BTreeMap, time::Duration};

use call_session::{call::Outcome, store::sqlite::SqliteStore};
use call_simulator::{
    audio::fixtures::en,
    twilio::{CallbackPlan, CallerScript, Operation, PhoneScript, RestFault},
};

use super::world::{World, all_over, new_folder};

#[tokio::test]
async fn fifty_calls_in_one_second_end_in_fifty_right_sessions() {
    let folder = new_folder();
    let path = folder.join("calls.db");
    let world = World::new(format!("sqlite:{}", path.display())).await;
    let talk = CallerScript::new().until_hears(en::AGENT_GREETING).say(en::CALLER_THANKS);
    let fates = [PhoneScript::answers(talk), PhoneScript::busy(), PhoneScript::no_answer(), PhoneScript::fails(404)];
    let store = SqliteStore::open(&path).await.unwrap();
    let customers = world.customers(&store, fates.into_iter().cycle().take(50)).await;
    // Some callbacks come twice, some in another order; some answers to creates are lost.
    world.twilio.plan_callbacks(CallbackPlan::seeded(7, Duration::from_millis(400), 30, 0));
    world.twilio.plan_rest(Operation::CreateCall, RestFault::AnswerLost);
    let _server = world.serve(0, &[("MACHINE", "ignore")]).await;

    let starts = customers.iter().map(|customer| world.start(customer));
    let started = futures_util::future::join_all(starts).await;
    assert!(started.iter().all(|answer| answer["twilioCallSid"].is_string()), "each call has its name: {started:?}");
    let mut count = BTreeMap::new();
    for (status, outcome) in all_over(&store, 50).await {
        *count.entry((status.name(), outcome.map(Outcome::name))).or_insert(0) += 1;
    }
    let expected = BTreeMap::from([
        (("completed", Some("conversation")), 13),
        (("busy", Some("busy")), 13),
        (("no-answer", Some("no-answer")), 12),
        (("failed", Some("unreachable")), 12),
    ]);
    assert_eq!(count, expected);
    let mut names: Vec<_> = started.iter().map(|answer| answer["twilioCallSid"].as_str().unwrap()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!((names.len(), world.twilio.calls().len()), (50, 50), "nobody was called twice");
    store.close().await;
    std::fs::remove_dir_all(folder).unwrap();
}
