//! The simulated Twilio against a small application over loopback.

#![expect(clippy::unwrap_used, reason = "a helper that fails has failed its test")]

mod app;
mod calls;
mod cli;
mod conference;
mod dial;
mod handover;
mod outbound;
mod rest;
mod streams;
mod webhooks;
