//! One recording of a call that comes in: agent, person, agent.

use std::time::Duration;

use call_session::call::RecordingStatus;
use call_simulator::{
    audio::fixtures::en,
    twilio::{CallerScript, Cue, Event, Operation, PhoneScript, RestFault},
};
use serde_json::json;

use super::world::{World, back, receptionist, until, with_agent};

#[tokio::test]
async fn a_recording_goes_on_through_a_handover_and_can_be_paused_in_it() {
    let world = World::with(receptionist(), |arguments| arguments.outbound.record = Some("true".into())).await;
    let (says, leaves) = (Cue::new(), Cue::new());
    let accepts = CallerScript::new().until_agent_spoke_for(Duration::from_secs(1)).press("1").until_together();
    let person = PhoneScript::answers(accepts.until_cue(&says).say(en::PERSON_HELLO).until_cue(&leaves).hang_up());
    let agent = world.person("talks", person).await;
    let heard = Cue::new();
    let script =
        CallerScript::new().until_hears(en::PERSON_HELLO).cue(&heard).until_hears(en::AGENT_STILL_THERE).hang_up();
    let caller = world.caller_who(script).await;
    assert_eq!(world.post(caller.call, "handoff", json!({ "agentId": agent })).await.0, 202);
    world.until(&caller, with_agent).await;
    says.give();
    heard.given().await;
    for paused in [true, false] {
        let (status, problem) = world.post(caller.call, "recording", json!({ "paused": paused })).await;
        assert_eq!(status, 204, "while a person has the caller: {problem}");
    }
    let fault = RestFault::ServerError { status: 500, carried_out: false };
    (0..4).for_each(|_| world.twilio.plan_rest(Operation::UpdateRecording, fault));
    let (status, problem) = world.post(caller.call, "recording", json!({ "paused": true })).await;
    assert_eq!((status, &problem["code"]), (502, &json!("twilio-failed")), "not the fault of whoever asks");
    leaves.give();
    world.until(&caller, back).await;
    let call = caller.call;
    let (_, report) = world.over(caller).await;
    let done = |recording: &call_session::call::Recording| recording.status == RecordingStatus::Completed;
    let session = until(&*world.store, call, |session| session.summary.recordings.iter().any(done)).await;
    assert_eq!(session.summary.recordings.len(), 1, "{:?}", session.summary.recordings);
    let started =
        report.timeline.moments().iter().filter(|moment| matches!(moment.event, Event::Verb { name: "Recording", .. }));
    assert_eq!(started.count(), 1, "{}", report.timeline);
    // It is as long as the call: agent, person and agent are in it.
    let length = Duration::from_secs(u64::from(session.summary.recordings[0].seconds.unwrap()));
    let talked = report.ended - report.answered.unwrap();
    assert!(length + Duration::from_secs(2) > talked, "{length:?} of {talked:?}: {}", report.timeline);
}
