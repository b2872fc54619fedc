//! A Postgres for tests.
//!
//! [`Database::create`] gives a test an empty database of its own: on the server that `DATABASE_URL` names, otherwise on a
//! [`Server`] that is started for it in a temporary folder, listens on a Unix socket only, and is gone with it. A test never
//! runs without: where there is neither, there is an error that says what to install.
//!
//! ```no_run
//! let database = throwaway_postgres::Database::create()?;
//! println!("{}", database.url());
//! # Ok::<(), throwaway_postgres::Failure>(())
//! ```
//!
//! Everything here blocks, for a second at most, and uses the programs of a Postgres installation: `initdb`, `postgres`,
//! `createdb`, `dropdb`.

mod database;
mod failure;
mod pooler;
mod programs;
mod server;

pub use database::Database;
pub use failure::Failure;
pub use pooler::Pooler;
pub use programs::installed;
pub use server::Server;

/// The variable that names a server to use instead of starting one. The user it names may create databases.
pub const DATABASE_URL: &str = "DATABASE_URL";
