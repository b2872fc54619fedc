//! Twilio Media Streams: the line that Twilio opens to us as a WebSocket.
//!
//! ```no_run
//! use futures_util::StreamExt;
//! use realtime_bridge::media::{MediaEvent, twilio};
//!
//! # async fn serve(upgraded: tokio::io::DuplexStream) -> Result<(), Box<dyn std::error::Error>> {
//! // `upgraded` has answered the WebSocket upgrade, for example with `twilio::upgrade`.
//! let mut line = twilio::MediaStream::accept(upgraded, twilio::Config::default()).await?;
//! let token = line.start().parameters.get("token");
//! // Check the token, and only then open a connection to a model.
//! while let Some(event) = line.next().await {
//!     if let MediaEvent::Audio(frame) = event? {
//!         println!("the caller spoke for {:?}", frame.duration());
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! - [`MediaStream`]: the transport. Twilio: Media Streams, overview and WebSocket messages.
//! - [`wire`]: its messages, in both directions.
//! - [`upgrade`] (feature `upgrade`): from an `http` request to a socket.

mod config;
mod handshake;
mod stream;
mod timeline;
#[cfg(feature = "upgrade")]
pub mod upgrade;
pub mod wire;

pub use config::Config;
pub use handshake::StreamStart;
pub use stream::{Counters, MediaStream};
