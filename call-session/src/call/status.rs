//! Where a call stands, as the outside sees it.

use serde::{Deserialize, Serialize};

/// Where a call stands, as the outside sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It exists; nobody has picked up.
    Initiated,
    /// The other side rings.
    Ringing,
    /// The agent, a voice model or a conversation engine, has the caller.
    AiResponding,
    /// A person is being brought in; the agent still has the caller.
    Transferring,
    /// A person has the caller.
    WithAgent,
    /// It took place and is over.
    Completed,
    /// It could not take place, or broke.
    Failed,
    /// The other side was engaged.
    Busy,
    /// Nobody picked up.
    NoAnswer,
    /// It was called off before anybody picked up.
    Canceled,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Initiated,
        Self::Ringing,
        Self::AiResponding,
        Self::Transferring,
        Self::WithAgent,
        Self::Completed,
        Self::Failed,
        Self::Busy,
        Self::NoAnswer,
        Self::Canceled,
    ];

    /// The name, as in JSON and in stores.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Initiated => "initiated",
            Self::Ringing => "ringing",
            Self::AiResponding => "ai-responding",
            Self::Transferring => "transferring",
            Self::WithAgent => "with-agent",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Busy => "busy",
            Self::NoAnswer => "no-answer",
            Self::Canceled => "canceled",
        }
    }

    /// The call is over, for good.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Busy | Self::NoAnswer | Self::Canceled)
    }

    /// Somebody picked up, and it is not over.
    #[must_use]
    pub const fn is_talking(self) -> bool {
        matches!(self, Self::AiResponding | Self::Transferring | Self::WithAgent)
    }
}
