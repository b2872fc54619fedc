//! The media stream is over.

use axum::{
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use call_session::{
    call::{DRAINED, KEYS, Next, SessionEvent},
    id::{SessionId, StreamId},
    store::{self, UpdateError},
};
use jiff::Timestamp;
use tokio::time::{Instant, timeout_at};
use tracing::Instrument;
use twilio_twiml::{
    sid::{AccountSid, CallSid},
    webhook::{StreamEvent, StreamProgress, VoiceRequest},
};

use super::{
    Phone,
    connect::{Leg, Whose},
    ending::hang_up,
    store_away::Waiting,
    streams::LOST,
};
use crate::{
    chain::Chain,
    web::{Document, Signed},
};

/// How long another server may take to write down how its stream ended. A server that is dead writes nothing.
const ELSEWHERE: std::time::Duration = std::time::Duration::from_millis(700);

/// The cause of a stream that ended as its model was lost and no other session could be had.
const UNREACHABLE: &str = "model-unreachable";

/// Twilio asks what comes next for the caller.
pub(super) async fn after_stream(
    State(phone): State<Phone>,
    Path((call, stream)): Path<(SessionId, StreamId)>,
    Query(waiting): Query<Waiting>,
    Signed(request): Signed<VoiceRequest>,
) -> Response {
    let (sid, account) = (request.call.call_sid, request.call.account_sid);
    let span = tracing::info_span!("call", call_sid = %sid);
    async move {
        match phone.what_next(call, stream, sid, account).await {
            Ok(document) => document.into_response(),
            Err(error) if phone.had_its_end(stream) => {
                tracing::warn!(error = %Chain(&error), "that a call is over cannot be kept now");
                hang_up().into_response()
            }
            Err(error) => {
                let door = format!("/api/twilio/after-stream/{call}/{stream}");
                if let Some(document) = phone.wait_for_store(&door, waiting, &error).await {
                    tracing::warn!(error = %Chain(&error), "nobody knows what comes next for a caller, who waits");
                    return document.into_response();
                }
                tracing::error!(error = %Chain(&error), "nobody knows what comes next for a caller, who hears an apology");
                phone.apologize().into_response()
            }
        }
    }
    .instrument(span)
    .await
}

/// Twilio tells what became of a stream. It may come before or after the stream itself says so.
pub(super) async fn stream_status(
    State(phone): State<Phone>,
    Path((call, stream)): Path<(SessionId, StreamId)>,
    Signed(progress): Signed<StreamProgress>,
) -> StatusCode {
    let span = tracing::info_span!("call", call_sid = %progress.call_sid, stream_sid = %progress.stream_sid);
    async move {
        if progress.event != StreamEvent::Error {
            tracing::debug!(event = progress.event.as_str(), "media stream");
            return StatusCode::NO_CONTENT;
        }
        let error = progress.error.as_deref().unwrap_or_default();
        tracing::warn!(error, "Twilio could not carry the media stream");
        let failed = SessionEvent::StreamDetached { stream, cause: "stream-error".into(), orderly: false };
        let told = [SessionEvent::Bound { call: progress.call_sid.clone() }, failed];
        match phone.hear(call, told.into_iter().map(|event| event.at(Timestamp::now())).collect()).await {
            Ok(None) => return StatusCode::NO_CONTENT,
            Ok(Some(_)) => {}
            Err(status) => return status,
        }
        let local = phone.0.streams.find(stream).filter(|local| local.call == call);
        if let Some(local) = local.filter(|local| local.is_expected()) {
            phone.0.streams.ended(&local, true);
        }
        StatusCode::NO_CONTENT
    }
    .instrument(span)
    .await
}

impl Phone {
    async fn what_next(
        &self,
        call: SessionId,
        stream: StreamId,
        sid: CallSid,
        account: AccountSid,
    ) -> Result<Document, UpdateError> {
        let local = self.0.streams.find(stream).filter(|local| local.call == call);
        if let Some(local) = &local {
            local.over().await;
        } else {
            self.wait_for_others(call, stream).await?;
        }
        let lost = || SessionEvent::StreamDetached { stream, cause: LOST.into(), orderly: false };
        // What is known here and not yet kept is told by whoever comes first: both say the same.
        let ending = local.as_ref().and_then(|local| local.ending()).unwrap_or_else(lost);
        let bound = SessionEvent::Bound { call: sid.clone() };
        let updated = store::update(&*self.0.store, call, |session| {
            let summary = &session.summary;
            let mut events = vec![bound.clone().at(Timestamp::now())];
            // Of a life before this store: the caller is on the line all the same.
            if summary.attachments.iter().any(|known| known.stream == stream) {
                events.push(ending.clone().at(Timestamp::now()));
            }
            events
        });
        let leg = Leg { call: updated.await?.session.summary, sid, account };
        let document = self.next_document(leg, stream).await?;
        if let Some(local) = &local {
            self.0.streams.answered(local);
        }
        Ok(document)
    }

    async fn next_document(&self, leg: Leg, stream: StreamId) -> Result<Document, UpdateError> {
        let call = &leg.call;
        let next = call.after_stream(stream);
        let whose = self.whose().await;
        let cause = call.attachments.iter().rev().find(|known| known.stream == stream);
        let cause = cause.and_then(|known| known.detached.as_ref()).map_or("", |detached| detached.cause.as_str());
        tracing::info!(cause, ?next, "the media stream is over");
        match next {
            Next::HangUp => {
                self.conclude(call.id, cause).await?;
                Ok(hang_up())
            }
            // A server that leaves its callers and is alone says so.
            Next::Reconnect
                if whose == Whose::Nobodys && (self.0.leave.is_cancelled() || self.0.stop.is_cancelled()) =>
            {
                self.break_off(call.id, cause).await?;
                Ok(self.apologize())
            }
            // It was looked for, for as long as callers wait, or nobody has to look.
            Next::Reconnect if cause == UNREACHABLE || self.0.models.are_down() => {
                let cause = cause.to_owned();
                Ok(self.down_the_ladder(leg, &cause).await)
            }
            Next::Reconnect => {
                let (call, stream) = self.expect(call.id, vec![]).await?;
                match stream {
                    Some(stream) => Ok(self.connect(&Leg { call, ..leg }, stream, whose)),
                    // Its end was asked for just now.
                    None => {
                        self.conclude(call.id, cause).await?;
                        Ok(hang_up())
                    }
                }
            }
            Next::Elsewhere => Ok(hang_up()),
            Next::Room => Ok(self.send_caller(leg).await),
            Next::Apologize => {
                let cause = cause.to_owned();
                Ok(self.down_the_ladder(leg, &cause).await)
            }
            _ => {
                self.break_off(call.id, cause).await?;
                Ok(self.apologize())
            }
        }
    }

    /// Whether the conversation on a stream of this server came to its end.
    fn had_its_end(&self, stream: StreamId) -> bool {
        let ending = self.0.streams.find(stream).and_then(|local| local.ending());
        matches!(ending, Some(SessionEvent::StreamDetached { orderly: true, .. }))
    }

    /// Another server had the stream. If it lives, it writes down how the stream ended.
    async fn wait_for_others(&self, call: SessionId, stream: StreamId) -> Result<(), UpdateError> {
        let deadline = Instant::now() + ELSEWHERE;
        loop {
            let position = self.0.store.feed_end().await?;
            let summary = self.0.store.summary(call).await?;
            let ends = summary.is_none_or(|summary| {
                let known = summary.attachments.iter().find(|known| known.stream == stream);
                known.is_none_or(|known| known.detached.is_some() || known.node.is_none())
            });
            if ends || timeout_at(deadline, self.0.store.feed_moved(position)).await.is_err() {
                return Ok(());
            }
        }
    }
}

/// The cause of a stream that was left on purpose, so that the agent does not apologise for it.
pub(crate) fn is_planned(cause: &str) -> bool {
    matches!(cause, DRAINED | KEYS)
}
