//! What can go wrong with a store.

use std::error::Error;

use twilio_twiml::sid::CallSid;

use crate::{call::Version, id::SessionId};

/// Why a store did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// It cannot be reached, or is too busy; another attempt may help.
    #[error("the store cannot be reached")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// It refuses, and would again.
    #[error("the store refuses")]
    Refused(#[source] Box<dyn Error + Send + Sync>),
    /// What it has cannot be read: it was written by something else, or was damaged.
    #[error("what the store has of {what} cannot be read")]
    Unreadable {
        /// Of what.
        what: String,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl StoreError {
    /// Another attempt may help.
    #[must_use]
    pub const fn retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

/// Why events were not kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// Somebody was quicker: decide again on what the call is now.
    #[error("the call is at version {}, not at the expected one", .actual.0)]
    Conflict {
        /// The version of the call.
        actual: Version,
    },
    /// There is no such call.
    #[error("there is no call {0}")]
    NoCall(SessionId),
    /// The name at Twilio belongs to another call.
    #[error("{call} belongs to the call {owner}")]
    CallSidTaken {
        /// The name.
        call: CallSid,
        /// The call that has it.
        owner: SessionId,
    },
    /// The backend failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl CommitError {
    /// The same commit, repeated as it is, may succeed.
    #[must_use]
    pub const fn retryable(&self) -> bool {
        matches!(self, Self::Store(error) if error.retryable())
    }
}
