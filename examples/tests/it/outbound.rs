//! Calling people, over sockets: fifty at once, and servers that die in the middle.

use std::{collections::BTreeMap, process::Stdio, time::Duration};

use call_session::{
    call::{Outcome, Speaker, Status},
    directory::{Customer, Directory, Seed},
    store::{Query, SessionStore, postgres::PostgresStore, sqlite::SqliteStore},
};
use call_simulator::{
    audio::fixtures::en,
    openai::{Answer, OpenAiSimulator, Script, Settings as Manners, Timing},
    twilio::{
        CallReport, CallbackPlan, CallerScript, Event, Number, Operation, PhoneScript, RestFault, TwilioSimulator,
    },
};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    task::JoinSet,
};
use twilio_twiml::phone::E164;

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

/// Two ports that are free now.
async fn two_ports() -> [u16; 2] {
    let first = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let second = TcpListener::bind("127.0.0.1:0").await.unwrap();
    [first, second].map(|listener| listener.local_addr().unwrap().port())
}

/// What a load balancer does: each connection goes to the next server that takes it.
async fn balance(listener: TcpListener, backends: [u16; 2]) {
    let mut connections = JoinSet::new();
    for turn in 0_usize.. {
        let Ok((mut client, _)) = listener.accept().await else { return };
        connections.spawn(async move {
            for offset in 0..backends.len() {
                let port = backends[(turn + offset) % backends.len()];
                if let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await {
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                    return;
                }
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

impl World {
    async fn new(database_url: String) -> Self {
        let manners = Manners::default().with_timing(Timing::brisk());
        let openai = OpenAiSimulator::builder().script(talks()).settings(manners).start().await.unwrap();
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
        tasks.spawn(balance(listener, backends));
        Self { url, openai, twilio, base_url, database_url, backends, _tasks: tasks }
    }

    /// Starts a server as a process, and waits until it takes calls.
    async fn serve(&self, backend: usize, environment: &[(&str, &str)]) -> Child {
        let bind = format!("127.0.0.1:{}", self.backends[backend]);
        let child = Command::new(env!("CARGO_BIN_EXE_outbound"))
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
    let folder = std::env::temp_dir().join(format!("calls-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir(&folder).unwrap();
    let path = folder.join("calls.db");
    let world = World::new(format!("sqlite:{}", path.display())).await;
    let talk = CallerScript::new().until_agent_finishes().say(en::CALLER_THANKS);
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

#[tokio::test]
async fn callers_go_on_talking_when_their_server_is_killed() {
    let database = throwaway_postgres::Database::create().unwrap();
    let world = World::new(database.url().to_owned()).await;
    let store = PostgresStore::connect(database.url()).await.unwrap();
    // Shorter than the silence after which the agent asks whether anybody is there.
    let talk = CallerScript::new().until_agent_finishes().pause(Duration::from_secs(9)).say(en::CALLER_THANKS);
    let phones = std::iter::repeat_n(PhoneScript::answers(talk), 20);
    let customers = world.customers(&store, phones).await;
    let mut first = world.serve(0, &[("MACHINE", "ignore")]).await;
    let _second = world.serve(1, &[("MACHINE", "ignore")]).await;
    let started = futures_util::future::join_all(customers.iter().map(|customer| world.start(customer))).await;

    // Everybody has heard the greeting; then one of the servers dies.
    loop {
        let position = store.feed_end().await.unwrap();
        let mut greeted = 0;
        for call in store.query(&Query::active().with_limit(100)).await.unwrap().calls {
            let session = store.load(call.id).await.unwrap().unwrap();
            greeted +=
                usize::from(session.transcript.iter().any(|line| line.complete && line.speaker == Speaker::Agent));
        }
        if greeted == 20 {
            break;
        }
        store.feed_moved(position).await;
    }
    first.kill().await.unwrap();

    let mut silences = Vec::new();
    for answer in &started {
        let sid = answer["twilioCallSid"].as_str().unwrap().parse().unwrap();
        let report = world.twilio.report(&sid).await.unwrap();
        silences.extend(silence(&report).filter(|_| report.streams.len() > 1));
    }
    assert!(!silences.is_empty(), "some calls were on the server that died");
    let longest = silences.iter().max().unwrap();
    assert!(*longest < Duration::from_secs(3), "{silences:?}");
    let fates = all_over(&store, 20).await;
    assert!(fates.iter().all(|fate| *fate == (Status::Completed, Some(Outcome::Conversation))), "{fates:?}");
    for call in store.query(&Query::default().with_limit(100)).await.unwrap().calls {
        let session = store.load(call.id).await.unwrap().unwrap();
        let agents = session.transcript.iter().filter(|line| line.speaker == Speaker::Agent).count();
        let streams = call.attachments.len();
        assert_eq!(session.transcript[0].heard, en::AGENT_GREETING.transcript, "what was heard is kept");
        assert!(agents >= streams, "on each of {streams} streams the agent spoke: {:?}", session.transcript);
    }
}
