//! A server that answers the telephone: Twilio calls its webhook, a media stream opens, the caller talks with the model.
//!
//! All of it is [`phone`](crate::phone), with the tools of a dental clinic's reception. The order of a call: the webhook is
//! answered at once with a token for the stream, while a model session is already being opened; the stream shows the token
//! and adopts the session; the bridge carries the call; Twilio asks what comes next. Without accounts, [`demo`] plays all
//! of it against a simulator.

pub mod demo;
pub mod tools;

use realtime_bridge::tool::{EndCall, ToolSet};

use self::tools::FreeSlots;

/// What the model can do besides talking.
#[must_use]
pub fn tools() -> ToolSet {
    ToolSet::new().with(FreeSlots::default()).with(EndCall)
}
