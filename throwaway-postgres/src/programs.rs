//! The programs of a Postgres installation.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use crate::Failure;

/// Where Debian puts the programs that are not for everybody.
const DEBIAN: &str = "/usr/lib/postgresql";

/// Whether a server and a pooler can be started here.
///
/// # Errors
///
/// [`Failure::Missing`] when Postgres or pgbouncer is not installed.
pub fn installed() -> Result<(), Failure> {
    ["initdb", "postgres", "createdb", "dropdb", "pg_isready", "pgbouncer"]
        .iter()
        .try_for_each(|name| find(name).map(drop))
}

/// Where a program is: on the path, or in the newest version that Debian has installed.
pub(crate) fn find(name: &str) -> Result<PathBuf, Failure> {
    let mut folders: Vec<PathBuf> =
        env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default();
    // Not on everybody's path.
    folders.push("/usr/sbin".into());
    let versions = Path::new(DEBIAN).read_dir().into_iter().flatten().flatten();
    let mut versions: Vec<_> = versions.map(|version| version.path().join("bin")).collect();
    versions.sort();
    // All programs of one installation: what is on the path may be another one's wrapper.
    versions.reverse();
    versions.append(&mut folders);
    versions.into_iter().map(|folder| folder.join(name)).find(|path| path.is_file()).ok_or(Failure::Missing)
}

/// Runs a program to its end.
pub(crate) fn run(command: &mut Command) -> Result<Output, Failure> {
    let program = Path::new(command.get_program()).display().to_string();
    let output =
        command.stdin(Stdio::null()).output().map_err(|source| Failure::Start { program: program.clone(), source })?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Failure::Failed { program, status: output.status, said })
}
