//! What the simulated provider says about an event it refuses.

use serde_json::{Value, json};

/// The content of an `error` event, as the provider words it.
///
/// OpenAI: Realtime API reference, server event `error`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiError {
    /// The broad kind, such as `invalid_request_error` or `server_error`.
    pub kind: String,
    /// The code to branch on; the provider leaves it out at times.
    pub code: Option<String>,
    /// For people.
    pub message: String,
    /// The path of the offending member, such as `session.audio.output.voice`.
    pub param: Option<String>,
    /// Whether the error names the client's event. The provider does not always.
    pub names_event: bool,
}

impl ApiError {
    /// An `invalid_request_error` with this code.
    #[must_use]
    pub fn invalid(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind: "invalid_request_error".to_owned(),
            code: Some(code.into()),
            message: message.into(),
            param: None,
            names_event: true,
        }
    }

    /// A `server_error` without a code.
    #[must_use]
    pub fn server() -> Self {
        Self {
            kind: "server_error".to_owned(),
            code: None,
            message: "The server had an error while processing your request.".to_owned(),
            param: None,
            names_event: true,
        }
    }

    /// Sets the broad kind.
    #[must_use]
    pub fn with_kind(mut self, kind: impl Into<String>) -> Self {
        self.kind = kind.into();
        self
    }

    /// Sets the path of the offending member.
    #[must_use]
    pub fn with_param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// Leaves out which event of the client was at fault.
    #[must_use]
    pub const fn without_event_id(mut self) -> Self {
        self.names_event = false;
        self
    }

    pub(super) fn missing(param: &str) -> Self {
        Self::invalid("missing_required_parameter", format!("Missing required parameter: '{param}'.")).with_param(param)
    }

    pub(super) fn unknown_parameter(param: &str) -> Self {
        Self::invalid("unknown_parameter", format!("Unknown parameter: '{param}'.")).with_param(param)
    }

    pub(super) fn invalid_value(param: &str, message: impl Into<String>) -> Self {
        Self::invalid("invalid_value", message).with_param(param)
    }

    pub(super) fn not_one_of(param: &str, got: &str, supported: &[&str]) -> Self {
        let supported: Vec<String> = supported.iter().map(|value| format!("'{value}'")).collect();
        Self::invalid_value(param, format!("Invalid value: '{got}'. Supported values are: {}.", supported.join(", ")))
    }

    /// `{error}` of an `error` event; `event_id` is the client's.
    pub(super) fn body(&self, event_id: Option<&str>) -> Value {
        json!({
            "type": self.kind,
            "code": self.code,
            "message": self.message,
            "param": self.param,
            "event_id": event_id.filter(|_| self.names_event),
        })
    }

    /// The reason of a close frame: the error's type, a dot, its code.
    pub(super) fn close_reason(&self) -> String {
        format!("{}.{}", self.kind, self.code.as_deref().unwrap_or("unknown"))
    }
}
