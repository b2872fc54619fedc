//! Twilio's REST API, version 2010-04-01: what a telephone agent needs of it.
//!
//! ```no_run
//! use twilio_twiml::{phone::E164, rest::{Client, Config, NewCall}, twiml::{Response, Url}, webhook::signature::AuthToken};
//! use twilio_twiml::words::CallEvent;
//!
//! # async fn example(to: E164, ours: E164) -> Result<(), Box<dyn std::error::Error>> {
//! let account = "AC0123456789abcdef0123456789abcdef".parse()?;
//! let client = Client::new(Config::new(account, AuthToken::new("…")))?;
//!
//! // Make a call, and be told what becomes of it.
//! let call = NewCall::new(to, ours, Url::from("https://bridge.example.com/voice?session=01J8"))
//!     .status_callback("https://bridge.example.com/status")
//!     .status_callback_event([CallEvent::Ringing, CallEvent::Answered, CallEvent::Completed]);
//! let call = client.calls().create(&call).await?;
//!
//! // Later: say goodbye.
//! let goodbye = Response::new().say("Goodbye.").hangup().to_inline()?;
//! client.call(&call.sid).run(goodbye).await?;
//! # Ok(())
//! # }
//! ```
//!
//! | | |
//! |---|---|
//! | [`Client::calls`], [`Client::call`] | make, list; fetch, redirect, end, record, stream |
//! | [`Client::conferences`], [`Client::conference`] | list; fetch, announce, end |
//! | [`Client::dial_into`], [`ConferenceHandle::participant`] | dial in; mute, hold, coach, announce, remove |
//! | [`Client::recordings`], [`Client::recording`] | list; fetch, download, delete |
//! | [`CallHandle::current_recording`] | pause, resume, stop |
//! | [`Client::numbers`], [`Client::number`] | list, buy; fetch, set up, release |
//! | [`Client::messages`], [`Client::message`] | send, list; fetch, redact, cancel, delete |
//!
//! Lists and downloads are streams. Errors say what can be done about them: [`Error::problem`], [`Error::retryable`].

mod calls;
mod client;
mod conferences;
mod config;
mod error;
mod messages;
mod numbers;
mod pace;
mod page;
mod parameters;
mod participants;
mod recordings;
mod resource;
mod streams;

pub use calls::{Call, CallFilter, CallHandle, CallUpdate, Calls, Instructions, NewCall, Next};
pub use client::{Client, ClientError};
pub use conferences::{
    Conference, ConferenceFilter, ConferenceHandle, ConferenceStatus, ConferenceUpdate, Conferences,
};
pub use config::{Config, Credentials};
pub use error::{Error, Problem, Refusal};
pub use messages::{
    AddressRetention, ContentRetention, Message, MessageContent, MessageDirection, MessageFilter, MessageHandle,
    Messages, NewMessage, RiskCheck, Sender, TrafficType,
};
pub use numbers::{
    AddressRequirement, Capabilities, EmergencyStatus, NumberFilter, NumberHandle, NumberResource, NumberSettings,
    Numbers, PhoneNumber, Purchase, ReceiveMode,
};
pub use participants::{
    ConferenceRecord, NewParticipant, Participant, ParticipantFilter, ParticipantHandle, ParticipantStatus,
    ParticipantUpdate,
};
pub use recordings::{
    AudioFile, Download, NewRecording, PauseBehavior, Recording, RecordingFilter, RecordingHandle, Recordings,
    RunningRecording,
};
pub use secrecy::SecretString;
pub use streams::{CallStream, NewStream, Parameters, StreamStatus};
