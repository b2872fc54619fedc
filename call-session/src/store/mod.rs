//! Where calls are kept.
//!
//! A [`SessionStore`] keeps the events of calls and what is made from them. It is small on purpose: create, load, commit,
//! find, list, and the feed of all that happens. [`update`] is the usual way to change a call, [`hear`] that for what a
//! provider tells of it; [`news_of`] waits until something happens to it.
//!
//! - [`memory`]: for tests, and for servers that may forget.
//! - `sqlite` (a feature): an embedded database file, for one server.
//! - `postgres` (a feature): a database that several servers share.
//! - `conformance` (a feature): tests that hold a store of your own to the contract.

#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
pub mod memory;
mod news;
#[cfg(feature = "postgres")]
pub mod postgres;
mod query;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod sql;
#[cfg(feature = "sqlite")]
pub mod sqlite;
mod update;

use std::fmt::Debug;

use async_trait::async_trait;
pub use error::{CommitError, StoreError};
use jiff::Timestamp;
pub use news::news_of;
pub(crate) use news::until_told;
pub use query::{Page, Query};
use serde::{Deserialize, Serialize};
use twilio_twiml::sid::CallSid;
pub use update::{UpdateError, Updated, hear, update};

use crate::{
    call::{CallSession, CallSummary, NewCall, Recorded, Stamped, Version},
    id::{CommitId, SessionId},
};

/// A place in the feed of all that happens, after an event. Opaque: only good for asking what came later.
///
/// Its text is digits and a full stop, and keeps the order of the feed when compared as a position, not as text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Position {
    major: u64,
    minor: u64,
}

impl Position {
    /// Before everything.
    pub const START: Self = Self::new(0, 0);

    /// The place that a store gives an event: what it orders by first, such as a transaction, and what it orders by within
    /// that.
    #[must_use]
    pub const fn new(major: u64, minor: u64) -> Self {
        Self { major, minor }
    }

    /// What the store orders by first.
    #[must_use]
    pub const fn major(self) -> u64 {
        self.major
    }

    /// What the store orders by within that.
    #[must_use]
    pub const fn minor(self) -> u64 {
        self.minor
    }
}

/// An event in the feed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FeedEvent {
    /// Where it stands.
    pub position: Position,
    /// What happened to which call.
    #[serde(flatten)]
    pub recorded: Recorded,
}

/// Events to be kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Commit {
    /// The name of this attempt. A commit whose answer was lost is repeated under the same name, and happens once.
    pub id: CommitId,
    /// The call.
    pub call: SessionId,
    /// The version that the events were decided on.
    pub expected: Version,
    /// The events, in order. Not empty.
    pub events: Vec<Stamped>,
}

impl Commit {
    /// Events that were decided on this version of a call.
    #[must_use]
    pub fn new(call: SessionId, expected: Version, events: Vec<Stamped>) -> Self {
        Self { id: CommitId::new(), call, expected, events }
    }
}

/// Keeps calls.
///
/// # Contract
///
/// - A commit happens whole or not at all: its events, the call's summary and the feed change together. What was
///   acknowledged survives whatever the backend promises to survive.
/// - Of commits that expect the same version one happens; the others are a [`CommitError::Conflict`].
/// - A name at Twilio belongs to one call: the second to bind it gets [`CommitError::CallSidTaken`].
/// - The feed has every event once, those of a call in their order. Reading on from the last position that was read
///   misses nothing, however many write at the same time.
/// - Lists are by the time of creation and then by name, newest first, and pages do not shift when calls are added.
/// - All methods are cancel safe in the sense that they happen or do not happen; which of both is unknown.
///
/// The suite `store::conformance` (feature `conformance`) holds an implementation to this.
#[async_trait]
pub trait SessionStore: Send + Sync + Debug {
    /// Keeps a call that begins to exist, together with what happened to it at once, such as its name at Twilio. Happens
    /// whole or not at all. Repeating it with the same `id` gives the call as it is.
    ///
    /// # Errors
    ///
    /// [`CommitError::CallSidTaken`] when `events` bind a name that another call has; [`CommitError::Store`] when the
    /// backend fails.
    async fn create(
        &self,
        id: SessionId,
        at: Timestamp,
        call: NewCall,
        events: Vec<Stamped>,
    ) -> Result<CallSession, CommitError>;

    /// A call, whole.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the backend fails.
    async fn load(&self, id: SessionId) -> Result<Option<CallSession>, StoreError>;

    /// A call without its words: quick, however long the call is.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the backend fails.
    async fn summary(&self, id: SessionId) -> Result<Option<CallSummary>, StoreError>;

    /// Keeps what happened to a call. Gives its new version.
    ///
    /// # Errors
    ///
    /// [`CommitError`].
    async fn commit(&self, commit: Commit) -> Result<Version, CommitError>;

    /// The call that has this name at Twilio.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the backend fails.
    async fn find_by_call_sid(&self, sid: &CallSid) -> Result<Option<SessionId>, StoreError>;

    /// Calls that fit, newest first, a page at a time.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the backend fails.
    async fn query(&self, query: &Query) -> Result<Page, StoreError>;

    /// The events of one call, in order.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the backend fails.
    async fn history(&self, id: SessionId) -> Result<Vec<Recorded>, StoreError>;

    /// What happened after a position, at most `limit` events, in order.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the backend fails.
    async fn read_feed(&self, after: Position, limit: usize) -> Result<Vec<FeedEvent>, StoreError>;

    /// The position after all that has happened: from here on everything is new.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the backend fails.
    async fn feed_end(&self) -> Result<Position, StoreError>;

    /// Waits until the feed may have something after this position. May come early, and comes at least every few
    /// seconds: read the feed and wait again.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    async fn feed_moved(&self, after: Position);

    /// Takes a key for oneself until a time, such as a webhook's name so that its repetition is known. True for whoever
    /// is first; keys are free again after their time.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the backend fails.
    async fn claim(&self, key: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreError>;
}

/// A text that is no position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a position is two numbers with a full stop between them")]
pub struct BadPosition;

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl std::str::FromStr for Position {
    type Err = BadPosition;

    fn from_str(text: &str) -> Result<Self, BadPosition> {
        let (major, minor) = text.split_once('.').ok_or(BadPosition)?;
        let number = |text: &str| text.parse().map_err(|_| BadPosition);
        Ok(Self { major: number(major)?, minor: number(minor)? })
    }
}

impl TryFrom<String> for Position {
    type Error = BadPosition;

    fn try_from(text: String) -> Result<Self, BadPosition> {
        text.parse()
    }
}

impl From<Position> for String {
    fn from(position: Position) -> Self {
        position.to_string()
    }
}
