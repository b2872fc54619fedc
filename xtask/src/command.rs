//! Starting cargo and other programs from the workspace's root.

use std::{
    env,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::failure::Failure;

/// The folder of the workspace's manifest.
pub(crate) fn root() -> PathBuf {
    // `cargo run` sets the variable; what was known when this was compiled is right unless the checkout has moved.
    let package = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&package).parent().expect("xtask is a folder of the workspace").to_owned()
}

/// The cargo that runs us, started in the workspace's root.
pub(crate) fn cargo<I: AsRef<str>>(args: impl IntoIterator<Item = I>) -> Command {
    program(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), args)
}

/// Any program, started in the workspace's root.
pub(crate) fn program<I: AsRef<str>>(name: impl Into<OsString>, args: impl IntoIterator<Item = I>) -> Command {
    let mut command = Command::new(name.into());
    command.current_dir(root()).stdin(Stdio::null());
    for arg in args {
        command.arg(arg.as_ref());
    }
    command
}

/// Runs a command whose output belongs on the terminal, after printing the line that repeats it.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    let line = shown(command);
    println!("$ {line}");
    let status = command.status().map_err(|source| Failure::Start { command: line.clone(), source })?;
    if status.success() { Ok(()) } else { Err(Failure::Command { command: line, status }) }
}

/// Runs a command and returns what it wrote to its standard output. Its complaints stay on the terminal.
pub(crate) fn read(command: &mut Command) -> Result<String, Failure> {
    let line = shown(command);
    let output =
        command.stderr(Stdio::inherit()).output().map_err(|source| Failure::Start { command: line.clone(), source })?;
    if !output.status.success() {
        return Err(Failure::Command { command: line, status: output.status });
    }
    String::from_utf8(output.stdout)
        .map_err(|source| Failure::Parse { what: format!("the output of `{line}`"), source: source.into() })
}

/// Whether cargo knows this subcommand, an installed one or its own.
pub(crate) fn has_subcommand(name: &str) -> bool {
    cargo([name, "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// The command as one would type it in the workspace's root.
fn shown(command: &Command) -> String {
    let name = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let variables =
        command.get_envs().filter_map(|(name, value)| Some(format!("{}={}", name.to_string_lossy(), quoted(value?))));
    let words = [name].into_iter().chain(command.get_args()).map(quoted);
    variables.chain(words).collect::<Vec<_>>().join(" ")
}

/// A word as a shell takes it literally.
fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = word.chars().all(|c| c.is_alphanumeric() || "-_./,:=+@".contains(c));
    if plain && !word.is_empty() { word.into_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_one_would_type() {
        let mut command = program("/usr/bin/cargo", ["test", "--bench", "*", "it's"]);
        command.env("RUSTFLAGS", "-D warnings");
        assert_eq!(shown(&command), r"RUSTFLAGS='-D warnings' cargo test --bench '*' 'it'\''s'");
    }

    #[test]
    fn a_command_that_fails_is_named() {
        let failure = read(&mut cargo(["no-such-subcommand"])).unwrap_err();
        assert!(failure.to_string().contains("cargo no-such-subcommand"), "{failure}");
    }
}
