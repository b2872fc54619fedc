//! The response sequencer: one answer at a time.
//!
//! A provider refuses a second answer while one runs, and the request is lost, not queued. So every wish to have the
//! model speak waits here until the slot is free; wishes that wait together become one answer.

use std::time::{Duration, Instant};

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

/// A wish to have the model speak.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wish {
    pub(crate) purposes: Vec<Purpose>,
    /// Entries that go before the request.
    pub(crate) items: Vec<NewItem>,
    pub(crate) options: ResponseOptions,
    retries: u8,
    refusals: u8,
}

impl Wish {
    pub(crate) fn new(purpose: Purpose) -> Self {
        Self { purposes: vec![purpose], ..Self::default() }
    }

    pub(crate) fn with_item(mut self, item: NewItem) -> Self {
        self.items.push(item);
        self
    }

    pub(crate) const fn without_tools(mut self) -> Self {
        self.options.without_tools = true;
        self
    }

    pub(crate) fn is_for(&self, purpose: Purpose) -> bool {
        self.purposes.contains(&purpose)
    }

    fn merge(&mut self, more: Self) {
        for purpose in more.purposes {
            if !self.is_for(purpose) {
                self.purposes.push(purpose);
            }
        }
        self.items.extend(more.items);
        // A restriction that only one of them wants would harm the other.
        self.options.without_tools &= more.options.without_tools;
        self.options.instructions = more.options.instructions.or_else(|| self.options.instructions.take());
        self.retries = self.retries.max(more.retries);
        self.refusals = self.refusals.max(more.refusals);
    }

    fn served_by_any(&self) -> bool {
        self.items.is_empty() && self.purposes.iter().all(|purpose| purpose.served_by_any())
    }
}

#[derive(Debug)]
struct InFlight {
    request: RequestId,
    wish: Wish,
    since: Instant,
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

#[derive(Debug, Default)]
pub(crate) struct Sequencer {
    active: Option<Active>,
    in_flight: Option<InFlight>,
    pending: Option<Wish>,
    not_before: Option<Instant>,
}

impl Sequencer {
    /// The model shall speak as soon as it may.
    pub(crate) fn want(&mut self, wish: Wish) {
        match &mut self.pending {
            Some(pending) => pending.merge(wish),
            None => self.pending = Some(wish),
        }
    }

    /// Whether an answer runs, was asked for, or waits.
    pub(crate) const fn is_busy(&self) -> bool {
        self.active.is_some() || self.in_flight.is_some() || self.pending.is_some()
    }

    /// Whether the model has been asked for an answer, or makes one.
    pub(crate) const fn is_owed(&self) -> bool {
        self.active.is_some() || self.in_flight.is_some()
    }

    /// Whether this purpose waits, was asked for, or is being answered.
    pub(crate) fn has(&self, purpose: Purpose) -> bool {
        let active = self.active.as_ref().and_then(|active| active.wish.as_ref());
        let in_flight = self.in_flight.as_ref().map(|flight| &flight.wish);
        [active, in_flight, self.pending.as_ref()].into_iter().flatten().any(|wish| wish.is_for(purpose))
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
        let mut wish = self.pending.take()?;
        let ask = Ask { items: std::mem::take(&mut wish.items), options: wish.options.clone() };
        self.in_flight = Some(InFlight { request, wish, since: now, unwanted: false });
        self.not_before = None;
        Some(ask)
    }

    /// Whether [`Sequencer::ask`] would give something.
    pub(crate) fn may_ask(&self, now: Instant) -> bool {
        self.pending.is_some()
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
        // What waits with nothing of its own to add is served by whatever the model says now.
        if self.pending.as_ref().is_some_and(Wish::served_by_any) {
            self.pending = None;
        }
        let unwanted = ours.as_ref().is_some_and(|flight| flight.unwanted);
        self.active =
            Some(Active { response: response.clone(), wish: ours.map(|flight| flight.wish), cancelled: unwanted });
        if unwanted { Began::Unwanted } else { Began::Wanted }
    }

    /// An answer ended. Gives the wish behind it, or `None` for one that was not known or not ours.
    pub(crate) fn ended(&mut self, response: &ResponseId) -> Option<Wish> {
        match &self.active {
            Some(active) if active.response == *response => self.active.take()?.wish,
            _ => None,
        }
    }

    /// A command was refused. If it was the request in flight, the wish waits again where that may help: until the answer
    /// ends that was in its way, or for `retry_after`.
    pub(crate) fn refused(&mut self, now: Instant, error: &ProviderError, retry_after: Option<Duration>) {
        let occupied = error.code.as_deref() == Some("conversation_already_has_active_response");
        // Errors about a request do not always carry its name.
        let ours =
            |flight: &mut InFlight| error.request == Some(flight.request) || (error.request.is_none() && occupied);
        let Some(InFlight { mut wish, unwanted: false, .. }) = self.in_flight.take_if(ours) else { return };
        if occupied && wish.refusals < REFUSALS_LIMIT {
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
        if let Some(flight) = &mut self.in_flight {
            flight.unwanted = true;
            let mut kept = flight.wish.clone();
            kept.purposes.retain(|purpose| purpose.survives_interruption());
            if !kept.purposes.is_empty() {
                self.want(kept);
            }
        }
        if let Some(pending) = &mut self.pending {
            pending.purposes.retain(|purpose| purpose.survives_interruption());
            if pending.purposes.is_empty() {
                self.pending = None;
            }
        }
        let active = self.active.as_mut().filter(|active| !active.cancelled)?;
        active.cancelled = true;
        Some(active.response.clone())
    }

    /// What waits for this purpose alone is no longer wanted.
    pub(crate) fn forget(&mut self, purpose: Purpose) {
        if let Some(pending) = &mut self.pending {
            pending.purposes.retain(|p| *p != purpose);
            if pending.purposes.is_empty() {
                self.pending = None;
            }
        }
    }

    /// The request in flight got neither an answer nor an error in time. Gives the wish behind it if it is still one.
    pub(crate) fn give_up(&mut self, now: Instant) -> Option<Wish> {
        let flight = self.in_flight.take_if(|flight| now >= flight.since + REQUEST_LIMIT)?;
        (!flight.unwanted).then_some(flight.wish)
    }

    /// When to look again.
    pub(crate) fn timeout(&self, now: Instant) -> Option<Instant> {
        let limit = self.in_flight.as_ref().map(|flight| flight.since + REQUEST_LIMIT);
        let again = self.not_before.filter(|at| *at > now && self.pending.is_some());
        limit.into_iter().chain(again).min()
    }

    fn again(&mut self, wish: Wish, at: Instant) {
        let later = self.pending.take();
        self.pending = Some(wish);
        if let Some(later) = later {
            self.want(later);
        }
        self.not_before = Some(at);
    }
}

#[cfg(test)]
mod tests;
