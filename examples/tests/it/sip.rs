//! The server for calls over SIP: its webhook, its tools, its failures, and the call without accounts.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use call_session::{
    call::{CallSession, Status},
    store::Query,
};
use call_simulator::{
    audio::fixtures::ja,
    openai::{
        Answer, ApiError, Builder, OpenAiSimulator, Script, Settings as Manners, Timing,
        sip::{Action, Fault, Ring, SipEnd, SipReport, WebhookTarget},
    },
    twilio::CallerScript,
};
use examples::sip::{
    SipServer,
    attendance::{Attendance, AttendanceError, Guest, Origin, Wish},
    demo,
    settings::{SipArguments, SipSettings},
};
use realtime_bridge::realtime::openai::webhook::WebhookSecret;
use tokio::{net::TcpListener, sync::oneshot, task::JoinSet, time::timeout};

pub(super) const SECRET: &str = "a secret of this test";

/// A folder of its own, removed in the end.
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    pub(super) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("sip-test-{}-{count}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The server with a simulated provider around it.
pub(super) struct World {
    pub(super) openai: Arc<OpenAiSimulator>,
    pub(super) server: SipServer,
    pub(super) url: String,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinSet<std::io::Result<()>>,
    _folder: Arc<Folder>,
}

pub(super) fn model(script: Script) -> Builder {
    OpenAiSimulator::builder().script(script).settings(Manners::default().with_timing(Timing::brisk()))
}

/// What a server is told of this provider.
pub(super) fn arguments(openai: &OpenAiSimulator, folder: &Folder) -> SipArguments {
    let mut arguments = SipArguments::default();
    arguments.openai.openai_api_key = Some("simulated".into());
    arguments.openai.openai_base_url = Some(openai.base_url());
    arguments.openai_webhook_secret = Some(SECRET.into());
    arguments.data_dir = Some(folder.0.clone());
    arguments
}

impl World {
    pub(super) async fn new(model: Builder) -> Self {
        Self::with(model, |_| {}).await
    }

    /// With settings of the test's own.
    pub(super) async fn with(model: Builder, change: impl FnOnce(&mut SipArguments)) -> Self {
        let (openai, folder) = (Arc::new(model.start().await.unwrap()), Arc::new(Folder::new()));
        let mut arguments = arguments(&openai, &folder);
        change(&mut arguments);
        let settings = SipSettings::check(&arguments).unwrap();
        let server = SipServer::open(settings).await.unwrap();
        Self::around(openai, folder, server).await
    }

    /// Around this server.
    pub(super) async fn around(openai: Arc<OpenAiSimulator>, folder: Arc<Folder>, server: SipServer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/openai-webhook", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let mut serving = JoinSet::new();
        serving.spawn(Box::pin(server.clone().serve(listener, async {
            let _ = stopped.await;
        })));
        Self { openai, server, url, stop: Some(stop), serving, _folder: folder }
    }

    pub(super) fn target(&self) -> WebhookTarget {
        WebhookTarget::new(self.url.parse().unwrap(), SECRET).unwrap().attempts(2, Duration::from_millis(50))
    }

    async fn ring(&self, caller: CallerScript) -> SipReport {
        let ring = Ring::new(self.target(), caller).patience(Duration::from_secs(8));
        timeout(Duration::from_secs(60), self.openai.ring(ring).ended()).await.expect("the call ends")
    }

    /// Ends the server as its process would: nobody waits for anything.
    pub(super) async fn cut_off(&mut self) {
        self.serving.shutdown().await;
    }

    /// Stops the server, which waits for its calls.
    pub(super) async fn stop(&mut self) {
        drop(self.stop.take());
        self.serving.join_next().await.unwrap().unwrap().unwrap();
    }

    /// Stops the server, which waits for its calls, and gives what is kept of them, newest first.
    pub(super) async fn calls(&mut self) -> Vec<CallSession> {
        self.stop().await;
        let store = self.server.store();
        let page = store.query(&Query::default()).await.unwrap();
        let mut calls = Vec::new();
        for summary in page.calls {
            calls.push(store.load(summary.id).await.unwrap().unwrap());
        }
        calls
    }

    /// Posts a delivery, changed by the test, and gives the status.
    pub(super) async fn post(&self, change: impl FnOnce(&mut Delivery)) -> u16 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let body = serde_json::json!({
            "type": "realtime.call.incoming", "id": "evt_1", "created_at": now,
            "data": {"call_id": "rtc_nobody", "sip_headers": []},
        });
        let mut delivery = Delivery {
            id: "wh_1".into(),
            now,
            kind: "application/json".into(),
            body: body.to_string(),
            signature: None,
        };
        change(&mut delivery);
        let Delivery { id, now, kind, body, signature } = delivery;
        let secret = WebhookSecret::new(SECRET).unwrap();
        let signature = signature.unwrap_or_else(|| secret.sign(&id, now, body.as_bytes()));
        let request = reqwest::Client::new().post(&self.url).header("content-type", kind).body(body);
        let request = request.header("webhook-id", id).header("webhook-timestamp", now);
        request.header("webhook-signature", signature).send().await.unwrap().status().as_u16()
    }
}

pub(super) struct Delivery {
    pub(super) id: String,
    now: u64,
    kind: String,
    pub(super) body: String,
    signature: Option<String>,
}

pub(super) fn reason(call: &CallSession) -> (Status, &str) {
    (call.summary.status, call.summary.ending.as_ref().map_or("", |ending| ending.reason.as_str()))
}

fn greets() -> Script {
    Script::new().when_asked("受付でございます", Answer::say(ja::AGENT_GREETING))
}

fn listens_and_leaves() -> CallerScript {
    CallerScript::new().until_agent_finishes().hang_up()
}

#[tokio::test]
async fn the_call_without_accounts_goes_as_scripted() {
    let folder = Folder::new();
    let report = Box::pin(demo::run(&folder.0)).await.unwrap();
    assert_eq!(report.problems(), Vec::<String>::new(), "{report}");
    let told = report.to_string();
    assert!(told.contains("update_attendance") && told.contains("attending fri-14 → attending fri-10"), "{told}");
}

#[tokio::test]
async fn what_is_no_webhook_of_the_provider_starts_nothing() {
    let mut world = World::new(model(greets())).await;
    assert_eq!(world.post(|delivery| delivery.signature = Some("v1,AAAA".into())).await, 401);
    let other = WebhookSecret::new("another secret").unwrap();
    assert_eq!(
        world.post(|d| d.signature = Some(other.sign(&d.id, d.now, d.body.as_bytes()))).await,
        401,
        "signed by somebody else"
    );
    assert_eq!(world.post(|delivery| delivery.now -= 301).await, 400, "stale");
    assert_eq!(world.post(|delivery| delivery.now += 600).await, 400, "from the future");
    assert_eq!(world.post(|delivery| delivery.body = "x".repeat(70_000)).await, 413);
    assert_eq!(world.post(|delivery| delivery.kind = "text/plain".into()).await, 415);
    assert_eq!(world.post(|delivery| delivery.body = "[]".into()).await, 400, "signed, and no event");
    assert_eq!(world.post(|delivery| delivery.body = r#"{"type":"response.completed"}"#.into()).await, 200);
    assert!(world.calls().await.is_empty());
}

#[tokio::test]
async fn a_webhook_that_comes_again_or_too_late_starts_nothing() {
    let mut world = World::new(model(greets())).await;
    let old = |delivery: &mut Delivery| {
        delivery.id = "wh_old".into();
        delivery.body = delivery.body.replace("\"created_at\":", "\"created_at\":1").replace("rtc_nobody", "rtc_old");
    };
    let late = |delivery: &mut Delivery| {
        let born = delivery.now - 60;
        delivery.id = "wh_late".into();
        delivery.body = delivery.body.replace(&delivery.now.to_string(), &born.to_string());
    };
    assert_eq!(world.post(late).await, 200, "nobody waits any more");
    assert_eq!(world.post(|_| {}).await, 200);
    assert_eq!(world.post(|_| {}).await, 200, "answered as if it were welcome");
    assert_eq!(world.post(|delivery| delivery.id = "wh_2".into()).await, 200, "the same call by another name");
    assert_eq!(world.post(old).await, 200);
    let calls = world.calls().await;
    let ids: Vec<_> = calls.iter().map(reason).collect();
    assert_eq!(ids.len(), 2, "each call once: {ids:?}");
    assert!(ids.iter().all(|end| *end == (Status::Canceled, "caller-hung-up")), "the provider does not know them");
}

#[tokio::test]
async fn failing_answers_are_outlived_and_otherwise_the_session_says_why() {
    let busy = model(greets())
        .fault(Action::Accept, Fault::Status(503))
        .fault(Action::HangUp, Fault::Status(500))
        .busy(503, ApiError::server(), None);
    let mut world = World::new(busy).await;
    let seen = world.ring(listens_and_leaves()).await;
    let accepts: Vec<_> = seen.requests("accept").collect();
    assert_eq!((seen.end, accepts), (SipEnd::CallerHungUp, vec![503, 200]));
    let calls = world.calls().await;
    assert_eq!(reason(&calls[0]), (Status::Completed, "caller-hung-up"));
    assert_eq!(calls[0].transcript.len(), 1);

    let refuses = model(greets()).fault(Action::Accept, Fault::Status(401));
    let mut world = World::new(refuses).await;
    let seen = world.ring(listens_and_leaves()).await;
    assert_eq!(seen.end, SipEnd::Rejected(480), "the caller is told at once");
    assert_eq!(reason(&world.calls().await[0]), (Status::Failed, "accept-failed"));

    let deaf = model(greets()).busy(401, ApiError::invalid("invalid_api_key", "no"), None);
    let mut world = World::new(deaf).await;
    let seen = world.ring(listens_and_leaves()).await;
    assert_eq!(seen.end, SipEnd::HungUp, "nobody is left to a model that nobody leads");
    assert_eq!(reason(&world.calls().await[0]), (Status::Failed, "control-socket-failed"));
}

#[tokio::test]
async fn a_call_that_may_have_been_accepted_is_led_or_hung_up() {
    // It was accepted, and nobody said so.
    let unsaid =
        |model: Builder| model.fault(Action::Accept, Fault::DoneBut(503)).fault(Action::Accept, Fault::Status(400));
    let mut world = World::new(unsaid(model(greets()))).await;
    let seen = world.ring(listens_and_leaves()).await;
    assert_eq!(seen.requests("accept").collect::<Vec<_>>(), [503, 400]);
    assert_eq!((seen.end, seen.agent_speech.len()), (SipEnd::CallerHungUp, 1), "the caller is greeted");
    assert_eq!(reason(&world.calls().await[0]), (Status::Completed, "caller-hung-up"));

    let deaf = model(greets()).busy(401, ApiError::invalid("invalid_api_key", "no"), None);
    let mut world = World::new(unsaid(deaf)).await;
    let seen = world.ring(listens_and_leaves()).await;
    assert_eq!(seen.end, SipEnd::HungUp, "nobody is left to a model that nobody leads");
    assert_eq!(reason(&world.calls().await[0]), (Status::Failed, "control-socket-failed"));

    let not_done = model(greets()).fault(Action::Accept, Fault::Status(503)).fault(Action::Accept, Fault::Status(400));
    let mut world = World::new(not_done).await;
    let seen = world.ring(listens_and_leaves()).await;
    assert_eq!(seen.end, SipEnd::Rejected(480), "nobody is left to a telephone that rings");
    assert_eq!(reason(&world.calls().await[0]), (Status::Failed, "accept-failed"));
}

#[tokio::test]
async fn a_server_that_stops_turns_callers_away_and_ends_its_calls() {
    let mut world = World::new(model(greets())).await;
    let handle = world.openai.ring(Ring::new(world.target(), CallerScript::new()));
    assert!(handle.until(|step| *step == call_simulator::openai::sip::Step::SocketOpened).await);
    drop(world.stop.take());
    let turned_away = async {
        // The door stays open for those who have to be told.
        loop {
            let seen = world.ring(CallerScript::new().until_agent_finishes().hang_up()).await;
            match seen.end {
                SipEnd::Rejected(480) => break,
                SipEnd::CallerHungUp => {}
                end => panic!("{end}"),
            }
        }
    };
    turned_away.await;
    handle.hang_up();
    world.serving.join_next().await.unwrap().unwrap().unwrap();
    assert_eq!(handle.ended().await.end, SipEnd::CallerHungUp);
}

#[tokio::test]
async fn the_table_changes_once_and_only_for_whom_it_knows() {
    let folder = Folder::new();
    let table = Attendance::open(&folder.0.join("attendance.db")).await.unwrap();
    table.put_slot("a", "A", 1).await.unwrap();
    table.put_slot("b", "B", 1).await.unwrap();
    let guest = |phone: &str, name: &str, slot: Option<&str>| Guest {
        phone: phone.into(),
        name: name.into(),
        attendance: if slot.is_some() { "attending".into() } else { "invited".into() },
        slot: slot.map(Into::into),
    };
    table.put_guest(&guest("+811", "田中 花子", Some("a"))).await.unwrap();
    table.put_guest(&guest("+812", "Ann Lee", None)).await.unwrap();
    let origin = |key| Origin { key, call: "call" };
    let wish = |attending, slot: Option<&str>| Wish { attending, slot: slot.map(Into::into) };

    let stranger = table.change(origin("k1"), "+819", "田中花子", &wish(false, None)).await;
    assert!(matches!(stranger, Err(AttendanceError::Unknown)));
    for name in ["田中", "", "山田花子"] {
        let wrong = table.change(origin("k1"), "+811", name, &wish(false, None)).await;
        assert!(matches!(wrong, Err(AttendanceError::Unknown)), "{name}");
    }
    let full = table.change(origin("k2"), "+812", "ann lee", &wish(true, Some("a"))).await;
    assert!(matches!(full, Err(AttendanceError::Full)));
    let nowhere = table.change(origin("k2"), "+812", "ann lee", &wish(true, Some("z"))).await;
    assert!(matches!(nowhere, Err(AttendanceError::NoSlot)));
    assert!(table.changes("+812").await.unwrap().is_empty(), "what failed has changed nothing");

    let moved = table.change(origin("k3"), "+811", "田中花子様", &wish(true, Some("b"))).await.unwrap();
    assert_eq!(moved.slot.as_deref(), Some("b"));
    table.change(origin("k4"), "+811", "田中花子", &wish(false, None)).await.unwrap();
    let again = table.change(origin("k3"), "+811", "田中花子", &wish(true, Some("b"))).await.unwrap();
    assert_eq!(again.attendance, "declined", "a run that is begun again does nothing twice");
    assert_eq!(table.changes("+811").await.unwrap().len(), 2);
    assert!(table.slots().await.unwrap().iter().all(|slot| slot.free == 1));

    assert!(table.plan_message(origin("m1"), "+811", "words").await.unwrap());
    assert!(table.plan_message(origin("m1"), "+811", "words").await.unwrap(), "nobody knows whether it was sent");
    table.message_sent("m1", "SM1").await.unwrap();
    assert!(!table.plan_message(origin("m1"), "+811", "words").await.unwrap());
    assert_eq!(table.messages("+811").await.unwrap(), [("words".into(), Some("SM1".into()))]);
    table.save_lead(origin("l1"), None, "name", "interest").await.unwrap();
    table.save_lead(origin("l1"), None, "name", "interest").await.unwrap();
    assert_eq!(table.leads().await.unwrap(), 1);
}

#[test]
fn instructions_come_from_a_file_and_all_that_is_wrong_with_it_is_told() {
    let folder = Folder::new();
    let file = folder.0.join("instructions.md");
    let mut arguments = SipArguments::default();
    arguments.openai.openai_api_key = Some("sk".into());
    arguments.openai.openai_base_url = Some("http://127.0.0.1:4010/v1".into());
    arguments.openai_webhook_secret = Some(SECRET.into());
    arguments.instructions = Some(file.clone());
    let problems = |arguments: &SipArguments| SipSettings::check(arguments).unwrap_err().problems;
    let told = problems(&arguments);
    assert!(told.len() == 1 && told[0].contains("cannot be read"), "{told:?}");
    std::fs::write(&file, " \n").unwrap();
    assert!(problems(&arguments)[0].contains("is empty"));
    std::fs::write(&file, "For {company}: {name} and {event} {date} {name}, as JSON: {\"a\": {}}").unwrap();
    let told = problems(&arguments);
    assert!(told.len() == 2 && told[0].contains("{name}") && told[1].contains("{date}"), "{told:?}");
    std::fs::write(&file, "x".repeat(70_000)).unwrap();
    assert!(problems(&arguments)[0].contains("longer than 64 KiB"));
    std::fs::write(&file, "You answer for {company}.").unwrap();
    assert_eq!(SipSettings::check(&arguments).unwrap().instructions, "You answer for {company}.");
}

#[test]
fn all_that_is_wrong_with_the_settings_is_told_at_once() {
    let mut arguments = SipArguments::default();
    arguments.twilio_account_sid = Some("AC1".into());
    arguments.bind = Some("nowhere".into());
    let problems = SipSettings::check(&arguments).unwrap_err().problems;
    for word in ["OPENAI_API_KEY", "OPENAI_WEBHOOK_SECRET", "SMS_FROM", "BIND"] {
        assert!(problems.iter().any(|problem| problem.contains(word)), "{word} in {problems:?}");
    }
    arguments = SipArguments::default();
    arguments.openai.openai_api_key = Some("sk-secret".into());
    arguments.openai_webhook_secret = Some("whsec_AQID,whsec_BAUG".into());
    let problems = SipSettings::check(&arguments).unwrap_err().problems;
    assert!(
        problems.len() == 1 && problems[0].starts_with("API_TOKEN is not set"),
        "webhooks come from outside: {problems:?}"
    );
    arguments.api_token = Some("token-secret".into());
    let settings = SipSettings::check(&arguments).unwrap();
    assert_eq!(settings.secrets.len(), 2, "both are right during a rotation");
    assert!(!format!("{settings:?}").contains("secret\""), "no secret shows");
}
