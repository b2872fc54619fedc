//! Why a request about a call did not succeed.

use std::{error::Error, time::Duration};

use crate::realtime::{ConnectError, ProviderError};

/// Why a request about a call did not succeed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SipError {
    /// The session configuration cannot work; all problems are named. Nothing was sent.
    #[error("the session configuration cannot work: {}", .problems.join("; "))]
    Config {
        /// One sentence each.
        problems: Vec<String>,
    },
    /// No connection: the request was not sent.
    #[error("the provider cannot be reached")]
    Unreachable(#[source] Box<dyn Error + Send + Sync>),
    /// No answer in time. The provider may have done what it was asked to do.
    #[error("the provider did not answer within {limit:?}")]
    TimedOut {
        /// The limit.
        limit: Duration,
    },
    /// The connection broke. The provider may have done what it was asked to do.
    #[error("the connection to the provider broke")]
    Broken(#[source] Box<dyn Error + Send + Sync>),
    /// The control socket could not be opened.
    #[error("the control socket of the call could not be opened")]
    Socket(#[source] ConnectError),
    /// The last attempt was certainly not carried out; one before it may have been.
    #[error("the provider may have done what it was asked to do, and did not say so")]
    Uncertain(#[source] Box<SipError>),
    /// The provider knows no such call: it is over, or never was (404).
    #[error("the call is over")]
    Gone,
    /// The provider will not.
    #[error("the provider answered with HTTP status {status}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What the provider says about it, where it does.
        #[source]
        error: Option<ProviderError>,
        /// When the provider wants to be asked again.
        retry_after: Option<Duration>,
    },
}

impl SipError {
    /// Whether another attempt may help: connections, time-outs, statuses 408, 429 and 5xx. Whether it is harmless depends
    /// on the request, see [`may_have_happened`](SipError::may_have_happened).
    #[must_use]
    pub fn retryable(&self) -> bool {
        match self {
            Self::Socket(error) => error.retryable(),
            Self::Uncertain(error) => error.retryable(),
            Self::Unreachable(_) | Self::TimedOut { .. } | Self::Broken(_) => true,
            Self::Refused { status, .. } => matches!(status, 408 | 429 | 500..=599),
            Self::Config { .. } | Self::Gone => false,
        }
    }

    /// Whether the provider may have done what it was asked to do.
    #[must_use]
    pub const fn may_have_happened(&self) -> bool {
        match self {
            Self::TimedOut { .. } | Self::Broken(_) | Self::Uncertain(_) => true,
            Self::Refused { status, .. } => matches!(status, 408 | 500..=599),
            Self::Config { .. } | Self::Unreachable(_) | Self::Socket(_) | Self::Gone => false,
        }
    }

    /// Whether the call is over.
    #[must_use]
    pub const fn is_gone(&self) -> bool {
        matches!(self, Self::Gone)
    }

    pub(super) const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}
