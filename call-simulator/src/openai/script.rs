//! What the model says, when, and how it misbehaves.

use std::{borrow::Cow, time::Duration};

use serde_json::Value;

use super::ApiError;
use crate::audio::{codec, fixtures, fixtures::Speech};

/// The part of the voice model in a conversation.
///
/// A caller's utterance is answered by the turn of the same number: the first utterance by the first turn, whether
/// somebody asks for the answer or voice activity detection does. What else may start an answer has its own place:
/// the greeting, the idle line, the answer after a tool, words that were asked for.
///
/// ```
/// use call_simulator::{audio::fixtures::en, openai::{Answer, Script}};
/// use serde_json::json;
///
/// let script = Script::new()
///     .greeting(Answer::say(en::AGENT_GREETING))
///     .turn(en::CALLER_HOURS, Answer::say(en::AGENT_HOURS))
///     .turn(
///         en::CALLER_SLOT,
///         Answer::say(en::AGENT_ONE_MOMENT)
///             .and_call("free_slots", &json!({"day": "friday"}))
///             .then(Answer::say(en::AGENT_SLOT)),
///     )
///     .otherwise(Answer::say(en::AGENT_APOLOGY));
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Script {
    pub(super) greeting: Option<Answer>,
    pub(super) turns: Vec<Turn>,
    pub(super) asked: Vec<(String, Answer)>,
    pub(super) asides: Vec<Answer>,
    pub(super) idle: Option<Answer>,
    pub(super) otherwise: Answer,
    pub(super) on_open: OnOpen,
    pub(super) on_update: OnUpdate,
    pub(super) acts: Vec<(Duration, Act)>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            greeting: None,
            turns: Vec::new(),
            asked: Vec::new(),
            asides: Vec::new(),
            idle: None,
            otherwise: Answer::say(fixtures::en::AGENT_APOLOGY),
            on_open: OnOpen::Serve,
            on_update: OnUpdate::Confirm,
            acts: Vec::new(),
        }
    }
}

/// One utterance of the caller and its answer.
#[derive(Debug, Clone)]
pub(super) struct Turn {
    pub(super) heard: Heard,
    pub(super) answer: Answer,
}

impl Script {
    /// A model that apologises whatever it hears.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what is said when an answer is asked for before the caller has said anything.
    #[must_use]
    pub fn greeting(mut self, answer: Answer) -> Self {
        self.greeting = Some(answer);
        self
    }

    /// Adds the next utterance of the caller, as transcription will report it, and its answer.
    #[must_use]
    pub fn turn(mut self, heard: impl Into<Heard>, answer: Answer) -> Self {
        self.turns.push(Turn { heard: heard.into(), answer });
        self
    }

    /// Sets what is said when an answer is asked for with these words: in the instructions of the request, or in a
    /// text item that came since the last answer. Goes before every other rule, as often as it fits.
    #[must_use]
    pub fn when_asked(mut self, words: impl Into<String>, answer: Answer) -> Self {
        self.asked.push((words.into(), answer));
        self
    }

    /// Adds the next answer outside the conversation.
    #[must_use]
    pub fn aside(mut self, answer: Answer) -> Self {
        self.asides.push(answer);
        self
    }

    /// Sets what is said when the caller stays silent for the session's `idle_timeout_ms`.
    #[must_use]
    pub fn idle(mut self, answer: Answer) -> Self {
        self.idle = Some(answer);
        self
    }

    /// Sets what is said when nothing else fits. Default: an apology.
    #[must_use]
    pub fn otherwise(mut self, answer: Answer) -> Self {
        self.otherwise = answer;
        self
    }

    /// Sets what happens when a socket is opened.
    #[must_use]
    pub fn on_open(mut self, on_open: OnOpen) -> Self {
        self.on_open = on_open;
        self
    }

    /// Sets what happens to the first `session.update` that is valid.
    #[must_use]
    pub fn on_update(mut self, on_update: OnUpdate) -> Self {
        self.on_update = on_update;
        self
    }

    /// Plans something to happen this long after the session was opened.
    #[must_use]
    pub fn at(mut self, after: Duration, act: Act) -> Self {
        self.acts.push((after, act));
        self
    }
}

/// What the transcription of a caller's utterance reports.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Heard {
    /// These words; none for noise.
    Words(String),
    /// That it failed, with this code.
    Failed(String),
}

impl From<Speech> for Heard {
    fn from(speech: Speech) -> Self {
        Self::Words(speech.transcript.to_owned())
    }
}

impl From<&str> for Heard {
    fn from(words: &str) -> Self {
        Self::Words(words.to_owned())
    }
}

/// What the server does when a socket is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnOpen {
    /// Sends `session.created` and serves.
    Serve,
    /// Sends nothing, ever.
    Silent,
    /// Sends this error, then closes with this code.
    Refuse(ApiError, u16),
}

/// What the server does with the first valid `session.update`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum OnUpdate {
    /// Applies and confirms it.
    Confirm,
    /// Applies it and confirms it only after this time.
    Late(Duration),
    /// Never answers and does not apply it.
    Ignore,
    /// Refuses it.
    Refuse(ApiError),
    /// Applies it and confirms something else: these members of the session are replaced in the echo.
    Misquote(Value),
}

/// What happens to a session without having been asked for.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Act {
    /// Closes the socket with this code and reason.
    Close(u16, String),
    /// Ends the connection without a close frame.
    Drop,
    /// Sends nothing any more, and takes no notice of what comes, on an open socket.
    Stall,
    /// Stops reading the socket, so that the client's sends fill the network's buffers.
    StopReading,
    /// Sends this text, whatever it is.
    Text(String),
    /// Sends a binary message.
    Binary(Vec<u8>),
    /// Sends this event, completed by an `event_id`.
    Event(Value),
    /// Sends an `error` event.
    Error(ApiError),
    /// Announces how many tokens are left of the limit, and in how many seconds it is restored.
    RateLimit {
        /// Tokens that are left.
        remaining: u32,
        /// Seconds until all are back.
        reset_seconds: f64,
    },
    /// Ends the session as at its maximum duration.
    Expire,
    /// The caller of a telephone call presses a key. Only a session that is attached to a call tells it.
    Dtmf(char),
}

/// One answer of the model: what it says and calls, in order, and how that ends.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Answer {
    pub(super) parts: Vec<Part>,
    pub(super) delay: Duration,
    pub(super) late_audio: Duration,
    pub(super) ending: Ending,
    pub(super) then: Option<Box<Answer>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Say(Utterance),
    Call { name: String, arguments: String },
}

/// How an answer ends.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ending {
    Complete,
    Refused(ApiError),
    Failed(ApiError),
    CutShort { after: Duration, reason: &'static str },
    Broken { after: Duration, act: Option<Act> },
}

impl Answer {
    /// An answer that ends at once without a word.
    #[must_use]
    pub const fn silent() -> Self {
        Self {
            parts: Vec::new(),
            delay: Duration::ZERO,
            late_audio: Duration::ZERO,
            ending: Ending::Complete,
            then: None,
        }
    }

    /// An answer that says this.
    #[must_use]
    pub fn say(utterance: impl Into<Utterance>) -> Self {
        Self::silent().and_say(utterance)
    }

    /// An answer that calls a tool.
    #[must_use]
    pub fn call(name: impl Into<String>, arguments: &Value) -> Self {
        Self::silent().and_call(name, arguments)
    }

    /// Goes on to say this, as a message of its own.
    #[must_use]
    pub fn and_say(mut self, utterance: impl Into<Utterance>) -> Self {
        self.parts.push(Part::Say(utterance.into()));
        self
    }

    /// Goes on to call a tool.
    #[must_use]
    pub fn and_call(self, name: impl Into<String>, arguments: &Value) -> Self {
        self.and_call_with_text(name, arguments.to_string())
    }

    /// Goes on to call a tool with arguments that need not be JSON, as models invent them.
    #[must_use]
    pub fn and_call_with_text(mut self, name: impl Into<String>, arguments: impl Into<String>) -> Self {
        self.parts.push(Part::Call { name: name.into(), arguments: arguments.into() });
        self
    }

    /// Sets the answer that follows when the outputs of all tools called here are in and it is asked for.
    #[must_use]
    pub fn then(mut self, answer: Self) -> Self {
        self.then = Some(Box::new(answer));
        self
    }

    /// Sets how much longer than usual the first sound takes.
    #[must_use]
    pub const fn delayed(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Sets how much audio still comes after the answer was cancelled.
    #[must_use]
    pub const fn with_late_audio(mut self, late_audio: Duration) -> Self {
        self.late_audio = late_audio;
        self
    }

    /// The answer is refused: an `error` event comes instead of `response.created`.
    #[must_use]
    pub fn refused(error: ApiError) -> Self {
        Self::silent().ending(Ending::Refused(error))
    }

    /// The answer ends as `failed` after what it said.
    #[must_use]
    pub fn failed(self, error: ApiError) -> Self {
        self.ending(Ending::Failed(error))
    }

    /// The answer ends as `incomplete` by the content filter after this much audio.
    #[must_use]
    pub fn filtered_after(self, after: Duration) -> Self {
        self.ending(Ending::CutShort { after, reason: "content_filter" })
    }

    /// The answer stops after this much audio and never ends.
    #[must_use]
    pub fn stalls_after(self, after: Duration) -> Self {
        self.ending(Ending::Broken { after, act: None })
    }

    /// Something happens to the whole session after this much audio.
    #[must_use]
    pub fn broken_after(self, after: Duration, act: Act) -> Self {
        self.ending(Ending::Broken { after, act: Some(act) })
    }

    fn ending(mut self, ending: Ending) -> Self {
        self.ending = ending;
        self
    }
}

/// Something the model says: words and their sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Utterance {
    pub(super) transcript: String,
    /// Raw G.711 μ-law, 8,000 Hz.
    pub(super) mulaw: Cow<'static, [u8]>,
}

impl Utterance {
    /// Words with a recording: raw G.711 μ-law, 8,000 Hz.
    #[must_use]
    pub fn recorded(transcript: impl Into<String>, mulaw: impl Into<Cow<'static, [u8]>>) -> Self {
        Self { transcript: transcript.into(), mulaw: mulaw.into() }
    }

    /// Words with a tone of 400 Hz that lasts as long as wanted.
    #[must_use]
    pub fn tone(transcript: impl Into<String>, duration: Duration) -> Self {
        const PERIOD: usize = 20;
        let samples = realtime_bridge::audio::AudioFormat::MuLaw.bytes_in(duration);
        let tone: Vec<i16> = (0..samples).map(|at| if at % PERIOD < PERIOD / 2 { 4_000 } else { -4_000 }).collect();
        Self::recorded(transcript, codec::encode(realtime_bridge::audio::AudioFormat::MuLaw, &tone))
    }
}

impl From<Speech> for Utterance {
    fn from(speech: Speech) -> Self {
        Self { transcript: speech.transcript.to_owned(), mulaw: Cow::Borrowed(speech.mulaw) }
    }
}
