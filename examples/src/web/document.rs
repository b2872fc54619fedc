//! Answers in TwiML.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use twilio_twiml::twiml::{self, CONTENT_TYPE};

/// An answer in TwiML.
#[derive(Debug, Clone)]
pub struct Document(pub twiml::Response);

impl IntoResponse for Document {
    /// A document that Twilio would refuse is our bug: Twilio then asks the number's fallback URL.
    fn into_response(self) -> Response {
        match self.0.to_xml() {
            Ok(xml) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], xml).into_response(),
            Err(error) => {
                tracing::error!(%error, "a document cannot be written");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}
