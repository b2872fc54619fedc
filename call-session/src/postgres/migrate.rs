//! Bringing the tables up to date.

use sqlx::{PgPool, Row, raw_sql};

use super::failed;
use crate::store::StoreError;

/// The migrations, in order. They are never changed: what is wrong with one is mended by another.
const MIGRATIONS: [(i64, &str); 4] = [
    (1, include_str!("../../migrations/postgres/0001_calls.sql")),
    (2, include_str!("../../migrations/postgres/0002_directory.sql")),
    (3, include_str!("../../migrations/postgres/0003_live.sql")),
    (4, include_str!("../../migrations/postgres/0004_drain.sql")),
];

/// Held by whoever changes the tables, until its transaction ends. Any number that others do not use: `call-ses` as bytes.
const LOCK: i64 = 0x6361_6c6c_2d73_6573;

/// Does what is missing, in one transaction.
///
/// Statements are sent as text alone: what the usual tools do, preparing under a name, goes wrong behind a pooler, and so do
/// locks that belong to a session.
pub(super) async fn migrate(pool: &PgPool) -> Result<(), StoreError> {
    let mut transaction = pool.begin().await.map_err(failed)?;
    let begin = format!(
        "select pg_advisory_xact_lock({LOCK}); \
         create table if not exists call_session_migrations (number bigint primary key, done timestamptz default now());"
    );
    raw_sql(sqlx::AssertSqlSafe(begin)).execute(&mut *transaction).await.map_err(failed)?;
    // Looked at only now, when nobody else changes them.
    let done = raw_sql("select number from call_session_migrations").fetch_all(&mut *transaction).await;
    let done: Vec<i64> = done.and_then(|rows| rows.iter().map(|row| row.try_get(0)).collect()).map_err(failed)?;
    for (number, sql) in MIGRATIONS.into_iter().filter(|(number, _)| !done.contains(number)) {
        raw_sql(sql).execute(&mut *transaction).await.map_err(failed)?;
        let note = format!("insert into call_session_migrations (number) values ({number})");
        raw_sql(sqlx::AssertSqlSafe(note)).execute(&mut *transaction).await.map_err(failed)?;
    }
    // Numbers of transactions belong to a server. Events that were copied from another one, such as from a dump, may have
    // greater ones than any new event for a long time, and the feed would not show those. They are put before all others.
    // What this statement sees was begun before the end of its snapshot, unless it was copied: a server that goes on writing
    // while the tables are changed has greater numbers than this transaction, and smaller ones than that end.
    raw_sql(
        "update call_events set txid = 0 where exists \
         (select 1 from call_events where txid >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint)",
    )
    .execute(&mut *transaction)
    .await
    .map_err(failed)?;
    transaction.commit().await.map_err(failed)
}
