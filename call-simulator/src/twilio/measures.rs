//! What a call felt like, measured from the speech of both sides.

use std::time::Duration;

use super::speech::SpeechSpan;

/// The figures of one call, as the caller's ear has them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Measures {
    /// Each time the agent answered the caller: end of the caller's speech to the agent's first audible frame.
    pub responses: Vec<Response>,
    /// Each time the caller spoke into the agent's speech.
    pub barge_ins: Vec<BargeIn>,
    /// The longest time in which neither side was heard, from the answer to the end of the call.
    pub longest_silence: Option<SpeechSpan>,
    /// All the time in which neither side was heard, from the answer to the end of the call.
    pub silence: Duration,
}

/// An answer of the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Response {
    /// When the caller's speech ended, since the call was placed.
    pub asked: Duration,
    /// From there to the agent's first audible frame.
    pub latency: Duration,
}

/// An interruption of the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BargeIn {
    /// When the caller began to speak, since the call was placed.
    pub at: Duration,
    /// From there to the end of the agent's last audible frame: how long both were heard at once, or how long the agent
    /// went on until it had said everything.
    pub cut_off: Duration,
}

impl Measures {
    /// Measures a call that was answered at `answered` and ended at `ended`. The spans of each side are in order.
    pub(crate) fn of(agent: &[SpeechSpan], caller: &[SpeechSpan], answered: Duration, ended: Duration) -> Self {
        let mut measures = Self::default();
        for (index, turn) in caller.iter().enumerate() {
            if let Some(talk) = agent.iter().find(|talk| talk.start < turn.start && turn.start < talk.end) {
                measures.barge_ins.push(BargeIn { at: turn.start, cut_off: talk.end - turn.start });
            }
            let next_turn = caller.get(index + 1).map_or(ended, |next| next.start);
            let answer = agent.iter().find(|talk| talk.start >= turn.end && talk.start <= next_turn);
            let still_talking = agent.iter().any(|talk| talk.start < turn.end && turn.end < talk.end);
            if let (Some(answer), false) = (answer, still_talking) {
                measures.responses.push(Response { asked: turn.end, latency: answer.start - turn.end });
            }
        }
        for gap in silences(agent, caller, answered, ended) {
            measures.silence += gap.duration();
            if measures.longest_silence.is_none_or(|longest| longest.duration() < gap.duration()) {
                measures.longest_silence = Some(gap);
            }
        }
        measures
    }

    /// The longest time that the caller waited for an answer.
    #[must_use]
    pub fn slowest_response(&self) -> Option<Duration> {
        self.responses.iter().map(|response| response.latency).max()
    }

    /// The longest time that the agent spoke on after the caller had begun.
    #[must_use]
    pub fn slowest_cut_off(&self) -> Option<Duration> {
        self.barge_ins.iter().map(|barge_in| barge_in.cut_off).max()
    }
}

fn silences(agent: &[SpeechSpan], caller: &[SpeechSpan], from: Duration, to: Duration) -> Vec<SpeechSpan> {
    let mut speech: Vec<_> = agent.iter().chain(caller).copied().collect();
    speech.sort_by_key(|span| span.start);
    let mut gaps = Vec::new();
    let mut quiet_since = from;
    for span in speech {
        if span.start > quiet_since {
            gaps.push(SpeechSpan { start: quiet_since, end: span.start.min(to) });
        }
        quiet_since = quiet_since.max(span.end);
    }
    if to > quiet_since {
        gaps.push(SpeechSpan { start: quiet_since, end: to });
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn spans(spans: &[(u64, u64)]) -> Vec<SpeechSpan> {
        spans.iter().map(|(start, end)| SpeechSpan { start: ms(*start), end: ms(*end) }).collect()
    }

    #[test]
    fn a_response_is_measured_from_the_callers_last_frame_to_the_agents_first() {
        let measures =
            Measures::of(&spans(&[(500, 2_000), (4_300, 6_000)]), &spans(&[(2_500, 4_000)]), ms(400), ms(7_000));
        assert_eq!(measures.responses, [Response { asked: ms(4_000), latency: ms(300) }]);
        assert_eq!(measures.barge_ins, []);
        assert_eq!(measures.longest_silence, Some(SpeechSpan { start: ms(6_000), end: ms(7_000) }));
        assert_eq!(measures.silence, ms(100 + 500 + 300 + 1_000));
    }

    #[test]
    fn a_barge_in_is_measured_to_the_agents_last_frame() {
        let measures = Measures::of(&spans(&[(0, 3_200), (5_000, 6_000)]), &spans(&[(3_000, 4_500)]), ms(0), ms(6_000));
        assert_eq!(measures.slowest_cut_off(), Some(ms(200)));
        assert_eq!(measures.slowest_response(), Some(ms(500)));
    }

    #[test]
    fn an_agent_who_talks_through_has_not_answered() {
        let measures = Measures::of(&spans(&[(0, 9_000)]), &spans(&[(3_000, 4_500)]), ms(0), ms(9_000));
        assert_eq!(measures.slowest_cut_off(), Some(ms(6_000)));
        assert_eq!(measures.responses, []);
        assert_eq!(measures.longest_silence, None);
    }

    #[test]
    fn a_caller_who_goes_on_alone_got_no_response() {
        let measures = Measures::of(&[], &spans(&[(0, 1_000), (5_000, 6_000)]), ms(0), ms(6_000));
        assert_eq!(measures.responses, []);
        assert_eq!(measures.longest_silence, Some(SpeechSpan { start: ms(1_000), end: ms(5_000) }));
    }
}
