//! Records to begin with.

use std::{collections::HashSet, fmt, hash::Hash};

use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

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

/// All that is wrong with records that were to be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub struct BadSeed {
    /// One sentence each, beginning with where it is.
    pub problems: Vec<String>,
}

impl fmt::Display for BadSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the records cannot be used:")?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  - {problem}"))
    }
}

/// The records of a list, each with its place.
fn records<T: DeserializeOwned>(list: Option<Value>, name: &str, problems: &mut Vec<String>) -> Vec<(usize, T)> {
    let list = match list {
        None => return Vec::new(),
        Some(Value::Array(list)) => list,
        Some(_) => {
            problems.push(format!("{name}: it is no list"));
            return Vec::new();
        }
    };
    let mut records = Vec::new();
    for (at, record) in list.into_iter().enumerate() {
        match serde_json::from_value(record) {
            Ok(record) => records.push((at, record)),
            Err(error) => problems.push(format!("{name}[{at}]: {error}")),
        }
    }
    records
}

/// What may stand only once.
fn once<'a, T, K: Eq + Hash + 'a>(
    records: &'a [(usize, T)],
    name: &str,
    member: &str,
    key: impl Fn(&'a T) -> &'a K,
    problems: &mut Vec<String>,
) {
    let mut seen = HashSet::new();
    for (at, record) in records {
        if !seen.insert(key(record)) {
            problems.push(format!("{name}[{at}]: another one before has this `{member}`, too"));
        }
    }
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

    /// Reads records that people write: `{"agents": […], "customers": […]}`. A customer without `createdAt` begins to exist
    /// `now`.
    ///
    /// ```
    /// use call_session::directory::Seed;
    ///
    /// let now = jiff::Timestamp::now();
    /// let records = r#"{
    ///     "agents": [{
    ///         "id": "sato", "name": "Sato", "callerNumbers": [{ "number": "+815012345678", "active": true }],
    ///         "settings": { "companyName": "Example", "language": "ja-JP" }
    ///     }],
    ///     "customers": [{ "id": "yamada", "name": "Yamada", "phone": "+819012345678" }]
    /// }"#;
    /// assert_eq!(Seed::read(records, now)?.customers[0].created_at, now);
    ///
    /// let twice = r#"{ "customers": [{ "id": "a", "phone": "+819012345678" }, { "id": "a", "phone": "090" }], "agent": [] }"#;
    /// assert_eq!(Seed::read(twice, now).unwrap_err().problems.len(), 2);
    /// # Ok::<(), call_session::directory::BadSeed>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`BadSeed`], with all that is wrong.
    pub fn read(json: &str, now: Timestamp) -> Result<Self, BadSeed> {
        let mut problems = Vec::new();
        let mut members = match serde_json::from_str(json) {
            Ok(Value::Object(members)) => members,
            Ok(_) => return Err(BadSeed { problems: vec!["it is no object".into()] }),
            Err(error) => return Err(BadSeed { problems: vec![format!("it is no JSON: {error}")] }),
        };
        for customer in members.get_mut("customers").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Value::Object(customer) = customer {
                customer.entry("createdAt").or_insert_with(|| now.to_string().into());
            }
        }
        let agents: Vec<(usize, Agent)> = records(members.remove("agents"), "agents", &mut problems);
        let customers: Vec<(usize, Customer)> = records(members.remove("customers"), "customers", &mut problems);
        problems.extend(members.keys().map(|name| format!("{name}: there are `agents` and `customers` only")));
        once(&agents, "agents", "id", |agent| &agent.id, &mut problems);
        once(&customers, "customers", "id", |customer| &customer.id, &mut problems);
        once(&customers, "customers", "phone", |customer| &customer.phone, &mut problems);
        for (at, agent) in &agents {
            if !agent.working_hours.zone_is_known() {
                problems.push(format!("agents[{at}]: `timeZone` is no name of a time zone, such as Asia/Tokyo"));
            }
        }
        if !problems.is_empty() {
            return Err(BadSeed { problems });
        }
        let agents = agents.into_iter().map(|(_, agent)| agent).collect();
        let customers = customers.into_iter().map(|(_, customer)| customer).collect();
        Ok(Self { agents, customers })
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
            // What was read from a text has been asked this before.
            Err(refused @ PutError::UnknownZone) => return Err(StoreError::Refused(refused.into())),
        }
        Ok(())
    }
}
