//! The long campaign of handoffs, or one handoff to read.

use crate::{
    command::{cargo, run},
    failure::Failure,
};

/// Plays so many handoffs from this seed on, or only one and prints its timeline. The tests of the crate hold the model and
/// what must be true; here they get more time than CI has.
pub(crate) fn play(seeds: u64, from: u64, seed: Option<u64>) -> Result<(), Failure> {
    let test = if seed.is_some() { "one_handoff_to_read" } else { "thousands_of_handoffs" };
    let mut test = cargo([
        "test",
        "--package",
        "call-session",
        "--all-features",
        "--test",
        "it",
        "--",
        "--ignored",
        "--nocapture",
        "--exact",
        &format!("handoff::{test}"),
    ]);
    test.env("HANDOFF_SEEDS", seeds.to_string()).env("HANDOFF_FROM", from.to_string());
    if let Some(seed) = seed {
        test.env("HANDOFF_SEED", seed.to_string());
    }
    run(&mut test)
}
