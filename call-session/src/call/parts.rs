//! What a call is made of, besides its status: who, what was said, what was done, what it used.

use std::fmt;

use jiff::Timestamp;
use realtime_bridge::{realtime, relay};
use serde::{Deserialize, Serialize};
use twilio_twiml::{
    phone::Address,
    sid::{AccountSid, RecordingSid},
};

use super::ConversationSettings;
use crate::id::{AgentId, CustomerId, StreamId};

/// Who called whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// They called us.
    Inbound,
    /// We called them.
    Outbound,
}

impl Direction {
    /// The name, as in JSON and in stores.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }
}

/// How the agent hears and speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// A voice model, over a media stream.
    Realtime,
    /// A voice model, over SIP.
    Sip,
    /// Turn by turn: the line's own speech recognition and voices.
    Conference,
}

impl Mode {
    /// The name, as in JSON and in stores.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Realtime => "realtime",
            Self::Sip => "sip",
            Self::Conference => "conference",
        }
    }
}

/// A call, as it begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct NewCall {
    /// Who called whom.
    pub direction: Direction,
    /// How the agent hears and speaks.
    pub mode: Mode,
    /// Who calls.
    pub from: Address,
    /// Who is called.
    pub to: Address,
    /// The account it is made with.
    pub account: Option<AccountSid>,
    /// The customer.
    pub customer: Option<CustomerId>,
    /// The person on our side whose call it is.
    pub agent: Option<AgentId>,
    /// What it is about.
    pub settings: ConversationSettings,
}

impl NewCall {
    /// A call to a number of ours.
    #[must_use]
    pub fn inbound(from: impl Into<Address>, to: impl Into<Address>) -> Self {
        Self::new(Direction::Inbound, from.into(), to.into())
    }

    /// A call from a number of ours.
    #[must_use]
    pub fn outbound(from: impl Into<Address>, to: impl Into<Address>) -> Self {
        Self::new(Direction::Outbound, from.into(), to.into())
    }

    fn new(direction: Direction, from: Address, to: Address) -> Self {
        let settings = ConversationSettings::default();
        Self { direction, mode: Mode::Realtime, from, to, account: None, customer: None, agent: None, settings }
    }

    /// Sets how the agent hears and speaks; [`Mode::Realtime`] if not set.
    #[must_use]
    pub const fn with_mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Sets the account it is made with.
    #[must_use]
    pub fn with_account(mut self, account: AccountSid) -> Self {
        self.account = Some(account);
        self
    }

    /// Sets the customer.
    #[must_use]
    pub fn with_customer(mut self, customer: CustomerId) -> Self {
        self.customer = Some(customer);
        self
    }

    /// Sets the person on our side whose call it is.
    #[must_use]
    pub fn with_agent(mut self, agent: AgentId) -> Self {
        self.agent = Some(agent);
        self
    }

    /// Sets what it is about.
    #[must_use]
    pub fn with_settings(mut self, settings: ConversationSettings) -> Self {
        self.settings = settings;
        self
    }
}

/// Who said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Speaker {
    /// The person whose call it is.
    Caller,
    /// The voice model or the conversation engine.
    Agent,
    /// The person on our side.
    Person,
}

/// Something that somebody said.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Line {
    /// The attachment in which it was said; `None` where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<StreamId>,
    /// Its name, unique within the attachment. A line that comes again under its name replaces the earlier one.
    pub item: String,
    /// Who said it.
    pub speaker: Speaker,
    /// When it began.
    pub at: Timestamp,
    /// The words as they were made, or understood.
    pub generated: String,
    /// The words that reached the other's ear.
    pub heard: String,
    /// Whether the speaker was cut off.
    #[serde(default)]
    pub interrupted: bool,
    /// Whether it will not change any more.
    #[serde(default)]
    pub complete: bool,
}

impl Line {
    /// A line that was said and heard.
    pub fn new(item: impl Into<String>, speaker: Speaker, at: Timestamp, words: impl Into<String>) -> Self {
        let (item, generated) = (item.into(), words.into());
        let heard = generated.clone();
        Self { stream: None, item, speaker, at, generated, heard, interrupted: false, complete: true }
    }

    /// A line of the bridge that carries this attachment, whose audio began at `began`.
    #[must_use]
    pub fn from_bridge(stream: StreamId, began: Timestamp, entry: &relay::TranscriptEntry) -> Self {
        let speaker = match entry.speaker {
            relay::Speaker::Caller => Speaker::Caller,
            relay::Speaker::Agent => Speaker::Agent,
        };
        Self {
            stream: Some(stream),
            item: format!("{}/{}", entry.session, entry.item.as_str()),
            speaker,
            at: began.saturating_add(entry.at).unwrap_or(began),
            generated: entry.generated.clone(),
            heard: entry.heard.clone(),
            interrupted: entry.interrupted,
            complete: entry.complete,
        }
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        self.item == other.item && self.stream == other.stream
    }
}

impl fmt::Debug for Line {
    /// Without the words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line")
            .field("item", &self.item)
            .field("speaker", &self.speaker)
            .field("complete", &self.complete)
            .finish_non_exhaustive()
    }
}

/// How a run of a tool ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ToolOutcome {
    /// It gave a result.
    Done,
    /// It gave an error.
    Failed,
    /// It took too long.
    TimedOut,
    /// There is no such tool.
    Unknown,
    /// Nobody knows: the process or the call ended before it did.
    Abandoned,
    /// It was not run, as it may have been done before.
    Refused,
}

impl ToolOutcome {
    /// Nobody knows whether it was done.
    const fn is_unsure(self) -> bool {
        matches!(self, Self::TimedOut | Self::Abandoned)
    }
}

impl From<relay::ToolOutcome> for ToolOutcome {
    fn from(outcome: relay::ToolOutcome) -> Self {
        match outcome {
            relay::ToolOutcome::Done => Self::Done,
            relay::ToolOutcome::Failed => Self::Failed,
            relay::ToolOutcome::TimedOut => Self::TimedOut,
            relay::ToolOutcome::Unknown => Self::Unknown,
            relay::ToolOutcome::Refused => Self::Refused,
            // Of what a later version may add, nobody here knows how it ended.
            _ => Self::Abandoned,
        }
    }
}

impl From<ToolOutcome> for relay::ToolOutcome {
    fn from(outcome: ToolOutcome) -> Self {
        match outcome {
            ToolOutcome::Done => Self::Done,
            ToolOutcome::Failed => Self::Failed,
            ToolOutcome::TimedOut => Self::TimedOut,
            ToolOutcome::Unknown => Self::Unknown,
            ToolOutcome::Abandoned => Self::Abandoned,
            ToolOutcome::Refused => Self::Refused,
        }
    }
}

/// A run of a tool.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ToolRun {
    /// The key under which its effect happens once; unique in the call.
    pub key: String,
    /// The model's name for the run.
    pub id: String,
    /// The tool.
    pub name: String,
    /// Its arguments as JSON text, as the model wrote them.
    pub arguments: String,
    /// When it began.
    pub began: Timestamp,
    /// How it ended; `None` while it runs.
    pub outcome: Option<ToolOutcome>,
    /// What the model was told.
    pub output: Option<String>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
}

impl ToolRun {
    /// A run that begins.
    pub fn new(
        key: impl Into<String>,
        id: impl Into<String>,
        name: impl Into<String>,
        arguments: impl Into<String>,
        began: Timestamp,
    ) -> Self {
        let (key, id, name, arguments) = (key.into(), id.into(), name.into(), arguments.into());
        Self { key, id, name, arguments, began, outcome: None, output: None, ended: None }
    }

    /// A run of which nobody knew how it ended may have been begun again, and ends for good then.
    pub(crate) fn may_end_with(&self, outcome: ToolOutcome) -> bool {
        self.outcome.is_none_or(|known| known.is_unsure() && !outcome.is_unsure())
    }
}

impl fmt::Debug for ToolRun {
    /// Without what the tool was told and gave.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolRun")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}

/// What a call has used of a model, to reckon its cost from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Usage {
    /// Tokens in, all kinds, cached or not.
    pub input: u64,
    /// Tokens in that are audio.
    pub input_audio: u64,
    /// Tokens in that came from the cache; part of `input`.
    pub cached: u64,
    /// Tokens out, all kinds.
    pub output: u64,
    /// Tokens out that are audio.
    pub output_audio: u64,
    /// Seconds of session, where the provider bills time.
    pub seconds: f64,
}

impl Usage {
    /// What is left of this without a part of it; `None` if nothing is.
    #[must_use]
    pub fn without(&self, part: &Self) -> Option<Self> {
        let rest = Self {
            input: self.input.saturating_sub(part.input),
            input_audio: self.input_audio.saturating_sub(part.input_audio),
            cached: self.cached.saturating_sub(part.cached),
            output: self.output.saturating_sub(part.output),
            output_audio: self.output_audio.saturating_sub(part.output_audio),
            seconds: (self.seconds - part.seconds).max(0.0),
        };
        (rest != Self::default()).then_some(rest)
    }
}

impl From<realtime::Usage> for Usage {
    fn from(used: realtime::Usage) -> Self {
        Self {
            input: used.input,
            input_audio: used.input_audio,
            cached: used.cached,
            output: used.output,
            output_audio: used.output_audio,
            seconds: used.seconds,
        }
    }
}

impl std::ops::AddAssign<&Self> for Usage {
    fn add_assign(&mut self, more: &Self) {
        self.input += more.input;
        self.input_audio += more.input_audio;
        self.cached += more.cached;
        self.output += more.output;
        self.output_audio += more.output_audio;
        self.seconds += more.seconds;
    }
}

/// A recording of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Recording {
    /// Twilio's name for it.
    pub sid: RecordingSid,
    /// What has become of it.
    pub status: RecordingStatus,
    /// Where it can be fetched, with the account's credentials.
    pub url: Option<String>,
    /// How long it is, in seconds.
    pub seconds: Option<u32>,
    /// How many channels it has.
    pub channels: Option<u8>,
}

impl Recording {
    /// A recording of which no more is known.
    #[must_use]
    pub const fn new(sid: RecordingSid, status: RecordingStatus) -> Self {
        Self { sid, status, url: None, seconds: None, channels: None }
    }

    /// What is known of it together with what is told now. Of two that contradict each other the later status counts.
    pub(crate) fn with(&self, told: &Self) -> Self {
        let (first, second) = if told.status > self.status { (told, self) } else { (self, told) };
        Self {
            sid: first.sid.clone(),
            status: first.status,
            url: first.url.as_ref().or(second.url.as_ref()).cloned(),
            seconds: first.seconds.or(second.seconds),
            channels: first.channels.or(second.channels),
        }
    }
}

/// What has become of a recording. Later ones outweigh earlier ones, in whatever order they are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordingStatus {
    /// It runs.
    InProgress,
    /// There is none: it was too short, or silent.
    Absent,
    /// It failed.
    Failed,
    /// It can be fetched.
    Completed,
}

/// Who, or what, picked up. Later ones outweigh earlier ones, in whatever order they are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnsweredBy {
    /// It could not be told.
    Unknown,
    /// A human being.
    Human,
    /// An answering machine.
    Machine,
    /// A fax machine.
    Fax,
}

/// What came of a call, beyond that it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Outcome {
    /// There was a conversation, which came to its end.
    Conversation,
    /// There was a conversation, which broke off.
    BrokenOff,
    /// A person on our side took over.
    HandedOver,
    /// A message was left on a machine.
    VoicemailLeft,
    /// A machine picked up, and no message was left.
    MachineHungUp,
    /// A fax machine picked up.
    Fax,
    /// The other side was engaged.
    Busy,
    /// Nobody picked up.
    NoAnswer,
    /// The call could not be made.
    Unreachable,
    /// It was called off before anybody picked up.
    Canceled,
}

impl Outcome {
    /// The name, as in JSON and in stores.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Conversation => "conversation",
            Self::BrokenOff => "broken-off",
            Self::HandedOver => "handed-over",
            Self::VoicemailLeft => "voicemail-left",
            Self::MachineHungUp => "machine-hung-up",
            Self::Fax => "fax",
            Self::Busy => "busy",
            Self::NoAnswer => "no-answer",
            Self::Unreachable => "unreachable",
            Self::Canceled => "canceled",
        }
    }
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Ending {
    /// Where the call stands for good: one of the terminal ones.
    pub status: super::Status,
    /// Why, as a short fixed name such as `goodbye`, `caller-hung-up`, `busy` or `create-failed`.
    pub reason: String,
}

impl Ending {
    /// An ending.
    pub fn new(status: super::Status, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into() }
    }
}
