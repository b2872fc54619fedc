//! What a handoff needs of the outside: the telephone, the agent who has the caller, and the time.

use std::fmt::Debug;

use async_trait::async_trait;
use jiff::Timestamp;
use twilio_twiml::{phone::Address, sid::CallSid, twiml::InlineTwiml, words::CallStatus};

use super::plan::Candidate;
use crate::{
    call::{CallSummary, SupervisorRole},
    id::{LegId, SessionId},
};

/// A person's leg to be dialled.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dial {
    /// The caller's call.
    pub session: SessionId,
    /// The leg. Its document and its callbacks are told by this name.
    pub leg: LegId,
    /// Whom.
    pub to: Address,
    /// The number that is shown.
    pub from: Address,
    /// How long it rings.
    pub ring: std::time::Duration,
    /// Whether to find out if a machine picked up, and whether the leg's document waits for that.
    pub detection: Detection,
}

impl Dial {
    /// A leg that rings as long as the usual limits say, with detection beside the document.
    #[must_use]
    pub fn new(session: SessionId, leg: LegId, to: impl Into<Address>, from: impl Into<Address>) -> Self {
        let ring = super::plan::Limits::default().ring;
        Self { session, leg, to: to.into(), from: from.into(), ring, detection: Detection::Beside }
    }
}

impl Debug for Dial {
    /// Without the numbers.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dial").field("session", &self.session).field("leg", &self.leg).finish_non_exhaustive()
    }
}

/// Whether to find out if a machine picked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Detection {
    /// No.
    Off,
    /// Yes, beside the document: a key decides, too.
    Beside,
    /// Yes, before the document is asked for.
    Before,
}

/// Why something did not happen at Twilio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// There is no such call, or it is not in progress: over, or not yet answered.
    #[error("the call is not in progress")]
    NotInProgress,
    /// It was certainly not done.
    #[error("it was not done")]
    NotDone,
    /// It may have been done.
    #[error("it may have been done")]
    Unknown,
}

/// The telephone. Each of these is asked for once and not repeated inside.
///
/// # Cancel safety
///
/// A runner that stops, or is replaced by another, drops what it has begun, and so does one whose dial nobody wants any more.
/// Of a future that was dropped it is not known whether it has happened; one that has not reached the line by then must not
/// reach it later. Nothing else may be lost with it: each is asked for anew, or how things stand is.
#[async_trait]
pub trait Telephone: Send + Sync + Debug {
    /// Calls a person.
    ///
    /// # Errors
    ///
    /// [`LineError`]. Only after [`LineError::Unknown`] the leg may exist.
    async fn dial(&self, dial: &Dial) -> Result<CallSid, LineError>;

    /// Gives a leg up that nobody has answered yet, or ends one that somebody did.
    ///
    /// # Errors
    ///
    /// [`LineError`].
    async fn end(&self, call: &CallSid, answered: bool) -> Result<CallStatus, LineError>;

    /// The caller's leg leaves what it does and asks the handoff's door for a document.
    ///
    /// # Errors
    ///
    /// [`LineError`].
    async fn redirect(&self, session: SessionId, call: &CallSid) -> Result<(), LineError>;

    /// The caller's leg leaves what it does and goes on with this document, without asking at any door. By default it does
    /// not, and is redirected.
    ///
    /// # Errors
    ///
    /// [`LineError`].
    async fn run(&self, _call: &CallSid, _document: &InlineTwiml) -> Result<(), LineError> {
        Err(LineError::NotDone)
    }

    /// Gives a leg in the room of this name another role. Who whispers is heard by the leg that is `coached` alone. By default
    /// roles stay as they are.
    ///
    /// # Errors
    ///
    /// [`LineError`].
    async fn set_role(
        &self,
        _room: &str,
        _call: &CallSid,
        _role: SupervisorRole,
        _coached: Option<&CallSid>,
    ) -> Result<(), LineError> {
        Err(LineError::NotDone)
    }

    /// What has become of a call; `None` if there is no such call.
    ///
    /// # Errors
    ///
    /// [`LineError`].
    async fn status(&self, call: &CallSid) -> Result<Option<CallStatus>, LineError>;

    /// The legs that may be this one: to and from these numbers, begun at this time or later. May lag.
    ///
    /// # Errors
    ///
    /// [`LineError`].
    async fn find(&self, dial: &Dial, since: Timestamp) -> Result<Vec<(CallSid, CallStatus)>, LineError>;

    /// Who is in the room of this name. May lag.
    ///
    /// # Errors
    ///
    /// [`LineError`].
    async fn room(&self, name: &str) -> Result<Vec<CallSid>, LineError>;
}

/// No agent here has the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no agent has the caller")]
pub struct NoAgent;

/// The agent who has the caller, wherever it is: a bridge on this server or another, or an engine that speaks turn by turn.
///
/// # Cancel safety
///
/// A runner that stops drops what it has begun; what is said goes on being said, or not. A farewell is dropped when its time
/// is over, and not said again. What the caller is told, and a stream that is left, may be asked for again by another runner.
#[async_trait]
pub trait CallerAgent: Send + Sync + Debug {
    /// Says these words. Resolves when the caller has heard them.
    ///
    /// # Errors
    ///
    /// [`NoAgent`].
    async fn say(&self, session: SessionId, words: &str) -> Result<(), NoAgent>;

    /// Tells the caller, in the agent's own words, that nobody takes the call, and goes on with the conversation. `cause`
    /// is a short fixed name.
    ///
    /// # Errors
    ///
    /// [`NoAgent`].
    async fn tell(&self, session: SessionId, cause: &str) -> Result<(), NoAgent>;

    /// Closes the stream, so that the caller's leg goes on with its document.
    ///
    /// # Errors
    ///
    /// [`NoAgent`].
    async fn leave(&self, session: SessionId) -> Result<(), NoAgent>;

    /// Asks the agent's line to move the caller to this address, for plans whose route is
    /// [`Route::Refer`](super::Route::Refer). Asked for once and not repeated inside. By default nothing can be moved.
    ///
    /// # Errors
    ///
    /// [`LineError`]. Only after [`LineError::Unknown`] the caller may be moved all the same.
    async fn refer(&self, _session: SessionId, _to: &Address) -> Result<(), LineError> {
        Err(LineError::NotDone)
    }
}

/// What the caller's leg is told that is in no stream ([`Mode::Conference`](crate::call::Mode)), so that nothing has to be
/// closed or asked before it comes to the room.
pub trait Documents: Send + Sync + Debug {
    /// The room of this call, for its caller. The room tells who comes and goes, and asks when it is over, at the same doors
    /// as one that was asked for. `None` if there is no such document: the leg is redirected then.
    fn room(&self, call: &CallSummary) -> Option<InlineTwiml>;
}

/// Nobody can say whether a person is free, for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nobody can say whether the person is free")]
pub struct NoRoster;

/// Who else has the persons, or is about to. Asked right before each dial, since a plan may be minutes old by then.
#[async_trait]
pub trait Roster: Send + Sync + Debug {
    /// Whether this person can be asked about the caller of this call now. If so, nobody else gets them for five seconds,
    /// within which it is written down that they are dialled; from then on the call itself tells. Asked again when that took
    /// longer, or when there was no answer.
    ///
    /// # Errors
    ///
    /// [`NoRoster`] while nobody knows, such as when a store does not answer.
    ///
    /// # Cancel safety
    ///
    /// Dropped at any point, the person may be kept free in vain, for those seconds.
    async fn keep_free(&self, session: SessionId, candidate: &Candidate) -> Result<bool, NoRoster>;
}

/// Persons whom nobody else dials: all are free.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenRoster;

#[async_trait]
impl Roster for OpenRoster {
    async fn keep_free(&self, _: SessionId, _: &Candidate) -> Result<bool, NoRoster> {
        Ok(true)
    }
}

/// The time of day.
pub trait Clock: Send + Sync + Debug {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// The time of day, as the system has it.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
