//! The simulated Twilio against a small application over loopback.

mod app;
mod calls;
mod streams;
mod webhooks;
