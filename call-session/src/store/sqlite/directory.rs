//! Agents and customers in the same file.

use sqlx::Sqlite;
use twilio_twiml::phone::E164;

use super::{SqliteStore, failed};
use crate::{
    directory::{
        Agent, Customer, CustomerPage, CustomerQuery, PutError,
        sql::{ATTEMPTS, Crowded, Row, agents, directory, list, page, parsed},
    },
    id::{AgentId, CustomerId},
    store::StoreError,
};

directory!(SqliteStore, Sqlite);

impl SqliteStore {
    async fn put_row(&self, row: Row) -> Result<(), PutError> {
        self.writer.put(row).await
    }
}
