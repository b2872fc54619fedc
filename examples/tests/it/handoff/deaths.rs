//! Handoffs whose server is killed.

use std::{process::Stdio, sync::Arc, time::Duration};

use call_session::{
    call::{CallSession, CallSummary, HandoffEnd, Status},
    id::SessionId,
    store::{Query, SessionStore, postgres::PostgresStore},
};
use call_simulator::{
    audio::fixtures::en,
    openai::{OpenAiSimulator, Settings as Manners, Timing},
    twilio::{CallOptions, CallReport, CallerScript, Number, Operation, PhoneScript, RestFault, TwilioSimulator},
};
use serde_json::json;
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    sync::watch,
    task::JoinSet,
    time::timeout,
};
use twilio_twiml::{
    phone::E164,
    rest::{self, Credentials},
    webhook::signature::AuthToken,
};

use super::world::{FAREWELL, back, check_silence, person, post, presses, receptionist, until, with_agent};
use crate::{
    outbound::balancer::{balance, check_health, two_ports},
    world::{ACCOUNT, TOKEN},
};

/// Longer than any of this takes.
const NEVER: Duration = Duration::from_secs(90);

/// Two servers as processes, which share a database, and a load balancer before them.
struct Two {
    store: PostgresStore,
    twilio: Arc<TwilioSimulator>,
    account: rest::Client,
    /// Of the first, past the load balancer.
    address: String,
    first: Child,
    lines: JoinSet<CallReport>,
    _second: Child,
    _openai: OpenAiSimulator,
    _tasks: JoinSet<()>,
    _database: throwaway_postgres::Database,
}

/// A server as a process, which takes calls.
async fn serve(environment: &[(&str, &str)], port: u16) -> Child {
    let bind = format!("127.0.0.1:{port}");
    let child = Command::new(env!("CARGO_BIN_EXE_handoff"))
        .env_clear()
        .envs(environment.iter().copied())
        .env("BIND", &bind)
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

impl Two {
    /// Persons' telephones ring for so many seconds.
    async fn start(ring: &str) -> Self {
        let database = throwaway_postgres::Database::create().unwrap();
        let store = PostgresStore::connect(database.url()).await.unwrap();
        let manners = Manners::default().with_timing(Timing::brisk());
        let openai = OpenAiSimulator::builder().script(receptionist()).settings(manners).start().await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let voice_url = format!("{url}/api/twilio/voice").parse().unwrap();
        let number = Number::new("+815012345678".parse().unwrap(), voice_url);
        let builder = TwilioSimulator::builder().account_sid(ACCOUNT.parse().unwrap()).auth_token(TOKEN);
        let twilio = Arc::new(builder.number(number).start().unwrap());
        let mut served = twilio.serve_rest().await.unwrap();
        let (base_url, ports) = (served.base_url(), two_ports().await);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let _ = served.run().await;
        });
        let (sender, ready) = watch::channel([false; 2]);
        tasks.spawn(check_health(ports, sender));
        tasks.spawn(balance(listener, ports, ready));
        let config = rest::Config::new(ACCOUNT.parse().unwrap(), Credentials::auth_token(AuthToken::new(TOKEN)));
        let account = rest::Client::new(config.with_base_url(&base_url).with_timeout(Duration::from_secs(5))).unwrap();
        let openai_url = openai.base_url();
        let environment = [
            ("OPENAI_API_KEY", "simulated"),
            ("OPENAI_BASE_URL", openai_url.as_str()),
            ("TWILIO_ACCOUNT_SID", ACCOUNT),
            ("TWILIO_AUTH_TOKEN", TOKEN),
            ("TWILIO_API_BASE_URL", base_url.as_str()),
            ("TWILIO_CALLS_PER_SECOND", "50"),
            ("PUBLIC_URL", url.as_str()),
            ("DATABASE_URL", database.url()),
            ("CONVERSATION_LANGUAGE", "en-US"),
            ("HANDOFF_FAREWELL", FAREWELL),
            ("HANDOFF_RING", ring),
        ];
        let first = serve(&environment, ports[0]).await;
        let second = serve(&environment, ports[1]).await;
        Self {
            store,
            twilio,
            account,
            address: format!("http://127.0.0.1:{}", ports[0]),
            first,
            lines: JoinSet::new(),
            _second: second,
            _openai: openai,
            _tasks: tasks,
            _database: database,
        }
    }

    /// Somebody calls, and hears the greeting.
    async fn call(&mut self, from: &str) -> SessionId {
        let from: E164 = from.parse().unwrap();
        let options = CallOptions::new(CallerScript::new()).with_from(from.clone().into());
        let (twilio, options) = (Arc::clone(&self.twilio), options.with_time_limit(Duration::from_secs(150)));
        self.lines.spawn(async move { twilio.call(options).await });
        loop {
            let position = self.store.feed_end().await.unwrap();
            let calls = self.store.query(&Query::default()).await.unwrap().calls;
            if let Some(call) = calls.into_iter().find(|call| call.from.phone() == Some(&from)) {
                self.until(call.id, |session| session.transcript.iter().any(|line| line.complete)).await;
                return call.id;
            }
            self.store.feed_moved(position).await;
        }
    }

    async fn until(&self, call: SessionId, holds: impl Fn(&CallSession) -> bool) -> CallSession {
        match timeout(NEVER, until(&self.store, call, holds)).await {
            Ok(session) => session,
            Err(_) => {
                let call = self.store.summary(call).await.unwrap().unwrap();
                panic!("{:?}: {:#?} {:#?}", call.status, call.handoff, call.legs)
            }
        }
    }

    /// Has the first server hand a caller over.
    async fn hand_over(&self, call: SessionId, to: &str) {
        let (status, problem) = post(&self.address, call, "handoff", json!({ "agentId": to })).await;
        assert_eq!(status, 202, "{problem}");
    }

    /// Ends a call; what is kept of it when nobody is left.
    async fn over(&self, call: SessionId) -> CallSession {
        let sid = self.store.summary(call).await.unwrap().unwrap().call_sid.unwrap();
        self.account.call(&sid).end().await.unwrap();
        let over =
            |call: &CallSummary| call.status == Status::Completed && call.legs.values().all(|leg| leg.ended.is_some());
        let session = self.until(call, |session| over(&session.summary)).await;
        // Nobody is left ringing or alone.
        for leg in session.summary.legs.values().filter_map(|leg| leg.call.as_ref()) {
            let over = timeout(NEVER, self.twilio.report(leg)).await;
            over.unwrap_or_else(|_| panic!("a leg goes on: {:#?}", session.summary.legs)).unwrap();
        }
        session
    }
}

/// The server that performs three handoffs is killed: while a telephone rings, while a person hears the briefing, while
/// caller and person talk. Another goes on with all of them.
#[tokio::test]
async fn another_server_goes_on_with_the_handoffs_of_a_dead_one() {
    let mut two = Two::start("60").await;
    person(&two.store, &two.twilio, "rings", presses("1").after(Duration::from_secs(15))).await;
    let thinks = CallerScript::new().until_agent_finishes().pause(Duration::from_secs(10)).press("1");
    person(&two.store, &two.twilio, "thinks", PhoneScript::answers(thinks)).await;
    person(&two.store, &two.twilio, "talks", presses("1")).await;
    let ringing = two.call("+14155550101").await;
    let briefed = two.call("+14155550102").await;
    let talking = two.call("+14155550103").await;
    for (call, who) in [(ringing, "rings"), (briefed, "thinks"), (talking, "talks")] {
        two.hand_over(call, who).await;
    }
    let answered = |call: &CallSummary| call.legs.values().any(|leg| leg.answered);
    let dialled = |call: &CallSummary| call.legs.values().any(|leg| leg.call.is_some());
    two.until(talking, |session| with_agent(&session.summary)).await;
    two.until(briefed, |session| answered(&session.summary)).await;
    two.until(ringing, |session| dialled(&session.summary)).await;
    two.first.kill().await.unwrap();

    // Nobody is there who performs it, and still the person who leaves gives the caller back.
    let session = two.until(talking, |_| true).await;
    let leg = session.summary.legs.values().next().unwrap().call.clone().unwrap();
    two.account.call(&leg).end().await.unwrap();
    let session = two.until(talking, |session| back(&session.summary)).await;
    assert_eq!(session.summary.handoff.unwrap().ended.unwrap().1, HandoffEnd::Returned);
    for call in [ringing, briefed] {
        two.until(call, |session| with_agent(&session.summary)).await;
    }
    for call in [ringing, briefed, talking] {
        assert_eq!(two.over(call).await.summary.legs.len(), 1, "nobody was called twice");
    }
    while let Some(report) = two.lines.join_next().await {
        report.unwrap();
    }
    assert_eq!(two.twilio.calls().len(), 6, "three callers and three people");
}

/// A step at which the server dies that performs a handoff.
struct Step {
    /// What the person who is asked first does.
    asked: PhoneScript,
    /// What goes wrong with requests, so that the step takes long enough.
    faults: Vec<(Operation, RestFault)>,
    /// When it dies.
    dies: fn(&CallSummary) -> bool,
    /// Whether the caller talks with somebody in the end, or hears that nobody comes.
    talks: bool,
    /// How many legs there are, and how many of them Twilio knows of.
    legs: (usize, usize),
}

/// The server dies at this step. Whatever has to wait until the other takes over (as long as the lease of the dead one runs)
/// happens with an agent on the line, here or on the other server, so that the caller never hears nothing for longer than ever.
async fn dies(step: Step) {
    let Step { asked, faults, dies, talks, legs } = step;
    let mut two = Two::start("15").await;
    person(&two.store, &two.twilio, "asked", asked).await;
    let caller = two.call("+14155550101").await;
    for (operation, fault) in faults {
        two.twilio.plan_rest(operation, fault);
    }
    two.hand_over(caller, "asked").await;
    two.until(caller, |session| dies(&session.summary)).await;
    two.first.kill().await.unwrap();

    if talks {
        two.until(caller, |session| with_agent(&session.summary)).await;
    } else {
        let told = |session: &CallSession| {
            let heard = session.transcript.iter().any(|line| line.heard == en::AGENT_APOLOGY.transcript);
            heard && session.summary.handoff.as_ref().is_some_and(|handoff| handoff.told)
        };
        two.until(caller, told).await;
    }
    let session = two.over(caller).await;
    let report = two.lines.join_next().await.unwrap().unwrap();
    check_silence(&session, &report);
    assert_eq!((session.summary.legs.len(), two.twilio.calls().len() - 1), legs, "{}", report.timeline);
}

fn given_up(call: &CallSummary) -> bool {
    call.legs.values().any(|leg| leg.given_up.is_some())
}

#[tokio::test]
async fn dies_while_the_farewell_is_said() {
    let dies_then: fn(&CallSummary) -> bool = |call| call.handoff.as_ref().is_some_and(|it| it.runner.is_some());
    dies(Step { asked: presses("1"), faults: vec![], dies: dies_then, talks: true, legs: (1, 1) }).await;
}

/// Of a leg that nobody ever saw its person knows nothing and is asked once more, which goes wrong as well: the caller is told.
#[tokio::test]
async fn dies_before_a_person_is_dialled() {
    let faults = vec![(Operation::CreateCall, RestFault::Late(NEVER)); 2];
    dies(Step { asked: presses("1"), faults, dies: |call| !call.legs.is_empty(), talks: false, legs: (2, 0) }).await;
}

#[tokio::test]
async fn dies_before_it_knows_whom_it_dialled() {
    let faults = vec![(Operation::CreateCall, RestFault::AnswerLate(NEVER))];
    let asked = presses("1").after(Duration::from_secs(10));
    let dialled: fn(&CallSummary) -> bool = |call| call.legs.values().any(|leg| leg.call.is_some());
    dies(Step { asked, faults, dies: dialled, talks: true, legs: (1, 1) }).await;
}

#[tokio::test]
async fn dies_before_the_caller_of_a_person_who_accepted_is_moved() {
    let faults = vec![(Operation::UpdateCall, RestFault::Late(NEVER))];
    let moving: fn(&CallSummary) -> bool = |call| call.handoff.as_ref().is_some_and(|it| it.moving.is_some());
    dies(Step { asked: presses("1"), faults, dies: moving, talks: true, legs: (1, 1) }).await;
}

#[tokio::test]
async fn dies_while_the_caller_is_moved() {
    let faults = vec![(Operation::UpdateCall, RestFault::AnswerLate(NEVER))];
    let moving: fn(&CallSummary) -> bool = |call| call.handoff.as_ref().is_some_and(|it| it.moving.is_some());
    dies(Step { asked: presses("1"), faults, dies: moving, talks: true, legs: (1, 1) }).await;
}

#[tokio::test]
async fn dies_before_the_caller_is_told_that_nobody_comes() {
    let failed: fn(&CallSummary) -> bool = |call| call.handoff.as_ref().is_some_and(|it| it.ended.is_some());
    dies(Step { asked: PhoneScript::busy(), faults: vec![], dies: failed, talks: false, legs: (1, 1) }).await;
}

#[tokio::test]
async fn dies_before_a_leg_that_nobody_wants_is_ended() {
    let faults = vec![(Operation::UpdateCall, RestFault::Late(NEVER))];
    let asked = PhoneScript::machine(en::AGENT_HOURS);
    dies(Step { asked, faults, dies: given_up, talks: false, legs: (1, 1) }).await;
}
