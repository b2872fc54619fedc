//! Records to begin with.

use serde::{Deserialize, Serialize};

use super::{Agent, Customer, Directory, PutError};
use crate::store::StoreError;

/// Agents and customers to begin with, also as JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Seed {
    /// The agents.
    pub agents: Vec<Agent>,
    /// The customers.
    pub customers: Vec<Customer>,
}

/// What became of a [`Seed`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Planted {
    /// How many records are new.
    pub added: usize,
    /// How many were there before, under the same name or with the same number, and stay as they are.
    pub present: usize,
}

impl Seed {
    /// A company in Japan, its people, and people to call. All of it is invented: in Japan no exchange begins with a
    /// zero, so that the numbers reach nobody.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "a test reads the file that is built in")]
    pub fn sample() -> Self {
        serde_json::from_str(include_str!("sample.json")).expect("the sample that is built in can be read")
    }

    /// Puts what is not there yet. Changes nothing that is, so that it can be done at every start.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the backend fails; what was put before stays, and planting again goes on.
    ///
    /// # Cancel safety
    ///
    /// Some records may have been put; planting again adds the others.
    pub async fn plant(self, directory: &(impl Directory + ?Sized)) -> Result<Planted, StoreError> {
        let mut planted = Planted::default();
        for agent in self.agents {
            planted.count(directory.put_agent(agent).await.map(drop))?;
        }
        for customer in self.customers {
            planted.count(directory.put_customer(customer).await.map(drop))?;
        }
        Ok(planted)
    }
}

impl Planted {
    fn count(&mut self, result: Result<(), PutError>) -> Result<(), StoreError> {
        match result {
            Ok(()) => self.added += 1,
            Err(PutError::Conflict { .. } | PutError::PhoneTaken { .. }) => self.present += 1,
            Err(PutError::Store(error)) => return Err(error),
        }
        Ok(())
    }
}
