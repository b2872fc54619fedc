//! How a call comes to its end, in what is kept of it.

use std::time::Duration;

use axum::http::StatusCode;
use call_session::{
    call::{self, CallSummary, Ending, SessionEvent, Status},
    id::{SessionId, StreamId},
    store::{self, CommitError, UpdateError},
};
use jiff::Timestamp;
use tokio::time::sleep;
use twilio_twiml::{rest, twiml};

use super::Phone;
use crate::{chain::Chain, web::Document};

/// How long Twilio may take, after a stream is over, to ask what comes next. If it does not ask, there is no caller.
const QUESTION: Duration = Duration::from_secs(1);

impl Phone {
    /// The conversation came to its end: the line is told to hang up.
    pub(super) async fn conclude(&self, call: SessionId, cause: &str) -> Result<(), UpdateError> {
        let reason = if cause.is_empty() { "ended" } else { cause };
        self.end(call, Status::Completed, reason).await
    }

    /// The caller hears an apology, and that is the end.
    pub(super) async fn break_off(&self, call: SessionId, cause: &str) -> Result<(), UpdateError> {
        self.end(call, Status::Failed, if cause.is_empty() { "apology" } else { cause }).await
    }

    pub(super) async fn end(&self, call: SessionId, status: Status, reason: &str) -> Result<(), UpdateError> {
        let ended = SessionEvent::Ended(Ending::new(status, reason));
        store::update(&*self.0.store, call, |_| vec![ended.clone().at(Timestamp::now())]).await.map(|_| ())
    }

    /// Keeps what Twilio tells. It asks again when the answer is an error, which helps if the store was away.
    pub(super) async fn note_all(&self, call: SessionId, told: Vec<call::Stamped>) -> StatusCode {
        self.hear(call, told).await.map_or_else(|status| status, |_| StatusCode::NO_CONTENT)
    }

    /// Keeps what Twilio tells, and gives the call; `None` if it was about another one. What the call does not allow is late.
    /// Neither is anything that Twilio could mend.
    pub(super) async fn hear(
        &self,
        call: SessionId,
        told: Vec<call::Stamped>,
    ) -> Result<Option<CallSummary>, StatusCode> {
        match store::hear(&*self.0.store, call, &told).await {
            Ok(updated) => Ok(Some(updated.session.summary)),
            Err(UpdateError::Refused(_) | UpdateError::Commit(CommitError::CallSidTaken { .. })) => {
                tracing::warn!(%call, "a callback is about another call than its address says: it changes nothing");
                Ok(None)
            }
            Err(UpdateError::Commit(CommitError::NoCall(_))) => Err(StatusCode::NOT_FOUND),
            Err(error) => {
                tracing::error!(error = %Chain(&error), "a callback cannot be kept");
                Err(StatusCode::SERVICE_UNAVAILABLE)
            }
        }
    }

    /// A stream ended because the line did. If the caller hung up nobody says so, unless the call has a status callback:
    /// so, after a moment, this asks.
    pub(super) async fn settle(&self, call: SessionId, stream: StreamId) {
        tokio::select! {
            () = sleep(QUESTION) => {}
            () = self.0.stop.cancelled() => {}
        }
        let summary = match self.0.store.summary(call).await {
            Ok(Some(summary)) => summary,
            Ok(None) => return,
            Err(error) => return tracing::warn!(error = %Chain(&error), "a call is not settled"),
        };
        // One that is only expected may never come: the caller may have gone on the way to it.
        let last = summary.attachments.last().filter(|last| last.stream != stream);
        let newer = last.is_some_and(|last| last.node.is_some() || self.0.rest.is_none());
        if newer || summary.status.is_terminal() || summary.status == Status::WithAgent {
            return;
        }
        let settled = match (&self.0.rest, &summary.call_sid) {
            (Some(client), Some(sid)) => self.reconcile(client, call, sid).await,
            _ => self.conclude(call, "caller-hung-up").await.map_err(Into::into),
        };
        if let Err(error) = settled {
            tracing::warn!(error = %Chain(&*error), "a call is not settled; it is looked at again later");
        }
    }

    /// Asks Twilio what has become of a call, and keeps it.
    pub(super) async fn reconcile(
        &self,
        client: &rest::Client,
        call: SessionId,
        sid: &twilio_twiml::sid::CallSid,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let events = match client.call(sid).fetch().await {
            Ok(known) => call::reconciled(sid, &known.status, Timestamp::now()),
            Err(error) if error.problem() == Some(rest::Problem::NotFound) => {
                vec![SessionEvent::Ended(Ending::new(Status::Failed, "unknown-to-twilio")).at(Timestamp::now())]
            }
            Err(error) => return Err(error.into()),
        };
        store::update(&*self.0.store, call, |_| events.clone()).await?;
        Ok(())
    }
}

/// The end of the line.
pub(super) fn hang_up() -> Document {
    Document(twiml::Response::new().hangup())
}
