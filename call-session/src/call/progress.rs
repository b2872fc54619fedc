//! Twilio's callbacks, as what they say of a call.

use jiff::Timestamp;
use twilio_twiml::{
    sid::CallSid,
    webhook::{AnsweringMachine, CallProgress, RecordingProgress, RecordingStatus as TwilioRecording},
    words::{self, CallStatus},
};

use super::{AnsweredBy, Ending, Recording, RecordingStatus, SessionEvent, Stamped, Status};

/// What Twilio says has become of a call, as proposals. `received` is when, where Twilio does not say.
///
/// ```
/// # use call_session::{call::{self, CallSession, NewCall, Status}, id::SessionId};
/// # use twilio_twiml::webhook::{CallProgress, Form, Webhook};
/// # let now: jiff::Timestamp = "2026-11-21T09:00:00Z".parse()?;
/// # let mut call = CallSession::new(SessionId::new(), now, NewCall::outbound("+81312345678", "+819012345678"));
/// # let form: Form = [
/// #     ("CallSid", "CAfedcba9876543210fedcba9876543210"), ("AccountSid", "AC0123456789abcdef0123456789abcdef"),
/// #     ("From", "+81312345678"), ("To", "+819012345678"), ("CallStatus", "busy"),
/// # ].into_iter().collect();
/// # let callback = CallProgress::from_form(&form)?;
/// call.take(call::progress(&callback, now))?;
/// assert_eq!(call.summary.status, Status::Busy);
/// // Once more, it changes nothing.
/// assert!(call.take(call::progress(&callback, now))?.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn progress(callback: &CallProgress, received: Timestamp) -> Vec<Stamped> {
    let at = callback.timestamp.map_or(received, Timestamp::from);
    let mut events = vec![SessionEvent::Bound { call: callback.call.call_sid.clone() }];
    if let Some(by) = &callback.answered_by {
        events.push(SessionEvent::PickedUp { by: by.into() });
    }
    if let Some(code) = callback.error_code {
        events.push(SessionEvent::Problem { what: "line".into(), code: Some(code) });
    }
    events.extend(became(&callback.call.status));
    if let Some(duration) = callback.call_duration {
        events.push(SessionEvent::Lasted { seconds: duration.0 });
    }
    events.into_iter().map(|event| event.at(at)).collect()
}

/// What Twilio's answer to "what has become of this call?" says, as proposals.
#[must_use]
pub fn reconciled(call: &CallSid, status: &CallStatus, asked: Timestamp) -> Vec<Stamped> {
    let bound = SessionEvent::Bound { call: call.clone() };
    [bound].into_iter().chain(became(status)).map(|event| event.at(asked)).collect()
}

/// Who picked up, as asynchronous detection says.
#[must_use]
pub fn machine(callback: &AnsweringMachine, received: Timestamp) -> Vec<Stamped> {
    let bound = SessionEvent::Bound { call: callback.call_sid.clone() };
    let event = SessionEvent::PickedUp { by: (&callback.answered_by).into() };
    vec![bound.at(received), event.at(received)]
}

/// What has become of a recording. Empty where Twilio says something that changes nothing for us.
#[must_use]
pub fn recording(callback: &RecordingProgress, received: Timestamp) -> Vec<Stamped> {
    let status = match &callback.status {
        TwilioRecording::Completed => RecordingStatus::Completed,
        TwilioRecording::Absent => RecordingStatus::Absent,
        TwilioRecording::Failed => RecordingStatus::Failed,
        TwilioRecording::InProgress | TwilioRecording::Paused | TwilioRecording::Stopped => RecordingStatus::InProgress,
        _ => return Vec::new(),
    };
    let mut recording = Recording::new(callback.recording_sid.clone(), status);
    recording.url.clone_from(&callback.url);
    recording.seconds = callback.duration.map(|duration| duration.0);
    recording.channels = callback.channels;
    let bound = callback.call_sid.clone().map(|call| SessionEvent::Bound { call });
    bound.into_iter().chain([SessionEvent::Recorded { recording }]).map(|event| event.at(received)).collect()
}

fn became(status: &CallStatus) -> Option<SessionEvent> {
    let ended = |status, reason: &str| Some(SessionEvent::Ended(Ending::new(status, reason)));
    match status {
        CallStatus::Ringing => Some(SessionEvent::Ringing),
        CallStatus::InProgress => Some(SessionEvent::Answered),
        CallStatus::Completed => ended(Status::Completed, "completed"),
        CallStatus::Busy => ended(Status::Busy, "busy"),
        CallStatus::Failed => ended(Status::Failed, "line-failed"),
        CallStatus::NoAnswer => ended(Status::NoAnswer, "no-answer"),
        CallStatus::Canceled => ended(Status::Canceled, "canceled"),
        // Queued and dialled are what every call is at first; what Twilio may add says nothing to us.
        _ => None,
    }
}

impl From<&words::AnsweredBy> for AnsweredBy {
    fn from(by: &words::AnsweredBy) -> Self {
        match by {
            words::AnsweredBy::Human => Self::Human,
            words::AnsweredBy::Fax => Self::Fax,
            machine if machine.is_machine() => Self::Machine,
            _ => Self::Unknown,
        }
    }
}
