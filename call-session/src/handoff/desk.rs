//! What a runner remembers of what it has tried. Gone with the process: everything that must outlive it is an event.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;

use super::machine::Effect;
use crate::id::{LegId, NodeId};

/// The longest wait between two attempts at the same thing.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How long it is relied on that somebody is kept free: less than they are, for it is written down meanwhile.
const KNOWN: Duration = Duration::from_secs(3);

/// Something that is tried, maybe more than once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Task {
    Farewell,
    /// Whether somebody is free, after so many were dialled.
    KeepFree(usize),
    Dial(LegId),
    Find(LegId),
    End(LegId),
    Role(LegId),
    /// To the person.
    MoveOut,
    /// Back to the agent, or to the goodbye.
    MoveBack,
    LeaveStream,
    Look,
    Tell,
}

/// How far something is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tried {
    pub(super) running: bool,
    /// How often it was begun.
    pub(super) times: u32,
    /// How often it certainly did not happen, or nobody knows.
    pub(super) failed: u32,
    /// When it last ended.
    pub(super) ended: Option<Timestamp>,
    /// When it last ended well.
    pub(super) well: Option<Timestamp>,
}

/// Who is to be dialled next: of the handoff that was requested then, after so many legs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Next {
    pub(super) requested: Timestamp,
    pub(super) after: usize,
    /// Which of the plan's candidates.
    pub(super) candidate: usize,
}

/// What a runner remembers of what it has tried.
#[derive(Debug)]
pub struct Desk {
    pub(super) me: NodeId,
    /// When it began.
    pub(super) since: Timestamp,
    /// The handoff was begun by another runner, so that nobody here knows what is under way.
    pub(super) inherited: bool,
    tried: BTreeMap<Task, Tried>,
    /// Legs that only this runner can have dialled.
    mine: Vec<LegId>,
    /// Whether the person who is to be dialled next is free, and when that was known.
    freedom: Option<(Next, bool, Timestamp)>,
}

impl Desk {
    /// Nothing tried yet.
    #[must_use]
    pub const fn new(me: NodeId, since: Timestamp, inherited: bool) -> Self {
        Self { me, since, inherited, tried: BTreeMap::new(), mine: Vec::new(), freedom: None }
    }

    /// The server it is of.
    #[must_use]
    pub const fn me(&self) -> &NodeId {
        &self.me
    }

    /// A leg of this name may be proposed from here on, and by nobody else.
    pub fn offer(&mut self, leg: LegId) {
        self.mine.push(leg);
    }

    /// This person is free, or is not.
    pub fn hear(&mut self, effect: &Effect, free: bool, now: Timestamp) {
        if let Effect::KeepFree { requested, after, number, .. } = effect {
            let next = Next { requested: *requested, after: *after, candidate: *number };
            self.freedom = Some((next, free, now));
        }
    }

    /// Whether this person is free, if that is known and still true.
    pub(super) fn is_free(&self, next: Next, now: Timestamp) -> Option<bool> {
        let (_, free, known) = self.freedom.filter(|(asked, ..)| *asked == next)?;
        (!free || now <= after(known, KNOWN)).then_some(free)
    }

    pub(super) fn is_mine(&self, leg: LegId) -> bool {
        self.mine.contains(&leg)
    }

    pub(super) fn tried(&self, task: Task) -> Tried {
        self.tried.get(&task).copied().unwrap_or_default()
    }

    /// This is being done.
    pub fn begin(&mut self, effect: &Effect) {
        let tried = self.tried.entry(effect.task()).or_default();
        tried.running = true;
        tried.times += 1;
    }

    /// This was done, or it is not known whether it was.
    pub fn end(&mut self, effect: &Effect, well: bool, now: Timestamp) {
        let tried = self.tried.entry(effect.task()).or_default();
        tried.running = false;
        tried.ended = Some(now);
        if well {
            tried.well = Some(now);
        } else {
            tried.failed += 1;
        }
    }

    /// When it may be tried again: each time after twice the pause.
    pub(super) fn next(&self, task: Task, pause: Duration) -> Due {
        let tried = self.tried(task);
        if tried.running {
            return Due::Running;
        }
        let Some(ended) = tried.ended else { return Due::At(Timestamp::MIN) };
        let pause = pause.saturating_mul(1 << tried.times.saturating_sub(1).min(8)).min(LONGEST_PAUSE);
        Due::At(after(ended, pause))
    }
}

/// When something may be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Running,
    At(Timestamp),
}

/// A time and a while.
pub(super) fn after(at: Timestamp, pause: Duration) -> Timestamp {
    at.saturating_add(pause).unwrap_or(Timestamp::MAX)
}
