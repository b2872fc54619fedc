//! What Twilio says over HTTP.
mod value;

pub mod phone;
pub mod sid;
pub mod twiml;
pub mod words;

pub use value::{Millis, Seconds, UnknownWord};
