//! What rows say.

use sqlx::{FromRow, Row, postgres::PgRow};
use uuid::Uuid;

use crate::{
    id::{NodeId, SessionId},
    live::{Fate, Fence, Holder, Lease},
    store::StoreError,
};

/// Who has a call.
#[derive(Debug)]
pub(super) struct Found {
    node: String,
    fence: i64,
    alive: bool,
}

/// What has become of a command, and who has its call.
#[derive(Debug)]
pub(super) struct Sought {
    call: Uuid,
    taken_by: Option<String>,
    answer: Option<String>,
    void: bool,
    taker_alive: bool,
    node: Option<String>,
    fence: Option<i64>,
    alive: bool,
}

impl FromRow<'_, PgRow> for Found {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self { node: row.try_get("node")?, fence: row.try_get("fence")?, alive: row.try_get("alive")? })
    }
}

impl FromRow<'_, PgRow> for Sought {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            call: row.try_get("call")?,
            taken_by: row.try_get("taken_by")?,
            answer: row.try_get("answer")?,
            void: row.try_get("void")?,
            taker_alive: row.try_get("taker_alive")?,
            node: row.try_get("node")?,
            fence: row.try_get("fence")?,
            alive: row.try_get("alive")?,
        })
    }
}

pub(super) fn as_holder(call: SessionId, found: Found) -> Result<Holder, StoreError> {
    let lease = Lease { call, node: node_id(&found.node)?, fence: Fence(unnumber(found.fence)) };
    Ok(Holder { lease, alive: found.alive })
}

pub(super) fn as_fate(sought: Sought) -> Result<Fate, StoreError> {
    if let Some(answer) = sought.answer {
        return serde_json::from_str(&answer).map(Fate::Answered).map_err(|error| unreadable("an answer", error));
    }
    if let Some(by) = sought.taken_by {
        return Ok(Fate::Taken { by: node_id(&by)?, alive: sought.taker_alive });
    }
    if sought.void {
        return Ok(Fate::Void);
    }
    let holder = match (sought.node, sought.fence) {
        (Some(node), Some(fence)) => {
            Some(as_holder(SessionId(sought.call), Found { node, fence, alive: sought.alive })?)
        }
        _ => None,
    };
    Ok(Fate::Waiting(holder))
}

fn node_id(text: &str) -> Result<NodeId, StoreError> {
    text.parse().map_err(|error| unreadable("a server's name", error))
}

fn unreadable(what: &str, source: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Unreadable { what: what.to_owned(), source: source.into() }
}

/// A number as the database has them.
pub(super) fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number that is never negative in our tables.
pub(super) fn unnumber(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
