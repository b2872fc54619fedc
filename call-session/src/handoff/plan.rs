//! How a caller is handed over: what a strategy plans, and what is kept of it with the call.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};
use twilio_twiml::phone::Address;

use crate::{call::HandoffMode, id::AgentId};

/// How a caller is handed over. A call keeps the plan it was begun with, so that any server can go on with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct HandoffPlan {
    /// Whether the person is briefed and accepts before the caller is moved.
    pub mode: HandoffMode,
    /// How caller and person come together.
    pub route: Route,
    /// Who is asked, in this order.
    pub candidates: Vec<Candidate>,
    /// The number that the persons see.
    pub from: Address,
    /// Who keeps the caller company while a person is found.
    pub company: Company,
    /// What the agent says before the wait; nothing if empty.
    pub farewell: String,
    /// What the person is told.
    pub briefing: Briefing,
    /// What becomes of the caller when the person has left.
    pub after: AfterPerson,
    /// How long each step may take.
    pub limits: Limits,
    /// Whether to find out if a machine picked up. A cold handover by way of a room waits for that before the caller is
    /// connected. When the caller's leg dials by itself the line connects at once; then a machine loses the caller again, some
    /// seconds later, to whoever is next. A warm one relies on the answer to the briefing.
    pub detect_machines: bool,
}

/// How caller and person come together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Route {
    /// In a conference room, into which each leg dials itself.
    Room,
    /// The caller's own leg dials the person: no room, and nothing that could be mixed in.
    Direct,
    /// The agent's line is asked to move the caller (SIP REFER). Nobody tells how it goes: when the line is gone somebody has
    /// the caller, and the call is none of ours any more.
    Refer,
}

/// Who keeps the caller company while a person is found.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "by")]
#[non_exhaustive]
pub enum Company {
    /// The agent, who goes on talking with the caller.
    Agent,
    /// Music in the room. The agent is gone until it is known that nobody takes the call.
    Music {
        /// What is played: an audio file or a wait document; Twilio's own music if `None`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        url: Option<String>,
    },
}

/// What becomes of the caller when the person has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum AfterPerson {
    /// The caller has the agent again, who remembers the conversation.
    Return,
    /// The caller hears a goodbye.
    Goodbye,
}

/// Somebody who may take the call.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Candidate {
    /// Who; `None` for a number that an operator gave.
    pub person: Option<AgentId>,
    /// Where they are reached.
    pub to: Address,
    /// The language they are spoken to in, as a tag such as `ja-JP`; the call's if `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

impl Candidate {
    /// Somebody at this address.
    #[must_use]
    pub fn new(person: Option<AgentId>, to: impl Into<Address>) -> Self {
        Self { person, to: to.into(), language: None }
    }

    /// Sets the language they are spoken to in.
    #[must_use]
    pub fn with_language(mut self, language: impl Into<String>) -> Self {
        self.language = Some(language.into());
        self
    }
}

impl fmt::Debug for Candidate {
    /// Without the number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Candidate").field("person", &self.person).finish_non_exhaustive()
    }
}

/// What the person is told before the caller comes.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Briefing {
    /// Who calls, as a person would say it.
    pub caller: String,
    /// Why they are handed over.
    pub reason: String,
    /// What was said so far, in short.
    pub summary: String,
}

impl fmt::Debug for Briefing {
    /// Without the words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Briefing").finish_non_exhaustive()
    }
}

/// How long each step of a handoff may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Limits {
    /// The agent's last words before the wait. Default: 8 s, which is a long sentence.
    pub farewell: Duration,
    /// How long a person's telephone rings. Default: 20 s, before most mailboxes answer.
    pub ring: Duration,
    /// How long a person may take from picking up to accepting, the briefing included. Default: 45 s.
    pub decide: Duration,
    /// When nobody else is asked any more, from the request on. Default: 2 min, as long as callers wait gladly.
    pub search: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            farewell: Duration::from_secs(8),
            ring: Duration::from_secs(20),
            decide: Duration::from_secs(45),
            search: Duration::from_secs(120),
        }
    }
}

impl HandoffPlan {
    /// Hands the caller to the first of these who takes the call, by way of a room, with the agent as company.
    #[must_use]
    pub fn new(mode: HandoffMode, from: impl Into<Address>, candidates: Vec<Candidate>) -> Self {
        Self {
            mode,
            route: Route::Room,
            candidates,
            from: from.into(),
            company: Company::Agent,
            farewell: String::new(),
            briefing: Briefing::default(),
            after: AfterPerson::Return,
            limits: Limits::default(),
            detect_machines: true,
        }
    }

    /// The caller leaves the agent before a person has taken the call.
    #[must_use]
    pub const fn moves_first(&self) -> bool {
        matches!(self.route, Route::Direct) || matches!(self.company, Company::Music { .. })
    }
}
