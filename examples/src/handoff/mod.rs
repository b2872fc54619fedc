//! A server that answers the telephone and hands callers to people: when the model finds that a person is needed, or when
//! somebody asks for it by the API.
//!
//! All of it is [`phone`](crate::phone), with its [handoffs](crate::phone::handoff) and the [doors](crate::phone::api) for
//! people and programs. Whom callers can be handed to is in the directory.

pub mod demo;

use realtime_bridge::tool::{EndCall, ToolSet};

/// What the model can do besides talking and handing over.
#[must_use]
pub fn tools() -> ToolSet {
    ToolSet::new().with(EndCall)
}
