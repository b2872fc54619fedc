//! A voice model on loopback: OpenAI's Realtime interface, strict about what it takes.
//!
//! [`Session`] is one conversation as a pure state machine, for tests in virtual time; [`OpenAiSimulator`] serves it
//! over real sockets. [`Script`] says what the model says and how it misbehaves, [`Recording`] what happened.

mod admission;
pub mod cli;
mod demo;
mod error;
mod profile;
mod recording;
mod script;
mod server;
pub mod session;
mod settings;
pub mod sip;
mod socket;

pub use admission::WrongKey;
pub use demo::{END_CALL, FREE_SLOTS};
pub use error::ApiError;
pub use profile::Profile;
pub use recording::{Ending, Logged, Party, RecordedItem, Recording};
pub use script::{Act, Answer, Heard, OnOpen, OnUpdate, Script, Utterance};
pub use server::{Builder, OpenAiSimulator, SessionHandle};
pub use session::Session;
pub use settings::{Settings, Timing};
