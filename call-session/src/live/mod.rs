//! Which server has which call, and commands to it.
//!
//! A call's audio comes to one server; people and programs ask any of them. Each server is a [`Live`]: it takes the calls
//! whose audio it has, and sends commands to whichever server has a call. Servers meet at a [`Board`].
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//!
//! use call_session::{
//!     id::{NodeId, SessionId},
//!     live::{Command, Live, Reply, memory::MemoryBoard},
//! };
//! use tokio_util::sync::CancellationToken;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let live = Live::new(Arc::new(MemoryBoard::new()), NodeId::unique());
//! // One task keeps the server alive for the others. Its owner is the server.
//! let (mut tasks, stop) = (tokio::task::JoinSet::new(), CancellationToken::new());
//! tasks.spawn({
//!     let (live, stop) = (live.clone(), stop.clone());
//!     async move { live.run(stop).await }
//! });
//!
//! // Where the audio is:
//! let call = SessionId::new();
//! let mut held = live.seize(call).await?;
//! tasks.spawn(async move {
//!     while let Some(delivery) = held.next().await {
//!         // `serve` does this for a call on the bridge.
//!         delivery.reply(Reply::Ok);
//!     }
//! });
//!
//! // Anywhere:
//! let reply = live.send(call, Command::Interrupt, Duration::from_secs(2)).await?;
//! assert_eq!(reply, Reply::Ok);
//! stop.cancel();
//! while tasks.join_next().await.is_some() {}
//! # Ok(())
//! # }
//! ```
//!
//! A lease says who is asked, not who may write: what is kept of a call is guarded by its version. A server that cannot
//! reach the board keeps its calls talking, and loses only those that somebody took meanwhile.
//!
//! - [`memory`]: one process. A deployment on SQLite is one server.
//! - `postgres` (a feature): several servers.
//! - [`serve`]: a call on the bridge does as it is told.
//! - [`conformance`](crate::live) (feature `conformance`): holds a board of your own to the contract.

mod bells;
mod board;
mod command;
#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
mod held;
pub mod memory;
mod node;
#[cfg(feature = "postgres")]
pub mod postgres;
mod seats;
mod serve;
mod table;

pub use board::{Board, Fate, Fence, Holder, Lease, MAX_WAITING, Order, OrderId, Posted, Take, TakenOrder, Taking};
pub use command::{Answer, Command, Reply};
pub use error::{AcquireError, SendError};
pub use held::{Delivery, Held};
pub use node::{Live, Terms};
pub use serve::{Served, serve};
pub use table::Table;
