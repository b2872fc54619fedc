//! OpenAI Realtime.

mod api_key;
mod client;
mod command;
mod config;
mod delta;
mod endpoint;
mod keep_alive;
mod session;
mod settings;
mod socket;
mod translate;
pub mod wire;

pub use api_key::ApiKey;
pub use client::OpenAiClient;
pub use config::{ConfigError, OpenAiConfig};
pub use session::OpenAiSession;
