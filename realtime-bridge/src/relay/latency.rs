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

    /// The caller begins to hear this answer, which the provider plays; the turn is complete when it is the first.
    pub(crate) fn heard_elsewhere(&mut self, now: Instant, response: &ResponseId) -> Option<TurnLatency> {
        let turn = self.turn.take_if(|turn| turn.response.as_ref() == Some(response))?;
        let mut latency = turn.latency;
        latency.first_heard = Some(now.saturating_duration_since(turn.since));
        Some(latency)
    }

    fn of(&mut self, response: &ResponseId) -> Option<&mut Turn> {
        self.turn.as_mut().filter(|turn| turn.response.as_ref() == Some(response))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_turn_is_measured_to_the_ear_and_belongs_to_the_answer_that_speaks() {
        let (mut latency, t0) = (Latency::default(), tokio::time::Instant::now().into_std());
        let (silent, spoken, mark) = ("a".into(), "b".into(), MarkId(7));
        latency.response_started(t0, &silent);
        assert!(!latency.sent(t0, &silent), "nobody has asked anything");

        latency.begin(t0);
        latency.response_started(t0 + 100 * MS, &silent);
        latency.response_done(&silent);
        latency.response_started(t0 + 300 * MS, &spoken);
        latency.first_audio(t0 + 350 * MS, &spoken);
        latency.first_audio(t0 + 400 * MS, &spoken);
        assert!(!latency.sent(t0 + 360 * MS, &silent));
        assert!(latency.sent(t0 + 360 * MS, &spoken) && !latency.sent(t0 + 380 * MS, &spoken));
        latency.marked(mark, 100 * MS);
        latency.response_done(&spoken);
        assert_eq!(latency.reached(t0 + 500 * MS, MarkId(6)), None);
        let turn = latency.reached(t0 + 560 * MS, mark).unwrap();
        let expected = [300, 350, 360, 460].map(|ms| Some(ms * MS));
        assert_eq!([turn.response_started, turn.first_audio, turn.first_sent, turn.first_heard], expected);
        assert_eq!(latency.reached(t0 + 560 * MS, mark), None, "a turn is told once");
    }

    #[test]
    fn nothing_is_heard_before_it_was_sent() {
        let (mut latency, t0) = (Latency::default(), tokio::time::Instant::now().into_std());
        let answer = "a".into();
        latency.begin(t0);
        latency.response_started(t0, &answer);
        latency.sent(t0 + 50 * MS, &answer);
        latency.marked(MarkId(1), 100 * MS);
        // A clear has released the mark.
        assert_eq!(latency.reached(t0 + 60 * MS, MarkId(1)).unwrap().first_heard, Some(50 * MS));
    }
}
