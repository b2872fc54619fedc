//! The people on our side that calls are made for.

use std::fmt;

use jiff::civil::Time;
use serde::{Deserialize, Serialize};
use twilio_twiml::phone::E164;

use super::Revision;
use crate::{call::ConversationSettings, id::AgentId};

/// A person on our side: calls are made in their name, and callers are put through to them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Agent {
    /// The name in your records.
    pub id: AgentId,
    /// How often it was put.
    #[serde(default)]
    pub revision: Revision,
    /// What people call them.
    pub name: String,
    /// The languages they speak, as tags such as `ja-JP`, best first.
    #[serde(default)]
    pub languages: Vec<String>,
    /// The number they are called at; `None` for those who take no calls.
    #[serde(default)]
    pub phone: Option<E164>,
    /// The numbers that calls in their name come from.
    #[serde(default)]
    pub caller_numbers: CallerNumbers,
    /// What calls in their name are about; `None` until somebody has said.
    #[serde(default)]
    pub settings: Option<ConversationSettings>,
    /// Whether they take calls now.
    #[serde(default)]
    pub status: AgentStatus,
    /// When they work.
    #[serde(default)]
    pub working_hours: WorkingHours,
}

impl Agent {
    /// An agent of whom only the name is known. Not kept yet.
    #[must_use]
    pub fn new(id: AgentId, name: impl Into<String>) -> Self {
        Self {
            id,
            revision: Revision::NEW,
            name: name.into(),
            languages: Vec::new(),
            phone: None,
            caller_numbers: CallerNumbers::default(),
            settings: None,
            status: AgentStatus::default(),
            working_hours: WorkingHours::default(),
        }
    }

    /// Sets the languages they speak, best first.
    #[must_use]
    pub fn with_languages<T: Into<String>>(mut self, languages: impl IntoIterator<Item = T>) -> Self {
        self.languages = languages.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the number they are called at.
    #[must_use]
    pub fn with_phone(mut self, phone: E164) -> Self {
        self.phone = Some(phone);
        self
    }

    /// Lets calls in their name come from this number, from now on.
    #[must_use]
    pub fn with_caller_number(mut self, number: E164) -> Self {
        self.caller_numbers.activate(number);
        self
    }

    /// Sets what calls in their name are about.
    #[must_use]
    pub fn with_settings(mut self, settings: ConversationSettings) -> Self {
        self.settings = Some(settings);
        self
    }
}

/// The order in which agents are listed. Made here and not by a database, whose order of names depends on where it runs.
pub(super) fn by_name(mut agents: Vec<Agent>) -> Vec<Agent> {
    agents.sort_unstable_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
    agents
}

impl fmt::Debug for Agent {
    /// Without what is personal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent")
            .field("id", &self.id)
            .field("revision", &self.revision)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// Whether a person takes calls now, as they say themselves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum AgentStatus {
    /// They take calls.
    Available,
    /// They are at work and take no call now.
    Busy,
    /// They are not there.
    #[default]
    Offline,
}

/// The numbers that calls come from, at most one of them active.
///
/// ```
/// use call_session::directory::CallerNumbers;
///
/// let mut numbers = CallerNumbers::default();
/// numbers.activate("+81300000001".parse()?);
/// numbers.activate("+81300000002".parse()?);
/// assert_eq!(numbers.active().map(|number| number.as_str()), Some("+81300000002"));
/// assert_eq!(numbers.iter().count(), 2);
/// # Ok::<(), twilio_twiml::phone::ParsePhoneError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<CallerNumber>", into = "Vec<CallerNumber>")]
pub struct CallerNumbers(Vec<CallerNumber>);

/// One of the numbers that calls come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallerNumber {
    /// The number.
    pub number: E164,
    /// Whether calls come from it now.
    #[serde(default)]
    pub active: bool,
}

/// A list of numbers of which more than one is active, or one stands twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("at most one caller number is active, and none stands twice")]
pub struct BadCallerNumbers;

impl CallerNumbers {
    /// The number that calls come from now.
    #[must_use]
    pub fn active(&self) -> Option<&E164> {
        self.0.iter().find(|known| known.active).map(|known| &known.number)
    }

    /// All numbers, in the order they were added.
    pub fn iter(&self) -> impl Iterator<Item = &CallerNumber> {
        self.0.iter()
    }

    /// Lets calls come from this number and from no other. Adds it if it is new.
    pub fn activate(&mut self, number: E164) {
        self.deactivate();
        match self.0.iter_mut().find(|known| known.number == number) {
            Some(known) => known.active = true,
            None => self.0.push(CallerNumber { number, active: true }),
        }
    }

    /// Lets calls come from none of the numbers.
    pub fn deactivate(&mut self) {
        for known in &mut self.0 {
            known.active = false;
        }
    }

    /// Forgets a number.
    pub fn remove(&mut self, number: &E164) {
        self.0.retain(|known| known.number != *number);
    }
}

impl TryFrom<Vec<CallerNumber>> for CallerNumbers {
    type Error = BadCallerNumbers;

    fn try_from(numbers: Vec<CallerNumber>) -> Result<Self, BadCallerNumbers> {
        let active = numbers.iter().filter(|known| known.active).count();
        let twice = numbers.iter().enumerate().any(|(at, known)| {
            // Lists are as long as a person has numbers: a handful.
            numbers[..at].iter().any(|earlier| earlier.number == known.number)
        });
        if active > 1 || twice { Err(BadCallerNumbers) } else { Ok(Self(numbers)) }
    }
}

impl From<CallerNumbers> for Vec<CallerNumber> {
    fn from(numbers: CallerNumbers) -> Self {
        numbers.0
    }
}

/// When a person works. Without shifts: always.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkingHours {
    /// The zone of the times, by its IANA name such as `Asia/Tokyo`. Empty: UTC.
    pub time_zone: String,
    /// The shifts of a week.
    pub shifts: Vec<Shift>,
}

/// A stretch of work that comes back every week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shift {
    /// The day on which it begins.
    pub day: Day,
    /// When it begins, in the zone of the person.
    pub from: Time,
    /// When it is over. Not later than `from`: on the day after.
    pub until: Time,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "everybody knows the days of the week")]
pub enum Day {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}
