//! What happens to a call, as it is kept.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use twilio_twiml::sid::{CallSid, ConferenceSid, StreamSid};

use super::{
    AnsweredBy, Ending, HandoffEvent, Line, NewCall, Outcome, Recording, SupervisionEvent, ToolOutcome, ToolRun, Usage,
};
use crate::id::{NodeId, SessionId, StreamId};

/// Something that happened to a call. The events of a call are all there is to know of it; everything else is made from
/// them.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
#[non_exhaustive]
pub enum SessionEvent {
    /// It exists. Always the first, and only the first.
    Created(Box<NewCall>),
    /// It has its name at Twilio.
    Bound {
        /// The name.
        #[serde(rename = "callSid")]
        call: CallSid,
    },
    /// The other side rings.
    Ringing,
    /// Somebody, or something, picked up.
    Answered,
    /// It is known who, or what, picked up.
    PickedUp {
        /// Who, or what.
        by: AnsweredBy,
    },
    /// The line was told to open a stream of audio.
    StreamExpected {
        /// Its name.
        stream: StreamId,
    },
    /// A stream of audio is up. Each comes up once.
    StreamAttached {
        /// Its name.
        stream: StreamId,
        /// Twilio's name for it, if it is one of Twilio's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sid: Option<StreamSid>,
        /// The server that has it.
        node: NodeId,
    },
    /// A stream of audio is over, or never came.
    StreamDetached {
        /// Its name.
        stream: StreamId,
        /// Why, as a short fixed name.
        cause: String,
        /// Whether somebody wanted it. Where not, the caller may still be there.
        orderly: bool,
    },
    /// Keys were to be pressed, for which the stream was taken to be over, and are not: the stream goes on.
    StreamStays {
        /// Its name.
        stream: StreamId,
    },
    /// A model session has the conversation.
    ModelAttached {
        /// The stream it speaks on.
        stream: StreamId,
        /// The provider's name for the session.
        session: String,
        /// The model.
        model: String,
    },
    /// A model session is over.
    ModelDetached {
        /// The provider's name for the session.
        session: String,
        /// Why, as a short fixed name.
        cause: String,
    },
    /// Lines of the conversation are new, or have changed.
    Said {
        /// The lines, each whole.
        lines: Vec<Line>,
    },
    /// The model was told something that it has to remember.
    Noted {
        /// What.
        text: String,
    },
    /// The beginning of the conversation was summed up, for a model that is not told all of it.
    Summarised {
        /// What was said, in short.
        text: String,
    },
    /// A tool is about to run.
    ToolStarted {
        /// The run.
        run: ToolRun,
    },
    /// A tool has ended.
    ToolFinished {
        /// The run's key.
        key: String,
        /// How.
        outcome: ToolOutcome,
        /// What the model was told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<String>,
    },
    /// A model's answers have used something.
    Used {
        /// How much, since the last time.
        usage: Usage,
    },
    /// The caller pressed keys.
    KeysPressed {
        /// The keys.
        keys: String,
    },
    /// Keys are pressed for the agent. The stream is left for that and comes back.
    KeysSent {
        /// How many: what they are may be secret.
        count: usize,
    },
    /// A recording runs, or more is known of it.
    Recorded {
        /// What is known.
        recording: Recording,
    },
    /// The call has a conference.
    Room {
        /// Twilio's name for it.
        conference: ConferenceSid,
    },
    /// Something about handing the caller to a person.
    Handoff(HandoffEvent),
    /// Something about somebody who is with caller and person.
    Supervision(SupervisionEvent),
    /// Somebody asked for the end of the call.
    EndRequested {
        /// Who, as a short fixed name such as `agent`, `operator` or `caller`.
        by: String,
    },
    /// The end that somebody asked for is called off: the other side has something to say.
    EndCalledOff,
    /// Something went wrong that the call survives, or that explains its end.
    Problem {
        /// What, as a short fixed name.
        what: String,
        /// The provider's number for it, if it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<u32>,
    },
    /// It is known what came of it.
    Concluded {
        /// What.
        outcome: Outcome,
    },
    /// The telephone company's reckoning of how long it was.
    Lasted {
        /// In seconds.
        seconds: u32,
    },
    /// It is over.
    Ended(Ending),
    /// An event of a later version of this crate.
    #[serde(other)]
    Unknown,
}

impl SessionEvent {
    /// A short fixed name, as in JSON and in stores.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Created(_) => "created",
            Self::Bound { .. } => "bound",
            Self::Ringing => "ringing",
            Self::Answered => "answered",
            Self::PickedUp { .. } => "picked-up",
            Self::StreamExpected { .. } => "stream-expected",
            Self::StreamAttached { .. } => "stream-attached",
            Self::StreamDetached { .. } => "stream-detached",
            Self::StreamStays { .. } => "stream-stays",
            Self::ModelAttached { .. } => "model-attached",
            Self::ModelDetached { .. } => "model-detached",
            Self::Said { .. } => "said",
            Self::Noted { .. } => "noted",
            Self::Summarised { .. } => "summarised",
            Self::ToolStarted { .. } => "tool-started",
            Self::ToolFinished { .. } => "tool-finished",
            Self::Used { .. } => "used",
            Self::KeysPressed { .. } => "keys-pressed",
            Self::KeysSent { .. } => "keys-sent",
            Self::Recorded { .. } => "recorded",
            Self::Room { .. } => "room",
            Self::Handoff(_) => "handoff",
            Self::Supervision(_) => "supervision",
            Self::EndRequested { .. } => "end-requested",
            Self::EndCalledOff => "end-called-off",
            Self::Problem { .. } => "problem",
            Self::Concluded { .. } => "concluded",
            Self::Lasted { .. } => "lasted",
            Self::Ended(_) => "ended",
            Self::Unknown => "unknown",
        }
    }

    /// This event, with the time.
    #[must_use]
    pub const fn at(self, at: Timestamp) -> Stamped {
        Stamped { at, event: self }
    }
}

impl fmt::Debug for SessionEvent {
    /// What kind of event, and of what can be shown the most telling: no words, keys or numbers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        match self {
            Self::Bound { call } => write!(f, "{name}({call})"),
            Self::PickedUp { by } => write!(f, "{name}({by:?})"),
            Self::StreamExpected { stream } | Self::StreamAttached { stream, .. } | Self::StreamStays { stream } => {
                write!(f, "{name}({stream})")
            }
            Self::StreamDetached { stream, cause, .. } => write!(f, "{name}({stream}, {cause})"),
            Self::Said { lines } => write!(f, "{name}({lines:?})"),
            Self::ToolStarted { run } => write!(f, "{name}({run:?})"),
            Self::ToolFinished { outcome, .. } => write!(f, "{name}({outcome:?})"),
            Self::Handoff(step) => write!(f, "{name}({step:?})"),
            Self::Problem { what, code } => write!(f, "{name}({what}, {code:?})"),
            Self::Concluded { outcome } => write!(f, "{name}({outcome:?})"),
            Self::Ended(ending) => write!(f, "{name}({}, {})", ending.status.name(), ending.reason),
            _ => f.write_str(name),
        }
    }
}

/// An event with its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stamped {
    /// When it happened, as far as is known.
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub event: SessionEvent,
}

/// How many events a call has had. The first is number 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub u64);

impl Version {
    /// The version after this many more events.
    #[must_use]
    pub const fn plus(self, events: usize) -> Self {
        Self(self.0 + events as u64)
    }
}

/// An event as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recorded {
    /// The call.
    pub call: SessionId,
    /// Its number among the events of the call.
    pub version: Version,
    /// When and what.
    #[serde(flatten)]
    pub stamped: Stamped,
}
