//! A Postgres for the tests: one server for all of them, since the test runner starts a process for each.

use std::process::Command;

use throwaway_postgres::{DATABASE_URL, Server, installed};

use crate::{
    command::{program, read, run},
    failure::Failure,
};

/// Debian's packages: the server with its tools, and the pooler that some tests put before it.
const PACKAGES: [&str; 2] = ["postgresql", "pgbouncer"];

/// Sees to it that a server can be started: installs what is missing where that is allowed.
pub(crate) fn provide() -> Result<(), Failure> {
    if installed().is_ok() {
        return Ok(());
    }
    let root = read(&mut program("id", ["-u"])).is_ok_and(|user| user.trim() == "0");
    if root && read(&mut program("apt-get", ["--version"])).is_ok() {
        let install = |command: &mut Command| run(command.env("DEBIAN_FRONTEND", "noninteractive"));
        install(&mut program("apt-get", ["update", "--quiet"]))?;
        let arguments = ["install", "--quiet", "--yes", "--no-install-recommends"];
        install(program("apt-get", arguments).args(PACKAGES))?;
    }
    installed().map_err(|_| Failure::Missing {
        tool: "Postgres",
        remedy: "the tests of its store need one (Debian: apt-get install postgresql pgbouncer)",
    })
}

/// A server for a test run, which is there as long as what is returned. None if the environment names one.
pub(crate) fn serve() -> Result<Option<Server>, Failure> {
    // Without one, tests that need none still run, and those that need one say what is missing.
    if std::env::var_os(DATABASE_URL).is_some_and(|url| !url.is_empty()) || installed().is_err() {
        return Ok(None);
    }
    Ok(Some(Server::start()?))
}
