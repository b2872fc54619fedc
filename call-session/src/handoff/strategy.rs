//! Who is asked, and how: policy without I/O.

use std::fmt;

use jiff::Timestamp;
use twilio_twiml::phone::Address;

use super::plan::{AfterPerson, Briefing, Candidate, Company, HandoffPlan, Limits, Route};
use crate::{
    call::{CallSession, CallSummary, Direction, HandoffMode, Speaker},
    id::AgentId,
};

/// How much of the conversation a person is told, in characters: about 15 s of speech.
const SUMMARY: usize = 200;

/// Decides how a caller is handed over. Policy: it performs nothing and asks nobody.
///
/// # Contract
///
/// - The plan has at least one candidate; whom it names is available as far as [`Ask::people`] says.
/// - The same question has the same answer.
pub trait HandoffStrategy: Send + Sync + fmt::Debug {
    /// How to hand this caller over.
    ///
    /// # Errors
    ///
    /// [`NoOne`] when nobody can take the call.
    fn plan(&self, ask: &Ask<'_>) -> Result<HandoffPlan, NoOne>;
}

/// What a strategy decides on.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Ask<'a> {
    /// The call.
    pub call: &'a CallSession,
    /// The persons there are, the best first.
    pub people: &'a [Person],
    /// Who is wanted.
    pub wanted: &'a Wanted,
    /// Why, in somebody's words.
    pub reason: &'a str,
    /// How handovers are done here.
    pub settings: &'a HandoffSettings,
}

impl fmt::Debug for Ask<'_> {
    /// Without the reason, which is somebody's words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ask")
            .field("call", &self.call.summary.id)
            .field("people", &self.people)
            .field("wanted", &self.wanted)
            .finish_non_exhaustive()
    }
}

impl<'a> Ask<'a> {
    /// A question about a call.
    #[must_use]
    pub const fn new(
        call: &'a CallSession,
        people: &'a [Person],
        wanted: &'a Wanted,
        settings: &'a HandoffSettings,
    ) -> Self {
        Self { call, people, wanted, reason: "", settings }
    }

    /// Sets why the caller is handed over.
    #[must_use]
    pub const fn with_reason(mut self, reason: &'a str) -> Self {
        self.reason = reason;
        self
    }

    /// Who can be asked now, in order.
    ///
    /// # Errors
    ///
    /// [`NoOne`] when nobody can.
    pub fn candidates(&self) -> Result<Vec<Candidate>, NoOne> {
        let free = |person: &&Person| person.availability == Availability::Free;
        match self.wanted {
            Wanted::Number(to) => Ok(vec![Candidate::new(None, to.clone())]),
            Wanted::Anyone => {
                let found: Vec<_> =
                    self.people.iter().filter(free).take(self.settings.most).map(Person::candidate).collect();
                let back = self.people.iter().filter_map(|person| person.availability.back()).min();
                if found.is_empty() { Err(NoOne::Unavailable { person: None, back }) } else { Ok(found) }
            }
            Wanted::Person(id) => {
                let person = self.people.iter().find(|person| person.id == *id);
                let person = person.ok_or_else(|| NoOne::Unknown { person: id.clone() })?;
                if person.availability != Availability::Free {
                    let back = person.availability.back();
                    return Err(NoOne::Unavailable { person: Some(id.clone()), back });
                }
                // Whoever was not asked for by name comes after whoever was.
                let others = self.people.iter().filter(free).filter(|other| self.settings.others && other.id != *id);
                Ok([person].into_iter().chain(others).take(self.settings.most).map(Person::candidate).collect())
            }
        }
    }

    /// A plan for these candidates that does everything as the settings say.
    #[must_use]
    pub fn plan(&self, mode: HandoffMode, candidates: Vec<Candidate>) -> HandoffPlan {
        let call = &self.call.summary;
        let from = self.settings.from.clone().unwrap_or_else(|| ours(call).clone());
        HandoffPlan {
            company: self.settings.company.clone(),
            farewell: self.settings.farewell.clone(),
            briefing: Briefing {
                caller: self.settings.caller.clone(),
                reason: self.reason.to_owned(),
                summary: self.said(),
            },
            after: self.settings.after,
            limits: self.settings.limits,
            detect_machines: self.settings.detect_machines,
            ..HandoffPlan::new(mode, from, candidates)
        }
    }

    /// The caller's last words, the newest that fit.
    fn said(&self) -> String {
        let mut lines = Vec::new();
        let mut left = SUMMARY;
        let caller = self.call.transcript.iter().rev().filter(|line| line.speaker == Speaker::Caller);
        for words in caller.map(|line| line.heard.trim()).filter(|words| !words.is_empty()) {
            let length = words.chars().count();
            if length > left {
                if lines.is_empty() {
                    lines.push(words.chars().skip(length - left).collect());
                }
                break;
            }
            left -= length;
            lines.push(words.to_owned());
        }
        lines.reverse();
        lines.join(" ")
    }
}

/// Our number in a call.
const fn ours(call: &CallSummary) -> &Address {
    match call.direction {
        Direction::Inbound => &call.to,
        Direction::Outbound => &call.from,
    }
}

/// Who is wanted.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wanted {
    /// Whoever can.
    Anyone,
    /// A person by name. A model may name no more than this.
    Person(AgentId),
    /// A number, which only an operator may give.
    Number(Address),
}

impl fmt::Debug for Wanted {
    /// Without the number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anyone => f.write_str("Anyone"),
            Self::Person(id) => f.debug_tuple("Person").field(id).finish(),
            Self::Number(_) => f.write_str("Number(…)"),
        }
    }
}

/// A person who may take calls, as they are now.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Person {
    /// Who.
    pub id: AgentId,
    /// Where they are reached.
    pub to: Address,
    /// The language they are spoken to in, as a tag; the call's if `None`.
    pub language: Option<String>,
    /// Whether they can take a call.
    pub availability: Availability,
}

impl Person {
    /// A person who is free.
    #[must_use]
    pub fn new(id: AgentId, to: impl Into<Address>) -> Self {
        Self { id, to: to.into(), language: None, availability: Availability::Free }
    }

    /// Sets whether they can take a call.
    #[must_use]
    pub const fn with_availability(mut self, availability: Availability) -> Self {
        self.availability = availability;
        self
    }

    /// Sets the language they are spoken to in.
    #[must_use]
    pub fn with_language(mut self, language: impl Into<String>) -> Self {
        self.language = Some(language.into());
        self
    }

    fn candidate(&self) -> Candidate {
        Candidate { person: Some(self.id.clone()), to: self.to.clone(), language: self.language.clone() }
    }
}

impl fmt::Debug for Person {
    /// Without the number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Person").field("id", &self.id).field("availability", &self.availability).finish_non_exhaustive()
    }
}

/// Whether a person can take a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Availability {
    /// They can.
    Free,
    /// They have another caller, or are being asked about one.
    Busy,
    /// They cannot, until then if that is known.
    Away {
        /// When they are back.
        back: Option<Timestamp>,
    },
}

impl Availability {
    const fn back(self) -> Option<Timestamp> {
        match self {
            Self::Away { back } => back,
            Self::Free | Self::Busy => None,
        }
    }
}

/// Nobody can take the call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoOne {
    /// There is no such person.
    #[error("there is no person {person}")]
    Unknown {
        /// Who was asked for.
        person: AgentId,
    },
    /// Whoever was asked for cannot take a call now.
    #[error("nobody is available")]
    Unavailable {
        /// Who was asked for; `None` for anybody.
        person: Option<AgentId>,
        /// When somebody is back, if that is known.
        back: Option<Timestamp>,
    },
}

/// How handovers are done here.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandoffSettings {
    /// Who keeps the caller company meanwhile. Default: the agent.
    pub company: Company,
    /// What the agent says before the wait. Default: nothing.
    pub farewell: String,
    /// Who calls, as the persons are told. Default: nothing.
    pub caller: String,
    /// What becomes of the caller when the person has left. Default: back to the agent.
    pub after: AfterPerson,
    /// How long each step may take.
    pub limits: Limits,
    /// The most persons who are asked. Default: 3.
    pub most: usize,
    /// Whether others are asked when the person who was asked for does not take the call. Default: yes.
    pub others: bool,
    /// Whether to find out if a machine picked up. Default: yes.
    pub detect_machines: bool,
    /// The number that the persons see. Default: ours in the call.
    pub from: Option<Address>,
}

impl fmt::Debug for HandoffSettings {
    /// Without the caller's name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandoffSettings")
            .field("company", &self.company)
            .field("after", &self.after)
            .field("limits", &self.limits)
            .field("most", &self.most)
            .field("others", &self.others)
            .field("detect_machines", &self.detect_machines)
            .finish_non_exhaustive()
    }
}

impl Default for HandoffSettings {
    fn default() -> Self {
        Self {
            company: Company::Agent,
            farewell: String::new(),
            caller: String::new(),
            after: AfterPerson::Return,
            limits: Limits::default(),
            most: 3,
            others: true,
            detect_machines: true,
            from: None,
        }
    }
}

macro_rules! setters {
    ($($(#[$doc:meta])* $setter:ident $field:ident: $type:ty;)*) => {
        impl HandoffSettings {
            $(
                $(#[$doc])*
                #[must_use]
                pub fn $setter(mut self, $field: $type) -> Self {
                    self.$field = $field.into();
                    self
                }
            )*
        }
    };
}

setters! {
    /// Sets who keeps the caller company meanwhile.
    with_company company: Company;
    /// Sets what the agent says before the wait.
    with_farewell farewell: impl Into<String>;
    /// Sets who calls, as the persons are told.
    with_caller caller: impl Into<String>;
    /// Sets what becomes of the caller when the person has left.
    with_after after: AfterPerson;
    /// Sets how long each step may take.
    with_limits limits: Limits;
    /// Sets the most persons who are asked.
    with_most most: usize;
    /// Sets whether others are asked, too.
    with_others others: bool;
    /// Sets whether to find out if a machine picked up.
    with_machine_detection detect_machines: bool;
    /// Sets the number that the persons see.
    with_from from: Address;
}

/// Cold: whoever picks up has the caller, in a room.
#[derive(Debug, Clone, Copy, Default)]
pub struct ConferenceRedirect;

/// Warm: the person hears a briefing and accepts before the caller comes to the room.
#[derive(Debug, Clone, Copy, Default)]
pub struct WarmTransfer;

/// The caller's own leg dials the person, without a room; warm as well, if that is asked for.
#[derive(Debug, Clone, Copy)]
pub struct DirectDial {
    /// Whether the person is briefed and accepts first.
    pub mode: HandoffMode,
}

/// The agent's line is asked to move the caller (SIP REFER): for calls that reach the model over SIP. Cold, and for good: the
/// caller does not come back. [`Limits::ring`] is how long the person has until the agent goes on.
#[derive(Debug, Clone, Copy, Default)]
pub struct SipRefer;

impl HandoffStrategy for ConferenceRedirect {
    fn plan(&self, ask: &Ask<'_>) -> Result<HandoffPlan, NoOne> {
        Ok(ask.plan(HandoffMode::Cold, ask.candidates()?))
    }
}

impl HandoffStrategy for WarmTransfer {
    fn plan(&self, ask: &Ask<'_>) -> Result<HandoffPlan, NoOne> {
        Ok(ask.plan(HandoffMode::Warm, ask.candidates()?))
    }
}

impl HandoffStrategy for DirectDial {
    fn plan(&self, ask: &Ask<'_>) -> Result<HandoffPlan, NoOne> {
        Ok(HandoffPlan { route: Route::Direct, ..ask.plan(self.mode, ask.candidates()?) })
    }
}

impl HandoffStrategy for SipRefer {
    fn plan(&self, ask: &Ask<'_>) -> Result<HandoffPlan, NoOne> {
        let mut candidates = ask.candidates()?;
        // A carrier knows numbers and SIP addresses.
        candidates.retain(|candidate| matches!(candidate.to, Address::Phone(_) | Address::Sip(_)));
        if candidates.is_empty() {
            return Err(NoOne::Unavailable { person: None, back: None });
        }
        let plan = ask.plan(HandoffMode::Cold, candidates);
        // Nobody can play music on a line that is elsewhere, or hear who picked up.
        Ok(HandoffPlan {
            route: Route::Refer,
            company: Company::Agent,
            after: AfterPerson::Goodbye,
            detect_machines: false,
            ..plan
        })
    }
}
