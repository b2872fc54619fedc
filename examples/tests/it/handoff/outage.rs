//! There is no model: the ladder, over sockets.

use std::{sync::Arc, time::Duration};

use call_session::{
    call::{CallSession, HandoffEnd, Outcome, Status},
    store::Query,
};
use call_simulator::{
    audio::fixtures::en,
    openai::{Answer, ApiError, OpenAiSimulator, Script, Settings as Manners, Timing},
    twilio::{CallOptions, CallReport, CallerScript, Cue, Event, PhoneScript},
};
use examples::settings::Arguments;
use tokio::{net::TcpListener, task::JoinSet, time::Instant};
use twilio_twiml::{
    phone::E164,
    webhook::{Form, signature::AuthToken},
};

use super::world::{Caller, World, presses, receptionist, until, with_agent};
use crate::world::{ACCOUNT, TOKEN, said_by_twilio};

/// An address where nobody answers.
async fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}/v1", listener.local_addr().unwrap())
}

/// A model that cannot be reached, and a ladder.
fn down(url: String, ladder: &str) -> impl FnOnce(&mut Arguments) {
    let ladder = ladder.to_owned();
    move |arguments| {
        arguments.openai.openai_base_url = Some(url);
        arguments.second.outage = Some(ladder);
    }
}

/// Somebody calls from this number, and stays on the line.
async fn dial(world: &World, last: u32) -> Caller {
    let from: E164 = format!("+1415555{last:04}").parse().unwrap();
    let options = CallOptions::new(CallerScript::new()).with_from(from.clone().into());
    let options = options.with_time_limit(Duration::from_secs(150));
    let twilio = Arc::clone(&world.twilio);
    let mut line = JoinSet::new();
    line.spawn(async move { twilio.call(options).await });
    let (call, sid) = loop {
        let position = world.store.feed_end().await.unwrap();
        let calls = world.store.query(&Query::default().with_limit(1000)).await.unwrap().calls;
        match calls.into_iter().find(|call| call.from.phone() == Some(&from)) {
            Some(call) => break (call.id, call.call_sid.unwrap()),
            None => world.store.feed_moved(position).await,
        }
    };
    Caller { call, sid, line }
}

/// A call to its end, which is not brought about.
async fn ended(world: &World, call: Caller) -> (CallSession, CallReport) {
    let Caller { call, mut line, .. } = call;
    let report = line.join_next().await.unwrap().unwrap();
    let over = until(&*world.store, call, |call| call.summary.status.is_terminal() && !call.summary.needs_runner());
    (over.await, report)
}

fn apology(report: &CallReport) -> bool {
    said_by_twilio(report).last().is_some_and(|line| line.contains(en::AGENT_APOLOGY.transcript))
}

/// The webhook of a new call: what it is answered, and how fast.
async fn ring(world: &World, http: &reqwest::Client, number: u32) -> (Duration, String) {
    let url = format!("{}/api/twilio/voice", world.url);
    let form = Form::new()
        .with("CallSid", format!("CA{number:032x}"))
        .with("AccountSid", ACCOUNT)
        .with("From", "+14155559999")
        .with("To", "+815012345678")
        .with("CallStatus", "ringing")
        .with("Direction", "inbound");
    let request = http
        .post(&url)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-twilio-signature", AuthToken::new(TOKEN).sign_form(&url, &form))
        .body(form.encode());
    let began = Instant::now();
    let answer = request.send().await.unwrap().error_for_status().unwrap().text().await.unwrap();
    (began.elapsed(), answer)
}

/// Rings until the answer is of this kind. Gives the number of the next call.
async fn ring_until(world: &World, http: &reqwest::Client, first: u32, wanted: impl Fn(&str) -> bool) -> u32 {
    for number in first.. {
        let (_, answer) = ring(world, http, number).await;
        if wanted(&answer) {
            return number + 1;
        }
        // What became of the session that was to be opened is known when the server has written it down.
        tokio::task::yield_now().await;
    }
    first
}

#[tokio::test]
async fn without_a_model_callers_go_to_people_and_then_to_the_apology_and_never_to_silence() {
    let world = World::with(receptionist(), down(nowhere().await, "person,apology")).await;
    world.person("sato", presses("1")).await;

    // It is not known yet: the stream comes, and no session for it.
    let first = dial(&world, 1).await;
    let call = world.until(&first, with_agent).await;
    let handoff = call.summary.handoff.as_ref().unwrap();
    assert_eq!((handoff.by.as_str(), call.summary.attachments.len()), ("outage", 1));

    // Sato talks. The model is asked until it is known to be down; whoever finds nobody hears the apology.
    let second = dial(&world, 2).await;
    let (call, report) = ended(&world, second).await;
    assert!(apology(&report), "{}", report.timeline);
    assert_eq!(call.summary.status, Status::Failed);

    // Now it is known. Another person comes, and the next caller is theirs at once, without a stream.
    world.person("ito", presses("1")).await;
    let third = dial(&world, 3).await;
    let call = world.until(&third, with_agent).await;
    assert!(call.summary.attachments.is_empty(), "nobody tried the model: {:?}", call.summary.attachments);
    assert_eq!(call.summary.outcome, None);
    let ito = world.leg(&third).await;
    world.hangs_up(&ito).await;
    let (call, report) = ended(&world, third).await;
    assert_eq!((call.summary.status, call.summary.outcome), (Status::Completed, Some(Outcome::HandedOver)));
    assert!(!apology(&report), "there is no agent to go back to: a goodbye: {}", report.timeline);
    let (call, _) = world.over(first).await;
    assert_eq!(call.summary.status, Status::Completed);
}

#[tokio::test]
async fn a_caller_whom_no_person_takes_without_a_model_has_waited_with_music_and_hears_the_apology() {
    let world = World::with(receptionist(), down(nowhere().await, "person")).await;
    world.person("sato", presses("2")).await;
    world.person("ito", PhoneScript::busy()).await;
    let caller = dial(&world, 1).await;
    let (call, report) = ended(&world, caller).await;
    assert!(apology(&report), "{}", report.timeline);
    let handoff = call.summary.handoff.as_ref().unwrap();
    assert!(matches!(&handoff.ended, Some((_, HandoffEnd::Failed(_)))), "{handoff:?}");
    assert_eq!(handoff.legs.len(), 2, "both were asked, each once");
    assert_eq!(call.summary.status, Status::Failed);
    let documents = report.timeline.moments().iter().filter(|moment| matches!(moment.event, Event::Document { .. }));
    assert!(documents.count() < 10, "nobody is sent round in circles: {}", report.timeline);
}

#[tokio::test]
async fn an_apology_is_all_there_is_where_nothing_else_is_wanted() {
    let world = World::with(receptionist(), down(nowhere().await, "apology")).await;
    world.person("sato", presses("1")).await;
    let caller = dial(&world, 1).await;
    let (call, report) = ended(&world, caller).await;
    assert!(apology(&report) && call.summary.handoff.is_none(), "{}", report.timeline);
}

#[tokio::test]
async fn the_breaker_opens_for_many_calls_and_closes_again_and_the_webhook_answers_from_the_ladder_at_once() {
    // Refuses everybody for a while, then serves.
    let script = Script::new().greeting(Answer::say(en::AGENT_GREETING));
    let manners = Manners::default().with_timing(Timing::brisk());
    let mut model = OpenAiSimulator::builder().script(script).settings(manners);
    for _ in 0..12 {
        model = model.busy(503, ApiError::server(), None);
    }
    let model = model.start().await.unwrap();
    let base_url = model.base_url();
    let world = World::with(receptionist(), |arguments: &mut Arguments| {
        arguments.openai.openai_base_url = Some(base_url);
        arguments.second.outage = Some("person,apology".into());
        arguments.second.outage_pause = Some("1".into());
    });
    let world = world.await;
    let http = reqwest::Client::new();
    let connects = |answer: &str| answer.contains("<Stream");
    let mut number = ring_until(&world, &http, 1, |answer| !connects(answer)).await;

    // While it is open no call is given to the model, and each is answered at once.
    let mut times = Vec::new();
    let mut closes = false;
    while times.len() < 100 && !closes {
        let (took, answer) = ring(&world, &http, number).await;
        number += 1;
        if connects(&answer) {
            closes = true;
        } else {
            assert!(answer.contains("<Hangup"), "{answer}");
            times.push(took);
        }
    }
    times.sort_unstable();
    assert!(times.len() >= 5, "it stays open for a while: {}", times.len());
    // Nobody waits for a model meanwhile. How many milliseconds it takes is for `benches` to measure.
    let most = times[times.len() * 9 / 10];
    assert!(most < Duration::from_secs(1), "{most:?} of {times:?}");

    // One who is let through finds the model again, and with what they hear all others are let through.
    let greeted = |call: &CallSession| call.transcript.iter().any(|line| line.complete);
    let served = async {
        let mut last = 1;
        loop {
            let caller = dial(&world, last).await;
            let known = |call: &CallSession| greeted(call) || call.summary.status.is_terminal();
            if greeted(&until(&*world.store, caller.call, known).await) {
                return caller;
            }
            ended(&world, caller).await;
            last += 1;
        }
    };
    let caller = tokio::time::timeout(Duration::from_secs(60), served).await.expect("the breaker closes");
    let answers = [ring(&world, &http, number).await.1, ring(&world, &http, number + 1).await.1];
    assert!(answers.iter().all(|answer| connects(answer)) && !model.sessions().is_empty());
    world.over(caller).await;
}

/// The agent's stream is lost again and again while a person is on the way: the caller waits for the person, although the ladder
/// has only an apology.
#[tokio::test]
async fn a_caller_whose_agent_is_lost_waits_for_the_person_who_is_on_the_way() {
    let world = World::with(receptionist(), |arguments: &mut Arguments| {
        arguments.second.outage = Some("apology".into());
        arguments.handoff.handoff_ring = Some("60".into());
    });
    let world = world.await;
    let agent = world.person("slow", presses("1").after(Duration::from_secs(8))).await;
    let (first, second) = (Cue::new(), Cue::new());
    let script = CallerScript::new().until_cue(&first).drop_socket().until_cue(&second).drop_socket();
    let caller = world.caller_who(script).await;
    let asked = world.post(caller.call, "handoff", serde_json::json!({ "agentId": agent })).await;
    assert_eq!(asked.0, 202);
    world.until(&caller, |call| call.legs.values().any(|leg| leg.call.is_some())).await;
    first.give();
    world.until(&caller, |call| call.attachments.len() == 2 && call.attachments[1].node.is_some()).await;
    second.give();
    let session = world.until(&caller, with_agent).await;
    assert_eq!(session.summary.attachments.len(), 2);
    let (session, report) = world.over(caller).await;
    assert!(!apology(&report), "{}", report.timeline);
    assert_eq!(session.summary.status, Status::Completed);
}
