//! What Twilio tells of a call, besides its streams.

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use call_session::{
    call::{self, AnsweredBy, Ending, Outcome, SessionEvent, Status},
    id::SessionId,
    store,
};
use jiff::{SignedDuration, Timestamp};
use tracing::Instrument;
use twilio_twiml::{
    rest, twiml,
    webhook::{AnsweringMachine, CallProgress, RecordingProgress, VoiceRequest},
};

use super::{Phone, dial::is_called_off, ending::hang_up};
use crate::{
    chain::Chain,
    settings::Machine,
    web::{Document, Signed},
};

/// How long Twilio may repeat what it has told.
const TOLD_AGAIN: SignedDuration = SignedDuration::from_hours(1);

/// What has become of a call. Callbacks come late, twice and in any order; the session sorts that out.
pub(super) async fn call_status(
    State(phone): State<Phone>,
    Path(call): Path<SessionId>,
    Signed(progress): Signed<CallProgress>,
) -> StatusCode {
    let span = tracing::info_span!("call", call_sid = %progress.call.call_sid);
    async move {
        tracing::debug!(status = progress.call.status.as_str(), "call status");
        match phone.hear(call, call::progress(&progress, Timestamp::now())).await {
            // It may have its name only now. Twilio does not wait for what follows.
            Ok(Some(summary)) if is_called_off(&summary) => {
                let tasks = phone.0.tasks.clone();
                tasks.spawn(async move { phone.call_off_if_asked(&summary).await }.in_current_span());
            }
            Ok(_) => {}
            Err(status) => return status,
        }
        StatusCode::NO_CONTENT
    }
    .instrument(span)
    .await
}

/// Who, or what, picked up.
pub(super) async fn machine(
    State(phone): State<Phone>,
    Path(call): Path<SessionId>,
    Signed(callback): Signed<AnsweringMachine>,
) -> StatusCode {
    let span = tracing::info_span!("call", call_sid = %callback.call_sid);
    async move {
        let by = AnsweredBy::from(&callback.answered_by);
        tracing::info!(?by, "somebody, or something, picked up");
        match phone.hear(call, call::machine(&callback, Timestamp::now())).await {
            Ok(Some(summary)) if !summary.status.is_terminal() => {}
            Ok(_) => return StatusCode::NO_CONTENT,
            Err(status) => return status,
        }
        if !matches!(by, AnsweredBy::Machine | AnsweredBy::Fax) {
            return StatusCode::NO_CONTENT;
        }
        // Twilio may tell it again, here or to another server: a message that has begun would begin anew.
        let now = Timestamp::now();
        match phone.0.store.claim(&format!("machine/{call}"), now, now + TOLD_AGAIN).await {
            Ok(true) => {}
            Ok(false) => return StatusCode::NO_CONTENT,
            Err(error) => {
                tracing::error!(error = %Chain(&error), "nobody knows whether a machine has its message");
                return StatusCode::SERVICE_UNAVAILABLE;
            }
        }
        let phone = phone.clone();
        // Twilio does not wait for what follows.
        phone.0.tasks.clone().spawn(async move { phone.meet_machine(call, by).await }.in_current_span());
        StatusCode::NO_CONTENT
    }
    .instrument(span)
    .await
}

/// What became of a recording.
pub(super) async fn recording(
    State(phone): State<Phone>,
    Path(call): Path<SessionId>,
    Signed(callback): Signed<RecordingProgress>,
) -> StatusCode {
    phone.note_all(call, call::recording(&callback, Timestamp::now())).await
}

/// The message, after the beep.
pub(super) async fn voicemail(
    State(phone): State<Phone>,
    Path(call): Path<SessionId>,
    Signed(_): Signed<VoiceRequest>,
) -> Response {
    let settings = &phone.0.settings;
    let talk = match phone.0.store.summary(call).await {
        Ok(Some(summary)) => settings.conversation.of(&summary),
        Ok(None) => return StatusCode::NOT_FOUND.into_response(),
        Err(error) => {
            tracing::error!(error = %Chain(&error), "a machine gets no message");
            return hang_up().into_response();
        }
    };
    let left = settings.public_url.webhook(&format!("/api/twilio/voicemail-left/{call}"));
    Document(twiml::Response::new().say(talk.voicemail()).redirect(left)).into_response()
}

/// The message was said to its end.
pub(super) async fn voicemail_left(
    State(phone): State<Phone>,
    Path(call): Path<SessionId>,
    Signed(request): Signed<VoiceRequest>,
) -> Response {
    let told = [
        SessionEvent::Bound { call: request.call.call_sid },
        SessionEvent::Concluded { outcome: Outcome::VoicemailLeft },
        SessionEvent::Ended(Ending::new(Status::Completed, "voicemail")),
    ];
    // What cannot be kept now is told by the end of the call, but for the message.
    phone.note_all(call, told.into_iter().map(|event| event.at(Timestamp::now())).collect()).await;
    hang_up().into_response()
}

impl Phone {
    /// A machine listens: it gets the message, or nobody.
    async fn meet_machine(&self, call: SessionId, by: AnsweredBy) {
        let Some(client) = &self.0.rest else {
            return tracing::warn!("a machine cannot be left: Twilio's API cannot be asked without TWILIO_ACCOUNT_SID");
        };
        // The stream ends because of us, which is not the caller's end of the conversation.
        let updated = store::update(&*self.0.store, call, |session| {
            let stream = session.summary.attachment().map(|attachment| attachment.stream);
            let detached = |stream| SessionEvent::StreamDetached { stream, cause: "machine".into(), orderly: true };
            stream.map(detached).into_iter().map(|event| event.at(Timestamp::now())).collect()
        });
        let sid = match updated.await {
            Ok(updated) => updated.session.summary.call_sid,
            Err(error) => return tracing::error!(error = %Chain(&error), "a machine cannot be left"),
        };
        let Some(sid) = sid else { return };
        let message = by == AnsweredBy::Machine && self.0.settings.machine == Machine::Message;
        let done = if message {
            let url = self.0.settings.public_url.webhook(&format!("/api/twilio/voicemail/{call}"));
            client.call(&sid).redirect(url).await
        } else {
            client.call(&sid).end().await
        };
        match done {
            Ok(_) => {}
            Err(error) if error.problem() == Some(rest::Problem::CallNotInProgress) => {
                tracing::debug!("the machine has hung up");
            }
            Err(error) => tracing::error!(error = %Chain(&error), "a machine could not be left"),
        }
    }
}
