//! Calls that are watched and led from outside.

use call_session::{
    call::{NewCall, SessionEvent, Version},
    id::SessionId,
    store::{Commit, Position, SessionStore, postgres::PostgresStore, sqlite::SqliteStore},
};
use call_simulator::{
    audio::fixtures::en,
    openai::{Answer, Script},
    twilio::{CallerScript, Cue, PhoneScript},
};
use futures_util::StreamExt;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::client::IntoClientRequest};

use super::world::{PATIENCE, World, new_folder};

type Feed = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The next message of the feed of this type.
async fn next(feed: &mut Feed, kind: &str) -> Value {
    loop {
        let message = feed.next().await.unwrap().unwrap();
        let Ok(text) = message.to_text() else { continue };
        let Ok(told) = serde_json::from_str::<Value>(text) else { continue };
        if told["type"] == kind {
            return told;
        }
    }
}

/// Waits until as many streams of a call have come up.
async fn until_streams(feed: &mut Feed, streams: u64) {
    loop {
        let updated = next(feed, "call-updated").await;
        if updated["event"] == "stream-attached" && updated["call"]["streams"] == streams {
            return;
        }
    }
}

#[tokio::test]
async fn a_call_is_watched_and_led_from_outside() {
    let folder = new_folder();
    let path = folder.join("calls.db");
    let menu = json!({ "digits": "7w#", "reason": "for the reception press 7" });
    let presses = Script::new()
        .greeting(Answer::say(en::AGENT_GREETING))
        .turn(en::CALLER_HOURS, Answer::call("press_keys", &menu));
    let world = World::talking(format!("sqlite:{}", path.display()), presses).await;
    let store = SqliteStore::open(&path).await.unwrap();
    let announces = CallerScript::new().until_agent_finishes().say(en::CALLER_HOURS);
    let customers = world.customers(&store, [PhoneScript::answers(announces)]).await;
    let secret = ("API_TOKEN", "a token of this test");
    let _server = world.serve(0, &[("MACHINE", "ignore"), secret]).await;
    let http = reqwest::Client::new();
    let get = |path: &str| http.get(format!("{}{path}", world.url)).bearer_auth(secret.1);
    let post = |path: &str, body: Value| http.post(format!("{}{path}", world.url)).bearer_auth(secret.1).json(&body);

    // Nobody without the token; no call for nobody.
    let wanted = json!({ "customerId": customers[0], "agentId": "sato" });
    let stranger = http.post(format!("{}/api/calls/start", world.url)).json(&wanted).send().await.unwrap();
    assert_eq!(stranger.status().as_u16(), 401);
    let nobody = json!({ "customerId": "nobody", "agentId": "sato" });
    let problem = post("/api/calls/start", nobody).send().await.unwrap();
    assert_eq!(problem.status().as_u16(), 404);
    assert_eq!(problem.headers()["content-type"], "application/problem+json");
    assert_eq!(problem.json::<Value>().await.unwrap()["code"], "customer-not-found");
    for (path, status, code) in [
        ("/api/calls/nonsense", 404, "call-not-found"),
        ("/api/calls/0198a5b0-0000-7000-8000-000000000000", 404, "call-not-found"),
        ("/api/calls/active?page=2", 400, "bad-request"),
        ("/api/calls", 404, "not-found"),
        ("/api/calls/start", 405, "method-not-allowed"),
        ("/api/events", 426, "bad-request"),
        ("/api/events?cursor=yesterday", 400, "bad-cursor"),
    ] {
        let problem = get(path).send().await.unwrap();
        assert_eq!(problem.status().as_u16(), status, "{path}");
        assert_eq!(problem.headers()["content-type"], "application/problem+json", "{path}");
        assert_eq!(problem.json::<Value>().await.unwrap()["code"], code, "{path}");
    }
    let nothing_set = json!({ "customerId": customers[0], "agentId": "tanaka" });
    assert_eq!(post("/api/calls/start", nothing_set).send().await.unwrap().status().as_u16(), 404);

    let open = |cursor: String| {
        let mut request =
            format!("{}/api/events{cursor}", world.url.replace("http", "ws")).into_client_request().unwrap();
        let bearer = format!("Bearer {}", secret.1).parse().unwrap();
        request.headers_mut().insert("authorization", bearer);
        async move { connect_async(request).await.unwrap().0 }
    };
    let mut feed = open(String::new()).await;
    let started: Value = post("/api/calls/start", wanted).send().await.unwrap().json().await.unwrap();
    let call = started["callId"].as_str().unwrap();
    let told = next(&mut feed, "call-started").await;
    assert_eq!((&told["call"]["callId"], &told["call"]["status"]), (&started["callId"], &json!("initiated")));
    let said = next(&mut feed, "transcript-update").await;
    assert_eq!(said["callId"], started["callId"]);
    // A reader that was away gets what came after the last message it has seen.
    drop(feed);
    let mut feed = open(format!("?cursor={}", said["cursor"].as_str().unwrap())).await;

    // Keys, pressed by the model, then from outside: the stream is left and comes back with the same conversation.
    until_streams(&mut feed, 2).await;
    loop {
        let pressed = post(&format!("/api/calls/{call}/keys"), json!({ "digits": "12#" })).send().await.unwrap();
        if pressed.status().as_u16() == 202 {
            break;
        }
        assert_eq!(pressed.status().as_u16(), 409, "not talking yet");
        next(&mut feed, "call-updated").await;
    }
    until_streams(&mut feed, 3).await;
    let paused = post(&format!("/api/calls/{call}/recording"), json!({ "paused": true })).send().await.unwrap();
    assert_eq!(paused.status().as_u16(), 409);
    assert_eq!(paused.json::<Value>().await.unwrap()["code"], "not-recorded");
    let shown: Value = get(&format!("/api/calls/{call}")).send().await.unwrap().json().await.unwrap();
    let tools = shown["tools"].as_array().unwrap();
    assert_eq!((tools.len(), &tools[0]["name"], &tools[0]["outcome"]), (1, &json!("press_keys"), &json!("done")));
    let ended = post(&format!("/api/calls/{call}/end"), json!({})).send().await.unwrap();
    assert_eq!(ended.status().as_u16(), 202);
    let over = next(&mut feed, "call-ended").await;
    assert_eq!(over["call"]["status"], "completed");
    let again = post(&format!("/api/calls/{call}/end"), json!({})).send().await.unwrap();
    assert_eq!(again.status().as_u16(), 409);
    let report = world.twilio.report(&started["twilioCallSid"].as_str().unwrap().parse().unwrap()).await.unwrap();
    assert_eq!(report.keys_heard, "7#12#");
    store.close().await;
    std::fs::remove_dir_all(folder).unwrap();
}

/// The cursors and types of all messages until a call has ended.
async fn until_ended(feed: &mut Feed) -> Vec<(String, String)> {
    let mut told = Vec::new();
    loop {
        let message = timeout(PATIENCE, feed.next()).await.unwrap().unwrap().unwrap();
        let Some(message) = message.to_text().ok().and_then(|text| serde_json::from_str::<Value>(text).ok()) else {
            continue;
        };
        let [cursor, kind] = ["cursor", "type"].map(|name| message[name].as_str().unwrap().to_owned());
        told.push((cursor, kind));
        if message["type"] == "call-ended" {
            return told;
        }
    }
}

/// Listens at one of the servers, past what stands before them.
async fn listen_at(world: &World, backend: usize, cursor: &str) -> Feed {
    let url = format!("ws://127.0.0.1:{}/api/events?cursor={cursor}", world.backends[backend]);
    connect_async(url).await.unwrap().0
}

/// It does not matter which server is asked: for what happens, or to tell a call what to do.
#[tokio::test]
async fn every_server_watches_and_leads_every_call() {
    let database = throwaway_postgres::Database::create().unwrap();
    let world = World::new(database.url().to_owned()).await;
    let store = PostgresStore::connect(database.url()).await.unwrap();
    let settings = [("MACHINE", "ignore")];
    let (_first, _second) = (world.serve(0, &settings).await, world.serve(1, &settings).await);
    let waits = CallerScript::new().until_hears(en::AGENT_GREETING).until_cue(&Cue::new());
    let customers = world.customers(&store, [PhoneScript::answers(waits)]).await;
    let begin = store.feed_end().await.unwrap().to_string();
    let mut all = listen_at(&world, 1, &begin).await;
    let mut feed = listen_at(&world, 0, &begin).await;
    let started = world.start(&customers[0]).await;
    let seen = next(&mut feed, "transcript-update").await["cursor"].as_str().unwrap().to_owned();
    drop(feed);
    let mut feed = listen_at(&world, 1, &seen).await;

    // One of them has the call, and the other tells it.
    let call = started["callId"].as_str().unwrap();
    let http = reqwest::Client::new();
    for (backend, path, body) in
        [(0, "say", json!({ "line": "Hello." })), (1, "say", json!({ "line": "Hello." })), (0, "end", json!({}))]
    {
        let url = format!("http://127.0.0.1:{}/api/calls/{call}/{path}", world.backends[backend]);
        let answer = http.post(url).json(&body).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 202, "{path} at {backend}: {}", answer.text().await.unwrap());
    }
    let (all, rest) = (until_ended(&mut all).await, until_ended(&mut feed).await);
    let at = all.iter().position(|(cursor, _)| *cursor == seen).unwrap();
    assert_eq!(all[at + 1..], rest, "what comes after the cursor, and all of it");
    assert_eq!(all[0].1, "call-started");
}

/// Whoever was away misses nothing, however much and however old it is. Whoever is there and too slow is told.
#[tokio::test]
async fn only_a_listener_that_is_there_falls_behind() {
    const MANY: usize = 600;
    let folder = new_folder();
    let path = folder.join("calls.db");
    let world = World::new(format!("sqlite:{}", path.display())).await;
    let store = SqliteStore::open(&path).await.unwrap();
    let _server = world.serve(0, &[("MACHINE", "ignore")]).await;
    let long_ago = Timestamp::now() - SignedDuration::from_hours(1);
    let (id, call) = (SessionId::new(), NewCall::outbound("+81312345678", "+819012345678"));
    store.create(id, long_ago, call, vec![]).await.unwrap();
    let noted = || SessionEvent::KeysPressed { keys: "1".into() }.at(long_ago);
    store.commit(Commit::new(id, Version(1), vec![noted(); MANY])).await.unwrap();

    let mut feed = listen_at(&world, 0, &Position::START.to_string()).await;
    for number in 0..=MANY {
        let told = timeout(PATIENCE, next(&mut feed, if number == 0 { "call-started" } else { "call-updated" }));
        told.await.unwrap();
    }
    // As much again at once, which it would have to have taken an hour ago.
    let version = store.summary(id).await.unwrap().unwrap().version;
    store.commit(Commit::new(id, version, vec![noted(); MANY])).await.unwrap();
    let behind = timeout(PATIENCE, next(&mut feed, "fell-behind")).await.unwrap();
    assert_eq!(behind["cursor"], store.feed_end().await.unwrap().to_string());
    store.close().await;
    std::fs::remove_dir_all(folder).unwrap();
}
