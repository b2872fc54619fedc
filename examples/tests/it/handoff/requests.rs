//! What may be asked for, and by how many at once.

use call_session::{
    call::{CallSummary, HandoffEnd},
    directory::{AgentStatus, Day, Shift, WorkingHours},
};
use call_simulator::twilio::{CallerScript, PhoneScript};
use serde_json::json;

use super::world::{World, presses, with_agent};

#[tokio::test]
async fn who_cannot_be_asked_is_told_with_the_reason() {
    let world = World::new().await;
    let here = world.person("here", presses("1")).await;
    let away = world.person("away", PhoneScript::no_answer()).await;
    let mut agent = world.directory.agent(&away).await.unwrap().unwrap();
    agent.status = AgentStatus::Offline;
    let (from, until) = (jiff::civil::time(9, 0, 0, 0), jiff::civil::time(18, 0, 0, 0));
    agent.working_hours =
        WorkingHours { time_zone: "Asia/Tokyo".into(), shifts: vec![Shift { day: Day::Monday, from, until }] };
    world.directory.put_agent(agent).await.unwrap();

    let caller = world.caller().await;
    let post = |body| world.post(caller.call, "handoff", body);
    let (status, problem) = post(json!({ "agentId": "away" })).await;
    assert_eq!((status, &problem["code"]), (409, &json!("nobody-available")), "{problem}");
    let back = problem["people"][0]["back"].as_str().unwrap();
    assert!(back.ends_with("T09:00:00+09:00"), "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("away is back at"), "{problem}");
    assert_eq!(post(json!({ "agentId": "nobody" })).await.1["code"], "agent-not-found");
    for (body, named) in [
        (json!({ "agentId": "a b" }), "agentId"),
        (json!({ "agentId": here, "phone": "+819012345678" }), "both"),
        (json!({ "phone": "tomorrow" }), "phone"),
        (json!({ "mode": "hot" }), "mode"),
        (json!({ "agent": "here" }), "agent"),
        (json!({ "reason": "x".repeat(301) }), "reason"),
    ] {
        let (status, problem) = post(body.clone()).await;
        assert!(status == 400 || status == 422, "{body}: {status}");
        assert!(problem["detail"].as_str().unwrap().contains(named), "{body}: {problem}");
    }
    for door in ["handoff", "take-back", "supervise"] {
        let url = format!("{}/api/calls/no-name/{door}", world.url);
        let answer = reqwest::Client::new().post(url).json(&json!({})).send().await.unwrap();
        let (status, problem) = (answer.status(), answer.json::<serde_json::Value>().await.unwrap());
        assert_eq!((status.as_u16(), &problem["code"]), (404, &json!("call-not-found")), "{door}: {problem}");
    }
    let unknown = call_session::id::SessionId::new();
    assert_eq!(world.post(unknown, "handoff", json!({})).await.0, 404);
    assert_eq!(world.post(unknown, "take-back", json!({})).await.0, 404);

    // Two operators at once: one wins.
    let ((one, _), (other, problem)) = tokio::join!(post(json!({})), post(json!({})));
    let mut answers = [one, other];
    answers.sort_unstable();
    assert_eq!(answers, [202, 409], "{problem}");
    world.until(&caller, with_agent).await;
    let (status, problem) = post(json!({})).await;
    assert_eq!((status, &problem["code"]), (409, &json!("handoff-under-way")));

    // Whoever has a caller is not offered another.
    let second = world.caller().await;
    let (status, problem) = world.post(second.call, "handoff", json!({ "agentId": "here" })).await;
    assert_eq!(
        (status, &problem["code"], &problem["people"][0]["busy"]),
        (409, &json!("nobody-available"), &json!(true))
    );
    world.over(second).await;

    let id = caller.call;
    let (session, _) = world.over(caller).await;
    assert_eq!(session.summary.legs.len(), 1, "nobody was called twice");
    assert_eq!(world.post(id, "handoff", json!({})).await.1["code"], "call-over");
}

/// Two callers want the same person in the same moment: one of them is called about.
#[tokio::test]
async fn a_person_is_not_offered_two_callers_at_once() {
    let world = World::new().await;
    let agent = world.person("only", PhoneScript::answers(CallerScript::new())).await;
    let (first, second) = tokio::join!(world.caller(), world.caller());
    let wish = json!({ "agentId": agent });
    let ((one, _), (other, _)) =
        tokio::join!(world.post(first.call, "handoff", wish.clone()), world.post(second.call, "handoff", wish.clone()));
    let mut answers = [one, other];
    answers.sort_unstable();
    assert_eq!(answers, [202, 409]);
    tokio::join!(world.over(first), world.over(second));
}

/// Two callers want the same two persons: whoever has one of them by the time the other's plan comes to them is not called.
#[tokio::test]
async fn the_second_person_of_a_plan_is_asked_only_while_they_are_free() {
    let world = World::new().await;
    let first = world.person("first", presses("2")).await;
    let second = world.person("second", presses("1")).await;
    let (one, two) = tokio::join!(world.caller(), world.caller());
    // The plan of one is made while both are free; then the other gets the second of them.
    let (told, problem) = world.post(two.call, "handoff", json!({ "agentId": first })).await;
    assert_eq!(told, 202, "{problem}");
    let (told, problem) = world.post(one.call, "handoff", json!({ "agentId": second })).await;
    assert_eq!(told, 202, "{problem}");
    world.until(&one, with_agent).await;
    // The first declines; the second has the other caller.
    let ended = |call: &CallSummary| call.handoff.as_ref().is_some_and(|handoff| handoff.ended.is_some());
    let session = world.until(&two, ended).await;
    let handoff = session.summary.handoff.as_ref().unwrap();
    assert_eq!(handoff.ended.as_ref().unwrap().1, HandoffEnd::Failed("busy-elsewhere".into()));
    let causes: Vec<_> = handoff.legs.iter().map(|leg| session.summary.legs[leg].call.is_some()).collect();
    assert_eq!(causes, [true, false], "their telephone did not ring");
    world.over(one).await;
    world.over(two).await;
}
