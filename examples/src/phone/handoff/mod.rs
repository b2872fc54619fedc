//! Hands callers to people: asks who is there, keeps what was decided with the call, and performs it.
//!
//! | | |
//! |---|---|
//! | `POST /api/twilio/handoff-redirect/{call}` | where the caller's leg shall be: room, direct dial, agent, goodbye |
//! | `POST /api/twilio/handoff-left/{call}` | the caller's room, or direct dial, is over: the same |
//! | `POST /api/twilio/handoff-leg/{call}/{leg}` | a person picked up: briefing, room, or no more needed |
//! | `POST /api/twilio/handoff-verdict/{call}/{leg}` | a person's keys or words |
//! | `POST /api/twilio/handoff-status/{call}/{leg}` | what became of a person's leg |
//! | `POST /api/twilio/handoff-machine/{call}/{leg}` | who, or what, picked up |
//! | `POST /api/twilio/conference/{call}` | what happens in the room |
//! | `GET /api/twilio/handoff-notes/{call}/{stream}` | a copy of what caller and person say, a WebSocket |
//!
//! What a leg hears follows from the call as it is kept, so that any server answers at any of these doors.

mod agent;
pub(crate) mod api;
mod caller;
mod documents;
mod doors;
mod notes;
mod people;
mod runner;
mod supervise;
mod tool;

use std::{collections::HashMap, fmt, sync::Arc};

use call_session::{
    call::{CallSession, CallSummary, Direction, HandoffEvent, HandoffMode, Refused, SessionEvent, Status},
    handoff::{
        self as pure, AfterPerson, Ask, Company, ConferenceRedirect, HandoffPlan, HandoffSettings, HandoffStrategy,
        NoOne, Wanted, WarmTransfer,
    },
    id::{AgentId, SessionId},
    store::{CommitError, StoreError, UpdateError},
};
use jiff::Timestamp;

pub use self::people::Absent;
pub(super) use self::{
    caller::leads_elsewhere,
    doors::{Doors, routes},
    notes::NoteTakers,
    runner::{Runs, watch},
    tool::Targets,
};
use super::Phone;

/// How long a person is kept free for one request while it is written down that they are asked.
const KEPT_FREE: std::time::Duration = std::time::Duration::from_secs(2);

/// Who plans the handoffs of each mode.
#[derive(Debug, Clone)]
pub struct Strategies(HashMap<HandoffMode, Arc<dyn HandoffStrategy>>);

impl Default for Strategies {
    /// By way of a room: [`WarmTransfer`] and [`ConferenceRedirect`].
    fn default() -> Self {
        let none = Self(HashMap::new());
        none.with(HandoffMode::Warm, Arc::new(WarmTransfer)).with(HandoffMode::Cold, Arc::new(ConferenceRedirect))
    }
}

impl Strategies {
    /// Has handoffs of this mode planned by somebody else.
    #[must_use]
    pub fn with(mut self, mode: HandoffMode, strategy: Arc<dyn HandoffStrategy>) -> Self {
        self.0.insert(mode, strategy);
        self
    }
}

/// What is asked of a handoff.
#[derive(Clone)]
#[non_exhaustive]
pub struct HandOver {
    /// Who asks, as a short fixed name such as `operator`, `agent` or `rule`.
    pub by: String,
    /// Why, in somebody's words, for the person.
    pub reason: String,
    /// Who is wanted.
    pub wanted: Wanted,
    /// Whether the person is briefed and accepts first; as the settings say if `None`.
    pub mode: Option<HandoffMode>,
    /// There is no agent: the caller waits with music.
    pub without_agent: bool,
}

impl HandOver {
    /// Somebody asks for a person.
    #[must_use]
    pub fn new(by: impl Into<String>, wanted: Wanted) -> Self {
        Self { by: by.into(), reason: String::new(), wanted, mode: None, without_agent: false }
    }

    /// Sets why.
    #[must_use]
    pub fn with_reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = reason.into();
        self
    }

    /// Sets whether the person is briefed and accepts first.
    #[must_use]
    pub const fn with_mode(mut self, mode: Option<HandoffMode>) -> Self {
        self.mode = mode;
        self
    }

    /// There is no agent: the caller waits with music, from the next document of their leg on.
    #[must_use]
    pub const fn without_agent(mut self) -> Self {
        self.without_agent = true;
        self
    }
}

impl fmt::Debug for HandOver {
    /// Without the reason, which may be in the caller's words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandOver")
            .field("by", &self.by)
            .field("wanted", &self.wanted)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

/// Why a caller is not handed over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotHandedOver {
    /// Twilio cannot be asked to call anybody.
    #[error("nobody can be called without TWILIO_ACCOUNT_SID")]
    NoAccount,
    /// There is no such call.
    #[error("there is no such call")]
    NoCall,
    /// There is no such person.
    #[error("there is no agent {0}")]
    NoAgent(AgentId),
    /// Nobody can take the caller now.
    #[error("nobody is available")]
    Nobody(Vec<Absent>),
    /// The call does not allow it: it is over, nobody has picked up, or a handoff is under way.
    #[error(transparent)]
    Refused(Refused),
    /// The store does not answer, or does not take it.
    #[error(transparent)]
    Store(UpdateError),
}

impl From<StoreError> for NotHandedOver {
    fn from(error: StoreError) -> Self {
        Self::Store(error.into())
    }
}

impl From<UpdateError> for NotHandedOver {
    fn from(error: UpdateError) -> Self {
        match error {
            UpdateError::Refused(refused) => Self::Refused(refused),
            UpdateError::Commit(CommitError::NoCall(_)) => Self::NoCall,
            error => Self::Store(error),
        }
    }
}

impl Phone {
    /// Begins to hand a caller to a person: asks who is there, keeps the plan with the call, and performs it from here on.
    /// The call as it is then.
    ///
    /// # Errors
    ///
    /// [`NotHandedOver`]; nothing was done then.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, the handoff may have been begun; some server performs it then.
    pub async fn hand_over(&self, call: SessionId, ask: &HandOver) -> Result<CallSession, NotHandedOver> {
        if self.0.rest.is_none() {
            return Err(NotHandedOver::NoAccount);
        }
        let mut session = self.0.store.load(call).await?.ok_or(NotHandedOver::NoCall)?;
        if ask.without_agent && session.summary.times.answered.is_none() {
            // The document that answers the call is about to be given.
            session = self.told(call, |_| vec![SessionEvent::Answered]).await?.session;
        }
        let plan = match self.plan(&session, ask).await {
            // Whoever else asked for this caller may just have taken the last person.
            Err(NotHandedOver::Nobody(_)) if self.is_handed_over(call).await? => {
                return Err(NotHandedOver::Refused(Refused::HandoffUnderWay));
            }
            planned => planned?,
        };
        let (mode, candidates) = (plan.mode, plan.candidates.len());
        let begin = |_: &CallSession| {
            let mut events = vec![pure::request(plan.clone(), ask.by.as_str(), ask.reason.as_str())];
            if ask.without_agent {
                events.extend([HandoffEvent::FarewellOver.into(), HandoffEvent::Moving.into()]);
            }
            events
        };
        let updated = self.told(call, begin).await?;
        tracing::info!(%call, by = ask.by, ?mode, candidates, "a caller is handed over");
        self.perform(call);
        Ok(updated.session)
    }

    /// Takes the caller of a handoff back to the agent. False if none is under way.
    ///
    /// # Errors
    ///
    /// [`UpdateError`] when the store does not answer, or there is no such call.
    pub async fn take_back(&self, call: SessionId) -> Result<bool, UpdateError> {
        let updated = self.told(call, pure::take_back).await?;
        Ok(!updated.events.is_empty())
    }

    async fn plan(&self, session: &CallSession, ask: &HandOver) -> Result<HandoffPlan, NotHandedOver> {
        let call = &session.summary;
        let rules = &self.0.settings.handoff;
        let mode = ask.mode.unwrap_or(rules.mode);
        let strategy = self.0.strategies.0.get(&mode).cloned().unwrap_or_else(|| Arc::new(WarmTransfer));
        let mut people = self.people(Some(call.id)).await?;
        if let Wanted::Person(id) = &ask.wanted
            && people.agent(id).is_none()
        {
            return Err(NotHandedOver::NoAgent(id.clone()));
        }
        let settings = self.handoff_settings(session, ask).await?;
        let language = self.0.settings.conversation.of(call).language.tag();
        loop {
            let persons = people.persons(language);
            let question = Ask::new(session, &persons, &ask.wanted, &settings).with_reason(&ask.reason);
            let plan = match strategy.plan(&question) {
                Ok(plan) => plan,
                Err(NoOne::Unknown { person }) => return Err(NotHandedOver::Nobody(people.absent(Some(&person)))),
                Err(NoOne::Unavailable { person, .. }) => {
                    return Err(NotHandedOver::Nobody(people.absent(person.as_ref())));
                }
                Err(_) => return Err(NotHandedOver::Nobody(people.absent(None))),
            };
            // What can be known is known before anybody is kept free for nothing.
            session.admit(&pure::request(plan.clone(), "", "")).map_err(NotHandedOver::Refused)?;
            match plan.candidates.first().and_then(|first| first.person.clone()) {
                Some(first) if !self.keeps_free(&first, KEPT_FREE).await? => people.engage(first),
                _ => return Ok(plan),
            }
        }
    }

    async fn is_handed_over(&self, call: SessionId) -> Result<bool, StoreError> {
        let summary = self.0.store.summary(call).await?;
        let under_way = |call: &CallSummary| matches!(call.status, Status::Transferring | Status::WithAgent);
        Ok(summary.as_ref().is_some_and(under_way))
    }

    /// Whether this person is not offered to another caller in this moment. From the request on, they are busy by what is
    /// kept of the call.
    async fn keeps_free(&self, person: &AgentId, time: std::time::Duration) -> Result<bool, StoreError> {
        let now = Timestamp::now();
        let until = now.saturating_add(time).unwrap_or(now);
        self.0.store.claim(&format!("handoff to {person}"), now, until).await
    }

    async fn handoff_settings(&self, session: &CallSession, ask: &HandOver) -> Result<HandoffSettings, StoreError> {
        let talk = self.0.settings.conversation.of(&session.summary);
        let mut settings = self.0.settings.handoff.settings(talk.handoff_farewell());
        let call = &session.summary;
        let customer = match &call.customer {
            Some(customer) => self.0.directory.customer(customer).await?,
            None => None,
        };
        let name = customer.map(|customer| customer.name).filter(|name| !name.trim().is_empty());
        let other = if call.direction == Direction::Inbound { &call.from } else { &call.to };
        if let Some(caller) = name.or_else(|| other.phone().map(|number| talk.unnamed(number))) {
            settings = settings.with_caller(caller);
        }
        if ask.without_agent {
            let url = match &settings.company {
                Company::Music { url } => url.clone(),
                _ => None,
            };
            // There is none to go back to, either.
            settings = settings.with_company(Company::Music { url }).with_farewell("").with_after(AfterPerson::Goodbye);
        }
        Ok(settings)
    }
}
