//! The telephone by Twilio's REST API.

use std::{fmt, pin::pin, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::TryStreamExt;
use jiff::Timestamp;
use twilio_twiml::{
    Seconds,
    rest::{
        CallFilter, Client, ConferenceFilter, ConferenceStatus, Error, NewCall, ParticipantFilter, ParticipantUpdate,
        Problem,
    },
    sid::{CallSid, ConferenceSid},
    twiml::{InlineTwiml, Url},
    words::{CallEvent, CallStatus, MachineDetection},
};

use super::ports::{Detection, Dial, LineError, Telephone};
use crate::{
    call::SupervisorRole,
    id::{LegId, SessionId},
};

/// How far Twilio's clock may be behind ours when a leg is looked for.
const CLOCKS: Duration = Duration::from_secs(3);

/// Where Twilio asks and tells, each an absolute URL. The URLs of a leg name the call and the leg, so that every callback
/// finds both before their names at Twilio are known.
pub trait HandoffDoors: Send + Sync + fmt::Debug {
    /// Where the caller's leg gets its document when it is redirected.
    fn caller(&self, session: SessionId) -> String;
    /// Where a person's leg gets its document when somebody picks up.
    fn leg(&self, session: SessionId, leg: LegId) -> String;
    /// Where it is told what becomes of a person's leg.
    fn leg_status(&self, session: SessionId, leg: LegId) -> String;
    /// Where it is told who, or what, picked up.
    fn leg_machine(&self, session: SessionId, leg: LegId) -> String;
}

/// The telephone by Twilio's REST API.
#[derive(Debug, Clone)]
pub struct TwilioTelephone {
    client: Client,
    doors: Arc<dyn HandoffDoors>,
}

impl TwilioTelephone {
    /// The telephone of this account.
    #[must_use]
    pub fn new(client: Client, doors: Arc<dyn HandoffDoors>) -> Self {
        Self { client, doors }
    }
}

#[async_trait]
impl Telephone for TwilioTelephone {
    async fn dial(&self, dial: &Dial) -> Result<CallSid, LineError> {
        let (session, leg) = (dial.session, dial.leg);
        let document = Url::from(self.doors.leg(session, leg));
        let mut call = NewCall::new(dial.to.clone(), dial.from.clone(), document)
            .timeout(Seconds::from(dial.ring))
            .status_callback(self.doors.leg_status(session, leg))
            .status_callback_event([
                CallEvent::Initiated,
                CallEvent::Ringing,
                CallEvent::Answered,
                CallEvent::Completed,
            ]);
        if dial.detection != Detection::Off {
            call = call.machine_detection(MachineDetection::Enable);
        }
        if dial.detection == Detection::Beside {
            call = call.async_amd(true).async_amd_status_callback(self.doors.leg_machine(session, leg));
        }
        Ok(self.client.calls().create(&call).await.map_err(|error| blame("dial", &error))?.sid)
    }

    async fn end(&self, call: &CallSid, answered: bool) -> Result<CallStatus, LineError> {
        let call = self.client.call(call);
        let ended = if answered { call.end().await } else { call.cancel().await };
        Ok(ended.map_err(|error| blame("end", &error))?.status)
    }

    async fn redirect(&self, session: SessionId, call: &CallSid) -> Result<(), LineError> {
        self.client
            .call(call)
            .redirect(self.doors.caller(session))
            .await
            .map(drop)
            .map_err(|error| blame("redirect", &error))
    }

    async fn run(&self, call: &CallSid, document: &InlineTwiml) -> Result<(), LineError> {
        self.client.call(call).run(document.clone()).await.map(drop).map_err(|error| blame("run", &error))
    }

    async fn status(&self, call: &CallSid) -> Result<Option<CallStatus>, LineError> {
        match self.client.call(call).fetch().await {
            Ok(call) => Ok(Some(call.status)),
            Err(error) if error.problem() == Some(Problem::NotFound) => Ok(None),
            Err(error) => Err(blame("status", &error)),
        }
    }

    async fn find(&self, dial: &Dial, since: Timestamp) -> Result<Vec<(CallSid, CallStatus)>, LineError> {
        let since = since.saturating_sub(CLOCKS).unwrap_or(since);
        let filter = CallFilter::new().to(dial.to.clone()).from(dial.from.clone());
        let mut calls = pin!(self.client.calls().list(&filter));
        let mut found = Vec::new();
        // The newest come first: whatever is older than the dial ends the search.
        while let Some(call) = calls.try_next().await.map_err(|error| blame("find", &error))? {
            if call.date_created.is_some_and(|created| Timestamp::from(created) < since) {
                break;
            }
            found.push((call.sid, call.status));
        }
        Ok(found)
    }

    async fn room(&self, name: &str) -> Result<Vec<CallSid>, LineError> {
        let Some(room) = self.conference(name).await? else { return Ok(Vec::new()) };
        let conference = self.client.conference(&room);
        let present: Result<Vec<_>, _> = conference.participants(&ParticipantFilter::new()).try_collect().await;
        let present = present.map_err(|error| blame("room", &error))?;
        Ok(present.into_iter().map(|leg| leg.call_sid).collect())
    }

    async fn set_role(
        &self,
        room: &str,
        call: &CallSid,
        role: SupervisorRole,
        coached: Option<&CallSid>,
    ) -> Result<(), LineError> {
        let room = self.conference(room).await?.ok_or(LineError::NotInProgress)?;
        let whispers = role == SupervisorRole::Whisper;
        let update = ParticipantUpdate::new().muted(role == SupervisorRole::Listen).coaching(whispers);
        let update = match coached.filter(|_| whispers) {
            Some(coached) => update.call_sid_to_coach(coached.clone()),
            // Without somebody to whisper to, the caller would hear it.
            None if whispers => return Err(LineError::NotDone),
            None => update,
        };
        self.client
            .conference(&room)
            .participant(call)
            .update(&update)
            .await
            .map(drop)
            .map_err(|error| blame("set-role", &error))
    }
}

impl TwilioTelephone {
    /// The conference of this name that is not over.
    async fn conference(&self, name: &str) -> Result<Option<ConferenceSid>, LineError> {
        let filter = ConferenceFilter::new().friendly_name(name);
        let rooms: Result<Vec<_>, _> = self.client.conferences().list(&filter).try_collect().await;
        let rooms = rooms.map_err(|error| blame("room", &error))?;
        // One that has ended may have had the same name.
        Ok(rooms.into_iter().find(|room| room.status != ConferenceStatus::Completed).map(|room| room.sid))
    }
}

/// What is decided on, of what Twilio said. The rest is for whoever reads the log: its code says what to put right.
fn blame(asked: &'static str, error: &Error) -> LineError {
    let blamed = match error.problem() {
        Some(Problem::CallNotInProgress | Problem::NotFound) => LineError::NotInProgress,
        _ if error.was_not_processed() => LineError::NotDone,
        _ => LineError::Unknown,
    };
    let (code, status) = match error {
        Error::Refused(refusal) => (refusal.code, Some(refusal.status)),
        _ => (None, None),
    };
    // Calls end while they are asked for something: that is no fault.
    if blamed == LineError::NotInProgress {
        tracing::debug!(asked, code, status, %error, "the call is not there any more");
    } else {
        tracing::warn!(asked, code, status, %error, "Twilio did not do what it was asked");
    }
    blamed
}
