//! Where Twilio asks and tells of handoffs. Each door finds the call in the store, whoever answers.

use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use call_session::{
    call::{CallSession, SessionEvent},
    handoff::{self as pure, HandoffDoors, LegPlace, Verdict},
    id::{LegId, SessionId},
    store::{self, CommitError, UpdateError, Updated},
};
use jiff::Timestamp;
use tracing::Instrument;
use twilio_twiml::{
    webhook::{
        AnsweringMachine, CallProgress, ConferenceHappening, ConferenceProgress, DialStatus, Dialed, Gathered,
        VoiceRequest,
    },
    words::CallStatus,
};

use super::{super::connect::Leg, documents, notes};
use crate::{chain::Chain, phone::Phone, settings::PublicUrl, web::Signed};

/// The addresses of the doors. All may be asked twice, so that another server answers when one dies in the middle.
#[derive(Debug, Clone)]
pub(in crate::phone) struct Doors(pub(in crate::phone) PublicUrl);

impl Doors {
    /// Where the caller's leg asks what comes next when its room, or its direct dial, is over.
    pub(super) fn left(&self, call: SessionId) -> String {
        self.0.webhook(&format!("/api/twilio/handoff-left/{call}"))
    }

    /// Where a person's answer to the briefing goes.
    pub(super) fn verdict(&self, call: SessionId, leg: LegId) -> String {
        self.of_leg("verdict", call, leg)
    }

    /// Where it is told what happens in a room.
    pub(super) fn conference(&self, call: SessionId) -> String {
        self.0.webhook(&format!("/api/twilio/conference/{call}"))
    }

    fn of_leg(&self, door: &str, call: SessionId, leg: LegId) -> String {
        self.0.webhook(&format!("/api/twilio/handoff-{door}/{call}/{leg}"))
    }
}

impl HandoffDoors for Doors {
    fn caller(&self, session: SessionId) -> String {
        self.0.webhook(&format!("/api/twilio/handoff-redirect/{session}"))
    }

    fn leg(&self, session: SessionId, leg: LegId) -> String {
        self.of_leg("leg", session, leg)
    }

    fn leg_status(&self, session: SessionId, leg: LegId) -> String {
        self.of_leg("status", session, leg)
    }

    fn leg_machine(&self, session: SessionId, leg: LegId) -> String {
        self.of_leg("machine", session, leg)
    }
}

/// The doors.
pub(in crate::phone) fn routes() -> Router<Phone> {
    Router::new()
        .route("/api/twilio/handoff-redirect/{call}", post(redirected))
        .route("/api/twilio/handoff-left/{call}", post(left))
        .route("/api/twilio/handoff-leg/{call}/{leg}", post(leg))
        .route("/api/twilio/handoff-verdict/{call}/{leg}", post(verdict))
        .route("/api/twilio/handoff-status/{call}/{leg}", post(leg_status))
        .route("/api/twilio/handoff-machine/{call}/{leg}", post(leg_machine))
        .route("/api/twilio/conference/{call}", post(conference))
        .route("/api/twilio/handoff-notes/{call}/{stream}", get(notes::notes))
}

/// The caller's leg wants its document.
async fn redirected(
    State(phone): State<Phone>,
    Path(call): Path<SessionId>,
    Signed(request): Signed<VoiceRequest>,
) -> Response {
    let (sid, account) = (request.call.call_sid, request.call.account_sid);
    let span = tracing::info_span!("call", call_sid = %sid);
    async move {
        match phone.0.store.summary(call).await {
            Ok(Some(call)) => phone.send_caller(Leg { call, sid, account }).await.into_response(),
            Ok(None) => StatusCode::NOT_FOUND.into_response(),
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "nobody knows where a caller shall be: asked again in a moment");
                documents::ask_again(&phone.0.doors, &phone.0.settings.conversation, call).into_response()
            }
        }
    }
    .instrument(span)
    .await
}

/// The caller's leg is out of its room, or its direct dial is over.
async fn left(State(phone): State<Phone>, Path(call): Path<SessionId>, Signed(dialed): Signed<Dialed>) -> Response {
    let (sid, account) = (dialed.call.call_sid.clone(), dialed.call.account_sid.clone());
    let span = tracing::info_span!("call", call_sid = %sid);
    async move {
        let became = became(&dialed.status);
        let of = became.as_ref().map(|became| (dialed.dialed_call_sid.as_ref(), became));
        let told = phone.told(call, |session| pure::caller_leaves_room(session, of)).await;
        match told {
            Ok(updated) if dialed.call.status == CallStatus::Completed => {
                // The caller hung up: Twilio wants no document.
                let ended = call_session::call::reconciled(&sid, &CallStatus::Completed, Timestamp::now());
                phone.note_all(updated.session.summary.id, ended).await.into_response()
            }
            Ok(updated) => phone.send_caller(Leg { call: updated.session.summary, sid, account }).await.into_response(),
            Err(UpdateError::Commit(CommitError::NoCall(_))) => StatusCode::NOT_FOUND.into_response(),
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "nobody knows where a caller shall be: asked again in a moment");
                documents::ask_again(&phone.0.doors, &phone.0.settings.conversation, call).into_response()
            }
        }
    }
    .instrument(span)
    .await
}

/// What a `<Dial>` tells of the leg that it dialled.
fn became(status: &DialStatus) -> Option<CallStatus> {
    Some(match status {
        DialStatus::Completed => CallStatus::Completed,
        DialStatus::Busy => CallStatus::Busy,
        DialStatus::NoAnswer => CallStatus::NoAnswer,
        DialStatus::Failed => CallStatus::Failed,
        DialStatus::Canceled => CallStatus::Canceled,
        _ => return None,
    })
}

/// A person picked up, or something did.
async fn leg(
    State(phone): State<Phone>,
    Path((call, leg)): Path<(SessionId, LegId)>,
    Signed(request): Signed<VoiceRequest>,
) -> Response {
    let (sid, by) = (request.call.call_sid, request.answered_by);
    let span = tracing::info_span!("call", leg = %leg, call_sid = %sid);
    let told = phone.told(call, |session| pure::answer_leg(session, leg, &sid, by.as_ref())).instrument(span).await;
    let place = told.as_ref().map(|updated| pure::leg_place(&updated.session.summary, leg, &sid));
    match (&told, place) {
        (Ok(updated), Ok(place)) => documents::leg(&phone, &updated.session, leg, place, false).into_response(),
        (Err(error), _) | (_, Err(error)) => unknown_leg(&phone, error),
    }
}

/// A person answered the briefing, or did not.
async fn verdict(
    State(phone): State<Phone>,
    Path((call, leg)): Path<(SessionId, LegId)>,
    Signed(gathered): Signed<Gathered>,
) -> Response {
    let sid = &gathered.call.call_sid;
    let keys = gathered.digits.as_ref().map(|keys| keys.as_str()).filter(|keys| !keys.is_empty());
    let answer = Verdict::of(keys, gathered.speech.as_ref().map(|words| words.as_str()));
    tracing::info!(%leg, ?answer, "a person answers the briefing");
    let told = phone.told(call, |session| pure::verdict(session, leg, sid, answer, keys.is_some())).await;
    match told {
        Ok(updated) => {
            let call = &updated.session.summary;
            let place = pure::leg_place(call, leg, sid);
            if place == LegPlace::Gone && answer == Verdict::Decline {
                return documents::declined(&phone, call, leg).into_response();
            }
            documents::leg(&phone, &updated.session, leg, place, true).into_response()
        }
        Err(error) => unknown_leg(&phone, &error),
    }
}

/// A person's leg of which nothing can be looked up: nobody is connected by guess.
fn unknown_leg(phone: &Phone, error: &UpdateError) -> Response {
    tracing::error!(error = %Chain(error), "a person's leg cannot be looked up");
    documents::gone(&phone.0.settings.conversation).into_response()
}

async fn leg_status(
    State(phone): State<Phone>,
    Path((call, leg)): Path<(SessionId, LegId)>,
    Signed(progress): Signed<CallProgress>,
) -> StatusCode {
    let context = &progress.call;
    tracing::debug!(%leg, status = context.status.as_str(), "a person's leg");
    phone.heard(call, |session| pure::leg_progress(session, leg, &context.call_sid, &context.status)).await
}

async fn leg_machine(
    State(phone): State<Phone>,
    Path((call, leg)): Path<(SessionId, LegId)>,
    Signed(callback): Signed<AnsweringMachine>,
) -> StatusCode {
    phone.heard(call, |session| pure::leg_machine(session, leg, &callback.answered_by)).await
}

async fn conference(
    State(phone): State<Phone>,
    Path(call): Path<SessionId>,
    Signed(progress): Signed<ConferenceProgress>,
) -> StatusCode {
    if matches!(progress.event, ConferenceHappening::Start | ConferenceHappening::End) {
        tracing::info!(%call, event = progress.event.as_str(), "the room");
    }
    phone.heard(call, |session| pure::room_progress(session, &progress)).await
}

impl Phone {
    /// Proposes what is told of a handoff.
    pub(super) async fn told(
        &self,
        call: SessionId,
        events: impl Fn(&CallSession) -> Vec<SessionEvent> + Send,
    ) -> Result<Updated, UpdateError> {
        let now = Timestamp::now();
        let propose = move |session: &CallSession| events(session).into_iter().map(|event| event.at(now)).collect();
        store::update(&*self.0.store, call, propose).await
    }

    /// Keeps what a callback tells of a handoff. Twilio asks again when the answer is an error.
    async fn heard(&self, call: SessionId, events: impl Fn(&CallSession) -> Vec<SessionEvent> + Send) -> StatusCode {
        match self.told(call, events).await {
            Ok(_) => StatusCode::NO_CONTENT,
            Err(UpdateError::Refused(refused)) => {
                tracing::debug!(%refused, "a callback changes nothing");
                StatusCode::NO_CONTENT
            }
            Err(UpdateError::Commit(CommitError::NoCall(_))) => StatusCode::NOT_FOUND,
            Err(error) => {
                tracing::error!(error = %Chain(&error), "a callback cannot be kept");
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }
}
