//! The response sequencer: one answer at a time.
//!
//! A provider refuses a second answer while one runs, and the request is lost, not queued. So every wish to have the
//! model speak waits here until the slot is free; wishes that wait together become one answer, but for words that are to
//! be said exactly.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::realtime::{NewItem, ProviderError, RequestId, ResponseId, ResponseOptions};

/// How long a request may go without an answer or an error, as neither is promised.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// How long to wait after a refusal whose cause is not known to us, before asking again.
const REFUSED_PAUSE: Duration = Duration::from_millis(250);

/// How often a wish is refused since an answer is in its way that we know nothing of, before it is dropped.
const REFUSALS_LIMIT: u8 = 20;

/// Why the model is to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Purpose {
    Greeting,
    /// The caller has finished a turn and we own the turns.
    Turn,
    ToolResults,
    Filler,
    Nudge,
    Goodbye,
    Say,
    Keys,
}

impl Purpose {
    /// Whether any other answer serves as well, since what it is about is in the conversation already.
    const fn served_by_any(self) -> bool {
        matches!(self, Self::Turn | Self::ToolResults | Self::Keys)
    }

    /// Whether it is worth saying after the caller has interrupted.
    const fn survives_interruption(self) -> bool {
        matches!(self, Self::ToolResults | Self::Goodbye | Self::Say | Self::Keys)
    }
}

/// Why the model is to speak, with the entry that goes before the request.
#[derive(Debug, Clone)]
struct Reason {
    purpose: Purpose,
    item: Option<NewItem>,
    /// The session knows the entry.
    told: bool,
}

impl Reason {
    const fn new(purpose: Purpose, item: Option<NewItem>) -> Self {
        Self { purpose, item, told: false }
    }
}

/// A wish to have the model speak.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wish {
    reasons: Vec<Reason>,
    options: ResponseOptions,
    /// It gets an answer of its own: one answer can't say two things "and nothing else".
    apart: bool,
    retries: u8,
    refusals: u8,
}

impl Wish {
    pub(crate) fn new(purpose: Purpose) -> Self {
        Self { reasons: vec![Reason::new(purpose, None)], ..Self::default() }
    }

    /// The model is told `item` before it is asked.
    pub(crate) fn about(purpose: Purpose, item: NewItem) -> Self {
        Self { reasons: vec![Reason::new(purpose, Some(item))], ..Self::default() }
    }

    pub(crate) const fn apart(mut self) -> Self {
        self.apart = true;
        self
    }

    pub(crate) const fn without_tools(mut self) -> Self {
        self.options.without_tools = true;
        self
    }

    pub(crate) fn is_for(&self, purpose: Purpose) -> bool {
        self.reasons.iter().any(|reason| reason.purpose == purpose)
    }

    fn merge(&mut self, more: Self) {
        self.reasons.extend(more.reasons);
        // A restriction that only one of them wants would harm the other.
        self.options.without_tools &= more.options.without_tools;
        self.options.instructions = more.options.instructions.or_else(|| self.options.instructions.take());
        self.retries = self.retries.max(more.retries);
        self.refusals = self.refusals.max(more.refusals);
    }

    /// Drops the reasons that `keep` does not hold for. False when none is left.
    fn retain(&mut self, keep: impl Fn(Purpose) -> bool) -> bool {
        self.reasons.retain(|reason| keep(reason.purpose));
        !self.reasons.is_empty()
    }

    fn served_by_any(&self) -> bool {
        self.reasons.iter().all(|reason| (reason.told || reason.item.is_none()) && reason.purpose.served_by_any())
    }

    /// What the model has to be told for it, once.
    fn tell(&mut self) -> Vec<NewItem> {
        let tell =
            |reason: &mut Reason| if std::mem::replace(&mut reason.told, true) { None } else { reason.item.clone() };
        self.reasons.iter_mut().filter_map(tell).collect()
    }

    /// Another session knows nothing of it.
    fn untell(&mut self) {
        self.reasons.iter_mut().for_each(|reason| reason.told = false);
        (self.retries, self.refusals) = (0, 0);
    }
}

#[derive(Debug)]
struct InFlight {
    request: RequestId,
    wish: Wish,
    since: Instant,
    /// How many results had been told before it.
    told: u64,
    /// The caller interrupted before the answer began: it is cancelled as soon as it has a name.
    unwanted: bool,
}

#[derive(Debug)]
struct Active {
    response: ResponseId,
    wish: Option<Wish>,
    cancelled: bool,
}

/// What to do about an answer that began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Began {
    /// Let it speak.
    Wanted,
    /// It was interrupted before it began: cancel it, and play nothing of it.
    Unwanted,
}

/// What is to be sent, in this order.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) items: Vec<NewItem>,
    pub(crate) options: ResponseOptions,
}

/// What is known of an answer that ended.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    /// The wish behind it; `None` for one that was not known or not ours.
    pub(crate) wish: Option<Wish>,
    /// It was interrupted, whether or not it came to its end before the model heard of that.
    pub(crate) cancelled: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Sequencer {
    active: Option<Active>,
    in_flight: Option<InFlight>,
    /// What waits, in order; at most one of them shares its answer with others.
    pending: VecDeque<Wish>,
    not_before: Option<Instant>,
    /// How many results (of tools, and of keys) the model was told.
    told: u64,
    /// How many of them are in the conversation, as far as the model has said so.
    known: u64,
}

impl Sequencer {
    /// The model shall speak as soon as it may.
    pub(crate) fn want(&mut self, wish: Wish) {
        match self.pending.iter_mut().find(|pending| !pending.apart && !wish.apart) {
            Some(pending) => pending.merge(wish),
            // Whoever has asked something waits for an answer, and comes before what we have to say.
            None if wish.served_by_any() => self.pending.push_front(wish),
            None => self.pending.push_back(wish),
        }
    }

    /// A result was told to the model: what a tool gave, or keys.
    pub(crate) const fn result_told(&mut self) {
        self.told += 1;
    }

    /// The model has put a result into its conversation.
    pub(crate) fn result_known(&mut self) {
        self.known = self.told.min(self.known + 1);
    }

    /// Whether an answer runs, was asked for, or waits.
    pub(crate) fn is_busy(&self) -> bool {
        self.is_owed() || !self.pending.is_empty()
    }

    /// Whether the model has been asked for an answer, or makes one.
    pub(crate) const fn is_owed(&self) -> bool {
        self.active.is_some() || self.in_flight.is_some()
    }

    /// Whether this purpose waits, was asked for, or is being answered.
    pub(crate) fn has(&self, purpose: Purpose) -> bool {
        let active = self.active.as_ref().and_then(|active| active.wish.as_ref());
        let in_flight = self.in_flight.as_ref().map(|flight| &flight.wish);
        active.into_iter().chain(in_flight).any(|wish| wish.is_for(purpose)) || self.waits(purpose)
    }

    /// Whether this purpose waits.
    pub(crate) fn waits(&self, purpose: Purpose) -> bool {
        self.pending.iter().any(|wish| wish.is_for(purpose))
    }

    /// The answer that runs.
    pub(crate) fn active(&self) -> Option<&ResponseId> {
        self.active.as_ref().map(|active| &active.response)
    }

    /// Takes the next request if the slot is free; `request` becomes its name.
    pub(crate) fn ask(&mut self, now: Instant, request: RequestId) -> Option<Ask> {
        if !self.may_ask(now) {
            return None;
        }
        let mut wish = self.pending.pop_front()?;
        let items = wish.tell();
        let ask = Ask { items, options: wish.options.clone() };
        self.in_flight = Some(InFlight { request, wish, since: now, told: self.told, unwanted: false });
        self.not_before = None;
        Some(ask)
    }

    /// Whether [`Sequencer::ask`] would give something.
    pub(crate) fn may_ask(&self, now: Instant) -> bool {
        !self.pending.is_empty()
            && self.active.is_none()
            && self.in_flight.is_none()
            && self.not_before.is_none_or(|at| at <= now)
    }

    /// An answer began; `request` is ours if we asked for it.
    pub(crate) fn began(&mut self, response: &ResponseId, request: Option<RequestId>) -> Began {
        let ours = match (&self.in_flight, request) {
            (Some(flight), Some(request)) if flight.request == request => self.in_flight.take(),
            _ => None,
        };
        // The model takes what it is told in order.
        self.known = self.known.max(ours.as_ref().map_or(0, |flight| flight.told));
        let unwanted = ours.as_ref().is_some_and(|flight| flight.unwanted);
        let free = ours.as_ref().is_none_or(|flight| !flight.wish.apart);
        // What waits with nothing of its own to add is served by whatever the model says now, if the model knows of it.
        // A result that it does not confirm gets an answer of its own: one too many is better than none.
        if free && !unwanted && self.known == self.told {
            self.pending.retain(|wish| !wish.served_by_any());
        }
        self.active =
            Some(Active { response: response.clone(), wish: ours.map(|flight| flight.wish), cancelled: unwanted });
        if unwanted { Began::Unwanted } else { Began::Wanted }
    }

    /// An answer ended.
    pub(crate) fn ended(&mut self, response: &ResponseId) -> Ended {
        let active = self.active.take_if(|active| active.response == *response);
        active.map_or_else(Ended::default, |Active { wish, cancelled, .. }| Ended { wish, cancelled })
    }

    /// Whether this problem is that the request in flight was refused; `passes` when the problem will pass by itself.
    pub(crate) fn is_refused(&self, error: &ProviderError, passes: bool) -> bool {
        // Errors about a request do not always carry its name.
        let unnamed = error.request.is_none() && (passes || is_occupied(error));
        self.in_flight.as_ref().is_some_and(|flight| unnamed || error.request == Some(flight.request))
    }

    /// The request in flight was refused. The wish waits again where that may help: until the answer ends that was in its
    /// way, or for `retry_after`.
    pub(crate) fn refused(&mut self, now: Instant, error: &ProviderError, retry_after: Option<Duration>) {
        let Some(InFlight { mut wish, unwanted: false, .. }) = self.in_flight.take() else { return };
        if is_occupied(error) && wish.refusals < REFUSALS_LIMIT {
            wish.refusals += 1;
            self.again(wish, now + REFUSED_PAUSE);
        } else if let Some(pause) = retry_after {
            self.retry(Some(wish), now + pause);
        }
    }

    /// What was asked for is not expected to be answered.
    pub(crate) fn withdraw(&mut self) {
        self.in_flight = None;
    }

    /// An answer failed in a way that may pass: the same wish again after `pause`, once. False when it was tried before.
    pub(crate) fn retry(&mut self, wish: Option<Wish>, at: Instant) -> bool {
        let mut wish = wish.unwrap_or_else(|| Wish::new(Purpose::Turn));
        if wish.retries >= 1 {
            return false;
        }
        wish.retries += 1;
        self.again(wish, at);
        true
    }

    /// The caller, or a command, stops everything. Gives the answer that has to be cancelled by name if it runs.
    pub(crate) fn interrupt(&mut self) -> Option<ResponseId> {
        self.pending.retain_mut(|wish| wish.retain(Purpose::survives_interruption));
        if let Some(flight) = &mut self.in_flight {
            flight.unwanted = true;
            let mut kept = flight.wish.clone();
            if kept.retain(Purpose::survives_interruption) {
                self.put_back(kept);
            }
        }
        let active = self.active.as_mut().filter(|active| !active.cancelled)?;
        active.cancelled = true;
        Some(active.response.clone())
    }

    /// The session was lost; `sounded` when something of the answer it was making has been heard, or will be. What was
    /// wished for waits for the next one. True when an answer that nobody has wished for here is owed.
    pub(crate) fn leave(&mut self, sounded: bool) -> bool {
        let mut owed = false;
        self.pending.iter_mut().for_each(Wish::untell);
        let flight = self.in_flight.take().filter(|flight| !flight.unwanted).map(|flight| flight.wish);
        if let Some(active) = self.active.take().filter(|active| !active.cancelled && !sounded) {
            match active.wish {
                Some(mut wish) => {
                    wish.untell();
                    self.put_back(wish);
                }
                None => owed = true,
            }
        }
        if let Some(mut wish) = flight {
            wish.untell();
            self.put_back(wish);
        }
        (self.told, self.known, self.not_before) = (0, 0, None);
        owed
    }

    /// What waits for this purpose is no longer wanted.
    pub(crate) fn forget(&mut self, purpose: Purpose) {
        self.pending.retain_mut(|wish| wish.retain(|p| p != purpose));
    }

    /// The request in flight got neither an answer nor an error in time. Gives the wish behind it if it is still one.
    pub(crate) fn give_up(&mut self, now: Instant) -> Option<Wish> {
        let flight = self.in_flight.take_if(|flight| now >= flight.since + REQUEST_LIMIT)?;
        (!flight.unwanted).then_some(flight.wish)
    }

    /// When to look again.
    pub(crate) fn timeout(&self, now: Instant) -> Option<Instant> {
        let limit = self.in_flight.as_ref().map(|flight| flight.since + REQUEST_LIMIT);
        let again = self.not_before.filter(|at| *at > now && !self.pending.is_empty());
        limit.into_iter().chain(again).min()
    }

    fn again(&mut self, wish: Wish, at: Instant) {
        self.put_back(wish);
        self.not_before = Some(at);
    }

    /// A wish that had its turn waits again, before all others.
    fn put_back(&mut self, mut wish: Wish) {
        if !wish.apart
            && let Some(index) = self.pending.iter().position(|pending| !pending.apart)
            && let Some(later) = self.pending.remove(index)
        {
            wish.merge(later);
        }
        self.pending.push_front(wish);
    }
}

/// An answer is in the way of the one that was asked for.
fn is_occupied(error: &ProviderError) -> bool {
    error.code.as_deref() == Some("conversation_already_has_active_response")
}

#[cfg(test)]
mod tests;
