//! The server and calls of every fate on this machine, without any account.
//!
//! A simulator plays Twilio, the people who are called, and OpenAI on loopback. The server is the one that makes real
//! calls, and is asked over HTTP as a program of yours would ask it.

use std::{fmt, future::pending, io, net::Ipv4Addr, time::Duration};

use call_session::{
    call::{Outcome, Speaker, Status},
    directory::Seed,
    id::SessionId,
    store::StoreError,
};
use call_simulator::{
    audio::fixtures::ja,
    openai::{Answer, END_CALL, OpenAiSimulator, Script},
    twilio::{CallerScript, Number, PhoneScript, StartError, TwilioSimulator},
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::oneshot,
    time::{Instant, timeout},
};
use uuid::Uuid;

use crate::{
    database::Database,
    phone::{Parts, Phone, SetUpError, api::Api},
    settings::{Arguments, Problems, Settings},
};

/// How long all calls may take. They go on at the same time.
const LIMIT: Duration = Duration::from_secs(90);

/// How long a telephone rings that nobody answers.
const RING: &str = "4";

/// The agent whose calls these are; one of the sample company.
const AGENT: &str = "sato";

/// Why the demonstration could not be given.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DemoError {
    /// No socket can be opened on this machine.
    #[error("no socket can be opened on loopback")]
    Socket(#[source] io::Error),
    /// The simulated Twilio refuses its set-up.
    #[error("the simulated Twilio cannot be set up")]
    Twilio(#[from] StartError),
    /// The settings cannot work.
    #[error("the demonstration's settings are wrong")]
    Settings(#[from] Problems),
    /// Calls cannot be kept.
    #[error("calls cannot be kept")]
    Store(#[from] StoreError),
    /// The telephone cannot be set up.
    #[error("the telephone cannot be set up")]
    Phone(#[from] SetUpError),
    /// The server's API did not answer as it should.
    #[error("the server's API failed")]
    Http(#[from] reqwest::Error),
    /// The server refused to make a call.
    #[error("the server does not make the call: {0}")]
    NotStarted(Value),
}

/// A person of the demonstration, and what should come of calling them.
#[derive(Debug, Clone)]
struct Callee {
    customer: &'static str,
    does: &'static str,
    phone: PhoneScript,
    status: Status,
    outcome: Outcome,
}

fn callees() -> [Callee; 4] {
    let talks = CallerScript::new().until_hears(ja::AGENT_GREETING).say(ja::CALLER_THANKS);
    let callee = |customer, does, phone, status, outcome| Callee { customer, does, phone, status, outcome };
    [
        callee(
            "yamada-shoten",
            "picks up and talks",
            PhoneScript::answers(talks),
            Status::Completed,
            Outcome::Conversation,
        ),
        callee("minato-dental", "is busy", PhoneScript::busy(), Status::Busy, Outcome::Busy),
        callee(
            "sakura-hair",
            "has a machine",
            PhoneScript::machine(ja::AGENT_GREETING),
            Status::Completed,
            Outcome::VoicemailLeft,
        ),
        callee("watanabe", "does not pick up", PhoneScript::no_answer(), Status::NoAnswer, Outcome::NoAnswer),
    ]
}

/// What came of all calls.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DemoReport {
    /// Each call.
    pub calls: Vec<CalledReport>,
    /// Where the calls are kept.
    pub database: String,
}

/// What came of calling somebody.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CalledReport {
    /// Whom.
    pub customer: &'static str,
    /// What they do.
    pub does: &'static str,
    /// The session, as the API shows it.
    pub session: Value,
    expected: (Status, Outcome),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Started {
    call_id: SessionId,
}

/// Starts simulator and server, and calls everybody at once. Takes about half a minute, in real time.
///
/// # Errors
///
/// [`DemoError`] when a call cannot be placed. A call that went another way than it should is no error:
/// [`DemoReport::problems`] tells.
///
/// # Cancel safety
///
/// Dropping the future closes every socket.
pub async fn run(database: &Database) -> Result<DemoReport, DemoError> {
    let script = Script::new()
        .greeting(Answer::say(ja::AGENT_GREETING))
        .turn(ja::CALLER_THANKS, Answer::say(ja::AGENT_GOODBYE).and_call(END_CALL, &json!({})));
    let openai = OpenAiSimulator::builder().script(script).start().await.map_err(DemoError::Socket)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(DemoError::Socket)?;
    let url = format!("http://{}", listener.local_addr().map_err(DemoError::Socket)?);
    let (seed, token) = (Seed::sample(), Uuid::new_v4().simple().to_string());
    let ours = seed.agents.iter().find(|agent| agent.id.as_str() == AGENT);
    let ours = ours.and_then(|agent| agent.caller_numbers.active()).expect("the sample's agent can call");
    let voice_url = format!("{url}/api/twilio/voice").parse().expect("made of an address and a path");
    let number = Number::new(ours.clone(), voice_url);
    let twilio = TwilioSimulator::builder().auth_token(token.as_str()).number(number).start()?;
    let mut rest = twilio.serve_rest().await.map_err(DemoError::Socket)?;

    let mut arguments = Arguments::default();
    arguments.openai.openai_api_key = Some("simulated".into());
    arguments.openai.openai_base_url = Some(openai.base_url());
    arguments.twilio.twilio_account_sid = Some(twilio.account_sid().to_string());
    arguments.twilio.twilio_auth_token = Some(token.into());
    arguments.twilio.twilio_api_base_url = Some(rest.base_url());
    arguments.server.public_url = Some(url.clone());
    arguments.outbound.ring_limit = Some(RING.into());
    let settings = Settings::check_with_api(&arguments)?;

    let opened = database.open().await?;
    let everybody = callees();
    for customer in &seed.customers {
        if let Some(callee) = everybody.iter().find(|callee| callee.customer == customer.id.as_str()) {
            twilio.phone(customer.phone.clone(), callee.phone.clone());
        }
    }
    seed.plant(&*opened.directory).await?;

    let phone = Phone::new(settings, Parts::new(opened, super::tools()).with_keys())?;
    let router = phone.router().merge(Api::new(phone.clone()).router());
    let (done, over) = oneshot::channel();
    let serving = phone.serve(listener, router, async {
        if over.await.is_err() {
            pending::<()>().await;
        }
    });
    let calling = async {
        let called = call_everybody(&url, &everybody).await;
        // The server has gone if this fails, which its own result tells.
        let _ = done.send(());
        called
    };
    let both = async { tokio::join!(Box::pin(serving), calling) };
    let (served, called) = tokio::select! {
        both = both => both,
        failed = rest.run() => match failed.map_err(DemoError::Socket)? {},
    };
    served.map_err(DemoError::Socket)?;
    rest.shutdown().await;
    openai.shutdown().await;
    Ok(DemoReport { calls: called?, database: database.to_string() })
}

async fn call_everybody(url: &str, everybody: &[Callee]) -> Result<Vec<CalledReport>, DemoError> {
    let http = reqwest::Client::new();
    let mut placed = Vec::new();
    for callee in everybody {
        let wanted = json!({ "customerId": callee.customer, "agentId": AGENT });
        let answer = http.post(format!("{url}/api/calls/start")).json(&wanted).send().await?;
        if !answer.status().is_success() {
            return Err(DemoError::NotStarted(answer.json().await?));
        }
        let Started { call_id } = answer.json().await?;
        placed.push((callee, format!("{url}/api/calls/{call_id}")));
    }
    let deadline = Instant::now() + LIMIT;
    let mut calls = Vec::new();
    for (callee, url) in placed {
        let session = loop {
            let session: Value = http.get(&url).send().await?.json().await?;
            let over = Status::ALL.iter().any(|status| status.is_terminal() && session["status"] == status.name());
            // The company that carries the call tells its length last.
            if (over && session["seconds"].is_u64()) || Instant::now() >= deadline {
                break session;
            }
            // Each look is a request; the feed would tell as well.
            let _ = timeout(Duration::from_millis(200), pending::<()>()).await;
        };
        let Callee { customer, does, status, outcome, .. } = callee;
        calls.push(CalledReport { customer, does, session, expected: (*status, *outcome) });
    }
    Ok(calls)
}

impl DemoReport {
    /// What did not go as it should, one sentence each.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        self.calls.iter().flat_map(CalledReport::problems).collect()
    }
}

impl CalledReport {
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let (status, outcome) = self.expected;
        for (what, expected) in [("status", status.name()), ("outcome", outcome.name())] {
            if self.session[what] != expected {
                problems.push(format!("{}: {what} should be {expected}, not {}", self.customer, self.session[what]));
            }
        }
        let said = self.session["transcript"].as_array().map_or(0, Vec::len);
        if outcome == Outcome::Conversation && said < 3 {
            problems.push(format!("{}: three things should be said, not {said}", self.customer));
        }
        problems
    }
}

impl fmt::Display for DemoReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Calls, kept in {}", self.database)?;
        self.calls.iter().try_for_each(|call| writeln!(f, "\n{call}"))
    }
}

impl fmt::Display for CalledReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |name: &str| self.session[name].as_str().unwrap_or("–").to_owned();
        writeln!(f, "{} {}", self.customer, self.does)?;
        writeln!(f, "  session   {}", text("callId"))?;
        writeln!(f, "  at Twilio {}", text("twilioCallSid"))?;
        write!(f, "  {}, {}", text("status"), text("outcome"))?;
        if let Some(seconds) = self.session["seconds"].as_u64() {
            write!(f, ", {seconds} s")?;
        }
        let agent = serde_json::to_value(Speaker::Agent).unwrap_or_default();
        for line in self.session["transcript"].as_array().into_iter().flatten() {
            let who = if line["speaker"] == agent { "agent" } else { "callee" };
            let cut = if line["interrupted"] == true { "…" } else { "" };
            write!(f, "\n    {who:<7} {}{cut}", line["heard"].as_str().unwrap_or_default())?;
        }
        Ok(())
    }
}
