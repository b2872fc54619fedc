//! Webhooks: who is let in, and what is answered to the others.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use realtime_bridge::realtime::openai::webhook::{
    ClaimError, MemoryReplayGuard, Rejected, ReplayGuard, Verifier, WebhookEvent, WebhookSecret,
};
use serde::Deserialize;
use tokio::task::JoinSet;

const SECRET: &str = "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";
const NOW: u64 = 1_760_000_000;

#[derive(Deserialize)]
struct Vector {
    name: String,
    secret: String,
    now: u64,
    headers: serde_json::Map<String, serde_json::Value>,
    body: String,
    valid: bool,
}

fn vectors() -> Vec<Vector> {
    serde_json::from_str(include_str!("../../../data/openai/webhook-signatures.json")).unwrap()
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let pair =
        |(name, value): &(&str, &str)| (HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
    pairs.iter().map(pair).collect()
}

/// A delivery as the provider makes it.
fn delivery(id: &str, timestamp: u64, body: &[u8]) -> HeaderMap {
    let signature = WebhookSecret::new(SECRET).unwrap().sign(id, timestamp, body);
    headers(&[
        ("content-type", "application/json"),
        ("webhook-id", id),
        ("webhook-timestamp", &timestamp.to_string()),
        ("webhook-signature", &signature),
    ])
}

fn verifier() -> Verifier {
    Verifier::new([WebhookSecret::new(SECRET).unwrap()])
}

#[test]
fn the_published_vectors() {
    for vector in vectors() {
        let verifier = Verifier::new([WebhookSecret::new(&vector.secret).unwrap()]);
        let mut pairs = vec![("content-type", "application/json")];
        pairs.extend(vector.headers.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())));
        let verdict = verifier.verify(at(vector.now), &headers(&pairs), vector.body.as_bytes());
        // A body that is signed and no event is told apart.
        let valid = matches!(verdict, Ok(_) | Err(Rejected::Malformed(_)));
        assert_eq!(valid, vector.valid, "{}: {verdict:?}", vector.name);
    }
}

#[test]
fn a_call_tells_who_rings_and_where() {
    let body = br#"{"id":"evt_1","type":"realtime.call.incoming","created_at":1760000000,"data":{"call_id":"rtc_u1_9c","sip_headers":[
        {"name":"From","value":"\"Alice\" <sip:+14155550100@pstn.example.com>;tag=as1"},
        {"name":"To","value":"<sip:proj_abc123@sip.api.openai.com;transport=tls>"},
        {"name":"DIVERSION","value":"<sip:+14155550199@pstn.example.com>;reason=unconditional"},
        {"name":"X-Twilio-CallSid","value":"CA0123456789abcdef0123456789abcdef"},
        {"name":"X-Tenant","value":"blue"},{"name":"X-Tenant","value":"red"}],"sip_media_security":"srtp"}}"#;
    let webhook = verifier().verify(at(NOW), &delivery("wh_1", NOW, body), body).unwrap();
    assert_eq!((webhook.id(), webhook.at()), ("wh_1", at(NOW)));
    let WebhookEvent::CallIncoming(call) = webhook.into_event() else { panic!("it is a call") };
    assert_eq!(call.call_id.as_str(), "rtc_u1_9c");
    assert_eq!((call.caller(), call.dialled()), (Some("+14155550100"), Some("+14155550199")));
    assert_eq!(call.twilio_call_sid(), Some("CA0123456789abcdef0123456789abcdef"));
    assert_eq!((call.header("x-tenant"), call.header("x-none")), (Some("blue"), None));
    assert_eq!((call.sip_headers.len(), call.media_security.as_deref()), (6, Some("srtp")));
    assert!(
        !call.is_late(at(NOW + 30), Duration::from_secs(30)) && call.is_late(at(NOW + 31), Duration::from_secs(30))
    );
    let shown = format!("{call:?}");
    assert!(!shown.contains("1415") && !shown.contains("blue") && shown.contains("X-Tenant"), "{shown}");
}

#[test]
fn what_is_refused_has_a_status() {
    let body = br#"{"type":"response.completed"}"#;
    let good = delivery("wh_1", NOW, body);
    let with = |name: &'static str, value: &str| {
        let mut headers = good.clone();
        headers.insert(name, HeaderValue::from_str(value).unwrap());
        headers
    };
    let without = |name: &str| {
        let mut headers = good.clone();
        headers.remove(name);
        headers
    };
    let check = |headers: HeaderMap, body: &[u8], now: u64, status: u16| {
        let rejected = verifier().verify(at(now), &headers, body).unwrap_err();
        assert_eq!(rejected.status(), status, "{rejected}");
    };
    assert!(verifier().verify(at(NOW), &with("content-type", "Application/JSON; charset=utf-8"), body).is_ok());
    check(with("content-type", "application/x-www-form-urlencoded"), body, NOW, 415);
    check(without("content-type"), body, NOW, 415);
    check(with("content-length", "65537"), body, NOW, 413);
    check(good.clone(), &vec![b' '; (64 << 10) + 1], NOW, 413);
    check(with("webhook-signature", "v1,AAAA"), body, NOW, 401);
    check(with("webhook-signature", "nonsense"), body, NOW, 401);
    check(good.clone(), b"{}", NOW, 401);
    check(good.clone(), body, NOW + 301, 400);
    check(good.clone(), body, NOW - 301, 400);
    check(with("webhook-timestamp", "+1760000000"), body, NOW, 400);
    check(with("webhook-timestamp", "99999999999999999999"), body, NOW, 400);
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        check(without(name), body, NOW, 400);
    }
    check(delivery("wh_1", NOW, b"[]"), b"[]", NOW, 400);
    let none = Verifier::new([]).verify(at(NOW), &good, body).unwrap_err();
    assert_eq!(none.status(), 401, "without a secret nothing is right");
}

#[test]
fn a_secret_is_rotated_without_a_gap() {
    let body = br#"{"type":"response.completed"}"#;
    let (old, new) = (WebhookSecret::new("old").unwrap(), WebhookSecret::new("new").unwrap());
    let both = format!("v2,AAAA {} {}", old.sign("wh_1", NOW, body), new.sign("wh_1", NOW, body));
    let mut headers = delivery("wh_1", NOW, body);
    let mut accepts = |secrets: &[&WebhookSecret], signature: &str| {
        headers.insert("webhook-signature", HeaderValue::from_str(signature).unwrap());
        Verifier::new(secrets.iter().map(|secret| (*secret).clone())).verify(at(NOW), &headers, body).is_ok()
    };
    assert!(accepts(&[&old], &both) && accepts(&[&new], &both) && accepts(&[&new, &old], &both));
    assert!(accepts(&[&new, &old], &old.sign("wh_1", NOW, body)));
    assert!(!accepts(&[&new], &old.sign("wh_1", NOW, body)));
}

#[tokio::test]
async fn a_delivery_is_done_once_however_many_come_at_a_time() {
    let guard = Arc::new(MemoryReplayGuard::default());
    let mut deliveries = JoinSet::new();
    for _ in 0..50 {
        let guard = guard.clone();
        deliveries.spawn(async move {
            let body = br#"{"type":"response.completed"}"#;
            verifier().receive(at(NOW), &delivery("wh_1", NOW, body), body, guard.as_ref()).await.map(drop)
        });
    }
    let verdicts = deliveries.join_all().await;
    assert_eq!(verdicts.iter().filter(|verdict| verdict.is_ok()).count(), 1);
    let replayed = |verdict: &&Result<(), Rejected>| matches!(verdict, Err(rejected) if rejected.status() == 200);
    assert_eq!(verdicts.iter().filter(replayed).count(), 49);
}

#[tokio::test]
async fn what_came_before_is_remembered_as_long_as_its_signature_is_good() {
    let (verifier, guard) = (verifier(), MemoryReplayGuard::default());
    let body = br#"{"type":"response.completed"}"#;
    let ahead = NOW + 300;
    for id in 0..20 {
        verifier.receive(at(NOW), &delivery(&format!("wh_{id}"), ahead, body), body, &guard).await.unwrap();
    }
    let last = verifier.receive(at(ahead + 300), &delivery("wh_0", ahead, body), body, &guard).await.unwrap_err();
    assert!(matches!(last, Rejected::Replayed), "it would still pass");
    assert_eq!(guard.len(), 20);
    verifier.receive(at(ahead + 302), &delivery("wh_20", ahead + 302, body), body, &guard).await.unwrap();
    assert_eq!(guard.len(), 1, "what is stale by itself needs no memory");
}

#[tokio::test]
async fn a_forgery_claims_nothing() {
    let guard = MemoryReplayGuard::default();
    let body = br#"{"type":"response.completed"}"#;
    let mut forged = delivery("wh_1", NOW, body);
    forged.insert("webhook-signature", HeaderValue::from_static("v1,AAAA"));
    assert!(verifier().receive(at(NOW), &forged, body, &guard).await.is_err() && guard.is_empty());
    verifier().receive(at(NOW), &delivery("wh_1", NOW, body), body, &guard).await.unwrap();
}

#[tokio::test]
async fn a_store_that_is_down_has_the_provider_try_again() {
    struct Down;
    #[async_trait]
    impl ReplayGuard for Down {
        async fn claim(&self, _: &str, _: SystemTime, _: SystemTime) -> Result<bool, ClaimError> {
            Err(ClaimError("down".into()))
        }
    }
    let body = br#"{"type":"response.completed"}"#;
    let rejected = verifier().receive(at(NOW), &delivery("wh_1", NOW, body), body, &Down).await.unwrap_err();
    assert_eq!(rejected.status(), 503);
}

proptest! {
    /// The reference implementation signs as we do.
    #[test]
    fn signatures_are_those_of_the_reference(key in proptest::collection::vec(any::<u8>(), 1..64), id in "[a-z0-9_]{1,20}", time in 0_u32.., body in ".{0,200}") {
        use base64::{Engine, engine::general_purpose::STANDARD};
        let secret = format!("whsec_{}", STANDARD.encode(&key));
        let ours = WebhookSecret::new(&secret).unwrap();
        let theirs = standardwebhooks::Webhook::new(&secret).unwrap().sign(&id, i64::from(time), body.as_bytes()).unwrap();
        prop_assert_eq!(ours.sign(&id, u64::from(time), body.as_bytes()), theirs.clone());
        prop_assert!(ours.is_signed(&id, &time.to_string(), body.as_bytes(), &theirs));
    }

    #[test]
    fn nothing_panics_and_nothing_unsigned_passes(signature in ".{0,80}", time in ".{0,24}", body in proptest::collection::vec(any::<u8>(), 0..64)) {
        let mut headers = delivery("wh_1", NOW, b"other");
        for (name, text) in [("webhook-signature", &signature), ("webhook-timestamp", &time)] {
            if let Ok(value) = HeaderValue::from_str(text) {
                headers.insert(name, value);
            }
        }
        prop_assert!(verifier().verify(at(NOW), &headers, &body).is_err());
    }
}
