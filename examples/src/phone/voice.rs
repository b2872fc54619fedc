//! A call comes in, or one of ours was picked up.

use axum::{
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use call_session::{
    call::{CallSummary, NewCall, Refused, SessionEvent, Stamped, Status},
    id::{SessionId, StreamId},
    store::{self, CommitError, UpdateError},
};
use jiff::Timestamp;
use tracing::Instrument;
use twilio_twiml::{
    sid::AccountSid,
    twiml::{Recording, Start},
    webhook::VoiceRequest,
    words::{AnsweredBy, RecordingChannels, Trim},
};

use super::{
    Phone,
    connect::{Leg, Whose, expected},
    ending::hang_up,
    outage::MODEL_DOWN,
    store_away::Waiting,
};
use crate::{
    chain::Chain,
    web::{Document, Signed},
};

/// A call comes in. The answer waits for the store and for nothing else, least of all the model: the caller hears ringing
/// until then.
pub(super) async fn voice(
    State(phone): State<Phone>,
    Query(waiting): Query<Waiting>,
    Signed(request): Signed<VoiceRequest>,
) -> Response {
    let span = tracing::info_span!("call", call_sid = %request.call.call_sid);
    Box::pin(phone.take(request, waiting)).instrument(span).await
}

/// A call of ours was picked up.
pub(super) async fn answered(
    State(phone): State<Phone>,
    Path(call): Path<SessionId>,
    Query(waiting): Query<Waiting>,
    Signed(request): Signed<VoiceRequest>,
) -> Response {
    let span = tracing::info_span!("call", call_sid = %request.call.call_sid);
    Box::pin(phone.pick_up(call, request, waiting)).instrument(span).await
}

impl Phone {
    async fn take(&self, request: VoiceRequest, waiting: Waiting) -> Response {
        if let Some(refused) = self.refuses(&request.call.account_sid) {
            return refused.into_response();
        }
        let whose = self.whose().await;
        if whose == Whose::Nobodys {
            tracing::info!("a call was turned away with an apology: the server stops");
            return self.apologize().into_response();
        }
        if self.0.models.are_down() {
            return self.take_without_model(&request).await.into_response();
        }
        match self.admit(&request).await {
            Ok((_, None, _)) => hang_up().into_response(),
            Ok((leg, Some(stream), fresh)) => {
                if fresh {
                    tracing::info!(call = %leg.call.id, "a call comes in");
                }
                let document = self.connect(&leg, stream, whose);
                self.recorded(leg.call.id, document).into_response()
            }
            Err(error) => {
                if let Some(document) = self.wait_for_store("/api/twilio/voice", waiting, &error).await {
                    tracing::warn!(error = %Chain(&error), "a call cannot be kept yet: its caller waits");
                    return document.into_response();
                }
                tracing::error!(error = %Chain(&error), "a call cannot be kept, so it cannot be taken");
                self.apologize().into_response()
            }
        }
    }

    /// Finds the session of a call that comes in, or makes it. Twilio may ask twice, and two servers at once: the call's
    /// name belongs to one session.
    async fn admit(&self, request: &VoiceRequest) -> Result<(Leg, Option<StreamId>, bool), UpdateError> {
        let stream = StreamId::new();
        match self.create(request, Some(stream)).await {
            Ok(call) => Ok((leg(request, call), Some(stream), true)),
            Err(CommitError::CallSidTaken { owner, .. }) => {
                let (call, stream) = self.expect(owner, vec![]).await?;
                Ok((leg(request, call), stream, false))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn create(&self, request: &VoiceRequest, stream: Option<StreamId>) -> Result<CallSummary, CommitError> {
        let context = &request.call;
        let (id, now) = (SessionId::new(), Timestamp::now());
        let call = NewCall::inbound(context.from.clone(), context.to.clone())
            .with_account(context.account_sid.clone())
            .with_settings(self.0.settings.conversation.snapshot());
        let call = self.know_customer(call).await;
        let bound = SessionEvent::Bound { call: context.call_sid.clone() };
        let expected = stream.map(|stream| SessionEvent::StreamExpected { stream });
        let events = [bound].into_iter().chain(expected).map(|event| event.at(now)).collect();
        Ok(self.0.store.create(id, now, call, events).await?.summary)
    }

    /// The model is known to be down, so that no stream is opened.
    async fn take_without_model(&self, request: &VoiceRequest) -> Document {
        let call = match self.create(request, None).await {
            Err(CommitError::CallSidTaken { owner, .. }) => self.0.store.summary(owner).await.map_err(Into::into),
            created => created.map(Some),
        };
        match call {
            Ok(Some(call)) => {
                let id = call.id;
                let document = self.down_the_ladder(leg(request, call), MODEL_DOWN).await;
                self.recorded(id, document)
            }
            Ok(None) => self.apologize(),
            Err(error) => {
                tracing::error!(error = %Chain(&error), "a call cannot be kept, and the model is known to be down");
                self.apologize()
            }
        }
    }

    /// The first document of a call that comes in: what is recorded is the whole call, whoever has the caller and in whichever
    /// document. (One of ours is recorded from its create on.)
    fn recorded(&self, call: SessionId, document: Document) -> Document {
        if !self.0.settings.record {
            return document;
        }
        let recording = Recording::new()
            .recording_status_callback(self.0.settings.public_url.webhook(&format!("/api/twilio/recording/{call}")))
            .channels(RecordingChannels::Dual)
            .trim(Trim::DoNotTrim);
        let Document(mut response) = document;
        response.verbs.insert(0, Start::new(recording).into());
        Document(response)
    }

    async fn pick_up(&self, call: SessionId, request: VoiceRequest, waiting: Waiting) -> Response {
        let (sid, account) = (request.call.call_sid, request.call.account_sid);
        if let Some(refused) = self.refuses(&account) {
            return refused.into_response();
        }
        let now = Timestamp::now();
        let mut events = vec![SessionEvent::Bound { call: sid.clone() }, SessionEvent::Answered];
        if let Some(by) = &request.answered_by {
            events.push(SessionEvent::PickedUp { by: by.into() });
        }
        let events: Vec<_> = events.into_iter().map(|event| event.at(now)).collect();
        let machine = request.answered_by.as_ref().is_some_and(AnsweredBy::is_machine);
        if self.0.models.are_down() && !machine {
            let updated = store::update(&*self.0.store, call, |_| events.clone()).await;
            // One that is to end is hung up on below, as with a model.
            if let Ok(summary) = updated.map(|updated| updated.session.summary)
                && !summary.status.is_terminal()
                && summary.end_requested.is_none()
            {
                return self.down_the_ladder(Leg { call: summary, sid, account }, MODEL_DOWN).await.into_response();
            }
        }
        match self.expect(call, events).await {
            Ok((_, None)) => {
                tracing::info!(%call, "a call was picked up that is to end");
                if let Err(error) = self.end(call, Status::Canceled, "called-off").await {
                    tracing::warn!(%call, error = %Chain(&error), "that a call was called off cannot be kept now");
                }
                hang_up().into_response()
            }
            Ok((summary, Some(stream))) => {
                tracing::info!(%call, "a call of ours was picked up");
                let leg = Leg { call: summary, sid, account };
                self.connect(&leg, stream, self.whose().await).into_response()
            }
            Err(UpdateError::Refused(Refused::Over)) => {
                // It was called off while it rang.
                hang_up().into_response()
            }
            Err(error) => {
                let door = format!("/api/twilio/answered/{call}");
                if let Some(document) = self.wait_for_store(&door, waiting, &error).await {
                    tracing::warn!(error = %Chain(&error), "a call that was picked up cannot be connected yet");
                    return document.into_response();
                }
                tracing::error!(error = %Chain(&error), "a call that was picked up cannot be connected");
                self.apologize().into_response()
            }
        }
    }

    /// The stream that the line is to open: the one that it was told of before, or a new one; `None` where somebody has asked
    /// for the end of the call.
    pub(super) async fn expect(
        &self,
        call: SessionId,
        events: Vec<Stamped>,
    ) -> Result<(CallSummary, Option<StreamId>), UpdateError> {
        let new = StreamId::new();
        let updated = store::update(&*self.0.store, call, |session| {
            let mut events = events.clone();
            if expected(&session.summary).is_none() && session.summary.end_requested.is_none() {
                events.push(SessionEvent::StreamExpected { stream: new }.at(Timestamp::now()));
            }
            events
        });
        let summary = updated.await?.session.summary;
        let stream = expected(&summary).filter(|_| summary.end_requested.is_none());
        Ok((summary, stream))
    }

    /// Who calls. That a customer cannot be looked up is no reason to let the caller wait.
    async fn know_customer(&self, call: NewCall) -> NewCall {
        let Some(number) = call.from.phone() else { return call };
        match self.0.directory.customer_for(number, Timestamp::now()).await {
            Ok(customer) => call.with_customer(customer.id),
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "a customer cannot be looked up");
                call
            }
        }
    }

    /// Requests of other accounts are nobody's business here.
    pub(super) fn refuses(&self, account: &AccountSid) -> Option<StatusCode> {
        let ours = self.0.settings.twilio.account_sid.as_ref();
        ours.is_some_and(|ours| ours != account).then(|| {
            tracing::warn!("a call of another account was refused");
            StatusCode::FORBIDDEN
        })
    }
}

/// A call that comes in, as the line knows it.
fn leg(request: &VoiceRequest, call: CallSummary) -> Leg {
    Leg { call, sid: request.call.call_sid.clone(), account: request.call.account_sid.clone() }
}
