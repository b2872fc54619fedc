//! Signatures computed elsewhere: with Python's `hmac` and OpenSSL, and those that Twilio publishes.

use twilio_twiml::webhook::{Form, signature::AuthToken};

const TOKEN: &str = "9f2c4b7a1d3e5f60718293a4b5c6d7e8";

fn token() -> AuthToken {
    AuthToken::new(TOKEN)
}

#[test]
fn a_form_with_utf8_an_empty_value_and_a_query() {
    let url = "https://bridge.example.com/voice/incoming?tenant=7&lang=en";
    let form = Form::parse(
        b"AccountSid=AC0123456789abcdef0123456789abcdef&ApiVersion=2010-04-01&CallSid=CAfedcba9876543210fedcba9876543210\
          &CallStatus=ringing&CallerName=Jos%C3%A9&Direction=inbound&ForwardedFrom=&From=%2B14155550100&To=%2B442071838750",
    );
    assert_eq!(token().sign_form(url, &form), "4V0obMZJxxkqf6jKxfIjaIQqzqA=");
    assert!(token().is_form_signed(url, &form, "4V0obMZJxxkqf6jKxfIjaIQqzqA="));
}

#[test]
fn a_get_with_a_query() {
    let url = "https://bridge.example.com/voice/status?tenant=7&AccountSid=AC0123456789abcdef0123456789abcdef\
        &CallSid=CAfedcba9876543210fedcba9876543210&CallStatus=completed&CallDuration=42&From=%2B14155550100\
        &To=%2B442071838750";
    assert_eq!(token().sign_get(url), "4AwDNxmZ56QvzLVUPeSeuUnB6+U=");
    assert!(token().is_get_signed(url, "4AwDNxmZ56QvzLVUPeSeuUnB6+U="));
}

#[test]
fn a_json_body_by_its_hash() {
    let body = br#"{"event":"example","callSid":"CAfedcba9876543210fedcba9876543210","n":1}"#;
    let signed = token().sign_body("https://bridge.example.com/hooks/json", body);
    assert_eq!(
        signed.url,
        "https://bridge.example.com/hooks/json?bodySHA256=2b655da9c63fe6e77e76c436b93dd535df6a5afd00faf6392d1796b1f95d8f1e"
    );
    assert_eq!(signed.signature, "nw1Wp6W3MYGpI87j138/X+ECaKY=");
    assert!(token().is_body_signed(&signed.url, body, &signed.signature));
    assert!(!token().is_body_signed(&signed.url, b"{}", &signed.signature), "another body passed");
    let unhashed = token().sign_get("https://bridge.example.com/hooks/json");
    assert!(!token().is_body_signed("https://bridge.example.com/hooks/json", body, &unhashed), "no hash passed");
}

#[test]
fn a_websocket_upgrade_is_signed_with_wss() {
    let signed = [
        ("wss://bridge.example.com/media", "J5C88m5litBTa4sesg+tGvzaPug="),
        ("wss://bridge.example.com/media/", "w+w+vi4dLGSsiu8Ga9o4BMKdoWg="),
        ("wss://bridge.example.com:443/media", "kClTHxsxuPsijdxyXpjL7fKjSjw="),
    ];
    for (url, signature) in signed {
        assert_eq!(token().sign_get(url), signature);
        assert!(token().is_upgrade_signed("wss://bridge.example.com/media", signature), "{url}");
    }
    let https = "AL2e0GEHIaGCWYoua0OCszbK614=";
    assert_eq!(token().sign_get("https://bridge.example.com/media"), https);
    assert!(!token().is_upgrade_signed("wss://bridge.example.com/media", https));
}

#[test]
fn ports_are_dropped_kept_or_added() {
    let form = Form::new().with("CallSid", "CAfedcba9876543210fedcba9876543210").with("From", "+14155550100");
    let signed = [
        ("https://bridge.example.com/voice/incoming", "ic+6fllYAcj33lxJJloZ5Z/qXvE="),
        ("https://bridge.example.com:443/voice/incoming", "DkNf1RGA3AUnSrrpKSRDADYw/AQ="),
        ("https://bridge.example.com:8443/voice/incoming", "PBycUER8bxLKBqDOS0JmlR0y+dM="),
        ("http://bridge.example.com:80/voice/incoming", "NbyHgk6xT6rl5WYjyy/D1wpEQC0="),
        ("http://bridge.example.com:8080/voice/incoming", "FU54EnCCgZ0THPTLfkdwaEi28iM="),
    ];
    for (url, signature) in signed {
        assert_eq!(token().sign_form(url, &form), signature);
        assert!(token().is_form_signed(url, &form, signature));
    }
    let [without, default, other, ..] = signed.map(|(_, signature)| signature);
    assert!(token().is_form_signed("https://bridge.example.com/voice/incoming", &form, default));
    assert!(token().is_form_signed("https://bridge.example.com:8443/voice/incoming", &form, without));
    assert!(!token().is_form_signed("https://bridge.example.com/voice/incoming", &form, other));
}

#[test]
fn repeated_names_count_once_per_value_and_case_matters_in_the_order() {
    let form = Form::new().with("b", "2").with("B", "1").with("a", "x").with("a", "x").with("a", "b");
    assert_eq!(token().sign_form("https://bridge.example.com/v", &form), "75Eu1ezVAhRNAnspY6Ai2vMskg0=");
}

#[test]
fn what_twilio_publishes() {
    let token = AuthToken::new("12345");
    let url = "https://mycompany.com/myapp.php?foo=1&bar=2";
    let form = Form::new()
        .with("CallSid", "CA1234567890ABCDE")
        .with("Caller", "+14158675309")
        .with("Digits", "1234")
        .with("From", "+14158675309")
        .with("To", "+18005551212");
    let signed = [
        (url, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        ("https://mycompany.com:443/myapp.php?foo=1&bar=2", "kvajT1Ptam85bY51eRf/AJRuM3w="),
        ("http://mycompany.com:80/myapp.php?foo=1&bar=2", "0ZXoZLH/DfblKGATFgpif+LLRf4="),
        ("http://mycompany.com:1234/myapp.php?foo=1&bar=2", "Zmvh+3yNM1Phv2jhDCwEM3q5ebU="),
    ];
    for (url, signature) in signed {
        assert_eq!(token.sign_form(url, &form), signature, "{url}");
    }

    let repeated = Form::new()
        .with("Sid", "CA123")
        .with("SidAccount", "AC123")
        .with("Digits", "5678")
        .with("Digits", "1234")
        .with("Digits", "1234");
    assert_eq!(token.sign_form(url, &repeated), "IK+Dwps556ElfBT0I3Rgjkr1wJU=");

    let signed = token.sign_body(url, br#"{"property": "value", "boolean": true}"#);
    assert!(signed.url.ends_with("&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"));
    assert_eq!(signed.signature, "a9nBmqA0ju/hNViExpshrM61xv4=");

    let form = Form::new()
        .with("Digits", "1234")
        .with("To", "+18005551212")
        .with("From", "+14158675310")
        .with("Caller", "+14158675310")
        .with("CallSid", "CA1234567890ABCDE");
    assert_eq!(token.sign_form("https://example.com/myapp.php?foo=1&bar=2", &form), "L/OH5YylLD5NRKLltdqwSvS0BnU=");
}

#[test]
fn a_wrong_signature_is_refused_whatever_it_looks_like() {
    let form = Form::new().with("a", "b");
    let url = "https://bridge.example.com/v";
    let right = token().sign_form(url, &form);
    let changed = right.replace(&right[..1], if right.starts_with('A') { "B" } else { "A" });
    for wrong in ["", "=", "AAAA", "not base64!", &right[..27], &format!("{right}="), &changed, " "] {
        assert!(!token().is_form_signed(url, &form, wrong), "{wrong:?} passed");
    }
    assert!(!AuthToken::new("another").is_form_signed(url, &form, &right));
    assert!(!token().is_form_signed("https://bridge.example.com/w", &form, &right));
    assert!(!token().is_form_signed(url, &form.with("c", ""), &right));
}
