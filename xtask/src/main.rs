//! The workspace's own commands: `cargo xtask --help`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool speaks on the terminal")]

mod campaign;
mod check;
mod command;
mod failure;
mod features;
mod fuzz;
mod metadata;
mod postgres;
mod purity;
mod spdx;
mod step;
mod supply;
mod tidy;

use std::{
    process::{ExitCode, Stdio},
    time::Duration,
};

use clap::{Parser, Subcommand};

use crate::{
    command::{cargo, run},
    failure::Failure,
};

/// What developers and CI run in this workspace.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run every check, as CI does, and sum up what passed.
    Test,
    #[command(flatten)]
    Alone(Alone),
}

/// What developers run all day.
#[derive(Debug, Subcommand)]
enum Alone {
    /// Format every file.
    Fmt,
    /// Run clippy over all targets and features, warnings refused.
    Lint,
    /// Run unit, property and integration tests: of one package or of all.
    Unit {
        /// The package to test.
        #[arg(short, long)]
        package: Option<String>,
        /// What to tell the test runner: a test's name, a filter, an option.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
    /// Build the documentation, broken links refused.
    Docs,
    /// Compile each package alone with each set of its features.
    Features,
    /// Check that no build contains what it is meant to be free of.
    Purity,
    /// Check the licences and sources of all dependencies.
    Supply,
    /// Check that files are short and hold nothing of one person's machine.
    Tidy,
    /// Fuzz one target, or each in turn. Needs a C++ compiler.
    Fuzz {
        /// The target; every one if left out.
        target: Option<String>,
        /// How long each target runs, in seconds.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// What to tell libFuzzer, after `--`.
        #[arg(last = true)]
        rest: Vec<String>,
    },
    /// Play thousands of seeded handoffs with everything going wrong that can, or one of them to read its timeline.
    Campaign {
        /// How many.
        #[arg(long, default_value_t = 10_000)]
        seeds: u64,
        /// The first of them.
        #[arg(long, default_value_t = 0)]
        from: u64,
        /// Only this one, with its timeline.
        #[arg(long, conflicts_with_all = ["seeds", "from"])]
        seed: Option<u64>,
    },
    /// Put many calls through the bridge and through a byte copier, and compare. Takes the load runner's options.
    Load {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
    /// Place a call to the example server without any account, and write what both sides hear. Takes its options.
    Demo {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
}

fn main() -> ExitCode {
    let passed = match Arguments::parse().task {
        Task::Test => step::run_all(check::STEPS),
        Task::Alone(task) => perform(task).inspect_err(|failure| eprintln!("{}", failure.chain())).is_ok(),
    };
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn perform(task: Alone) -> Result<(), Failure> {
    match task {
        Alone::Fmt => check::fmt(),
        Alone::Lint => check::lint(),
        Alone::Unit { package, rest } => check::unit(package.as_deref(), &rest),
        Alone::Docs => check::docs(),
        Alone::Features => features::check(),
        Alone::Purity => purity::check(),
        Alone::Supply => supply::check(),
        Alone::Tidy => tidy::check(),
        Alone::Fuzz { target, seconds, rest } => fuzz::fuzz(target.as_deref(), Duration::from_secs(seconds), &rest),
        Alone::Campaign { seeds, from, seed } => campaign::play(seeds, from, seed),
        // Measured and shown as users run them: optimised.
        Alone::Load { rest } => {
            run(cargo(["run", "--release", "--package", "benches", "--bin", "load", "--"]).args(rest))
        }
        Alone::Demo { rest } => run(cargo(["run", "--package", "examples", "--bin", "inbound", "--", "--demo"])
            .args(rest)
            // Ctrl-C and a server's prompts belong to the person at the terminal.
            .stdin(Stdio::inherit())),
    }
}
