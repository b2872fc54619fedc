//! How the API says no.

use serde_json::json;

use super::server::Answer;

/// A refusal (Twilio: Errors and warnings).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: u32,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(status: u16, code: u32, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    /// A parameter that is missing or wrong.
    pub(super) fn bad(code: u32, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }

    pub(super) fn not_found(path: &str) -> Self {
        Self::new(404, 20_404, format!("The requested resource {path} was not found"))
    }

    pub(super) fn unauthenticated() -> Self {
        Self::new(401, 20_003, "Authenticate")
    }

    pub(super) fn method_not_allowed() -> Self {
        Self::new(405, 20_004, "Method not allowed")
    }

    pub(super) fn too_many_requests() -> Self {
        Self::new(429, 20_429, "Too Many Requests")
    }

    pub(super) fn not_in_progress() -> Self {
        Self::bad(21_220, "Call is not in-progress. Cannot redirect.")
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        let Refusal { status, code, message } = refusal;
        let more_info = format!("https://www.twilio.com/docs/errors/{code}");
        Self::json(status, &json!({"code": code, "message": message, "more_info": more_info, "status": status}))
    }
}
