//! A telephone call with a voice model as a durable object: what happened to it, where it is kept, who is attached.
//!
//! ```
//! use call_session::{
//!     call::{self, NewCall, SessionEvent},
//!     id::SessionId,
//!     store::{self, Query, SessionStore, memory::MemoryStore},
//! };
//! use jiff::Timestamp;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = MemoryStore::new();
//! let call = NewCall::outbound("+81312345678", "+819012345678");
//! let session = store.create(SessionId::new(), Timestamp::now(), call, vec![]).await?;
//! store::update(&store, session.summary.id, |_| vec![SessionEvent::Answered.at(Timestamp::now())]).await?;
//! assert_eq!(store.query(&Query::active()).await?.calls.len(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! - [`call`]: the aggregate. A call is its events; everything else is made from them. Pure.
//! - [`store`]: where calls are kept: [`SessionStore`](store::SessionStore) and its implementations.
//! - [`attach`]: carries a stream of a call and writes down what happens on it.
//! - [`recorder`]: writes down what happens to a live call, beside the call.
//! - [`directory`]: who calls are made for and who they are with: agents and customers.
//! - [`live`]: which server has which call, and commands to it.
//! - [`handoff`]: hands a caller to a person: strategies, the state machine, the runner.
//! - [`id`]: the names of calls, streams, people and servers.

pub mod attach;
pub mod call;
pub mod directory;
pub mod handoff;
pub mod id;
pub mod live;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod recorder;
pub mod store;
