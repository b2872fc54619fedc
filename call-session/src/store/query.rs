//! Which calls a list shows.

use jiff::Timestamp;

use crate::{
    call::{CallSummary, Direction, Mode, Outcome, Status},
    id::{AgentId, CustomerId, SessionId},
};

/// Which calls a list shows, newest first: by the time of creation, then by name. All conditions hold together.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Query {
    /// Those that stand at one of these; all if empty.
    pub statuses: Vec<Status>,
    /// Inbound or outbound ones.
    pub direction: Option<Direction>,
    /// Those of a mode.
    pub mode: Option<Mode>,
    /// Those of a customer.
    pub customer: Option<CustomerId>,
    /// Those of a person on our side.
    pub agent: Option<AgentId>,
    /// Those of which this came.
    pub outcome: Option<Outcome>,
    /// Those created then or later. Stores may look at the microsecond only.
    pub since: Option<Timestamp>,
    /// Those created before then.
    pub until: Option<Timestamp>,
    /// Those that stand after this one: the next page. After a call that is not there nothing stands.
    pub before: Option<SessionId>,
    /// The longest page, 1 to 1000. Default: 50.
    pub limit: usize,
}

/// A page of calls.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Page {
    /// The calls, newest first.
    pub calls: Vec<CallSummary>,
    /// The last of them, if there are more: what [`Query::before`] has to be for the next page.
    pub next: Option<SessionId>,
}

impl Page {
    /// The page that these calls make, of which one more than the limit was looked for.
    #[must_use]
    pub fn new(mut calls: Vec<CallSummary>, limit: usize) -> Self {
        let more = calls.len() > limit;
        calls.truncate(limit);
        let next = calls.last().filter(|_| more).map(|call| call.id);
        Self { calls, next }
    }
}

impl Default for Query {
    fn default() -> Self {
        Self {
            statuses: Vec::new(),
            direction: None,
            mode: None,
            customer: None,
            agent: None,
            outcome: None,
            since: None,
            until: None,
            before: None,
            limit: 50,
        }
    }
}

impl Query {
    /// All calls that are not over.
    #[must_use]
    pub fn active() -> Self {
        let statuses = Status::ALL.into_iter().filter(|status| !status.is_terminal()).collect();
        Self { statuses, ..Self::default() }
    }

    /// Only those that stand at one of these.
    #[must_use]
    pub fn with_statuses(mut self, statuses: impl IntoIterator<Item = Status>) -> Self {
        self.statuses = statuses.into_iter().collect();
        self
    }

    /// Only inbound or outbound ones.
    #[must_use]
    pub const fn with_direction(mut self, direction: Direction) -> Self {
        self.direction = Some(direction);
        self
    }

    /// Only those of a mode.
    #[must_use]
    pub const fn with_mode(mut self, mode: Mode) -> Self {
        self.mode = Some(mode);
        self
    }

    /// Only those of a customer.
    #[must_use]
    pub fn with_customer(mut self, customer: CustomerId) -> Self {
        self.customer = Some(customer);
        self
    }

    /// Only those of a person on our side.
    #[must_use]
    pub fn with_agent(mut self, agent: AgentId) -> Self {
        self.agent = Some(agent);
        self
    }

    /// Only those of which this came.
    #[must_use]
    pub const fn with_outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = Some(outcome);
        self
    }

    /// Only those created in this stretch of time: from `since` on, before `until`.
    #[must_use]
    pub const fn with_time(mut self, since: Option<Timestamp>, until: Option<Timestamp>) -> Self {
        (self.since, self.until) = (since, until);
        self
    }

    /// The page after this call.
    #[must_use]
    pub const fn with_before(mut self, call: SessionId) -> Self {
        self.before = Some(call);
        self
    }

    /// Sets the longest page; kept between 1 and 1000.
    #[must_use]
    pub fn with_limit(mut self, limit: usize) -> Self {
        self.limit = limit.clamp(1, 1000);
        self
    }

    /// Whether a call fits, the page aside.
    #[must_use]
    pub fn fits(&self, call: &CallSummary) -> bool {
        (self.statuses.is_empty() || self.statuses.contains(&call.status))
            && self.direction.is_none_or(|wanted| wanted == call.direction)
            && self.mode.is_none_or(|wanted| wanted == call.mode)
            && self.customer.as_ref().is_none_or(|wanted| call.customer.as_ref() == Some(wanted))
            && self.agent.as_ref().is_none_or(|wanted| call.agent.as_ref() == Some(wanted))
            && self.outcome.is_none_or(|wanted| call.outcome == Some(wanted))
            && self.since.is_none_or(|since| call.created_at >= since)
            && self.until.is_none_or(|until| call.created_at < until)
    }
}
