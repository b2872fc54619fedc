//! Services that speak the protocol in their own way, and the bridge's client by configuration alone.

use std::time::Duration;

use call_simulator::{
    audio::fixtures::en,
    openai::{Answer, OpenAiSimulator, Profile, Script, Settings, Timing},
};
use futures_util::{SinkExt, StreamExt};
use realtime_bridge::realtime::{
    ConnectError, RealtimeClient, RealtimeCommand, RealtimeEvent, RealtimeSession, RequestId, ResponseOptions,
    ResponseStatus, SessionConfig,
    openai::{Dialect, OpenAiClient, OpenAiConfig},
};
use tokio::time::timeout;

async fn serve(profile: Profile) -> OpenAiSimulator {
    let script = Script::new().greeting(Answer::say(en::AGENT_GREETING));
    let settings = Settings::default().with_timing(Timing::brisk()).with_profile(profile);
    OpenAiSimulator::builder().api_key("right").script(script).settings(settings).start().await.unwrap()
}

/// The greeting is asked for, comes back under its request, and is spoken.
async fn greets(config: OpenAiConfig) {
    let client = OpenAiClient::new(config.with_connect_timeout(Duration::from_secs(10))).unwrap();
    let mut session = client.connect(&SessionConfig::default().with_voice("cedar")).await.unwrap();
    let request = RequestId(7);
    session.send(RealtimeCommand::Respond { request, options: ResponseOptions::default() }).await.unwrap();
    let reading = async {
        let (mut began, mut spoken) = (None, Duration::ZERO);
        loop {
            match session.next().await.expect("the session goes on").unwrap() {
                RealtimeEvent::ResponseStarted { request, .. } => began = request,
                RealtimeEvent::Audio { frame, .. } => spoken += frame.duration(),
                RealtimeEvent::Error(error) => panic!("{error:?}"),
                RealtimeEvent::ResponseDone(outcome) => {
                    assert_eq!(outcome.status, ResponseStatus::Completed);
                    return (began, spoken);
                }
                _ => {}
            }
        }
    };
    let (began, spoken) = timeout(Duration::from_secs(30), reading).await.expect("the model greets");
    assert_eq!(began, Some(request));
    assert!(spoken > Duration::from_secs(1), "{spoken:?}");
    session.close().await.unwrap();
}

#[tokio::test]
async fn azure_is_reached_by_its_address_and_its_key() {
    let azure = serve(Profile::Azure).await;
    let endpoint = format!("http://{}", azure.address());
    greets(OpenAiConfig::azure(&endpoint, "our-voice-agent", "right")).await;

    let status = async |config: OpenAiConfig| {
        let client = OpenAiClient::new(config).unwrap();
        match client.connect(&SessionConfig::default()).await {
            Err(ConnectError::Status { status, .. }) => status,
            other => panic!("a status was to come, not {:?}", other.map(|session| session.info().clone())),
        }
    };
    assert_eq!(status(OpenAiConfig::azure(&endpoint, "our-voice-agent", "wrong")).await, 401);
    let dated =
        OpenAiConfig::azure(&endpoint, "our-voice-agent", "right").with_query("api-version", "2025-04-01-preview");
    assert_eq!(status(dated).await, 401);
    let elsewhere = OpenAiConfig::new("right").with_base_url(format!("{endpoint}/v1"));
    assert_eq!(status(elsewhere).await, 404);
    azure.shutdown().await;
}

#[tokio::test]
async fn a_compatible_service_is_spoken_to_in_its_dialect() {
    let service = serve(Profile::Compatible).await;
    let config =
        OpenAiConfig::compatible(service.base_url(), "their-model").with_header("authorization", "Bearer right");
    greets(config.clone().with_dialect(Dialect::compatible().with_flat_session(true))).await;
    let session = service.next_session().await.recording();
    let update = session.of_type("session.update").next().expect("it was set up").event.to_string();
    assert!(update.contains("cedar"), "{update}");

    // As OpenAI has it, the service takes nothing.
    let client = OpenAiClient::new(config).unwrap();
    let refused = client.connect(&SessionConfig::default()).await.map(|_| ());
    assert!(
        matches!(&refused, Err(ConnectError::Refused(error)) if error.code.as_deref() == Some("unknown_parameter")),
        "{refused:?}"
    );
    service.shutdown().await;
}
