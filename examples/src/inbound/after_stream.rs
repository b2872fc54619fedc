//! The media stream is over.

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use tracing::Instrument;
use twilio_twiml::{
    twiml,
    webhook::{StreamEvent, StreamProgress, VoiceRequest},
};
use uuid::Uuid;

use super::{Beginning, Inbound};
use crate::{
    calls::Next,
    web::{Document, Signed},
};

/// Twilio asks what comes next for the caller.
pub(super) async fn after_stream(
    State(server): State<Inbound>,
    Path(id): Path<Uuid>,
    Signed(request): Signed<VoiceRequest>,
) -> Response {
    let (call, account) = (request.call.call_sid, request.call.account_sid);
    let span = tracing::info_span!("call", call_sid = %call);
    async move {
        let before = server.0.calls.find(id).filter(|stream| stream.call == call);
        let next = match &before {
            Some(stream) => server.0.calls.what_next(stream).await,
            // Not ours, or of a life before a restart: the caller is on the line all the same.
            None => Next::Reconnect,
        };
        match next {
            Next::HangUp => Document(twiml::Response::new().hangup()).into_response(),
            Next::Reconnect if !server.0.stop.is_cancelled() => {
                let conversation = &server.0.settings.conversation;
                let history = before.and_then(|stream| conversation.history(&stream.transcript()));
                server.connect(call, account, Beginning::Resumed { history }).into_response()
            }
            Next::Reconnect | Next::Apologize => server.apologize().into_response(),
        }
    }
    .instrument(span)
    .await
}

/// Twilio tells what became of a stream. It may come before or after the stream itself says so.
pub(super) async fn stream_status(
    State(server): State<Inbound>,
    Path(id): Path<Uuid>,
    Signed(progress): Signed<StreamProgress>,
) -> StatusCode {
    let _span = tracing::info_span!("call", call_sid = %progress.call_sid, stream_sid = %progress.stream_sid).entered();
    if progress.event == StreamEvent::Error {
        let error = progress.error.as_deref().unwrap_or_default();
        tracing::warn!(error, "Twilio could not carry the media stream");
        if let Some(stream) = server.0.calls.find(id).filter(|stream| stream.call == progress.call_sid) {
            stream.failed();
        }
    } else {
        tracing::debug!(event = progress.event.as_str(), "media stream");
    }
    StatusCode::NO_CONTENT
}
