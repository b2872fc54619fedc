//! Who may open a socket, and what for.
//!
//! OpenAI: Realtime guide, connecting over WebSocket.

use std::{collections::BTreeSet, time::Duration};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use serde_json::json;

use super::{ApiError, Profile, session::Attachment, settings::Model};

/// What the server asks of an upgrade request.
#[derive(Debug, Clone, Default)]
pub(super) struct Door {
    /// Keys that are let in; any at all when there is none.
    pub(super) keys: BTreeSet<String>,
    pub(super) wrong_key: WrongKey,
    /// Telephone calls that a control socket may be opened for.
    pub(super) calls: BTreeSet<String>,
    pub(super) profile: Profile,
}

/// What a wrong key gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WrongKey {
    /// HTTP status 401 instead of the upgrade.
    #[default]
    Status401,
    /// An open socket, an `error` event, then close code 3000, as seen in the field.
    Close3000,
}

/// A request that may be upgraded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Admitted {
    pub(super) model: String,
    pub(super) attachment: Attachment,
    /// The telephone call that a control socket is for.
    pub(super) call_id: Option<String>,
    /// The subprotocol to answer with.
    pub(super) subprotocol: Option<HeaderValue>,
    pub(super) safety_identifier: Option<String>,
}

/// A request that is not served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Instead of the upgrade.
    Status { status: StatusCode, error: ApiError, retry_after: Option<Duration> },
    /// After the upgrade, with this close code.
    Socket { error: ApiError, code: u16 },
}

impl Refusal {
    const fn status(status: StatusCode, error: ApiError) -> Self {
        Self::Status { status, error, retry_after: None }
    }
}

/// The HTTP answer that OpenAI's interfaces give to a failed request.
pub(super) fn error_response(status: StatusCode, error: &ApiError, retry_after: Option<Duration>) -> Response<Body> {
    let body = json!({
        "error": {"message": error.message, "type": error.kind, "param": error.param, "code": error.code},
    });
    let mut response = (status, axum::Json(body)).into_response();
    if let Some(after) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs()));
    }
    response
}

impl Door {
    /// `lives` tells which calls have a telephone, besides those that are let in anyway.
    pub(super) fn admit(
        &self,
        uri: &Uri,
        headers: &HeaderMap,
        lives: impl Fn(&str) -> bool,
    ) -> Result<Admitted, Refusal> {
        if !is_upgrade(headers) {
            let error = ApiError::invalid("websocket_required", "This address takes WebSocket connections only.");
            return Err(Refusal::status(StatusCode::BAD_REQUEST, error));
        }
        let subprotocols = subprotocols(headers);
        self.check_key(headers, &subprotocols)?;
        let beta =
            headers.contains_key("openai-beta") || subprotocols.iter().any(|name| name.starts_with("openai-beta"));
        if beta {
            let message = "The Realtime Beta API is no longer supported. Please use the GA interface.";
            return Err(Refusal::Socket { error: ApiError::invalid("beta_api_shape_disabled", message), code: 4000 });
        }
        let (model, attachment, call_id) = self.purpose(uri, lives)?;
        let safety_identifier = headers.get("openai-safety-identifier").and_then(|value| value.to_str().ok());
        Ok(Admitted {
            model,
            attachment,
            call_id,
            subprotocol: subprotocols.contains(&"realtime").then(|| HeaderValue::from_static("realtime")),
            safety_identifier: safety_identifier.map(str::to_owned),
        })
    }

    /// Whether a REST request has a right key.
    pub(super) fn admits_rest(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        self.check_key(headers, &[]).map_err(|refusal| match refusal {
            Refusal::Status { error, .. } | Refusal::Socket { error, .. } => error,
        })
    }

    fn check_key(&self, headers: &HeaderMap, subprotocols: &[&str]) -> Result<(), Refusal> {
        let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = header.and_then(|value| value.strip_prefix("Bearer "));
        let azure = headers.get("api-key").filter(|_| self.profile == Profile::Azure);
        let bearer = bearer.or_else(|| azure.and_then(|value| value.to_str().ok()));
        let browser = subprotocols.iter().find_map(|name| name.strip_prefix("openai-insecure-api-key."));
        let Some(key) = bearer.or(browser).filter(|key| !key.is_empty()) else {
            let message = "Missing bearer authentication in header";
            return Err(Refusal::status(StatusCode::UNAUTHORIZED, ApiError::invalid("missing_api_key", message)));
        };
        if self.keys.is_empty() || self.keys.contains(key) {
            return Ok(());
        }
        let error = ApiError::invalid("invalid_api_key", "Incorrect API key provided.");
        Err(match self.wrong_key {
            WrongKey::Status401 => Refusal::status(StatusCode::UNAUTHORIZED, error),
            WrongKey::Close3000 => Refusal::Socket { error, code: 3000 },
        })
    }

    /// Exactly one of `model`, `call_id` and `intent` says what a socket is for.
    fn purpose(
        &self,
        uri: &Uri,
        lives: impl Fn(&str) -> bool,
    ) -> Result<(String, Attachment, Option<String>), Refusal> {
        let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri);
        let pairs = pairs.map(|query| query.0).unwrap_or_default();
        if self.profile == Profile::Azure && pairs.iter().any(|(name, _)| name == "api-version") {
            let message = "The api-version query parameter is not allowed when using /v1 path";
            return Err(Refusal::status(StatusCode::UNAUTHORIZED, ApiError::invalid("invalid_api_version", message)));
        }
        let purposes: Vec<(&str, &str)> = pairs
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .filter(|(name, _)| matches!(*name, "model" | "call_id" | "intent"))
            .collect();
        match purposes[..] {
            [] => {
                let message = "You must provide a model parameter.";
                Err(Refusal::Socket { error: ApiError::invalid("missing_model", message), code: 4000 })
            }
            [("model", model)] if Model::named(model).is_some() || !self.profile.knows_models() => {
                Ok((model.to_owned(), Attachment::Socket, None))
            }
            [("model", model)] => {
                let message = format!("The model `{model}` does not exist or you do not have access to it.");
                Err(Refusal::Socket { error: ApiError::invalid("model_not_found", message), code: 4004 })
            }
            [("call_id", call_id)] if self.calls.contains(call_id) || lives(call_id) => {
                Ok(("gpt-realtime-2.1".to_owned(), Attachment::Call, Some(call_id.to_owned())))
            }
            [("call_id", call_id)] => {
                let message = format!("No session found for call_id: {call_id}.");
                Err(Refusal::status(StatusCode::NOT_FOUND, ApiError::invalid("call_id_not_found", message)))
            }
            [("intent", _)] => {
                let message = "This simulator plays conversations; transcription sessions are not simulated.";
                Err(Refusal::status(StatusCode::NOT_IMPLEMENTED, ApiError::invalid("not_simulated", message)))
            }
            _ => {
                let message = "Only one of model, call_id and intent may be given.";
                Err(Refusal::Socket { error: ApiError::invalid("invalid_model", message), code: 4000 })
            }
        }
    }
}

fn is_upgrade(headers: &HeaderMap) -> bool {
    let has = |name: HeaderName, word: &str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|value| value.split(',').any(|value| value.trim().eq_ignore_ascii_case(word)))
    };
    has(header::CONNECTION, "upgrade")
        && has(header::UPGRADE, "websocket")
        && has(header::SEC_WEBSOCKET_VERSION, "13")
        && headers.contains_key(header::SEC_WEBSOCKET_KEY)
}

fn subprotocols(headers: &HeaderMap) -> Vec<&str> {
    headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(',').map(str::trim))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: (&str, &str) = ("authorization", "Bearer sk-right");

    fn admit(query: &str, extra: &[(&'static str, &str)], door: &Door) -> Result<Admitted, Refusal> {
        let mut headers = HeaderMap::new();
        let upgrade = [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "x3JJHMbDL1EzLkh9GBhXDw=="),
        ];
        for (name, value) in upgrade.iter().chain(extra) {
            headers.insert(*name, HeaderValue::from_str(value).unwrap());
        }
        door.admit(&format!("/v1/realtime{query}").parse().unwrap(), &headers, |_| false)
    }

    fn door() -> Door {
        Door { keys: BTreeSet::from(["sk-right".to_owned()]), ..Door::default() }
    }

    #[track_caller]
    fn refused(result: Result<Admitted, Refusal>, code: &str, by: u16) {
        let (error, got) = match result.unwrap_err() {
            Refusal::Status { status, error, .. } => (error, status.as_u16()),
            Refusal::Socket { error, code } => (error, code),
        };
        assert_eq!((error.code.as_deref(), got), (Some(code), by));
    }

    #[test]
    fn the_right_key_and_a_current_model_are_let_in() {
        let admitted = admit("?model=gpt-realtime-2.1", &[KEY, ("openai-safety-identifier", "h4sh")], &door()).unwrap();
        assert_eq!((admitted.model.as_str(), admitted.attachment), ("gpt-realtime-2.1", Attachment::Socket));
        assert_eq!(admitted.safety_identifier.as_deref(), Some("h4sh"));
    }

    #[test]
    fn without_the_right_key_nobody_is_let_in() {
        let query = "?model=gpt-realtime-2.1";
        refused(admit(query, &[], &door()), "missing_api_key", 401);
        refused(admit(query, &[("authorization", "Basic x")], &door()), "missing_api_key", 401);
        refused(admit(query, &[("authorization", "Bearer sk-wrong")], &door()), "invalid_api_key", 401);
        let late = Door { wrong_key: WrongKey::Close3000, ..door() };
        refused(admit(query, &[("authorization", "Bearer sk-wrong")], &late), "invalid_api_key", 3000);
    }

    #[test]
    fn a_browser_may_put_its_key_into_a_subprotocol() {
        let offer = ("sec-websocket-protocol", "realtime, openai-insecure-api-key.sk-right");
        let admitted = admit("?model=gpt-realtime-2.1", &[offer], &door()).unwrap();
        assert_eq!(admitted.subprotocol, Some(HeaderValue::from_static("realtime")));
    }

    #[test]
    fn the_beta_is_over() {
        let query = "?model=gpt-realtime-2.1";
        refused(admit(query, &[KEY, ("openai-beta", "realtime=v1")], &door()), "beta_api_shape_disabled", 4000);
        let offer = ("sec-websocket-protocol", "realtime, openai-beta.realtime-v1");
        refused(admit(query, &[KEY, offer], &door()), "beta_api_shape_disabled", 4000);
    }

    #[test]
    fn exactly_one_purpose_is_needed() {
        refused(admit("", &[KEY], &door()), "missing_model", 4000);
        refused(admit("?model=gpt-realtime-2.1&call_id=rtc_1", &[KEY], &door()), "invalid_model", 4000);
        refused(admit("?model=gpt-5-nonsense", &[KEY], &door()), "model_not_found", 4004);
        refused(admit("?model=gpt-4o-realtime-preview", &[KEY], &door()), "model_not_found", 4004);
        refused(admit("?call_id=rtc_1", &[KEY], &door()), "call_id_not_found", 404);
        let door = Door { calls: BTreeSet::from(["rtc_1".to_owned()]), ..door() };
        assert_eq!(admit("?call_id=rtc_1", &[KEY], &door).unwrap().attachment, Attachment::Call);
    }

    #[test]
    fn a_plain_request_is_no_upgrade() {
        let headers = HeaderMap::new();
        refused(
            door().admit(&"/v1/realtime?model=gpt-realtime".parse().unwrap(), &headers, |_| false),
            "websocket_required",
            400,
        );
    }
}
