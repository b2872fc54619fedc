//! What Twilio says over HTTP, with types: TwiML documents, webhooks, request signatures, and the REST API.
//!
//! Twilio answers a telephone, asks your server what to do by a *webhook*, and does what the *document* in the answer
//! says. That is the whole of it, and this is the whole program, for any web framework:
//!
//! ```
//! use twilio_twiml::{
//!     twiml::{CONTENT_TYPE, Language, Response, Say, Stream, Voice},
//!     webhook::{Verifier, VoiceRequest, signature::AuthToken},
//! };
//!
//! /// Answers `POST /voice`: connects the call to a WebSocket server, and apologises if that fails.
//! fn voice(verifier: &Verifier, request: http::Request<bytes::Bytes>) -> http::Response<String> {
//!     let (parts, body) = request.into_parts();
//!     // Nobody but Twilio gets past this.
//!     let webhook = match verifier.webhook(&parts, body) {
//!         Ok(webhook) => webhook,
//!         Err(rejected) => return answer(rejected.status(), String::new()),
//!     };
//!     let Ok(call) = webhook.read::<VoiceRequest>() else {
//!         return answer(http::StatusCode::BAD_REQUEST, String::new());
//!     };
//!     let stream = Stream::new("wss://bridge.example.com/media").parameter("caller", call.call.from.to_string());
//!     let apology = Say::new("申し訳ございません。").language(Language::JaJp).voice(Voice::polly("Mizuki"));
//!     match Response::new().connect(stream).say(apology).hangup().to_xml() {
//!         Ok(document) => answer(http::StatusCode::OK, document),
//!         Err(_) => answer(http::StatusCode::INTERNAL_SERVER_ERROR, String::new()),
//!     }
//! }
//!
//! fn answer(status: http::StatusCode, document: String) -> http::Response<String> {
//!     let mut response = http::Response::new(document);
//!     *response.status_mut() = status;
//!     response.headers_mut().insert("content-type", http::HeaderValue::from_static(CONTENT_TYPE));
//!     response
//! }
//!
//! // A test plays Twilio: it signs as Twilio does.
//! let token = AuthToken::new("9f2c4b7a1d3e5f60718293a4b5c6d7e8");
//! let verifier = Verifier::new("https://bridge.example.com", token.clone());
//! let body = "CallSid=CAfedcba9876543210fedcba9876543210&AccountSid=AC0123456789abcdef0123456789abcdef\
//!     &From=%2B81355501234&To=%2B442071838750&CallStatus=ringing";
//! let form = twilio_twiml::webhook::Form::parse(body.as_bytes());
//! let request = http::Request::post("/voice")
//!     .header("content-type", "application/x-www-form-urlencoded")
//!     .header("x-twilio-signature", token.sign_form("https://bridge.example.com/voice", &form))
//!     .body(bytes::Bytes::from(body))?;
//! let response = voice(&verifier, request);
//! assert_eq!(response.status(), 200);
//! assert!(response.body().contains(r#"<Parameter name="caller" value="+81355501234"/>"#));
//!
//! let forged = http::Request::post("/voice").header("x-twilio-signature", "AAAA").body(bytes::Bytes::new())?;
//! assert_eq!(voice(&verifier, forged).status(), 403);
//! # Ok::<(), http::Error>(())
//! ```
//!
//! # The modules
//!
//! - [`twiml`]: the documents. Every verb, noun and attribute of TwiML for voice; each one's page shows the Rust and the
//!   XML it gives. With the feature `parse` they are read as well.
//! - [`webhook`]: what Twilio posts, and the signature that says it was Twilio.
//! - `rest` (feature `rest`): calls made and changed, conferences, recordings, numbers, messages.
//! - [`sid`], [`phone`]: identifiers and addresses that are well formed.
//! - [`words`]: the sets of words that the others share.
//!
//! # Reading as if spoken
//!
//! One style everywhere: what must be said goes into the constructor, what can be said is a method named like Twilio's
//! own attribute or parameter, and each struct's fields are public, to be looked at. Where Twilio takes seconds, so do we:
//! `.timeout(20)` or `.timeout(Duration::from_secs(20))`. What cannot be together does not compile: a [`twiml::Dial`]
//! reaches a room or numbers, never both; a call that is created has a URL or a document, never both.
//!
//! ```compile_fail
//! use twilio_twiml::twiml::{Conference, Dial, Number};
//!
//! # let number: twilio_twiml::phone::E164 = "+14155550100".parse().unwrap();
//! Dial::to(Number::new(number).or(Conference::new("room")));
//! ```
//!
//! ```compile_fail
//! use twilio_twiml::twiml::{Gather, Record};
//!
//! Gather::new().record(Record::new());
//! ```
//!
//! # What is not here
//!
//! With default features there is no HTTP client, no async runtime and no XML parser in the tree. Nothing reads the
//! environment, spawns a task or writes a log.

mod encode;
mod private;
mod time;
mod value;

pub mod phone;
#[cfg(feature = "rest")]
pub mod rest;
pub mod sid;
pub mod twiml;
pub mod webhook;
pub mod words;

// Types of these stand in signatures.
pub use {bytes, http, jiff};

pub use private::Private;
pub use time::Rfc2822;
pub use value::{Count, Millis, Seconds, UnknownWord};
