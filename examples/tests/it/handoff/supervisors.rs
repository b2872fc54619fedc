//! Somebody is with caller and person.

use std::time::Duration;

use call_session::{
    call::{CallSession, SupervisorLeg, SupervisorRole},
    handoff::room_name,
    id::SessionId,
};
use call_simulator::twilio::{CallerScript, PhoneScript};
use futures_util::TryStreamExt;
use serde_json::json;
use twilio_twiml::{
    rest::{ConferenceFilter, ConferenceStatus},
    words::AnsweredBy,
};

use super::world::{World, presses, until, with_agent};

/// Whether the supervisor's leg is muted, and whether one leg alone hears it, as Twilio has it.
async fn heard(world: &World, call: SessionId, leg: &SupervisorLeg) -> (Option<bool>, Option<bool>) {
    let filter = ConferenceFilter::new().friendly_name(room_name(call));
    let rooms: Vec<_> = world.account.conferences().list(&filter).try_collect().await.unwrap();
    let room = rooms.into_iter().find(|room| room.status != ConferenceStatus::Completed).unwrap();
    let conference = world.account.conference(&room.sid);
    let leg = conference.participant(leg.call.as_ref().unwrap()).fetch().await.unwrap();
    (leg.muted, leg.coaching)
}

#[tokio::test]
async fn somebody_listens_whispers_and_joins_in() {
    let world = World::new().await;
    let agent = world.person("talks", presses("1")).await;
    let lead = PhoneScript::answers(CallerScript::new()).detected_as(AnsweredBy::Human, Duration::from_millis(300));
    let lead = world.person("leads", lead).await;
    let caller = world.caller().await;
    let call = caller.call;
    let ask = |role: &str| world.post(call, "supervise", json!({ "agentId": lead, "role": role }));
    let (status, problem) = ask("listen").await;
    assert_eq!((status, &problem["code"]), (409, &json!("not-in-room")), "an agent has the caller");

    assert_eq!(world.post(call, "handoff", json!({ "agentId": agent })).await.0, 202);
    world.until(&caller, with_agent).await;
    assert_eq!(world.post(call, "supervise", json!({ "agentId": "nobody", "role": "join" })).await.0, 404);
    assert_eq!(world.post(call, "supervise", json!({ "role": "join" })).await.0, 400);
    let busy = world.post(call, "supervise", json!({ "agentId": agent, "role": "join" })).await;
    assert_eq!(busy.1["code"], "nobody-available", "whoever has the caller: {}", busy.1);
    assert_ne!(ask("shout").await.0, 202);

    let (status, begun) = ask("listen").await;
    assert_eq!(status, 202, "{begun}");
    let of = |session: &CallSession| session.summary.supervisors.values().next().cloned().unwrap();
    let session = until(&*world.store, call, |session| of(session).arrived).await;
    assert_eq!(heard(&world, call, &of(&session)).await, (Some(true), Some(false)));
    for (role, wanted, muted, coaching) in
        [("whisper", SupervisorRole::Whisper, false, true), ("join", SupervisorRole::Join, false, false)]
    {
        let (status, changed) = ask(role).await;
        assert_eq!((status, &changed["legId"]), (202, &begun["legId"]), "nobody is called twice");
        let session = until(&*world.store, call, |session| of(session).given == Some(wanted)).await;
        assert_eq!(heard(&world, call, &of(&session)).await, (Some(muted), Some(coaching)), "{role}");
    }
    let shown = reqwest::get(format!("{}/api/calls/{call}", world.url)).await.unwrap();
    let shown: serde_json::Value = shown.json().await.unwrap();
    let (shown, person) = (&shown["supervisors"][0], &shown["handoff"]["legs"][0]["agentId"]);
    assert_eq!((&shown["agentId"], &shown["role"], &shown["arrived"]), (&json!(lead), &json!("join"), &json!(true)));
    assert_eq!((person, &shown["legId"]), (&json!(agent), &begun["legId"]));
    // The caller leaves, and so does everybody.
    world.over(caller).await;
    let session = until(&*world.store, call, |session| of(session).ended.is_some()).await;
    assert_eq!(session.summary.legs.values().filter(|leg| leg.accepted).count(), 1);
}
