//! Whole requests, as a server gets them.

use bytes::Bytes;
use http::{Request, StatusCode, request::Parts};
use twilio_twiml::webhook::{Form, Rejected, Verifier, signature::AuthToken};

const PUBLIC: &str = "https://bridge.example.com";

fn old() -> AuthToken {
    AuthToken::new("9f2c4b7a1d3e5f60718293a4b5c6d7e8")
}

fn new() -> AuthToken {
    AuthToken::new("0123456789abcdef0123456789abcdef")
}

fn request(method: &str, target: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn form_post(target: &str, signature: &str) -> Parts {
    let kind = ("content-type", "application/x-www-form-urlencoded; charset=utf-8");
    request("POST", target, &[kind, ("x-twilio-signature", signature)])
}

#[test]
fn a_signed_form_is_let_in_and_can_be_read() {
    let body = "Digits=1&CallSid=CAfedcba9876543210fedcba9876543210";
    let signature = old().sign_form("https://bridge.example.com/gather?step=2", &Form::parse(body.as_bytes()));
    let mut parts = form_post("/gather?step=2", &signature);
    parts.headers.insert("i-twilio-idempotency-token", "e1b2".parse().unwrap());
    let webhook = Verifier::new(PUBLIC, old()).webhook(&parts, body).unwrap();
    assert_eq!(webhook.form().get("Digits"), Some("1"));
    assert_eq!(webhook.body(), body);
    assert_eq!(webhook.idempotency_token(), Some("e1b2"));
}

#[test]
fn a_public_url_may_have_a_path_in_front() {
    let signature = old().sign_form("https://h.example/phone/voice", &Form::new());
    let parts = form_post("/voice", &signature);
    assert!(Verifier::new("https://h.example/phone/", old()).webhook(&parts, "").is_ok());
}

#[test]
fn every_token_counts_while_tokens_are_changed() {
    let verifier = Verifier::new(PUBLIC, new()).or_token(old());
    for token in [old(), new()] {
        let parts = form_post("/v", &token.sign_form("https://bridge.example.com/v", &Form::new()));
        assert!(verifier.webhook(&parts, "").is_ok());
        assert!(Verifier::new(PUBLIC, AuthToken::new("third")).webhook(&parts, "").is_err());
    }
}

#[test]
fn what_is_turned_away_says_why() {
    let verifier = Verifier::new(PUBLIC, old());
    let kind = ("content-type", "application/x-www-form-urlencoded");
    let unsigned = verifier.webhook(&request("POST", "/v", &[kind]), "").unwrap_err();
    assert_eq!((&unsigned, unsigned.status()), (&Rejected::Unsigned, StatusCode::BAD_REQUEST));

    let forged = verifier.webhook(&form_post("/v?secret=1", "AAAA"), "From=%2B14155550100&Body=hi").unwrap_err();
    assert_eq!(forged.status(), StatusCode::FORBIDDEN);
    assert_eq!(forged.to_string(), "the signature of /v does not match, with the parameters From, Body");

    let signature = old().sign_get("https://bridge.example.com/v");
    let json = [("content-type", "application/json"), ("x-twilio-signature", &signature)];
    assert_eq!(verifier.webhook(&request("POST", "/v", &json), "{}").unwrap_err(), Rejected::Body);
}

#[test]
fn a_get_and_a_json_body_are_checked_by_their_own_rules() {
    let verifier = Verifier::new(PUBLIC, old());
    let signature = old().sign_get("https://bridge.example.com/v?CallStatus=busy");
    let get = request("GET", "/v?CallStatus=busy", &[("x-twilio-signature", &signature)]);
    assert_eq!(verifier.webhook(&get, "").unwrap().form().get("CallStatus"), Some("busy"));
    let smuggled = verifier.webhook(&get, "CallStatus=completed").unwrap();
    assert_eq!(smuggled.form().get("CallStatus"), Some("busy"));
    assert!(smuggled.body().is_empty(), "a body that nobody signed got through");

    let twice = old().sign_get("https://bridge.example.com/v?a=1&a=2&b=3&a=1");
    let get = |target: &str| request("GET", target, &[("x-twilio-signature", &twice)]);
    let webhook = verifier.webhook(&get("/v?a=1&a=2&b=3&a=1"), "").unwrap();
    assert_eq!(webhook.form().iter().collect::<Vec<_>>(), [("a", "1"), ("a", "2"), ("b", "3"), ("a", "1")]);
    for other in ["/v?a=1&a=2&b=3", "/v?a=2&a=1&b=3&a=1", "/v?b=3&a=1&a=2&a=1"] {
        assert!(verifier.webhook(&get(other), "").is_err(), "{other}");
    }

    let signed = old().sign_body("https://bridge.example.com/json", b"{}");
    let target = signed.url.strip_prefix(PUBLIC).unwrap();
    let json = [("content-type", "application/json"), ("x-twilio-signature", &signed.signature)];
    assert_eq!(verifier.webhook(&request("POST", target, &json), "{}").unwrap().body(), "{}");
    assert!(verifier.webhook(&request("POST", target, &json), Bytes::from("[]")).is_err());
}

#[test]
fn an_upgrade_is_signed_with_the_scheme_of_websockets() {
    let verifier = Verifier::new(PUBLIC, old());
    for url in ["wss://bridge.example.com/media/1", "wss://bridge.example.com/media/1/"] {
        let parts = request("GET", "/media/1", &[("x-twilio-signature", &old().sign_get(url))]);
        assert!(verifier.upgrade(&parts).is_ok(), "{url}");
    }
    let https = old().sign_get("https://bridge.example.com/media/1");
    assert!(verifier.upgrade(&request("GET", "/media/1", &[("x-twilio-signature", &https)])).is_err());
    assert_eq!(verifier.upgrade(&request("GET", "/media/1", &[])).unwrap_err(), Rejected::Unsigned);

    let local = Verifier::new("http://127.0.0.1:8080", old());
    let signature = old().sign_get("ws://127.0.0.1:8080/media");
    assert!(local.upgrade(&request("GET", "/media", &[("x-twilio-signature", &signature)])).is_ok());
}

#[test]
fn forwarded_headers_count_only_when_they_are_trusted() {
    let signature = old().sign_get("https://evil.example/v");
    let headers = [
        ("x-twilio-signature", signature.as_str()),
        ("host", "10.0.0.7:3000"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "https, http"),
    ];
    let parts = request("GET", "/v", &headers);
    assert!(Verifier::new(PUBLIC, old()).webhook(&parts, "").is_err());
    assert!(Verifier::behind_trusted_proxy(old()).webhook(&parts, "").is_ok());

    let direct = old().sign_get("http://10.0.0.7:3000/v");
    let parts = request("GET", "/v", &[("x-twilio-signature", &direct), ("host", "10.0.0.7:3000")]);
    assert!(Verifier::behind_trusted_proxy(old()).webhook(&parts, "").is_ok());
    let nowhere = request("GET", "/v", &[("x-twilio-signature", &direct)]);
    assert_eq!(Verifier::behind_trusted_proxy(old()).webhook(&nowhere, "").unwrap_err(), Rejected::Host);
}

#[test]
fn an_empty_token_lets_nobody_in() {
    let empty = AuthToken::new("");
    let parts = form_post("/v", &empty.sign_form("https://bridge.example.com/v", &Form::new()));
    assert!(Verifier::new(PUBLIC, empty).webhook(&parts, "").is_err(), "everybody can sign with an empty token");
}

#[test]
fn the_scheme_of_a_public_url_may_be_left_out_or_shouted() {
    let parts = form_post("/v", &old().sign_form("https://bridge.example.com/v", &Form::new()));
    for public in ["bridge.example.com", "HTTPS://bridge.example.com"] {
        assert!(Verifier::new(public, old()).webhook(&parts, "").is_ok(), "{public}");
    }
}

#[test]
fn a_stranger_decides_little_of_what_is_told() {
    let body = format!("{}=1&a%0Ab=2&{}", "x".repeat(100_000), "y=1&".repeat(100_000));
    let rejected = Verifier::new(PUBLIC, old()).webhook(&form_post("/v", "AAAA"), body).unwrap_err();
    assert!(rejected.to_string().len() < 1_000, "{rejected}");
    assert!(rejected.to_string().contains("a\\nb"), "{rejected}");
}

#[test]
fn nothing_secret_is_in_the_debug_form() {
    let body = "From=%2B14155550100&SpeechResult=hunter2";
    let parts = form_post("/v", &old().sign_form("https://bridge.example.com/v", &Form::parse(body.as_bytes())));
    let shown = format!("{:?}", Verifier::new(PUBLIC, old()).webhook(&parts, body).unwrap());
    assert!(shown.contains("SpeechResult") && !shown.contains("hunter2") && !shown.contains("5550100"), "{shown}");

    let shown = format!("{:?}", Verifier::new(PUBLIC, old()));
    assert!(!shown.contains("9f2c"), "{shown}");
}
