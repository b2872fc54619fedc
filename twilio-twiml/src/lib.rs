//! What Twilio says over HTTP.
mod encode;
mod private;
mod time;
mod value;

pub mod phone;
#[cfg(feature = "rest")]
pub mod rest;
pub mod sid;
pub mod twiml;
pub mod webhook;
pub mod words;

pub use jiff;

pub use private::Private;
pub use time::Rfc2822;
pub use value::{Count, Millis, Seconds, UnknownWord};
