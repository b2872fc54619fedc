//! Calling somebody.
//!
//! The session exists before Twilio is asked, and its name is in every URL that Twilio gets, so that whatever comes first
//! (the answer, a callback, or nothing) finds it. A call is never dialled twice: when the answer is lost, Twilio is
//! asked which calls there are.

use std::{error::Error, time::Duration};

use call_session::{
    call::{CallSummary, Ending, NewCall, SessionEvent, Status},
    id::SessionId,
    store::{self, CommitError, Query, UpdateError},
};
use futures_util::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use tokio::{
    task::JoinError,
    time::{Instant, sleep, timeout_at},
};
use twilio_twiml::{
    Seconds,
    phone::{Address, E164},
    rest,
    sid::CallSid,
    words::{CallEvent, MachineDetection, RecordingChannels},
};

use super::{PAGE, Phone, rings};
use crate::{chain::Chain, settings::Machine};

/// How long a lost call that may be one of several stays open. All callbacks that could tell have come or never will.
const UNCLEAR: Duration = Duration::from_secs(3600);

/// How long a dial whose answer was lost waits for a callback to name the call.
const CALLBACK: Duration = Duration::from_secs(3);

/// Twilio's own limit on a call is a last resort. The agent keeps to its own and has said goodbye long before; a person may
/// have the other side for as long as Twilio leaves calls alone by itself.
const LAST_RESORT: Duration = Duration::from_secs(4 * 60 * 60);

/// How much longer than the agent's own limit the last resort is at least.
const AFTER_GOODBYE: Duration = Duration::from_secs(120);

/// Twilio takes no longer limit.
const TWILIOS_LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// How long Twilio may take to show a call in its lists.
const LISTED: Duration = Duration::from_secs(20);

/// How many calls to a number are looked through for a lost one.
const CANDIDATES: usize = 100;

/// How long after its session began to exist a call may be created: those that wait for their turn, and attempts that were
/// refused, take their time.
pub(super) const CREATED_WITHIN: Duration = Duration::from_secs(600);

/// Why nobody was called.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(super) enum DialError {
    #[error("Twilio's API cannot be asked without TWILIO_ACCOUNT_SID")]
    NoAccount,
    #[error("the call cannot be kept, so it is not made")]
    Store(#[source] CommitError),
    #[error("Twilio does not make the call")]
    Refused(#[source] rest::Error),
    #[error("dialling broke off")]
    BrokeOff(#[source] JoinError),
}

/// A call that is being made.
#[derive(Debug, Clone)]
pub(super) struct Dialed {
    pub(super) call: SessionId,
    /// `None` while Twilio's answer is lost and nothing else has named the call.
    pub(super) sid: Option<CallSid>,
}

impl Phone {
    /// Calls somebody. Whoever asks for it may go away meanwhile: a call that waits for its turn is made all the same, as a
    /// session that says so exists.
    pub(super) async fn dial(&self, from: E164, to: E164, call: NewCall) -> Result<Dialed, DialError> {
        let phone = self.clone();
        let dialing = self.0.tasks.spawn(async move { phone.place(from, to, call).await });
        dialing.await.map_err(DialError::BrokeOff)?
    }

    async fn place(&self, from: E164, to: E164, call: NewCall) -> Result<Dialed, DialError> {
        let client = self.0.rest.as_ref().ok_or(DialError::NoAccount)?;
        let (id, now) = (SessionId::new(), Timestamp::now());
        let account = client.config().account_sid.clone();
        let created = self.0.store.create(id, now, call.with_account(account), vec![]).await;
        created.map_err(DialError::Store)?;
        let request = self.dial_request(id, from, to);
        match client.calls().create(&request).await {
            Ok(made) => {
                tracing::info!(call = %id, call_sid = %made.sid, "a call is made");
                self.bind(id, made.sid.clone()).await;
                Ok(Dialed { call: id, sid: Some(made.sid) })
            }
            Err(error) if error.was_not_processed() => {
                self.never_made(id, &error).await;
                Err(DialError::Refused(error))
            }
            Err(error) => {
                tracing::warn!(call = %id, error = %Chain(&error), "the answer to a dial is lost; it is not repeated");
                let sid = self.named_by_callback(id).await;
                if sid.is_none() {
                    let phone = self.clone();
                    self.0.tasks.spawn(async move { phone.look_for(id).await });
                }
                Ok(Dialed { call: id, sid })
            }
        }
    }

    fn dial_request(&self, call: SessionId, from: E164, to: E164) -> rest::NewCall {
        let url = |door: &str| self.0.settings.public_url.webhook(&format!("/api/twilio/{door}/{call}"));
        let instructions = rest::Instructions::document(url("answered"));
        let mut request = rest::NewCall::new(Address::from(to), Address::from(from), instructions)
            .status_callback(url("call-status"))
            .status_callback_event([
                CallEvent::Initiated,
                CallEvent::Ringing,
                CallEvent::Answered,
                CallEvent::Completed,
            ])
            .timeout(seconds(self.0.settings.limits.ring))
            .time_limit(last_resort(self.0.settings.limits.max_call));
        if self.0.settings.record {
            request = request
                .record(true)
                .recording_channels(RecordingChannels::Dual)
                .recording_status_callback(url("recording"));
        }
        if self.0.settings.machine != Machine::Ignore {
            // The agent does not wait for the verdict: a human being would hear silence for seconds.
            request = request
                .machine_detection(match self.0.settings.machine {
                    Machine::Message => MachineDetection::DetectMessageEnd,
                    Machine::HangUp | Machine::Ignore => MachineDetection::Enable,
                })
                .async_amd(true)
                .async_amd_status_callback(url("machine"));
        }
        request
    }

    /// Whichever comes first, the answer or a callback, names the call; the other says the same.
    async fn bind(&self, call: SessionId, sid: CallSid) {
        let bound = SessionEvent::Bound { call: sid.clone() };
        let updated = store::update(&*self.0.store, call, |_| vec![bound.clone().at(Timestamp::now())]).await;
        match updated {
            Ok(updated) => self.call_off_if_asked(&updated.session.summary).await,
            // A callback will say it again.
            Err(error) => tracing::error!(%call, error = %Chain(&error), "the name of a call cannot be kept now"),
        }
    }

    /// A call whose end was asked for while it had no name does not ring on, whoever has named it. One that was picked up
    /// has an agent, who was told.
    pub(super) async fn call_off_if_asked(&self, call: &CallSummary) {
        let named = self.0.rest.as_ref().zip(call.call_sid.as_ref());
        let Some((client, sid)) = named.filter(|_| is_called_off(call)) else { return };
        self.call_off(client, call.id, sid).await;
    }

    /// Ends a call that nobody has picked up. Its end was asked for before, so that whoever picks up meanwhile is hung up on.
    pub(super) async fn call_off(&self, client: &rest::Client, call: SessionId, sid: &CallSid) {
        match client.call(sid).end().await {
            Ok(_) => {}
            Err(error) if error.problem() == Some(rest::Problem::CallNotInProgress) => {
                return tracing::debug!(%call, "a call that was called off rings no more");
            }
            Err(error) => {
                return tracing::warn!(%call, error = %Chain(&error), "a call that rings could not be called off");
            }
        }
        // The callback that says so may find nobody any more.
        if let Err(error) = self.end(call, Status::Canceled, "canceled").await {
            tracing::warn!(%call, error = %Chain(&error), "that a call was called off cannot be kept now");
        }
    }

    async fn never_made(&self, call: SessionId, error: &rest::Error) {
        let code = match error {
            rest::Error::Refused(refusal) => refusal.code,
            _ => None,
        };
        let updated = store::update(&*self.0.store, call, |_| {
            let problem = SessionEvent::Problem { what: "create-failed".into(), code };
            let ended = SessionEvent::Ended(Ending::new(Status::Failed, "create-failed"));
            vec![problem.at(Timestamp::now()), ended.at(Timestamp::now())]
        });
        if let Err(error) = updated.await {
            tracing::error!(%call, error = %Chain(&error), "that a call was not made cannot be kept now");
        }
    }

    /// The name that a callback gives the call, if one comes soon.
    async fn named_by_callback(&self, call: SessionId) -> Option<CallSid> {
        let deadline = Instant::now() + CALLBACK;
        loop {
            let position = self.0.store.feed_end().await.ok()?;
            if let Some(sid) = self.0.store.summary(call).await.ok()??.call_sid {
                return Some(sid);
            }
            timeout_at(deadline, self.0.store.feed_moved(position)).await.ok()?;
        }
    }

    /// Asks Twilio for a call whose dial was not answered, until it is found or certainly was not made.
    async fn look_for(&self, call: SessionId) {
        tokio::select! {
            () = sleep(LISTED) => {}
            // Another server, or this one after its start, looks for it.
            () = self.0.stop.cancelled() => return,
        }
        let (Some(client), Ok(Some(summary))) = (&self.0.rest, self.0.store.summary(call).await) else { return };
        if let Err(error) = self.find_lost(client, &summary).await {
            tracing::warn!(%call, error = %Chain(&*error), "a lost call is looked for again later");
        }
    }

    /// Looks among Twilio's calls for one that is nobody's. None: it was not made. One: that is it, if no other session looks
    /// for one like it. Several: their callbacks, which carry the names of their sessions, will tell them apart.
    pub(super) async fn find_lost(
        &self,
        client: &rest::Client,
        call: &CallSummary,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        if call.call_sid.is_some() || call.status.is_terminal() {
            return Ok(());
        }
        let filter = rest::CallFilter::new().to(call.to.clone()).from(call.from.clone());
        let known: Vec<_> = client.calls().list(&filter).take(CANDIDATES).try_collect().await?;
        // Asked after Twilio was: whoever is dialled meanwhile has a session before Twilio has a call. And before it is asked
        // whose the calls are: a session that gets its name meanwhile is either seen here without it, or there with it.
        let alone = !self.has_a_twin(call).await?;
        let mut nobodys = Vec::new();
        for candidate in known {
            let created = candidate.date_created.as_ref().map(|created| created.0);
            let fits = created.is_none_or(|created| may_be_of(call, created));
            if fits && self.0.store.find_by_call_sid(&candidate.sid).await?.is_none() {
                nobodys.push(candidate.sid);
            }
        }
        match &nobodys[..] {
            [] => {
                tracing::warn!(call = %call.id, "Twilio knows nothing of a call: it was not made");
                self.end(call.id, Status::Failed, "create-lost").await?;
            }
            [sid] if alone => match self.reconcile(client, call.id, sid).await {
                Ok(()) => {
                    tracing::info!(call = %call.id, call_sid = %sid, "a lost call was found");
                    if let Some(found) = self.0.store.summary(call.id).await? {
                        self.call_off_if_asked(&found).await;
                    }
                }
                Err(error) if taken(&*error) => {}
                Err(error) => return Err(error),
            },
            several => {
                tracing::warn!(call = %call.id, calls = several.len(), alone, "a lost call may be another one's");
                if Timestamp::now().duration_since(call.created_at).unsigned_abs() > UNCLEAR {
                    self.end(call.id, Status::Failed, "create-lost").await?;
                }
            }
        }
        Ok(())
    }

    /// Whether another session waits for its name at Twilio that calls the same number from the same.
    pub(super) async fn has_a_twin(&self, call: &CallSummary) -> Result<bool, store::StoreError> {
        let mut query = Query::active().with_limit(PAGE);
        loop {
            let page = self.0.store.query(&query).await?;
            let nameless = page.calls.iter().filter(|other| other.id != call.id && other.call_sid.is_none());
            if nameless.into_iter().any(|other| other.to == call.to && other.from == call.from) {
                return Ok(true);
            }
            match page.next {
                Some(before) => query = query.with_before(before),
                None => return Ok(false),
            }
        }
    }
}

/// Whether the end of a call was asked for that nobody has picked up.
pub(super) fn is_called_off(call: &CallSummary) -> bool {
    call.end_requested.is_some() && rings(call)
}

/// Whether Twilio's call may have been created for this session. Twilio's times are whole seconds.
fn may_be_of(call: &CallSummary, created: Timestamp) -> bool {
    let born = call.created_at.as_second();
    let latest = i64::try_from(CREATED_WITHIN.as_secs()).unwrap_or(i64::MAX);
    (born - 1..=born.saturating_add(latest)).contains(&created.as_second())
}

/// When Twilio ends a call whose agent has this long for it.
fn last_resort(max_call: Duration) -> Seconds {
    seconds(LAST_RESORT.max(max_call.saturating_add(AFTER_GOODBYE)).min(TWILIOS_LONGEST))
}

fn seconds(time: Duration) -> Seconds {
    Seconds(u32::try_from(time.as_secs().max(1)).unwrap_or(u32::MAX))
}

/// Somebody else's callback named the call meanwhile.
fn taken(error: &(dyn Error + Send + Sync + 'static)) -> bool {
    let update = error.downcast_ref::<UpdateError>();
    matches!(update, Some(UpdateError::Commit(CommitError::CallSidTaken { .. })))
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn a_call_was_created_after_its_session_and_not_long_after() {
        let born: Timestamp = "2026-11-30T09:00:00.9Z".parse().unwrap();
        let call = CallSummary::new(SessionId::new(), born, NewCall::outbound("+81312345678", "+819012345678"));
        for (seconds, fits) in [(-60, false), (0, true), (520, true), (3600, false)] {
            let created = (born + SignedDuration::from_secs(seconds)).round(jiff::Unit::Second).unwrap();
            assert_eq!(may_be_of(&call, created - SignedDuration::from_secs(1)), fits, "{seconds} s");
        }
    }

    #[test]
    fn only_what_nobody_has_picked_up_is_called_off() {
        let born: Timestamp = "2026-11-30T09:00:00Z".parse().unwrap();
        let mut call = CallSummary::new(SessionId::new(), born, NewCall::outbound("+81312345678", "+819012345678"));
        assert!(!is_called_off(&call), "nobody has asked for its end");
        call.apply(&SessionEvent::EndRequested { by: "operator".into() }.at(born));
        assert!(is_called_off(&call));
        call.apply(&SessionEvent::Answered.at(born));
        assert!(!is_called_off(&call), "the agent says goodbye");
    }

    #[test]
    fn whoever_is_with_a_person_is_not_cut_off_when_the_agents_time_is_over() {
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        assert_eq!(last_resort(Duration::from_secs(30 * 60)), Seconds(4 * 3600));
        assert_eq!(last_resort(hours(6)), Seconds(6 * 3600 + 120), "the agent's own goodbye comes first");
        assert_eq!(last_resort(hours(24)), Seconds(24 * 3600), "Twilio refuses more");
    }
}
