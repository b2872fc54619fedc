//! When somebody is heard to speak, told from the energy of what is on the line.

use std::time::Duration;

use super::frame::{FRAME, start_of};

/// A stretch of speech; the pauses between words belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpeechSpan {
    /// The begin of the first audible frame, since the call was placed.
    pub start: Duration,
    /// The end of the last audible frame, since the call was placed.
    pub end: Duration,
}

impl SpeechSpan {
    /// From the first audible frame to the last.
    #[must_use]
    pub const fn duration(&self) -> Duration {
        self.end.saturating_sub(self.start)
    }
}

/// Follows one side of the line, a frame at a time.
#[derive(Debug)]
pub(super) struct SpeechTracker {
    /// Silence that ends a span.
    gap: Duration,
    frames: u64,
    current: Option<SpeechSpan>,
    spans: Vec<SpeechSpan>,
}

/// What a frame has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SpanChange {
    /// Speech has begun with this frame.
    Began,
    /// Speech has ended some time ago; only the silence since then makes it sure.
    Ended(SpeechSpan),
}

impl SpeechTracker {
    pub(super) const fn new(gap: Duration) -> Self {
        Self { gap, frames: 0, current: None, spans: Vec::new() }
    }

    /// Takes the next 20 ms.
    pub(super) fn frame(&mut self, audible: bool) -> Option<SpanChange> {
        let start = start_of(self.frames);
        self.frames += 1;
        match (&mut self.current, audible) {
            (Some(span), true) => span.end = start + FRAME,
            (None, true) => {
                self.current = Some(SpeechSpan { start, end: start + FRAME });
                return Some(SpanChange::Began);
            }
            (Some(span), false) if start + FRAME - span.end >= self.gap => return self.finish().map(SpanChange::Ended),
            (_, false) => {}
        }
        None
    }

    /// How long the side has been speaking, `None` when it is silent.
    pub(super) fn speaking_for(&self) -> Option<Duration> {
        self.current.map(|span| start_of(self.frames) - span.start)
    }

    /// Ends the span that is open.
    pub(super) fn finish(&mut self) -> Option<SpeechSpan> {
        let span = self.current.take()?;
        self.spans.push(span);
        Some(span)
    }

    /// The spans that have ended, in order.
    pub(super) fn spans(&self) -> &[SpeechSpan] {
        &self.spans
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn pauses_between_words_do_not_end_a_span() {
        let mut tracker = SpeechTracker::new(ms(60));
        let changes: Vec<_> = "..##..#....#"
            .chars()
            .enumerate()
            .filter_map(|(i, c)| tracker.frame(c == '#').map(|change| (i, change)))
            .collect();
        let first = SpeechSpan { start: ms(40), end: ms(140) };
        assert_eq!(changes, [(2, SpanChange::Began), (9, SpanChange::Ended(first)), (11, SpanChange::Began)]);
        assert_eq!(tracker.finish(), Some(SpeechSpan { start: ms(220), end: ms(240) }));
        assert_eq!(tracker.spans().len(), 2);
        assert_eq!(first.duration(), ms(100));
    }
}
