//! Calls over SIP whose server dies or stops, and several servers on one store.

use std::{process::Stdio, sync::Arc, time::Duration};

use call_session::{
    call::{CallSession, SessionEvent, Status, ToolOutcome},
    id::NodeId,
    live::Live,
    store::{Query, SessionStore, postgres::PostgresStore, sqlite::SqliteStore, update},
};
use call_simulator::{
    audio::fixtures::ja,
    openai::{
        Answer, OpenAiSimulator, Script,
        sip::{Ring, SipEnd, SipHandle, Step, WebhookTarget},
    },
    twilio::CallerScript,
};
use examples::sip::{
    SipServer,
    attendance::{Attendance, Guest},
    settings::{SipArguments, SipSettings},
};
use jiff::Timestamp;
use serde_json::json;
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    time::{sleep, timeout},
};

use super::sip::{Folder, SECRET, World, arguments, model, reason};

/// Who calls, as the simulator has it.
const CALLER: &str = "+818012345678";

/// What the agent is told that comes back to a call that was cut off.
const CUT_OFF: &str = "短くお詫び";

/// What it is told where the call was left on purpose.
const LEFT: &str = "短い中断";

/// A model that greets, has a word when it comes back like this, and changes an attendance.
fn script(back: &str) -> Script {
    let change = json!({"name": "田中花子", "attending": false});
    Script::new()
        .when_asked(back, Answer::say(ja::AGENT_ONE_MOMENT))
        .when_asked("受付でございます", Answer::say(ja::AGENT_GREETING))
        .turn(ja::CALLER_SLOT, Answer::call("update_attendance", &change).then(Answer::say(ja::AGENT_SLOT)))
}

/// Somebody who says what they want once the agent is back.
fn caller() -> CallerScript {
    CallerScript::new()
        .until_hears(ja::AGENT_GREETING)
        .until_hears(ja::AGENT_ONE_MOMENT)
        .say(ja::CALLER_SLOT)
        .until_hears(ja::AGENT_SLOT)
        .hang_up()
}

async fn invite(folder: &Folder) -> Attendance {
    let table = Attendance::open(&folder.0.join("attendance.db")).await.unwrap();
    let guest = Guest { phone: CALLER.into(), name: "田中 花子".into(), attendance: "invited".into(), slot: None };
    table.put_guest(&guest).await.unwrap();
    table
}

/// A server that can be killed, and where its webhooks go.
async fn process(openai: &OpenAiSimulator, folder: &Folder, database: Option<&str>) -> (Child, WebhookTarget) {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let child = Command::new(env!("CARGO_BIN_EXE_sip"))
        .env_clear()
        .env("OPENAI_API_KEY", "simulated")
        .env("OPENAI_BASE_URL", openai.base_url())
        .env("OPENAI_WEBHOOK_SECRET", SECRET)
        .env("DATA_DIR", &folder.0)
        .env("DATABASE_URL", database.unwrap_or_default())
        .env("BIND", address.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    while !reqwest::get(format!("http://{address}/readyz")).await.is_ok_and(|answer| answer.status().is_success()) {
        sleep(Duration::from_millis(20)).await;
    }
    (child, WebhookTarget::new(format!("http://{address}/openai-webhook").parse().unwrap(), SECRET).unwrap())
}

/// The only call, once it is like this.
async fn until(store: &dyn SessionStore, wanted: impl Fn(&CallSession) -> bool) -> CallSession {
    let waiting = async {
        loop {
            let position = store.feed_end().await.unwrap();
            if let [summary] = &store.query(&Query::default()).await.unwrap().calls[..] {
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

fn greeted(call: &CallSession) -> bool {
    call.transcript.iter().any(|line| line.complete)
}

async fn ended(handle: &SipHandle) -> SipEnd {
    timeout(Duration::from_secs(90), handle.ended()).await.expect("the call ends").end
}

/// What is kept of a call that two servers have led.
async fn check_led_on(call: &CallSession, table: &Attendance) {
    let words: Vec<_> = call.transcript.iter().map(|line| line.heard.as_str()).collect();
    let said = [ja::AGENT_GREETING, ja::AGENT_ONE_MOMENT, ja::CALLER_SLOT, ja::AGENT_SLOT];
    assert_eq!(words, said.map(|speech| speech.transcript));
    let nodes: Vec<_> = call.summary.attachments.iter().filter_map(|attachment| attachment.node.as_ref()).collect();
    assert!(nodes.len() == 2 && nodes[0] != nodes[1], "{nodes:?}");
    assert_eq!(call.tools.iter().map(|run| run.outcome).collect::<Vec<_>>(), [Some(ToolOutcome::Done)]);
    assert_eq!(table.changes(CALLER).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_server_that_is_started_again_leads_its_calls_on() {
    let (openai, folder) = (Arc::new(model(script(CUT_OFF)).start().await.unwrap()), Arc::new(Folder::new()));
    let (mut child, target) = process(&openai, &folder, None).await;
    let handle = openai.ring(Ring::new(target, caller()).from(CALLER));
    let store = SqliteStore::open(folder.0.join("calls.db")).await.unwrap();
    until(&store, greeted).await;
    child.kill().await.unwrap();
    drop(store);

    let table = invite(&folder).await;
    let server = SipServer::open(SipSettings::check(&arguments(&openai, &folder)).unwrap()).await.unwrap();
    let mut world = World::around(openai, Arc::clone(&folder), server).await;
    assert_eq!(ended(&handle).await, SipEnd::CallerHungUp);
    let calls = world.calls().await;
    assert_eq!(reason(&calls[0]), (Status::Completed, "caller-hung-up"));
    check_led_on(&calls[0], &table).await;
}

#[tokio::test]
async fn a_call_that_ended_while_nobody_led_it_ends_with_a_reason() {
    let (openai, folder) = (Arc::new(model(script(CUT_OFF)).start().await.unwrap()), Arc::new(Folder::new()));
    let (mut child, target) = process(&openai, &folder, None).await;
    let handle = openai.ring(Ring::new(target, CallerScript::new()));
    let store = SqliteStore::open(folder.0.join("calls.db")).await.unwrap();
    until(&store, greeted).await;
    child.kill().await.unwrap();
    drop(store);
    handle.hang_up();

    let server = SipServer::open(SipSettings::check(&arguments(&openai, &folder)).unwrap()).await.unwrap();
    let mut world = World::around(openai, folder, server).await;
    until(&**world.server.store(), |call| call.summary.status.is_terminal()).await;
    assert_eq!(reason(&world.calls().await[0]), (Status::Failed, "lost"));
}

#[tokio::test]
async fn a_call_that_was_to_end_while_nobody_led_it_is_hung_up() {
    let (openai, folder) = (Arc::new(model(script(CUT_OFF)).start().await.unwrap()), Arc::new(Folder::new()));
    let (mut child, target) = process(&openai, &folder, None).await;
    let handle = openai.ring(Ring::new(target, CallerScript::new()));
    let store = SqliteStore::open(folder.0.join("calls.db")).await.unwrap();
    let call = until(&store, greeted).await.summary.id;
    child.kill().await.unwrap();
    // An operator asks for it, and the server that had the call cannot be told.
    let asked = SessionEvent::EndRequested { by: "operator".into() };
    update(&store, call, |_| vec![asked.clone().at(Timestamp::now())]).await.unwrap();
    drop(store);

    let server = SipServer::open(SipSettings::check(&arguments(&openai, &folder)).unwrap()).await.unwrap();
    let mut world = World::around(openai, folder, server).await;
    assert_eq!(ended(&handle).await, SipEnd::HungUp);
    let calls = world.calls().await;
    assert_eq!(reason(&calls[0]), (Status::Completed, "hung-up"));
    assert_eq!(calls[0].transcript.len(), 1, "the agent does not come back for it");
}

/// A server on a database that others share.
async fn server(openai: &Arc<OpenAiSimulator>, url: &str, folder: Arc<Folder>, drain: Duration) -> World {
    let mut shared: SipArguments = arguments(openai, &folder);
    shared.database_url = Some(url.into());
    let mut settings = SipSettings::check(&shared).unwrap();
    settings.drain = drain;
    World::around(Arc::clone(openai), folder, SipServer::open(settings).await.unwrap()).await
}

#[tokio::test]
async fn another_server_on_the_store_leads_the_calls_of_a_dead_one_on() {
    let database = throwaway_postgres::Database::create().unwrap();
    let store = PostgresStore::connect(database.url()).await.unwrap();
    let (openai, folder) = (Arc::new(model(script(CUT_OFF)).start().await.unwrap()), Arc::new(Folder::new()));
    let table = invite(&folder).await;
    let (mut child, target) = process(&openai, &Folder::new(), Some(database.url())).await;
    let mut other = server(&openai, database.url(), folder, Duration::from_secs(60)).await;
    let handle = openai.ring(Ring::new(target, caller()).from(CALLER));
    until(&store, greeted).await;
    child.kill().await.unwrap();
    assert_eq!(ended(&handle).await, SipEnd::CallerHungUp);
    let calls = other.calls().await;
    assert_eq!(reason(&calls[0]), (Status::Completed, "caller-hung-up"));
    check_led_on(&calls[0], &table).await;
}

#[tokio::test]
async fn a_server_that_stops_leaves_its_calls_to_another() {
    let database = throwaway_postgres::Database::create().unwrap();
    let store = PostgresStore::connect(database.url()).await.unwrap();
    let (openai, folder) = (Arc::new(model(script(LEFT)).start().await.unwrap()), Arc::new(Folder::new()));
    let table = invite(&folder).await;
    let mut first = server(&openai, database.url(), Arc::new(Folder::new()), Duration::from_millis(100)).await;
    let mut other = server(&openai, database.url(), folder, Duration::from_secs(60)).await;
    let handle = openai.ring(Ring::new(first.target(), caller()).from(CALLER));
    until(&store, greeted).await;
    first.stop().await;
    assert_eq!(ended(&handle).await, SipEnd::CallerHungUp);
    let calls = other.calls().await;
    assert_eq!(reason(&calls[0]), (Status::Completed, "caller-hung-up"));
    check_led_on(&calls[0], &table).await;
}

#[tokio::test]
async fn a_server_that_is_dropped_leaves_nothing_behind() {
    let openai = Arc::new(model(script(CUT_OFF)).start().await.unwrap());
    let database = examples::database::Database::Memory.open().await.unwrap();
    let folder = Arc::new(Folder::new());
    let table = Attendance::open(&folder.0.join("attendance.db")).await.unwrap();
    let settings = SipSettings::check(&arguments(&openai, &folder)).unwrap();
    let server = SipServer::new(settings, database.clone(), table).unwrap();
    let mut world = World::around(openai, folder, server).await;
    let witness = Live::new(Arc::clone(&database.board), NodeId::unique());
    let alive = async |wanted: bool| {
        while witness.nodes().await.unwrap().iter().any(|(_, alive)| *alive) != wanted {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(60), alive(true)).await.expect("it serves");
    world.cut_off().await;
    timeout(Duration::from_secs(60), alive(false)).await.expect("nobody says any more that it lives");
}

#[tokio::test]
async fn a_call_that_two_servers_are_told_of_is_taken_once() {
    let database = throwaway_postgres::Database::create().unwrap();
    let openai = Arc::new(model(script(CUT_OFF)).start().await.unwrap());
    let mut servers = Vec::new();
    for _ in 0..2 {
        servers.push(server(&openai, database.url(), Arc::new(Folder::new()), Duration::from_secs(60)).await);
    }
    let leaves = CallerScript::new().until_agent_finishes().hang_up();
    let handle = openai.ring(Ring::new(servers[0].target(), leaves));
    let call = handle.call_id().to_owned();
    // The same delivery, and another one about the same call.
    for id in [format!("wh_{call}"), "wh_other".to_owned()] {
        let told = servers[1].post(|delivery| {
            delivery.body = delivery.body.replace("rtc_nobody", &call);
            delivery.id = id;
        });
        assert_eq!(told.await, 200);
    }
    assert_eq!(ended(&handle).await, SipEnd::CallerHungUp);
    let seen = handle.ended().await;
    assert_eq!(seen.requests("accept").collect::<Vec<_>>(), [200], "by one of them");
    let opened = seen.moments.iter().filter(|moment| moment.step == Step::SocketOpened).count();
    assert_eq!(opened, 1);
    servers[0].stop().await;
    let calls = servers[1].calls().await;
    assert_eq!(calls.len(), 1);
    assert_eq!(reason(&calls[0]), (Status::Completed, "caller-hung-up"));
}

#[tokio::test]
async fn any_server_does_what_an_operator_asks() {
    let script = Script::new()
        .when_asked("少々お待ちください", Answer::say(ja::AGENT_ONE_MOMENT))
        .when_asked("おつなぎいたします", Answer::say(ja::AGENT_HANDS_OVER))
        .when_asked("受付でございます", Answer::say(ja::AGENT_GREETING));
    let openai = Arc::new(model(script).start().await.unwrap());
    let database = examples::database::Database::Memory.open().await.unwrap();
    let mut servers = Vec::new();
    for _ in 0..2 {
        let folder = Arc::new(Folder::new());
        let mut given = arguments(&openai, &folder);
        given.handoff_people = Some("sato=+81311110000".into());
        let table = Attendance::open(&folder.0.join("attendance.db")).await.unwrap();
        let server = SipServer::new(SipSettings::check(&given).unwrap(), database.clone(), table).unwrap();
        servers.push(World::around(Arc::clone(&openai), folder, server).await);
    }
    let handle = openai.ring(Ring::new(servers[0].target(), CallerScript::new()));
    let call = until(&*database.store, greeted).await.summary.id;
    let url = servers[1].url.replace("/openai-webhook", &format!("/api/calls/{call}"));
    let post = |door: &str, body: serde_json::Value| {
        let request = reqwest::Client::new().post(format!("{url}/{door}")).json(&body).send();
        async move {
            let answer = request.await.unwrap();
            (answer.status().as_u16(), answer.json::<serde_json::Value>().await.unwrap_or_default())
        }
    };
    assert_eq!(post("say", json!({"line": "少々お待ちください。"})).await.0, 202);
    until(&*database.store, |call| call.transcript.iter().any(|line| line.heard == ja::AGENT_ONE_MOMENT.transcript))
        .await;
    let (status, problem) = post("handoff", json!({"agentId": "nobody"})).await;
    assert_eq!((status, &problem["detail"]), (409, &json!("agent-not-found")));
    let (status, begun) = post("handoff", json!({"agentId": "sato", "reason": "asks for a person"})).await;
    assert_eq!((status, &begun["status"]), (202, &json!("transferring")));
    assert_eq!(ended(&handle).await, SipEnd::Transferred("tel:+81311110000".into()));
    let over = until(&*database.store, |call| call.summary.status.is_terminal()).await;
    assert_eq!(reason(&over), (Status::Completed, "referred"));
    for server in &mut servers {
        server.stop().await;
    }
}
