//! What Twilio tells of a call, besides its streams.

use std::time::Duration;

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use call_session::{
    call::{self, AnsweredBy, Ending, Outcome, SessionEvent, Status},
    id::SessionId,
    store::{self, UpdateError},
};
use jiff::{SignedDuration, Timestamp};
use tokio::time::sleep;
use tracing::Instrument;
use twilio_twiml::{
    rest,
    sid::CallSid,
    twiml,
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

/// The pauses before a machine that could not be left is left again.
const MACHINE_AGAIN: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

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
        let sid = callback.call_sid;
        phone.0.tasks.clone().spawn(async move { phone.meet_machine(call, &sid, by).await }.in_current_span());
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
    /// A machine listens: it gets the message, or nobody. Nobody else will see to it, so that what fails is tried again, even
    /// if a message may begin anew for it; and rather than an agent talk to a machine for the rest of the call, it is hung up
    /// on.
    async fn meet_machine(&self, call: SessionId, sid: &CallSid, by: AnsweredBy) {
        let Some(client) = &self.0.rest else {
            return tracing::warn!("a machine cannot be left: Twilio's API cannot be asked without TWILIO_ACCOUNT_SID");
        };
        for pause in MACHINE_AGAIN {
            match self.leave_machine(client, call, sid, by).await {
                Ok(()) => return,
                Err(error) => tracing::warn!(error = %Chain(&error), "a machine could not be left yet"),
            }
            tokio::select! {
                () = sleep(pause) => {}
                () = self.0.stop.cancelled() => break,
            }
        }
        let Err(error) = self.leave_machine(client, call, sid, by).await else { return };
        tracing::error!(error = %Chain(&error), "a machine gets no message, and is hung up on");
        if let Err(error) = told_to_line(client.call(sid).end().await) {
            tracing::error!(error = %Chain(&error), "a machine could not be hung up on");
        }
    }

    async fn leave_machine(
        &self,
        client: &rest::Client,
        call: SessionId,
        sid: &CallSid,
        by: AnsweredBy,
    ) -> Result<(), NotLeft> {
        // The stream ends because of us, which is not the caller's end of the conversation.
        let updated = store::update(&*self.0.store, call, |session| {
            let stream = session.summary.attachment().map(|attachment| attachment.stream);
            let detached = |stream| SessionEvent::StreamDetached { stream, cause: "machine".into(), orderly: true };
            stream.map(detached).into_iter().map(|event| event.at(Timestamp::now())).collect()
        });
        updated.await?;
        let message = by == AnsweredBy::Machine && self.0.settings.machine == Machine::Message;
        let answer = if message {
            let url = self.0.settings.public_url.webhook(&format!("/api/twilio/voicemail/{call}"));
            client.call(sid).redirect(url).await
        } else {
            client.call(sid).end().await
        };
        Ok(told_to_line(answer)?)
    }
}

/// Why a machine was not left.
#[derive(Debug, thiserror::Error)]
enum NotLeft {
    #[error("that a stream is left cannot be kept")]
    Update(#[from] UpdateError),
    #[error("Twilio does not do what it is asked")]
    Twilio(#[from] rest::Error),
}

/// A line that is gone needs to be told nothing.
fn told_to_line(answer: Result<rest::Call, rest::Error>) -> Result<(), rest::Error> {
    match answer {
        Err(error) if error.problem() != Some(rest::Problem::CallNotInProgress) => Err(error),
        _ => Ok(()),
    }
}
