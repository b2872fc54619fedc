//! The agent keeps the caller company while a person is found, and knows what was said when it has the caller again.

use std::time::Duration;

use call_session::call::{CallSession, SessionEvent, Speaker};
use call_simulator::{
    audio::fixtures::en,
    openai::Answer,
    twilio::{CallerScript, Cue},
};
use serde_json::json;

use super::world::{World, back, presses, receptionist, until, with_agent};
use crate::world::said_by_twilio;

/// The caller asks something while a telephone rings, and interrupts the answer.
#[tokio::test]
async fn a_caller_who_waits_can_ask_and_interrupt() {
    let script = receptionist()
        .turn(en::CALLER_HOURS, Answer::say(en::AGENT_HOURS))
        .turn(en::CALLER_INTERRUPTS, Answer::say(en::AGENT_FRIDAY));
    let world = World::with(script, |arguments| arguments.handoff.handoff_ring = Some("60".into())).await;
    let agent = world.person("slow", presses("1").after(Duration::from_secs(25))).await;
    let waits = Cue::new();
    let script = CallerScript::new()
        .until_cue(&waits)
        .say(en::CALLER_HOURS)
        .until_agent_spoke_for(Duration::from_secs(2))
        .say(en::CALLER_INTERRUPTS)
        .until_hears(en::AGENT_FRIDAY);
    let caller = world.caller_who(script).await;
    assert_eq!(world.post(caller.call, "handoff", json!({ "agentId": agent })).await.0, 202);
    until(&*world.store, caller.call, |session| session.summary.legs.values().any(|leg| leg.call.is_some())).await;
    waits.give();
    let answered = |session: &CallSession| {
        let heard = |line: &&call_session::call::Line| line.heard == en::AGENT_FRIDAY.transcript;
        session.transcript.iter().any(|line| heard(&line))
    };
    let session = until(&*world.store, caller.call, answered).await;
    let hours = session.transcript.iter().find(|line| line.generated == en::AGENT_HOURS.transcript).unwrap();
    assert!(hours.interrupted && hours.speaker == Speaker::Agent, "{hours:?}");
    assert!(session.summary.legs.values().all(|leg| !leg.answered), "all that while it rings");
    world.until(&caller, with_agent).await;
    world.over(caller).await;
}

/// After a person the agent is told what was said before, and the session it had ended with the reason.
#[tokio::test]
async fn the_agent_who_comes_back_knows_the_conversation() {
    let script = receptionist().turn(en::CALLER_HOURS, Answer::say(en::AGENT_HOURS));
    let world = World::with(script, |_| {}).await;
    let agent = world.person("talks", presses("1")).await;
    let said = Cue::new();
    let caller = world
        .caller_who(CallerScript::new().until_agent_finishes().say(en::CALLER_HOURS).until_agent_finishes().cue(&said));
    let caller = caller.await;
    said.given().await;
    assert_eq!(world.post(caller.call, "handoff", json!({ "agentId": agent })).await.0, 202);
    world.until(&caller, with_agent).await;
    world.hangs_up(&world.leg(&caller).await).await;
    world.until(&caller, back).await;
    let call = caller.call;
    let (_, report) = world.over(caller).await;
    let words = said_by_twilio(&report);
    assert!(words.iter().any(|words| words.contains("One moment, please.")), "while the model is asked: {words:?}");
    let second = &world.openai.sessions()[1];
    let told = format!("{:?}", second.recording().items);
    for words in [en::AGENT_GREETING, en::CALLER_HOURS, en::AGENT_HOURS, en::AGENT_ONE_MOMENT] {
        assert!(told.contains(words.transcript), "{} in {told}", words.transcript);
    }
    let events = world.store.history(call).await.unwrap();
    let ended = events.iter().find_map(|recorded| match &recorded.stamped.event {
        SessionEvent::ModelDetached { cause, .. } => Some(cause.as_str()),
        _ => None,
    });
    assert_eq!(ended, Some("handed-over"));
}
