//! The bridge's own client talks to the simulator.

use std::time::Duration;

use call_simulator::{
    audio::fixtures::en,
    openai::{
        Answer, ApiError, Ending, FREE_SLOTS, OnUpdate, OpenAiSimulator, Script, Settings, Timing, Utterance, WrongKey,
    },
};
use futures_util::{SinkExt, StreamExt};
use realtime_bridge::{
    audio::{AudioFormat, AudioFrame},
    realtime::{
        ConnectError, NewItem, RealtimeClient, RealtimeCommand, RealtimeEvent, RealtimeSession, RequestId,
        ResponseOptions, ResponseStatus, SessionConfig, Transcription,
        openai::{OpenAiClient, OpenAiConfig, OpenAiSession},
    },
};
use serde_json::json;
use tokio::time::timeout;

const FRAME: Duration = Duration::from_millis(20);

fn script() -> Script {
    let look_up = Answer::say(en::AGENT_ONE_MOMENT)
        .and_call(FREE_SLOTS, &json!({"day": "friday"}))
        .then(Answer::say(en::AGENT_SLOT));
    Script::new()
        .greeting(Answer::say(en::AGENT_GREETING))
        .turn(en::CALLER_HOURS, Answer::say(en::AGENT_HOURS))
        .turn(en::CALLER_INTERRUPTS, look_up)
}

async fn serve(script: Script) -> OpenAiSimulator {
    // Slow enough to be interrupted, as the caller speaks in real time.
    let settings = Settings::default().with_timing(Timing::brisk().with_audio_speed(4.0));
    OpenAiSimulator::builder().api_key("sk-right").script(script).settings(settings).start().await.unwrap()
}

fn client(openai: &OpenAiSimulator, key: &str) -> OpenAiClient {
    let config = OpenAiConfig::new(key).with_base_url(openai.base_url()).with_connect_timeout(Duration::from_secs(3));
    OpenAiClient::new(config).unwrap()
}

async fn connect(openai: &OpenAiSimulator) -> OpenAiSession {
    let config = SessionConfig::default()
        .with_formats(AudioFormat::MuLaw, AudioFormat::MuLaw)
        .with_transcription(Some(Transcription::default()));
    client(openai, "sk-right").connect(&config).await.unwrap()
}

/// Reads on until an event fits, and gives what the closure makes of it.
async fn until<T>(session: &mut OpenAiSession, mut wanted: impl FnMut(&RealtimeEvent) -> Option<T>) -> T {
    let reading = async {
        loop {
            let event = session.next().await.expect("the session goes on").unwrap();
            if let RealtimeEvent::Error(error) = &event {
                panic!("{error:?}");
            }
            if let Some(found) = wanted(&event) {
                return found;
            }
        }
    };
    timeout(Duration::from_secs(20), reading).await.expect("the event comes")
}

async fn speak(session: &mut OpenAiSession, mulaw: &[u8]) {
    let mut clock = tokio::time::interval(FRAME);
    for frame in mulaw.chunks(160) {
        clock.tick().await;
        let frame = AudioFrame::raw(AudioFormat::MuLaw, frame.to_vec());
        session.send(RealtimeCommand::Append(frame)).await.unwrap();
    }
}

fn respond(request: u64) -> RealtimeCommand {
    RealtimeCommand::Respond { request: RequestId(request), options: ResponseOptions::default() }
}

#[tokio::test]
async fn a_whole_conversation() {
    let openai = serve(script()).await;
    let mut session = connect(&openai).await;
    let seen = openai.next_session().await;

    session.send(respond(1)).await.unwrap();
    let mut heard = 0;
    let outcome = until(&mut session, |event| match event {
        RealtimeEvent::Audio { frame, .. } => {
            heard += frame.byte_len();
            None
        }
        RealtimeEvent::ResponseDone(outcome) => Some(outcome.status.clone()),
        _ => None,
    });
    assert_eq!(outcome.await, ResponseStatus::Completed);
    assert_eq!(heard, en::AGENT_GREETING.mulaw.len());

    let silence = vec![0xFF; 8 * 700];
    speak(&mut session, en::CALLER_HOURS.mulaw).await;
    speak(&mut session, &silence).await;
    let item = until(&mut session, |event| match event {
        RealtimeEvent::Audio { item, .. } => Some(item.clone()),
        _ => None,
    })
    .await;
    speak(&mut session, en::CALLER_INTERRUPTS.mulaw).await;
    until(&mut session, |event| matches!(event, RealtimeEvent::SpeechStarted { .. }).then_some(())).await;
    let heard = Duration::from_millis(60);
    let cut = RealtimeCommand::Truncate { request: RequestId(2), item: item.clone(), content_index: 0, heard };
    session.send(cut).await.unwrap();
    until(&mut session, |event| matches!(event, RealtimeEvent::Truncated { .. }).then_some(())).await;

    speak(&mut session, &silence).await;
    let mut transcripts = Vec::new();
    let calls = until(&mut session, |event| match event {
        RealtimeEvent::UserTranscript { text, .. } => {
            transcripts.push(text.clone());
            None
        }
        RealtimeEvent::ResponseDone(outcome) if !outcome.calls.is_empty() => Some(outcome.calls.clone()),
        _ => None,
    })
    .await;
    assert_eq!(calls[0].name, FREE_SLOTS);
    let output = NewItem::ToolOutput { call: calls[0].id.clone(), output: "[\"10:00\"]".to_owned() };
    session.send(RealtimeCommand::AddItem { request: RequestId(3), item: output }).await.unwrap();
    session.send(respond(4)).await.unwrap();
    let said = until(&mut session, |event| match event {
        RealtimeEvent::Transcript { text, .. } => Some(text.clone()),
        _ => None,
    });
    assert_eq!(said.await, en::AGENT_SLOT.transcript);
    until(&mut session, |event| matches!(event, RealtimeEvent::ResponseDone(_)).then_some(())).await;
    session.close().await.unwrap();

    let recording = timeout(Duration::from_secs(30), seen.closed()).await.unwrap();
    assert!(recording.of_type("error").next().is_none(), "nothing was refused");
    assert!(matches!(recording.ending, Some(Ending::ClientClosed(_))), "{:?}", recording.ending);
    let cut = recording.items.iter().find(|recorded| recorded.id == item.as_str()).unwrap();
    assert_eq!(cut.truncated_ms, Some(60));
    assert!(transcripts.iter().any(|text| text == en::CALLER_INTERRUPTS.transcript), "{transcripts:?}");
    openai.shutdown().await;
}

#[tokio::test]
async fn refusals_reach_the_client_by_either_door() {
    let openai = serve(Script::new()).await;
    let error = client(&openai, "sk-wrong").connect(&SessionConfig::default()).await.unwrap_err();
    assert!(matches!(error, ConnectError::Status { status: 401, .. }), "{error}");

    let openai = OpenAiSimulator::builder().api_key("sk-right").wrong_key(WrongKey::Close3000).start().await.unwrap();
    let error = client(&openai, "sk-wrong").connect(&SessionConfig::default()).await.unwrap_err();
    assert!(matches!(error, ConnectError::Refused(_)), "{error}");
}

#[tokio::test]
async fn a_server_that_never_confirms_is_given_up() {
    let openai = serve(Script::new().on_update(OnUpdate::Ignore)).await;
    let error = client(&openai, "sk-right").connect(&SessionConfig::default()).await.unwrap_err();
    assert!(matches!(error, ConnectError::Timeout { waiting_for: "session.updated", .. }), "{error}");
}

#[tokio::test]
async fn an_echo_with_other_formats_is_not_accepted() {
    let pcm = json!({"audio": {"output": {"format": {"type": "audio/pcm", "rate": 24_000}}}});
    let openai = serve(Script::new().on_update(OnUpdate::Misquote(pcm))).await;
    let error = client(&openai, "sk-right").connect(&SessionConfig::default()).await.unwrap_err();
    assert!(matches!(error, ConnectError::NotAsAsked { .. }), "{error}");
}

#[tokio::test]
async fn a_busy_server_is_told_as_such() {
    let slow_down = ApiError::invalid("slow_down", "Slow down.").with_kind("rate_limit_error");
    let busy = OpenAiSimulator::builder().busy(429, slow_down, Some(Duration::from_secs(3)));
    let openai = busy.start().await.unwrap();
    let error = client(&openai, "sk-right").connect(&SessionConfig::default()).await.unwrap_err();
    let retry_after = Some(Duration::from_secs(3));
    assert!(
        matches!(error, ConnectError::Status { status: 429, retry_after: after } if after == retry_after),
        "{error}"
    );
}

#[tokio::test]
async fn text_beside_the_conversation_is_written_while_an_answer_is_spoken_and_leaves_no_trace() {
    let openai = serve(script().aside(Answer::say(Utterance::recorded("A table is wanted.", vec![])))).await;
    let mut session = connect(&openai).await;
    assert!(session.capabilities().asides);
    session.send(respond(1)).await.unwrap();
    until(&mut session, |event| matches!(event, RealtimeEvent::Audio { .. }).then_some(())).await;
    let (instructions, text) = ("Sum up.".into(), "caller: A table for two, please.".into());
    session.send(RealtimeCommand::Aside { request: RequestId(2), instructions, text }).await.unwrap();
    let (mut result, mut answers) = (None, 0);
    until(&mut session, |event| {
        match event {
            RealtimeEvent::Aside { request: RequestId(2), result: text, usage } => {
                assert!(usage.is_some_and(|usage| usage.input > 0 && usage.output_audio == 0));
                result = Some(text.clone().unwrap());
            }
            RealtimeEvent::ResponseStarted { .. } | RealtimeEvent::ResponseDone(_) => answers += 1,
            _ => {}
        }
        (result.is_some() && answers == 1).then_some(())
    })
    .await;
    assert_eq!(result.as_deref(), Some("A table is wanted."));
    session.close().await.unwrap();
    let items = format!("{:?}", openai.sessions()[0].recording().items);
    assert!(!items.contains("table"), "{items}");
}
