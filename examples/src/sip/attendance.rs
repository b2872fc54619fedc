//! The attendance table: who is invited to an event, who comes when, and what was changed by whom.
//!
//! Whatever a tool changes is kept under the key of its run, in one transaction with the change: a run that is begun again
//! finds what the first has done.

use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;
use sqlx::{
    Row, SqlStr, SqlitePool,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow},
};

/// The table, in an embedded database file.
#[derive(Debug, Clone)]
pub struct Attendance {
    pool: SqlitePool,
}

/// Why the table cannot be read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttendanceError {
    /// The file cannot be opened, read or written.
    #[error("the attendance table is not available")]
    Database(#[from] sqlx::Error),
    /// The tables cannot be brought up to date.
    #[error("the attendance tables cannot be brought up to date")]
    Migrate(#[from] MigrateError),
    /// Nobody with this number and name is invited.
    #[error("nobody with this number and name is invited")]
    Unknown,
    /// There is no such time.
    #[error("there is no such slot")]
    NoSlot,
    /// The time is full.
    #[error("the slot is full")]
    Full,
}

/// A time that guests can choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Slot {
    /// Its name, for tools.
    pub id: String,
    /// How it is said.
    pub label: String,
    /// How many places are left.
    pub free: i64,
}

/// Somebody who is invited. `Debug` shows neither name nor number.
#[derive(Clone, PartialEq, Eq)]
pub struct Guest {
    /// The number, E.164.
    pub phone: String,
    /// The name.
    pub name: String,
    /// `invited`, `attending` or `declined`.
    pub attendance: String,
    /// The time, by its name.
    pub slot: Option<String>,
}

/// What a guest wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Comes, or does not.
    pub attending: bool,
    /// Another time; `None` keeps the one there is.
    pub slot: Option<String>,
}

/// Who asks for a change: the run of a tool in a call.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The key of the run.
    pub key: &'a str,
    /// The call.
    pub call: &'a str,
}

/// A change as the audit log has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The call that made it.
    pub call: String,
    /// `attendance` and `slot` before it.
    pub before: (String, Option<String>),
    /// `attendance` and `slot` after it.
    pub after: (String, Option<String>),
}

impl std::fmt::Debug for Guest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guest").field("attendance", &self.attendance).field("slot", &self.slot).finish_non_exhaustive()
    }
}

impl Attendance {
    /// Opens the file, makes it if it is not there, and brings its tables up to date.
    ///
    /// # Errors
    ///
    /// [`AttendanceError`].
    pub async fn open(path: &Path) -> Result<Self, AttendanceError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .foreign_keys(true);
        // One connection: changes are few, and none of them ever meets another's lock.
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
        let tables = SqlStr::from_static(include_str!("../../migrations/attendance/0001_tables.sql"));
        let tables = Migration::new(1, "tables".into(), MigrationType::Simple, tables, false);
        Migrator::with_migrations(vec![tables]).run(&pool).await?;
        Ok(Self { pool })
    }

    /// Adds a time, or changes it.
    ///
    /// # Errors
    ///
    /// [`AttendanceError::Database`].
    pub async fn put_slot(&self, id: &str, label: &str, capacity: u32) -> Result<(), AttendanceError> {
        sqlx::query("insert into slots (id, label, capacity) values (?, ?, ?) on conflict (id) do update set label = excluded.label, capacity = excluded.capacity")
            .bind(id)
            .bind(label)
            .bind(capacity)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Invites somebody, or changes what is known of them.
    ///
    /// # Errors
    ///
    /// [`AttendanceError::Database`].
    pub async fn put_guest(&self, guest: &Guest) -> Result<(), AttendanceError> {
        sqlx::query("insert into guests (phone, name, attendance, slot, updated_at) values (?, ?, ?, ?, ?) on conflict (phone) do update set name = excluded.name, attendance = excluded.attendance, slot = excluded.slot, updated_at = excluded.updated_at")
            .bind(&guest.phone)
            .bind(&guest.name)
            .bind(&guest.attendance)
            .bind(&guest.slot)
            .bind(Timestamp::now().to_string())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// All times, with the places that are left.
    ///
    /// # Errors
    ///
    /// [`AttendanceError::Database`].
    pub async fn slots(&self) -> Result<Vec<Slot>, AttendanceError> {
        let rows = sqlx::query("select id, label, capacity - (select count(*) from guests where slot = slots.id and attendance = 'attending') as free from slots order by id")
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(|row| Ok(Slot { id: row.try_get(0)?, label: row.try_get(1)?, free: row.try_get(2)? })).collect()
    }

    /// Who has this number.
    ///
    /// # Errors
    ///
    /// [`AttendanceError::Database`].
    pub async fn guest(&self, phone: &str) -> Result<Option<Guest>, AttendanceError> {
        let row = sqlx::query("select phone, name, attendance, slot from guests where phone = ?").bind(phone);
        Ok(row.fetch_optional(&self.pool).await?.as_ref().map(guest).transpose()?)
    }

    /// Changes what a guest wants, once for each origin. The caller's number is no proof, so that the name has to fit.
    ///
    /// # Errors
    ///
    /// [`AttendanceError`]; nothing is changed then.
    pub async fn change(
        &self,
        origin: Origin<'_>,
        phone: &str,
        name: &str,
        wish: &Wish,
    ) -> Result<Guest, AttendanceError> {
        let mut transaction = self.pool.begin().await?;
        let row = sqlx::query("select phone, name, attendance, slot from guests where phone = ?").bind(phone);
        let row = row.fetch_optional(&mut *transaction).await?.ok_or(AttendanceError::Unknown)?;
        let before = guest(&row)?;
        if !is_same_name(&before.name, name) {
            return Err(AttendanceError::Unknown);
        }
        let done = sqlx::query("select 1 from changes where key = ?").bind(origin.key);
        if done.fetch_optional(&mut *transaction).await?.is_some() {
            return Ok(before);
        }
        let slot = wish.slot.clone().or_else(|| before.slot.clone()).filter(|_| wish.attending);
        if let Some(slot) = &slot {
            let free = sqlx::query(
                "select capacity - (select count(*) from guests where slot = slots.id and attendance = 'attending' and phone <> ?) from slots where id = ?",
            );
            let row = free.bind(phone).bind(slot).fetch_optional(&mut *transaction).await?;
            let free: i64 = row.ok_or(AttendanceError::NoSlot)?.try_get(0)?;
            if free < 1 {
                return Err(AttendanceError::Full);
            }
        }
        let attendance = if wish.attending { "attending" } else { "declined" };
        let now = Timestamp::now().to_string();
        sqlx::query("update guests set attendance = ?, slot = ?, updated_at = ? where phone = ?")
            .bind(attendance)
            .bind(&slot)
            .bind(&now)
            .bind(phone)
            .execute(&mut *transaction)
            .await?;
        sqlx::query("insert into changes (key, at, call, phone, attendance_before, slot_before, attendance_after, slot_after) values (?, ?, ?, ?, ?, ?, ?, ?)")
            .bind(origin.key)
            .bind(&now)
            .bind(origin.call)
            .bind(phone)
            .bind(&before.attendance)
            .bind(&before.slot)
            .bind(attendance)
            .bind(&slot)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(Guest { attendance: attendance.into(), slot, ..before })
    }

    /// What was changed for this number, in order.
    ///
    /// # Errors
    ///
    /// [`AttendanceError::Database`].
    pub async fn changes(&self, phone: &str) -> Result<Vec<Change>, AttendanceError> {
        let rows = sqlx::query("select call, attendance_before, slot_before, attendance_after, slot_after from changes where phone = ? order by at")
            .bind(phone)
            .fetch_all(&self.pool)
            .await?;
        let change = |row: &SqliteRow| {
            Ok(Change {
                call: row.try_get(0)?,
                before: (row.try_get(1)?, row.try_get(2)?),
                after: (row.try_get(3)?, row.try_get(4)?),
            })
        };
        rows.iter().map(change).collect()
    }

    /// Writes down that a message is about to be sent. False when this run has sent one already; one of which nobody knows
    /// is sent again, as whoever runs it again was asked.
    ///
    /// # Errors
    ///
    /// [`AttendanceError::Database`].
    pub async fn plan_message(&self, origin: Origin<'_>, phone: &str, body: &str) -> Result<bool, AttendanceError> {
        let planned = sqlx::query(
            "insert into messages (key, at, call, phone, body) values (?, ?, ?, ?, ?) on conflict (key) do update set \
             body = excluded.body where sent is null",
        )
        .bind(origin.key)
        .bind(Timestamp::now().to_string())
        .bind(origin.call)
        .bind(phone)
        .bind(body)
        .execute(&self.pool)
        .await?;
        Ok(planned.rows_affected() == 1)
    }

    /// Writes down how a message was sent: its name at the carrier, or that it was only logged.
    ///
    /// # Errors
    ///
    /// [`AttendanceError::Database`].
    pub async fn message_sent(&self, key: &str, sent: &str) -> Result<(), AttendanceError> {
        sqlx::query("update messages set sent = ? where key = ?").bind(sent).bind(key).execute(&self.pool).await?;
        Ok(())
    }

    /// What was sent to this number, in order: the words, and how; `None` where nobody knows.
    ///
    /// # Errors
    ///
    /// [`AttendanceError::Database`].
    pub async fn messages(&self, phone: &str) -> Result<Vec<(String, Option<String>)>, AttendanceError> {
        let rows = sqlx::query("select body, sent from messages where phone = ? order by at").bind(phone);
        let rows = rows.fetch_all(&self.pool).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }

    /// Writes down somebody who is interested, once for each origin.
    ///
    /// # Errors
    ///
    /// [`AttendanceError::Database`].
    pub async fn save_lead(
        &self,
        origin: Origin<'_>,
        phone: Option<&str>,
        name: &str,
        interest: &str,
    ) -> Result<(), AttendanceError> {
        sqlx::query("insert into leads (key, at, call, phone, name, interest) values (?, ?, ?, ?, ?, ?) on conflict (key) do nothing")
            .bind(origin.key)
            .bind(Timestamp::now().to_string())
            .bind(origin.call)
            .bind(phone)
            .bind(name)
            .bind(interest)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// How many people have shown interest.
    ///
    /// # Errors
    ///
    /// [`AttendanceError::Database`].
    pub async fn leads(&self) -> Result<i64, AttendanceError> {
        Ok(sqlx::query("select count(*) from leads").fetch_one(&self.pool).await?.try_get(0)?)
    }

    /// Closes the file.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

fn guest(row: &SqliteRow) -> Result<Guest, sqlx::Error> {
    Ok(Guest { phone: row.try_get(0)?, name: row.try_get(1)?, attendance: row.try_get(2)?, slot: row.try_get(3)? })
}

/// Names are heard, so that blanks and titles say nothing; a part of a name is not the name.
fn is_same_name(known: &str, told: &str) -> bool {
    let bare = |name: &str| -> String {
        let name: String = name.chars().filter(|c| !c.is_whitespace()).collect();
        name.trim_end_matches("様").trim_end_matches("さん").to_lowercase()
    };
    !bare(told).is_empty() && bare(known) == bare(told)
}
