//! Agents and customers in the same file.

use sqlx::{QueryBuilder, Sqlite, sqlite::SqliteConnection};
use twilio_twiml::phone::E164;

use super::{SqliteStore, failed};
use crate::{
    directory::{
        Agent, Customer, CustomerPage, CustomerQuery, PutError,
        sql::{Crowded, Row, agents, directory, list, page, parsed},
    },
    id::{AgentId, CustomerId},
    store::StoreError,
};

directory!(SqliteStore);

impl SqliteStore {
    async fn record(&self, sql: &'static str, key: &str) -> Result<Option<String>, StoreError> {
        sqlx::query_scalar(sql).bind(key).fetch_optional(&self.readers).await.map_err(failed)
    }

    async fn records(&self, mut sql: QueryBuilder<Sqlite>) -> Result<Vec<String>, StoreError> {
        sql.build_query_scalar().fetch_all(&self.readers).await.map_err(failed)
    }

    async fn put_row(&self, row: Row) -> Result<(), PutError> {
        self.writer.put(row).await
    }
}

/// Writes a row if its revision and its number allow that.
pub(super) async fn put(connection: &mut SqliteConnection, row: &Row) -> Result<Result<(), PutError>, sqlx::Error> {
    let statement = sqlx::query(row.statement()).bind(&row.id).bind(row.expected).bind(&row.body);
    let statement = match &row.found_by {
        Some(by) => statement.bind(&by.phone).bind(by.status).bind(by.created_at),
        None => statement,
    };
    if statement.execute(&mut *connection).await?.rows_affected() > 0 {
        return Ok(Ok(()));
    }
    let obstacles = sqlx::query_as(row.obstacles()).bind(&row.id);
    let obstacles = match &row.found_by {
        Some(by) => obstacles.bind(&by.phone),
        None => obstacles,
    };
    // The writer holds the lock of the file, so that what was in the way still is.
    let refusal = row.refusal(obstacles.fetch_one(connection).await?);
    Ok(Err(refusal.unwrap_or_else(|| StoreError::Refused(Crowded.into()).into())))
}
