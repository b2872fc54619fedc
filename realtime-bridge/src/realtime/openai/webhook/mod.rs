//! Webhooks: what OpenAI tells us by itself, such as that somebody is ringing (OpenAI: Webhooks; Standard Webhooks).
//!
//! Only a [`Verifier`] gives a [`VerifiedWebhook`], and only that gives a [`WebhookEvent`]:
//!
//! ```
//! use std::time::{Duration, UNIX_EPOCH};
//!
//! use http::{HeaderMap, HeaderValue};
//! use realtime_bridge::realtime::openai::webhook::{MemoryReplayGuard, Rejected, Verifier, WebhookEvent, WebhookSecret};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let verifier = Verifier::new([WebhookSecret::new("whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=")?]);
//! let seen = MemoryReplayGuard::default();
//!
//! let body = br#"{"object":"event","id":"evt_0001","type":"realtime.call.incoming","created_at":1760000000,"data":{"call_id":"rtc_0001","sip_headers":[{"name":"From","value":"<sip:+14155550100@pstn.example.com>"},{"name":"To","value":"<sip:proj_0001@sip.api.openai.com;transport=tls>"}]}}"#;
//! let mut headers = HeaderMap::new();
//! for (name, value) in [
//!     ("content-type", "application/json"),
//!     ("webhook-id", "wh_0001"),
//!     ("webhook-timestamp", "1760000000"),
//!     ("webhook-signature", "v1,VgxYV5bacgpGqVk0JKIIjekPXqbSPCLnUTz9p9XNc2k="),
//! ] {
//!     headers.insert(name, HeaderValue::from_static(value));
//! }
//!
//! let now = UNIX_EPOCH + Duration::from_secs(1_760_000_010);
//! let webhook = verifier.receive(now, &headers, body, &seen).await?;
//! let WebhookEvent::CallIncoming(call) = webhook.into_event() else { unreachable!() };
//! assert_eq!(call.call_id.as_str(), "rtc_0001");
//! assert_eq!(call.caller(), Some("+14155550100"));
//!
//! // The same again is answered as if it were welcome, and nothing is done.
//! let again = verifier.receive(now, &headers, body, &seen).await.unwrap_err();
//! assert!(matches!(again, Rejected::Replayed) && again.status() == 200);
//! # Ok(())
//! # }
//! ```
//!
//! # What to answer
//!
//! Answer 2xx at once and work afterwards: the provider waits a few seconds and then delivers again, for up to 72 hours.
//! [`Rejected::status`] is the answer to what is refused:
//!
//! | | status | |
//! |---|---|---|
//! | not JSON by its content type | 415 | before the body is looked at |
//! | over the limit | 413 | before the body is looked at; [`Verifier::check_head`] saves reading it |
//! | a header is missing or no such header | 400 | |
//! | no signature fits | 401 | forged, or a secret that was rotated away |
//! | signed, but too long ago or ahead | 400 | a captured request, or a clock that is wrong |
//! | signed, but no event | 400 | |
//! | came before | 200 | deliveries are repeated; anything but 2xx would have them repeated again |
//! | it cannot be told whether it came before | 503 | the provider tries again, when the store may be back |

mod event;
mod replay;
mod secret;
mod verify;

pub use event::{IncomingCall, MalformedEvent, SipHeader, WebhookEvent};
pub use replay::{ClaimError, MemoryReplayGuard, ReplayGuard};
pub use secret::{SecretError, WebhookSecret};
pub use verify::{Rejected, VerifiedWebhook, Verifier};

/// The header with the delivery's name, which is the same for all attempts at it.
pub const ID: &str = "webhook-id";
/// The header with the time of the attempt, in Unix seconds.
pub const TIMESTAMP: &str = "webhook-timestamp";
/// The header with the signatures.
pub const SIGNATURE: &str = "webhook-signature";
