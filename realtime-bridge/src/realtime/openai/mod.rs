//! OpenAI Realtime.

pub mod wire;
