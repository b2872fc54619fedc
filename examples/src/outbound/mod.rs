//! A server that calls people: a request names a customer and an agent, the telephone rings, the model talks.
//!
//! All of it is [`phone`](crate::phone), with the [doors](crate::phone::api) for people and programs. Without accounts,
//! [`demo`] calls people of a simulated Twilio: one who talks, one who is busy, a machine, one who does not pick up.

pub mod demo;

use realtime_bridge::tool::{EndCall, ToolSet};

/// What the model can do besides talking.
#[must_use]
pub fn tools() -> ToolSet {
    ToolSet::new().with(EndCall)
}
