//! OpenAI Realtime over WebSocket (OpenAI: Realtime API, GA interface), and services that speak its protocol.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use futures_util::{SinkExt, StreamExt};
//! use realtime_bridge::realtime::{
//!     RealtimeClient, RealtimeCommand, RealtimeEvent, RequestId, ResponseOptions, SessionConfig,
//!     openai::{OpenAiClient, OpenAiConfig},
//! };
//!
//! // One client for all calls: they share its TLS configuration.
//! let client = OpenAiClient::new(OpenAiConfig::new("sk-…"))?;
//! let config = SessionConfig::default().with_instructions("You answer the telephone of a dentist. Be brief.");
//! let mut session = client.connect(&config).await?;
//!
//! let request = RequestId(1);
//! session.send(RealtimeCommand::Respond { request, options: ResponseOptions::default() }).await?;
//! while let Some(event) = session.next().await {
//!     match event? {
//!         RealtimeEvent::Audio { frame, .. } => println!("{:?} to play", frame.duration()),
//!         RealtimeEvent::ResponseDone(_) => break,
//!         _ => {}
//!     }
//! }
//! session.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What a session promises
//!
//! [`connect`](crate::realtime::RealtimeClient::connect) returns when the provider has confirmed the configuration: an
//! open socket is not yet a session, as a wrong key may be told only by an event, and audio that comes before the
//! formats are agreed would be noise. One `session.update` is sent; its echo must have the formats and the voice that
//! were asked for. When a session cannot be had, [`ConnectError`](crate::realtime::ConnectError) says whether to try
//! again.
//!
//! The id of each of our events is the name of its request, so errors come back with it, and each `response.create` is
//! tagged in its metadata, so that the answer can be told from one the provider began by itself. Tool calls are taken
//! from `response.done`, once. Answers beside the conversation (`conversation: "none"`) are told as
//! [`RealtimeEvent::Other`](crate::realtime::RealtimeEvent::Other).
//!
//! # What a frame costs
//!
//! The caller's frame becomes one string of the exact size. A delta of speech is found by a scan over the flat object
//! and stays a slice of the message it came in; a member that is not known, an escape, anything unusual goes to the
//! full parser, which gives the same answer. [`EventDecoder`] and [`encode_command`] are that part without the socket.
//! A session in the clear holds up to 7 KiB, of which 4 are the read buffer; a larger message takes more while it comes.
//! TLS adds buffers of its own.
//!
//! # Telephone calls without us
//!
//! [`sip`] leads calls that reach the provider over SIP; [`webhook`] tells that one is ringing.
//!
//! # Other services
//!
//! [`OpenAiConfig::azure`] leads to Azure OpenAI, [`OpenAiConfig::compatible`] to any service that speaks the protocol;
//! [`OpenAiConfig::with_base_url`] to a simulator on loopback. What a service does differently is data ([`Dialect`]), the
//! rest is the address, its query and the headers. [`wire`] has the protocol as types, for writing such a server.

mod api_key;
mod client;
mod config;
mod decode;
mod delta;
mod dialect;
mod encode;
mod endpoint;
mod keep_alive;
mod session;
mod settings;
pub mod sip;
mod socket;
pub mod webhook;
pub mod wire;

pub use api_key::ApiKey;
pub use client::OpenAiClient;
pub use config::{ConfigError, OpenAiConfig};
pub use decode::EventDecoder;
pub use dialect::Dialect;
pub use encode::encode_command;
pub use session::OpenAiSession;
