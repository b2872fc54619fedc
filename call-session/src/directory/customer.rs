//! The people on the other side.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use twilio_twiml::phone::E164;

use super::Revision;
use crate::id::CustomerId;

/// A customer, or somebody who may become one.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Customer {
    /// The name in your records.
    pub id: CustomerId,
    /// How often it was put.
    #[serde(default)]
    pub revision: Revision,
    /// What people call them. Empty for a caller of whom only the number is known.
    #[serde(default)]
    pub name: String,
    /// The number they are called at, and known by when they call.
    pub phone: E164,
    /// How far things are with them.
    #[serde(default)]
    pub status: CustomerStatus,
    /// What colleagues should know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// When the record began to exist. Lists are ordered by it, so that a customer whose time is changed moves.
    pub created_at: Timestamp,
}

impl Customer {
    /// A customer of whom only the number is known. Not kept yet.
    #[must_use]
    pub fn new(id: CustomerId, phone: E164, created_at: Timestamp) -> Self {
        let (revision, status) = (Revision::NEW, CustomerStatus::New);
        Self { id, revision, name: String::new(), phone, status, notes: None, created_at }
    }

    /// Sets what people call them.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets how far things are with them.
    #[must_use]
    pub const fn with_status(mut self, status: CustomerStatus) -> Self {
        self.status = status;
        self
    }

    /// Sets what colleagues should know.
    #[must_use]
    pub fn with_notes(mut self, notes: impl Into<String>) -> Self {
        self.notes = Some(notes.into());
        self
    }

    /// Where the customer stands in lists.
    #[must_use]
    pub fn place(&self) -> CustomerPlace {
        CustomerPlace { created_us: self.created_at.as_microsecond(), id: self.id.clone() }
    }
}

impl fmt::Debug for Customer {
    /// Without what is personal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Customer")
            .field("id", &self.id)
            .field("revision", &self.revision)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// How far things are with a customer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CustomerStatus {
    /// Nobody of ours has spoken with them.
    #[default]
    New,
    /// Somebody has.
    Contacted,
    /// They want to hear from us again.
    FollowUp,
    /// They took what was offered.
    Won,
    /// They did not.
    Lost,
}

impl CustomerStatus {
    /// The name, as in JSON and in stores.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Contacted => "contacted",
            Self::FollowUp => "follow-up",
            Self::Won => "won",
            Self::Lost => "lost",
        }
    }
}

/// A place in the list of customers. Later ones come first in the list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomerPlace {
    /// When the customer was created, in microseconds since 1970.
    pub created_us: i64,
    /// Which of those that were created then.
    pub id: CustomerId,
}

/// Which customers a list shows, newest first. All conditions hold together.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CustomerQuery {
    /// Those with whom things are this far.
    pub status: Option<CustomerStatus>,
    /// Those after this place: the page after it.
    pub after: Option<CustomerPlace>,
    /// The longest page, 1 to 1000. Default: 50.
    pub limit: usize,
}

impl Default for CustomerQuery {
    fn default() -> Self {
        Self { status: None, after: None, limit: 50 }
    }
}

impl CustomerQuery {
    /// Only those with whom things are this far.
    #[must_use]
    pub const fn with_status(mut self, status: CustomerStatus) -> Self {
        self.status = Some(status);
        self
    }

    /// The page after this place.
    #[must_use]
    pub fn with_after(mut self, place: CustomerPlace) -> Self {
        self.after = Some(place);
        self
    }

    /// Sets the longest page; kept between 1 and 1000.
    #[must_use]
    pub fn with_limit(mut self, limit: usize) -> Self {
        self.limit = limit.clamp(1, 1000);
        self
    }

    /// Whether a customer fits, the page aside.
    #[must_use]
    pub fn fits(&self, customer: &Customer) -> bool {
        self.status.is_none_or(|wanted| wanted == customer.status)
    }
}

/// A page of customers.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct CustomerPage {
    /// The customers, newest first.
    pub customers: Vec<Customer>,
    /// The place of the last of them, if there are more: what [`CustomerQuery::after`] has to be for the next page.
    pub next: Option<CustomerPlace>,
}

impl CustomerPage {
    /// The page that these customers make, of which one more than the limit was looked for.
    #[must_use]
    pub fn new(mut customers: Vec<Customer>, limit: usize) -> Self {
        let more = customers.len() > limit;
        customers.truncate(limit);
        let next = customers.last().filter(|_| more).map(Customer::place);
        Self { customers, next }
    }
}
