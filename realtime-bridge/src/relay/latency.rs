//! How fast the agent answers, measured at the caller's ear.

use std::time::{Duration, Instant};

use super::event::TurnLatency;
use crate::{media::MarkId, realtime::ResponseId};

#[derive(Debug)]
struct Turn {
    since: Instant,
    response: Option<ResponseId>,
    latency: TurnLatency,
    /// The mark behind the first audio, and how long that audio plays.
    mark: Option<(MarkId, Duration)>,
}

/// Follows one turn at a time: a new one replaces one that got no answer.
#[derive(Debug, Default)]
pub(crate) struct Latency {
    turn: Option<Turn>,
}

impl Latency {
    /// The caller has stopped speaking, or the line is up and the agent greets.
    pub(crate) fn begin(&mut self, now: Instant) {
        self.turn = Some(Turn { since: now, response: None, latency: TurnLatency::default(), mark: None });
    }

    pub(crate) fn response_started(&mut self, now: Instant, response: &ResponseId) {
        if let Some(turn) = self.turn.as_mut().filter(|turn| turn.response.is_none()) {
            turn.response = Some(response.clone());
            turn.latency.response_started = Some(now.saturating_duration_since(turn.since));
        }
    }

    /// An answer without audio, such as one that only calls tools, leaves the turn to the next answer.
    pub(crate) fn response_done(&mut self, response: &ResponseId) {
        if let Some(turn) = self.of(response).filter(|turn| turn.latency.first_audio.is_none()) {
            turn.response = None;
        }
    }

    pub(crate) fn first_audio(&mut self, now: Instant, response: &ResponseId) {
        if let Some(turn) = self.of(response) {
            let elapsed = now.saturating_duration_since(turn.since);
            turn.latency.first_audio.get_or_insert(elapsed);
        }
    }

    /// Audio goes to the line. True when it is the first of the turn, which deserves a mark of its own.
    pub(crate) fn sent(&mut self, now: Instant, response: &ResponseId) -> bool {
        let Some(turn) = self.of(response).filter(|turn| turn.latency.first_sent.is_none()) else { return false };
        turn.latency.first_sent = Some(now.saturating_duration_since(turn.since));
        true
    }

    /// The mark behind the first audio, which plays for `duration`.
    pub(crate) fn marked(&mut self, mark: MarkId, duration: Duration) {
        if let Some(turn) = &mut self.turn {
            turn.mark = Some((mark, duration));
        }
    }

    /// A mark came back; the turn is complete when it was the one behind its first audio.
    pub(crate) fn reached(&mut self, now: Instant, mark: MarkId) -> Option<TurnLatency> {
        let turn = self.turn.take_if(|turn| turn.mark.is_some_and(|(m, _)| m == mark))?;
        let (_, duration) = turn.mark?;
        let ended = now.saturating_duration_since(turn.since);
        let mut latency = turn.latency;
        latency.first_heard = Some(ended.saturating_sub(duration).max(latency.first_sent.unwrap_or_default()));
        Some(latency)
    }

    fn of(&mut self, response: &ResponseId) -> Option<&mut Turn> {
        self.turn.as_mut().filter(|turn| turn.response.as_ref() == Some(response))
    }
}
