//! What the peers have seen.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What the peers have seen. Delays in microseconds.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Frames sent from this moment on count; `None` while warming up.
    pub(super) since: Option<u64>,
    /// Caller's write to model's read.
    pub(super) up: Vec<u32>,
    /// Model's write to caller's read.
    pub(super) down: Vec<u32>,
    /// `speech_started` written to `clear` read.
    pub(super) barge_in: Vec<u32>,
    /// Cut position the model was told, against what the caller's side had played at the `clear`.
    pub(super) cut: Vec<u32>,
    /// How late a caller's frame was sent, against its schedule.
    pub(super) late: Vec<u32>,
    pub(super) counts: Counts,
    /// The calls, for what one side must know of the other.
    pub(super) calls: Vec<Call>,
}

/// What caller and model of one call must know of each other to measure.
#[derive(Debug, Clone, Default)]
pub(super) struct Call {
    /// When the model said that the caller speaks, while agent audio was playing.
    pub(super) speech_started: Option<u64>,
    /// The cut position by the caller's playout clock: answer and milliseconds.
    pub(super) heard: Option<(u16, u64)>,
    /// The cut position the model was told.
    pub(super) truncated: Option<(u16, u64)>,
    /// Caller frames sent and received, and the same for deltas, within the measurement.
    pub(super) up: Line,
    pub(super) down: Line,
}

/// One direction's sequence.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Line {
    /// Number of the next frame to be sent.
    pub(super) sent: u32,
    /// Number of the next frame to be received.
    pub(super) received: u32,
    /// The first frame that counts.
    pub(super) first: Option<u32>,
}

/// Counts of the measurement.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// Caller frames sent, and lost.
    pub(crate) up_sent: u64,
    pub(crate) up_lost: u64,
    /// Deltas sent, lost, and dropped behind a `clear`, where they should be.
    pub(crate) down_sent: u64,
    pub(crate) down_lost: u64,
    pub(crate) down_cleared: u64,
    /// Marks the subject sent and we gave back.
    pub(crate) marks: u64,
    pub(crate) marks_returned: u64,
    /// Interruptions while agent audio played, and how many brought a `clear`.
    pub(crate) barge_ins: u64,
    pub(crate) clears: u64,
    /// Function calls made by the model and outputs given back.
    pub(crate) tool_calls: u64,
    pub(crate) tool_outputs: u64,
    /// Connections that broke before their time, and those left open at the end.
    pub(crate) broken: u64,
    pub(crate) left_open: u64,
    /// Everything else the subject sent, by type.
    pub(crate) others: BTreeMap<String, u64>,
}

impl Tally {
    pub(super) fn measures(&self, sent_at: u64) -> bool {
        self.since.is_some_and(|since| sent_at >= since)
    }

    pub(super) fn other(&mut self, kind: &str) {
        *self.counts.others.entry(kind.to_owned()).or_default() += 1;
    }

    /// Compares the two views of a cut once both are known.
    pub(super) fn compare_cut(&mut self, call: usize) {
        let call = &mut self.calls[call];
        if let (Some((heard_turn, heard)), Some((cut_turn, cut))) = (call.heard, call.truncated)
            && heard_turn == cut_turn
        {
            (call.heard, call.truncated) = (None, None);
            self.cut.push(u32::try_from(heard.abs_diff(cut)).unwrap_or(u32::MAX));
        }
    }
}

/// Microseconds from `then` to `now`.
pub(super) fn micros(then: u64, now: u64) -> u32 {
    u32::try_from(now.saturating_sub(then) / 1_000).unwrap_or(u32::MAX)
}

/// How a quantity is spread, in its own unit.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) count: usize,
    pub(crate) p50: u32,
    pub(crate) p99: u32,
    pub(crate) max: u32,
}

impl Spread {
    pub(crate) fn of(mut values: Vec<u32>) -> Self {
        values.sort_unstable();
        let at = |percent: usize| values.get((values.len() * percent / 100).min(values.len().saturating_sub(1)));
        Self {
            count: values.len(),
            p50: at(50).copied().unwrap_or(0),
            p99: at(99).copied().unwrap_or(0),
            max: values.last().copied().unwrap_or(0),
        }
    }
}
