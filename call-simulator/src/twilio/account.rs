//! The account that calls belong to, and what it tells its application about them.

use std::{
    sync::{Mutex, OnceLock},
    time::Duration,
};

use tokio_util::{sync::CancellationToken, task::TaskTracker};
use twilio_twiml::{
    Rfc2822, Seconds,
    jiff::Timestamp,
    phone::{Address, E164},
    sid::{AccountSid, ApiKeySid, CallSid, RecordingSid, StreamSid},
    webhook::{
        AnsweringMachine, CallContext, CallProgress, Form, StreamEvent, StreamProgress, VoiceRequest, Webhook,
        signature::AuthToken,
    },
    words::{AnsweredBy, CallEvent, CallStatus, Direction, Method},
};
use url::Url;
use uuid::Uuid;

use super::{
    callback_plan::CallbackPlan,
    conference::Rooms,
    debugger::Alert,
    dial::Dialer,
    interpreter::Fetch,
    phonebook::Phones,
    recordings::Recordings,
    register::{Progress, Register},
    rest::{RestFaults, RestSettings},
};

/// What all calls of an account share.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) sid: AccountSid,
    pub(super) token: AuthToken,
    pub(super) api_keys: Vec<(ApiKeySid, AuthToken)>,
    pub(super) numbers: Vec<Number>,
    pub(super) dialer: Dialer,
    pub(super) settings: RestSettings,
    pub(super) register: Register,
    pub(super) recordings: Recordings,
    pub(super) phones: Phones,
    pub(super) rooms: Rooms,
    pub(super) rest_faults: RestFaults,
    pub(super) callback_plan: Mutex<CallbackPlan>,
    /// Where the REST API is served; Twilio's own address until it is.
    pub(super) rest_base: OnceLock<String>,
    /// The calls that the REST API has made, and its connections.
    pub(super) tasks: TaskTracker,
    pub(super) stop: CancellationToken,
}

impl Account {
    /// Where something of the account is in the REST API, from the host on.
    pub(super) fn path(&self, rest: &str) -> String {
        format!("/2010-04-01/Accounts/{}/{rest}", self.sid)
    }

    /// The same with the host.
    pub(super) fn address(&self, rest: &str) -> String {
        format!("{}{}", self.rest_base.get().map_or("https://api.twilio.com", String::as_str), self.path(rest))
    }
}

/// A telephone number of the account and where its calls are answered (Twilio: IncomingPhoneNumbers).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Number {
    /// The number.
    pub number: E164,
    /// What answers a call: the URL of the first document.
    pub voice_url: Url,
    /// How it is requested. `POST` by default.
    pub voice_method: Method,
    /// What answers when a document cannot be had. None by default: the call ends.
    pub fallback_url: Option<Url>,
    /// Who is told of the end of each call. Nobody by default.
    pub status_callback: Option<Url>,
}

impl Number {
    /// A number whose calls are answered by this URL.
    #[must_use]
    pub const fn new(number: E164, voice_url: Url) -> Self {
        Self { number, voice_url, voice_method: Method::Post, fallback_url: None, status_callback: None }
    }

    /// Sets how the voice URL is requested.
    #[must_use]
    pub const fn with_voice_method(mut self, method: Method) -> Self {
        self.voice_method = method;
        self
    }

    /// Sets what answers when a document cannot be had.
    #[must_use]
    pub fn with_fallback_url(mut self, url: Url) -> Self {
        self.fallback_url = Some(url);
        self
    }

    /// Sets who is told of the end of each call.
    #[must_use]
    pub fn with_status_callback(mut self, url: Url) -> Self {
        self.status_callback = Some(url);
        self
    }

    pub(super) fn voice(&self) -> Fetch {
        Fetch { purpose: "voice", url: self.voice_url.clone(), method: self.voice_method }
    }

    pub(super) fn fallback(&self) -> Option<Fetch> {
        let url = self.fallback_url.clone()?;
        Some(Fetch { purpose: "voice fallback", url, method: Method::Post })
    }

    /// Its status callback, which tells of the end alone and without a place.
    pub(super) fn progress(&self) -> Option<Progress> {
        let url = self.status_callback.clone()?;
        let fetch = Fetch { purpose: "call status", url, method: Method::Post };
        Some(Progress { fetch, events: vec![CallEvent::Completed], is_numbered: false })
    }
}

/// One leg of a call.
#[derive(Debug, Clone)]
pub(super) struct Leg {
    pub(super) account_sid: AccountSid,
    pub(super) call_sid: CallSid,
    pub(super) parent: Option<CallSid>,
    pub(super) direction: Direction,
    pub(super) from: Address,
    pub(super) to: Address,
    /// Parameters that the carrier adds.
    pub(super) extra: Form,
}

/// Who answered, and how long it took to tell.
#[derive(Debug, Clone)]
pub(super) struct Detected {
    pub(super) answered_by: AnsweredBy,
    pub(super) took: Duration,
}

/// How a call ended.
#[derive(Debug, Clone, Default)]
pub(super) struct Ending {
    pub(super) talked: Duration,
    pub(super) sip_status: Option<u16>,
    pub(super) detected: Option<AnsweredBy>,
    /// The recording that the call was made with, its place in the API and its length.
    pub(super) recording: Option<(RecordingSid, String, Duration)>,
}

impl Leg {
    /// What every request about the leg says.
    pub(super) fn context(&self, status: CallStatus) -> CallContext {
        let mut context = CallContext::new(
            self.call_sid.clone(),
            self.account_sid.clone(),
            self.from.clone(),
            self.to.clone(),
            status,
        );
        context.direction = Some(self.direction.clone());
        context.api_version = Some("2010-04-01".into());
        context.caller = Some(self.from.clone());
        context.called = Some(self.to.clone());
        context.parent_call_sid = self.parent.clone();
        context
    }

    /// The request for a document. What was detected is told only where the document waited for it.
    pub(super) fn voice_form(&self, status: CallStatus, detected: Option<&Detected>) -> Form {
        let mut request = VoiceRequest::new(self.context(status));
        request.answered_by = detected.map(|detected| detected.answered_by.clone());
        request.machine_detection_duration = detected.map(|detected| detected.took.into());
        request.other = self.extra.clone();
        request.to_form()
    }

    /// The request for a document after another could not be had.
    pub(super) fn fallback_form(&self, status: CallStatus, failed: &Url, alert: &Alert) -> Form {
        let mut request = VoiceRequest::new(self.context(status));
        request.error_code = Some(alert.code.number());
        request.error_url = Some(failed.to_string());
        request.other = self.extra.clone();
        request.to_form()
    }

    /// The news of how far the call has come. A number's own callback has no place in an order.
    pub(super) fn progress_form(&self, status: CallStatus, place: Option<u32>, ending: Option<&Ending>) -> Form {
        let is_completed = status == CallStatus::Completed;
        let mut progress = CallProgress::new(self.context(status));
        if place.is_some() {
            progress.sequence_number = place;
            progress.source = Some("call-progress-events".into());
        }
        if let Some(ending) = ending {
            let seconds = whole_seconds(ending.talked);
            progress.call_duration = Some(Seconds(seconds));
            progress.billed_minutes = is_completed.then_some(seconds.div_ceil(60));
            progress.sip_response_code = ending.sip_status;
            progress.answered_by = ending.detected.clone();
            if let Some((sid, url, length)) = &ending.recording {
                progress.recording_sid = Some(sid.clone());
                progress.recording_url = Some(url.clone());
                progress.recording_duration = Some(Seconds(whole_seconds(*length)));
            }
        }
        progress.timestamp = Some(Rfc2822(Timestamp::now()));
        progress.to_form()
    }

    /// Who answered, for asynchronous detection.
    pub(super) fn detected_form(&self, detected: &Detected) -> Form {
        let (call, account) = (self.call_sid.clone(), self.account_sid.clone());
        let mut found = AnsweringMachine::new(call, account, detected.answered_by.clone());
        found.detection_duration = Some(detected.took.into());
        found.to_form()
    }

    /// The news of a media stream.
    pub(super) fn stream_form(
        &self,
        stream_sid: &StreamSid,
        name: Option<&str>,
        event: StreamEvent,
        error: Option<&Alert>,
    ) -> Form {
        let mut status =
            StreamProgress::new(self.account_sid.clone(), self.call_sid.clone(), stream_sid.clone(), event);
        status.name = Some(name.unwrap_or(stream_sid.as_str()).to_owned());
        status.error = error.map(|alert| format!("{} - {}", alert.code.number(), alert.code.meaning()));
        status.timestamp = Some(Timestamp::now());
        status.to_form()
    }
}

/// Whole seconds, as Twilio counts them.
pub(super) fn whole_seconds(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}

/// A new identifier with this prefix.
pub(super) fn mint<T: std::str::FromStr>(prefix: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    format!("{prefix}{}", Uuid::new_v4().simple()).parse().expect("a prefix and 32 hexadecimal digits")
}
