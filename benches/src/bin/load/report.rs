//! The words and columns of the results.

use std::{
    error::Error,
    io::{self, Write},
};

use serde::Serialize;

use crate::{
    args::{Kind, Plan},
    peers::{Seen, Spread},
};

/// One measurement of one subject.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    pub(crate) kind: Kind,
    pub(crate) calls: u16,
    pub(crate) tls: bool,
    /// Share of the subject's core, 0 to 1.
    pub(crate) busy: f64,
    /// Share of the time in which the subject was ready and had to wait for its core: another program was there.
    pub(crate) waited: f64,
    /// System part of the subject's CPU time.
    pub(crate) system_share: f64,
    pub(crate) peers_busy: f64,
    pub(crate) peers_waited: f64,
    /// Microseconds of CPU for one second of one call.
    pub(crate) cpu_us_per_call_second: f64,
    /// How often the subject's thread went to sleep.
    pub(crate) sleeps_per_second: f64,
    /// Growth of the resident memory from before the first call, by call, in bytes.
    pub(crate) memory_per_call: u64,
    pub(crate) resident: u64,
    pub(crate) seen: Seen,
    /// What the subject had to say in the end.
    pub(crate) said: String,
}

pub(crate) fn head(plan: &Plan) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{} s each, subject on core {}, peers on core {}", plan.seconds, plan.subject_core, plan.peer_core)?;
    writeln!(
        out,
        "{:10} {:>5} {:>6} {:>5} {:>5} {:>6} {:>9} {:>8} {:>20} {:>20} {:>20} {:>14} {:>9}",
        "subject",
        "calls",
        "core",
        "sys",
        "wait",
        "peers",
        "µs/call·s",
        "KiB/call",
        "up µs p50/p99/max",
        "down µs p50/p99/max",
        "barge µs p50/p99/max",
        "cut ms p50/max",
        "lost"
    )
}

pub(crate) fn line(measured: &Measured) -> io::Result<()> {
    let Seen { up, down, barge_in, cut, counts, .. } = &measured.seen;
    let spread = |spread: &Spread| format!("{}/{}/{}", spread.p50, spread.p99, spread.max);
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "{:10} {:>5} {:>5.1}% {:>4.0}% {:>4.0}% {:>5.1}% {:>9.1} {:>8.1} {:>20} {:>20} {:>20} {:>14} {:>9}",
        measured.kind.name(),
        measured.calls,
        measured.busy * 100.0,
        measured.system_share * 100.0,
        measured.waited * 100.0,
        measured.peers_busy * 100.0,
        measured.cpu_us_per_call_second,
        measured.memory_per_call as f64 / 1024.0,
        spread(up),
        spread(down),
        spread(barge_in),
        format!("{}/{}", cut.p50, cut.max),
        format!("{}+{}", counts.up_lost, counts.down_lost),
    )?;
    if counts.broken + counts.left_open > 0 || !counts.others.is_empty() {
        writeln!(
            out,
            "         {} sockets broke, {} were left open; others: {:?}",
            counts.broken, counts.left_open, counts.others
        )?;
    }
    if !measured.said.is_empty() {
        writeln!(out, "         {}", measured.said)?;
    }
    Ok(())
}

/// Medians by subject, and the ratio to the copier in paired rounds.
pub(crate) fn summary(plan: &Plan, all: &[Measured]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let of = |kind: Kind| all.iter().filter(move |measured| measured.kind == kind);
    writeln!(out)?;
    for &kind in &plan.subjects {
        let middle = |value: fn(&Measured) -> f64| median(of(kind).map(value).collect());
        writeln!(
            out,
            "{:10} median of {} rounds: {:.1} µs CPU per call-second, {:.1} KiB per call, p99 up {:.0} µs, down {:.0} µs, \
             barge-in {:.0} µs, {:.0} sleeps/s",
            kind.name(),
            of(kind).count(),
            middle(|m| m.cpu_us_per_call_second),
            middle(|m| m.memory_per_call as f64 / 1024.0),
            middle(|m| m.seen.up.p99.into()),
            middle(|m| m.seen.down.p99.into()),
            middle(|m| m.seen.barge_in.p99.into()),
            middle(|m| m.sleeps_per_second),
        )?;
        if kind != Kind::Copier && of(Kind::Copier).count() > 0 {
            let ratios: Vec<f64> = of(kind)
                .zip(of(Kind::Copier))
                .map(|(subject, copier)| subject.cpu_us_per_call_second / copier.cpu_us_per_call_second)
                .collect();
            let list: Vec<String> = ratios.iter().map(|ratio| format!("{ratio:.2}")).collect();
            writeln!(out, "         {:.2} times the copier's CPU (rounds: {})", median(ratios), list.join(", "))?;
        }
        let sum = |value: fn(&Seen) -> u64| of(kind).map(|measured| value(&measured.seen)).sum::<u64>();
        writeln!(
            out,
            "         {} of {} caller frames and {} of {} deltas lost ({} dropped by clear); {} marks, {} returned; \
             {} interruptions, {} cleared; {} tool calls, {} outputs",
            sum(|s| s.counts.up_lost),
            sum(|s| s.counts.up_sent),
            sum(|s| s.counts.down_lost),
            sum(|s| s.counts.down_sent),
            sum(|s| s.counts.down_cleared),
            sum(|s| s.counts.marks),
            sum(|s| s.counts.marks_returned),
            sum(|s| s.counts.barge_ins),
            sum(|s| s.counts.clears),
            sum(|s| s.counts.tool_calls),
            sum(|s| s.counts.tool_outputs),
        )?;
        let waited = of(kind).map(|measured| measured.waited).fold(0.0, f64::max);
        if waited > 0.05 {
            writeln!(
                out,
                "         disturbed: the subject waited for its core up to {:.0} % of the time",
                waited * 100.0
            )?;
        }
    }
    Ok(())
}

pub(crate) fn note(text: &str) -> Result<(), Box<dyn Error>> {
    writeln!(io::stdout(), "{text}")?;
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
