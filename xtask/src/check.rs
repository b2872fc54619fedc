//! The checks of `cargo xtask test`, in their order. A new check is a line in [`STEPS`] and a function.

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
        println!("cargo-nextest is not installed: tests run with `cargo test`");
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
    let nextest = has_subcommand("nextest");
    // `--tests` leaves out doc tests, which have a step of their own, and benchmarks.
    let mut command = if nextest { cargo(["nextest", "run"]) } else { cargo(["test", "--tests"]) };
    match package {
        None => command.args(WORKSPACE),
        Some(package) => command.args(["--package", package, "--all-features", "--locked"]),
    };
    command.arg("--no-fail-fast");
    if std::env::var_os(SEED.0).is_none() {
        command.env(SEED.0, SEED.1);
    }
    // Most of the time tests wait: for calls that take as long as calls take, and for timers.
    if nextest && std::env::var_os(THREADS).is_none() {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        command.env(THREADS, (2 * processors).to_string());
    }
    if !nextest && !rest.is_empty() {
        command.arg("--");
    }
    let _server = postgres::serve(&mut command)?;
    run(command.args(rest))
}

fn doc_tests() -> Result<(), Failure> {
    run(cargo(["test", "--doc", "--no-fail-fast"]).args(WORKSPACE))
}

/// Without optimisation and without measuring: this finds benchmarks that no longer work, not slow ones.
fn benches() -> Result<(), Failure> {
    run(cargo(["test", "--bench", "*"]).args(WORKSPACE))
}
