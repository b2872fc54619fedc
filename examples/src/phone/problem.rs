//! Errors for programs: `application/problem+json` (RFC 9457), with a code of ours.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Map, Value};

/// What a [`Problem`] is sent as.
pub(super) const CONTENT_TYPE: &str = "application/problem+json";

/// Why a request was not done. The body is `{"type", "title", "status", "code", "detail"?}` and what
/// else a code brings; programs go by `code`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The HTTP status.
    pub status: StatusCode,
    /// What it is, for programs: a short fixed name.
    pub code: &'static str,
    /// What it is, for people.
    pub title: &'static str,
    /// What about this request.
    pub detail: Option<String>,
    /// More about it, for programs: members of their own.
    pub members: Option<Box<Map<String, Value>>>,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: &'a str,
    title: &'a str,
    status: u16,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(flatten)]
    members: Option<&'a Map<String, Value>>,
}

impl Problem {
    /// A problem.
    #[must_use]
    pub const fn new(status: StatusCode, code: &'static str, title: &'static str) -> Self {
        Self { status, code, title, detail: None, members: None }
    }

    /// Says more about this request.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Says more about this request for programs, as a member of its own.
    #[must_use]
    pub fn with_member(mut self, name: &str, value: Value) -> Self {
        self.members.get_or_insert_default().insert(name.to_owned(), value);
        self
    }

    /// There is no such call.
    #[must_use]
    pub const fn no_call() -> Self {
        Self::new(StatusCode::NOT_FOUND, "call-not-found", "There is no such call")
    }

    /// The call is over.
    #[must_use]
    pub const fn over() -> Self {
        Self::new(StatusCode::CONFLICT, "call-over", "The call is over")
    }

    /// The store cannot be reached.
    #[must_use]
    pub const fn no_store() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "store-unavailable", "Calls cannot be looked up now")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Body {
            r#type: "about:blank",
            title: self.title,
            status: self.status.as_u16(),
            code: self.code,
            detail: self.detail.as_deref(),
            members: self.members.as_deref(),
        };
        let json = serde_json::to_string(&body).unwrap_or_default();
        (self.status, [(header::CONTENT_TYPE, CONTENT_TYPE)], json).into_response()
    }
}
