//! What a call tells its watchers, what it can be told, and how it ends.

use std::{fmt, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    media::{DtmfDigit, MediaError, MediaStart},
    realtime::{ItemId, ProviderError, RateLimit, SessionError, SessionInfo, ToolCallId, Usage},
    tool::ToolSet,
};

/// Something that happened in a call.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CallUpdate {
    /// Counts the updates of the call from 0, so that a watcher sees when it missed some.
    pub sequence: u64,
    /// Since the call began.
    pub at: Duration,
    /// What happened.
    pub event: CallEvent,
}

/// What happened in a call.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum CallEvent {
    /// The line is up.
    Started(MediaStart),
    /// The caller begins to speak.
    CallerSpeaking,
    /// The caller has stopped.
    CallerSilent,
    /// The line gets something to play after a silence: speech, or a hold tone.
    AgentSpeaking,
    /// The caller has heard all there was to hear.
    AgentSilent,
    /// What the agent was told to say was heard to its end, or the caller spoke into it. Of several that were told
    /// together: the last.
    Said,
    /// The agent was stopped, by the caller or by a command.
    Interrupted {
        /// How much audio the caller will never hear.
        unheard: Duration,
    },
    /// The agent has paused, since the caller may be about to say something.
    Paused,
    /// The agent goes on where it was.
    Resumed,
    /// An entry of the conversation has new words, or is complete.
    Transcript(TranscriptEntry),
    /// The caller pressed a key.
    Dtmf(DtmfDigit),
    /// The model was told something that it has to remember: keys, or a fact from outside.
    Noted(String),
    /// A tool begins.
    ToolStarted {
        /// The run.
        id: ToolCallId,
        /// The tool.
        name: String,
        /// The key under which its effect happens once.
        key: String,
        /// The arguments as JSON text, as the model wrote them.
        arguments: String,
    },
    /// A tool ended.
    ToolFinished {
        /// The run.
        id: ToolCallId,
        /// The tool.
        name: String,
        /// The key under which its effect happens once.
        key: String,
        /// How.
        outcome: ToolOutcome,
        /// What the model was told.
        output: String,
        /// How long it took.
        took: Duration,
    },
    /// A call of a tool was answered without running it: with what an equal call gave before, or with a refusal.
    ToolAnswered {
        /// The call.
        id: ToolCallId,
        /// The tool.
        name: String,
        /// How.
        outcome: ToolOutcome,
    },
    /// How fast one turn was.
    Latency(TurnLatency),
    /// The beginning of the conversation was summed up, for whoever has to go on with it and cannot be told all.
    Summarised {
        /// What was said, in short.
        summary: String,
        /// How many entries of the [memory](super::ConversationMemory) it tells of, counted from the first there was.
        entries: u64,
    },
    /// What an answer has used.
    Usage(Usage),
    /// What is left of the account's limits.
    RateLimits(Vec<RateLimit>),
    /// The provider had a problem that the call survives.
    ProviderProblem(ProviderError),
    /// The caller's audio had a hole, which was filled with silence.
    Gap(Duration),
    /// Audio had to be dropped, as a side did not take it in time. Told at most once a second for each speaker.
    Dropped {
        /// Whose.
        speaker: Speaker,
        /// How much, since the last time this was told.
        audio: Duration,
    },
    /// The model was lost. The caller is kept while another session is opened.
    ModelLost(EndReason),
    /// Another session goes on where the lost one was.
    ModelBack {
        /// How long there was no model.
        gap: Duration,
        /// How many attempts failed.
        attempts: u32,
        /// The session, counted from 0.
        session: u32,
        /// What was agreed with it: its name and its model.
        info: Arc<SessionInfo>,
    },
    /// Another session has taken over before the provider's limit, and the caller did not notice.
    ModelChanged {
        /// The session, counted from 0.
        session: u32,
        /// What was agreed with it: its name and its model.
        info: Arc<SessionInfo>,
    },
    /// The end of the call was announced and then called off, since the caller spoke.
    EndCalledOff,
    /// Something of the provider's that the bridge does not know.
    Provider {
        /// The provider's name for it.
        kind: String,
        /// The whole event.
        json: Arc<RawValue>,
    },
    /// The call is over. Always the last.
    Ended(EndReason),
}

impl CallEvent {
    /// A short fixed name, for logs, metrics and records.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Started(_) => "started",
            Self::CallerSpeaking => "caller-speaking",
            Self::CallerSilent => "caller-silent",
            Self::AgentSpeaking => "agent-speaking",
            Self::AgentSilent => "agent-silent",
            Self::Said => "said",
            Self::Interrupted { .. } => "interrupted",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::Transcript(_) => "transcript",
            Self::Dtmf(_) => "dtmf",
            Self::Noted(_) => "noted",
            Self::ToolStarted { .. } => "tool-started",
            Self::ToolFinished { .. } => "tool-finished",
            Self::ToolAnswered { .. } => "tool-answered",
            Self::Latency(_) => "latency",
            Self::Summarised { .. } => "summarised",
            Self::Usage(_) => "usage",
            Self::RateLimits(_) => "rate-limits",
            Self::ProviderProblem(_) => "provider-problem",
            Self::Gap(_) => "gap",
            Self::Dropped { .. } => "dropped",
            Self::ModelLost(_) => "model-lost",
            Self::ModelBack { .. } => "model-back",
            Self::ModelChanged { .. } => "model-changed",
            Self::EndCalledOff => "end-called-off",
            Self::Provider { .. } => "provider",
            Self::Ended(_) => "ended",
        }
    }
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    /// The person on the telephone.
    Caller,
    /// The voice model.
    Agent,
}

/// What somebody said.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TranscriptEntry {
    /// The entry of the model's conversation.
    pub item: ItemId,
    /// Which of the call's model sessions the conversation is of, counted from 0.
    pub session: u32,
    /// Who.
    pub speaker: Speaker,
    /// When it began, since the call began.
    pub at: Duration,
    /// The words as they were made. For the caller: as they were understood.
    pub generated: String,
    /// The words that reached the caller's ear. An estimate at a word's precision where the agent was cut off. For the
    /// caller: the same as `generated`.
    pub heard: String,
    /// Whether the agent was cut off. For the caller: whether the words, or some of them, were lost before anybody had put
    /// them down.
    pub interrupted: bool,
    /// Whether the words will not change any more.
    pub complete: bool,
}

impl TranscriptEntry {
    /// The caller has said something of which no word is known: its transcription failed, or the session was lost before
    /// it came.
    #[must_use]
    pub const fn is_not_understood(&self) -> bool {
        matches!(self.speaker, Speaker::Caller) && self.interrupted && self.complete && self.generated.is_empty()
    }
}

/// How a run of a tool ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "snake_case")]
pub enum ToolOutcome {
    /// It gave a result.
    Done,
    /// It gave an error, which the model was told.
    Failed,
    /// It took too long and was aborted.
    TimedOut,
    /// The model named a tool that does not exist.
    Unknown,
    /// The call ended before it was done, or went on elsewhere: nobody knows whether it was.
    Abandoned,
    /// It was not run, as it may have been done before.
    Refused,
}

/// How fast one turn was, from the end of the caller's speech as the model heard it. For the greeting: from the start of
/// the line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TurnLatency {
    /// The answer began.
    pub response_started: Option<Duration>,
    /// Its first audio came.
    pub first_audio: Option<Duration>,
    /// Its first audio went to the line.
    pub first_sent: Option<Duration>,
    /// The caller heard its first audio, by the line's mark.
    pub first_heard: Option<Duration>,
}

/// What a call can be told.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum CallCommand {
    /// Say these words as soon as nobody speaks.
    Say(String),
    /// Tell the model something.
    Instruct {
        /// What.
        text: String,
        /// Whether it shall speak about it.
        respond: bool,
    },
    /// Set what was said before the oldest entry of the memory, in short.
    Summarise(String),
    /// Stop the agent.
    Interrupt,
    /// Keep the caller company while somebody else is being found for them, or stop doing so: a soft tone fills silences,
    /// and a caller who says nothing is neither asked for it nor given up.
    Accompany(bool),
    /// Change the tools, from the next answer on.
    UpdateTools(ToolSet),
    /// Say goodbye and end the call once it was heard. Called off when the caller speaks.
    End {
        /// What to say, word for word; `None` leaves the words to what the agent is saying already.
        line: Option<String>,
    },
    /// Say a line, if any, and leave the line to somebody else once it was heard: the media connection is closed, the
    /// telephone call goes on.
    Detach {
        /// What to say, word for word.
        line: Option<String>,
    },
    /// End the call now.
    HangUp,
}

/// How a call ended. Every call ends with exactly one of these.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum EndReason {
    /// The caller hung up, or the telephone call was moved elsewhere.
    CallerHungUp,
    /// The agent said goodbye and the caller heard it.
    Goodbye,
    /// The call was to end with a goodbye, but the model refused to say it, or the line did not confirm in time that it
    /// was heard.
    GoodbyeUnconfirmed,
    /// The call became too long; the agent said goodbye.
    MaxDuration,
    /// The caller said nothing for too long; the agent said goodbye.
    IdleCaller,
    /// The line was left to somebody else.
    Detached,
    /// A command ended the call.
    HungUp,
    /// The line failed.
    LineFailed(Arc<MediaError>),
    /// The line brought no audio for too long.
    LineSilent,
    /// The connection to the model failed, or the model closed it.
    ModelFailed(Arc<SessionError>),
    /// The model closed the conversation in order.
    ModelClosed,
    /// The model refused to go on.
    ModelRefused(ProviderError),
    /// The model did not answer in time, twice.
    ModelStalled,
    /// The model was lost, and no other session could be had in time.
    ModelUnreachable {
        /// How the last session was lost.
        cause: Arc<EndReason>,
        /// How many attempts failed.
        attempts: u32,
    },
}

impl EndReason {
    /// Whether the conversation came to an end that somebody wanted. Where not, whoever has the telephone call should
    /// connect it again, to a person or to a new session: the caller may still be there.
    #[must_use]
    pub const fn is_orderly(&self) -> bool {
        matches!(
            self,
            Self::CallerHungUp
                | Self::Goodbye
                | Self::GoodbyeUnconfirmed
                | Self::MaxDuration
                | Self::IdleCaller
                | Self::Detached
                | Self::HungUp
        )
    }

    /// A short fixed name, for logs, metrics and records.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::CallerHungUp => "caller-hung-up",
            Self::Goodbye => "goodbye",
            Self::GoodbyeUnconfirmed => "goodbye-unconfirmed",
            Self::MaxDuration => "max-duration",
            Self::IdleCaller => "idle-caller",
            Self::Detached => "detached",
            Self::HungUp => "hung-up",
            Self::LineFailed(_) => "line-failed",
            Self::LineSilent => "line-silent",
            Self::ModelFailed(_) => "model-failed",
            Self::ModelClosed => "model-closed",
            Self::ModelRefused(_) => "model-refused",
            Self::ModelStalled => "model-stalled",
            Self::ModelUnreachable { .. } => "model-unreachable",
        }
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::LineFailed(error) => write!(f, ": {error}"),
            Self::ModelFailed(error) => write!(f, ": {error}"),
            Self::ModelRefused(error) => write!(f, ": {error}"),
            Self::ModelUnreachable { cause, attempts } => write!(f, " after {attempts} attempts: {cause}"),
            _ => Ok(()),
        }
    }
}
