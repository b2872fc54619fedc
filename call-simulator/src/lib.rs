//! Twilio and OpenAI on loopback, with real audio.
//!
//! Both play their part over real HTTP and WebSockets, strictly as their documentation says, so that a telephone agent
//! can be called in a test, or on a developer's machine, without a telephone, an account or a key.
//!
//! - [`openai`]: a voice model. It detects speech by its level, follows a script, and refuses what the real one
//!   refuses.
//! - [`twilio`]: an account that calls an application and is asked to call others: webhooks, documents, media streams,
//!   callers, a REST API, telephones.
//! - [`audio`]: recorded speech, levels, and WAV files.
//!
//! The binary of the same name does both from the command line; see `call-simulator --help`.

pub mod audio;
mod chance;
pub mod openai;
pub mod twilio;
