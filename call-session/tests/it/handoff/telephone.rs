//! The telephone by Twilio's REST API: what it asks for, and what it makes of the answers.

use std::sync::Arc;

use call_session::{
    call::{CallSession, HandoffMode, NewCall, SessionEvent, SupervisorRole},
    handoff::{
        Ask, Desk, Effect, HandoffDoors, HandoffSettings, HandoffStrategy, LineError, Person, Telephone,
        TwilioTelephone, Wanted, WarmTransfer, decide, request, room_name,
    },
    id::{LegId, NodeId, SessionId},
};
use jiff::Timestamp;
use twilio_twiml::{
    rest::{Client, Config},
    sid::CallSid,
    twiml::{self, Conference, Response},
    webhook::{Form, signature::AuthToken},
};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{body_string_contains, method, path, query_param},
};

use super::lines::Lines;

const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";
const CALLER: &str = "CAfedcba9876543210fedcba9876543210";

#[derive(Debug)]
struct Doors;

impl HandoffDoors for Doors {
    fn caller(&self, session: SessionId) -> String {
        format!("https://bridge.example.com/caller/{session}")
    }

    fn leg(&self, session: SessionId, leg: LegId) -> String {
        format!("https://bridge.example.com/leg/{session}/{leg}")
    }

    fn leg_status(&self, session: SessionId, leg: LegId) -> String {
        format!("https://bridge.example.com/leg-status/{session}/{leg}")
    }

    fn leg_machine(&self, session: SessionId, leg: LegId) -> String {
        format!("https://bridge.example.com/leg-machine/{session}/{leg}")
    }
}

async fn telephone(server: &MockServer) -> TwilioTelephone {
    let config = Config::new(ACCOUNT.parse().unwrap(), AuthToken::new("secret")).with_base_url(server.uri());
    TwilioTelephone::new(Client::new(config.with_retries(0)).unwrap(), Arc::new(Doors))
}

async fn answers(server: &MockServer, status: u16, body: serde_json::Value) {
    let caller = path(format!("/2010-04-01/Accounts/{ACCOUNT}/Calls/{CALLER}.json"));
    let answer = ResponseTemplate::new(status).set_body_json(body);
    Mock::given(method("POST")).and(caller).respond_with(answer).up_to_n_times(1).mount(server).await;
}

#[tokio::test]
async fn what_went_wrong_is_told_by_whether_it_happened() {
    let server = MockServer::start().await;
    let telephone = telephone(&server).await;
    let (session, caller): (_, CallSid) = (SessionId::new(), CALLER.parse().unwrap());
    let refusal = |code: u32, status: u16| serde_json::json!({"code": code, "message": "no", "status": status});
    for (status, code, error) in [
        (400, 21_220, LineError::NotInProgress),
        (404, 20_404, LineError::NotInProgress),
        (429, 20_429, LineError::NotDone),
        (400, 21_205, LineError::NotDone),
        (503, 0, LineError::Unknown),
    ] {
        answers(&server, status, refusal(code, status)).await;
        assert_eq!(telephone.redirect(session, &caller).await, Err(error), "{status} {code}");
    }
    answers(&server, 200, serde_json::json!({"sid": CALLER, "status": "in-progress"})).await;
    assert_eq!(telephone.redirect(session, &caller).await, Ok(()));
    // The request names the door of the call.
    let asked = server.received_requests().await.unwrap();
    assert!(String::from_utf8_lossy(&asked[0].body).contains(&format!("caller%2F{session}")));
}

#[tokio::test]
async fn the_log_says_twilios_code_and_no_number() {
    let server = MockServer::start().await;
    let refusal = serde_json::json!({
        "code": 21_215, "status": 400,
        "message": "Account not authorized to call +81311112222.",
    });
    Mock::given(method("POST"))
        .and(path(format!("/2010-04-01/Accounts/{ACCOUNT}/Calls.json")))
        .respond_with(ResponseTemplate::new(400).set_body_json(refusal))
        .mount(&server)
        .await;
    let telephone = telephone(&server).await;
    let from: twilio_twiml::phone::Address = "+81312345678".into();
    let dial = call_session::handoff::Dial::new(SessionId::new(), LegId::new(), "+81311112222", from);
    let (lines, guard) = Lines::listen();
    assert_eq!(telephone.dial(&dial).await, Err(LineError::NotDone));
    drop(guard);
    let lines = lines.lock().unwrap().join("\n");
    assert!(lines.contains("WARN") && lines.contains("21215") && lines.contains("dial"), "{lines}");
    assert!(!lines.contains("+81") && !lines.contains("1311112222"), "{lines}");
}

#[tokio::test]
async fn a_caller_without_a_stream_gets_the_document_itself() {
    let server = MockServer::start().await;
    let telephone = telephone(&server).await;
    let caller: CallSid = CALLER.parse().unwrap();
    let room = Conference::new(room_name(SessionId::new()));
    let document = Response::new().dial(twiml::Dial::to(room)).to_inline().unwrap();
    for (status, code, error) in [(400, 21_220, LineError::NotInProgress), (503, 0, LineError::Unknown)] {
        let refusal = serde_json::json!({"code": code, "message": "no", "status": status});
        answers(&server, status, refusal).await;
        assert_eq!(telephone.run(&caller, &document).await, Err(error), "{status} {code}");
    }
    answers(&server, 200, serde_json::json!({"sid": CALLER, "status": "in-progress"})).await;
    assert_eq!(telephone.run(&caller, &document).await, Ok(()));
    let asked = server.received_requests().await.unwrap();
    let form = Form::parse(&asked[0].body);
    assert_eq!(form.get("Twiml"), Some(document.as_str()));
    assert_eq!(form.get("Url"), None);
}

#[tokio::test]
async fn who_whispers_is_heard_by_the_person_alone() {
    let server = MockServer::start().await;
    let telephone = telephone(&server).await;
    let (room, supervisor, person) =
        ("CF0123456789abcdef0123456789abcdef", CALLER, "CA00000000000000000000000000000001");
    let past = serde_json::json!({"sid": "CF00000000000000000000000000000001", "status": "completed"});
    let rooms = serde_json::json!({"conferences": [past, {"sid": room, "status": "in-progress"}]});
    let account = format!("/2010-04-01/Accounts/{ACCOUNT}");
    Mock::given(method("GET"))
        .and(path(format!("{account}/Conferences.json")))
        .and(query_param("FriendlyName", "call-1"))
        .respond_with(ResponseTemplate::new(200).set_body_json(rooms))
        .mount(&server)
        .await;
    let changed = serde_json::json!({"call_sid": supervisor, "conference_sid": room});
    Mock::given(method("POST"))
        .and(path(format!("{account}/Conferences/{room}/Participants/{supervisor}.json")))
        .respond_with(ResponseTemplate::new(200).set_body_json(changed))
        .mount(&server)
        .await;
    let (supervisor, person): (CallSid, CallSid) = (supervisor.parse().unwrap(), person.parse().unwrap());
    let role = async |role, coached| telephone.set_role("call-1", &supervisor, role, coached).await;
    assert_eq!(role(SupervisorRole::Listen, Some(&person)).await, Ok(()));
    assert_eq!(role(SupervisorRole::Whisper, Some(&person)).await, Ok(()));
    assert_eq!(role(SupervisorRole::Join, Some(&person)).await, Ok(()));
    // Nobody to whisper to: the caller would hear it.
    assert_eq!(role(SupervisorRole::Whisper, None).await, Err(LineError::NotDone));
    let asked = server.received_requests().await.unwrap();
    let posted = asked.iter().filter(|request| request.method == "POST");
    let posted: Vec<_> = posted.map(|request| String::from_utf8_lossy(&request.body).into_owned()).collect();
    let whisper = format!("Muted=false&Coaching=true&CallSidToCoach={person}");
    assert_eq!(posted, ["Muted=true&Coaching=false", &whisper, "Muted=false&Coaching=false"]);
}

#[test]
fn a_leg_has_a_name_before_it_is_dialled() {
    let now: Timestamp = "2026-11-21T09:00:00Z".parse().unwrap();
    let mut call = CallSession::new(SessionId::new(), now, NewCall::outbound("+81312345678", "+819012345678"));
    call.take([SessionEvent::Answered.at(now)]).unwrap();
    let people = [Person::new("sato".parse().unwrap(), "+81311112222")];
    let settings = HandoffSettings::default();
    let plan = WarmTransfer.plan(&Ask::new(&call, &people, &Wanted::Anyone, &settings)).unwrap();
    assert_eq!(plan.mode, HandoffMode::Warm);
    call.take([request(plan, "rule", "").at(now)]).unwrap();

    let mut desk = Desk::new(NodeId::unique(), now, false);
    let leg = LegId::new();
    desk.offer(leg);
    let mut dialled = Vec::new();
    for _ in 0..8 {
        let decision = decide(&call.summary, &desk, now, leg);
        // What has to be written down comes first, and nothing is done before it is.
        assert!(decision.propose.is_empty() || decision.effects.is_empty());
        call.take(decision.propose.into_iter().map(|event| event.at(now))).unwrap();
        for effect in decision.effects {
            desk.begin(&effect);
            if let Effect::KeepFree { .. } = effect {
                desk.end(&effect, true, now);
                desk.hear(&effect, true, now);
                continue;
            }
            dialled.push(effect);
        }
    }
    assert!(matches!(dialled.as_slice(), [Effect::Dial { leg: named, .. }] if *named == leg), "{dialled:?}");
    assert!(call.summary.legs.contains_key(&leg));
}

#[tokio::test]
async fn a_leg_rings_with_its_name_in_every_url() {
    let server = MockServer::start().await;
    let created = ResponseTemplate::new(201).set_body_json(serde_json::json!({"sid": CALLER, "status": "queued"}));
    Mock::given(method("POST"))
        .and(path(format!("/2010-04-01/Accounts/{ACCOUNT}/Calls.json")))
        .and(body_string_contains("MachineDetection=Enable"))
        .and(body_string_contains("AsyncAmd=true"))
        .and(body_string_contains("Timeout=20"))
        .respond_with(created)
        .expect(1)
        .mount(&server)
        .await;
    let telephone = telephone(&server).await;
    let (session, leg) = (SessionId::new(), LegId::new());
    let from: twilio_twiml::phone::Address = "+81312345678".into();
    let dial = call_session::handoff::Dial::new(session, leg, "+81311112222", from);
    assert_eq!(telephone.dial(&dial).await.unwrap().as_str(), CALLER);
    let asked = server.received_requests().await.unwrap();
    let body = String::from_utf8_lossy(&asked[0].body).into_owned();
    for door in ["leg", "leg-status", "leg-machine"] {
        assert!(body.contains(&format!("{door}%2F{session}%2F{leg}")), "{door}");
    }
}
