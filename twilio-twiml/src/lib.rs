//! What Twilio says over HTTP.
mod time;
mod value;

pub mod phone;
pub mod sid;
pub mod twiml;
pub mod webhook;
pub mod words;

pub use jiff;

pub use time::Rfc2822;
pub use value::{Count, Millis, Seconds, UnknownWord};
