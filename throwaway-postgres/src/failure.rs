//! Why there is no Postgres.

use std::{io, process::ExitStatus};

/// Why there is no Postgres.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// It is not installed.
    #[error(
        "Postgres is not installed (Debian: apt-get install postgresql), and DATABASE_URL names no server to use instead"
    )]
    Missing,
    /// There is no pooler.
    #[error("pgbouncer is not installed (Debian: apt-get install pgbouncer)")]
    NoPooler,
    /// One of its programs could not be started.
    #[error("`{program}` could not be started")]
    Start {
        /// The program.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// One of its programs did not do its work.
    #[error("`{program}` failed ({status}): {said}")]
    Failed {
        /// The program.
        program: String,
        /// How it ended.
        status: ExitStatus,
        /// What it said about that.
        said: String,
    },
    /// The server does not answer.
    #[error("the server did not come up: {said}")]
    Silent {
        /// What it said instead.
        said: String,
    },
    /// A file of the server could not be handled.
    #[error("the server's folder could not be used")]
    Folder(#[from] io::Error),
    /// There is no user to run the server as: it refuses to run as root.
    #[error("there is no user called postgres, and Postgres does not run as root")]
    NoUser,
    /// What `DATABASE_URL` says is no address of a server.
    #[error("DATABASE_URL does not read postgres://user@host/database")]
    NotAnAddress,
}
