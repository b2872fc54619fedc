//! Webhooks: what Twilio asks and tells us, and how we know that it is Twilio.
//!
//! A [`Verifier`] checks the signature of a request and gives a [`VerifiedWebhook`], which can be read as one of:
//!
//! | Twilio asks for a document | |
//! |---|---|
//! | for a call, at a voice URL | [`VoiceRequest`] |
//! | after `<Gather>`, and while it listens | [`Gathered`], [`PartialSpeech`] |
//! | after `<Dial>`, `<Record>`, `<Refer>`, `<Connect>` | [`Dialed`], [`Recorded`], [`Referred`], [`Disconnected`] |
//! | while a caller is in a queue, and after it | [`Waiting`], [`Dequeued`] |
//!
//! | Twilio tells what happened | |
//! |---|---|
//! | to a call, and who answered | [`CallProgress`], [`AnsweringMachine`] |
//! | in a conference | [`ConferenceProgress`] |
//! | to a recording, and what it says | [`RecordingProgress`], [`RecordTranscription`] |
//! | to a stream, and in a transcription | [`StreamProgress`], [`Transcript`] |
//! | to a message | [`MessageProgress`] |
//!
//! Callbacks that only tell are best answered at once, with status 204. They may come out of order and more than once:
//! [`VerifiedWebhook::idempotency_token`] is the same for the attempts at one request.
//!
//! Every form reads from a [`Form`] and writes one, which is how a simulator posts it:
//!
//! ```
//! use twilio_twiml::{phone::Address, sid::{AccountSid, CallSid}, webhook::{CallContext, CallProgress, Webhook}, words::CallStatus};
//!
//! let call: CallSid = "CAfedcba9876543210fedcba9876543210".parse()?;
//! let account: AccountSid = "AC0123456789abcdef0123456789abcdef".parse()?;
//! let context = CallContext::new(call, account, "+14155550100".into(), "+442071838750".into(), CallStatus::Busy);
//! let mut progress = CallProgress::new(context);
//! progress.sequence_number = Some(2);
//!
//! let form = progress.to_form();
//! assert_eq!(form.get("CallStatus"), Some("busy"));
//! assert_eq!(CallProgress::from_form(&form)?, progress);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod action;
mod call;
mod candidates;
mod conference;
mod form;
mod message;
mod recording;
pub mod signature;
mod stream;
mod verify;
mod voice;

pub use action::{
    Dequeued, DialStatus, Dialed, Disconnected, Gathered, PartialSpeech, QueueResult, Recorded, Referred, Waiting,
};
pub use call::{AnsweringMachine, CallProgress};
pub use conference::{ConferenceHappening, ConferenceProgress, WhyEnded, WhyLeft};
pub use form::{Form, FormError, Webhook};
pub use message::{MessageProgress, MessageStatus};
pub use recording::{
    RecordTranscription, RecordTranscriptionStatus, RecordingProgress, RecordingSource, RecordingStatus, Transcript,
    TranscriptionEvent, Words,
};
pub use stream::{StreamEvent, StreamProgress};
pub use verify::{Rejected, VerifiedUpgrade, VerifiedWebhook, Verifier};
pub use voice::{CallContext, VoiceRequest};
