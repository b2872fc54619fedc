//! Stopping the server.

use call_simulator::{
    audio::fixtures::en,
    openai::{Answer, Script},
    twilio::{CallEnd, CallerScript, Cue},
};
use examples::settings::Arguments;
use realtime_bridge::relay::EndReason;
use serde_json::json;

use crate::world::{TOKEN, World, model, said_by_twilio, voice_form};

fn script() -> Script {
    Script::new()
        .greeting(Answer::say(en::AGENT_GREETING))
        .turn(en::CALLER_THANKS, Answer::say(en::AGENT_GOODBYE).and_call("end_call", &json!({})))
}

#[tokio::test]
async fn a_server_that_stops_lets_the_call_finish_and_takes_no_other() {
    let mut world = World::new(script()).await;
    assert_eq!(world.get("/healthz").await, (200, "ok".into()));
    assert_eq!(world.get("/readyz").await, (200, "ready".into()));
    let twilio = world.twilio.clone();
    let looked = Cue::new();
    let caller = CallerScript::new().until_hears(en::AGENT_GREETING).until_cue(&looked).say(en::CALLER_THANKS);
    let call = twilio.call(call_simulator::twilio::CallOptions::new(caller));
    let stopping = async {
        world.session().await.wait_for(|recording| recording.of_type("response.done").count() == 1).await.unwrap();
        world.stop();
        // The server learns it in a task of its own.
        while world.get("/readyz").await.0 == 200 {
            tokio::task::yield_now().await;
        }
        assert_eq!(world.get("/readyz").await, (503, "draining".into()));
        assert_eq!(world.get("/healthz").await.0, 200);
        let (status, twiml) = world.post("/api/twilio/voice", &voice_form(), Some(TOKEN)).await;
        assert_eq!(status, 200);
        assert!(twiml.contains("<Say") && twiml.contains("<Hangup/>") && !twiml.contains("<Stream"), "{twiml}");
        looked.give();
        world.stopped().await;
    };
    let (report, ()) = tokio::join!(Box::pin(call), stopping);
    assert_eq!(report.end, CallEnd::HungUp, "{}", report.timeline);
    assert_eq!(said_by_twilio(&report), Vec::<String>::new());
    assert!(matches!(world.records.recv().await.unwrap().report.reason, EndReason::Goodbye));
    assert!(reqwest::get(format!("{}/healthz", world.url)).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_call_that_outlasts_the_drain_limit_ends_with_the_apology() {
    let short = |arguments: &mut Arguments| {
        arguments.server.drain_limit = Some("0.3".into());
        arguments.conversation.language = Some("en-US".into());
    };
    let mut world = World::with(model(script()), short).await;
    let twilio = world.twilio.clone();
    let call = twilio.call(call_simulator::twilio::CallOptions::new(CallerScript::new()));
    let stopping = async {
        world.session().await.wait_for(|recording| recording.of_type("response.done").count() == 1).await.unwrap();
        world.stopped().await;
    };
    let (report, ()) = tokio::join!(Box::pin(call), stopping);
    assert_eq!(report.end, CallEnd::HungUp, "{}", report.timeline);
    assert_eq!(said_by_twilio(&report), [format!("“{}”", en::AGENT_APOLOGY.transcript)]);
    let sessions = world.openai.as_ref().unwrap().sessions();
    sessions[0].closed().await;
}
