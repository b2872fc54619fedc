//! Who may speak to the server.

use call_simulator::openai::{OnOpen, Script};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{self, client::IntoClientRequest},
};
use twilio_twiml::webhook::signature::AuthToken;

use crate::world::{TOKEN, World, between, voice_form};

/// The status that an upgrade is answered with.
async fn upgrade(world: &World, path: &str, token: Option<&str>) -> u16 {
    let url = format!("{}{path}", world.url.replace("http", "ws"));
    let mut request = url.as_str().into_client_request().unwrap();
    if let Some(token) = token {
        let signature = AuthToken::new(token).sign_get(&url);
        request.headers_mut().insert("x-twilio-signature", signature.parse().unwrap());
    }
    match connect_async(request).await {
        Ok((_, response)) => response.status().as_u16(),
        Err(tungstenite::Error::Http(response)) => response.status().as_u16(),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_webhook_without_twilios_signature_is_refused() {
    let world = World::new(Script::new()).await;
    let call = "01890000-0000-7000-8000-000000000000";
    let of_streams = ["after-stream", "stream-status"].map(|door| format!("{door}/{call}/{call}"));
    let doors = ["answered", "call-status", "machine", "recording", "voicemail", "voicemail-left"];
    let of_calls = doors.map(|door| format!("{door}/{call}"));
    for path in ["voice".to_owned()].iter().chain(&of_streams).chain(&of_calls) {
        let path = format!("/api/twilio/{path}");
        assert_eq!(world.post(&path, &voice_form(), None).await.0, 403, "{path} unsigned");
        assert_eq!(world.post(&path, &voice_form(), Some("another")).await.0, 403, "{path} forged");
    }
    assert!(world.openai.as_ref().unwrap().sessions().is_empty(), "no session was opened for a stranger");
}

#[tokio::test]
async fn a_call_of_another_account_is_refused() {
    let ours = |arguments: &mut examples::settings::Arguments| {
        arguments.twilio.twilio_account_sid = Some("AC1123456789abcdef0123456789abcdef".into());
    };
    let world = World::without_model(ours).await;
    assert_eq!(world.post("/api/twilio/voice", &voice_form(), Some(TOKEN)).await.0, 403);
}

#[tokio::test]
async fn a_stream_is_refused_by_a_wrong_signature_and_by_a_missing_one_where_it_is_demanded() {
    for (demanded, unsigned) in [("true", 403), ("false", 101)] {
        let change = |arguments: &mut examples::settings::Arguments| {
            arguments.twilio.twilio_require_stream_signature = Some(demanded.into());
        };
        let world = World::without_model(change).await;
        let (status, twiml) = world.post("/api/twilio/voice", &voice_form(), Some(TOKEN)).await;
        assert_eq!(status, 200);
        let path = between(&twiml, "<Stream url=\"", "\"");
        assert_eq!(upgrade(&world, path, Some("another")).await, 403);
        assert_eq!(upgrade(&world, path, None).await, unsigned, "demanded: {demanded}");
        assert_eq!(upgrade(&world, path, Some(TOKEN)).await, 101);
    }
}

#[tokio::test]
async fn the_webhook_is_answered_while_the_model_is_not_there() {
    let world = World::new(Script::new().on_open(OnOpen::Silent)).await;
    let (status, twiml) = world.post("/api/twilio/voice", &voice_form(), Some(TOKEN)).await;
    assert_eq!(status, 200);
    let stream = between(&twiml, "/api/twilio/media-stream/", "\"");
    let after = format!("</Stream></Connect><Redirect>{}/api/twilio/after-stream/{stream}#", world.url);
    assert!(twiml.contains(&after), "{twiml}");
    assert!(twiml.contains(&format!("statusCallback=\"{}/api/twilio/stream-status/{stream}#", world.url)), "{twiml}");
    // The session is being opened all the same.
    world.session().await;
}
