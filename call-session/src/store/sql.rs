//! What the stores on SQL databases share: rows, and the text of lists.

use jiff::Timestamp;
use sqlx::{Database, Encode, QueryBuilder, Type};
use uuid::Uuid;

use super::{Query, StoreError};
use crate::{
    call::{CallSession, CallSummary, Recorded, Stamped, Version, WORDS},
    id::SessionId,
};

/// A number as databases have them.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number that is never negative in our tables.
pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// What is kept in JSON.
pub(super) fn json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Refused(error.into()))
}

/// What was kept in JSON, of this call.
pub(super) fn parsed<T: serde::de::DeserializeOwned>(call: Uuid, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text)
        .map_err(|source| StoreError::Unreadable { what: format!("the call {call}"), source: source.into() })
}

/// A call from its summary, which has number 0, and the events that have its words.
pub(super) fn assemble(id: SessionId, rows: Vec<(i64, String)>) -> Result<Option<CallSession>, StoreError> {
    let mut rows = rows.into_iter();
    let Some((_, summary)) = rows.next() else { return Ok(None) };
    let mut session = CallSession::of(parsed(id.0, &summary)?);
    for (_, body) in rows {
        session.apply_words(&parsed(id.0, &body)?);
    }
    Ok(Some(session))
}

/// An event as it was kept.
pub(super) fn recorded(call: Uuid, version: i64, body: &str) -> Result<Recorded, StoreError> {
    Ok(Recorded { call: SessionId(call), version: Version(unsigned(version)), stamped: parsed(call, body)? })
}

/// The kinds of events that have a call's words, as a list in SQL.
pub(super) fn words() -> String {
    WORDS.map(|kind| format!("'{kind}'")).join(", ")
}

/// Events as rows: number, kind, body.
pub(super) fn rows(after: Version, events: &[Stamped]) -> Result<Vec<(i64, &'static str, String)>, StoreError> {
    let numbered = events.iter().enumerate();
    numbered.map(|(i, event)| Ok((signed(after.plus(i + 1).0), event.event.name(), json(event)?))).collect()
}

/// What one commit to a call comes to.
#[derive(Debug)]
pub(super) struct Decided {
    /// The call after it.
    pub(super) summary: CallSummary,
    /// Its events as rows.
    pub(super) rows: Vec<(i64, &'static str, String)>,
    /// The call's text after it.
    pub(super) text: String,
}

impl Decided {
    /// Events that happen to a call that stands like this.
    pub(super) fn new(mut summary: CallSummary, events: &[Stamped]) -> Result<Self, StoreError> {
        let rows = rows(summary.version, events)?;
        events.iter().for_each(|event| summary.apply(event));
        let text = json(&summary)?;
        Ok(Self { summary, rows, text })
    }
}

/// The index that a list reads from. All are in the order of lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Index {
    Customer,
    Agent,
    Outcome,
    Status,
    Mode,
    Direction,
    Created,
}

impl Index {
    /// The one that leaves least to look through: a customer has few calls, and few calls are not over.
    fn of(query: &Query) -> Self {
        let active = !query.statuses.is_empty() && !query.statuses.iter().any(|status| status.is_terminal());
        let wanted = [
            (query.customer.is_some(), Self::Customer),
            (active, Self::Status),
            (query.agent.is_some(), Self::Agent),
            (query.outcome.is_some(), Self::Outcome),
            (!query.statuses.is_empty(), Self::Status),
            (query.mode.is_some(), Self::Mode),
            (query.direction.is_some(), Self::Direction),
        ];
        wanted.into_iter().find_map(|(wanted, index)| wanted.then_some(index)).unwrap_or(Self::Created)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Customer => "call_sessions_customer",
            Self::Agent => "call_sessions_agent",
            Self::Outcome => "call_sessions_outcome",
            Self::Status => "call_sessions_status",
            Self::Mode => "call_sessions_mode",
            Self::Direction => "call_sessions_direction",
            Self::Created => "call_sessions_created",
        }
    }
}

/// The statement that lists calls: the summaries of those that fit, one more than the page has. `before` is when the last
/// call of the page before was created, and its name. `name_index` says which index to use, where a database takes that.
/// `explain` comes first: nothing, or what asks for the plan.
pub(super) fn list<DB: Database>(
    explain: &str,
    query: &Query,
    before: Option<(i64, Uuid)>,
    name_index: bool,
) -> QueryBuilder<DB>
where
    DB::Arguments: Default,
    i64: for<'q> Encode<'q, DB> + Type<DB>,
    String: for<'q> Encode<'q, DB> + Type<DB>,
    Uuid: for<'q> Encode<'q, DB> + Type<DB>,
{
    let index = Index::of(query);
    // Calls at several statuses stand at several places of the index. Each place is read in order, for one page at most.
    let mut statuses = query.statuses.clone();
    statuses.sort_by_key(|status| status.name());
    statuses.dedup();
    let arms: Vec<&[_]> = match (index, statuses.as_slice()) {
        (Index::Status, several) => several.chunks(1).collect(),
        (_, all) => vec![all],
    };
    // Texts of JSON columns are asked for by name.
    let summary = if name_index { "summary" } else { "summary::text" };
    let limit = signed((query.limit as u64).saturating_add(1));
    let mut sql = QueryBuilder::new(format!("{explain}select {summary} from ("));
    for (i, statuses) in arms.iter().enumerate() {
        let union = if i == 0 { "" } else { " union all " };
        sql.push(union).push("select * from (select created_at, id, summary from call_sessions");
        if name_index {
            sql.push(" indexed by ").push(index.name());
        }
        conditions(&mut sql, query, statuses.iter().map(|status| status.name()), before);
        sql.push(" order by created_at desc, id desc limit ").push_bind(limit);
        sql.push(") arm").push(i);
    }
    sql.push(") found order by created_at desc, id desc limit ").push_bind(limit);
    sql
}

fn conditions<DB: Database>(
    sql: &mut QueryBuilder<DB>,
    query: &Query,
    statuses: impl Iterator<Item = &'static str>,
    before: Option<(i64, Uuid)>,
) where
    i64: for<'q> Encode<'q, DB> + Type<DB>,
    String: for<'q> Encode<'q, DB> + Type<DB>,
    Uuid: for<'q> Encode<'q, DB> + Type<DB>,
{
    // Always true, and the planner knows.
    sql.push(" where true");
    let texts = [
        ("direction", query.direction.map(|direction| direction.name().to_owned())),
        ("mode", query.mode.map(|mode| mode.name().to_owned())),
        ("customer", query.customer.as_ref().map(ToString::to_string)),
        ("agent", query.agent.as_ref().map(ToString::to_string)),
        ("outcome", query.outcome.map(|outcome| outcome.name().to_owned())),
    ];
    for (column, text) in texts {
        if let Some(text) = text {
            sql.push(format_args!(" and {column} = ")).push_bind(text);
        }
    }
    let statuses: Vec<_> = statuses.collect();
    if let [status] = statuses[..] {
        sql.push(" and status = ").push_bind(status.to_owned());
    } else if !statuses.is_empty() {
        let mut list = sql.push(" and status in (").separated(", ");
        statuses.into_iter().for_each(|status| _ = list.push_bind(status.to_owned()));
        sql.push(")");
    }
    for (comparison, time) in [(" and created_at >= ", query.since), (" and created_at < ", query.until)] {
        if let Some(time) = time {
            sql.push(comparison).push_bind(time.as_microsecond());
        }
    }
    if let Some((created, id)) = before {
        sql.push(" and (created_at, id) < (").push_bind(created).push(", ").push_bind(id).push(")");
    }
}

/// A time as it is kept.
pub(super) fn micros(time: Timestamp) -> i64 {
    time.as_microsecond()
}
