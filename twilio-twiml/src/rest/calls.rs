//! Calls: made, watched, redirected, ended (Twilio: API, Calls).

use futures_util::Stream;
use jiff::Timestamp;

use super::{
    client::{Client, Twice},
    error::Error,
    page::PAGE_SIZE,
    parameters::parameters,
    resource::resource,
};
use crate::{
    Millis, Private, Rfc2822, Seconds,
    phone::Address,
    sid::{AccountSid, ApplicationSid, ByocTrunkSid, CallSid, PhoneNumberSid, TrunkSid},
    twiml::{Digits, InlineTwiml, Url},
    webhook::Form,
    words::{
        AnsweredBy, CallEvent, CallStatus, Direction, MachineDetection, Method, RecordingChannels, RecordingEvent,
        RecordingTrack, Trim,
    },
};

/// What a call does once it is answered: exactly one of these.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Instructions {
    /// The document at an absolute URL.
    Document {
        /// Where it is.
        url: Url,
        /// How it is requested; `POST` if `None`.
        method: Option<Method>,
    },
    /// A document that goes with the request.
    Inline(InlineTwiml),
    /// A TwiML application. Its URLs count, and those of the request do not.
    Application(ApplicationSid),
}

impl Instructions {
    /// The document at an absolute URL.
    #[must_use]
    pub fn document(url: impl Into<Url>) -> Self {
        Self::Document { url: url.into(), method: None }
    }

    pub(super) fn fill(&self, form: &mut Form) {
        match self {
            Self::Document { url, method } => {
                form.put("Url", url);
                if let Some(method) = method {
                    form.put("Method", method);
                }
            }
            Self::Inline(document) => form.push("Twiml", document.as_str()),
            Self::Application(application) => form.put("ApplicationSid", application),
        }
    }
}

impl From<InlineTwiml> for Instructions {
    fn from(document: InlineTwiml) -> Self {
        Self::Inline(document)
    }
}

impl From<ApplicationSid> for Instructions {
    fn from(application: ApplicationSid) -> Self {
        Self::Application(application)
    }
}

impl From<Url> for Instructions {
    fn from(url: Url) -> Self {
        Self::document(url)
    }
}

parameters! {
    /// A call to be made (Twilio: Calls, create).
    NewCall;
    required {
        /// Who is called: a number, `sip:` or `client:`.
        to: Address = "To",
        /// Who calls: a number of ours or a verified one; or a client, unless a number is called.
        from: Address = "From",
    }
    with {
        /// What it does once it is answered.
        instructions: Instructions,
    }
    optional {
        /// A document for when the first cannot be had.
        fallback_url: Url = "FallbackUrl",
        /// How that one is requested; `POST` if not set.
        fallback_method: Method = "FallbackMethod",
        /// A URL to be told what becomes of the call.
        status_callback: Url = "StatusCallback",
        /// How that one is requested; `POST` if not set.
        status_callback_method: Method = "StatusCallbackMethod",
        /// How long it rings, at most 600 s; 60 s if not set. Twilio may add 5 s.
        timeout: Seconds = "Timeout",
        /// How long the call can be; as the account allows if not set.
        time_limit: Seconds = "TimeLimit",
        /// The caller that is shown.
        caller_id: String = "CallerId",
        /// Keys to press after the answer, at most 32. They switch machine detection off.
        send_digits: Digits = "SendDigits",
        /// Whether it is recorded; no if not set.
        record: bool = "Record",
        /// One channel or two; one if not set.
        recording_channels: RecordingChannels = "RecordingChannels",
        /// Which side is recorded; both if not set.
        recording_track: RecordingTrack = "RecordingTrack",
        /// A URL to be told what becomes of the recording.
        recording_status_callback: Url = "RecordingStatusCallback",
        /// How that one is requested; `POST` if not set.
        recording_status_callback_method: Method = "RecordingStatusCallbackMethod",
        /// A recording configuration of the account.
        recording_configuration_id: String = "RecordingConfigurationId",
        /// Whether silence at the ends of the recording is cut off; yes if not set.
        trim: Trim = "Trim",
        /// Whether to find out if a machine answers; no if not set.
        machine_detection: MachineDetection = "MachineDetection",
        /// How long to try, 3–60 s; 30 s if not set.
        machine_detection_timeout: Seconds = "MachineDetectionTimeout",
        /// Speech longer than this is a machine's, 1000–6000 ms; 2400 ms if not set.
        machine_detection_speech_threshold: Millis = "MachineDetectionSpeechThreshold",
        /// Silence after speech that ends it, 500–5000 ms; 1200 ms if not set.
        machine_detection_speech_end_threshold: Millis = "MachineDetectionSpeechEndThreshold",
        /// Silence at the start that ends the attempt, 2000–10000 ms; 5000 ms if not set.
        machine_detection_silence_timeout: Millis = "MachineDetectionSilenceTimeout",
        /// Whether the call goes on while detection runs; it waits if not set, and the callee hears nothing.
        async_amd: bool = "AsyncAmd",
        /// A URL to be told who answered.
        async_amd_status_callback: Url = "AsyncAmdStatusCallback",
        /// How that one is requested; `POST` if not set.
        async_amd_status_callback_method: Method = "AsyncAmdStatusCallbackMethod",
        /// The user name, if a SIP address asks for one.
        sip_auth_username: String = "SipAuthUsername",
        /// The password, if a SIP address asks for one.
        sip_auth_password: Private = "SipAuthPassword",
        /// A trunk of our own carrier.
        byoc: ByocTrunkSid = "Byoc",
        /// Why the call is made, for branded calling.
        call_reason: String = "CallReason",
        /// The token of an incoming call, to show its caller.
        call_token: Private = "CallToken",
        /// A URL to be told that a client is called.
        client_notification_url: Url = "ClientNotificationUrl",
    }
    lists {
        /// What the status callback is told; `completed` if not set.
        status_callback_event: CallEvent = "StatusCallbackEvent",
        /// What the recording's callback is told; `completed` if not set.
        recording_status_callback_event: RecordingEvent = "RecordingStatusCallbackEvent",
    }
}

impl NewCall {
    /// A call to somebody, from one of our numbers, and what it does once it is answered.
    #[must_use]
    pub fn new(to: impl Into<Address>, from: impl Into<Address>, instructions: impl Into<Instructions>) -> Self {
        Self::bare(to.into(), from.into(), instructions.into())
    }
}

/// What a call in progress does next: at most one of these.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Next {
    /// What it does already.
    #[default]
    Same,
    /// The document at an absolute URL.
    Document {
        /// Where it is.
        url: Url,
        /// How it is requested; `POST` if `None`.
        method: Option<Method>,
    },
    /// A document that goes with the request.
    Inline(InlineTwiml),
    /// It ends, also while people talk.
    End,
    /// It is given up, if nobody has answered yet.
    Cancel,
}

impl Next {
    fn fill(&self, form: &mut Form) {
        match self {
            Self::Same => {}
            Self::Document { url, method } => {
                Instructions::Document { url: url.clone(), method: *method }.fill(form);
            }
            Self::Inline(document) => form.push("Twiml", document.as_str()),
            Self::End => form.push("Status", "completed"),
            Self::Cancel => form.push("Status", "canceled"),
        }
    }
}

parameters! {
    /// A change to a call (Twilio: Calls, update).
    CallUpdate;
    with {
        /// What it does next.
        next: Next,
    }
    optional {
        /// A document for when the next one cannot be had.
        fallback_url: Url = "FallbackUrl",
        /// How that one is requested; `POST` if not set.
        fallback_method: Method = "FallbackMethod",
        /// From now on, the URL to be told what becomes of the call.
        status_callback: Url = "StatusCallback",
        /// How that one is requested; `POST` if not set.
        status_callback_method: Method = "StatusCallbackMethod",
        /// How long the call can be.
        time_limit: Seconds = "TimeLimit",
    }
}

impl CallUpdate {
    /// A change to what the call does, or with [`Next::Same`] only to its settings.
    #[must_use]
    pub fn new(next: Next) -> Self {
        Self::bare(next)
    }
}

parameters! {
    /// Which calls are listed; all if nothing is set.
    CallFilter;
    optional {
        /// To this address.
        to: Address = "To",
        /// From this address.
        from: Address = "From",
        /// Dialled by this leg.
        parent_call_sid: CallSid = "ParentCallSid",
        /// What has become of them.
        status: CallStatus = "Status",
        /// Begun on this day or at this moment.
        started_at: Timestamp = "StartTime",
        /// Begun before.
        started_before: Timestamp = "StartTime<",
        /// Begun after.
        started_after: Timestamp = "StartTime>",
        /// Ended on this day or at this moment.
        ended_at: Timestamp = "EndTime",
        /// Ended before.
        ended_before: Timestamp = "EndTime<",
        /// Ended after.
        ended_after: Timestamp = "EndTime>",
    }
}

impl CallFilter {
    /// All calls.
    #[must_use]
    pub fn new() -> Self {
        Self::bare()
    }
}

impl Default for CallFilter {
    fn default() -> Self {
        Self::new()
    }
}

resource! {
    /// A call, as the API knows it (Twilio: Calls, resource).
    ///
    /// It lags behind: status callbacks know earlier.
    Call;
    required {
        /// The leg.
        sid: CallSid,
        /// What has become of it.
        status: CallStatus,
    }
    optional {
        /// The account.
        account_sid: AccountSid,
        /// The leg that dialled it.
        parent_call_sid: CallSid,
        /// Who is called.
        to: Address,
        /// Who calls.
        from: Address,
        /// Who is called, as people write it.
        to_formatted: Private,
        /// Who calls, as people write it.
        from_formatted: Private,
        /// The number of ours.
        phone_number_sid: PhoneNumberSid,
        /// Who began it.
        direction: Direction,
        /// When it was answered.
        start_time: Rfc2822,
        /// When it ended.
        end_time: Rfc2822,
        /// How long it was.
        duration: Seconds,
        /// What it costs, such as `-0.03000`.
        price: String,
        /// The currency of the price.
        price_unit: String,
        /// Who answered, if detection ran.
        answered_by: AnsweredBy,
        /// Who forwarded it.
        forwarded_from: Address,
        /// The name of the caller.
        caller_name: Private,
        /// The group it belongs to.
        group_sid: String,
        /// How long it waited to be dialled.
        queue_time: Millis,
        /// The SIP trunk it went over.
        trunk_sid: TrunkSid,
        /// The version of the API.
        api_version: String,
        /// When it was created.
        date_created: Rfc2822,
        /// When it last changed.
        date_updated: Rfc2822,
        /// Where it is in the API.
        uri: String,
    }
}

/// The calls of the account.
#[derive(Debug, Clone, Copy)]
pub struct Calls<'a> {
    client: &'a Client,
}

/// One call.
#[derive(Debug, Clone, Copy)]
pub struct CallHandle<'a> {
    pub(super) client: &'a Client,
    pub(super) sid: &'a CallSid,
}

impl Client {
    /// The calls of the account.
    #[must_use]
    pub fn calls(&self) -> Calls<'_> {
        Calls { client: self }
    }

    /// One call.
    #[must_use]
    pub fn call<'a>(&'a self, sid: &'a CallSid) -> CallHandle<'a> {
        CallHandle { client: self, sid }
    }
}

impl Calls<'_> {
    /// Makes a call. It waits for its turn, if calls are made faster than the account may.
    ///
    /// The request is repeated only if Twilio certainly did nothing. If the answer is lost the call may be under way:
    /// look for it by a token of yours in its URL, or wait for its `initiated` callback.
    ///
    /// # Errors
    /// See [`Error`].
    ///
    /// # Cancel safety
    /// Dropped before the request is sent, nothing happens; after that the call may be made.
    pub async fn create(&self, call: &NewCall) -> Result<Call, Error> {
        let request = self.client.post(&["Calls.json"], &call.form(), Twice::Different).paced();
        self.client.json(request).await
    }

    /// The calls that fit, newest first.
    pub fn list(&self, filter: &CallFilter) -> impl Stream<Item = Result<Call, Error>> + Send + use<> {
        let query = filter.form().with("PageSize", PAGE_SIZE);
        self.client.list(self.client.get(&["Calls.json"], &query), "calls")
    }
}

impl CallHandle<'_> {
    /// What has become of the call.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn fetch(&self) -> Result<Call, Error> {
        self.client.json(self.client.get(&["Calls", &self.file()], &Form::new())).await
    }

    /// Goes on with the document at an absolute URL. What the call did before is given up, a stream is stopped.
    ///
    /// # Errors
    /// [`Problem::CallNotInProgress`](super::Problem::CallNotInProgress) if it has ended or is not answered yet.
    pub async fn redirect(&self, url: impl Into<Url>) -> Result<Call, Error> {
        self.update(&CallUpdate::new(Next::Document { url: url.into(), method: None })).await
    }

    /// Goes on with a document that goes with the request.
    ///
    /// # Errors
    /// [`Problem::CallNotInProgress`](super::Problem::CallNotInProgress) if it has ended or is not answered yet.
    pub async fn run(&self, document: InlineTwiml) -> Result<Call, Error> {
        self.update(&CallUpdate::new(Next::Inline(document))).await
    }

    /// Ends the call.
    ///
    /// # Errors
    /// A call that has ended already may be [`NotFound`](super::Problem::NotFound) or
    /// [`CallNotInProgress`](super::Problem::CallNotInProgress).
    pub async fn end(&self) -> Result<Call, Error> {
        self.update(&CallUpdate::new(Next::End)).await
    }

    /// Gives the call up, if nobody has answered yet. For one that is answered use [`end`](Self::end).
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn cancel(&self) -> Result<Call, Error> {
        self.update(&CallUpdate::new(Next::Cancel)).await
    }

    /// Changes the call.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn update(&self, update: &CallUpdate) -> Result<Call, Error> {
        // A document that is run twice is heard twice; the end of a call is the end.
        let twice = match update.next {
            Next::Same | Next::End | Next::Cancel => Twice::Same,
            Next::Document { .. } | Next::Inline(_) => Twice::Different,
        };
        self.client.json(self.client.post(&["Calls", &self.file()], &update.form(), twice)).await
    }

    /// Deletes the record of a call that has ended.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn delete(&self) -> Result<(), Error> {
        self.client.done(self.client.delete(&["Calls", &self.file()])).await
    }

    fn file(&self) -> String {
        format!("{}.json", self.sid)
    }
}
