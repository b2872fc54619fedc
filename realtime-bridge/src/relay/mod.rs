//! The pure core of a call: what is played, who speaks, what the model is asked, how it ends.
//!
//! A [`Relay`] has no sockets, no clock and no randomness. Whoever drives it ([`Bridge`](crate::bridge::Bridge) does)
//! hands it what came in and the time, and takes out what is to be sent:
//!
//! - in: [`handle_media`](Relay::handle_media), [`handle_model`](Relay::handle_model),
//!   [`handle_command`](Relay::handle_command), [`handle_tool`](Relay::handle_tool),
//!   [`handle_timeout`](Relay::handle_timeout);
//! - out: [`poll_media`](Relay::poll_media), [`poll_model`](Relay::poll_model), [`poll_tool`](Relay::poll_tool),
//!   [`poll_event`](Relay::poll_event), [`poll_timeout`](Relay::poll_timeout), [`poll_end`](Relay::poll_end).
//!
//! Queues live in here, not in channels, so that a barge-in empties them at once. Calling `handle_timeout` too early is
//! harmless.

mod agent;
mod caller;
mod config;
mod digest;
mod drops;
mod elsewhere;
mod ending;
mod event;
mod journal;
mod kept;
mod keypad;
mod latency;
mod ledger;
mod link;
mod memory;
mod model;
mod playout;
mod recovery;
mod sequencer;
mod timers;
mod transcript;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

pub(crate) use agent::error_text;
pub use config::{BargeIn, CallConfig, Greeting, Idle, Keypad, Prompts};
pub use event::{CallCommand, CallEvent, CallUpdate, EndReason, Speaker, ToolOutcome, TranscriptEntry, TurnLatency};
pub use journal::{ToolAction, ToolRun};
pub use link::{Again, LinkAction};
pub use memory::{ConversationMemory, MemoryEntry, MemoryLimits, Remembered, RememberedTool, Said};
pub use recovery::{GapFiller, Recovery};

use self::{
    digest::Digest, drops::Drops, ending::Phase, journal::Journal, keypad::KeyBuffer, latency::Latency, link::Link,
    model::Pending, playout::Playout, sequencer::Sequencer, timers::Timers, transcript::Transcript,
};
use crate::{
    audio::{AudioFormat, AudioFrame, Transcoder},
    media::MediaStart,
    realtime::{Capabilities, RealtimeCommand, RequestId, SessionInfo, TurnOwner, Usage},
    tool::ToolOptions,
};

/// What a call has counted.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub struct CallStats {
    /// Audio frames that came from the line.
    pub frames_from_line: u64,
    /// Audio frames that went to the line.
    pub frames_to_line: u64,
    /// Holes in the caller's audio.
    pub gaps: u64,
    /// How long the holes were in all.
    pub gap_time: Duration,
    /// Audio of the caller dropped since the model did not take it.
    pub caller_dropped: Duration,
    /// Audio of the agent dropped since the line did not take it.
    pub agent_dropped: Duration,
    /// Frames that came after their answer was cut, and were not played.
    pub late_frames: u64,
    /// How often the agent was interrupted.
    pub interruptions: u64,
    /// Marks that came back and belonged to nothing, since a clear had voided them.
    pub void_marks: u64,
    /// Sessions of the model that were lost.
    pub sessions_lost: u64,
    /// How long there was no model in all.
    pub without_model: Duration,
    /// Sessions of the model that were changed for another before their limit.
    pub rotations: u64,
}

/// The pure core of one call.
#[derive(Debug)]
pub struct Relay {
    config: CallConfig,
    capabilities: Capabilities,
    /// Converters, where the line and the model speak different formats.
    to_model: Option<Transcoder>,
    to_line: Option<Transcoder>,
    model_input: AudioFormat,
    line: AudioFormat,
    link: Link,
    /// What was agreed with the session that is to take over.
    next_session: Option<(SessionInfo, Capabilities)>,
    turn_owner: TurnOwner,
    started: Option<Instant>,
    phase: Phase,
    /// The agent was told to say something, and that it was heard is not told yet.
    saying: bool,
    /// The caller is kept company while somebody else is being found for them.
    accompanies: bool,
    /// Why the model has left, where the call goes on without it until the goodbye was heard.
    gone: Option<EndReason>,
    playout: Playout,
    caller: caller::Caller,
    sequencer: Sequencer,
    pending: Pending,
    journal: Journal,
    memory: ConversationMemory,
    digest: Digest,
    /// The first session has the conversation already.
    memory_known: bool,
    keys: KeyBuffer,
    transcript: Transcript,
    latency: Latency,
    timers: Timers,
    drops: Drops,
    commands: VecDeque<RealtimeCommand>,
    caller_audio: VecDeque<AudioFrame>,
    caller_audio_length: Duration,
    events: VecDeque<CallUpdate>,
    next_event: u64,
    next_request: u64,
    usage: Usage,
    stats: CallStats,
}

impl Relay {
    /// A call that is about to begin, between a line that speaks `line` and a session.
    #[must_use]
    pub fn new(config: CallConfig, line: AudioFormat, session: &SessionInfo, capabilities: Capabilities) -> Self {
        let converter = |from, to| (from != to).then(|| Transcoder::new(from, to));
        Self {
            playout: Playout::new(&config, line, capabilities.playback),
            link: Link::new(config.recovery.clone(), session.opened),
            line,
            next_session: None,
            config,
            capabilities,
            to_model: converter(line, session.input_format),
            to_line: converter(session.output_format, line),
            model_input: session.input_format,
            turn_owner: session.turn_owner,
            started: None,
            phase: Phase::Talking,
            saying: false,
            accompanies: false,
            gone: None,
            caller: caller::Caller::default(),
            sequencer: Sequencer::default(),
            pending: Pending::default(),
            journal: Journal::default(),
            memory: ConversationMemory::default(),
            digest: Digest::default(),
            memory_known: false,
            keys: KeyBuffer::default(),
            transcript: Transcript::default(),
            latency: Latency::default(),
            timers: Timers::default(),
            drops: Drops::default(),
            commands: VecDeque::new(),
            caller_audio: VecDeque::new(),
            caller_audio_length: Duration::ZERO,
            events: VecDeque::new(),
            next_event: 0,
            next_request: 0,
            usage: Usage::default(),
            stats: CallStats::default(),
        }
    }

    /// Tells which tools there are, by name. The model has to be told by the session's configuration.
    #[must_use]
    pub fn with_tools(mut self, tools: Vec<(String, ToolOptions)>) -> Self {
        self.journal.know(tools);
        self
    }

    /// Goes on with a conversation that another session, or another node, has begun: the model is told what is
    /// remembered as soon as the line is up. Runs of tools that nobody saw the end of follow their
    /// [policy](crate::tool::ToolPolicy). Without a [greeting](CallConfig::greeting) the model is asked for the answer
    /// that the caller waits for, if any.
    #[must_use]
    pub fn with_memory(mut self, memory: ConversationMemory) -> Self {
        self.memory = memory;
        self
    }

    /// Goes on with a conversation that the session itself has had, after whoever led it was lost: nothing of it is told
    /// again, but for what runs of tools gave that nobody saw the end of. Later sessions are told everything.
    #[must_use]
    pub fn with_known_memory(mut self, memory: ConversationMemory) -> Self {
        self.memory_known = true;
        self.with_memory(memory)
    }

    /// What another session would have to know to go on with the conversation.
    #[must_use]
    pub const fn memory(&self) -> &ConversationMemory {
        &self.memory
    }

    /// The whole conversation so far, in order.
    #[must_use]
    pub fn transcript(&self) -> Vec<TranscriptEntry> {
        self.transcript.finish()
    }

    /// How many entries of the transcript, and how many runs of tools, were dropped, as a long call keeps the newest
    /// [`transcript_limit`](CallConfig::transcript_limit) of each.
    #[must_use]
    pub const fn forgotten(&self) -> (u64, u64) {
        (self.transcript.dropped(), self.journal.dropped())
    }

    /// All runs of tools so far, in order.
    #[must_use]
    pub fn tool_runs(&self) -> Vec<ToolRun> {
        self.journal.runs()
    }

    /// What the answers have used so far.
    #[must_use]
    pub const fn usage(&self) -> Usage {
        self.usage
    }

    /// What the call has counted so far.
    #[must_use]
    pub const fn stats(&self) -> CallStats {
        self.stats
    }

    /// When the line came up.
    #[must_use]
    pub const fn started(&self) -> Option<Instant> {
        self.started
    }

    /// The next thing to tell the model. Control goes before audio, so that it never waits behind it.
    pub fn poll_model(&mut self, now: Instant) -> Option<RealtimeCommand> {
        if self.model_is_gone() || self.link.is_down() {
            return None;
        }
        self.ask_model(now);
        if let Some(command) = self.commands.pop_front() {
            return Some(command);
        }
        let frame = self.caller_audio.pop_front()?;
        self.caller_audio_length = self.caller_audio_length.saturating_sub(frame.duration());
        Some(RealtimeCommand::Append(frame))
    }

    /// The next thing to do about tools.
    pub fn poll_tool(&mut self) -> Option<ToolAction> {
        self.journal.poll()
    }

    /// The next thing to tell the watchers.
    pub fn poll_event(&mut self) -> Option<CallUpdate> {
        self.events.pop_front()
    }

    /// Why the call is over, once it is.
    #[must_use]
    pub const fn poll_end(&self) -> Option<&EndReason> {
        match &self.phase {
            Phase::Ended(reason) => Some(reason),
            Phase::Talking | Phase::Closing(_) => None,
        }
    }

    fn line_started(&mut self, now: Instant, start: MediaStart) {
        self.started = Some(now);
        self.timers.start(now, &self.config);
        if self.playout.elsewhere.is_some() {
            self.timers.no_media();
        }
        let call = start.call_id.clone();
        self.tell(now, CallEvent::Started(start));
        self.journal.name_call(&call, self.memory.lines());
        self.link_begins(now);
        self.resume(now);
        self.greet(now);
    }

    fn tell(&mut self, now: Instant, event: CallEvent) {
        let at = self.since_start(now);
        let update = CallUpdate { sequence: self.next_event, at, event };
        self.memory.apply(&update);
        self.digest.memory_changes();
        self.events.push_back(update);
        self.next_event += 1;
    }

    fn since_start(&self, now: Instant) -> Duration {
        self.started.map_or(Duration::ZERO, |started| now.saturating_duration_since(started))
    }

    const fn request(&mut self) -> RequestId {
        let request = RequestId(self.next_request);
        self.next_request += 1;
        request
    }

    const fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Ended(_))
    }
}
