//! What the server that has a call can be told, and what it answers.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Something that the server which has a call shall do.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
#[non_exhaustive]
pub enum Command {
    /// The agent says these words, as soon as nobody speaks.
    Say {
        /// The words.
        line: String,
    },
    /// The model is told something.
    Instruct {
        /// What.
        text: String,
        /// Whether it shall speak about it.
        respond: bool,
    },
    /// The agent stops.
    Interrupt,
    /// The agent says a line, if one is given, and the call ends when it was heard.
    End {
        /// The words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        line: Option<String>,
    },
    /// The call ends now.
    HangUp,
    /// The recording leaves out what follows.
    PauseRecording,
    /// The recording goes on.
    ResumeRecording,
    /// The agent says a line, if one is given, and leaves the line to somebody else.
    Detach {
        /// The words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        line: Option<String>,
    },
    /// Something that your servers have agreed on.
    Custom {
        /// What.
        name: String,
        /// With what.
        #[serde(default)]
        value: Value,
    },
    /// A command of a later version of this crate.
    #[serde(other)]
    Unknown,
}

impl Command {
    /// A short fixed name, as in JSON.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Say { .. } => "say",
            Self::Instruct { .. } => "instruct",
            Self::Interrupt => "interrupt",
            Self::End { .. } => "end",
            Self::HangUp => "hang-up",
            Self::PauseRecording => "pause-recording",
            Self::ResumeRecording => "resume-recording",
            Self::Detach { .. } => "detach",
            Self::Custom { .. } => "custom",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Debug for Command {
    /// Without the words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
#[non_exhaustive]
pub enum Reply {
    /// It was carried out, or the call was told to.
    Ok,
    /// It was not.
    Refused {
        /// Why, as a short fixed name.
        why: String,
    },
}

impl Reply {
    /// A refusal.
    #[must_use]
    pub fn refused(why: impl Into<String>) -> Self {
        Self::Refused { why: why.into() }
    }
}

/// What the server that took a command left for whoever sent it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Answer {
    /// A reply.
    Reply(Reply),
    /// The call was over there: the command was not carried out.
    Over,
    /// Whoever had the command is gone. It may have been carried out.
    Lost,
}
