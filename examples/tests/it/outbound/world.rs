//! A simulated world around servers that are processes of their own.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use call_session::{
    call::{CallSummary, Outcome, Status},
    directory::{Customer, Directory, Seed},
    store::{Query, SessionStore},
};
use call_simulator::{
    audio::fixtures::en,
    openai::{self, Answer, OpenAiSimulator, Script, Settings as Manners, Timing},
    twilio::{Number, PhoneScript, TwilioSimulator},
};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    sync::watch,
    task::JoinSet,
    time::timeout,
};
use twilio_twiml::phone::E164;

use super::balancer::{balance, check_health, two_ports};
use crate::world::{ACCOUNT, TOKEN};

/// How long anything may take on a busy machine. Only a test that fails waits so long.
pub(super) const PATIENCE: Duration = Duration::from_secs(90);

/// A simulated world around servers that are processes of their own, behind one address.
pub(super) struct World {
    pub(super) url: String,
    pub(super) openai: OpenAiSimulator,
    pub(super) twilio: TwilioSimulator,
    base_url: String,
    database_url: String,
    /// Where servers log to, instead of where the test does.
    pub(super) log: Option<PathBuf>,
    /// Where the servers listen, behind the address; those that are dead are passed over.
    pub(super) backends: [u16; 2],
    _tasks: JoinSet<()>,
}

pub(super) fn talks() -> Script {
    Script::new()
        .greeting(Answer::say(en::AGENT_GREETING))
        .turn(en::CALLER_THANKS, Answer::say(en::AGENT_GOODBYE).and_call("end_call", &json!({})))
}

pub(super) fn lengthy() -> Script {
    Script::new()
        .greeting(Answer::say(en::AGENT_GREETING))
        .turn(en::CALLER_HOURS, Answer::say(en::AGENT_HOURS))
        .turn(en::CALLER_THANKS, Answer::say(en::AGENT_GOODBYE).and_call("end_call", &json!({})))
}

impl World {
    pub(super) async fn new(database_url: String) -> Self {
        Self::talking(database_url, talks()).await
    }

    pub(super) async fn talking(database_url: String, script: Script) -> Self {
        Self::modelled(database_url, OpenAiSimulator::builder().script(script)).await
    }

    pub(super) async fn modelled(database_url: String, model: openai::Builder) -> Self {
        let manners = Manners::default().with_timing(Timing::brisk());
        let openai = model.settings(manners).start().await.unwrap();
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
        Self { url, openai, twilio, base_url, database_url, backends, log: None, _tasks: tasks }
    }

    /// Starts a server as a process, and waits until it takes calls.
    pub(super) async fn serve(&self, backend: usize, environment: &[(&str, &str)]) -> Child {
        self.run(backend, Command::new(env!("CARGO_BIN_EXE_outbound")), environment).await
    }

    /// The same for a server whose model can book, which is written down in this folder.
    pub(super) async fn serve_with_bookings(&self, backend: usize, folder: &Path) -> Child {
        let mut program = Command::new(std::env::current_exe().unwrap());
        program.args(["--exact", "outbound::outlives::a_server_with_bookings", "--ignored", "--nocapture"]);
        self.run(backend, program, &[("MACHINE", "ignore"), (super::outlives::FOLDER, folder.to_str().unwrap())]).await
    }

    pub(super) async fn run(&self, backend: usize, mut program: Command, environment: &[(&str, &str)]) -> Child {
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
            // On a busy machine callers may wait for each other for long.
            .env("IDLE_LIMIT", "300")
            .env("TWILIO_CALLS_PER_SECOND", "50")
            .envs(environment.iter().copied())
            .stdout(Stdio::null())
            .stderr(self.log.as_ref().map_or_else(Stdio::inherit, |log| File::create(log).unwrap().into()))
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        while !reqwest::get(format!("http://{bind}/readyz")).await.is_ok_and(|answer| answer.status().is_success()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        child
    }

    /// Customers with telephones that do this.
    pub(super) async fn customers(
        &self,
        directory: &dyn Directory,
        phones: impl IntoIterator<Item = PhoneScript>,
    ) -> Vec<String> {
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

    pub(super) async fn start(&self, customer: &str) -> Value {
        let wanted = json!({ "customerId": customer, "agentId": "sato" });
        let (status, answer) = self.post("/api/calls/start", &wanted).await;
        assert_eq!(status, 201, "{answer}");
        answer
    }

    /// Posts this to the API, and gives the status and what is answered.
    pub(super) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let answer = reqwest::Client::new().post(format!("{}{path}", self.url)).json(body).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }
}

pub(super) fn new_folder() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("calls-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir(&folder).unwrap();
    folder
}

/// Waits until there is a call of which this is so.
pub(super) async fn wait_for_call(store: &dyn SessionStore, so: impl Fn(&CallSummary) -> bool) {
    let found = async {
        loop {
            let position = store.feed_end().await.unwrap();
            if store.query(&Query::default().with_limit(100)).await.unwrap().calls.iter().any(&so) {
                return;
            }
            store.feed_moved(position).await;
        }
    };
    timeout(PATIENCE, found).await.unwrap();
}

/// Waits until no call is active, and gives each call's status and outcome.
pub(super) async fn all_over(store: &dyn SessionStore, calls: usize) -> Vec<(Status, Option<Outcome>)> {
    let over = async {
        loop {
            let position = store.feed_end().await.unwrap();
            let page = store.query(&Query::default().with_limit(1000)).await.unwrap();
            if page.calls.len() == calls && page.calls.iter().all(|call| call.status.is_terminal()) {
                return page.calls.iter().map(|call| (call.status, call.outcome)).collect();
            }
            store.feed_moved(position).await;
        }
    };
    timeout(PATIENCE, over).await.unwrap()
}
