//! A provider in memory, for tests: yours as well as ours.
//!
//! A test holds the far end and plays the model; the code under test holds an ordinary [`RealtimeClient`]. No time
//! passes by itself, so paused clocks work.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! use std::time::Duration;
//!
//! use futures_util::{SinkExt, StreamExt};
//! use realtime_bridge::realtime::{
//!     RealtimeClient, RealtimeCommand, RealtimeEvent, RequestId, ResponseOptions, SessionConfig, memory::MemoryClient,
//! };
//!
//! let (client, mut provider) = MemoryClient::new();
//! let mut session = client.connect(&SessionConfig::default()).await.unwrap();
//! let mut model = provider.accept().await.unwrap();
//!
//! let request = RequestId(1);
//! session.send(RealtimeCommand::Respond { request, options: ResponseOptions::default() }).await.unwrap();
//! assert!(matches!(model.recv_control().await, Some(RealtimeCommand::Respond { .. })));
//!
//! model.say(Some(request), "Good morning.", Duration::from_millis(900)).await;
//! let first = session.next().await.unwrap().unwrap();
//! assert!(matches!(first, RealtimeEvent::ResponseStarted { request: Some(RequestId(1)), .. }));
//! # }
//! ```

mod client;
mod model;
mod pipe;
mod session;
mod speech;

pub use client::{ConnectScript, MemoryClient, MemoryProvider};
pub use model::MemoryModel;
pub use session::MemorySession;
pub use speech::Answer;

#[cfg(doc)]
use super::RealtimeClient;
use super::{Capabilities, SessionConfig, SessionInfo};
use pipe::Pipe;

/// Unread events before the model waits.
const EVENTS: usize = 1_024;
/// Unread commands before the session's sink is not ready: 5 s of the caller's audio in frames of 20 ms.
const COMMANDS: usize = 256;

/// Both ends of one session, without a client.
#[must_use]
pub fn pair(config: &SessionConfig) -> (MemorySession, MemoryModel) {
    pair_with(config, Capabilities::client_driven())
}

/// Both ends of one session of a provider that can do this.
#[must_use]
pub fn pair_with(config: &SessionConfig, capabilities: Capabilities) -> (MemorySession, MemoryModel) {
    pair_named(config, capabilities, "memory", "memory")
}

fn pair_named(
    config: &SessionConfig,
    capabilities: Capabilities,
    id: &str,
    model: &str,
) -> (MemorySession, MemoryModel) {
    let (events, commands) = (Pipe::new(EVENTS), Pipe::new(COMMANDS));
    let info = SessionInfo::new(id, model, config.input_format, config.output_format)
        .with_turn_owner(config.turn_detection.owner())
        .with_opened(tokio::time::Instant::now().into_std());
    let session =
        MemorySession { events: events.clone(), commands: commands.clone(), capabilities, info: info.clone() };
    (session, MemoryModel::new(events, commands, config.clone(), info))
}
