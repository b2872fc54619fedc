use std::{error, fmt, time::Duration};

use serde::Deserialize;

use crate::Private;

/// Why a request did not succeed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Twilio answered that it will not.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// No connection: the request was not sent.
    #[error("Twilio cannot be reached")]
    Unreachable(#[source] Box<dyn error::Error + Send + Sync>),
    /// No answer in time. Twilio may have done what it was asked to do.
    #[error("Twilio did not answer in time")]
    TimedOut,
    /// The connection broke. Twilio may have done what it was asked to do.
    #[error("the connection to Twilio broke")]
    Broken(#[source] Box<dyn error::Error + Send + Sync>),
    /// The answer is not what Twilio documents. Twilio has done what it was asked to do.
    #[error("Twilio's answer to {operation} cannot be read")]
    Unreadable {
        /// The method and path of the request.
        operation: String,
        /// What was wrong.
        source: serde_json::Error,
    },
    /// Too many creates wait for their turn; this one was not sent.
    #[error("{waiting} creates wait already")]
    Crowded {
        /// How many wait.
        waiting: usize,
    },
}

/// What Twilio said when it refused a request (Twilio: API, errors).
///
/// The message may hold telephone numbers, so neither `Display` nor `Debug` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// What kind of refusal this is.
    pub problem: Problem,
    /// The HTTP status.
    pub status: u16,
    /// Twilio's code; missing if something in front of Twilio answered.
    pub code: Option<u32>,
    /// What Twilio says, for a developer.
    pub message: Private,
    /// The page about the code.
    pub more_info: Option<String>,
    /// What Twilio's support wants to know.
    pub request_id: Option<String>,
    /// How long to wait, if Twilio says so.
    pub retry_after: Option<Duration>,
}

/// The refusals that a caller can do something about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Problem {
    /// The call is not in progress: it has ended, or not begun (21220).
    CallNotInProgress,
    /// There is no such thing in the account (20404).
    NotFound,
    /// The number to call or to write to is not valid (21211, 21217, 21614, 13224).
    InvalidTo,
    /// The number to call or write from is not ours, or not valid (21210, 21212, 21213, 21264, 21606).
    InvalidFrom,
    /// The number cannot be reached (21214, 21612).
    CannotBeReached,
    /// The account may not call or write to this country (21215, 21203, 21408, 13227).
    CountryNotAllowed,
    /// Twilio blocks the number (21216, 13225).
    Blocked,
    /// A trial account may only reach verified numbers (21219, 21608).
    Unverified,
    /// The person has asked for no more messages (21610).
    OptedOut,
    /// Another leg of the conference has this label (16025, 16026).
    LabelTaken,
    /// The conference is over, or there is none (16022).
    ConferenceOver,
    /// Other recordings stand in the way (16108, 16114).
    RecordingConflict,
    /// A parameter is missing or wrong (other refusals with status 400).
    BadRequest,
    /// The credentials are wrong (20003, status 401).
    Unauthenticated,
    /// The account may not do this (20005, 20006, 20010, 20403, status 403).
    Forbidden,
    /// Somebody else changed the same thing (20409, status 409).
    Conflict,
    /// Too many requests at once (20429, status 429). This one was not processed.
    TooManyRequests,
    /// Twilio, or something in front of it, failed (status 5xx and 408).
    ServerFault,
    /// Anything else.
    Other,
}

impl Problem {
    fn of(status: u16, code: Option<u32>) -> Self {
        match (code.unwrap_or_default(), status) {
            (21220, _) => Self::CallNotInProgress,
            (20404, _) => Self::NotFound,
            (21211 | 21217 | 21614 | 13224, _) => Self::InvalidTo,
            (21210 | 21212 | 21213 | 21264 | 21606, _) => Self::InvalidFrom,
            (21214 | 21612, _) => Self::CannotBeReached,
            (21215 | 21203 | 21408 | 13227, _) => Self::CountryNotAllowed,
            (21216 | 13225, _) => Self::Blocked,
            (21219 | 21608, _) => Self::Unverified,
            (21610, _) => Self::OptedOut,
            (16025 | 16026, _) => Self::LabelTaken,
            (16022, _) => Self::ConferenceOver,
            (16108 | 16114, _) => Self::RecordingConflict,
            (20429, _) | (_, 429) => Self::TooManyRequests,
            (20003, _) | (_, 401) => Self::Unauthenticated,
            (20005 | 20006 | 20010 | 20403, _) | (_, 403) => Self::Forbidden,
            (20409, _) | (_, 409) => Self::Conflict,
            (_, 400) => Self::BadRequest,
            (_, 404) => Self::NotFound,
            (_, 408 | 500..) => Self::ServerFault,
            _ => Self::Other,
        }
    }
}

impl Error {
    /// What kind of refusal this is, if it is one.
    #[must_use]
    pub fn problem(&self) -> Option<Problem> {
        match self {
            Self::Refused(refusal) => Some(refusal.problem),
            _ => None,
        }
    }

    /// Whether the same request may succeed later. Whether repeating it is harmless is another question: see
    /// [`was_not_processed`](Self::was_not_processed).
    #[must_use]
    pub fn retryable(&self) -> bool {
        match self {
            Self::Refused(refusal) => matches!(refusal.problem, Problem::TooManyRequests | Problem::ServerFault),
            Self::Unreachable(_) | Self::TimedOut | Self::Broken(_) | Self::Crowded { .. } => true,
            Self::Unreadable { .. } => false,
        }
    }

    /// Whether Twilio certainly did nothing, so that even a call can be created again without dialling twice.
    #[must_use]
    pub fn was_not_processed(&self) -> bool {
        match self {
            Self::Refused(refusal) => refusal.problem != Problem::ServerFault,
            Self::Unreachable(_) | Self::Crowded { .. } => true,
            Self::TimedOut | Self::Broken(_) | Self::Unreadable { .. } => false,
        }
    }

    /// How long Twilio asks to wait before the request is repeated, if it says so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused(refusal) => refusal.retry_after,
            _ => None,
        }
    }

    pub(super) fn of_transport(error: reqwest::Error) -> Self {
        // The URL may hold a label or a number.
        let error = error.without_url();
        if error.is_connect() {
            Self::Unreachable(Box::new(error))
        } else if error.is_timeout() {
            Self::TimedOut
        } else {
            Self::Broken(Box::new(error))
        }
    }
}

#[derive(Deserialize, Default)]
struct Body {
    code: Option<u32>,
    #[serde(default)]
    message: String,
    more_info: Option<String>,
}

impl Refusal {
    /// Reads a refusal. The body may be anything, since gateways answer as well.
    pub(super) fn read(status: u16, headers: &http::HeaderMap, body: &[u8]) -> Self {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let Body { code, message, more_info } = serde_json::from_slice(body).unwrap_or_default();
        Self {
            problem: Problem::of(status, code),
            status,
            code,
            message: message.into(),
            more_info,
            request_id: header("twilio-request-id").map(str::to_owned),
            retry_after: header("retry-after").and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Twilio refused with status {}", self.status)?;
        if let Some(code) = self.code {
            write!(f, " and code {code}")?;
        }
        write!(f, " ({:?})", self.problem)?;
        if let Some(request_id) = &self.request_id {
            write!(f, ", request {request_id}")?;
        }
        Ok(())
    }
}

impl error::Error for Refusal {}
