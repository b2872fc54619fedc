//! How handoffs go.

use std::{sync::Arc, time::Duration};

use call_session::{
    call::{CallSession, HandoffEnd, HandoffMode, Outcome, Speaker, Status},
    handoff::DirectDial,
};
use call_simulator::{
    audio::fixtures::en,
    openai::Answer,
    twilio::{CallerScript, Cue, Event, PhoneScript},
};
use examples::{phone::handoff::Strategies, settings::Arguments};
use futures_util::future::join_all;
use serde_json::json;

use super::world::{World, back, presses, receptionist, until, with_agent};

/// Several callers at once, each with people of their own.
#[tokio::test]
async fn callers_get_to_people_and_back() {
    let world = World::new().await;
    tokio::join!(
        cold(&world),
        warm(&world),
        voicemail(&world),
        nobody(&world),
        leaves_early(&world),
        taken_back(&world),
    );
}

async fn cold(world: &World) {
    let agent = world.person(
        "cold",
        PhoneScript::answers(CallerScript::new())
            .detected_as(twilio_twiml::words::AnsweredBy::Human, Duration::from_millis(500)),
    );
    let agent = agent.await;
    let caller = world.caller().await;
    let wish = json!({ "agentId": agent, "mode": "cold", "reason": "a complaint" });
    let (status, begun) = world.post(caller.call, "handoff", wish).await;
    assert_eq!((status, &begun["status"], &begun["mode"]), (202, &json!("transferring"), &json!("cold")));
    let session = world.until(&caller, with_agent).await;
    let stream = session.summary.attachments[0].detached.as_ref().unwrap();
    assert_eq!((stream.cause.as_str(), stream.orderly), ("handed-over", false));
    // The person leaves, and the agent has the caller again.
    world.hangs_up(&world.leg(&caller).await).await;
    world.until(&caller, back).await;
    let (session, report) = world.over(caller).await;
    let handoff = session.summary.handoff.unwrap();
    assert_eq!(handoff.ended.map(|(_, end)| end), Some(HandoffEnd::Returned));
    assert_eq!(handoff.plan.mode, HandoffMode::Cold);
    assert_eq!((session.summary.status, session.summary.outcome), (Status::Completed, Some(Outcome::HandedOver)));
    assert_eq!(report.streams.len(), 2, "{}", report.timeline);
}

async fn warm(world: &World) {
    let agent = world.person("warm", presses("1")).await;
    let caller = world.caller().await;
    let wish = json!({ "agentId": agent, "reason": "an invoice" });
    assert_eq!(world.post(caller.call, "handoff", wish).await.0, 202);
    let session = world.until(&caller, with_agent).await;
    let leg = session.summary.legs.values().next().unwrap();
    assert!(leg.accepted_at.unwrap() <= session.summary.handoff.as_ref().unwrap().moving.unwrap(), "accepted first");
    let farewell = session.transcript.iter().find(|line| line.heard == en::AGENT_ONE_MOMENT.transcript).unwrap();
    assert!(!farewell.interrupted && farewell.speaker == Speaker::Agent, "the farewell was heard to its end");
    // The caller leaves, and the person is released.
    let (session, _) = world.over(caller).await;
    assert_eq!(session.summary.outcome, Some(Outcome::HandedOver));
}

async fn voicemail(world: &World) {
    let number = "+819012000001";
    world.twilio.phone(number.parse::<twilio_twiml::phone::E164>().unwrap(), PhoneScript::machine(en::AGENT_APOLOGY));
    let caller = world.caller().await;
    assert_eq!(world.post(caller.call, "handoff", json!({ "phone": number })).await.0, 202);
    let session = world.until(&caller, |call| call.handoff.as_ref().is_some_and(|handoff| handoff.told)).await;
    let leg = session.summary.legs.values().next().unwrap();
    assert_eq!((leg.given_up.as_deref(), leg.accepted), (Some("machine"), false));
    assert_eq!(session.summary.status, Status::AiResponding);
    // The caller is told, by an agent who never lost them.
    let told = |session: &CallSession| session.transcript.iter().any(|line| line.heard == en::AGENT_APOLOGY.transcript);
    until(&*world.store, caller.call, told).await;
    let (_, report) = world.over(caller).await;
    assert_eq!(report.streams.len(), 1, "{}", report.timeline);
}

async fn nobody(world: &World) {
    let number = "+819012000002";
    world.twilio.phone(number.parse::<twilio_twiml::phone::E164>().unwrap(), PhoneScript::no_answer());
    let caller = world.caller().await;
    assert_eq!(world.post(caller.call, "handoff", json!({ "phone": number })).await.0, 202);
    let session = world.until(&caller, |call| call.handoff.as_ref().is_some_and(|handoff| handoff.told)).await;
    let end = session.summary.handoff.unwrap().ended.unwrap().1;
    assert_eq!(end, HandoffEnd::Failed("no-answer".into()));
    // The same caller again: an end is no end of the conversation.
    assert_eq!(world.post(caller.call, "handoff", json!({ "phone": number })).await.0, 202);
    let (session, _) = world.over(caller).await;
    assert_eq!(session.summary.status, Status::Completed);
    assert_eq!(session.summary.handoff.map(|handoff| handoff.by), Some("operator".into()));
}

async fn leaves_early(world: &World) {
    // Somebody who picks up and says nothing.
    let agent = world.person("listens", PhoneScript::answers(CallerScript::new())).await;
    let caller = world.caller().await;
    assert_eq!(world.post(caller.call, "handoff", json!({ "agentId": agent })).await.0, 202);
    world.until(&caller, |call| call.legs.values().any(|leg| leg.answered)).await;
    let (session, _) = world.over(caller).await;
    let leg = session.summary.legs.values().next().unwrap();
    assert_eq!((leg.given_up.as_deref(), leg.accepted), (Some("caller-gone"), false));
}

async fn taken_back(world: &World) {
    let agent = world.person("kept", presses("1")).await;
    let caller = world.caller().await;
    assert_eq!(world.post(caller.call, "take-back", json!({})).await.1["code"], "no-handoff");
    assert_eq!(world.post(caller.call, "handoff", json!({ "agentId": agent })).await.0, 202);
    world.until(&caller, with_agent).await;
    assert_eq!(world.post(caller.call, "take-back", json!({})).await.0, 202);
    let session = world.until(&caller, back).await;
    assert_eq!(session.summary.handoff.unwrap().ended.unwrap().1, HandoffEnd::Returned);
    world.over(caller).await;
}

#[tokio::test]
async fn who_declines_is_followed_by_the_next() {
    let world = World::new().await;
    let first = world.person("declines", presses("2")).await;
    let second = world.person("accepts", presses("1")).await;
    let caller = world.caller().await;
    assert_eq!(world.post(caller.call, "handoff", json!({ "agentId": first })).await.0, 202);
    let session = world.until(&caller, with_agent).await;
    let handoff = session.summary.handoff.as_ref().unwrap();
    let legs: Vec<_> = handoff.legs.iter().map(|leg| &session.summary.legs[leg]).collect();
    assert_eq!(legs.len(), 2);
    assert_eq!((legs[0].given_up.as_deref(), legs[0].accepted), (Some("declined"), false));
    assert_eq!((legs[1].person.as_ref(), legs[1].accepted), (Some(&second), true));
    world.over(caller).await;
}

/// Without a room: the caller's own line dials, cold and warm, and goes on with the agent when the person has left.
#[tokio::test]
async fn the_callers_own_line_dials() {
    let strategies = [HandoffMode::Cold, HandoffMode::Warm]
        .into_iter()
        .fold(Strategies::default(), |all, mode| all.with(mode, Arc::new(DirectDial { mode })));
    let world = World::planned(receptionist(), strategies, |_| {}).await;
    let world = &world;
    join_all([("cold", PhoneScript::answers(CallerScript::new())), ("warm", presses("1"))].map(|(mode, phone)| {
        Box::pin(async move {
            let agent = world.person(mode, phone).await;
            let caller = world.caller().await;
            let asked = world.post(caller.call, "handoff", json!({ "agentId": agent, "mode": mode })).await;
            assert_eq!(asked.0, 202, "{mode}");
            world.until(&caller, with_agent).await;
            world.hangs_up(&world.leg(&caller).await).await;
            world.until(&caller, back).await;
            let (session, report) = world.over(caller).await;
            assert_eq!(session.summary.legs.len(), 1, "{mode}");
            assert_eq!(session.summary.outcome, Some(Outcome::HandedOver), "{mode}: {}", report.timeline);
        })
    }))
    .await;
}

/// The model names a person, and that person has the caller; for somebody who is away it tells the caller.
#[tokio::test]
async fn the_model_hands_over_to_people_by_name() {
    let script = receptionist()
        .turn(
            en::CALLER_HOURS,
            Answer::call("hand_over", &json!({ "to": "away", "reason": "a complaint" }))
                .then(Answer::say(en::AGENT_NOBODY)),
        )
        // Whatever the model says before it has the result.
        .otherwise(Answer::say(en::AGENT_HOURS))
        .turn(en::CALLER_SLOT, Answer::call("hand_over", &json!({ "to": "here", "reason": "a complaint" })));
    let offer = |arguments: &mut Arguments| arguments.handoff.handoff_offer = Some("message".into());
    let world = World::with(script, offer).await;
    world.person("here", presses("1")).await;
    let away = world.person("away", PhoneScript::no_answer()).await;
    let mut agent = world.directory.agent(&away).await.unwrap().unwrap();
    agent.status = call_session::directory::AgentStatus::Offline;
    world.directory.put_agent(agent).await.unwrap();
    let caller = world
        .caller_who(
            CallerScript::new()
                .until_agent_finishes()
                .say(en::CALLER_HOURS)
                .until_agent_finishes()
                .say(en::CALLER_SLOT),
        )
        .await;
    let session = world.until(&caller, with_agent).await;
    let (first, second) = (&session.tools[0], &session.tools[1]);
    assert!(first.output.as_ref().unwrap().contains("nobody is available"), "{first:?} {:?}", first.output);
    assert!(first.output.as_ref().unwrap().contains("away is away"), "{:?}", first.output);
    assert!(first.output.as_ref().unwrap().contains("offer to take a message"), "{:?}", first.output);
    // What it said to that, it said once, knowing who is away.
    let said: Vec<_> = session.transcript.iter().filter(|line| line.speaker == Speaker::Agent).collect();
    let told = said.iter().filter(|line| line.generated == en::AGENT_NOBODY.transcript).count();
    let blind = said.iter().filter(|line| line.generated == en::AGENT_HOURS.transcript).count();
    assert_eq!((told, blind), (1, 0), "{:?}", said.iter().map(|line| &line.generated).collect::<Vec<_>>());
    assert!(second.output.as_ref().unwrap().contains("being called"), "{:?}", second.output);
    let handoff = session.summary.handoff.as_ref().unwrap();
    assert_eq!((handoff.by.as_str(), handoff.reason.as_str()), ("agent", "a complaint"));
    let config = world.openai.next_session().await.recording();
    assert!(format!("{config:?}").contains("anyone"), "the model knows whom it may name");
    world.over(caller).await;
}

/// A person hears who calls and why, and what the caller has said until they picked up.
#[tokio::test]
async fn a_person_is_told_who_calls_and_why_and_what_was_said() {
    let script = receptionist().turn(en::CALLER_HOURS, Answer::say(en::AGENT_HOURS));
    let world = World::with(script, |arguments| arguments.handoff.handoff_ring = Some("60".into())).await;
    let agent = world.person("briefed", presses("1").after(Duration::from_secs(12))).await;
    let asks = Cue::new();
    let caller = world.caller_who(CallerScript::new().until_cue(&asks).say(en::CALLER_HOURS)).await;
    let wish = json!({ "agentId": agent, "reason": "an invoice." });
    assert_eq!(world.post(caller.call, "handoff", wish).await.0, 202);
    // The caller says it after the person was asked for.
    asks.give();
    let session = world.until(&caller, with_agent).await;
    let leg = session.summary.legs.values().next().unwrap().call.clone().unwrap();
    let number = session.summary.from.phone().unwrap().as_str().trim_start_matches("+1").to_owned();
    world.over(caller).await;
    let report = world.twilio.report(&leg).await.unwrap();
    let briefing = report.timeline.moments().iter().find_map(|moment| match &moment.event {
        Event::Document { twiml } if twiml.contains("<Gather") => Some(twiml.clone()),
        _ => None,
    });
    let briefing = briefing.unwrap();
    let digits: Vec<_> = number.chars().map(String::from).collect();
    for told in [
        format!("The caller is somebody at {}.", digits.join(" ")),
        "It is about an invoice.".to_owned(),
        format!("They said: {}.", en::CALLER_HOURS.transcript.trim_end_matches('.')),
    ] {
        assert!(briefing.contains(&told), "{told} in {briefing}");
    }
}
