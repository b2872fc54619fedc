//! What answering a webhook costs beside the relay: checking its signature, rendering the document that connects the
//! call, and (for the simulator) reading that document.
//!
//! Excluded: HTTP, parsing of the request's head, and TLS. Decided beforehand: under 5 µs, 1 µs and 20 µs.

mod common;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use twilio_twiml::{
    twiml::{Language, Response, Say, Stream, Voice, parse},
    webhook::{Form, Verifier, VoiceRequest, signature::AuthToken},
};

const PUBLIC_URL: &str = "https://bridge.example.com";
const TARGET: &str = "/api/twilio/voice";

/// The parameters of an incoming call, as many as Twilio sends for a number with caller-name lookup.
const BODY: &str = "AccountSid=AC0123456789abcdef0123456789abcdef&ApiVersion=2010-04-01\
    &CallSid=CAfedcba9876543210fedcba9876543210&CallStatus=ringing&Called=%2B442071838750&CalledCity=&CalledCountry=GB\
    &CalledState=&CalledZip=&Caller=%2B14155550100&CallerCity=SAN+FRANCISCO&CallerCountry=US&CallerName=Jos%C3%A9\
    &CallerState=CA&CallerZip=94105&Direction=inbound&From=%2B14155550100&FromCity=SAN+FRANCISCO&FromCountry=US\
    &FromState=CA&FromZip=94105&StirVerstat=TN-Validation-Passed-A&To=%2B442071838750&ToCity=&ToCountry=GB&ToState=\
    &ToZip=";

fn connect_document() -> Response {
    let stream = Stream::new("wss://bridge.example.com/api/twilio/media-stream/01J8")
        .name("conversation")
        .status_callback("https://bridge.example.com/api/twilio/stream-status")
        .parameter("token", "k3J9+/=")
        .parameter("session", "01J8");
    let apology = Say::new("申し訳ございません。ただいま電話に出ることができません。")
        .language(Language::JaJp)
        .voice(Voice::polly("Mizuki"));
    Response::new().connect(stream).redirect("/api/twilio/after-stream/01J8?try=1&why=closed").say(apology)
}

fn documents(criterion: &mut Criterion) {
    let document = connect_document();
    let xml = document.to_xml().expect("the document is right");
    criterion.bench_function("render the connect document", |bencher| {
        bencher.iter(|| black_box(&document).to_xml());
    });
    criterion.bench_function("build and render the connect document", |bencher| {
        bencher.iter(|| connect_document().to_xml());
    });
    criterion.bench_function("read the connect document", |bencher| {
        bencher.iter(|| parse(black_box(&xml)));
    });
}

fn webhooks(criterion: &mut Criterion) {
    let token = AuthToken::new("9f2c4b7a1d3e5f60718293a4b5c6d7e8");
    let url = format!("{PUBLIC_URL}{TARGET}");
    let form = Form::parse(BODY.as_bytes());
    let signature = token.sign_form(&url, &form);
    criterion.bench_function("check the signature of a form", |bencher| {
        bencher.iter(|| token.is_form_signed(black_box(&url), black_box(&form), black_box(&signature)));
    });

    let media = token.sign_get("wss://bridge.example.com/api/twilio/media-stream/01J8");
    criterion.bench_function("check the signature of an upgrade", |bencher| {
        let url = "wss://bridge.example.com/api/twilio/media-stream/01J8";
        bencher.iter(|| token.is_upgrade_signed(black_box(url), black_box(&media)));
    });

    let verifier = Verifier::new(PUBLIC_URL, token);
    let request = http::Request::post(TARGET)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-twilio-signature", signature)
        .body(())
        .expect("the request is right");
    let (parts, ()) = request.into_parts();
    criterion.bench_function("parse, check and read a voice webhook", |bencher| {
        bencher.iter(|| {
            let webhook = verifier.webhook(black_box(&parts), BODY).expect("it is signed");
            webhook.read::<VoiceRequest>().expect("it is a voice webhook")
        });
    });
}

criterion_group! {
    name = benches;
    config = common::config();
    targets = documents, webhooks
}
criterion_main!(benches);
