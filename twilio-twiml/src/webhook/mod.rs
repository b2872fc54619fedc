//! Webhooks: what Twilio asks and tells us, and how we know that it is Twilio.

mod candidates;
mod form;
pub mod signature;
mod stream;
mod verify;
mod voice;

pub use form::{Form, FormError, Webhook};
pub use stream::{StreamEvent, StreamStatus};
pub use verify::{Rejected, VerifiedUpgrade, VerifiedWebhook, Verifier};
pub use voice::{CallContext, VoiceRequest};
