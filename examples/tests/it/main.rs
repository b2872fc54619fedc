//! The servers over real sockets, called by a simulated Twilio, with a simulated model.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod admission;
mod callbacks;
mod demo;
mod failures;
mod handoff;
mod outbound;
mod shutdown;
mod signatures;
mod sip;
mod sip_api;
mod sip_handoff;
mod sip_takeover;
mod sip_webhook;
mod store_away;
mod world;
