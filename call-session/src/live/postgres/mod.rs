//! A board in Postgres, for several servers.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use call_session::{
//!     id::NodeId,
//!     live::{Live, postgres::PostgresBoard},
//!     postgres::{Postgres, PostgresConfig},
//! };
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let database = Postgres::connect(PostgresConfig::new("postgres://calls@db.internal/calls")?).await?;
//! let live = Live::new(Arc::new(PostgresBoard::new(database)), NodeId::unique());
//! # Ok(())
//! # }
//! ```
//!
//! Tables hold who has which call, and the commands; a notification only says that there is news. A server that misses one
//! looks at its next beat. Times are the database's, so that servers need not agree on the clock. Every step is one short
//! transaction that leaves nothing behind in its connection.

mod rows;

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use sqlx::Transaction;
use tokio::sync::Mutex;
use uuid::Uuid;

use self::rows::{Found, Sought, as_fate, as_holder, number, unnumber};
use super::{
    Answer, Board, Command, Fate, Fence, Holder, Lease, MAX_WAITING, Order, OrderId, Posted, Take, TakenOrder, Taking,
};
use crate::{
    id::{NodeId, SessionId},
    postgres::{Channel, News, Postgres, failed},
    store::StoreError,
};

/// How many beats of a process pass between two cleanings.
const CLEANING: u32 = 30;

/// One step.
type Work = Transaction<'static, sqlx::Postgres>;

/// A board in Postgres. Each process has its own, for one server.
#[derive(Debug)]
pub struct PostgresBoard {
    database: Postgres,
    news: Mutex<News>,
    beats: AtomicU32,
}

impl PostgresBoard {
    /// A board in this database.
    #[must_use]
    pub fn new(database: Postgres) -> Self {
        let news = Mutex::new(database.news(Channel::Live));
        Self { database, news, beats: AtomicU32::new(0) }
    }

    async fn begin(&self) -> Result<Work, StoreError> {
        self.database.begin().await
    }

    /// Keeps what was done, and says that there is news.
    async fn tell(&self, work: Work) -> Result<(), StoreError> {
        work.commit().await.map_err(failed)?;
        self.database.tell(Channel::Live);
        Ok(())
    }
}

/// A statement that leaves nothing behind in the connection.
macro_rules! sql {
    ($text:expr $(, $value:expr)* $(,)?) => {
        sqlx::query($text)$(.bind($value))*.persistent(false)
    };
    (as $row:ty; $text:expr $(, $value:expr)* $(,)?) => {
        sqlx::query_as::<_, $row>($text)$(.bind($value))*.persistent(false)
    };
}

async fn live_until(transaction: &mut Work, node: &NodeId, lease: Duration) -> Result<(), StoreError> {
    let beat = sql!(
        "insert into call_live_nodes (node, expires_at)
         values ($1, clock_timestamp() + make_interval(secs => $2))
         on conflict (node) do update set expires_at = excluded.expires_at",
        node.as_str(),
        lease.as_secs_f64(),
    );
    beat.execute(&mut **transaction).await.map_err(failed)?;
    Ok(())
}

async fn find_holder(transaction: &mut Work, call: SessionId) -> Result<Option<Holder>, StoreError> {
    let found = sql!(
        as Found;
        "select l.node, l.fence, coalesce(n.expires_at > clock_timestamp(), false) as alive
         from call_live_leases l left join call_live_nodes n on n.node = l.node
         where l.call = $1",
        call.0,
    );
    let found = found.fetch_optional(&mut **transaction).await.map_err(failed)?;
    found.map(|found| as_holder(call, found)).transpose()
}

async fn find_fate(transaction: &mut Work, order: OrderId) -> Result<Fate, StoreError> {
    let found = sql!(
        as Sought;
        "select c.call, c.taken_by, c.answer, c.void or c.expires_at <= clock_timestamp() as void,
                coalesce(t.expires_at > clock_timestamp(), false) as taker_alive,
                l.node, l.fence, coalesce(n.expires_at > clock_timestamp(), false) as alive
         from call_live_commands c
         left join call_live_nodes t on t.node = c.taken_by
         left join call_live_leases l on l.call = c.call
         left join call_live_nodes n on n.node = l.node
         where c.id = $1",
        order.0,
    );
    found.fetch_optional(&mut **transaction).await.map_err(failed)?.map_or(Ok(Fate::Void), as_fate)
}

/// Deletes what nobody asks about any more. What was said in commands is not kept long.
async fn clean(transaction: &mut Work) -> Result<(), StoreError> {
    for statement in [
        "delete from call_live_commands where expires_at < now() - interval '1 minute'",
        "delete from call_live_nodes where expires_at < now() - interval '10 minutes'",
        "delete from call_live_leases l where not exists (select from call_live_nodes n where n.node = l.node)",
    ] {
        sql!(statement).execute(&mut **transaction).await.map_err(failed)?;
    }
    Ok(())
}

#[async_trait]
impl Board for PostgresBoard {
    async fn beat(&self, node: &NodeId, lease: Duration) -> Result<Vec<Lease>, StoreError> {
        let step = async {
            let mut transaction = self.begin().await?;
            live_until(&mut transaction, node, lease).await?;
            let found = sql!(
                as (Uuid, i64);
                "select call, fence from call_live_leases where node = $1",
                node.as_str(),
            );
            let found = found.fetch_all(&mut *transaction).await.map_err(failed)?;
            if self.beats.fetch_add(1, Ordering::Relaxed) % CLEANING == CLEANING - 1 {
                clean(&mut transaction).await?;
            }
            transaction.commit().await.map_err(failed)?;
            let lease =
                |(call, fence)| Lease { call: SessionId(call), node: node.clone(), fence: Fence(unnumber(fence)) };
            Ok(found.into_iter().map(lease).collect())
        };
        self.database.within(step).await
    }

    async fn drain(&self, node: &NodeId, lease: Duration) -> Result<(), StoreError> {
        let step = async {
            let mut transaction = self.begin().await?;
            live_until(&mut transaction, node, lease).await?;
            sql!("update call_live_nodes set draining = true where node = $1", node.as_str())
                .execute(&mut *transaction)
                .await
                .map_err(failed)?;
            transaction.commit().await.map_err(failed)
        };
        self.database.within(step).await
    }

    async fn others(&self, node: &NodeId) -> Result<u64, StoreError> {
        let step = async {
            let mut transaction = self.begin().await?;
            let others = sql!(
                as (i64,);
                "select count(*) from call_live_nodes where node <> $1 and not draining and expires_at > clock_timestamp()",
                node.as_str(),
            );
            let (others,) = others.fetch_one(&mut *transaction).await.map_err(failed)?;
            transaction.commit().await.map_err(failed)?;
            Ok(unnumber(others))
        };
        self.database.within(step).await
    }

    async fn leave(&self, node: &NodeId) -> Result<(), StoreError> {
        let step = async {
            let mut transaction = self.begin().await?;
            sql!("delete from call_live_nodes where node = $1", node.as_str())
                .execute(&mut *transaction)
                .await
                .map_err(failed)?;
            sql!("delete from call_live_leases where node = $1", node.as_str())
                .execute(&mut *transaction)
                .await
                .map_err(failed)?;
            self.tell(transaction).await
        };
        self.database.within(step).await
    }

    async fn nodes(&self) -> Result<Vec<(NodeId, bool)>, StoreError> {
        let step = async {
            let mut transaction = self.begin().await?;
            let found = sql!(as (String, bool); "select node, expires_at > clock_timestamp() from call_live_nodes");
            let found = found.fetch_all(&mut *transaction).await.map_err(failed)?;
            transaction.commit().await.map_err(failed)?;
            Ok::<_, StoreError>(found)
        };
        let found = self.database.within(step).await?;
        let node = |(node, alive): (String, bool)| {
            let node = node.try_into().map_err(|error: crate::id::BadName| StoreError::Refused(error.into()))?;
            Ok((node, alive))
        };
        found.into_iter().map(node).collect()
    }

    async fn take_call(
        &self,
        node: &NodeId,
        call: SessionId,
        take: Take,
        lease: Duration,
    ) -> Result<Taking, StoreError> {
        let step = async {
            let mut transaction = self.begin().await?;
            // One at a time takes a call, and each sees what the one before has done.
            sql!("select pg_advisory_xact_lock(hashtextextended('call_live ' || $1::text, 0))", call.0)
                .execute(&mut *transaction)
                .await
                .map_err(failed)?;
            live_until(&mut transaction, node, lease).await?;
            let holder = find_holder(&mut transaction, call).await?;
            if let Some(holder) = &holder
                && take == Take::IfFree
                && holder.alive
                && holder.lease.node != *node
            {
                transaction.commit().await.map_err(failed)?;
                return Ok(Taking::Held(holder.clone()));
            }
            let taken = sql!(
                as (i64,);
                "insert into call_live_leases as l (call, node, fence) values ($1, $2, nextval('call_live_fences'))
             on conflict (call) do update set node = excluded.node, fence = nextval('call_live_fences')
             returning l.fence",
                call.0,
                node.as_str(),
            );
            let (fence,) = taken.fetch_one(&mut *transaction).await.map_err(failed)?;
            // The former holder has lost it, and commands that it has not taken are ours now.
            self.tell(transaction).await?;
            Ok(Taking::Taken(Fence(unnumber(fence))))
        };
        self.database.within(step).await
    }

    async fn release(&self, lease: &Lease) -> Result<bool, StoreError> {
        let step = async {
            let mut transaction = self.begin().await?;
            let released = sql!(
                "delete from call_live_leases where call = $1 and node = $2 and fence = $3",
                lease.call.0,
                lease.node.as_str(),
                number(lease.fence.0),
            );
            let released = released.execute(&mut *transaction).await.map_err(failed)?.rows_affected() > 0;
            self.tell(transaction).await?;
            Ok(released)
        };
        self.database.within(step).await
    }

    async fn holder(&self, call: SessionId) -> Result<Option<Holder>, StoreError> {
        let step = async {
            let mut transaction = self.begin().await?;
            let holder = find_holder(&mut transaction, call).await?;
            transaction.commit().await.map_err(failed)?;
            Ok(holder)
        };
        self.database.within(step).await
    }

    async fn post(&self, order: &Order, within: Duration) -> Result<Posted, StoreError> {
        let step = async {
            let text = serde_json::to_string(&order.command).map_err(|error| StoreError::Refused(error.into()))?;
            let mut transaction = self.begin().await?;
            let counts = sql!(
                as (bool, i64);
                "select exists (select from call_live_commands where id = $1),
                    (select count(*) from call_live_commands
                     where call = $2 and taken_by is null and not void and expires_at > clock_timestamp())",
                order.id.0,
                order.call.0,
            );
            let (known, waiting) = counts.fetch_one(&mut *transaction).await.map_err(failed)?;
            let holder = find_holder(&mut transaction, order.call).await?;
            let posted = match holder {
                _ if known => Posted::Waiting,
                None => Posted::NotLive,
                Some(holder) if !holder.alive => Posted::Dead(holder.lease.node),
                // Of those who count at the same moment, each may put up one.
                Some(_) if unnumber(waiting) >= MAX_WAITING as u64 => Posted::Busy,
                Some(_) => {
                    let put_up = sql!(
                        "insert into call_live_commands (id, call, sender, command, expires_at)
                     values ($1, $2, $3, $4, clock_timestamp() + make_interval(secs => $5))
                     on conflict (id) do nothing",
                        order.id.0,
                        order.call.0,
                        order.sender.as_str(),
                        text,
                        within.as_secs_f64(),
                    );
                    put_up.execute(&mut *transaction).await.map_err(failed)?;
                    Posted::Waiting
                }
            };
            self.tell(transaction).await?;
            Ok(posted)
        };
        self.database.within(step).await
    }

    async fn take_orders(&self, node: &NodeId, limit: usize) -> Result<Vec<TakenOrder>, StoreError> {
        let step = async {
            let mut transaction = self.begin().await?;
            let taken = sql!(
                as (i64, Uuid, Uuid, i64, String, f64);
                "with mine as (
                 select c.id, l.fence from call_live_leases l join call_live_commands c on c.call = l.call
                 where l.node = $1 and c.taken_by is null and not c.void and c.expires_at > clock_timestamp()
                 order by c.number limit $2
                 for update of c skip locked
             )
             update call_live_commands c set taken_by = $1 from mine where c.id = mine.id
             returning c.number, c.id, c.call, mine.fence, c.command,
                       extract(epoch from c.expires_at - clock_timestamp())::float8",
                node.as_str(),
                i64::try_from(limit).unwrap_or(i64::MAX),
            );
            let mut taken = taken.fetch_all(&mut *transaction).await.map_err(failed)?;
            transaction.commit().await.map_err(failed)?;
            taken.sort_unstable_by_key(|(number, ..)| *number);
            let order = |(_, id, call, fence, command, left): (i64, Uuid, Uuid, i64, String, f64)| TakenOrder {
                id: OrderId(id),
                lease: Lease { call: SessionId(call), node: node.clone(), fence: Fence(unnumber(fence)) },
                // Whoever wrote this runs a later version.
                command: serde_json::from_str(&command).unwrap_or(Command::Unknown),
                left: Duration::try_from_secs_f64(left).unwrap_or(Duration::ZERO),
            };
            Ok(taken.into_iter().map(order).collect())
        };
        self.database.within(step).await
    }

    async fn answer(&self, order: OrderId, answer: &Answer) -> Result<(), StoreError> {
        let step = async {
            let text = serde_json::to_string(answer).map_err(|error| StoreError::Refused(error.into()))?;
            let mut transaction = self.begin().await?;
            let answered = sql!(
                "update call_live_commands set answer = $2
             where id = $1 and taken_by is not null and answer is null",
                order.0,
                text,
            );
            answered.execute(&mut *transaction).await.map_err(failed)?;
            self.tell(transaction).await
        };
        self.database.within(step).await
    }

    async fn look(&self, order: OrderId) -> Result<Fate, StoreError> {
        let step = async {
            let mut transaction = self.begin().await?;
            let fate = find_fate(&mut transaction, order).await?;
            transaction.commit().await.map_err(failed)?;
            Ok(fate)
        };
        self.database.within(step).await
    }

    async fn call_off(&self, order: OrderId) -> Result<Fate, StoreError> {
        let step = async {
            let mut transaction = self.begin().await?;
            // One that is on its way finds the name taken.
            let off = sql!(
                "insert into call_live_commands as c (id, call, sender, command, expires_at, void)
             values ($1, $2, '', '', clock_timestamp(), true)
             on conflict (id) do update set void = true where c.taken_by is null",
                order.0,
                Uuid::nil(),
            );
            off.execute(&mut *transaction).await.map_err(failed)?;
            let fate = find_fate(&mut transaction, order).await?;
            transaction.commit().await.map_err(failed)?;
            Ok(fate)
        };
        self.database.within(step).await
    }

    async fn stirred(&self, _: &NodeId) {
        self.news.lock().await.come().await;
    }
}
