//! `POST /v1/realtime/calls/{call_id}/…`: accept, reject, refer, hangup.
//!
//! OpenAI: Realtime API reference, calls.

use std::{sync::Arc, time::Duration};

use axum::{body::Body, response::Response};
use http::{HeaderMap, StatusCode, header};
use serde_json::Value;
use tokio::time::sleep;

use super::{SipCall, SipEnd, Step, Transfer, call::Stage};
use crate::openai::{ApiError, admission::error_response, session::Session, socket::Shared};

/// From the answer to a transfer to the target taking over.
const TRANSFER_TAKES: Duration = Duration::from_millis(500);

/// What can be asked of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Connects the caller to the model.
    Accept,
    /// Refuses the call.
    Reject,
    /// Moves the caller.
    Refer,
    /// Ends the call.
    HangUp,
}

/// How a request fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// It is answered with this status, and nothing is done.
    Status(u16),
    /// It is done, and answered with this status.
    DoneBut(u16),
    /// It is done and answered only after this time.
    Late(Duration),
    /// It is never answered, and nothing is done.
    Silent,
}

impl Action {
    pub(in crate::openai) fn named(name: &str) -> Option<Self> {
        [Self::Accept, Self::Reject, Self::Refer, Self::HangUp].into_iter().find(|action| action.name() == name)
    }

    /// As in the path.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Reject => "reject",
            Self::Refer => "refer",
            Self::HangUp => "hangup",
        }
    }
}

/// Does what a request asks for. `open` makes the session of a call that is accepted.
pub(in crate::openai) async fn action(
    call: &Arc<SipCall>,
    action: Action,
    headers: &HeaderMap,
    body: &[u8],
    fault: Option<Fault>,
    open: impl FnOnce(&Value) -> Result<Session, ApiError>,
) -> Response<Body> {
    match fault {
        Some(Fault::Silent) => std::future::pending::<()>().await,
        Some(Fault::Late(after)) => sleep(after).await,
        Some(Fault::Status(_) | Fault::DoneBut(_)) | None => {}
    }
    let failed = |status: u16| {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, ApiError::server())
    };
    let done = match fault {
        Some(Fault::Status(status)) => Err(failed(status)),
        _ => perform(call, action, headers, body, open),
    };
    let done = match (fault, done) {
        (Some(Fault::DoneBut(status)), Ok(())) => Err(failed(status)),
        (_, done) => done,
    };
    let response = match done {
        Ok(()) => Response::new(Body::empty()),
        Err((status, error)) => error_response(status, &error, None),
    };
    call.note(Step::Request(action.name(), response.status().as_u16()));
    response
}

type Refused = (StatusCode, ApiError);

fn perform(
    call: &Arc<SipCall>,
    action: Action,
    headers: &HeaderMap,
    body: &[u8],
    open: impl FnOnce(&Value) -> Result<Session, ApiError>,
) -> Result<(), Refused> {
    let bad = |error| (StatusCode::BAD_REQUEST, error);
    let body = json_body(headers, body).map_err(bad)?;
    match (action, call.stage()) {
        (_, Stage::Over(_)) => Err(unknown(&call.id)),
        (Action::Accept, Stage::Ringing) => {
            let session = open(&body).map_err(bad)?;
            if call.connect(Arc::new(Shared::new(session))) { Ok(()) } else { Err(unknown(&call.id)) }
        }
        (Action::Accept | Action::Reject, Stage::Connected(_)) => {
            let message = "The call was already accepted.";
            Err((StatusCode::CONFLICT, ApiError::invalid("call_already_accepted", message)))
        }
        (Action::Reject, Stage::Ringing) => {
            let code = status_code(&body).map_err(bad)?;
            call.end(SipEnd::Rejected(code));
            Ok(())
        }
        (Action::Refer | Action::HangUp, Stage::Ringing) => {
            let message = "The call has not been accepted.";
            Err(bad(ApiError::invalid("call_not_accepted", message)))
        }
        (Action::HangUp, Stage::Connected(_)) => {
            call.end(SipEnd::HungUp);
            Ok(())
        }
        (Action::Refer, Stage::Connected(_)) => {
            let target = target(&body).map_err(bad)?;
            call.transfer(target);
            Ok(())
        }
    }
}

pub(in crate::openai) fn unknown(call_id: &str) -> Refused {
    let message = format!("No session found for call_id: {call_id}.");
    (StatusCode::NOT_FOUND, ApiError::invalid("call_id_not_found", message))
}

/// An empty body is none; any other has to be JSON, and to say so.
fn json_body(headers: &HeaderMap, body: &[u8]) -> Result<Value, ApiError> {
    if body.is_empty() {
        return Ok(Value::Null);
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("application/json") {
        return Err(ApiError::invalid("unsupported_content_type", "The body must be application/json."));
    }
    serde_json::from_slice(body).map_err(|_| ApiError::invalid("invalid_json", "The body is not valid JSON."))
}

fn status_code(body: &Value) -> Result<u16, ApiError> {
    only(body, &["status_code"])?;
    let code = match body.get("status_code") {
        None => return Ok(603),
        Some(code) => code.as_u64().and_then(|code| u16::try_from(code).ok()),
    };
    code.filter(|code| (300..700).contains(code))
        .ok_or_else(|| ApiError::invalid_value("status_code", "Expected a SIP status code of 300 to 699."))
}

fn target(body: &Value) -> Result<String, ApiError> {
    only(body, &["target_uri"])?;
    let target = body["target_uri"].as_str().ok_or_else(|| ApiError::missing("target_uri"))?;
    if ["tel:", "sip:", "sips:"].iter().any(|scheme| target.starts_with(scheme)) {
        Ok(target.to_owned())
    } else {
        Err(ApiError::invalid_value("target_uri", "Expected a tel: or sip: URI."))
    }
}

fn only(body: &Value, known: &[&str]) -> Result<(), ApiError> {
    match body.as_object().into_iter().flatten().find(|(name, _)| !known.contains(&name.as_str())) {
        Some((name, _)) => Err(ApiError::unknown_parameter(name)),
        None => Ok(()),
    }
}

impl SipCall {
    /// The target is rung; when it takes over, the provider's part of the call ends.
    fn transfer(&self, target: String) {
        let outcome = match self.ring.transfer {
            Transfer::Succeeds => Ok(target),
            Transfer::Fails => Err(target),
        };
        self.plan_transfer(outcome, TRANSFER_TAKES);
    }
}
