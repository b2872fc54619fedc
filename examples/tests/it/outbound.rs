//! Calling people, over sockets: fifty at once, and servers that die in the middle.

use std::{
    collections::BTreeMap,
    fs::OpenOptions,
    io::Write,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use async_trait::async_trait;
use call_session::{
    call::{CallSession, Outcome, Speaker, Status, ToolOutcome},
    directory::{Customer, Directory, Seed},
    store::{Query, SessionStore, postgres::PostgresStore, sqlite::SqliteStore},
};
use call_simulator::{
    audio::fixtures::en,
    openai::{Answer, OpenAiSimulator, Script, Settings as Manners, Timing},
    twilio::{
        CallEnd, CallReport, CallbackPlan, CallerScript, Event, Number, Operation, PhoneScript, RestFault,
        TwilioSimulator,
    },
};
use examples::{
    outbound,
    phone::{Parts, Phone, api::Api},
    program,
    settings::{Arguments, Settings},
};
use futures_util::StreamExt;
use jiff::Timestamp;
use realtime_bridge::{
    realtime::ToolSpec,
    tool::{RawTool, ToolContext, ToolError, ToolOptions, ToolPolicy},
};
use serde_json::{Value, json};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    sync::watch,
    task::JoinSet,
};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::client::IntoClientRequest};
use twilio_twiml::{phone::E164, sid::CallSid};

use crate::world::{ACCOUNT, TOKEN};

/// A simulated world around servers that are processes of their own, behind one address.
struct World {
    url: String,
    openai: OpenAiSimulator,
    twilio: TwilioSimulator,
    base_url: String,
    database_url: String,
    /// Where the servers listen, behind the address; those that are dead are passed over.
    backends: [u16; 2],
    _tasks: JoinSet<()>,
}

fn talks() -> Script {
    Script::new()
        .greeting(Answer::say(en::AGENT_GREETING))
        .turn(en::CALLER_THANKS, Answer::say(en::AGENT_GOODBYE).and_call("end_call", &json!({})))
}

fn lengthy() -> Script {
    Script::new()
        .greeting(Answer::say(en::AGENT_GREETING))
        .turn(en::CALLER_HOURS, Answer::say(en::AGENT_HOURS))
        .turn(en::CALLER_THANKS, Answer::say(en::AGENT_GOODBYE).and_call("end_call", &json!({})))
}

/// Two ports that are free now.
pub(crate) async fn two_ports() -> [u16; 2] {
    let first = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let second = TcpListener::bind("127.0.0.1:0").await.unwrap();
    [first, second].map(|listener| listener.local_addr().unwrap().port())
}

/// What a load balancer does: each connection goes to the next server that is ready, or waits for one.
pub(crate) async fn balance(listener: TcpListener, backends: [u16; 2], ready: watch::Receiver<[bool; 2]>) {
    let mut connections = JoinSet::new();
    for turn in 0_usize.. {
        let Ok((mut client, _)) = listener.accept().await else { return };
        let mut ready = ready.clone();
        connections.spawn(async move {
            loop {
                let ready_now = ready.wait_for(|ready| ready.contains(&true)).await.map(|ready| *ready).unwrap();
                let chosen = (0..2).map(|offset| (turn + offset) % 2).find(|index| ready_now[*index]).unwrap();
                match TcpStream::connect(("127.0.0.1", backends[chosen])).await {
                    // Whoever tries a port often enough that nobody listens on meets itself there.
                    Ok(mut server) if server.local_addr().unwrap() != server.peer_addr().unwrap() => {
                        return drop(copy_bidirectional(&mut client, &mut server).await);
                    }
                    // It has just died: its next check says so.
                    _ => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

/// Looks after the servers as a load balancer does.
pub(crate) async fn check_health(backends: [u16; 2], ready: watch::Sender<[bool; 2]>) {
    let http = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
    loop {
        for (index, port) in backends.into_iter().enumerate() {
            let answer = http.get(format!("http://127.0.0.1:{port}/readyz")).send().await;
            let is_ready = answer.is_ok_and(|answer| answer.status().is_success());
            ready.send_if_modified(|ready| std::mem::replace(&mut ready[index], is_ready) != is_ready);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

impl World {
    async fn new(database_url: String) -> Self {
        Self::talking(database_url, talks()).await
    }

    async fn talking(database_url: String, script: Script) -> Self {
        let manners = Manners::default().with_timing(Timing::brisk());
        let openai = OpenAiSimulator::builder().script(script).settings(manners).start().await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let voice_url = format!("{url}/api/twilio/voice").parse().unwrap();
        let number = Number::new("+81300000001".parse().unwrap(), voice_url);
        let account = ACCOUNT.parse().unwrap();
        let twilio = TwilioSimulator::builder().account_sid(account).auth_token(TOKEN).number(number).start().unwrap();
        let mut rest = twilio.serve_rest().await.unwrap();
        let (base_url, backends) = (rest.base_url(), two_ports().await);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let _ = rest.run().await;
        });
        let (sender, ready) = watch::channel([false; 2]);
        tasks.spawn(check_health(backends, sender));
        tasks.spawn(balance(listener, backends, ready));
        Self { url, openai, twilio, base_url, database_url, backends, _tasks: tasks }
    }

    /// Starts a server as a process, and waits until it takes calls.
    async fn serve(&self, backend: usize, environment: &[(&str, &str)]) -> Child {
        self.run(backend, Command::new(env!("CARGO_BIN_EXE_outbound")), environment).await
    }

    /// The same for a server whose model can book, which is written down in this folder.
    async fn serve_with_bookings(&self, backend: usize, folder: &Path) -> Child {
        let mut program = Command::new(std::env::current_exe().unwrap());
        program.args(["--exact", "outbound::a_server_with_bookings", "--ignored", "--nocapture"]);
        self.run(backend, program, &[("MACHINE", "ignore"), (FOLDER, folder.to_str().unwrap())]).await
    }

    async fn run(&self, backend: usize, mut program: Command, environment: &[(&str, &str)]) -> Child {
        let bind = format!("127.0.0.1:{}", self.backends[backend]);
        let child = program
            .env_clear()
            .env("OPENAI_API_KEY", "simulated")
            .env("OPENAI_BASE_URL", self.openai.base_url())
            .env("TWILIO_ACCOUNT_SID", ACCOUNT)
            .env("TWILIO_AUTH_TOKEN", TOKEN)
            .env("TWILIO_API_BASE_URL", &self.base_url)
            .env("PUBLIC_URL", &self.url)
            .env("DATABASE_URL", &self.database_url)
            .env("BIND", &bind)
            .env("RING_LIMIT", "3")
            .env("TWILIO_CALLS_PER_SECOND", "50")
            .envs(environment.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        while !reqwest::get(format!("http://{bind}/readyz")).await.is_ok_and(|answer| answer.status().is_success()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        child
    }

    /// Customers with telephones that do this.
    async fn customers(&self, directory: &dyn Directory, phones: impl IntoIterator<Item = PhoneScript>) -> Vec<String> {
        Seed::sample().plant(directory).await.unwrap();
        let mut names = Vec::new();
        for (index, phone) in phones.into_iter().enumerate() {
            let number: E164 = format!("+8190000010{index:02}").parse().unwrap();
            self.twilio.phone(number.clone(), phone);
            let name = format!("customer-{index}");
            let customer = Customer::new(name.parse().unwrap(), number, Timestamp::now());
            directory.put_customer(customer).await.unwrap();
            names.push(name);
        }
        names
    }

    async fn start(&self, customer: &str) -> Value {
        let wanted = json!({ "customerId": customer, "agentId": "sato" });
        let answer = reqwest::Client::new().post(format!("{}/api/calls/start", self.url)).json(&wanted).send();
        let answer = answer.await.unwrap();
        assert_eq!(answer.status().as_u16(), 201);
        answer.json().await.unwrap()
    }
}

fn new_folder() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("calls-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir(&folder).unwrap();
    folder
}

/// Waits until no call is active, and gives each call's status and outcome.
async fn all_over(store: &dyn SessionStore, calls: usize) -> Vec<(Status, Option<Outcome>)> {
    loop {
        let position = store.feed_end().await.unwrap();
        let page = store.query(&Query::default().with_limit(1000)).await.unwrap();
        if page.calls.len() == calls && page.calls.iter().all(|call| call.status.is_terminal()) {
            return page.calls.iter().map(|call| (call.status, call.outcome)).collect();
        }
        store.feed_moved(position).await;
    }
}

#[tokio::test]
async fn fifty_calls_in_one_second_end_in_fifty_right_sessions() {
    let folder = new_folder();
    let path = folder.join("calls.db");
    let world = World::new(format!("sqlite:{}", path.display())).await;
    let talk = CallerScript::new().until_hears(en::AGENT_GREETING).say(en::CALLER_THANKS);
    let fates = [PhoneScript::answers(talk), PhoneScript::busy(), PhoneScript::no_answer(), PhoneScript::fails(404)];
    let store = SqliteStore::open(&path).await.unwrap();
    let customers = world.customers(&store, fates.into_iter().cycle().take(50)).await;
    // Some callbacks come twice, some in another order; some answers to creates are lost.
    world.twilio.plan_callbacks(CallbackPlan::seeded(7, Duration::from_millis(400), 30, 0));
    world.twilio.plan_rest(Operation::CreateCall, RestFault::AnswerLost);
    let _server = world.serve(0, &[("MACHINE", "ignore")]).await;

    let starts = customers.iter().map(|customer| world.start(customer));
    let started = futures_util::future::join_all(starts).await;
    assert!(started.iter().all(|answer| answer["twilioCallSid"].is_string()), "each call has its name: {started:?}");
    let mut count = BTreeMap::new();
    for (status, outcome) in all_over(&store, 50).await {
        *count.entry((status.name(), outcome.map(Outcome::name))).or_insert(0) += 1;
    }
    let expected = BTreeMap::from([
        (("completed", Some("conversation")), 13),
        (("busy", Some("busy")), 13),
        (("no-answer", Some("no-answer")), 12),
        (("failed", Some("unreachable")), 12),
    ]);
    assert_eq!(count, expected);
    let mut names: Vec<_> = started.iter().map(|answer| answer["twilioCallSid"].as_str().unwrap()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!((names.len(), world.twilio.calls().len()), (50, 50), "nobody was called twice");
    store.close().await;
    std::fs::remove_dir_all(folder).unwrap();
}

/// Where bookings are written down, and where it is said that they may come to their end.
const FOLDER: &str = "BOOKINGS";

/// A tool with an effect that can be counted from outside: a line in a file. It takes as long as the test wants.
struct Book(PathBuf);

#[async_trait]
impl RawTool for Book {
    fn spec(&self) -> ToolSpec {
        ToolSpec::new(
            "book",
            "Books a day.",
            json!({ "type": "object", "properties": { "day": { "type": "string" } } }),
        )
    }

    fn options(&self) -> ToolOptions {
        ToolOptions::default().with_policy(ToolPolicy::Never).with_limit(Duration::from_secs(60))
    }

    async fn call_raw(&self, context: &ToolContext, _: &str) -> Result<String, ToolError> {
        let mut file = OpenOptions::new().append(true).create(true).open(self.0.join("done")).unwrap();
        file.write_all(format!("{}\n", context.key).as_bytes()).unwrap();
        while !self.0.join("go-on").exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok("booked".into())
    }
}

/// The keys of all bookings.
fn bookings(folder: &Path) -> Vec<String> {
    std::fs::read_to_string(folder.join("done")).unwrap_or_default().lines().map(str::to_owned).collect()
}

#[tokio::test]
#[ignore = "a server, which a test starts as a process"]
async fn a_server_with_bookings() {
    #[derive(clap::Parser)]
    struct FromEnvironment {
        #[command(flatten)]
        arguments: Arguments,
    }
    let FromEnvironment { arguments } = clap::Parser::parse_from(["server"]);
    program::log(false);
    let settings = Settings::check(&arguments).unwrap();
    let tools = outbound::tools().with(Book(std::env::var_os(FOLDER).unwrap().into()));
    let phone = Phone::new(settings.clone(), Parts::new(settings.database.open().await.unwrap(), tools)).unwrap();
    let router = phone.router().merge(Api::new(phone.clone()).router());
    program::serve(&settings, phone, router).await.unwrap();
}

/// Books when the caller first says something; also in a session that goes on with a call.
fn books() -> Script {
    Script::new()
        .greeting(Answer::say(en::AGENT_GREETING))
        .turn(en::CALLER_HOURS, Answer::call("book", &json!({ "day": "monday" })).then(Answer::say(en::AGENT_HOURS)))
        .turn(en::CALLER_THANKS, Answer::say(en::AGENT_GOODBYE).and_call("end_call", &json!({})))
}

/// From the moment Twilio asked what comes next until the caller heard the agent again; `None` if it never asked.
fn silence(report: &CallReport) -> Option<Duration> {
    let asked = report
        .timeline
        .moments()
        .iter()
        .find(|moment| matches!(&moment.event, Event::WebhookSent { url, .. } if url.contains("/after-stream/")))?;
    let again = report.agent_speech.iter().find(|speech| speech.start > asked.at);
    again.map(|speech| speech.start - asked.at)
}

/// Twenty people who listen to the greeting, wait, and say goodbye.
async fn call_twenty(world: &World, store: &dyn SessionStore, directory: &dyn Directory) -> Vec<CallSid> {
    // The wait is shorter than the silence after which the agent asks whether anybody is there.
    let talk = CallerScript::new().until_hears(en::AGENT_GREETING).pause(Duration::from_secs(9)).say(en::CALLER_THANKS);
    let calls = call_all(world, directory, talk).await;
    wait_for_greetings(store, 20).await;
    calls
}

/// Twenty people who do this.
async fn call_all(world: &World, directory: &dyn Directory, talk: CallerScript) -> Vec<CallSid> {
    let customers = world.customers(directory, std::iter::repeat_n(PhoneScript::answers(talk), 20)).await;
    let started = futures_util::future::join_all(customers.iter().map(|customer| world.start(customer))).await;
    started.iter().map(|answer| answer["twilioCallSid"].as_str().unwrap().parse().unwrap()).collect()
}

/// Waits until so many callers have heard the greeting.
async fn wait_for_greetings(store: &dyn SessionStore, calls: usize) {
    wait_for(store, calls, |call| call.transcript.iter().any(|line| line.complete && line.speaker == Speaker::Agent))
        .await;
}

/// Waits until it is so with as many active calls.
async fn wait_for(store: &dyn SessionStore, calls: usize, so: impl Fn(&CallSession) -> bool) {
    loop {
        let position = store.feed_end().await.unwrap();
        let mut count = 0;
        for call in store.query(&Query::active().with_limit(100)).await.unwrap().calls {
            count += usize::from(so(&store.load(call.id).await.unwrap().unwrap()));
        }
        if count == calls {
            return;
        }
        store.feed_moved(position).await;
    }
}

/// How long those were in silence whose server went away; and that all came to a good end, with all that was said.
async fn check_all_went_on(world: &World, store: &dyn SessionStore, calls: &[CallSid]) -> Vec<Duration> {
    let mut silences = Vec::new();
    for sid in calls {
        let report = world.twilio.report(sid).await.unwrap();
        silences.extend(silence(&report).filter(|_| report.streams.len() > 1));
    }
    assert!(!silences.is_empty(), "some calls were on the server that went away");
    let fates = all_over(store, calls.len()).await;
    assert!(fates.iter().all(|fate| *fate == (Status::Completed, Some(Outcome::Conversation))), "{fates:?}");
    for call in store.query(&Query::default().with_limit(100)).await.unwrap().calls {
        let session = store.load(call.id).await.unwrap().unwrap();
        let agents = session.transcript.iter().filter(|line| line.speaker == Speaker::Agent).count();
        let streams = call.attachments.len();
        assert_eq!(session.transcript[0].heard, en::AGENT_GREETING.transcript, "what was heard is kept");
        assert!(agents >= streams, "on each of {streams} streams the agent spoke: {:?}", session.transcript);
        let heard: Vec<_> = session.transcript.iter().map(|line| line.heard.as_str()).collect();
        let end = [en::CALLER_THANKS, en::AGENT_GOODBYE].map(|speech| speech.transcript);
        assert!(heard.ends_with(&end), "what was said later is there, too: {heard:?} {:?}", call.attachments);
    }
    silences
}

/// All are in the middle of a booking when one of the servers dies, and that is not booked again.
#[tokio::test]
async fn callers_go_on_talking_when_their_server_is_killed() {
    let folder = new_folder();
    let database = throwaway_postgres::Database::create().unwrap();
    let world = World::talking(database.url().to_owned(), books()).await;
    let store = PostgresStore::connect(database.url()).await.unwrap();
    let mut first = world.serve_with_bookings(0, &folder).await;
    let _second = world.serve_with_bookings(1, &folder).await;
    // Whoever is cut off is asked to say the last again.
    let talk = CallerScript::new()
        .until_agent_finishes()
        .say(en::CALLER_HOURS)
        .until_agent_finishes()
        .pause(Duration::from_secs(4))
        .say(en::CALLER_THANKS)
        .until_agent_finishes()
        .say(en::CALLER_THANKS);
    let calls = call_all(&world, &store, talk).await;
    wait_for(&store, 20, |call| !call.tools.is_empty()).await;
    // They are written down before they begin.
    let begun = loop {
        let mut begun = bookings(&folder);
        begun.sort_unstable();
        begun.dedup();
        if begun.len() == 20 {
            break begun;
        }
        tokio::task::yield_now().await;
    };
    first.kill().await.unwrap();
    std::fs::write(folder.join("go-on"), "").unwrap();
    let silences = check_all_went_on(&world, &store, &calls).await;
    assert!(silences.iter().all(|silence| *silence < Duration::from_secs(3)), "{silences:?}");

    let mut booked = bookings(&folder);
    booked.sort_unstable();
    assert_eq!(booked, begun, "nothing was booked twice");
    let (mut unknown, mut done) = (0, 0);
    for call in store.query(&Query::default().with_limit(100)).await.unwrap().calls {
        let session = store.load(call.id).await.unwrap().unwrap();
        let runs: Vec<_> = session.tools.iter().filter(|run| begun.contains(&run.key)).collect();
        assert_eq!(runs.len(), 1, "each effect is in the journal of its call");
        unknown += usize::from(runs[0].outcome.is_none());
        done += usize::from(runs[0].outcome == Some(ToolOutcome::Done));
    }
    assert_eq!((unknown, done), (silences.len(), 20 - silences.len()), "of those that were cut off nobody knows more");
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn callers_go_on_talking_when_their_server_is_deployed_anew() {
    let database = throwaway_postgres::Database::create().unwrap();
    let world = World::new(database.url().to_owned()).await;
    let store = PostgresStore::connect(database.url()).await.unwrap();
    // The balancer of this world looks fifty times a second.
    let settings = [("MACHINE", "ignore"), ("DRAIN_NOTICE", "0.3")];
    let mut first = world.serve(0, &settings).await;
    let _second = world.serve(1, &settings).await;
    let calls = call_twenty(&world, &store, &store).await;
    let pid = first.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
    assert!(first.wait().await.unwrap().success(), "it stops by itself");
    let active = store.query(&Query::active().with_limit(100)).await.unwrap().calls.len();
    assert_eq!(active, 20, "it does not wait for calls that others can have");
    let silences = check_all_went_on(&world, &store, &calls).await;
    assert!(silences.iter().all(|silence| *silence < Duration::from_secs(1)), "{silences:?}");
}

#[tokio::test]
async fn callers_go_on_talking_when_the_only_server_is_killed_and_started_again() {
    let folder = new_folder();
    let path = folder.join("calls.db");
    let world = World::new(format!("sqlite:{}", path.display())).await;
    let store = SqliteStore::open(&path).await.unwrap();
    let mut server = world.serve(0, &[("MACHINE", "ignore")]).await;
    let calls = call_twenty(&world, &store, &store).await;
    server.kill().await.unwrap();
    let _server = world.serve(0, &[("MACHINE", "ignore")]).await;
    let silences = check_all_went_on(&world, &store, &calls).await;
    assert_eq!(silences.len(), 20);
    store.close().await;
    std::fs::remove_dir_all(folder).unwrap();
}

/// The store is away for twenty seconds in the middle of every call.
#[tokio::test]
async fn callers_do_not_notice_that_postgres_is_away() {
    let mut database = throwaway_postgres::Database::alone().unwrap();
    let world = World::talking(database.url().to_owned(), lengthy()).await;
    let store = PostgresStore::connect(database.url()).await.unwrap();
    let talk = CallerScript::new()
        .until_hears(en::AGENT_GREETING)
        .pause(Duration::from_secs(9))
        .say(en::CALLER_HOURS)
        .until_hears(en::AGENT_HOURS)
        .pause(Duration::from_secs(9))
        .say(en::CALLER_THANKS);
    let _server = world.serve(0, &[("MACHINE", "ignore")]).await;
    let customers = world.customers(&store, std::iter::repeat_n(PhoneScript::answers(talk), 10)).await;
    let started = futures_util::future::join_all(customers.iter().map(|customer| world.start(customer))).await;
    wait_for_greetings(&store, 10).await;

    let server = database.server().unwrap();
    server.stop().unwrap();
    tokio::time::sleep(Duration::from_secs(20)).await;
    server.start_again().unwrap();

    for answer in &started {
        let sid = answer["twilioCallSid"].as_str().unwrap().parse().unwrap();
        let report = world.twilio.report(&sid).await.unwrap();
        assert_eq!((report.streams.len(), &report.end), (1, &CallEnd::HungUp), "{}", report.timeline);
    }
    let fates = all_over(&store, 10).await;
    assert!(fates.iter().all(|fate| *fate == (Status::Completed, Some(Outcome::Conversation))), "{fates:?}");
    for call in store.query(&Query::default()).await.unwrap().calls {
        let session = store.load(call.id).await.unwrap().unwrap();
        let heard: Vec<_> = session.transcript.iter().map(|line| line.heard.as_str()).collect();
        let spoken = [en::AGENT_GREETING, en::CALLER_HOURS, en::AGENT_HOURS, en::CALLER_THANKS, en::AGENT_GOODBYE];
        assert_eq!(heard, spoken.map(|speech| speech.transcript), "nothing is lost");
    }
}

/// The next message of the feed of this type.
async fn next(feed: &mut WebSocketStream<MaybeTlsStream<TcpStream>>, kind: &str) -> Value {
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
async fn until_streams(feed: &mut WebSocketStream<MaybeTlsStream<TcpStream>>, streams: u64) {
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
