//! How callers are handed to people.

use std::{str::FromStr, time::Duration};

use call_session::{
    call::HandoffMode,
    handoff::{AfterPerson, Company, HandoffSettings, Limits},
};
use twilio_twiml::phone::E164;

/// How callers are handed to people, where a request says nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandoffRules {
    /// Whether the person is briefed and accepts before the caller comes. Default: yes.
    pub mode: HandoffMode,
    /// Who keeps the caller company meanwhile. Default: the agent.
    pub company: Company,
    /// What becomes of the caller when the person has left. Default: back to the agent.
    pub after: AfterPerson,
    /// The agent's last words before the wait; `None` for those of the call's language. Default: `None`.
    pub farewell: Option<String>,
    /// How long a person's telephone rings. Default: 20 s, before most mailboxes answer.
    pub ring: Duration,
    /// The number that the persons see. Default: ours in the call.
    pub from: Option<E164>,
    /// Whether what caller and person say is written down, by a model that only listens. Default: no.
    pub notes: bool,
}

impl Default for HandoffRules {
    fn default() -> Self {
        Self {
            mode: HandoffMode::Warm,
            company: Company::Agent,
            after: AfterPerson::Return,
            farewell: None,
            ring: Limits::default().ring,
            from: None,
            notes: false,
        }
    }
}

impl HandoffRules {
    /// The settings of a handoff; `farewell` are the words of the call's language.
    #[must_use]
    pub fn settings(&self, farewell: &str) -> HandoffSettings {
        let mut limits = Limits::default();
        limits.ring = self.ring;
        let mut settings = HandoffSettings::default()
            .with_company(self.company.clone())
            .with_farewell(self.farewell.as_deref().unwrap_or(farewell))
            .with_after(self.after)
            .with_limits(limits);
        settings.from = self.from.clone().map(Into::into);
        settings
    }
}

/// One of a few words, as a setting names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Named<T>(pub(super) T);

/// Not one of the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct UnknownName;

impl FromStr for Named<HandoffMode> {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        match text {
            "warm" => Ok(Self(HandoffMode::Warm)),
            "cold" => Ok(Self(HandoffMode::Cold)),
            _ => Err(UnknownName),
        }
    }
}

impl FromStr for Named<AfterPerson> {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        match text {
            "return" => Ok(Self(AfterPerson::Return)),
            "goodbye" => Ok(Self(AfterPerson::Goodbye)),
            _ => Err(UnknownName),
        }
    }
}

impl FromStr for Named<bool> {
    type Err = UnknownName;

    /// Whether it is music.
    fn from_str(text: &str) -> Result<Self, UnknownName> {
        match text {
            "agent" => Ok(Self(false)),
            "music" => Ok(Self(true)),
            _ => Err(UnknownName),
        }
    }
}
