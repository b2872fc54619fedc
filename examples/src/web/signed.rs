//! Only Twilio's webhooks.

use axum::{
    body::to_bytes,
    extract::{FromRef, FromRequest, Request},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use twilio_twiml::webhook::{FormError, Rejected, Verifier, Webhook};

/// The largest webhook taken, in bytes. Twilio's have a few kilobytes at most.
const BODY_LIMIT: usize = 64 * 1024;

/// A webhook that Twilio has signed, with types.
///
/// The router's state has to give a [`Verifier`], by axum's [`FromRef`].
#[derive(Debug, Clone)]
pub struct Signed<T>(pub T);

/// Why a webhook is not let through.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// Its signature is missing or wrong. Both have status 403, which tells a stranger nothing.
    #[error("the request is not Twilio's")]
    Unsigned(#[source] Rejected),
    /// It is larger than any webhook, or broke off.
    #[error("the body cannot be read")]
    Body(#[source] axum::Error),
    /// It is signed, but not what is posted here.
    #[error("the request is another webhook than this path takes")]
    Form(#[source] FormError),
}

impl<S, T> FromRequest<S> for Signed<T>
where
    S: Send + Sync,
    T: Webhook,
    Verifier: FromRef<S>,
{
    type Rejection = Refused;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refused> {
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, BODY_LIMIT).await.map_err(Refused::Body)?;
        let webhook = Verifier::from_ref(state).webhook(&parts, body).map_err(Refused::Unsigned)?;
        webhook.read().map(Self).map_err(Refused::Form)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::Unsigned(rejected) => {
                tracing::warn!(error = %rejected, "a webhook was refused");
                StatusCode::FORBIDDEN
            }
            Self::Body(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Form(error) => {
                tracing::warn!(%error, "a signed webhook cannot be read");
                StatusCode::BAD_REQUEST
            }
        };
        (status, self.to_string()).into_response()
    }
}
