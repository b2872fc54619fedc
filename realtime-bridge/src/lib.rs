//! One call's audio between a telephone line and a realtime voice model.
//!
//! ```
//! use std::time::Duration;
//!
//! use realtime_bridge::{
//!     audio::AudioFormat,
//!     bridge::Bridge,
//!     media::memory::line,
//!     realtime::{SessionConfig, memory},
//!     relay::CallConfig,
//! };
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // In production: `twilio::MediaStream::accept` and `OpenAiClient::connect`. Here: both in memory.
//! let (line, caller) = line(AudioFormat::MuLaw);
//! let (session, mut model) = memory::pair(&SessionConfig::default());
//!
//! // This model speaks first without being asked to.
//! let bridge = Bridge::with_config(line, session, CallConfig::default().with_greeting(None))?;
//! let call = bridge.handle();
//!
//! let (report, _) = tokio::join!(bridge.run(), async {
//!     model.say(None, "Sakura Dental, good morning.", Duration::from_secs(2)).await;
//!     // The call ends when the caller has heard what was said.
//!     call.end(None).await
//! });
//! assert_eq!(report.reason.name(), "goodbye");
//! assert_eq!(caller.heard_total(), Duration::from_secs(2));
//! assert_eq!(report.transcript[0].heard, "Sakura Dental, good morning.");
//! # Ok(())
//! # }
//! ```
//!
//! - [`bridge`]: joins a line and a model and carries the call to its end; the handle to it.
//! - [`relay`]: the pure core behind it, the configuration of a call, its events and its endings.
//! - [`tool`]: what a model may do besides talking.
//! - [`media`]: the line. In memory, and Twilio Media Streams (feature `twilio`).
//! - [`realtime`]: the voice model. In memory, and OpenAI Realtime (feature `openai`).
//! - [`audio`]: frames, formats and conversion.
//!
//! Features: `twilio` and `openai` are on by default; `upgrade` makes a media stream from an `http` request (axum, hyper),
//! `tungstenite` from a WebSocket that is set up already; `conformance` holds your own line or model to the contract.
//!
//! # Backpressure
//!
//! Neither side is ever kept from being read. What one side does not take waits in the relay, in milliseconds: of the
//! caller's audio the oldest is dropped, of the agent's the newest, and both are counted and told.

mod alarm;
pub mod audio;
pub mod bridge;
pub mod media;
pub mod realtime;
pub mod relay;
pub mod tool;
#[cfg(any(feature = "openai", feature = "twilio"))]
mod websocket;

/// The examples of the README are held to compile.
#[cfg(all(doctest, feature = "twilio", feature = "openai"))]
#[doc = include_str!("../../README.md")]
struct Readme;
