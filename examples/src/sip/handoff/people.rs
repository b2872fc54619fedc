//! Who callers can be handed to.

use std::{fmt, str::FromStr, time::Duration};

use call_session::{
    handoff::{HandoffSettings, Limits, Person},
    id::AgentId,
};
use realtime_bridge::realtime::openai::sip::ReferTarget;
use twilio_twiml::phone::Address;

use crate::conversation::{Conversation, Language};

/// Who callers can be handed to, the first choice first: `sato=+81312345678,desk=sip:desk@example.com`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct People {
    list: Vec<(AgentId, Address)>,
    /// How long somebody has to take a call.
    patience: Duration,
}

/// A text that names nobody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoPeople(String);

impl People {
    /// Sets how long somebody has to take a call.
    #[must_use]
    pub const fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// How long somebody has to take a call.
    #[must_use]
    pub const fn patience(&self) -> Duration {
        self.patience
    }

    /// Whether there is nobody.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &AgentId> {
        self.list.iter().map(|(name, _)| name)
    }

    /// They as a strategy sees them: nobody here knows who is busy.
    #[must_use]
    pub fn persons(&self) -> Vec<Person> {
        self.list.iter().map(|(name, to)| Person::new(name.clone(), to.clone())).collect()
    }

    /// How callers are handed over.
    #[must_use]
    pub fn handoff(&self) -> HandoffSettings {
        let mut limits = Limits::default();
        limits.ring = self.patience;
        // Two may be asked to their end.
        limits.search = limits.search.max(self.patience * 2);
        let farewell = Conversation::new(Language::Japanese).handoff_farewell();
        HandoffSettings::default().with_farewell(farewell).with_limits(limits)
    }
}

impl FromStr for People {
    type Err = NoPeople;

    fn from_str(text: &str) -> Result<Self, NoPeople> {
        let wrong =
            |entry: &str, why: &str| NoPeople(format!("`{}` {why}", entry.split('=').next().unwrap_or_default()));
        let mut list: Vec<(AgentId, Address)> = Vec::new();
        for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let (name, to) = entry.split_once('=').ok_or_else(|| wrong(entry, "has no number: NAME=NUMBER"))?;
            let name: AgentId = name.trim().parse().map_err(|_| wrong(entry, "is no name"))?;
            let to = Address::from(to.trim());
            target(&to).ok_or_else(|| wrong(entry, "is reached neither by +… nor by sip:…"))?;
            if list.iter().any(|(known, _)| *known == name) {
                return Err(wrong(entry, "stands twice"));
            }
            list.push((name, to));
        }
        Ok(Self { list, ..Self::default() })
    }
}

impl fmt::Debug for People {
    /// Without the numbers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

/// An address as the provider is told it.
pub(super) fn target(to: &Address) -> Option<ReferTarget> {
    match to {
        Address::Phone(number) => format!("tel:{}", number.as_str()).parse().ok(),
        Address::Sip(uri) => uri.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_have_names_and_numbers() {
        let people: People = " sato = +81312345678, desk=sip:desk@example.com ".parse().unwrap();
        assert_eq!(people.names().map(AgentId::as_str).collect::<Vec<_>>(), ["sato", "desk"]);
        assert!(!format!("{people:?}").contains("81312345678"));
        assert!("".parse::<People>().unwrap().is_empty());
        for wrong in
            ["sato", "=+81312345678", "sato=0312345678", "sato=client:sato", "sato=+81312345678,sato=+81312345679"]
        {
            let told = wrong.parse::<People>().unwrap_err().to_string();
            assert!(!told.contains("12345678"), "{told}");
        }
    }
}
