//! Callers over SIP who are handed to people: by an operator, by the model, and in vain.

use std::{sync::Arc, time::Duration};

use axum::http::Uri;
use call_session::{
    call::{CallSession, HandoffEnd, Outcome, Status},
    id::SessionId,
    store::Query,
};
use call_simulator::{
    audio::fixtures::ja,
    openai::{
        Act, Answer, Script,
        sip::{Action, Fault, Ring, SipEnd, SipHandle, Step, Transfer},
    },
    twilio::CallerScript,
};
use examples::sip::{SipServer, settings::SipSettings, sms::Sms};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::mpsc, task::JoinSet, time::timeout};
use twilio_twiml::rest::{Client, Config, Credentials};

use super::sip::{Folder, World, arguments, model, reason};

const TOKEN: &str = "the token of this test";

/// A model that greets, says the farewell, and tells a caller that nobody took the call.
fn script() -> Script {
    Script::new()
        .when_asked("つながりませんでした", Answer::say(ja::AGENT_APOLOGY))
        .when_asked("おつなぎいたします", Answer::say(ja::AGENT_ONE_MOMENT))
        .when_asked("受付でございます", Answer::say(ja::AGENT_GREETING))
}

async fn world(model: call_simulator::openai::Builder, ring: u32) -> World {
    World::with(model, |arguments| {
        arguments.handoff_people = Some("sato=+81311110000,desk=sip:desk@example.com".into());
        arguments.handoff_ring = Some(ring.to_string());
        arguments.api_token = Some(TOKEN.into());
    })
    .await
}

/// The API, as an operator uses it.
struct Desk {
    url: String,
    http: reqwest::Client,
}

impl Desk {
    fn of(world: &World) -> Self {
        Self { url: world.url.replace("/openai-webhook", "/api/calls"), http: reqwest::Client::new() }
    }

    async fn hand_over(&self, call: SessionId, body: Value) -> (u16, Value) {
        let request = self.http.post(format!("{}/{call}/handoff", self.url)).bearer_auth(TOKEN).json(&body);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn get(&self, path: &str, token: &str) -> (u16, Value) {
        let answer = self.http.get(format!("{}/{path}", self.url)).bearer_auth(token).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }
}

/// A call whose greeting was heard, and its name here.
async fn greeted(world: &World, ring: Ring) -> (SipHandle, SessionId) {
    let handle = world.openai.ring(ring);
    assert!(handle.until(|step| *step == Step::SocketOpened).await);
    let call = until(world, |call| call.transcript.iter().any(|line| line.complete)).await;
    (handle, call.summary.id)
}

/// The newest call, once it is like this.
async fn until(world: &World, wanted: impl Fn(&CallSession) -> bool) -> CallSession {
    let store = world.server.store();
    let waiting = async {
        loop {
            let position = store.feed_end().await.unwrap();
            let page = store.query(&Query::default()).await.unwrap();
            if let Some(summary) = page.calls.first() {
                let call = store.load(summary.id).await.unwrap().unwrap();
                if wanted(&call) {
                    return call;
                }
            }
            store.feed_moved(position).await;
        }
    };
    timeout(Duration::from_secs(60), waiting).await.expect("the call comes to that")
}

fn stays() -> CallerScript {
    CallerScript::new()
}

#[tokio::test]
async fn an_operator_hands_a_caller_to_a_person_who_takes_the_call() {
    let mut world = world(model(script()), 40).await;
    let desk = Desk::of(&world);
    assert_eq!(desk.get("active", "another token").await.0, 401);
    let nobody = desk.hand_over(SessionId::new(), json!({})).await;
    assert_eq!((nobody.0, &nobody.1["code"]), (404, &json!("call-not-found")));

    let (handle, call) = greeted(&world, Ring::new(world.target(), stays())).await;
    for (body, status, code) in [
        (json!({"agentId": "nobody"}), 404, "agent-not-found"),
        (json!({"phone": "no number"}), 400, "bad-request"),
        (json!({"agentId": "sato", "phone": "+81311110000"}), 400, "bad-request"),
        (json!({"mode": "warm"}), 400, "mode-not-available"),
    ] {
        let answer = desk.hand_over(call, body).await;
        assert_eq!((answer.0, &answer.1["code"]), (status, &json!(code)));
    }
    let begun = desk.hand_over(call, json!({"phone": "03-1111-2222", "reason": "a complaint"})).await;
    assert_eq!((begun.0, &begun.1["status"], &begun.1["mode"]), (202, &json!("transferring"), &json!("cold")));
    let again = desk.hand_over(call, json!({"agentId": "sato"})).await;
    assert_eq!((again.0, &again.1["code"]), (409, &json!("handoff-under-way")));

    let seen = handle.ended().await;
    assert_eq!(seen.end, SipEnd::Transferred("tel:+81311112222".into()));
    let [_, farewell] = seen.agent_speech[..] else { panic!("greeting and farewell are heard: {seen}") };
    assert!(farewell.duration() + Duration::from_millis(400) > ja::AGENT_ONE_MOMENT.duration(), "to the end: {seen}");
    let over = until(&world, |call| call.summary.status.is_terminal()).await;
    assert_eq!(reason(&over), (Status::Completed, "referred"));
    assert_eq!(over.summary.outcome, Some(Outcome::HandedOver));
    assert!(over.summary.times.with_agent.is_some() && !over.summary.needs_runner());
    let late = desk.hand_over(call, json!({})).await;
    assert_eq!(late.0, 409);
    assert_eq!(desk.get(&call.to_string(), TOKEN).await.1["status"], "completed");
    world.calls().await;
}

#[tokio::test]
async fn the_model_names_people_and_no_numbers_and_a_refusal_goes_to_the_next() {
    let stranger = Answer::call("hand_over", &json!({"to": "+81399999999", "reason": "asks for a person"}));
    let sato = Answer::call("hand_over", &json!({"to": "sato", "reason": "asks for a person"}));
    let script = script().turn(ja::CALLER_HOURS, stranger.then(sato));
    let mut world = world(model(script).fault(Action::Refer, Fault::Status(400)), 40).await;
    let caller = CallerScript::new().until_agent_finishes().say(ja::CALLER_HOURS);
    let seen = timeout(Duration::from_secs(60), world.openai.ring(Ring::new(world.target(), caller)).ended()).await;
    let seen = seen.expect("the call ends");
    assert_eq!(seen.end, SipEnd::Transferred("sip:desk@example.com".into()));
    assert_eq!(seen.requests("refer").collect::<Vec<_>>(), [400, 200]);
    let calls = world.calls().await;
    assert_eq!(reason(&calls[0]), (Status::Completed, "referred"));
    let handoff = calls[0].summary.handoff.as_ref().unwrap();
    assert_eq!((handoff.by.as_str(), handoff.legs.len()), ("agent", 2));
    let told: Vec<_> = calls[0].tools.iter().map(|run| run.output.clone().unwrap_or_default()).collect();
    assert!(told[0].contains("nobody of this name") && told[1].contains("being put through"), "{told:?}");
}

#[tokio::test]
async fn a_caller_whom_nobody_takes_hears_so_and_talks_on_with_the_agent() {
    // Both are asked, and both refused at once; then one is asked again, and nothing comes of it.
    let refuses = model(script()).fault(Action::Refer, Fault::Status(400)).fault(Action::Refer, Fault::Status(403));
    let mut world = world(refuses, 1).await;
    let ring = Ring::new(world.target(), stays()).transfer(Transfer::Fails);
    let (handle, call) = greeted(&world, ring).await;
    let desk = Desk::of(&world);
    assert_eq!(desk.hand_over(call, json!({"agentId": "sato"})).await.0, 202);
    let told = |call: &CallSession| call.summary.handoff.as_ref().is_some_and(|handoff| handoff.told);
    let call = until(&world, told).await;
    assert_eq!(call.summary.status, Status::AiResponding);
    let ended = call.summary.handoff.as_ref().unwrap().ended.clone().unwrap().1;
    assert_eq!(ended, HandoffEnd::Failed("not-placed".into()));
    until(&world, |call| call.transcript.iter().any(|line| line.heard == ja::AGENT_APOLOGY.transcript)).await;

    assert_eq!(desk.hand_over(call.summary.id, json!({"phone": "+81311112222"})).await.0, 202);
    let call = until(&world, |call| told(call) && call.summary.legs.len() == 3).await;
    let ended = call.summary.handoff.as_ref().unwrap().ended.clone().unwrap().1;
    assert_eq!(ended, HandoffEnd::Failed("no-answer".into()));
    handle.hang_up();
    let seen = handle.ended().await;
    assert_eq!(seen.requests("refer").collect::<Vec<_>>(), [400, 403, 200]);
    let calls = world.calls().await;
    assert_eq!(reason(&calls[0]), (Status::Completed, "caller-hung-up"), "hanging up later is no handover");
    assert!(calls[0].summary.times.with_agent.is_none());
}

#[tokio::test]
async fn a_caller_whose_agent_fails_goes_to_a_person() {
    let refuses = model(script()).fault(Action::Refer, Fault::Status(400));
    let mut world = world(refuses, 3).await;
    let (handle, _) = greeted(&world, Ring::new(world.target(), stays())).await;
    handle.act(Act::Text("no event".into()));
    let seen = timeout(Duration::from_secs(90), handle.ended()).await.expect("the call ends");
    assert_eq!(seen.end, SipEnd::Transferred("sip:desk@example.com".into()), "the first is refused");
    assert_eq!(seen.requests("refer").collect::<Vec<_>>(), [400, 200]);
    let calls = world.calls().await;
    assert_eq!(reason(&calls[0]), (Status::Completed, "referred"));
}

#[tokio::test]
async fn a_caller_whose_agent_fails_and_whom_nobody_takes_is_hung_up() {
    let mut world = world(model(script()), 1).await;
    let (handle, _) = greeted(&world, Ring::new(world.target(), stays()).transfer(Transfer::Fails)).await;
    handle.act(Act::Text("no event".into()));
    let seen = timeout(Duration::from_secs(90), handle.ended()).await.expect("the call ends");
    assert_eq!(seen.end, SipEnd::HungUp);
    assert_eq!(seen.requests("refer").collect::<Vec<_>>(), [200]);
    assert_eq!(reason(&world.calls().await[0]), (Status::Failed, "model-failed"));
}

#[tokio::test]
async fn a_caller_whose_agent_fails_while_a_person_is_asked_is_put_to_nobody_else() {
    let mut world = world(model(script()), 2).await;
    let (handle, call) = greeted(&world, Ring::new(world.target(), stays()).transfer(Transfer::Fails)).await;
    assert_eq!(Desk::of(&world).hand_over(call, json!({"agentId": "sato"})).await.0, 202);
    assert!(handle.until(|step| matches!(step, Step::Request("refer", 200))).await);
    handle.act(Act::Text("no event".into()));
    let seen = timeout(Duration::from_secs(90), handle.ended()).await.expect("the call ends");
    assert_eq!(seen.end, SipEnd::HungUp);
    assert_eq!(seen.requests("refer").collect::<Vec<_>>(), [200]);
    assert_eq!(reason(&world.calls().await[0]), (Status::Failed, "model-failed"));
}

#[tokio::test]
async fn a_caller_whose_agent_fails_before_anybody_is_asked_goes_to_a_person() {
    let mut world = world(model(script()), 40).await;
    let (handle, call) = greeted(&world, Ring::new(world.target(), stays())).await;
    assert_eq!(Desk::of(&world).hand_over(call, json!({"agentId": "desk"})).await.0, 202);
    // In the middle of the farewell.
    handle.act(Act::Text("no event".into()));
    let seen = timeout(Duration::from_secs(90), handle.ended()).await.expect("the call ends");
    assert_eq!(seen.end, SipEnd::Transferred("tel:+81311110000".into()));
    assert_eq!(seen.requests("refer").collect::<Vec<_>>(), [200]);
    assert_eq!(reason(&world.calls().await[0]), (Status::Completed, "referred"));
}

/// A carrier that knows one call, and tells what it is asked to do with it.
async fn carrier(from: &'static str) -> (Client, mpsc::Receiver<(String, String)>, JoinSet<()>) {
    let (asked, requests) = mpsc::channel(8);
    let answer = move |uri: Uri, body: String| {
        let asked = asked.clone();
        async move {
            asked.send((uri.path().to_owned(), body)).await.unwrap();
            axum::Json(json!({
                "sid": "CA00000000000000000000000000000001", "status": "in-progress", "from": from,
                "parent_call_sid": "CA00000000000000000000000000000002",
            }))
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let mut serving = JoinSet::new();
    serving.spawn(async move { axum::serve(listener, axum::Router::new().fallback(answer)).await.unwrap() });
    let config = Config::new("AC00000000000000000000000000000001".parse().unwrap(), Credentials::auth_token("token"));
    (Client::new(config.with_base_url(&base_url)).unwrap(), requests, serving)
}

/// A caller whom the provider does not move, with this carrier. Gives the call when nothing more is tried.
async fn handed_to_carrier(client: Client) -> (World, SipHandle, SessionId) {
    let refuses = model(script()).fault(Action::Refer, Fault::Status(400));
    let (openai, folder) = (Arc::new(refuses.start().await.unwrap()), Arc::new(Folder::new()));
    let mut given = arguments(&openai, &folder);
    given.handoff_people = Some("sato=+81311110000".into());
    given.api_token = Some(TOKEN.into());
    let mut settings = SipSettings::check(&given).unwrap();
    settings.sms = Sms::Twilio { client, from: "+815012345678".parse().unwrap() };
    let world = World::around(openai, folder, SipServer::open(settings).await.unwrap()).await;
    let ring = Ring::new(world.target(), stays()).header("X-Twilio-CallSid", "CA00000000000000000000000000000001");
    let (handle, call) = greeted(&world, ring).await;
    assert_eq!(Desk::of(&world).hand_over(call, json!({"agentId": "sato"})).await.0, 202);
    (world, handle, call)
}

#[tokio::test]
async fn the_carrier_moves_a_caller_whom_the_provider_does_not() {
    let (client, mut requests, _serving) = carrier("+818012345678").await;
    let (mut world, handle, _) = handed_to_carrier(client).await;
    let looked = requests.recv().await.unwrap();
    assert!(looked.0.ends_with("/Calls/CA00000000000000000000000000000001.json"), "{looked:?}");
    let (path, body) = requests.recv().await.unwrap();
    assert!(path.ends_with("/Calls/CA00000000000000000000000000000002.json"), "the caller's leg: {path}");
    let mut form = url::form_urlencoded::parse(body.as_bytes());
    let document = form.find_map(|(name, value)| (name == "Twiml").then(|| value.into_owned())).unwrap();
    let (dial, after) = document.split_once("</Dial>").unwrap();
    assert!(dial.contains("+81311110000"), "{document}");
    assert!(after.contains("<Say") && after.contains("ja-JP"), "a caller whom nobody takes hears a word: {document}");
    // The carrier takes the caller away from the provider.
    handle.hang_up();
    let over = until(&world, |call| call.summary.status.is_terminal()).await;
    assert_eq!(reason(&over), (Status::Completed, "referred"));
    world.stop().await;
}

#[tokio::test]
async fn a_name_at_the_carrier_that_is_another_callers_moves_nobody() {
    let (client, mut requests, _serving) = carrier("+818099999999").await;
    let (mut world, handle, _) = handed_to_carrier(client).await;
    assert!(requests.recv().await.is_some());
    let told = |call: &CallSession| call.summary.handoff.as_ref().is_some_and(|handoff| handoff.told);
    let call = until(&world, told).await;
    assert_eq!(call.summary.handoff.unwrap().ended.unwrap().1, HandoffEnd::Failed("not-placed".into()));
    assert!(requests.try_recv().is_err(), "nothing is asked of it");
    handle.hang_up();
    world.stop().await;
}
