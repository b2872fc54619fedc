//! The checks of `cargo xtask test`, in their order. A new check is a line in [`STEPS`] and a function.

use std::process::Command;

use throwaway_postgres::DATABASE_URL;

use crate::{
    command::{cargo, has_subcommand, program, read, run},
    failure::Failure,
    features, fuzz, postgres, purity,
    step::Step,
    supply, tidy,
};

/// Everything that holds the workspace to its rules. Steps use the same profile and features, so that each builds on
/// what those before it compiled: rustdoc on clippy's metadata, doc tests and benchmarks on the tests' objects.
pub(crate) const STEPS: &[Step] = &[
    Step { name: "tools", proves: "what the other steps start is installed", run: tools },
    Step { name: "format", proves: "rustfmt would change nothing", run: format },
    Step { name: "lint", proves: "clippy has nothing to say, in any target", run: lint },
    Step { name: "tests", proves: "unit, property and integration tests", run: tests },
    Step { name: "doc tests", proves: "the examples in the documentation", run: doc_tests },
    Step { name: "docs", proves: "the documentation builds, with every link", run: docs },
    Step {
        name: "features",
        proves: "each package compiles alone, with each set of its features",
        run: features::check,
    },
    Step { name: "purity", proves: "no build contains what it is meant to be free of", run: purity::check },
    Step { name: "supply", proves: "dependencies have a known source and an allowed licence", run: supply::check },
    Step { name: "fuzz", proves: "the fuzz targets are formatted and compile", run: fuzz::check },
    Step { name: "benches", proves: "each benchmark runs once", run: benches },
    Step { name: "tidy", proves: "files are short and hold nothing of one machine", run: tidy::check },
];

/// What the cases of property tests are drawn from, so that a run that failed can be repeated and one that passed stays so.
/// Whoever looks for new cases names another: `PROPTEST_RNG_SEED=7 PROPTEST_CASES=5000 cargo xtask unit`.
const SEED: (&str, &str) = ("PROPTEST_RNG_SEED", "20261121");

/// How many tests run at the same time.
const THREADS: &str = "NEXTEST_TEST_THREADS";

/// Tests that measure and need the machine alone, by what their names hold, as `.config/nextest.toml` has it.
const ALONE: [&str; 2] = ["outbound::outlives::callers_", "demo::alone_"];

const WORKSPACE: [&str; 3] = ["--workspace", "--all-features", "--locked"];

fn tools() -> Result<(), Failure> {
    let components =
        [("fmt", "rustfmt", "rustup component add rustfmt"), ("clippy", "clippy", "rustup component add clippy")];
    for (subcommand, tool, remedy) in components {
        if !has_subcommand(subcommand) {
            return Err(Failure::Missing { tool, remedy });
        }
    }
    for (name, tool, remedy) in [
        ("cc", "a C compiler", "the TLS library is partly C (Debian: apt-get install gcc libc6-dev)"),
        ("git", "git", "the list of files to check comes from it (Debian: apt-get install git)"),
    ] {
        if read(&mut program(name, ["--version"])).is_err() {
            return Err(Failure::Missing { tool, remedy });
        }
    }
    postgres::provide()?;
    run(&mut program("rustc", ["--version"]))?;
    if !has_subcommand("nextest") {
        println!("cargo-nextest is not installed: tests run with `cargo test`, where none that hangs is ended");
    }
    if !has_subcommand("deny") {
        println!("cargo-deny is not installed: of deny.toml, licences, sources and banned crates are checked");
    }
    Ok(())
}

fn format() -> Result<(), Failure> {
    run(&mut cargo(["fmt", "--all", "--check"]))
}

/// Rewrites every file as rustfmt would have it.
pub(crate) fn fmt() -> Result<(), Failure> {
    run(&mut cargo(["fmt", "--all"]))?;
    fuzz::fmt()
}

/// Clippy over every target with every feature.
pub(crate) fn lint() -> Result<(), Failure> {
    run(cargo(["clippy"]).args(WORKSPACE).args(["--all-targets", "--", "-D", "warnings"]))
}

/// The documentation of the workspace, without that of its dependencies.
pub(crate) fn docs() -> Result<(), Failure> {
    run(cargo(["doc", "--no-deps"]).args(WORKSPACE).env("RUSTDOCFLAGS", "-D warnings"))
}

fn tests() -> Result<(), Failure> {
    unit(None, &[])
}

/// Unit, property and integration tests of one package or of all, with what `rest` tells the test runner.
pub(crate) fn unit(package: Option<&str>, rest: &[String]) -> Result<(), Failure> {
    let mut server = None;
    let mut failure = None;
    for mut command in runs(has_subcommand("nextest"), package, rest) {
        if std::env::var_os(SEED.0).is_none() {
            command.env(SEED.0, SEED.1);
        }
        if server.is_none() {
            server = postgres::serve()?;
        }
        if let Some(server) = &server {
            command.env(DATABASE_URL, server.url());
        }
        // What is left to run may fail too, and one run is to tell everything.
        failure = run(&mut command).err().or(failure);
    }
    failure.map_or(Ok(()), Err)
}

/// The commands that run the tests. Without nextest, which reads `.config/nextest.toml`, those that need the machine alone
/// come last and one by one.
fn runs(nextest: bool, package: Option<&str>, rest: &[String]) -> Vec<Command> {
    let common = |words: &[&str]| {
        let mut command = cargo(words);
        match package {
            None => command.args(WORKSPACE),
            Some(package) => command.args(["--package", package, "--all-features", "--locked"]),
        };
        command.arg("--no-fail-fast");
        command
    };
    if nextest {
        let mut command = common(&["nextest", "run"]);
        // Most of the time tests wait: for calls that take as long as calls take, and for timers.
        if std::env::var_os(THREADS).is_none() {
            let processors = std::thread::available_parallelism().map_or(1, usize::from);
            command.env(THREADS, (2 * processors).to_string());
        }
        command.args(rest);
        return vec![command];
    }
    // `--tests` leaves out doc tests, which have a step of their own, and benchmarks.
    let mut together = common(&["test", "--tests"]);
    together.arg("--").args(rest);
    // Whoever names what they want runs it as they say.
    if !rest.is_empty() {
        return vec![together];
    }
    together.args(ALONE.iter().flat_map(|name| ["--skip", name]));
    let mut alone = common(&["test", "--tests"]);
    alone.args(["--", "--test-threads", "1"]).args(ALONE);
    vec![together, alone]
}

fn doc_tests() -> Result<(), Failure> {
    run(cargo(["test", "--doc", "--no-fail-fast"]).args(WORKSPACE))
}

/// Without optimisation and without measuring: this finds benchmarks that no longer work, not slow ones.
fn benches() -> Result<(), Failure> {
    run(cargo(["test", "--bench", "*"]).args(WORKSPACE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(nextest: bool, package: Option<&str>, rest: &[&str], expected: &[&str]) {
        let rest: Vec<_> = rest.iter().map(|word| (*word).to_owned()).collect();
        let words = |command: &Command| {
            let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
            words.join(" ")
        };
        assert_eq!(runs(nextest, package, &rest).iter().map(words).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn without_nextest_what_needs_the_machine_alone_comes_last_and_one_by_one() {
        check(
            false,
            None,
            &[],
            &[
                "test --tests --workspace --all-features --locked --no-fail-fast -- --skip outbound::outlives::callers_ \
                 --skip demo::alone_",
                "test --tests --workspace --all-features --locked --no-fail-fast -- --test-threads 1 \
                 outbound::outlives::callers_ demo::alone_",
            ],
        );
        check(true, None, &[], &["nextest run --workspace --all-features --locked --no-fail-fast"]);
    }

    #[test]
    fn who_names_a_test_runs_that() {
        let package = "--package xtask --all-features --locked --no-fail-fast";
        check(false, Some("xtask"), &["tidy"], &[&format!("test --tests {package} -- tidy")]);
        check(true, Some("xtask"), &["tidy"], &[&format!("nextest run {package} tidy")]);
    }

    #[test]
    fn nextest_knows_the_same_names() {
        let file = std::fs::read_to_string(crate::command::root().join(".config/nextest.toml")).unwrap();
        let settings: toml::Table = file.parse().unwrap();
        let overrides = settings["profile"]["default"]["overrides"].as_array().unwrap();
        let alone = |one: &&toml::Value| one["threads-required"].as_str() == Some("num-test-threads");
        let filters: String = overrides.iter().filter(alone).map(|one| one["filter"].as_str().unwrap()).collect();
        assert_eq!(filters.matches('^').count(), ALONE.len(), "{filters}");
        assert!(ALONE.iter().all(|name| filters.contains(&format!("^{name}"))), "{filters}");
    }
}
