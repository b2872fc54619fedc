//! The playout ledger: how much of what was said has reached the caller's ear.
//!
//! The line plays what it was sent in real time and says so only at marks, which are sparse, as many small ones hurt
//! the playback. Between marks the position is interpolated by the clock: never beyond the next mark that is still
//! out and not long overdue, never beyond what was sent, never before what a mark has confirmed, and never backwards.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::{
    media::MarkId,
    realtime::{ItemId, ResponseId},
};

/// How late a mark may be before it counts as lost. Without this limit one lost mark would hold paced audio up for ever.
const MARK_LOST: Duration = Duration::from_secs(2);

/// How late a mark may be before it is no longer remembered.
const MARK_FORGOTTEN: Duration = Duration::from_secs(60);

/// What a piece of speech belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// A part of an entry that the model speaks.
    Model { response: ResponseId, item: ItemId, content_index: u32 },
    /// The same of a session that is over: it is still heard, and nobody can be told.
    Past { session: u32, item: ItemId, content_index: u32 },
    /// Something of our own, which the model does not know of.
    Local,
}

/// How much of a part was made, sent and heard. `heard ≤ sent ≤ received`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) source: Source,
    pub(crate) received: Duration,
    pub(crate) sent: Duration,
    pub(crate) heard: Duration,
    /// No more will be received.
    pub(crate) done: bool,
}

impl Part {
    fn new(source: Source) -> Self {
        let zero = Duration::ZERO;
        Self { source, received: zero, sent: zero, heard: zero, done: false }
    }
}

/// A stretch of the outgoing audio, in positions on the line.
#[derive(Debug)]
struct Segment {
    part: u64,
    start: Duration,
    end: Duration,
}

#[derive(Debug)]
struct Mark {
    id: MarkId,
    position: Duration,
}

#[derive(Debug)]
pub(crate) struct Ledger {
    /// Parts that are not yet heard to their end; their names grow by one each.
    parts: VecDeque<Part>,
    first_part: u64,
    segments: VecDeque<Segment>,
    marks: VecDeque<Mark>,
    /// Position up to which audio was sent.
    sent: Duration,
    /// Position the last mark has confirmed.
    confirmed: Duration,
    /// The line played `anchor.0` at the instant `anchor.1`.
    anchor: Option<(Duration, Instant)>,
    /// The furthest position ever told, so that no later answer is smaller.
    told: Duration,
    last_mark: Duration,
    epoch: u32,
    next_mark: u32,
}

impl Ledger {
    pub(crate) const fn new() -> Self {
        Self {
            parts: VecDeque::new(),
            first_part: 0,
            segments: VecDeque::new(),
            marks: VecDeque::new(),
            sent: Duration::ZERO,
            confirmed: Duration::ZERO,
            anchor: None,
            told: Duration::ZERO,
            last_mark: Duration::ZERO,
            epoch: 0,
            next_mark: 0,
        }
    }

    /// Counts the clears: what belongs to an older epoch must not play any more.
    pub(crate) const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Audio of `source` has come from the model. Gives the name of its part.
    pub(crate) fn receive(&mut self, source: &Source, duration: Duration) -> u64 {
        let name = self.part_named(source);
        if let Some(part) = self.part_mut(name) {
            part.received += duration;
        }
        name
    }

    /// No more audio of `source` will come.
    pub(crate) fn finish(&mut self, source: &Source) {
        if let Some(index) = self.parts.iter().rposition(|part| part.source == *source) {
            self.parts[index].done = true;
        }
    }

    /// No more audio of any part of `response` will come.
    pub(crate) fn finish_response(&mut self, response: &ResponseId) {
        for part in &mut self.parts {
            part.done |= matches!(&part.source, Source::Model { response: r, .. } if r == response);
        }
    }

    /// The parts of `response` that are not yet heard to their end, with how much of each was received.
    pub(crate) fn parts_of(&self, response: &ResponseId) -> Vec<(ItemId, u32, Duration)> {
        let of_response = |part: &Part| match &part.source {
            Source::Model { response: r, item, content_index } if r == response => {
                Some((item.clone(), *content_index, part.received))
            }
            Source::Model { .. } | Source::Past { .. } | Source::Local => None,
        };
        self.parts.iter().filter_map(of_response).collect()
    }

    /// Whether something of this entry of the present session is still to be heard.
    pub(crate) fn holds(&self, item: &ItemId) -> bool {
        self.parts.iter().any(|part| matches!(&part.source, Source::Model { item: known, .. } if known == item))
    }

    /// The session is over: no more audio will come for any part. Gives the parts that were not made to their end.
    pub(crate) fn leave(&mut self, session: u32) -> Vec<(ItemId, u32, Duration)> {
        let mut broken = Vec::new();
        for part in &mut self.parts {
            if let Source::Model { item, content_index, .. } = &part.source {
                let (item, content_index) = (item.clone(), *content_index);
                if !part.done {
                    broken.push((item.clone(), content_index, part.received));
                }
                part.source = Source::Past { session, item, content_index };
                part.done = true;
            }
        }
        broken
    }

    /// The parts of sessions that are over and whose speech is still to be heard.
    pub(crate) fn past(&self) -> Vec<(u32, ItemId)> {
        let past = |part: &Part| match &part.source {
            Source::Past { session, item, .. } => Some((*session, item.clone())),
            Source::Model { .. } | Source::Local => None,
        };
        self.parts.iter().filter_map(past).collect()
    }

    /// Audio of a part goes to the line now.
    pub(crate) fn send(&mut self, now: Instant, part: u64, duration: Duration) {
        // The line has run dry, also if a mark that was lost has not said so.
        if self.clock(now) >= self.sent {
            self.anchor = Some((self.sent, now));
        }
        let (start, end) = (self.sent, self.sent + duration);
        self.sent = end;
        if let Some(part) = self.part_mut(part) {
            part.sent += duration;
        }
        match self.segments.back_mut() {
            Some(last) if last.part == part => last.end = end,
            _ => self.segments.push_back(Segment { part, start, end }),
        }
    }

    /// How much was sent since the last mark.
    pub(crate) fn unmarked(&self) -> Duration {
        self.sent - self.last_mark
    }

    /// Whether the newest part will get no more audio.
    pub(crate) fn last_is_done(&self) -> bool {
        self.parts.back().is_none_or(|part| part.done)
    }

    /// Places a mark behind everything sent so far.
    pub(crate) fn mark(&mut self) -> MarkId {
        let id = MarkId(u64::from(self.epoch) << 32 | u64::from(self.next_mark));
        self.next_mark += 1;
        self.last_mark = self.sent;
        self.marks.push_back(Mark { id, position: self.sent });
        id
    }

    /// A mark came back. Gives its position, or `None` for one that a clear has voided or that was never ours.
    pub(crate) fn reached(&mut self, now: Instant, mark: MarkId) -> Option<Duration> {
        let index = self.marks.iter().position(|m| m.id == mark)?;
        // Marks come back in order: those before were lost on the way, and what lies before them was played.
        let position = self.marks.drain(..=index).next_back()?.position;
        self.confirmed = self.confirmed.max(position);
        self.anchor = Some((self.confirmed, now));
        self.told = self.told.max(self.confirmed);
        Some(position)
    }

    /// The position on the line that the caller hears at `now`, as well as it can be known.
    pub(crate) fn played(&mut self, now: Instant) -> Duration {
        let guess = self.clock(now).min(self.awaited(now).map_or(self.sent, |mark| mark.position));
        self.told = self.told.max(guess).max(self.confirmed).min(self.sent);
        self.told
    }

    /// The position by the clock alone, as if the line had no end.
    fn clock(&self, now: Instant) -> Duration {
        self.anchor.map_or(self.sent, |(position, since)| position + now.saturating_duration_since(since))
    }

    /// How much was sent and is not yet played.
    pub(crate) fn queued(&mut self, now: Instant) -> Duration {
        self.sent - self.played(now)
    }

    /// When no more than `ahead` will be left to play, if no mark comes before.
    pub(crate) fn when_left(&self, now: Instant, ahead: Duration) -> Option<Instant> {
        let wanted = self.sent.saturating_sub(ahead);
        let at = match self.awaited(now) {
            Some(mark) if mark.position < wanted => mark.position + MARK_LOST,
            _ => wanted,
        };
        self.anchor.map(|(position, since)| since + at.saturating_sub(position))
    }

    fn awaited(&self, now: Instant) -> Option<&Mark> {
        let clock = self.clock(now);
        self.marks.iter().find(|mark| clock < mark.position + MARK_LOST)
    }

    /// Counts marks as reached that are so late that they will never come: on a line that brings none they would gather
    /// for the whole call.
    pub(crate) fn forget_lost(&mut self, now: Instant) {
        let clock = self.clock(now);
        while let Some(mark) = self.marks.pop_front_if(|mark| clock >= mark.position + MARK_FORGOTTEN) {
            self.confirmed = self.confirmed.max(mark.position);
            self.told = self.told.max(self.confirmed);
        }
    }

    /// Whether a mark has confirmed everything that was sent, or nothing was.
    pub(crate) fn all_confirmed(&self) -> bool {
        self.confirmed >= self.sent
    }

    /// Whether everything received was sent, and should have been heard by now.
    pub(crate) fn is_silent(&mut self, now: Instant) -> bool {
        self.queued(now) == Duration::ZERO && self.parts.iter().all(|part| part.received == part.sent)
    }

    /// Takes the parts that were heard to their end.
    pub(crate) fn take_heard(&mut self) -> Vec<Part> {
        self.settle(self.confirmed);
        let mut heard = Vec::new();
        while self.parts.front().is_some_and(|part| part.done && part.heard >= part.received) {
            heard.extend(self.parts.pop_front());
            self.first_part += 1;
        }
        heard
    }

    /// Everything that was sent and not played is gone, everything received and not sent too. Gives all parts that were
    /// not heard to their end, with what was heard of them, in the order of playing.
    pub(crate) fn clear(&mut self, now: Instant) -> Vec<Part> {
        let played = self.played(now);
        self.settle(played);
        self.epoch += 1;
        self.next_mark = 0;
        self.marks.clear();
        self.segments.clear();
        self.first_part += self.parts.len() as u64;
        self.sent = played;
        self.confirmed = played;
        self.last_mark = played;
        self.anchor = None;
        std::mem::take(&mut self.parts).into()
    }

    /// What was heard of the parts up to `position` is written into them.
    fn settle(&mut self, position: Duration) {
        while let Some(segment) = self.segments.front_mut() {
            let heard = segment.end.min(position).saturating_sub(segment.start);
            segment.start += heard;
            let (part, finished) = (segment.part, segment.start >= segment.end);
            if let Some(part) = self.part_mut(part) {
                part.heard += heard;
            }
            if !finished {
                break;
            }
            self.segments.pop_front();
        }
    }

    fn part_named(&mut self, source: &Source) -> u64 {
        let index = match self.parts.iter().rposition(|part| part.source == *source && !part.done) {
            Some(index) => index,
            None => {
                self.parts.push_back(Part::new(source.clone()));
                self.parts.len() - 1
            }
        };
        self.first_part + index as u64
    }

    fn part_mut(&mut self, name: u64) -> Option<&mut Part> {
        let index = usize::try_from(name.checked_sub(self.first_part)?).ok()?;
        self.parts.get_mut(index)
    }
}

#[cfg(test)]
mod tests;
