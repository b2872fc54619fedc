//! The media stream: from the upgrade to the end of the conversation.

use std::io;

use axum::{
    extract::{Path, Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use futures_util::SinkExt;
use realtime_bridge::{
    bridge::Bridge,
    media::{
        MediaError,
        twilio::{
            Config, MediaStream,
            upgrade::{Socket, Upgrade},
        },
    },
};
use tokio::time::Instant;
use tracing::Instrument;
use uuid::Uuid;

use super::Inbound;
use crate::{
    calls::{Outcome, carry},
    chain::Chain,
    stream_token::PARAMETER,
    web,
};

/// Lets a stream in that is expected; everything else is settled when it has shown its token.
pub(super) async fn media_stream(State(server): State<Inbound>, Path(id): Path<Uuid>, request: Request) -> Response {
    if !server.0.tokens.is_expected(Instant::now().into_std(), id) {
        tracing::warn!("a media stream was refused that nobody expects");
        return StatusCode::NOT_FOUND.into_response();
    }
    let require_signature = server.0.settings.twilio.require_stream_signature;
    match web::upgrade(request, &server.0.verifier, require_signature) {
        Ok((response, socket)) => {
            let tasks = server.0.tasks.clone();
            tasks.spawn(Box::pin(admit(server, id, socket)));
            response
        }
        Err(refused) => *refused,
    }
}

/// Who is there? Nothing is opened or kept for a stream that has not shown the token of its call.
async fn admit(server: Inbound, id: Uuid, socket: Upgrade) {
    let line = match introduce(socket).await {
        Ok(line) => line,
        Err(error) => return tracing::warn!(error = %Chain(&error), "a media stream did not begin"),
    };
    let start = line.start();
    let span = tracing::info_span!("call", call_sid = %start.call_sid, stream_sid = %start.stream_sid);
    let token = start.parameters.get(PARAMETER).map_or("", String::as_str);
    let now = Instant::now().into_std();
    match server.0.tokens.redeem(now, id, token, &start.call_sid, &start.account_sid) {
        Ok(()) => Box::pin(converse(server, id, line)).instrument(span).await,
        Err(error) => span.in_scope(|| tracing::warn!(%error, "a media stream was refused")),
    }
}

/// Why a media stream did not begin.
#[derive(Debug, thiserror::Error)]
enum NoStart {
    #[error("the connection ended with its upgrade")]
    Upgrade(#[source] io::Error),
    #[error("it did not introduce itself")]
    Start(#[source] MediaError),
}

async fn introduce(socket: Upgrade) -> Result<MediaStream<Socket>, NoStart> {
    let socket = socket.await.map_err(NoStart::Upgrade)?;
    MediaStream::accept(socket, Config::default()).await.map_err(NoStart::Start)
}

/// The caller is on the line: joins it with the session that was opened for it.
async fn converse(server: Inbound, id: Uuid, mut line: MediaStream<Socket>) {
    let state = &*server.0;
    let stream_sid = line.start().stream_sid.clone();
    let Some((stream, session)) = state.calls.find(id).and_then(|stream| Some((stream.clone(), stream.begin()?)))
    else {
        return tracing::warn!("the media stream comes too late");
    };
    let session = match session.adopt(state.settings.limits.model_wait).await {
        Ok(session) => session,
        Err(error) => {
            tracing::error!(error = %Chain(&error), "there is no model for the caller, who hears an apology");
            state.calls.ended(&stream, Outcome::NoModel);
            // The line's end is what makes Twilio ask; how it went is no news.
            let _ = line.close().await;
            return;
        }
    };
    let config = state.settings.conversation.call(state.settings.limits.max_call, stream.resumed);
    let bridge = match Bridge::with_config(line, session, config) {
        Ok(bridge) => bridge.with_tools(state.tools.clone()),
        Err(error) => {
            tracing::error!(%error, "the call cannot be bridged");
            return state.calls.ended(&stream, Outcome::NoModel);
        }
    };
    let record = carry(&state.calls, &stream, stream_sid, bridge).await;
    if let Some(records) = &state.records
        && records.try_send(record).is_err()
    {
        tracing::debug!("nobody takes the call's record");
    }
}
