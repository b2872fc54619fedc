//! What callers hear between the agent's last word and the room: many handoffs by a running server, measured at the ear.
//!
//! Plays Twilio and OpenAI itself. See the section "Handing over" of the README.
#![expect(clippy::print_stdout, reason = "a command line tool speaks on the terminal")]

use std::{
    error::Error,
    net::{Ipv4Addr, SocketAddr},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use call_simulator::{
    audio::fixtures::ja,
    openai::{Answer, OpenAiSimulator, Script},
    twilio::{CallOptions, CallReport, CallerScript, Cue, Number, PhoneScript, TwilioSimulator},
};
use clap::Parser;
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, timeout},
};
use twilio_twiml::phone::{Address, E164};
use uuid::Uuid;

type Failure = Box<dyn Error + Send + Sync>;

/// How long the server may take to come up.
const START: Duration = Duration::from_secs(30);
/// How long anybody waits for anything.
const PATIENCE: Duration = Duration::from_secs(120);

/// Has a server hand over many callers, and measures what they hear on the way.
#[derive(Debug, Clone, Parser)]
struct Arguments {
    /// The server's program.
    #[arg(long, default_value = "target/release/handoff")]
    server: String,
    /// How many callers are handed over.
    #[arg(long, default_value_t = 200)]
    calls: u32,
    /// How many of them at once.
    #[arg(long, default_value_t = 20)]
    at_once: usize,
    /// Whether the person accepts first: `warm`, or `cold`.
    #[arg(long, default_value = "warm")]
    mode: String,
    /// Who keeps the caller company meanwhile: `agent`, or `music`.
    #[arg(long, default_value = "agent")]
    company: String,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    let world = Arc::new(World::start(&arguments).await?);
    let places = Arc::new(Semaphore::new(arguments.at_once));
    let mut calls = JoinSet::new();
    for number in 0..arguments.calls {
        let place = Arc::clone(&places).acquire_owned().await?;
        let (world, mode) = (Arc::clone(&world), arguments.mode.clone());
        calls.spawn(async move {
            let handed = world.hand_over(number, &mode).await;
            drop(place);
            handed
        });
    }
    let (mut words, mut lines, mut voices, mut silences) = (vec![], vec![], vec![], vec![]);
    let (mut late, mut lost) = (Duration::ZERO, 0);
    while let Some(report) = calls.join_next().await {
        let report = report??;
        late = late.max(report.worst_lateness);
        let room = report.rooms.iter().find(|room| room.first_voice.is_some());
        let Some((room, gap)) = room.and_then(|room| Some((room, room.gap()?))) else {
            lost += 1;
            continue;
        };
        words.push(gap);
        let left = report.streams.iter().rev().map(|stream| stream.ended).find(|ended| *ended <= room.joined);
        lines.extend(room.first_sound.zip(left).map(|(sound, left)| sound.saturating_sub(left)));
        voices.extend(room.first_voice.zip(room.last_before).map(|(voice, last)| voice.saturating_sub(last)));
        silences.extend(report.measures.longest_silence.map(|silence| silence.duration()));
    }
    println!(
        "{} handoffs, {}, {} as company, {lost} came to nothing",
        arguments.calls, arguments.mode, arguments.company
    );
    print("last sound before → first sound of the room", &mut words);
    print("agent's line left → first sound of the room", &mut lines);
    print("last sound before → first voice in the room", &mut voices);
    print("longest silence of a caller in the whole call", &mut silences);
    println!("the latest frame of 20 ms was {late:.1?} late");
    Ok(())
}

fn print(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |share: usize| times.get((times.len() * share / 1000).min(times.len().saturating_sub(1)));
    let at = |share| at(share).copied().unwrap_or_default().as_millis();
    println!("{what}: p50 {} ms  p90 {} ms  p99 {} ms  worst {} ms", at(500), at(900), at(990), at(1000));
}

/// Twilio, OpenAI, and the server between them.
struct World {
    url: String,
    twilio: TwilioSimulator,
    http: reqwest::Client,
    _openai: OpenAiSimulator,
    _rest: call_simulator::twilio::RestServer,
    _server: Child,
}

impl World {
    async fn start(arguments: &Arguments) -> Result<Self, Failure> {
        let script = Script::new()
            .greeting(Answer::say(ja::AGENT_GREETING))
            .when_asked("おつなぎいたします", Answer::say(ja::AGENT_HANDS_OVER));
        let openai = OpenAiSimulator::builder().script(script).start().await?;
        let bind = free_address().await?;
        let url = format!("http://{bind}");
        let token = Uuid::new_v4().simple().to_string();
        let number = Number::new("+81300000001".parse()?, format!("{url}/api/twilio/voice").parse()?);
        let twilio = TwilioSimulator::builder().auth_token(token.as_str()).number(number).start()?;
        let rest = twilio.serve_rest().await?;
        let server = Command::new(&arguments.server)
            .env("OPENAI_API_KEY", "simulated")
            .env("OPENAI_BASE_URL", openai.base_url())
            .env("TWILIO_ACCOUNT_SID", twilio.account_sid().to_string())
            .env("TWILIO_AUTH_TOKEN", &token)
            .env("TWILIO_API_BASE_URL", rest.base_url())
            .env("TWILIO_CALLS_PER_SECOND", "100")
            .env("PUBLIC_URL", &url)
            .env("BIND", bind.to_string())
            .env("DATABASE_URL", "memory")
            .env("HANDOFF_COMPANY", &arguments.company)
            .env("RUST_LOG", "warn")
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("{} cannot be started: {error}", arguments.server))?;
        let up = async {
            while TcpStream::connect(bind).await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(START, up).await.map_err(|_| "the server does not come up")?;
        Ok(Self { url, twilio, http: reqwest::Client::new(), _openai: openai, _rest: rest, _server: server })
    }

    /// A caller is handed to a person of their own, who says a word and hangs up.
    async fn hand_over(&self, number: u32, mode: &str) -> Result<CallReport, Failure> {
        let (from, to): (E164, E164) =
            (format!("+8190000{number:05}").parse()?, format!("+8180000{number:05}").parse()?);
        let ready = Cue::new();
        let caller = CallerScript::new()
            .patience(PATIENCE)
            .until_hears(ja::AGENT_GREETING)
            .cue(&ready)
            .until_together()
            .until_agent_finishes()
            .hang_up();
        let person = CallerScript::new().patience(PATIENCE).say(ja::PERSON_PICKS_UP);
        let person =
            if mode == "warm" { person.until_agent_spoke_for(Duration::from_secs(1)).press("1") } else { person };
        let person = person.until_together().say(ja::PERSON_HELLO).until_alone().hang_up();
        self.twilio.phone(to.clone(), PhoneScript::answers(person));
        let call = CallOptions::new(caller).with_from(Address::Phone(from.clone())).with_record(false);
        let wanted = json!({ "phone": to.as_str(), "mode": mode });
        let asking = async {
            ready.given().await;
            self.ask(&from, &wanted).await
        };
        let mut calling = Box::pin(self.twilio.call(call));
        tokio::select! {
            report = &mut calling => Ok(report),
            asked = asking => {
                asked?;
                Ok(calling.await)
            }
        }
    }

    async fn ask(&self, from: &E164, wanted: &Value) -> Result<(), Failure> {
        let active = self.http.get(format!("{}/api/calls/active", self.url)).send().await?.bytes().await?;
        let active: Value = serde_json::from_slice(&active)?;
        let calls = active["calls"].as_array().map(Vec::as_slice).unwrap_or_default();
        let call =
            calls.iter().find(|call| call["from"] == from.as_str()).ok_or("the server does not know the call")?;
        let id = call["callId"].as_str().unwrap_or_default();
        let began = Instant::now();
        let request = self.http.post(format!("{}/api/calls/{id}/handoff", self.url));
        let request = request.header("content-type", "application/json").body(wanted.to_string());
        let answer = request.send().await?;
        if !answer.status().is_success() {
            return Err(format!("{} after {:.1?}: {}", answer.status(), began.elapsed(), answer.text().await?).into());
        }
        Ok(())
    }
}

/// An address that is free now.
async fn free_address() -> Result<SocketAddr, Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    Ok(listener.local_addr()?)
}
