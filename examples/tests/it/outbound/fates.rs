//! Calls of every fate.

use std::{path::PathBuf, time::Duration};

use call_session::{
    call::{CallSummary, Outcome, Status},
    store::{Query, SessionStore, sqlite::SqliteStore},
};
use call_simulator::{
    audio::fixtures::en,
    twilio::{CallReport, CallbackPlan, CallerScript, Event, Operation, PhoneScript, RestFault},
};
use serde_json::{Value, json};
use tokio::{
    process::Command,
    time::{Instant, timeout},
};
use twilio_twiml::sid::CallSid;

use super::world::{World, all_over, new_folder, wait_for_call};
use crate::world::TOKEN;

/// A world with a database in a file.
struct Filed {
    world: World,
    store: SqliteStore,
    folder: PathBuf,
}

impl Filed {
    async fn new() -> Self {
        let folder = new_folder();
        let path = folder.join("calls.db");
        let mut world = World::new(format!("sqlite:{}", path.display())).await;
        world.log = Some(folder.join("log"));
        Self { world, store: SqliteStore::open(&path).await.unwrap(), folder }
    }

    /// The fate of the only call, once it is over, and what Twilio reports.
    async fn over(&self) -> ((Status, Option<Outcome>), CallReport) {
        let fate = all_over(&self.store, 1).await[0];
        let report = self.world.twilio.report(&self.world.twilio.calls()[0]).await.unwrap();
        (fate, (*report).clone())
    }

    async fn close(self) {
        self.store.close().await;
        std::fs::remove_dir_all(self.folder).unwrap();
    }
}

/// How often Twilio's own voice spoke.
fn spoke(report: &CallReport) -> usize {
    report.timeline.moments().iter().filter(|moment| matches!(moment.event, Event::Verb { name: "Say", .. })).count()
}

/// Callbacks of no purpose but these come.
fn only(purposes: &'static [&'static str]) -> CallbackPlan {
    CallbackPlan::new(move |callback| match purposes.contains(&callback.purpose) {
        true => vec![Duration::ZERO],
        false => vec![],
    })
}

fn sid(answer: &Value) -> Option<CallSid> {
    answer["twilioCallSid"].as_str().map(|sid| sid.parse().unwrap())
}

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
    all_over(&store, 50).await;
    let expected = [
        (Status::Completed, Some(Outcome::Conversation)),
        (Status::Busy, Some(Outcome::Busy)),
        (Status::NoAnswer, Some(Outcome::NoAnswer)),
        (Status::Failed, Some(Outcome::Unreachable)),
    ];
    let calls = store.query(&Query::default().with_limit(100)).await.unwrap().calls;
    for (index, (customer, answer)) in customers.iter().zip(&started).enumerate() {
        let of_customer = |call: &&CallSummary| call.customer.as_ref().is_some_and(|id| id.as_str() == customer);
        let call = calls.iter().find(of_customer).unwrap();
        assert_eq!((call.status, call.outcome), expected[index % 4], "{customer}");
        let sid = call.call_sid.as_ref().unwrap();
        assert_eq!((json!(call.id), json!(sid)), (answer["callId"].clone(), answer["twilioCallSid"].clone()));
        // That name is of a call to this customer.
        let placed = world.twilio.report(sid).await.unwrap();
        let to = placed.timeline.moments().iter().find_map(|moment| match &moment.event {
            Event::Placed { to, .. } => Some(to.clone()),
            _ => None,
        });
        assert_eq!(to, Some(call.to.to_string()), "{customer}");
    }
    let mut names: Vec<_> = started.iter().map(|answer| answer["twilioCallSid"].as_str().unwrap()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!((names.len(), world.twilio.calls().len()), (50, 50), "nobody was called twice");
    store.close().await;
    std::fs::remove_dir_all(folder).unwrap();
}

/// Twilio tells twice what it has found out, the second time when the message has begun.
#[tokio::test]
async fn a_machine_gets_its_message_once() {
    let at = Filed::new().await;
    at.world.twilio.plan_callbacks(CallbackPlan::new(|callback| match callback.purpose {
        "machine detection" => vec![Duration::ZERO, Duration::from_millis(1500)],
        _ => vec![Duration::ZERO],
    }));
    let _server = at.world.serve(0, &[("MACHINE", "message")]).await;
    let customers = at.world.customers(&at.store, [PhoneScript::machine(en::AGENT_APOLOGY)]).await;
    at.world.start(&customers[0]).await;
    let (fate, report) = at.over().await;
    assert_eq!(fate, (Status::Completed, Some(Outcome::VoicemailLeft)));
    assert_eq!(spoke(&report), 1, "{}", report.timeline);
    at.close().await;
}

/// The machine is told of once: nobody else would see to it.
#[tokio::test]
async fn a_machine_gets_its_message_though_twilio_fails_at_first() {
    let at = Filed::new().await;
    at.world.twilio.plan_rest(Operation::UpdateCall, RestFault::ServerError { status: 500, carried_out: false });
    let _server = at.world.serve(0, &[("MACHINE", "message")]).await;
    let customers = at.world.customers(&at.store, [PhoneScript::machine(en::AGENT_APOLOGY)]).await;
    at.world.start(&customers[0]).await;
    let (fate, report) = at.over().await;
    assert_eq!(fate, (Status::Completed, Some(Outcome::VoicemailLeft)));
    assert_eq!(spoke(&report), 1, "{}", report.timeline);
    at.close().await;
}

#[tokio::test]
async fn a_machine_is_hung_up_on() {
    let at = Filed::new().await;
    let _server = at.world.serve(0, &[("MACHINE", "hang-up")]).await;
    let customers = at.world.customers(&at.store, [PhoneScript::machine(en::AGENT_APOLOGY)]).await;
    at.world.start(&customers[0]).await;
    let (fate, report) = at.over().await;
    assert_eq!(fate, (Status::Completed, Some(Outcome::MachineHungUp)));
    assert_eq!(spoke(&report), 0, "{}", report.timeline);
    at.close().await;
}

#[tokio::test]
async fn a_call_is_called_off_while_it_rings() {
    let at = Filed::new().await;
    let _server = at.world.serve(0, &[("MACHINE", "ignore"), ("RING_LIMIT", "120")]).await;
    let rings = PhoneScript::answers(CallerScript::new()).after(Duration::from_secs(120));
    let customers = at.world.customers(&at.store, [rings]).await;
    let started = at.world.start(&customers[0]).await;
    wait_for_call(&at.store, |call| call.status == Status::Ringing).await;
    let end = format!("/api/calls/{}/end", started["callId"].as_str().unwrap());
    assert_eq!(at.world.post(&end, &json!({})).await.0, 202);
    let (fate, report) = at.over().await;
    assert_eq!(fate, (Status::Canceled, Some(Outcome::Canceled)));
    assert_eq!(report.answered, None);
    assert_eq!(at.world.post(&end, &json!({})).await.0, 409);
    at.close().await;
}

/// Its end is asked for before anybody knows its name.
#[tokio::test]
async fn whoever_picks_up_a_call_that_was_called_off_is_hung_up_on() {
    let at = Filed::new().await;
    at.world.twilio.plan_rest(Operation::CreateCall, RestFault::AnswerLost);
    at.world.twilio.plan_callbacks(only(&[]));
    let _server = at.world.serve(0, &[("MACHINE", "ignore"), ("RING_LIMIT", "60")]).await;
    let talk = CallerScript::new().until_hears(en::AGENT_GREETING).say(en::CALLER_THANKS);
    let customers = at.world.customers(&at.store, [PhoneScript::answers(talk).after(Duration::from_secs(10))]).await;
    let started = at.world.start(&customers[0]).await;
    assert_eq!(sid(&started), None);
    let end = format!("/api/calls/{}/end", started["callId"].as_str().unwrap());
    assert_eq!(at.world.post(&end, &json!({})).await.0, 202);
    let (fate, report) = at.over().await;
    assert_eq!(fate, (Status::Canceled, Some(Outcome::Canceled)));
    assert!(report.answered.is_some() && report.streams.is_empty(), "{}", report.timeline);
    at.close().await;
}

/// Calls somebody who does not pick up, asks for the end of the call before anybody knows its name, and checks that it does
/// not ring on once its name is known in this way.
async fn check_called_off_when_named(callbacks: CallbackPlan) {
    let at = Filed::new().await;
    at.world.twilio.plan_rest(Operation::CreateCall, RestFault::AnswerLost);
    at.world.twilio.plan_callbacks(callbacks);
    let _server = at.world.serve(0, &[("MACHINE", "ignore"), ("RING_LIMIT", "600")]).await;
    let rings = PhoneScript::answers(CallerScript::new()).after(Duration::from_secs(600));
    let customers = at.world.customers(&at.store, [rings]).await;
    let started = at.world.start(&customers[0]).await;
    assert_eq!(sid(&started), None);
    let end = format!("/api/calls/{}/end", started["callId"].as_str().unwrap());
    assert_eq!(at.world.post(&end, &json!({})).await.0, 202);
    let (fate, report) = at.over().await;
    assert_eq!(fate, (Status::Canceled, Some(Outcome::Canceled)));
    assert_eq!(report.answered, None);
    at.close().await;
}

#[tokio::test]
async fn a_call_that_a_callback_names_is_called_off_if_that_was_asked_for() {
    check_called_off_when_named(CallbackPlan::new(|_| vec![Duration::from_secs(10)])).await;
}

#[tokio::test]
async fn a_call_that_is_found_is_called_off_if_that_was_asked_for() {
    check_called_off_when_named(only(&[])).await;
}

/// Neither an answer nor a callback tells what became of them: Twilio's list does.
#[tokio::test]
async fn calls_that_nobody_tells_of_are_looked_for() {
    let at = Filed::new().await;
    at.world.twilio.plan_callbacks(only(&[]));
    let _server = at.world.serve(0, &[("MACHINE", "ignore"), ("RING_LIMIT", "600")]).await;
    let rings = PhoneScript::answers(CallerScript::new()).after(Duration::from_secs(600));
    let customers = at.world.customers(&at.store, [rings.clone(), rings]).await;
    at.world.twilio.plan_rest(Operation::CreateCall, RestFault::ServerError { status: 500, carried_out: true });
    let made = at.world.start(&customers[0]).await;
    at.world.twilio.plan_rest(Operation::CreateCall, RestFault::ServerError { status: 503, carried_out: false });
    let lost = at.world.start(&customers[1]).await;
    assert_eq!((sid(&made), sid(&lost)), (None, None));

    let name = at.world.twilio.calls().remove(0);
    wait_for_call(&at.store, |call| call.call_sid.as_ref() == Some(&name)).await;
    wait_for_call(&at.store, |call| call.ending.as_ref().is_some_and(|ending| ending.reason == "create-lost")).await;
    assert_eq!(at.world.twilio.calls(), [name], "nobody was called again");
    let of = |answer: &Value| answer["callId"].as_str().unwrap().parse().unwrap();
    let call = at.store.summary(of(&made)).await.unwrap().unwrap();
    assert_eq!(call.status, Status::Ringing);
    assert_eq!(at.store.summary(of(&lost)).await.unwrap().unwrap().status, Status::Failed);
    at.close().await;
}

/// Whoever asked for a call has gone before it had its turn.
#[tokio::test]
async fn a_call_that_waits_for_its_turn_is_made_whoever_waits_for_it() {
    let at = Filed::new().await;
    let _server = at.world.serve(0, &[("MACHINE", "ignore"), ("TWILIO_CALLS_PER_SECOND", "1")]).await;
    let customers = at.world.customers(&at.store, vec![PhoneScript::busy(); 4]).await;
    for customer in &customers {
        let gone = timeout(Duration::from_millis(300), at.world.start(customer)).await;
        assert!(gone.is_ok() || customer != &customers[0], "the first does not wait");
        wait_for_call(&at.store, |call| call.customer.as_ref().is_some_and(|id| id.as_str() == customer)).await;
    }
    let fates = all_over(&at.store, 4).await;
    assert_eq!(fates, [(Status::Busy, Some(Outcome::Busy)); 4]);
    at.close().await;
}

/// Nobody else is there to talk to whoever picks up.
#[tokio::test]
async fn what_rings_is_called_off_when_the_only_server_stops() {
    let at = Filed::new().await;
    let mut server = at.world.serve(0, &[("MACHINE", "ignore"), ("RING_LIMIT", "300")]).await;
    let rings = PhoneScript::answers(CallerScript::new()).after(Duration::from_secs(300));
    let customers = at.world.customers(&at.store, [rings]).await;
    at.world.start(&customers[0]).await;
    wait_for_call(&at.store, |call| call.status == Status::Ringing).await;
    let began = Instant::now();
    let pid = server.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
    assert!(server.wait().await.unwrap().success());
    assert!(began.elapsed() < Duration::from_secs(60), "it does not wait for the ring to end");
    let (fate, report) = at.over().await;
    assert_eq!(fate, (Status::Canceled, Some(Outcome::Canceled)));
    assert_eq!(report.answered, None);
    at.close().await;
}

/// At the level that servers log at if nothing else is said.
#[tokio::test]
async fn the_log_of_a_call_of_ours_tells_nothing_private() {
    let at = Filed::new().await;
    let _server = at.world.serve(0, &[("MACHINE", "message"), ("API_TOKEN", "")]).await;
    let talk = CallerScript::new().until_hears(en::AGENT_GREETING).say(en::CALLER_THANKS);
    let phones = [PhoneScript::answers(talk), PhoneScript::fails(404), PhoneScript::machine(en::AGENT_APOLOGY)];
    let customers = at.world.customers(&at.store, phones).await;
    at.world.twilio.plan_rest(Operation::CreateCall, RestFault::ServerError { status: 500, carried_out: true });
    for customer in &customers {
        at.world.start(customer).await;
    }
    all_over(&at.store, 3).await;
    let log = std::fs::read_to_string(at.folder.join("log")).unwrap();
    assert!(log.contains("was picked up"), "it tells of the calls: {log}");
    let words = [en::AGENT_GREETING, en::CALLER_THANKS, en::AGENT_GOODBYE].map(|speech| speech.transcript);
    let numbers = ["+81900000", "81900000", "+81300000001", "81300000001"];
    for private in words.into_iter().chain(numbers).chain([TOKEN]) {
        assert!(!log.contains(private), "{private} in {log}");
    }
    at.close().await;
}
