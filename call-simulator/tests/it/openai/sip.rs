//! Calls over SIP, between the simulator's telephone and this workspace's own client.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum::{Router, body::Bytes, extract::State, routing::post};
use call_simulator::{
    audio::fixtures::en,
    openai::{
        Act, Answer, ApiError, Builder, OpenAiSimulator, Party, Script, Settings, Timing,
        sip::{Action, Fault, Ring, SipEnd, SipHandle, Step, Transfer, WebhookTarget},
    },
    twilio::CallerScript,
};
use http::{HeaderMap, StatusCode};
use realtime_bridge::{
    bridge::Bridge,
    realtime::{
        SessionConfig,
        openai::{
            OpenAiClient, OpenAiConfig,
            sip::{Left, ReferTarget, RejectStatus, SipCalls, SipError},
            webhook::{IncomingCall, MemoryReplayGuard, Verifier, WebhookEvent, WebhookSecret},
        },
    },
    relay::{CallConfig, Greeting},
};
use tokio::{net::TcpListener, sync::mpsc, task::JoinSet, time::timeout};

const SECRET: &str = "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";

/// An application that only passes on who rings.
struct App {
    url: String,
    ringing: mpsc::Receiver<IncomingCall>,
    _serving: JoinSet<()>,
}

struct Ears {
    verifier: Verifier,
    guard: MemoryReplayGuard,
    ringing: mpsc::Sender<IncomingCall>,
}

async fn hear(State(ears): State<Arc<Ears>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    match ears.verifier.receive(SystemTime::now(), &headers, &body, &ears.guard).await {
        Ok(webhook) => {
            if let WebhookEvent::CallIncoming(call) = webhook.into_event() {
                let _ = ears.ringing.send(call).await;
            }
            StatusCode::OK
        }
        Err(rejected) => StatusCode::from_u16(rejected.status()).unwrap(),
    }
}

impl App {
    async fn start() -> Self {
        let (sender, ringing) = mpsc::channel(8);
        let verifier = Verifier::new([WebhookSecret::new(SECRET).unwrap()]);
        let ears = Arc::new(Ears { verifier, guard: MemoryReplayGuard::default(), ringing: sender });
        let router = Router::new().route("/openai-webhook", post(hear)).with_state(ears);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/openai-webhook", listener.local_addr().unwrap());
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, ringing, _serving: serving }
    }

    fn target(&self) -> WebhookTarget {
        WebhookTarget::new(self.url.parse().unwrap(), SECRET).unwrap().attempts(3, Duration::from_millis(50))
    }

    async fn next(&mut self) -> IncomingCall {
        timeout(Duration::from_secs(30), self.ringing.recv()).await.expect("somebody rings").unwrap()
    }
}

async fn simulator(script: Script) -> OpenAiSimulator {
    builder(script).start().await.unwrap()
}

fn builder(script: Script) -> Builder {
    OpenAiSimulator::builder().script(script).settings(Settings::default().with_timing(Timing::brisk()))
}

fn calls(openai: &OpenAiSimulator) -> SipCalls {
    let config = OpenAiConfig::new("sk-test").with_base_url(openai.base_url());
    SipCalls::new(OpenAiClient::new(config.with_connect_timeout(Duration::from_secs(10))).unwrap())
}

fn session() -> SessionConfig {
    SessionConfig::default().with_instructions("Be brief.")
}

fn config() -> CallConfig {
    CallConfig::default().with_greeting(Greeting::Instructions("Greet.".into())).with_idle(None)
}

fn greets() -> Script {
    Script::new().greeting(Answer::say(en::AGENT_GREETING))
}

fn silent() -> CallerScript {
    CallerScript::new()
}

async fn ring(openai: &OpenAiSimulator, app: &mut App, caller: CallerScript) -> (SipHandle, IncomingCall) {
    let handle = openai.ring(Ring::new(app.target(), caller).from("+818099990000"));
    (handle, app.next().await)
}

#[tokio::test]
async fn a_whole_call_with_both_voices() {
    let script = greets()
        .turn(en::CALLER_HOURS, Answer::say(en::AGENT_HOURS))
        .turn(en::CALLER_INTERRUPTS, Answer::say(en::AGENT_FRIDAY));
    let openai = simulator(script).await;
    let mut app = App::start().await;
    let caller = CallerScript::new()
        .until_hears(en::AGENT_GREETING)
        .say(en::CALLER_HOURS)
        .until_agent_spoke_for(Duration::from_millis(1_500))
        .say(en::CALLER_INTERRUPTS)
        .until_hears(en::AGENT_FRIDAY)
        .press("5")
        .pause(Duration::from_millis(200))
        .hang_up();
    let (handle, call) = ring(&openai, &mut app, caller).await;
    assert_eq!((call.caller(), call.dialled()), (Some("+818099990000"), Some("+815012345678")));

    let calls = calls(&openai);
    calls.accept(&call.call_id, &session()).await.unwrap();
    let (line, control) = calls.attach(&call.call_id, &session()).await.unwrap();
    let report = Bridge::with_config(line, control, config()).unwrap().run().await;
    assert_eq!(report.reason.name(), "caller-hung-up");
    assert_eq!(calls.leave(&call.call_id, &report.reason, None).await.unwrap(), Left::Over);
    let told: Vec<_> = report.transcript.iter().map(|entry| (entry.generated.as_str(), entry.interrupted)).collect();
    assert_eq!(
        told,
        [
            (en::AGENT_GREETING.transcript, false),
            (en::CALLER_HOURS.transcript, false),
            (report.transcript[2].generated.as_str(), true),
            (en::CALLER_INTERRUPTS.transcript, false),
            (en::AGENT_FRIDAY.transcript, false),
        ]
    );
    assert!(report.transcript[2].heard.len() < en::AGENT_HOURS.transcript.len());
    assert_eq!(report.transcript[4].heard, en::AGENT_FRIDAY.transcript);
    assert_eq!(report.stats.interruptions, 1);

    let seen = handle.ended().await;
    assert_eq!(seen.end, SipEnd::CallerHungUp);
    assert_eq!(seen.deliveries().map(|delivery| delivery.status).collect::<Vec<_>>(), [Some(200)]);
    assert_eq!(seen.agent_speech.len(), 3, "{seen}");
    // Of an answer of eleven seconds.
    assert!(seen.measures.slowest_cut_off().unwrap() < Duration::from_secs(2), "{seen}");
    let session = seen.session.unwrap();
    assert!(session.of_type("error").next().is_none(), "{:?}", session.of_type("error").collect::<Vec<_>>());
    assert_eq!(session.of_type("input_audio_buffer.dtmf_event_received").count(), 1);
    assert!(session.of_type("response.output_audio.delta").next().is_none());
    assert!(
        session
            .events
            .iter()
            .all(|logged| logged.from == Party::Server || logged.kind() != "input_audio_buffer.append")
    );
}

#[tokio::test]
async fn a_goodbye_is_heard_before_the_call_is_hung_up() {
    let openai = simulator(greets().when_asked("goodbye", Answer::say(en::AGENT_GOODBYE))).await;
    let mut app = App::start().await;
    let (handle, call) = ring(&openai, &mut app, silent()).await;
    let calls = calls(&openai);
    calls.accept(&call.call_id, &session()).await.unwrap();
    let (line, control) = calls.attach(&call.call_id, &session()).await.unwrap();
    let bridge = Bridge::with_config(line, control, config().with_greeting(None)).unwrap();
    bridge.handle().end(Some("goodbye".into())).await.unwrap();
    let report = bridge.run().await;
    assert_eq!(report.reason.name(), "goodbye");
    assert_eq!(calls.leave(&call.call_id, &report.reason, None).await.unwrap(), Left::HungUp);
    let seen = handle.ended().await;
    assert_eq!(seen.end, SipEnd::HungUp);
    let [goodbye] = seen.agent_speech[..] else { panic!("{seen}") };
    assert!(goodbye.duration() + Duration::from_millis(400) > en::AGENT_GOODBYE.duration(), "{seen}");
    assert!(calls.hang_up(&call.call_id).await.unwrap_err().is_gone());
}

#[tokio::test]
async fn a_detached_call_is_referred() {
    let openai = simulator(greets()).await;
    let mut app = App::start().await;
    let target: ReferTarget = "tel:+81312345678".parse().unwrap();
    for (transfer, end) in [(Transfer::Succeeds, "transferred"), (Transfer::Fails, "the caller hung up")] {
        let handle = openai.ring(Ring::new(app.target(), silent()).transfer(transfer));
        let call = app.next().await;
        let calls = calls(&openai);
        calls.accept(&call.call_id, &session()).await.unwrap();
        let (line, control) = calls.attach(&call.call_id, &session()).await.unwrap();
        let bridge = Bridge::with_config(line, control, config()).unwrap();
        bridge.handle().detach(None).await.unwrap();
        let report = bridge.run().await;
        assert_eq!(report.reason.name(), "detached");
        assert_eq!(calls.leave(&call.call_id, &report.reason, Some(&target)).await.unwrap(), Left::Referred);
        if transfer == Transfer::Fails {
            assert!(handle.until(|step| matches!(step, Step::TransferFailed(_))).await);
            // The caller is still there, and can be attached to again.
            calls.attach(&call.call_id, &session()).await.unwrap();
            handle.hang_up();
        }
        let seen = handle.ended().await;
        assert_eq!(seen.end.to_string(), end);
        assert_eq!(seen.requests("refer").collect::<Vec<_>>(), [200]);
    }
}

#[tokio::test]
async fn a_dropped_socket_is_opened_again_in_mid_call() {
    let openai = simulator(greets().when_asked("Anybody?", Answer::say(en::AGENT_STILL_THERE))).await;
    let mut app = App::start().await;
    let (handle, call) = ring(&openai, &mut app, silent()).await;
    let calls = calls(&openai);
    calls.accept(&call.call_id, &session()).await.unwrap();
    let (line, control) = calls.attach(&call.call_id, &session()).await.unwrap();
    let bridge = Bridge::with_config(line, control, config()).unwrap();
    let bridge_handle = bridge.handle();
    let mut updates = bridge_handle.watch();
    let conducting = async {
        while updates.next().await.unwrap().event.name() != "agent-silent" {}
        handle.act(Act::Drop);
        bridge_handle.say("Anybody?").await.unwrap();
        while updates.next().await.unwrap().event.name() != "agent-silent" {}
        handle.hang_up();
    };
    let (report, ()) = tokio::join!(bridge.run(), conducting);
    assert_eq!(report.reason.name(), "caller-hung-up");
    assert_eq!(report.transcript.last().unwrap().heard, en::AGENT_STILL_THERE.transcript);
    let seen = handle.ended().await;
    let opened = seen.moments.iter().filter(|moment| moment.step == Step::SocketOpened).count();
    assert_eq!(opened, 2);
    let heard: Duration = seen.agent_speech.iter().map(call_simulator::twilio::SpeechSpan::duration).sum();
    assert!(heard > en::AGENT_GREETING.duration(), "both were heard: {seen}");
}

#[tokio::test]
async fn deliveries_come_twice_late_and_again() {
    let openai = simulator(greets()).await;
    let mut app = App::start().await;
    let handle = openai.ring(Ring::new(app.target().copies(3).after(Duration::from_millis(100)), silent()));
    let call = app.next().await;
    let calls = calls(&openai);
    calls.reject(&call.call_id, RejectStatus::Busy).await.unwrap();
    let seen = handle.ended().await;
    assert_eq!(seen.end, SipEnd::Rejected(486));
    assert!(app.ringing.try_recv().is_err(), "the copies were not done");

    // An application that refuses is asked again.
    let wrong = WebhookTarget::new(app.url.parse().unwrap(), "another secret").unwrap();
    let ring = Ring::new(wrong.attempts(3, Duration::from_millis(20)), silent()).patience(Duration::from_secs(2));
    let seen = openai.ring(ring).ended().await;
    assert_eq!(seen.end, SipEnd::NotAnswered);
    let statuses: Vec<_> = seen.deliveries().map(|delivery| delivery.status).collect();
    assert_eq!(statuses, [Some(401); 3]);
}

#[tokio::test]
async fn failing_answers_are_outlived() {
    let openai = builder(greets())
        .fault(Action::Accept, Fault::Status(503))
        .fault(Action::Accept, Fault::DoneBut(500))
        .fault(Action::HangUp, Fault::Late(Duration::from_millis(50)))
        .busy(503, ApiError::server(), None)
        .start()
        .await
        .unwrap();
    let mut app = App::start().await;
    let (handle, call) = ring(&openai, &mut app, silent()).await;
    let calls = calls(&openai);
    calls.accept(&call.call_id, &session()).await.unwrap();
    assert!(handle.is_connected());
    calls.attach(&call.call_id, &session()).await.unwrap();
    calls.hang_up(&call.call_id).await.unwrap();
    let seen = handle.ended().await;
    assert_eq!(seen.requests("accept").collect::<Vec<_>>(), [503, 500, 409]);
}

#[tokio::test]
async fn what_the_real_one_refuses_is_refused() {
    let openai = simulator(greets()).await;
    let mut app = App::start().await;
    let (handle, call) = ring(&openai, &mut app, silent()).await;
    let calls = calls(&openai);
    let id = &call.call_id;
    let refused = |error: SipError, expected: &str| match error {
        SipError::Refused { error: Some(error), .. } => assert_eq!(error.code.as_deref(), Some(expected)),
        error => panic!("{error:?}"),
    };
    assert!(calls.attach(id, &session()).await.unwrap_err().is_gone(), "nothing to control before the accept");
    let nonsense = SipCalls::new(
        OpenAiClient::new(OpenAiConfig::new("k").with_base_url(openai.base_url()).with_model("gpt-5-nonsense"))
            .unwrap(),
    );
    refused(nonsense.accept(id, &session()).await.unwrap_err(), "model_not_found");
    refused(calls.hang_up(id).await.unwrap_err(), "call_not_accepted");
    refused(calls.reject(id, RejectStatus::Code(200)).await.unwrap_err(), "invalid_value");
    assert!(calls.reject(&"rtc_unknown".parse().unwrap(), RejectStatus::Busy).await.unwrap_err().is_gone());
    handle.hang_up();
    assert_eq!(handle.ended().await.end, SipEnd::CallerHungUp);
    assert!(calls.accept(id, &session()).await.unwrap_err().is_gone());
}
