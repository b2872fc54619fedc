//! Calls with a model that leads by itself, by an implementation of the traits that shares nothing with the others.

mod session;

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use realtime_bridge::{
    audio::AudioFormat,
    bridge::{Bridge, CallHandle, CallReport, Endpoints},
    media::memory::{Caller, line},
    realtime::{SessionConfig, ToolSpec},
    relay::{CallConfig, Greeting, Speaker},
    tool::{RawTool, ToolContext, ToolError, ToolOptions, ToolSet},
};
use serde_json::{Value, json};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{sleep, timeout},
};

use self::session::{LiveClient, Shared, Wire};
use super::{MS, S, quiet};

struct LookUp(Shared<u32>);

#[async_trait]
impl RawTool for LookUp {
    fn spec(&self) -> ToolSpec {
        ToolSpec::new("look_up", "Looks something up.", json!({"type": "object"}))
    }

    fn options(&self) -> ToolOptions {
        ToolOptions::default()
    }

    async fn call_raw(&self, _context: &ToolContext, _arguments: &str) -> Result<String, ToolError> {
        *self.0.lock().unwrap() += 1;
        Ok("nine".into())
    }
}

struct LiveCall {
    caller: Caller,
    service: Wire,
    services: mpsc::Receiver<Wire>,
    handle: CallHandle,
    run: JoinSet<CallReport>,
    runs: Shared<u32>,
}

async fn call(config: CallConfig) -> LiveCall {
    let (line, caller) = line(AudioFormat::MuLaw);
    let (client, mut services) = LiveClient::new();
    let mut endpoints = Endpoints::new(client, SessionConfig::default().with_instructions("Be brief."));
    let (session, service) = tokio::join!(endpoints.connect(), accept(&mut services));
    let runs = Shared::<u32>::default();
    let bridge = Bridge::with_config(line, session.unwrap(), config).unwrap();
    let tools = ToolSet::new().with(LookUp(Shared::clone(&runs)));
    let bridge = bridge.with_seeded_endpoints(endpoints, 1).with_tools(tools);
    let (handle, mut run) = (bridge.handle(), JoinSet::new());
    run.spawn(bridge.run());
    LiveCall { caller, service, services, handle, run, runs }
}

async fn accept(services: &mut mpsc::Receiver<Wire>) -> Wire {
    let mut wire = services.recv().await.unwrap();
    let start = wire.event().await.unwrap();
    assert_eq!((&start["type"], &start["session"]["audio"]["format"]["rate"]), (&json!("session.start"), &json!(8000)));
    wire.tell(json!({"type": "session.started"})).await;
    wire
}

/// Speaks in real time, in pieces of 100 ms, with words on a grid of 200 ms.
async fn speak(service: &Wire, words: &[&str]) {
    for (index, word) in words.iter().enumerate() {
        let (start, end) = (200 * index, 200 * index + 200);
        let text = json!({
            "type": "session.output_transcript.delta", "text": format!("{word} "), "start_ms": start, "end_ms": end
        });
        service.tell(text).await;
        for _ in 0..2 {
            let audio = STANDARD.encode(vec![u8::try_from(index + 1).unwrap(); 800]);
            service.tell(json!({"type": "session.output_audio.delta", "audio": audio})).await;
            sleep(100 * MS).await;
        }
    }
}

async fn hear(service: &Wire, words: &str) {
    service.tell(json!({"type": "session.input_transcript.delta", "text": words, "start_ms": 0, "end_ms": 200})).await;
}

/// The next event of the client that is not audio.
async fn told(service: &mut Wire) -> Value {
    let told = async {
        loop {
            let event = service.event().await.expect("the session is open");
            if event["type"] != "session.input_audio.append" {
                return event;
            }
        }
    };
    timeout(60 * S, told).await.expect("the model is told something")
}

async fn over(call: LiveCall) -> CallReport {
    call.handle.hang_up().await.unwrap();
    let LiveCall { mut run, service, .. } = call;
    let report = run.join_next().await.unwrap().unwrap();
    drop(service);
    report
}

#[tokio::test(start_paused = true)]
async fn it_greets_is_interrupted_and_asks_for_tools() {
    let mut call = call(quiet().with_greeting(Greeting::Line("Welcome.".into()))).await;
    let greet = told(&mut call.service).await;
    assert_eq!(greet["type"], "session.commentary.append");
    assert!(greet["text"].as_str().unwrap().ends_with("Welcome."));
    speak(&call.service, &["Welcome.", "How", "can", "I", "help", "you", "today?"]).await;
    call.caller.hear_out().await;
    sleep(S).await;

    // The service hears the caller and hands a task over.
    hear(&call.service, "When are ").await;
    hear(&call.service, "you open?").await;
    sleep(S).await;
    let task = json!({
        "type": "session.delegation.created", "delegation_id": "d1", "task": "look_up", "input": "{\"day\": 1}"
    });
    call.service.tell(task).await;
    let result = told(&mut call.service).await;
    assert_eq!((&result["type"], &result["delegation_id"]), (&json!("session.thinking.append"), &json!("d1")));

    // It speaks faster than it sounds, and the caller talks over it: what waits at the line is dropped.
    let talking = speak(&call.service, &["We", "open", "at", "nine", "each", "day."]);
    let _ = timeout(800 * MS, talking).await;
    let before = call.caller.heard_total();
    hear(&call.service, "Thanks.").await;
    sleep(S).await;
    assert!(call.caller.heard_total() <= before + 100 * MS, "it goes on talking");
    call.service.tell(json!({"type": "session.usage.updated", "seconds": 61.5})).await;
    speak(&call.service, &["Goodbye."]).await;
    sleep(2 * S).await;
    let runs = Shared::clone(&call.runs);
    let report = over(call).await;
    assert_eq!(*runs.lock().unwrap(), 1);
    let said: Vec<_> = report.transcript.iter().map(|entry| (entry.speaker, entry.heard.trim().to_owned())).collect();
    let expected = [
        (Speaker::Agent, "Welcome. How can I help you today?"),
        (Speaker::Caller, "When are you open?"),
        (Speaker::Agent, "We open at nine"),
        (Speaker::Caller, "Thanks."),
        (Speaker::Agent, "Goodbye."),
    ];
    assert_eq!(said, expected.map(|(speaker, text)| (speaker, text.to_owned())));
    assert!(report.usage.seconds > 61.0 && report.stats.interruptions >= 1);
}

#[tokio::test(start_paused = true)]
async fn another_session_of_it_goes_on_with_what_was_heard() {
    let mut call = call(quiet()).await;
    hear(&call.service, "Are you open on Sunday?").await;
    sleep(S).await;
    let talking = speak(&call.service, &["No,", "we", "are", "closed", "on", "Sunday."]);
    let _ = timeout(900 * MS, talking).await;
    call.service.tell(json!({"type": "session.closed", "reason": "connection_lost"})).await;
    call.service = accept(&mut call.services).await;
    let mut past = Vec::new();
    loop {
        let event = told(&mut call.service).await;
        let text = event["text"].as_str().unwrap().to_owned();
        if text.contains("cut off by a technical fault") {
            break;
        }
        past.push(text);
    }
    assert_eq!(past[0], "The caller said: Are you open on Sunday?");
    assert!(past[1].starts_with("You said: No, we are"), "{past:?}");
    speak(&call.service, &["on", "Sunday."]).await;
    sleep(2 * S).await;
    let report = over(call).await;
    assert_eq!((report.stats.sessions_lost, report.reason.name()), (1, "hung-up"));
    let last = report.transcript.last().unwrap();
    assert_eq!((last.session, last.heard.trim()), (1, "on Sunday."));
}
