//! The doors for people and programs of the server for calls over SIP, and what its tools say of what nobody knows.

use std::{sync::Arc, time::Duration};

use call_session::call::{Status, ToolOutcome};
use call_simulator::{
    audio::fixtures::ja,
    openai::{
        Answer, Script,
        sip::{Ring, SipEnd},
    },
    twilio::CallerScript,
};
use examples::sip::{
    SipServer,
    attendance::{Attendance, Guest},
    settings::SipSettings,
    sms::Sms,
};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::{io::AsyncReadExt, net::TcpListener, time::timeout};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};
use twilio_twiml::rest::{Client, Config, Credentials};

use super::sip::{Folder, World, arguments, model, reason};

const TOKEN: &str = "the token of this test";

/// The next message of the feed of this type.
async fn next<S>(feed: &mut S, kind: &str) -> Value
where
    S: StreamExt<Item = Result<Message, tokio_tungstenite::tungstenite::Error>> + Unpin,
{
    let waiting = async {
        loop {
            let Message::Text(text) = feed.next().await.unwrap().unwrap() else { continue };
            let told: Value = serde_json::from_str(text.as_str()).unwrap();
            if told["type"] == kind {
                return told;
            }
        }
    };
    timeout(Duration::from_secs(60), waiting).await.unwrap_or_else(|_| panic!("{kind} is told"))
}

#[tokio::test]
async fn people_watch_a_call_speak_on_it_and_end_it() {
    let script = Script::new()
        .when_asked("少々お待ちください", Answer::say(ja::AGENT_ONE_MOMENT))
        .when_asked("失礼いたします", Answer::say(ja::AGENT_GOODBYE))
        .when_asked("受付でございます", Answer::say(ja::AGENT_GREETING));
    let mut world = World::with(model(script), |arguments| arguments.api_token = Some(TOKEN.into())).await;
    let url = world.url.replace("/openai-webhook", "");
    let http = reqwest::Client::new();
    let post = |path: String, body: Value| http.post(format!("{url}{path}")).bearer_auth(TOKEN).json(&body).send();
    for (path, status, code) in [
        ("/api/calls/nonsense", 404, "call-not-found"),
        ("/api/calls/active?page=2", 400, "bad-request"),
        ("/api/events?cursor=yesterday", 400, "bad-cursor"),
    ] {
        let problem = http.get(format!("{url}{path}")).bearer_auth(TOKEN).send().await.unwrap();
        assert_eq!(problem.status().as_u16(), status, "{path}");
        assert_eq!(problem.json::<Value>().await.unwrap()["code"], code, "{path}");
    }
    for action in ["end", "say", "handoff"] {
        let problem = post(format!("/api/calls/nonsense/{action}"), json!({"line": "x"})).await.unwrap();
        let (status, problem) = (problem.status().as_u16(), problem.json::<Value>().await.unwrap());
        assert_eq!((status, &problem["code"]), (404, &json!("call-not-found")), "{action}");
    }
    let stranger = reqwest::get(format!("{url}/api/events")).await.unwrap();
    assert_eq!(stranger.status().as_u16(), 401);

    let mut request = format!("{}/api/events", url.replace("http", "ws")).into_client_request().unwrap();
    request.headers_mut().insert("authorization", format!("Bearer {TOKEN}").parse().unwrap());
    let mut feed = connect_async(request).await.unwrap().0;
    let handle = world.openai.ring(Ring::new(world.target(), CallerScript::new()));
    let started = next(&mut feed, "call-started").await;
    let call = started["call"]["callId"].as_str().unwrap().to_owned();
    while next(&mut feed, "transcript-update").await["lines"][0]["complete"] != true {}
    let said = post(format!("/api/calls/{call}/say"), json!({"line": "少々お待ちください。"})).await.unwrap();
    assert_eq!(said.status().as_u16(), 202);
    while next(&mut feed, "transcript-update").await["lines"][0]["heard"] != ja::AGENT_ONE_MOMENT.transcript {}
    let asked = post(format!("/api/calls/{call}/end"), json!({"say": "失礼いたします。"})).await.unwrap();
    assert_eq!(asked.status().as_u16(), 202);
    assert_eq!(next(&mut feed, "call-ended").await["call"]["status"], "completed");
    assert_eq!(handle.ended().await.end, SipEnd::HungUp);
    let late = post(format!("/api/calls/{call}/end"), json!({})).await.unwrap();
    assert_eq!(late.json::<Value>().await.unwrap()["code"], "call-over");
    let calls = world.calls().await;
    assert_eq!(reason(&calls[0]), (Status::Completed, "goodbye"));
    assert_eq!(calls[0].transcript.last().unwrap().heard, ja::AGENT_GOODBYE.transcript);
}

#[tokio::test]
async fn a_message_of_which_nobody_knows_is_told_as_such_and_sent_once() {
    let writes = Answer::call("send_message", &json!({}));
    let script = Script::new()
        .when_asked("受付でございます", Answer::say(ja::AGENT_GREETING))
        .turn(ja::CALLER_SLOT, writes.then(Answer::say(ja::AGENT_SLOT)));
    let (openai, folder) = (Arc::new(model(script).start().await.unwrap()), Arc::new(Folder::new()));
    // Twilio takes the request, and nobody hears what comes of it.
    let twilio = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", twilio.local_addr().unwrap());
    let breaks = async {
        for count in 1.. {
            let (mut socket, _) = twilio.accept().await.unwrap();
            let mut request = [0; 16];
            socket.read_exact(&mut request).await.unwrap();
            assert_eq!(count, 1, "the message is sent once");
        }
    };
    let credentials = Credentials::auth_token("token");
    let config = Config::new("AC00000000000000000000000000000001".parse().unwrap(), credentials);
    let client = Client::new(config.with_base_url(&base_url)).unwrap();
    let mut settings = SipSettings::check(&arguments(&openai, &folder)).unwrap();
    settings.sms = Sms::Twilio { client, from: "+815012345678".parse().unwrap() };
    let table = Attendance::open(&folder.0.join("attendance.db")).await.unwrap();
    let phone = "+818012345678";
    let guest = Guest { phone: phone.into(), name: "田中 花子".into(), attendance: "attending".into(), slot: None };
    table.put_guest(&guest).await.unwrap();
    let mut world = World::around(openai, folder, SipServer::open(settings).await.unwrap()).await;
    let caller =
        CallerScript::new().until_hears(ja::AGENT_GREETING).say(ja::CALLER_SLOT).until_hears(ja::AGENT_SLOT).hang_up();
    let handle = world.openai.ring(Ring::new(world.target(), caller).from(phone));
    tokio::select! {
        seen = handle.ended() => assert_eq!(seen.end, SipEnd::CallerHungUp),
        () = breaks => unreachable!("it goes on"),
    }
    let calls = world.calls().await;
    let [run] = &calls[0].tools[..] else { panic!("one run") };
    assert_eq!(run.outcome, Some(ToolOutcome::Done), "a failure would be tried again");
    assert!(run.output.as_deref().is_some_and(|told| told.contains("nobody knows")), "{:?}", run.output);
    assert_eq!(table.messages(phone).await.unwrap().iter().map(|(_, sent)| sent.clone()).collect::<Vec<_>>(), [None]);
}
