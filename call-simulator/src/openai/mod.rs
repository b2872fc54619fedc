//! A voice model on loopback: OpenAI's Realtime interface, strict about what it takes.
//!
//! [`Session`] is one conversation as a pure state machine, for tests in virtual time; [`OpenAiSimulator`] serves it
//! over real sockets. [`Script`] says what the model says and how it misbehaves, [`Recording`] what happened.

mod error;
mod recording;
mod script;
pub mod session;
mod settings;

pub use error::ApiError;
pub use recording::{Ending, Logged, Party, RecordedItem, Recording};
pub use script::{Act, Answer, Heard, OnOpen, OnUpdate, Script, Utterance};
pub use session::Session;
pub use settings::{Settings, Timing};
