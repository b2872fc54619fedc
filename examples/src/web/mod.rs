//! What every server here needs of HTTP, on axum.
//!
//! - [`Signed`]: an extractor that lets only Twilio's webhooks through.
//! - [`upgrade`]: from a signed request to the socket of a media stream.
//! - [`Document`]: an answer in TwiML.
//! - [`health`]: whether the server lives, and whether it takes calls.
//! - [`serve`]: listening, and stopping without cutting calls off.

mod document;
pub mod health;
mod serve;
mod signed;
mod upgrade;

pub use document::Document;
pub use serve::{serve, shutdown_signal};
pub use signed::{Refused, Signed};
pub use upgrade::upgrade;
