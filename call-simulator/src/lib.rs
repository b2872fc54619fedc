//! Twilio and OpenAI on loopback, with real audio.

pub mod audio;
pub mod openai;
pub mod twilio;
