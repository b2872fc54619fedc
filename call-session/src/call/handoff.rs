//! What happens when the caller is handed to a person, as it is kept.

use std::fmt;

use serde::{Deserialize, Serialize};
use twilio_twiml::sid::CallSid;

use crate::id::{AgentId, LegId};

/// Whether the person hears a briefing and accepts before the caller is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HandoffMode {
    /// The caller is moved as soon as the person picks up, or before.
    Cold,
    /// The person is briefed and accepts first.
    Warm,
}

/// A step of handing the caller to a person.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case", rename_all_fields = "camelCase")]
#[non_exhaustive]
pub enum HandoffEvent {
    /// It begins.
    Requested {
        /// Whether the person is briefed first.
        mode: HandoffMode,
        /// Who asked for it, as a short fixed name such as `operator`, `agent` or `rule`.
        by: String,
        /// Why, in somebody's words.
        reason: String,
    },
    /// The agent's last words before the wait were heard, or their time was over.
    FarewellOver,
    /// A person is about to be called.
    Dialing {
        /// The leg, which has a name before Twilio knows of it.
        leg: LegId,
        /// Who; `None` for a number that an operator gave.
        person: Option<AgentId>,
    },
    /// A leg has its name at Twilio.
    LegBound {
        /// The leg.
        leg: LegId,
        /// The name.
        #[serde(rename = "callSid")]
        call: CallSid,
    },
    /// A person picked up.
    Answered {
        /// The leg.
        leg: LegId,
    },
    /// A person takes the call.
    Accepted {
        /// The leg.
        leg: LegId,
    },
    /// A leg is over, or never came to be.
    LegEnded {
        /// The leg.
        leg: LegId,
        /// Why, as a short fixed name such as `declined`, `busy`, `no-answer` or `machine`.
        cause: String,
    },
    /// The caller is being moved into the room.
    Moving,
    /// The caller and the person are in the room.
    Connected {
        /// The person's leg.
        leg: LegId,
    },
    /// The caller has the agent again, after the person left.
    Returned,
    /// It came to nothing; the agent still has the caller, or has the caller again.
    Failed {
        /// Why, as a short fixed name.
        cause: String,
    },
    /// A step of a later version of this crate.
    #[serde(other)]
    Unknown,
}

impl HandoffEvent {
    /// A short fixed name, as in JSON.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Requested { .. } => "requested",
            Self::FarewellOver => "farewell-over",
            Self::Dialing { .. } => "dialing",
            Self::LegBound { .. } => "leg-bound",
            Self::Answered { .. } => "answered",
            Self::Accepted { .. } => "accepted",
            Self::LegEnded { .. } => "leg-ended",
            Self::Moving => "moving",
            Self::Connected { .. } => "connected",
            Self::Returned => "returned",
            Self::Failed { .. } => "failed",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Debug for HandoffEvent {
    /// Without the reason, which may be in the caller's words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
