//! How documents are fetched.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{body::Body, http::header, response::Response};
use call_simulator::twilio::{CallEnd, CallOptions, CallReport, CallerScript, Event, Number, TwilioSimulator};
use twilio_twiml::words::{CallStatus, Method};

use super::app::{App, Script, TOKEN, status, xml};

fn simulator(number: Number) -> TwilioSimulator {
    TwilioSimulator::builder().auth_token(TOKEN).number(number).start().unwrap()
}

fn number(app: &App, target: &str) -> Number {
    Number::new("+815012345678".parse().unwrap(), format!("http://{}{target}", app.address).parse().unwrap())
}

async fn call(number: Number) -> CallReport {
    simulator(number).call(CallOptions::new(CallerScript::new())).await
}

fn alert(report: &CallReport) -> (u32, CallStatus) {
    let CallEnd::Failed(alert) = &report.end else { panic!("{}", report.timeline) };
    (alert.code.number(), report.status.clone())
}

#[tokio::test]
async fn the_signature_covers_the_query_string_and_the_form() {
    let app = Script::default().twiml("/voice", "<Hangup/>").start().await;
    // The application answers 403 to what is not signed with its token.
    assert_eq!(call(number(&app, "/voice?tenant=7&name=J%C3%B6rg%20M")).await.end, CallEnd::HungUp);
    let stranger = TwilioSimulator::builder().auth_token("another").number(number(&app, "/voice")).start().unwrap();
    let report = stranger.call(CallOptions::new(CallerScript::new())).await;
    assert_eq!(alert(&report), (11_200, CallStatus::Failed));
}

#[tokio::test]
async fn a_get_has_the_parameters_in_its_query() {
    let app = Script::default().twiml("/voice", "<Hangup/>").start().await;
    let report = call(number(&app, "/voice?tenant=7").with_voice_method(Method::Get)).await;
    assert_eq!(report.end, CallEnd::HungUp, "{}", report.timeline);
    let seen = &app.seen("/voice")[0];
    assert_eq!(seen.method, "GET");
    assert!(seen.target.starts_with("/voice?tenant=7&CallSid=CA"), "{}", seen.target);
    assert_eq!(seen.form.get("CallStatus"), Some("ringing"));
}

#[tokio::test]
async fn retries_carry_the_same_idempotency_token() {
    static TRIES: AtomicUsize = AtomicUsize::new(0);
    let app = Script::default()
        .answer("/voice", |_| match TRIES.fetch_add(1, Ordering::SeqCst) {
            0 | 1 => status(503),
            _ => xml("<Response><Hangup/></Response>".into()),
        })
        .start()
        .await;
    let report = call(number(&app, "/voice#rc=2&rp=5xx")).await;
    assert_eq!(report.end, CallEnd::HungUp);
    let tokens: Vec<_> =
        app.seen("/voice").iter().map(|seen| seen.parts.headers["i-twilio-idempotency-token"].clone()).collect();
    assert_eq!(tokens.len(), 3);
    assert!(tokens.iter().all(|token| *token == tokens[0]));
}

#[tokio::test]
async fn redirects_are_followed_and_cookies_kept() {
    fn to(target: &'static str, status: u16) -> impl Fn(&super::app::Seen) -> Response + Send + Sync {
        move |_| {
            let response = Response::builder().status(status).header(header::LOCATION, target);
            response.header(header::SET_COOKIE, "visit=7; Path=/").body(Body::empty()).unwrap()
        }
    }
    let app = Script::default()
        .answer("/voice", to("/moved", 307))
        .answer("/moved", to("/seen-other", 302))
        .twiml("/seen-other", "<Redirect>/next</Redirect>")
        .twiml("/next", "<Hangup/>")
        .answer("/circle", to("/circle", 307))
        .start()
        .await;
    let report = call(number(&app, "/voice")).await;
    assert_eq!(report.end, CallEnd::HungUp, "{}", report.timeline);
    assert_eq!(app.seen("/moved")[0].method, "POST");
    assert_eq!(app.seen("/seen-other")[0].method, "GET");
    assert_eq!(app.seen("/next")[0].parts.headers[header::COOKIE], "visit=7");

    assert_eq!(alert(&call(number(&app, "/circle")).await).0, 11_215);
    assert_eq!(app.seen("/circle").len(), 11);
}

#[tokio::test]
async fn the_fallback_is_asked_and_told_why() {
    let app = Script::default().answer("/voice", |_| status(500)).twiml("/fallback", "<Say>sorry</Say>").start().await;
    let fallback = format!("http://{}/fallback", app.address);
    let report = call(number(&app, "/voice").with_fallback_url(fallback.parse().unwrap())).await;
    assert_eq!(report.end, CallEnd::DocumentEnded, "{}", report.timeline);
    let form = &app.seen("/fallback")[0].form;
    assert_eq!(form.get("ErrorCode"), Some("11200"));
    assert_eq!(form.get("ErrorUrl"), Some(format!("http://{}/voice", app.address).as_str()));
}

#[tokio::test]
async fn answers_that_are_no_documents_end_the_call() {
    let app = Script::default()
        .answer("/empty", |_| xml(String::new()))
        .answer("/json", |_| {
            Response::builder().header(header::CONTENT_TYPE, "application/json").body(Body::from("{}")).unwrap()
        })
        .answer("/large", |_| xml(format!("<Response><!--{}--></Response>", "x".repeat(70_000))))
        .answer("/broken", |_| xml("<Response><Say>".into()))
        .start()
        .await;
    for (path, code) in [("/empty", 11_770), ("/json", 12_300), ("/large", 11_750), ("/broken", 12_100)] {
        assert_eq!(alert(&call(number(&app, path)).await), (code, CallStatus::Failed), "{path}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_or_does_not_answer_ends_the_call() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let url = format!("http://{address}/voice#tt=300");
    let number = Number::new("+815012345678".parse().unwrap(), url.parse().unwrap());
    let placed = tokio::time::Instant::now();
    let report = call(number).await;
    assert_eq!(alert(&report).0, 11_203);
    // Far from the 15 s that it waits unless the URL says otherwise.
    let waited = placed.elapsed();
    assert!(waited >= Duration::from_millis(300) && waited < Duration::from_secs(10), "{waited:?}");
    drop(silent);

    let url = format!("http://{address}/voice");
    let number = Number::new("+815012345678".parse().unwrap(), url.parse().unwrap());
    let report = call(number).await;
    assert_eq!(alert(&report).0, 11_202);
    // What is told is told in order.
    assert!(matches!(report.timeline.moments().last().unwrap().event, Event::Ended(_)), "{}", report.timeline);
}

/// Nothing of a call is left when it is dropped half-way: the server sees the connection end.
#[tokio::test]
async fn a_dropped_call_closes_its_sockets() {
    let (closed, mut is_closed) = tokio::sync::mpsc::channel(1);
    let closed = Mutex::new(Some(closed));
    let app = Script::default()
        .twiml("/voice", "<Connect><Stream url=\"{ws}/media\"/></Connect>")
        .stream(move |mut line| async move {
            line.start().await;
            let closed = closed.lock().unwrap().take().unwrap();
            closed.send("up").await.unwrap();
            while line.text().await.is_some() {}
            closed.send("down").await.unwrap();
        })
        .start()
        .await;
    let twilio = app.twilio();
    let mut call = Box::pin(twilio.call(CallOptions::new(CallerScript::new())));
    tokio::select! {
        report = &mut call => panic!("{}", report.timeline),
        state = is_closed.recv() => assert_eq!(state, Some("up")),
    }
    drop(call);
    let down = tokio::time::timeout(Duration::from_secs(20), is_closed.recv()).await;
    assert_eq!(down.unwrap(), Some("down"));
}
