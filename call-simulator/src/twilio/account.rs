//! The account that calls belong to, and what it tells its application about them.

use std::time::Duration;

use twilio_twiml::{
    Rfc2822, Seconds,
    jiff::Timestamp,
    phone::{Address, E164},
    sid::{AccountSid, CallSid, StreamSid},
    webhook::{
        CallContext, CallProgress, Form, StreamEvent, StreamProgress, VoiceRequest, Webhook, signature::AuthToken,
    },
    words::{CallStatus, Direction, Method},
};
use url::Url;
use uuid::Uuid;

use super::{debugger::Alert, dial::Dialer, interpreter::Fetch};

/// What all calls of an account share.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) sid: AccountSid,
    pub(super) token: AuthToken,
    pub(super) numbers: Vec<Number>,
    pub(super) dialer: Dialer,
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
}

/// One leg of a call.
#[derive(Debug, Clone)]
pub(super) struct Leg {
    pub(super) account_sid: AccountSid,
    pub(super) call_sid: CallSid,
    pub(super) from: Address,
    pub(super) to: Address,
    /// Parameters that the carrier adds.
    pub(super) extra: Form,
}

impl Leg {
    /// What every request about the leg says.
    fn context(&self, status: CallStatus) -> CallContext {
        let mut context = CallContext::new(
            self.call_sid.clone(),
            self.account_sid.clone(),
            self.from.clone(),
            self.to.clone(),
            status,
        );
        context.direction = Some(Direction::Inbound);
        context.api_version = Some("2010-04-01".into());
        context.caller = Some(self.from.clone());
        context.called = Some(self.to.clone());
        context
    }

    /// The request for a document.
    pub(super) fn voice_form(&self, status: CallStatus) -> Form {
        let mut request = VoiceRequest::new(self.context(status));
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

    /// The news that the call is over, as a number's status callback has it.
    pub(super) fn ended_form(&self, status: CallStatus, talked: Duration) -> Form {
        let mut progress = CallProgress::new(self.context(status));
        let seconds = u32::try_from(talked.as_secs()).unwrap_or(u32::MAX);
        progress.call_duration = Some(Seconds(seconds));
        progress.billed_minutes = Some(seconds.div_ceil(60));
        progress.timestamp = Some(Rfc2822(Timestamp::now()));
        progress.to_form()
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

/// A new identifier with this prefix.
pub(super) fn mint<T: std::str::FromStr>(prefix: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    format!("{prefix}{}", Uuid::new_v4().simple()).parse().expect("a prefix and 32 hexadecimal digits")
}
