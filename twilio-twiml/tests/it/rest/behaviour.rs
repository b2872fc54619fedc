//! How the client behaves when things do not go well.

use std::{
    num::NonZeroU32,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use futures_util::{StreamExt, TryStreamExt};
use serde_json::json;
use twilio_twiml::{
    phone::E164,
    rest::{
        AudioFile, CallFilter, Client, Config, Credentials, Download, Error, NewCall, NewMessage, ParticipantUpdate,
        Problem,
    },
    sid::{CallSid, RecordingSid},
    twiml::Url,
    words::RecordingChannels,
};
use wiremock::{
    Mock, MockServer, Request, ResponseTemplate,
    matchers::{any, method, path, query_param},
};

use super::{AC, CA, CF, RE, client, config};

fn new_call() -> NewCall {
    let number: E164 = "+14155550100".parse().unwrap();
    NewCall::new(number.clone(), number, Url::from("https://h.example/voice"))
}

fn call() -> CallSid {
    CA.parse().unwrap()
}

fn queued() -> ResponseTemplate {
    ResponseTemplate::new(201).set_body_json(json!({"sid": CA, "status": "queued"}))
}

fn refusal(status: u16, code: u32) -> ResponseTemplate {
    let body =
        json!({"code": code, "message": "about +14155550100", "more_info": "https://t.example", "status": status});
    ResponseTemplate::new(status).set_body_json(body).insert_header("twilio-request-id", "RQ1")
}

/// A server that answers these in turn, and the last of them for ever.
async fn answering(answers: Vec<ResponseTemplate>) -> MockServer {
    let server = MockServer::start().await;
    let turn = AtomicUsize::new(0);
    let answer = move |_: &Request| {
        let turn = turn.fetch_add(1, Ordering::Relaxed);
        answers[turn.min(answers.len() - 1)].clone()
    };
    Mock::given(any()).respond_with(answer).mount(&server).await;
    server
}

async fn requests(server: &MockServer) -> usize {
    server.received_requests().await.unwrap().len()
}

#[tokio::test]
async fn the_account_or_a_key_authenticates() {
    let server = answering(vec![queued()]).await;
    client(&server).calls().create(&new_call()).await.unwrap();
    let key = Credentials::api_key("SK0123456789abcdef0123456789abcdef".parse().unwrap(), "hush");
    let with_key = Config::new(AC.parse().unwrap(), key).with_base_url(server.uri());
    Client::new(with_key).unwrap().calls().create(&new_call()).await.unwrap();

    let sent = server.received_requests().await.unwrap();
    let expected = [format!("{AC}:secret"), "SK0123456789abcdef0123456789abcdef:hush".to_owned()];
    for (request, expected) in sent.iter().zip(expected) {
        let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, expected);
        assert_eq!(request.headers["authorization"], format!("Basic {encoded}"));
        assert_eq!(request.url.path(), format!("/2010-04-01/Accounts/{AC}/Calls.json"));
        assert!(request.headers["user-agent"].to_str().unwrap().starts_with("twilio-twiml/"));
    }
}

#[tokio::test]
async fn a_refusal_says_what_can_be_done() {
    let cases = [
        (400, 21220, Problem::CallNotInProgress),
        (404, 20404, Problem::NotFound),
        (400, 21211, Problem::InvalidTo),
        (400, 21210, Problem::InvalidFrom),
        (400, 21215, Problem::CountryNotAllowed),
        (400, 21610, Problem::OptedOut),
        (400, 21200, Problem::BadRequest),
        (401, 20003, Problem::Unauthenticated),
        (409, 20409, Problem::Conflict),
        (418, 1, Problem::Other),
    ];
    for (status, code, problem) in cases {
        let server = answering(vec![refusal(status, code)]).await;
        let error = client(&server).call(&call()).end().await.unwrap_err();
        assert_eq!(error.problem(), Some(problem));
        assert!(!error.retryable());
        assert_eq!(requests(&server).await, 1, "{code} was repeated");
        let Error::Refused(refusal) = &error else { panic!("{error:?}") };
        assert_eq!((refusal.status, refusal.code, refusal.request_id.as_deref()), (status, Some(code), Some("RQ1")));
        assert_eq!(refusal.message.as_str(), "about +14155550100");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("5550100"), "{shown}");
    }
}

#[tokio::test]
async fn a_gateway_that_answers_nonsense_is_told_by_its_status() {
    let server = answering(vec![ResponseTemplate::new(502).set_body_string("<html>Bad gateway</html>")]).await;
    let error = client(&server).calls().create(&new_call()).await.unwrap_err();
    let Error::Refused(refusal) = &error else { panic!("{error:?}") };
    assert_eq!((refusal.problem, refusal.code), (Problem::ServerFault, None));

    let server = answering(vec![ResponseTemplate::new(201).set_body_string("not json")]).await;
    let error = client(&server).calls().create(&new_call()).await.unwrap_err();
    assert!(matches!(&error, Error::Unreadable { operation, .. } if operation.starts_with("POST /2010")), "{error:?}");
    assert_eq!(requests(&server).await, 1);
}

#[tokio::test]
async fn a_call_is_created_again_only_if_nothing_was_done() {
    let server = answering(vec![refusal(429, 20429), refusal(429, 20429), queued()]).await;
    client(&server).calls().create(&new_call()).await.unwrap();
    assert_eq!(requests(&server).await, 3);

    for status in [500, 503, 408] {
        let server = answering(vec![refusal(status, 20500), queued()]).await;
        let error = client(&server).calls().create(&new_call()).await.unwrap_err();
        assert!(error.retryable() && !error.was_not_processed());
        assert_eq!(requests(&server).await, 1, "{status} was repeated");
    }
}

#[tokio::test]
async fn what_is_the_same_when_done_twice_is_repeated() {
    let call = call();
    let room = CF.parse().unwrap();
    let ok = || ResponseTemplate::new(200).set_body_json(json!({"sid": CA, "status": "completed"}));
    let leg = || ResponseTemplate::new(200).set_body_json(json!({"call_sid": CA, "conference_sid": CF}));

    let server = answering(vec![refusal(503, 20503), ok()]).await;
    client(&server).call(&call).end().await.unwrap();
    assert_eq!(requests(&server).await, 2);
    let server = answering(vec![refusal(503, 20503), leg()]).await;
    client(&server).conference(&room).participant(&call).mute(true).await.unwrap();
    assert_eq!(requests(&server).await, 2);

    let server = answering(vec![refusal(503, 20503), ok()]).await;
    client(&server).call(&call).redirect("https://h.example/").await.unwrap_err();
    assert_eq!(requests(&server).await, 1, "a redirect was repeated");
    let server = answering(vec![refusal(503, 20503), leg()]).await;
    let announce = ParticipantUpdate::new().announce_url("https://h.example/");
    client(&server).conference(&room).participant(&call).update(&announce).await.unwrap_err();
    assert_eq!(requests(&server).await, 1, "an announcement was repeated");
    let server = answering(vec![refusal(503, 20503), ok()]).await;
    let number: E164 = "+14155550100".parse().unwrap();
    client(&server).messages().send(&NewMessage::new(number.clone(), number, "hi")).await.unwrap_err();
    assert_eq!(requests(&server).await, 1, "a message was repeated");
}

#[tokio::test]
async fn repeating_has_an_end() {
    let server = answering(vec![refusal(429, 20429)]).await;
    let client = Client::new(config(&server).with_retries(1)).unwrap();
    assert_eq!(client.call(&call()).fetch().await.unwrap_err().problem(), Some(Problem::TooManyRequests));
    assert_eq!(requests(&server).await, 2);
}

#[tokio::test]
async fn twilio_can_ask_for_a_longer_pause() {
    let ok = ResponseTemplate::new(200).set_body_json(json!({"sid": CA, "status": "completed"}));
    let server = answering(vec![refusal(429, 20429).insert_header("retry-after", "1"), ok]).await;
    let start = tokio::time::Instant::now();
    client(&server).call(&call()).fetch().await.unwrap();
    assert!(start.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_pause_that_is_too_long_is_left_to_the_caller() {
    let server = answering(vec![refusal(429, 20429).insert_header("retry-after", "3600"), queued()]).await;
    let error = client(&server).calls().create(&new_call()).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3600)));
    assert_eq!(requests(&server).await, 1, "it was repeated earlier than Twilio asked for");
}

#[tokio::test]
async fn a_create_is_not_sent_on_to_another_place() {
    let other = answering(vec![queued()]).await;
    for status in [301, 302, 303, 307, 308] {
        let server = answering(vec![ResponseTemplate::new(status).insert_header("location", other.uri())]).await;
        let error = client(&server).calls().create(&new_call()).await.unwrap_err();
        assert_eq!(error.problem(), Some(Problem::Other));
        assert!(!error.retryable());
        assert_eq!((requests(&server).await, requests(&other).await), (1, 0), "{status} was followed");
    }
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_not_waited_for() {
    let slow = queued().set_delay(Duration::from_secs(60));
    let server = answering(vec![slow]).await;
    let client = Client::new(config(&server).with_timeout(Duration::from_millis(1_500)).with_retries(1)).unwrap();
    assert!(matches!(client.calls().create(&new_call()).await.unwrap_err(), Error::TimedOut));
    assert_eq!(requests(&server).await, 1, "a call was created twice");
    assert!(matches!(client.call(&call()).fetch().await.unwrap_err(), Error::TimedOut));
    assert_eq!(requests(&server).await, 3);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let token = twilio_twiml::webhook::signature::AuthToken::new("secret");
    let config = Config::new(AC.parse().unwrap(), token).with_base_url(base).with_retries(0);
    let error = Client::new(config).unwrap().calls().create(&new_call()).await.unwrap_err();
    assert!(matches!(&error, Error::Unreachable(_)), "{error:?}");
    assert!(error.was_not_processed() && error.retryable());
}

#[tokio::test]
async fn creates_have_a_pace_and_others_do_not() {
    let server = answering(vec![queued()]).await;
    let client = Client::new(config(&server).with_creates_per_second(NonZeroU32::new(10).unwrap())).unwrap();
    let start = tokio::time::Instant::now();
    let (calls, call, new) = (client.calls(), call(), new_call());
    let creates = futures_util::future::join_all((0..4).map(|_| calls.create(&new))).await;
    assert!(creates.iter().all(Result::is_ok));
    assert!(start.elapsed() >= Duration::from_millis(300));

    let client = Client::new(config(&server).with_creates_per_second(NonZeroU32::MIN).with_waiting_creates(0)).unwrap();
    client.calls().create(&new).await.unwrap();
    let (first, second) = futures_util::future::join(client.calls().create(&new), async {
        tokio::task::yield_now().await;
        let crowded = client.calls().create(&new).await;
        client.call(&call).fetch().await.unwrap();
        crowded
    })
    .await;
    assert!(first.is_ok());
    assert!(matches!(second.unwrap_err(), Error::Crowded { waiting: 0 }));
}

/// One that has less patience gives up earlier, and takes its turn among the creates of the other.
#[tokio::test]
async fn a_client_with_less_patience_keeps_to_the_same_pace() {
    let late = ResponseTemplate::new(200).set_body_json(json!({"sid": CA, "status": "completed"}));
    let server = answering(vec![queued(), late.set_delay(Duration::from_secs(60))]).await;
    let patient =
        Client::new(config(&server).with_creates_per_second(NonZeroU32::MIN).with_waiting_creates(0)).unwrap();
    let hurried = patient.with_patience(Duration::from_millis(200), 0).unwrap();
    let new = new_call();
    patient.calls().create(&new).await.unwrap();
    let began = tokio::time::Instant::now();
    assert!(hurried.call(&call()).fetch().await.is_err());
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    // The other's turn is waited for, and there is no second place to wait.
    let calls = hurried.calls();
    let both = futures_util::future::join(calls.create(&new), async {
        tokio::task::yield_now().await;
        patient.calls().create(&new).await
    });
    assert!(matches!(both.await.1.unwrap_err(), Error::Crowded { waiting: 0 }));
}

#[tokio::test]
async fn a_list_goes_over_its_pages_and_to_no_other_host() {
    let server = MockServer::start().await;
    let calls = format!("/2010-04-01/Accounts/{AC}/Calls.json");
    let page = |sids: std::ops::Range<u32>, next: serde_json::Value| {
        let calls: Vec<_> = sids.map(|n| json!({"sid": format!("CA{n:032}"), "status": "completed"})).collect();
        ResponseTemplate::new(200).set_body_json(json!({"calls": calls, "next_page_uri": next, "page": 0}))
    };
    let next = |token: &str| json!(format!("{calls}?PageSize=1000&PageToken={token}"));
    let absolute = json!(format!("{}{calls}?PageToken=c", server.uri()));
    Mock::given(query_param("PageToken", "b")).respond_with(page(2..3, absolute)).mount(&server).await;
    Mock::given(query_param("PageToken", "c")).respond_with(page(0..0, next("d"))).mount(&server).await;
    Mock::given(query_param("PageToken", "d"))
        .respond_with(page(3..4, json!("https://evil.example/2010-04-01/")))
        .mount(&server)
        .await;
    Mock::given(path(calls.as_str())).respond_with(page(0..2, next("b"))).with_priority(9).mount(&server).await;

    let client = client(&server);
    let mut listed: Vec<_> = client.calls().list(&CallFilter::new()).collect().await;
    let elsewhere = listed.pop().unwrap().unwrap_err();
    assert!(
        matches!(&elsewhere, Error::Unreadable { .. }),
        "a list that goes on elsewhere seemed whole: {elsewhere:?}"
    );
    let sids: Vec<_> = listed.into_iter().map(|call| call.unwrap().sid.as_str().to_owned()).collect();
    assert_eq!(sids, (0..4).map(|n| format!("CA{n:032}")).collect::<Vec<_>>());

    // A page is fetched when it is needed, not before.
    let before = requests(&server).await;
    let two: Vec<_> = client.calls().list(&CallFilter::new()).take(2).collect().await;
    assert_eq!((two.len(), requests(&server).await - before), (2, 1));
}

#[tokio::test]
async fn a_list_that_breaks_says_so_and_ends() {
    let server = answering(vec![refusal(403, 20403)]).await;
    let items: Vec<_> = client(&server).calls().list(&CallFilter::new()).collect().await;
    assert!(matches!(&items[..], [Err(error)] if error.problem() == Some(Problem::Forbidden)));
}

#[tokio::test]
async fn a_recording_is_downloaded_piece_by_piece() {
    let (server, files) = (MockServer::start().await, MockServer::start().await);
    let audio = vec![7_u8; 300_000];
    let to_files = ResponseTemplate::new(302).insert_header("location", format!("{}/file", files.uri()));
    Mock::given(path(format!("/2010-04-01/Accounts/{AC}/Recordings/{RE}.wav")))
        .respond_with(to_files)
        .mount(&server)
        .await;
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(200).set_body_bytes(audio.clone()))
        .mount(&files)
        .await;

    let recording: RecordingSid = RE.parse().unwrap();
    let client = client(&server);
    let pieces: Vec<_> =
        client.recording(&recording).download(AudioFile::Wav).await.unwrap().try_collect().await.unwrap();
    assert!(pieces.len() > 1);
    assert_eq!(pieces.concat(), audio);
    let fetched = files.received_requests().await.unwrap();
    assert!(!fetched[0].headers.contains_key("authorization"), "the token went to another host");

    let both = Download::new(AudioFile::Wav).requested_channels(RecordingChannels::Dual);
    drop(client.recording(&recording).download(both).await.unwrap());
    let asked = server.received_requests().await.unwrap();
    assert_eq!(asked.last().unwrap().url.query(), Some("RequestedChannels=2"));

    let absent = client.recording(&recording).download(AudioFile::Mp3).await.err().unwrap();
    assert_eq!(absent.problem(), Some(Problem::NotFound));
}

#[tokio::test]
async fn a_file_that_is_always_elsewhere_is_given_up() {
    let server = answering(vec![ResponseTemplate::new(302).insert_header("location", "/again")]).await;
    let recording: RecordingSid = RE.parse().unwrap();
    let error = client(&server).recording(&recording).download(AudioFile::Wav).await.err().unwrap();
    assert!(matches!(&error, Error::Refused(refusal) if refusal.status == 302), "{error:?}");
    let asked = server.received_requests().await.unwrap();
    assert_eq!(asked.len(), 11);
    assert!(asked.iter().all(|request| request.headers.contains_key("authorization")));
}

#[tokio::test]
async fn nothing_secret_is_in_the_debug_form() {
    let server = answering(vec![queued()]).await;
    let shown = format!("{:?}", client(&server));
    assert!(!shown.contains("secret"), "{shown}");
}
