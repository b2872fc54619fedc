//! Agents and customers in the same database.

use sqlx::{Postgres as Database, QueryBuilder};
use twilio_twiml::phone::E164;

use super::PostgresStore;
use crate::{
    directory::{
        Agent, Customer, CustomerPage, CustomerQuery, PutError,
        sql::{Crowded, Row, agents, directory, list, page, parsed},
    },
    id::{AgentId, CustomerId},
    postgres::failed,
    store::StoreError,
};

/// How often a put is tried again when what was in its way is gone as soon as one looks.
const ATTEMPTS: u32 = 8;

directory!(PostgresStore);

impl PostgresStore {
    async fn record(&self, sql: &'static str, key: &str) -> Result<Option<String>, StoreError> {
        let read = async {
            let mut link = self.postgres.link().await?;
            let row = self.postgres.query_scalar(sql).bind(key.to_owned());
            let body = row.fetch_optional(&mut *link).await.map_err(failed)?;
            link.done().await?;
            Ok(body)
        };
        self.postgres.within(read).await
    }

    async fn records(&self, mut sql: QueryBuilder<Database>) -> Result<Vec<String>, StoreError> {
        let read = async {
            let mut link = self.postgres.link().await?;
            let rows = sql.build_query_scalar().persistent(self.postgres.names_statements());
            let bodies = rows.fetch_all(&mut *link).await.map_err(failed)?;
            link.done().await?;
            Ok(bodies)
        };
        self.postgres.within(read).await
    }

    async fn put_row(&self, row: Row) -> Result<(), PutError> {
        let put = async {
            for _ in 0..ATTEMPTS {
                if self.written(&row).await? {
                    return Ok(());
                }
                if let Some(refusal) = row.refusal(self.obstacles(&row).await?) {
                    return Err(refusal);
                }
            }
            Err(StoreError::Unavailable(Crowded.into()).into())
        };
        self.postgres.within(put).await
    }

    /// Whether nothing was in the way.
    async fn written(&self, row: &Row) -> Result<bool, StoreError> {
        let mut link = self.postgres.link().await?;
        let statement = self.postgres.query(row.statement());
        let statement = statement.bind(row.id.clone()).bind(row.expected).bind(row.body.clone());
        let statement = match &row.found_by {
            Some(by) => statement.bind(by.phone.clone()).bind(by.status).bind(by.created_at),
            None => statement,
        };
        match statement.execute(&mut *link).await {
            Ok(done) => {
                link.done().await?;
                Ok(done.rows_affected() > 0)
            }
            // Somebody took the number while the statement ran.
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }

    async fn obstacles(&self, row: &Row) -> Result<(Option<i64>, Option<String>), StoreError> {
        let mut link = self.postgres.link().await?;
        let statement = self.postgres.query_as(row.obstacles()).bind(row.id.clone());
        let statement = match &row.found_by {
            Some(by) => statement.bind(by.phone.clone()),
            None => statement,
        };
        let obstacles = statement.fetch_one(&mut *link).await.map_err(failed)?;
        link.done().await?;
        Ok(obstacles)
    }
}
