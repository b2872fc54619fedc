//! What Twilio says over HTTP.
pub mod sid;
