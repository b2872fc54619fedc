//! The caller's telephone: plays what it is sent in real time.

use std::{collections::VecDeque, task::Waker, time::Duration};

use tokio::time::Instant;

use crate::{
    audio::AudioFrame,
    media::{MarkId, MediaCommand},
};

/// A run of audio that the caller heard without a break within it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Heard {
    /// When it began, since the line was made.
    pub at: Duration,
    /// What was heard of it.
    pub frame: AudioFrame,
}

#[derive(Debug)]
pub(super) struct Telephone {
    began: Instant,
    /// All that was ever played or is to be played, in order, without what a clear has dropped.
    played: Vec<(Instant, AudioFrame)>,
    /// When all that was sent will have been played.
    empty_at: Instant,
    /// Marks that have not come back, and when they will.
    marks: VecDeque<(Instant, MarkId)>,
    /// All commands, and when they arrived.
    pub(super) commands: Vec<(Duration, MediaCommand)>,
    /// The caller takes nothing more.
    pub(super) stalled: bool,
    /// The line has been closed or dropped.
    pub(super) closed: bool,
    /// To be woken when a mark was added, and when the caller takes commands again.
    pub(super) stream_waker: Option<Waker>,
    pub(super) sink_waker: Option<Waker>,
}

impl Telephone {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            began: now,
            played: Vec::new(),
            empty_at: now,
            marks: VecDeque::new(),
            commands: Vec::new(),
            stalled: false,
            closed: false,
            stream_waker: None,
            sink_waker: None,
        }
    }

    pub(super) fn handle(&mut self, now: Instant, command: MediaCommand) {
        let start = self.empty_at.max(now);
        match &command {
            MediaCommand::Audio(frame) => {
                self.played.push((start, frame.clone()));
                self.empty_at = start + frame.duration();
            }
            MediaCommand::Mark(id) => self.marks.push_back((start, *id)),
            MediaCommand::Clear => self.clear(now),
        }
        self.commands.push((now - self.began, command));
    }

    fn clear(&mut self, now: Instant) {
        self.played.retain(|(at, _)| *at < now);
        if let Some((at, frame)) = self.played.last_mut() {
            *frame = first(frame, now - *at);
        }
        self.empty_at = now;
        for (due, _) in &mut self.marks {
            *due = (*due).min(now);
        }
    }

    /// When the next mark comes back.
    pub(super) fn next_mark(&self) -> Option<Instant> {
        self.marks.front().map(|(due, _)| *due)
    }

    /// The next mark that has been reached.
    pub(super) fn reached_mark(&mut self, now: Instant) -> Option<MarkId> {
        self.marks.pop_front_if(|(due, _)| *due <= now).map(|(_, id)| id)
    }

    pub(super) fn heard(&self, now: Instant) -> Vec<Heard> {
        self.played
            .iter()
            .filter(|(at, _)| *at < now)
            .map(|(at, frame)| Heard { at: *at - self.began, frame: first(frame, now - *at) })
            .collect()
    }

    pub(super) fn heard_total(&self, now: Instant) -> Duration {
        self.played.iter().map(|(at, frame)| frame.duration().min(now.saturating_duration_since(*at))).sum()
    }

    pub(super) fn empty_at(&self) -> Instant {
        self.empty_at
    }
}

/// The beginning of a frame.
fn first(frame: &AudioFrame, length: Duration) -> AudioFrame {
    let bytes = frame.format().bytes_in(length);
    if bytes >= frame.byte_len() {
        frame.clone()
    } else {
        AudioFrame::raw(frame.format(), frame.to_raw().slice(..bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::AudioFormat;

    const MS: Duration = Duration::from_millis(1);

    fn audio(ms: u32) -> MediaCommand {
        MediaCommand::Audio(AudioFrame::silence(AudioFormat::MuLaw, MS * ms))
    }

    #[tokio::test(start_paused = true)]
    async fn audio_plays_at_its_own_pace_however_it_comes() {
        let mut telephone = Telephone::new();
        let t0 = telephone.began;
        telephone.handle(t0, audio(100));
        telephone.handle(t0, audio(50));
        telephone.handle(t0, MediaCommand::Mark(MarkId(1)));
        // A pause of 50 ms, since nothing was there to play.
        telephone.handle(t0 + 200 * MS, audio(20));
        assert_eq!(telephone.heard_total(t0 + 120 * MS), 120 * MS);
        assert_eq!(telephone.reached_mark(t0 + 149 * MS), None);
        assert_eq!(telephone.reached_mark(t0 + 150 * MS), Some(MarkId(1)));
        let heard: Vec<_> = telephone.heard(t0 + 210 * MS).iter().map(|h| (h.at, h.frame.duration())).collect();
        assert_eq!(heard, [(Duration::ZERO, 100 * MS), (100 * MS, 50 * MS), (200 * MS, 10 * MS)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_clear_cuts_what_plays_drops_what_waits_and_frees_the_marks() {
        let mut telephone = Telephone::new();
        let t0 = telephone.began;
        for mark in 1..=3 {
            telephone.handle(t0, audio(100));
            telephone.handle(t0, MediaCommand::Mark(MarkId(mark)));
        }
        telephone.handle(t0 + 130 * MS, MediaCommand::Clear);
        let now = t0 + 130 * MS;
        assert_eq!(std::iter::from_fn(|| telephone.reached_mark(now)).map(|id| id.0).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(telephone.heard_total(t0 + 900 * MS), 130 * MS);
        telephone.handle(now, audio(20));
        assert_eq!(telephone.empty_at(), now + 20 * MS);
    }
}
