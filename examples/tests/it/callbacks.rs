//! What Twilio tells of a call, at the doors.

use call_session::{
    call::{NewCall, Status},
    id::SessionId,
};
use jiff::Timestamp;
use twilio_twiml::webhook::Form;

use crate::world::{ACCOUNT, CALL, TOKEN, World, between, call_sid, voice_form};

const OTHER: &str = "CA0000000000000000000000000000000f";
const RECORDING: &str = "RE0123456789abcdef0123456789abcdef";

/// What each door may be told of this call.
fn told(sid: &str, stream: &str) -> Vec<(String, Form)> {
    let form = || Form::new().with("CallSid", sid).with("AccountSid", ACCOUNT);
    let of_call = || form().with("From", "+14155550100").with("To", "+815012345678");
    let recording = form().with("RecordingSid", RECORDING).with("RecordingStatus", "in-progress");
    let broken = form().with("StreamSid", "MZ0123456789abcdef0123456789abcdef").with("StreamEvent", "stream-error");
    vec![
        ("machine".into(), form().with("AnsweredBy", "human")),
        ("recording".into(), recording),
        (format!("stream-status/{stream}"), broken.with("StreamError", "no upgrade")),
        ("call-status".into(), of_call().with("CallStatus", "completed").with("CallDuration", "12")),
        ("voicemail-left".into(), of_call().with("CallStatus", "in-progress").with("Direction", "outbound-api")),
    ]
}

/// A callback with a signature is Twilio's; that it is about this call is another question.
#[tokio::test]
async fn callbacks_of_another_call_change_nothing() {
    let world = World::without_model(|_| {}).await;
    let (_, twiml) = world.post("/api/twilio/voice", &voice_form(), Some(TOKEN)).await;
    let stream = between(&twiml, "/api/twilio/media-stream/", "\"").split_once('/').unwrap().1.to_owned();
    let call = world.store.find_by_call_sid(&call_sid()).await.unwrap().unwrap();
    // A call of ours that has no name yet: the name of another is not its own.
    let unnamed = SessionId::new();
    let outbound = NewCall::outbound("+815012345678", "+14155550100");
    world.store.create(unnamed, Timestamp::now(), outbound, vec![]).await.unwrap();
    for (id, sid) in [(call, OTHER), (unnamed, CALL)] {
        let before = world.store.load(id).await.unwrap();
        for (door, form) in told(sid, &stream) {
            let (door, rest) = door
                .split_once('/')
                .map_or((door.as_str(), String::new()), |(door, stream)| (door, format!("/{stream}")));
            let (status, _) = world.post(&format!("/api/twilio/{door}/{id}{rest}"), &form, Some(TOKEN)).await;
            assert!((200..300).contains(&status), "{door}: repeating it does not help, but the answer is {status}");
            assert_eq!(world.store.load(id).await.unwrap(), before, "{door}");
        }
    }
    // Of the call itself, they are news.
    for (door, form) in told(CALL, &stream) {
        let before = world.store.load(call).await.unwrap();
        let path = match door.split_once('/') {
            Some((door, stream)) => format!("/api/twilio/{door}/{call}/{stream}"),
            None => format!("/api/twilio/{door}/{call}"),
        };
        assert!((200..300).contains(&world.post(&path, &form, Some(TOKEN)).await.0), "{door}");
        assert_ne!(world.store.load(call).await.unwrap(), before, "{door}");
    }
    let session = world.store.load(call).await.unwrap().unwrap();
    assert_eq!((session.summary.status, session.summary.seconds), (Status::Completed, Some(12)));
    // All that one callback says is one commit.
    let told: Vec<_> = world.store.history(call).await.unwrap().into_iter().rev().take(3).collect();
    assert_eq!(told.last().map(|event| event.stamped.event.name()), Some("ended"));
}
