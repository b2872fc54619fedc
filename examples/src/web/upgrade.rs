//! From a signed request to the socket of a media stream.

use axum::{
    body::Body,
    extract::Request,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use realtime_bridge::media::twilio::upgrade::{self as media, Upgrade};
use twilio_twiml::webhook::{Rejected, Verifier};

/// Answers the upgrade to a media stream, and gives the socket, which is there once the answer was sent.
///
/// A wrong signature is always refused, a missing one only if `require_signature`: some streams are said to come without.
/// So demand a [token](crate::stream_token) in any case.
///
/// # Errors
///
/// The answer to refuse with.
pub fn upgrade(
    request: Request,
    verifier: &Verifier,
    require_signature: bool,
) -> Result<(Response, Upgrade), Box<Response>> {
    let (parts, body) = request.into_parts();
    match verifier.upgrade(&parts) {
        Ok(_) => {}
        Err(Rejected::Unsigned) if !require_signature => tracing::debug!("a media stream comes without a signature"),
        Err(error) => {
            tracing::warn!(%error, "a media stream was refused");
            return Err(Box::new(StatusCode::FORBIDDEN.into_response()));
        }
    }
    let mut request = Request::from_parts(parts, body);
    match media::upgrade(&mut request) {
        Ok((response, socket)) => Ok((response.map(|()| Body::empty()), socket)),
        Err(error) => {
            tracing::debug!(%error, "a request for a media stream is no upgrade");
            Err(Box::new(error.response().map(|()| Body::empty())))
        }
    }
}
