//! Where servers see which of them has a call, and leave commands for each other.

use std::{fmt::Debug, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Answer, Command};
use crate::{
    id::{NodeId, SessionId},
    store::StoreError,
};

/// The number of a lease. Whoever takes a call later has a greater one, so that a late server can be told from the one
/// that has the call now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fence(pub u64);

/// That a server has a call.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The call.
    pub call: SessionId,
    /// The server.
    pub node: NodeId,
    /// The number.
    pub fence: Fence,
}

/// Who has a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The lease.
    pub lease: Lease,
    /// Whether the server has said in time that it lives.
    pub alive: bool,
}

/// From whom a call may be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Take {
    /// From nobody, from a server that is dead, or from oneself.
    IfFree,
    /// From anybody.
    Anyway,
}

/// Whether a call was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taking {
    /// It was.
    Taken(Fence),
    /// Somebody has it, and lives.
    Held(Holder),
}

/// The name of a command that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderId(pub Uuid);

/// A command on its way.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// Its name.
    pub id: OrderId,
    /// The call.
    pub call: SessionId,
    /// The server that sends it, which is told of the answer.
    pub sender: NodeId,
    /// What to do.
    pub command: Command,
}

/// Whether a command was put up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Posted {
    /// It waits for the server that has the call.
    Waiting,
    /// Nobody has the call.
    NotLive,
    /// The server that had the call is dead.
    Dead(NodeId),
    /// [`MAX_WAITING`] commands wait for this call.
    Busy,
}

/// A command that a server has taken: nobody else will get it.
#[derive(Debug, Clone, PartialEq)]
pub struct TakenOrder {
    /// Its name.
    pub id: OrderId,
    /// The lease under which it was taken.
    pub lease: Lease,
    /// What to do.
    pub command: Command,
    /// How much longer the sender waits.
    pub left: Duration,
}

/// What has become of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Nobody has taken it. Who has the call, if anybody.
    Waiting(Option<Holder>),
    /// A server has taken it and not answered.
    Taken {
        /// The server.
        by: NodeId,
        /// Whether it has said in time that it lives.
        alive: bool,
    },
    /// It is answered.
    Answered(Answer),
    /// It was called off, or its time is over, before anybody took it. Nobody will.
    Void,
}

/// The most commands that wait for one call.
pub const MAX_WAITING: usize = 32;

/// Where servers see which of them has a call, and leave commands for each other. The mechanism below
/// [`Live`](super::Live), which is what servers use.
///
/// # Contract
///
/// - A call has at most one holder. Fences of a call grow with each taking.
/// - A server lives for the time that it said at its last beat. Its leases stand as long as nobody takes them, also when
///   it is late.
/// - A command is taken once, by the server that has the call at that time, before its time is over, or never.
/// - An answer stays readable at least until the time of its command is over.
/// - The board reckons with a clock of its own; servers need not agree on the time.
/// - Methods happen or do not happen when their future is dropped; which of both is unknown.
#[async_trait]
pub trait Board: Send + Sync + Debug {
    /// A server lives, for this long. Gives the leases it has.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the backend fails.
    async fn beat(&self, node: &NodeId, lease: Duration) -> Result<Vec<Lease>, StoreError>;

    /// A server is about to stop: it lives for this long, keeps its calls, and counts no more among those that take calls
    /// on.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the backend fails.
    async fn drain(&self, node: &NodeId, lease: Duration) -> Result<(), StoreError>;

    /// How many servers besides this one live and take calls on.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the backend fails.
    async fn others(&self, node: &NodeId) -> Result<u64, StoreError>;

    /// A server stops: it lives no longer and has no calls.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the backend fails.
    async fn leave(&self, node: &NodeId) -> Result<(), StoreError>;

    /// The servers that are remembered, and whether each has said in time that it lives. One that stopped in order is not
    /// remembered; one that died is, for ten minutes.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the backend fails.
    async fn nodes(&self) -> Result<Vec<(NodeId, bool)>, StoreError>;

    /// Takes a call for a server, which lives for this long by that. A former holder that lives is stirred.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the backend fails.
    async fn take_call(
        &self,
        node: &NodeId,
        call: SessionId,
        take: Take,
        lease: Duration,
    ) -> Result<Taking, StoreError>;

    /// Lets go of a call. False when somebody else had taken it.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the backend fails.
    async fn release(&self, lease: &Lease) -> Result<bool, StoreError>;

    /// Who has a call.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the backend fails.
    async fn holder(&self, call: SessionId) -> Result<Option<Holder>, StoreError>;

    /// Puts a command up for this long, and stirs the server that has the call. Repeating it under its name changes
    /// nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the backend fails.
    async fn post(&self, order: &Order, within: Duration) -> Result<Posted, StoreError>;

    /// Takes commands for the calls that a server has, the oldest first, at most `limit`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the backend fails.
    async fn take_orders(&self, node: &NodeId, limit: usize) -> Result<Vec<TakenOrder>, StoreError>;

    /// Answers a command, and stirs the server that sent it. Only the first answer counts.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the backend fails.
    async fn answer(&self, order: OrderId, answer: &Answer) -> Result<(), StoreError>;

    /// What has become of a command.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the backend fails.
    async fn look(&self, order: OrderId) -> Result<Fate, StoreError>;

    /// Calls a command off if nobody has taken it. What has become of it then: never [`Fate::Waiting`]. One that is put up
    /// only later, since it was on its way, is called off too.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the backend fails.
    async fn call_off(&self, order: OrderId) -> Result<Fate, StoreError>;

    /// Waits until there may be something new for a server: a command, an answer, a call taken from it. May come early,
    /// and may fail to come: look now and then.
    ///
    /// # Cancel safety
    ///
    /// News that came since is told to the next who waits.
    async fn stirred(&self, node: &NodeId);
}
