//! Handing callers to persons: many seeded handoffs, with everything going wrong that can.

mod asking;
mod chance;
mod lines;
mod play;
mod quiet;
mod refer;
mod telephone;
mod world;

use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
};

use play::play;

fn run(seed: u64) -> (String, Vec<String>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(play(seed))
}

/// Plays the handoffs of these seeds, each in a world of its own, on all processors.
fn campaign(first: u64, count: u64) {
    let next = AtomicU64::new(first);
    let bad = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        return;
                    }
                    let (timeline, wrongs) = run(seed);
                    if !wrongs.is_empty() {
                        bad.lock().unwrap().push((seed, wrongs, timeline));
                    }
                }
            });
        }
    });
    let mut bad = bad.into_inner().unwrap();
    bad.sort_by_key(|(seed, ..)| *seed);
    let mut report = String::new();
    for (number, (seed, wrongs, timeline)) in bad.iter().enumerate() {
        // Three timelines are enough to read.
        let timeline = if number < 3 { timeline.as_str() } else { "" };
        report += &format!("seed {seed}: {wrongs:?}\n{timeline}\n");
    }
    assert!(bad.is_empty(), "{} of {count} handoffs went wrong\n{report}", bad.len());
}

/// The seed, or the first and the number of a long campaign, from the environment.
fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn some_hundred_handoffs_leave_nobody_in_silence_or_alone() {
    campaign(0, 300);
}

#[test]
#[ignore = "long: `cargo xtask campaign`"]
fn thousands_of_handoffs() {
    campaign(asked("HANDOFF_FROM").unwrap_or(0), asked("HANDOFF_SEEDS").unwrap_or(10_000));
}

#[test]
#[ignore = "for reading: `cargo xtask campaign --seed`"]
#[expect(clippy::print_stdout, reason = "somebody wants to read it")]
fn one_handoff_to_read() {
    let seed = asked("HANDOFF_SEED").unwrap_or(0);
    let (timeline, wrongs) = run(seed);
    println!("{timeline}");
    assert!(wrongs.is_empty(), "seed {seed}: {wrongs:?}");
}

#[test]
fn the_same_seed_is_the_same_handoff() {
    for seed in (0..300).step_by(7) {
        assert_eq!(run(seed), run(seed), "seed {seed}");
    }
}
