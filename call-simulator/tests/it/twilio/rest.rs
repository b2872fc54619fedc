//! The REST API: what it refuses, what it shows, what goes wrong by plan.

use std::{collections::BTreeSet, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use call_simulator::twilio::{CallerScript, Operation, PhoneScript, RestFault, RestServer, TwilioSimulator};
use futures_util::TryStreamExt;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use twilio_twiml::{
    phone::{Address, E164},
    rest::{CallFilter, Client, Config, Credentials, Error, NewCall, Problem},
    twiml::{InlineTwiml, Response},
    webhook::Form,
    words::CallStatus,
};

use super::app::TOKEN;

pub(crate) const OURS: &str = "+815012345678";
pub(crate) const THEIRS: &str = "+819012345678";

/// An account whose API is served, and a client of it.
pub(crate) struct Api {
    pub(crate) twilio: TwilioSimulator,
    pub(crate) server: RestServer,
    pub(crate) client: Client,
}

impl Api {
    pub(crate) async fn of(twilio: TwilioSimulator) -> Self {
        Self::patient(twilio, Duration::from_secs(60)).await
    }

    /// With a client that waits so long for an answer.
    async fn patient(twilio: TwilioSimulator, timeout: Duration) -> Self {
        let server = twilio.serve_rest().await.unwrap();
        let credentials = Credentials::auth_token(twilio.auth_token().expose());
        let config = Config::new(twilio.account_sid().clone(), credentials)
            .with_base_url(server.base_url())
            .with_timeout(timeout)
            .with_creates_per_second(1_000.try_into().unwrap());
        Self { twilio, server, client: Client::new(config).unwrap() }
    }

    async fn alone() -> Self {
        Self::of(account()).await
    }

    /// Posts a form without the client's own care; the status, the headers and the body.
    async fn raw(&self, method: &str, path: &str, form: &Form, token: &str) -> (u16, String, Value) {
        let user = STANDARD.encode(format!("{}:{token}", self.twilio.account_sid()));
        let body = form.encode();
        let path = format!("/2010-04-01/Accounts/{}/{path}", self.twilio.account_sid());
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: twilio\r\nAuthorization: Basic {user}\r\nConnection: close\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let address = self.server.base_url().replace("http://", "");
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_owned(), serde_json::from_str(body).unwrap_or_default())
    }

    /// Posts a form; the status and the body.
    pub(crate) async fn post(&self, path: &str, form: &Form) -> (u16, Value) {
        let (status, _, body) = self.raw("POST", path, form, TOKEN).await;
        (status, body)
    }

    async fn refused(&self, method: &str, path: &str, form: &Form) -> (u16, u64) {
        let (status, _, body) = self.raw(method, path, form, TOKEN).await;
        assert_eq!(body["status"], status);
        assert!(body["message"].is_string());
        (status, body["code"].as_u64().unwrap())
    }
}

fn account() -> TwilioSimulator {
    let number = call_simulator::twilio::Number::new(number(OURS), "http://127.0.0.1:9/voice".parse().unwrap());
    TwilioSimulator::builder().auth_token(TOKEN).number(number).start().unwrap()
}

pub(crate) fn number(text: &str) -> E164 {
    text.parse().unwrap()
}

pub(crate) fn inline(response: Response) -> InlineTwiml {
    response.to_inline().unwrap()
}

fn call() -> Form {
    Form::new().with("To", THEIRS).with("From", OURS).with("Twiml", "<Response><Pause length=\"60\"/></Response>")
}

fn without(form: &Form, name: &str) -> Form {
    form.iter().filter(|(given, _)| *given != name).collect()
}

#[tokio::test]
async fn what_twilio_refuses_is_refused_with_its_code() {
    let api = Api::alone().await;
    let with = |name: &str, value: &str| without(&call(), name).with(name, value);
    for (form, code) in [
        (without(&call(), "To"), 21_201),
        (with("To", "0501234"), 21_211),
        (without(&call(), "From"), 21_213),
        (with("From", "anonymous"), 21_212),
        (with("From", "+14155550100"), 21_210),
        (without(&call(), "Twiml"), 21_205),
        (without(&call(), "Twiml").with("Url", "/voice"), 21_205),
        (without(&call(), "Twiml").with("Url", "https://my_host.example.com/"), 21_205),
        (with("Twiml", "<Response>"), 12_100),
        (with("Twiml", &"x".repeat(4_001)), 21_200),
        (with("Url", "http://127.0.0.1:9/").with("Method", "PUT"), 21_209),
        (with("Timeout", "601"), 21_208),
        (with("SendDigits", "1x"), 21_206),
        (with("ApplicationSid", "AP0123456789abcdef0123456789abcdef"), 21_218),
        (with("MachineDetection", "Perhaps"), 21_234),
        (with("MachineDetectionTimeout", "2"), 21_263),
        (with("StatusCallbackEvent", "picked-up"), 21_200),
        (with("StatusCallBack", "http://127.0.0.1:9/"), 20_001),
    ] {
        assert_eq!(api.refused("POST", "Calls.json", &form).await, (400, code), "{:?}", form.encode());
    }
    assert_eq!(api.twilio.calls(), []);
    let nobody = "Calls/CA0123456789abcdef0123456789abcdef.json";
    assert_eq!(api.refused("GET", nobody, &Form::new()).await, (404, 20_404));
    assert_eq!(api.refused("GET", "Calls/CA1.json", &Form::new()).await, (404, 20_404));
    assert_eq!(api.refused("GET", "Faxes.json", &Form::new()).await, (404, 20_404));
    assert_eq!(api.refused("PUT", "Calls.json", &Form::new()).await, (405, 20_004));
    assert_eq!(api.refused("GET", "Calls.json?PageSize=2000", &Form::new()).await, (400, 20_007));
    let (status, _, body) = api.raw("GET", "Calls.json", &Form::new(), "wrong").await;
    assert_eq!((status, body["code"].as_u64()), (401, Some(20_003)));
}

#[tokio::test]
async fn a_call_resource_has_the_fields_of_twilios_own_example() {
    let api = Api::alone().await;
    let (status, _, call) = api.raw("POST", "Calls.json", &call(), TOKEN).await;
    assert_eq!((status, &call["status"], &call["direction"]), (201, &"queued".into(), &"outbound-api".into()));
    let operations: Value =
        serde_json::from_str(include_str!("../../../../twilio-twiml/tests/data/rest-operations.json")).unwrap();
    let create = operations.as_array().unwrap().iter().find(|operation| operation["id"] == "CreateCall").unwrap();
    let fields = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let missing: Vec<_> = fields(&create["examples"][0]).difference(&fields(&call)).cloned().collect();
    assert_eq!(missing, Vec::<String>::new());
    let unknown: Vec<_> = fields(&call).difference(&fields(&create["examples"][0])).cloned().collect();
    assert_eq!(unknown, Vec::<String>::new());
    api.server.shutdown().await;
}

#[tokio::test]
async fn calls_are_listed_by_who_and_what_newest_first() {
    let api = Api::alone().await;
    api.twilio.phone(number(THEIRS), PhoneScript::busy().after(Duration::from_millis(40)));
    let mut sids = Vec::new();
    for to in [THEIRS, "+819000000000", THEIRS] {
        let call = NewCall::new(number(to), number(OURS), inline(Response::new().say("Hello")));
        sids.push(api.client.calls().create(&call).await.unwrap().sid);
    }
    for sid in &sids {
        api.twilio.report(sid).await.unwrap();
    }
    let list = async |filter: &CallFilter| {
        let calls: Vec<_> = api.client.calls().list(filter).try_collect().await.unwrap();
        calls.into_iter().map(|call| call.sid).collect::<Vec<_>>()
    };
    assert_eq!(list(&CallFilter::new()).await, [sids[2].clone(), sids[1].clone(), sids[0].clone()]);
    let theirs = CallFilter::new().to(Address::from(THEIRS));
    assert_eq!(list(&theirs).await, [sids[2].clone(), sids[0].clone()]);
    assert_eq!(list(&CallFilter::new().status(CallStatus::Failed)).await, [sids[1].clone()]);
    assert_eq!(list(&CallFilter::new().from(Address::from("client:joey"))).await, []);
    let busy = api.client.call(&sids[0]).fetch().await.unwrap();
    assert_eq!((busy.status, busy.start_time.is_some(), busy.end_time.is_some()), (CallStatus::Busy, true, true));
    let (status, ..) = api.raw("DELETE", &format!("Calls/{}.json", sids[0]), &Form::new(), TOKEN).await;
    assert_eq!(status, 204);
    assert_eq!(list(&theirs).await, [sids[2].clone()]);
}

#[tokio::test]
async fn a_list_can_lag_behind() {
    let number_of_ours = call_simulator::twilio::Number::new(number(OURS), "http://127.0.0.1:9/".parse().unwrap());
    let twilio = TwilioSimulator::builder().number(number_of_ours).list_lag(Duration::from_secs(3)).start();
    let api = Api::of(twilio.unwrap()).await;
    let call = NewCall::new(number(THEIRS), number(OURS), inline(Response::new().say("Hello")));
    let made = api.client.calls().create(&call).await.unwrap();
    let listed = async || api.client.calls().list(&CallFilter::new()).try_collect::<Vec<_>>().await.unwrap();
    assert_eq!(listed().await, []);
    assert_eq!(api.client.call(&made.sid).fetch().await.unwrap().sid, made.sid);
    while listed().await.is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn faults_happen_as_planned() {
    let api = Api::patient(account(), Duration::from_secs(3)).await;
    api.twilio.other_phones(PhoneScript::answers(CallerScript::new().hang_up()).after(Duration::from_millis(20)));
    let call = NewCall::new(number(THEIRS), number(OURS), inline(Response::new().say("Hello")));
    let create = || async { api.client.calls().create(&call).await };
    let made = |count: usize| assert_eq!(api.twilio.calls().len(), count);

    api.twilio.plan_rest(Operation::CreateCall, RestFault::AnswerLost);
    let error = create().await.unwrap_err();
    assert!(matches!(error, Error::Broken(_)) && !error.was_not_processed(), "{error:?}");
    made(1);

    // Twilio did nothing, so the client asks again by itself.
    let refusal = RestFault::TooManyRequests { retry_after: None };
    api.twilio.plan_rest(Operation::CreateCall, refusal);
    api.twilio.plan_rest(Operation::CreateCall, refusal);
    create().await.unwrap();
    made(2);
    api.twilio
        .plan_rest(Operation::CreateCall, RestFault::TooManyRequests { retry_after: Some(Duration::from_secs(60)) });
    let error = create().await.unwrap_err();
    assert_eq!((error.problem(), error.retry_after()), (Some(Problem::TooManyRequests), Some(Duration::from_secs(60))));
    made(2);

    for (carried_out, count) in [(false, 2), (true, 3)] {
        api.twilio.plan_rest(Operation::CreateCall, RestFault::ServerError { status: 503, carried_out });
        let error = create().await.unwrap_err();
        assert_eq!((error.problem(), error.was_not_processed()), (Some(Problem::ServerFault), false));
        made(count);
    }

    api.twilio.plan_rest(Operation::CreateCall, RestFault::NeverAnswered);
    assert!(matches!(create().await.unwrap_err(), Error::TimedOut));
    made(4);
    api.twilio.plan_rest(Operation::CreateCall, RestFault::AnswerLate(Duration::from_millis(300)));
    create().await.unwrap();
    made(5);
}

#[tokio::test]
async fn seeded_faults_leave_some_requests_alone() {
    let api = Api::alone().await;
    api.twilio.seed_rest_faults(11, [(50, RestFault::ServerError { status: 500, carried_out: false })]);
    let mut statuses = Vec::new();
    for _ in 0..40 {
        statuses.push(api.raw("GET", "Calls.json", &Form::new(), TOKEN).await.0);
    }
    assert!(statuses.contains(&200) && statuses.contains(&500), "{statuses:?}");
}
