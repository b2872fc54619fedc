//! What the directories in SQL databases share: rows, and statements, which SQLite and Postgres read the same.

use std::fmt;

use serde::de::DeserializeOwned;
use sqlx::{Database, Encode, QueryBuilder, Type};

use super::{Agent, Customer, CustomerPage, CustomerQuery, PutError, Revision, agent::by_name};
use crate::store::StoreError;

/// A record on its way into its table.
pub(crate) struct Row {
    pub(crate) id: String,
    /// The revision that it was decided on.
    pub(crate) expected: i64,
    /// The record with its next revision, as JSON.
    pub(crate) body: String,
    /// What customers are found by; `None` for agents.
    pub(crate) found_by: Option<FoundBy>,
}

/// What a customer is found by.
pub(crate) struct FoundBy {
    pub(crate) phone: String,
    pub(crate) status: &'static str,
    pub(crate) created_at: i64,
}

impl fmt::Debug for Row {
    /// Without what is personal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Row").field("id", &self.id).field("expected", &self.expected).finish_non_exhaustive()
    }
}

impl Row {
    /// An agent, who gets the next revision.
    pub(crate) fn agent(agent: &mut Agent) -> Result<Self, StoreError> {
        let expected = agent.revision.0.into();
        agent.revision = agent.revision.next();
        Ok(Self { id: agent.id.to_string(), expected, body: json(agent)?, found_by: None })
    }

    /// A customer, who gets the next revision.
    pub(crate) fn customer(customer: &mut Customer) -> Result<Self, StoreError> {
        let expected = customer.revision.0.into();
        customer.revision = customer.revision.next();
        let found_by = FoundBy {
            phone: customer.phone.to_string(),
            status: customer.status.name(),
            created_at: customer.created_at.as_microsecond(),
        };
        Ok(Self { id: customer.id.to_string(), expected, body: json(customer)?, found_by: Some(found_by) })
    }

    /// The statement that writes it, or writes nothing. It binds the name, the revision, the body and what customers are
    /// found by, in this order.
    pub(crate) const fn statement(&self) -> &'static str {
        match (&self.found_by, self.expected) {
            (None, 0) => "insert into call_agents (id, revision, body) values ($1, $2 + 1, $3) on conflict do nothing",
            (None, _) => "update call_agents set revision = $2 + 1, body = $3 where id = $1 and revision = $2",
            (Some(_), 0) => {
                "insert into call_customers (id, revision, body, phone, status, created_at) \
                 values ($1, $2 + 1, $3, $4, $5, $6) on conflict do nothing"
            }
            (Some(_), _) => {
                "update call_customers set revision = $2 + 1, body = $3, phone = $4, status = $5, created_at = $6 \
                 where id = $1 and revision = $2 \
                 and not exists (select 1 from call_customers other where other.phone = $4 and other.id <> $1)"
            }
        }
    }

    /// The statement that reads what is in its way: the revision of the record with its name, and who else has its number.
    /// It binds the name, and the number if it has one.
    pub(crate) const fn obstacles(&self) -> &'static str {
        match self.found_by {
            None => "select (select revision from call_agents where id = $1), cast(null as text)",
            Some(_) => {
                "select (select revision from call_customers where id = $1), \
                 (select id from call_customers where phone = $2 and id <> $1)"
            }
        }
    }

    /// Why this row was not written, from what is in its way; `None` when nothing is any more.
    pub(crate) fn refusal(&self, (revision, owner): (Option<i64>, Option<String>)) -> Option<PutError> {
        let actual = revision.unwrap_or(0);
        if actual != self.expected {
            return Some(PutError::Conflict { actual: Revision(u32::try_from(actual).unwrap_or(u32::MAX)) });
        }
        owner.map(|owner| match owner.parse() {
            Ok(owner) => PutError::PhoneTaken { owner },
            Err(source) => unreadable("a customer's name", source).into(),
        })
    }
}

/// Something was in the way of a put, and was gone when one looked.
#[derive(Debug, thiserror::Error)]
#[error("others change the same records all the time")]
pub(crate) struct Crowded;

fn json<T: serde::Serialize>(record: &T) -> Result<String, StoreError> {
    serde_json::to_string(record).map_err(|error| StoreError::Refused(error.into()))
}

/// The agents in these rows, as they are listed.
pub(crate) fn agents(bodies: &[String]) -> Result<Vec<Agent>, StoreError> {
    Ok(by_name(bodies.iter().map(|body| parsed(body)).collect::<Result<_, _>>()?))
}

/// The page that these rows make, of which one more than the limit was looked for.
pub(crate) fn page(bodies: &[String], limit: usize) -> Result<CustomerPage, StoreError> {
    Ok(CustomerPage::new(bodies.iter().map(|body| parsed(body)).collect::<Result<_, _>>()?, limit))
}

/// A record from its row.
pub(crate) fn parsed<T: DeserializeOwned>(body: &str) -> Result<T, StoreError> {
    // Which record it is stands in the text that cannot be read.
    serde_json::from_str(body).map_err(|source| unreadable("an agent or a customer", source))
}

fn unreadable(what: &str, source: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Unreadable { what: what.to_owned(), source: source.into() }
}

/// Makes a store a [`Directory`](super::Directory).
///
/// The store says how it reads the text of a record by a key (`record`), those of a list (`records`), and how it writes a
/// row (`put_row`).
macro_rules! directory {
    ($store:ty) => {
        #[async_trait::async_trait]
        impl $crate::directory::Directory for $store {
            async fn agent(&self, id: &AgentId) -> Result<Option<Agent>, StoreError> {
                let body = self.record("select body from call_agents where id = $1", id.as_str()).await?;
                body.map(|body| parsed(&body)).transpose()
            }

            async fn put_agent(&self, mut agent: Agent) -> Result<Agent, PutError> {
                PutError::check(&agent)?;
                self.put_row(Row::agent(&mut agent)?).await?;
                Ok(agent)
            }

            async fn agents(&self) -> Result<Vec<Agent>, StoreError> {
                agents(&self.records(sqlx::QueryBuilder::new("select body from call_agents")).await?)
            }

            async fn customer(&self, id: &CustomerId) -> Result<Option<Customer>, StoreError> {
                let body = self.record("select body from call_customers where id = $1", id.as_str()).await?;
                body.map(|body| parsed(&body)).transpose()
            }

            async fn put_customer(&self, mut customer: Customer) -> Result<Customer, PutError> {
                self.put_row(Row::customer(&mut customer)?).await?;
                Ok(customer)
            }

            async fn customer_by_phone(&self, phone: &E164) -> Result<Option<Customer>, StoreError> {
                let body = self.record("select body from call_customers where phone = $1", phone.as_str()).await?;
                body.map(|body| parsed(&body)).transpose()
            }

            async fn customers(&self, query: &CustomerQuery) -> Result<CustomerPage, StoreError> {
                page(&self.records(list(query)).await?, query.limit)
            }
        }
    };
}

pub(crate) use directory;

/// The statement that lists customers: one more than the page has.
pub(crate) fn list<DB: Database>(query: &CustomerQuery) -> QueryBuilder<DB>
where
    DB::Arguments: Default,
    i64: for<'q> Encode<'q, DB> + Type<DB>,
    String: for<'q> Encode<'q, DB> + Type<DB>,
{
    let mut sql = QueryBuilder::new("select body from call_customers where true");
    if let Some(status) = query.status {
        sql.push(" and status = ").push_bind(status.name().to_owned());
    }
    if let Some(after) = &query.after {
        sql.push(" and (created_at, id) < (").push_bind(after.created_us);
        sql.push(", ").push_bind(after.id.to_string()).push(")");
    }
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX).saturating_add(1);
    sql.push(" order by created_at desc, id desc limit ").push_bind(limit);
    sql
}
