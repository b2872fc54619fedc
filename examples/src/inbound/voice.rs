//! A call comes in.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use twilio_twiml::webhook::VoiceRequest;

use super::{Beginning, Inbound};
use crate::web::Signed;

/// Answers at once: the caller hears ringing until then. Nothing is waited for, least of all the model.
pub(super) async fn voice(State(server): State<Inbound>, Signed(request): Signed<VoiceRequest>) -> Response {
    let (call, account) = (request.call.call_sid, request.call.account_sid);
    let _span = tracing::info_span!("call", call_sid = %call).entered();
    if server.0.settings.twilio.account_sid.as_ref().is_some_and(|ours| *ours != account) {
        tracing::warn!("a call of another account was refused");
        return StatusCode::FORBIDDEN.into_response();
    }
    if server.0.draining.is_cancelled() {
        tracing::info!("a call was turned away with an apology: the server stops");
        return server.apologize().into_response();
    }
    tracing::info!("a call comes in");
    server.connect(call, account, Beginning::Fresh).into_response()
}
