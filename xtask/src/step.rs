//! Running named checks one after the other, with a summary of what passed.

use std::{
    fmt::Write,
    time::{Duration, Instant},
};

use crate::failure::Failure;

/// One check.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    /// A word for the heading and the summary.
    pub(crate) name: &'static str,
    /// What it proves, in one line.
    pub(crate) proves: &'static str,
    /// The check itself. It prints as it goes.
    pub(crate) run: fn() -> Result<(), Failure>,
}

/// How one check went.
struct Outcome {
    name: &'static str,
    took: Duration,
    failure: Option<Failure>,
}

/// Runs every step, also after one has failed, since a broken format says nothing about the tests. Returns whether all
/// passed.
pub(crate) fn run_all(steps: &[Step]) -> bool {
    let outcomes: Vec<_> = steps.iter().enumerate().map(|(at, step)| run_one(at + 1, steps.len(), step)).collect();
    print!("{}", summary(&outcomes));
    outcomes.iter().all(|outcome| outcome.failure.is_none())
}

fn run_one(at: usize, of: usize, step: &Step) -> Outcome {
    println!("\n=== {at}/{of} {}: {}", step.name, step.proves);
    let began = now();
    let failure = (step.run)().err();
    let took = now().duration_since(began);
    match &failure {
        None => println!("--- {} passed in {}", step.name, seconds(took)),
        Some(failure) => println!("--- {} FAILED in {}\n{}", step.name, seconds(took), failure.chain()),
    }
    Outcome { name: step.name, took, failure }
}

fn summary(outcomes: &[Outcome]) -> String {
    let total: Duration = outcomes.iter().map(|outcome| outcome.took).sum();
    let failed = outcomes.iter().filter(|outcome| outcome.failure.is_some()).count();
    let mut text = format!("\n=== summary, {} in all\n", seconds(total));
    for Outcome { name, took, failure } in outcomes {
        let verdict = if failure.is_none() { "passed" } else { "FAILED" };
        writeln!(text, "{verdict}  {:>8}  {name}", seconds(*took)).expect("a String takes everything");
        if let Some(failure) = failure {
            writeln!(text, "  {}", failure.chain().replace('\n', "\n  ")).expect("a String takes everything");
        }
    }
    // Read by machines: the numbers of steps, alone on the last line.
    writeln!(text, "{} passed, {failed} failed", outcomes.len() - failed).expect("a String takes everything");
    text
}

fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}

#[expect(
    clippy::disallowed_methods,
    reason = "durations of commands are measured where they happen; no clock is paused"
)]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(name: &'static str, failure: Option<Failure>) -> Outcome {
        Outcome { name, took: Duration::from_millis(1_500), failure }
    }

    #[test]
    fn closes_with_the_counts_alone_on_a_line() {
        let missing = Failure::Missing { tool: "rustfmt", remedy: "rustup component add rustfmt" };
        let text = summary(&[outcome("format", Some(missing)), outcome("tests", None)]);
        assert_eq!(
            text,
            "\n=== summary, 3.0 s in all\n\
             FAILED     1.5 s  format\n  rustfmt is missing: rustup component add rustfmt\n\
             passed     1.5 s  tests\n\
             1 passed, 1 failed\n"
        );
    }

    #[test]
    fn goes_on_after_a_failure_and_tells_of_it() {
        fn pass() -> Result<(), Failure> {
            Ok(())
        }
        fn fail() -> Result<(), Failure> {
            Err(Failure::Broken { rule: "rule", found: vec!["here".into()] })
        }
        let good = Step { name: "good", proves: "nothing", run: pass };
        let bad = Step { name: "bad", proves: "nothing", run: fail };
        assert!(run_all(&[good, good]));
        assert!(!run_all(&[bad, good]));
        assert!(run_one(1, 2, &bad).failure.is_some());
    }
}
