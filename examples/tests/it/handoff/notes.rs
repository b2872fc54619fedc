//! What caller and person say is written down, by a model that only listens.

use std::time::Duration;

use call_session::call::{CallSession, HandoffEnd, Speaker};
use call_simulator::{
    audio::fixtures::en,
    openai::{Answer, Script},
    twilio::{CallerScript, Cue, PhoneScript, StreamEnd},
};
use examples::settings::Arguments;
use serde_json::json;

use super::world::{World, back, receptionist, until, with_agent};

fn on(arguments: &mut Arguments) {
    arguments.handoff.handoff_notes = Some("true".into());
}

fn lines(session: &CallSession, speaker: Speaker) -> Vec<&str> {
    let lines = session.transcript.iter().filter(|line| line.speaker == speaker);
    lines.map(|line| line.heard.as_str()).collect()
}

/// Somebody who takes the call, says this when it is time, and leaves when it is time.
fn talks(says: &Cue, leaves: &Cue) -> PhoneScript {
    let accepts = CallerScript::new().until_agent_spoke_for(Duration::from_secs(1)).press("1").until_together();
    PhoneScript::answers(accepts.until_cue(says).say(en::PERSON_HELLO).until_cue(leaves).hang_up())
}

#[tokio::test]
async fn what_caller_and_person_say_is_written_down_and_told_to_the_agent_who_comes_back() {
    let (answers, says, leaves) = (Cue::new(), Cue::new(), Cue::new());
    // Who listens is not to answer, whatever is said.
    let listens = |words: call_simulator::audio::fixtures::Speech| {
        Script::new().turn(words, Answer::say(en::AGENT_HOURS)).turn(words, Answer::say(en::AGENT_HOURS))
    };
    let scripts = [receptionist(), listens(en::CALLER_CHANGE), listens(en::PERSON_HELLO)];
    let world = World::cast(receptionist(), scripts, on).await;
    let agent = world.person("talks", talks(&says, &leaves)).await;
    let caller = world.caller_who(CallerScript::new().until_cue(&answers).say(en::CALLER_CHANGE)).await;
    assert_eq!(world.post(caller.call, "handoff", json!({ "agentId": agent })).await.0, 202);
    world.until(&caller, with_agent).await;
    says.give();
    let person = |session: &CallSession| !lines(session, Speaker::Person).is_empty();
    until(&*world.store, caller.call, person).await;
    answers.give();
    let both = |session: &CallSession| person(session) && !lines(session, Speaker::Caller).is_empty();
    let session = until(&*world.store, caller.call, both).await;
    assert_eq!(lines(&session, Speaker::Person), [en::PERSON_HELLO.transcript]);
    assert_eq!(lines(&session, Speaker::Caller), [en::CALLER_CHANGE.transcript]);

    leaves.give();
    world.until(&caller, back).await;
    let call = caller.call;
    let (session, report) = world.over(caller).await;
    assert_eq!(session.summary.handoff.unwrap().ended.unwrap().1, HandoffEnd::Returned, "{call}");
    let [copy] = &report.copies[..] else { panic!("{:?}: {}", report.copies, report.timeline) };
    assert_eq!(copy.reason, StreamEnd::ServerClosed, "it ends with the room: {}", report.timeline);
    assert_eq!(copy.counts.messages_refused, 0);
    let sessions = world.openai.sessions();
    assert_eq!(sessions.len(), 4, "two listened, and two talked");
    for listener in &sessions[1..3] {
        let heard = listener.closed().await;
        assert_eq!(heard.of_type("response.created").count(), 0, "who listens says nothing");
    }
    let told = format!("{:?}", sessions[3].recording().items);
    for words in [en::PERSON_HELLO.transcript, en::CALLER_CHANGE.transcript] {
        assert!(told.contains(words), "{words} in {told}");
    }
}

/// Nobody can listen, and caller and person talk all the same.
#[tokio::test]
async fn a_call_does_not_notice_that_nobody_can_listen() {
    let refuses = || {
        Script::new().on_open(call_simulator::openai::OnOpen::Refuse(call_simulator::openai::ApiError::server(), 1011))
    };
    let scripts = std::iter::once(receptionist()).chain((0..3).map(|_| refuses()));
    let world = World::cast(receptionist(), scripts, on).await;
    let (says, leaves) = (Cue::new(), Cue::new());
    let agent = world.person("talks", talks(&says, &leaves)).await;
    let caller = world.caller().await;
    assert_eq!(world.post(caller.call, "handoff", json!({ "agentId": agent })).await.0, 202);
    world.until(&caller, with_agent).await;
    leaves.give();
    world.until(&caller, back).await;
    let (session, report) = world.over(caller).await;
    assert_eq!(session.summary.handoff.unwrap().ended.unwrap().1, HandoffEnd::Returned, "{}", report.timeline);
}

/// What nobody asked for is not listened to.
#[tokio::test]
async fn a_copy_without_the_token_of_its_call_is_refused() {
    let world = World::with(receptionist(), on).await;
    let agent = world.person("talks", talks(&Cue::new(), &Cue::new())).await;
    let caller = world.caller().await;
    let (stream, address) = (call_session::id::StreamId::new(), world.url.trim_start_matches("http://").to_owned());
    let url = format!("ws://{address}/api/twilio/handoff-notes/{}/{stream}", caller.call);
    let early = tokio_tungstenite::connect_async(&url).await;
    assert!(early.is_err(), "nobody is with a person");
    assert_eq!(world.post(caller.call, "handoff", json!({ "agentId": agent })).await.0, 202);
    world.until(&caller, with_agent).await;
    let opened = world.openai.sessions().len();
    let (mut socket, _) = tokio_tungstenite::connect_async(&url).await.unwrap();
    let start = json!({
        "event": "start", "sequenceNumber": "1", "streamSid": "MZ0123456789abcdef0123456789abcdef",
        "start": {
            "streamSid": "MZ0123456789abcdef0123456789abcdef", "accountSid": crate::world::ACCOUNT, "callSid": caller.sid,
            "tracks": ["inbound", "outbound"], "customParameters": { "token": "guessed" },
            "mediaFormat": { "encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1 },
        },
    });
    use futures_util::{SinkExt, StreamExt};
    use tokio_tungstenite::tungstenite::Message;
    for message in [json!({ "event": "connected", "protocol": "Call", "version": "1.0.0" }), start] {
        socket.send(Message::text(message.to_string())).await.unwrap();
    }
    while let Some(Ok(message)) = socket.next().await {
        assert!(message.is_close(), "{message}");
    }
    assert!(world.openai.sessions().len() <= opened + 2, "no session was opened for a stranger");
    world.over(caller).await;
}
