//! Who calls are made for, and who they are with: agents and customers.
//!
//! A [`Directory`] keeps both. It is small on purpose: get, put, find and list. [`outbound()`] checks what it gave before
//! somebody is called; [`Seed`] fills an empty one.
//!
//! ```
//! use call_session::directory::{Directory, Seed, memory::MemoryDirectory, outbound};
//! use twilio_twiml::phone::Country;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let directory = MemoryDirectory::new();
//! Seed::sample().plant(&directory).await?;
//!
//! let number = Country::JAPAN.read("090-0000-0001")?;
//! let customer = directory.customer_by_phone(&number).await?;
//! let agent = directory.agent(&"sato".parse()?).await?;
//! let call = outbound(agent.as_ref(), customer.as_ref())?;
//! assert_eq!(call.to, number);
//! assert_eq!(call.settings.language, "ja-JP");
//! # Ok(())
//! # }
//! ```
//!
//! - [`memory`]: for tests, and for servers that may forget.
//! - The stores of calls in SQL databases are directories too: agents and customers are kept beside the calls.

mod agent;
#[cfg(feature = "conformance")]
pub mod conformance;
mod customer;
mod hours;
pub mod memory;
mod outbound;
mod seed;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(crate) mod sql;

use std::fmt::Debug;

pub use agent::{Agent, AgentStatus, BadCallerNumbers, CallerNumber, CallerNumbers, Day, Shift, WorkingHours};
use async_trait::async_trait;
pub use customer::{Customer, CustomerPage, CustomerPlace, CustomerQuery, CustomerStatus};
use jiff::Timestamp;
pub use outbound::{NotCallable, OutboundCall, outbound};
pub use seed::{BadSeed, Planted, Seed};
use serde::{Deserialize, Serialize};
use twilio_twiml::phone::E164;

use crate::{
    id::{AgentId, CustomerId},
    store::StoreError,
};

/// How often a record was put. [`Revision::NEW`] until it is kept; the first put makes it 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(pub u32);

impl Revision {
    /// That of a record that is not kept yet.
    pub const NEW: Self = Self(0);

    pub(crate) const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Why a record was not kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PutError {
    /// Somebody was quicker, or the record exists already, or it is gone: get it and decide again.
    #[error("the record is at revision {}, not at the expected one", .actual.0)]
    Conflict {
        /// The revision that is kept; [`Revision::NEW`] if none is.
        actual: Revision,
    },
    /// Another customer has the number.
    #[error("the number belongs to the customer {owner}")]
    PhoneTaken {
        /// Who has it.
        owner: CustomerId,
    },
    /// The working hours are in a time zone that no table has: they would count as UTC, which nobody meant.
    #[error("the time zone of the working hours is not known")]
    UnknownZone,
    /// The backend failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl PutError {
    /// What every directory refuses of an agent.
    pub(crate) fn check(agent: &Agent) -> Result<(), Self> {
        if agent.working_hours.zone_is_known() { Ok(()) } else { Err(Self::UnknownZone) }
    }

    /// The same put, repeated as it is, may succeed. When the answer to the first was lost, it may conflict with itself.
    #[must_use]
    pub const fn retryable(&self) -> bool {
        matches!(self, Self::Store(error) if error.retryable())
    }
}

/// Keeps agents and customers.
///
/// # Contract
///
/// - A record is kept if it has the revision that is kept, or [`Revision::NEW`] if none is. Of puts with the same revision
///   one happens; the others are a [`PutError::Conflict`].
/// - A number belongs to one customer. Agents may share numbers.
/// - What was put is what is got, but for the revision.
/// - Working hours in a time zone that [nobody knows](WorkingHours::zone_is_known) are not kept. Older records that have them
///   can be got all the same.
/// - Customers are listed by the time they were created, in microseconds, newest first; pages do not shift when customers
///   are added.
/// - All methods are cancel safe in the sense that they happen or do not happen; which of both is unknown.
///
/// The `conformance` module (feature `conformance`) holds an implementation to this.
#[async_trait]
pub trait Directory: Send + Sync + Debug {
    /// An agent.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the backend fails.
    async fn agent(&self, id: &AgentId) -> Result<Option<Agent>, StoreError>;

    /// Keeps an agent. Gives it with its new revision.
    ///
    /// # Errors
    ///
    /// [`PutError`].
    async fn put_agent(&self, agent: Agent) -> Result<Agent, PutError>;

    /// All agents, by name, the bytes of its UTF-8 compared. They are colleagues: there are not so many that one would turn pages.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the backend fails.
    async fn agents(&self) -> Result<Vec<Agent>, StoreError>;

    /// A customer.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the backend fails.
    async fn customer(&self, id: &CustomerId) -> Result<Option<Customer>, StoreError>;

    /// Keeps a customer. Gives it with its new revision.
    ///
    /// # Errors
    ///
    /// [`PutError`].
    async fn put_customer(&self, customer: Customer) -> Result<Customer, PutError>;

    /// The customer with this number. What people type is read by [`Country::read`](twilio_twiml::phone::Country::read)
    /// first.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the backend fails.
    async fn customer_by_phone(&self, phone: &E164) -> Result<Option<Customer>, StoreError>;

    /// The customer with this number, made now if there is none: for calls from numbers nobody has seen before. However
    /// many ask at once, all get the same one.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the backend fails.
    async fn customer_for(&self, phone: &E164, now: Timestamp) -> Result<Customer, StoreError> {
        loop {
            if let Some(known) = self.customer_by_phone(phone).await? {
                return Ok(known);
            }
            match self.put_customer(Customer::new(CustomerId::unique(), phone.clone(), now)).await {
                Ok(new) => return Ok(new),
                // Somebody was quicker, and is found now.
                Err(PutError::PhoneTaken { .. }) => {}
                Err(PutError::Store(error)) => return Err(error),
                // A name that nobody else has is in no conflict, unless the backend breaks its promise.
                Err(refused @ (PutError::Conflict { .. } | PutError::UnknownZone)) => {
                    return Err(StoreError::Refused(refused.into()));
                }
            }
        }
    }

    /// Customers that fit, newest first, a page at a time.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the backend fails.
    async fn customers(&self, query: &CustomerQuery) -> Result<CustomerPage, StoreError>;
}
