//! One session of the simulated provider, as a pure state machine.
//!
//! Client events go in with the time they came; server events come out when they are due. No socket, clock or
//! randomness is touched, so that a ten-minute call runs in milliseconds.

mod call;
mod cast;
mod client_event;
mod config;
mod conversation;
mod input;
mod item_events;
mod plan;
mod responses;
mod running;
mod schedule;
mod shape;
mod turns;
mod usage;

use std::{
    collections::{BTreeMap, VecDeque},
    time::Instant,
};

use base64::{Engine, engine::general_purpose::STANDARD};
pub use call::CallAudio;
use cast::Cast;
use config::Config;
use conversation::Conversation;
use input::Input;
use running::Running;
use schedule::Later;
use serde::Deserialize;
use serde_json::{Value, json};
use turns::TurnEnd;
use usage::Tokens;

use super::{
    ApiError,
    recording::{Ending, Logged, Party, Recording},
    script::{Act, OnOpen, OnUpdate, Script},
    settings::{Model, Settings},
};
use crate::chance::Chance;

/// What opens a session.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Opening {
    /// The model of the URL.
    pub model: String,
    /// Where the audio goes.
    pub attachment: Attachment,
    /// The wall clock when the socket was opened, in Unix seconds; `expires_at` follows from it.
    pub unix_seconds: u64,
}

impl Opening {
    /// A conversation with this model over the socket.
    #[must_use]
    pub fn new(model: impl Into<String>, unix_seconds: u64) -> Self {
        Self { model: model.into(), attachment: Attachment::Socket, unix_seconds }
    }

    /// Sets where the audio goes.
    #[must_use]
    pub const fn with_attachment(mut self, attachment: Attachment) -> Self {
        self.attachment = attachment;
        self
    }
}

/// Where the audio of a session goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Attachment {
    /// Over the socket, in both directions.
    Socket,
    /// To a telephone call that reached the provider by itself; the socket only controls.
    Call,
}

/// Something for the driver to do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output {
    /// Send a text message.
    Text(String),
    /// Send a binary message.
    Binary(Vec<u8>),
    /// Close with this code and reason.
    Close(u16, String),
    /// End the connection without a close frame.
    Drop,
    /// Read nothing any more.
    StopReading,
}

/// One conversation with the simulated model.
#[derive(Debug)]
pub struct Session {
    settings: Settings,
    attachment: Attachment,
    /// The telephone of a call that outlives its sockets.
    line: Option<call::CallLine>,
    opened: Instant,
    opened_unix_seconds: u64,
    /// The time of the present input.
    now: Instant,
    config: Config,
    conversation: Conversation,
    input: Input,
    chance: Chance,
    cast: Cast,
    /// At most one of them belongs to the conversation.
    running: Vec<Running>,
    playback: Option<running::Playback>,
    /// The id the caller's present turn will have.
    speech_item: Option<String>,
    turn_end: Option<TurnEnd>,
    /// A turn asked for an answer while a cancelled one was still being finished.
    turn_waits: bool,
    /// Audio has gone out, so the voice is frozen.
    spoken: bool,
    /// The context the last response has read, as far as nothing in it has changed since.
    cached: Tokens,
    tokens_left: u64,
    updated: bool,
    later: BTreeMap<(Instant, u64), Later>,
    later_count: u64,
    idle_at: Option<Instant>,
    out: VecDeque<Output>,
    state: State,
    recording: Recording,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// Open, but nothing is taken or sent.
    Mute,
    Ended,
}

/// Tokens per minute of the simulated account.
const TOKEN_LIMIT: u64 = 40_000;

impl Session {
    /// Opens a session; `session.created` is the first output. A model that nobody knows is served as one that reasons.
    #[must_use]
    pub fn open(now: Instant, opening: Opening, script: Script, settings: Settings) -> Self {
        let mut session = Self::prepare(now, opening, script, settings);
        session.plan_acts();
        session.greet_socket();
        session
    }

    fn prepare(now: Instant, opening: Opening, script: Script, settings: Settings) -> Self {
        let mut chance = Chance::new(settings.seed);
        let model = Model::named(&opening.model).unwrap_or(Model { name: "gpt-realtime-2.1", reasoning: true });
        let session_id = chance.id("sess");
        let config = Config::new(&session_id, model, opening.unix_seconds + settings.session_limit.as_secs());
        let input = Input::new(config.input_format(), config.turn_detection());
        Self {
            attachment: opening.attachment,
            line: None,
            opened: now,
            opened_unix_seconds: opening.unix_seconds,
            now,
            conversation: Conversation::new(chance.id("conv")),
            input,
            cast: Cast::new(script),
            running: Vec::new(),
            playback: None,
            speech_item: None,
            turn_end: None,
            turn_waits: false,
            spoken: false,
            cached: Tokens::default(),
            tokens_left: TOKEN_LIMIT,
            updated: false,
            later: BTreeMap::new(),
            later_count: 0,
            idle_at: None,
            out: VecDeque::new(),
            state: State::Open,
            recording: Recording { session_id, model: opening.model, ..Recording::default() },
            config,
            chance,
            settings,
        }
    }

    fn plan_acts(&mut self) {
        for (after, act) in self.cast.script.acts.clone() {
            self.schedule(self.opened + after, Later::Act(act));
        }
        self.schedule(self.opened + self.settings.session_limit, Later::Act(Act::Expire));
    }

    /// What a socket that was just opened is told.
    fn greet_socket(&mut self) {
        match self.cast.script.on_open.clone() {
            OnOpen::Serve => {}
            OnOpen::Silent => {
                self.state = State::Mute;
                return;
            }
            OnOpen::Refuse(error, code) => return self.refuse_session(&error, code),
        }
        self.emit(json!({"type": "session.created", "session": self.config.echo()}));
        if let Some(talk) = self.settings.profile.small_talk() {
            self.emit(talk);
        }
        if self.settings.conversation_created {
            let conversation = json!({"id": self.conversation.id, "object": "realtime.conversation"});
            self.emit(json!({"type": "conversation.created", "conversation": conversation}));
        }
    }

    /// What happened so far.
    #[must_use]
    pub fn recording(&self) -> Recording {
        Recording { items: self.conversation.recorded(), ..self.recording.clone() }
    }

    /// When it was opened.
    #[must_use]
    pub const fn opened_at(&self) -> Instant {
        self.opened
    }

    /// Whether the session has ended, from either side.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.state == State::Ended
    }

    /// Takes a text message of the client.
    pub fn handle_text(&mut self, now: Instant, text: &str) {
        self.handle_timeout(now);
        if self.state != State::Open {
            return;
        }
        if let Ok(append) = serde_json::from_str::<Append<'_>>(text)
            && append.kind == "input_audio_buffer.append"
            && append.audio.len() < 1 << 20
        {
            return self.append(append.audio, None);
        }
        let Ok(mut event) = serde_json::from_str::<Value>(text) else {
            return self.refuse(&ApiError::invalid("invalid_json", "The event is not valid JSON."), None);
        };
        self.log(Party::Client, &event);
        let event_id = event["event_id"].as_str().map(str::to_owned);
        let taken = self.settings.profile.incoming(&mut event);
        match taken.and_then(|()| client_event::check(&event)) {
            Ok(kind) => self.dispatch(kind, &event, event_id.as_deref()),
            Err(error) => self.refuse(&error, event_id.as_deref()),
        }
        self.handle_timeout(now);
    }

    /// Takes a binary message of the client, which the protocol does not have.
    pub fn handle_binary(&mut self, now: Instant) {
        self.handle_timeout(now);
        self.refuse(&ApiError::invalid("invalid_event", "Binary messages are not supported."), None);
    }

    /// The client has closed the connection, with this code if it gave one.
    pub fn handle_close(&mut self, now: Instant, code: Option<u16>) {
        self.handle_timeout(now);
        self.lose_socket(Ending::ClientClosed(code));
    }

    /// The connection was lost.
    pub fn handle_lost(&mut self, now: Instant) {
        self.handle_timeout(now);
        self.lose_socket(Ending::Lost);
    }

    /// Does everything that is due. Early calls are harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        while self.state == State::Open {
            let Some((due, task)) = self.next_task() else { break };
            if due > now {
                break;
            }
            self.now = self.now.max(due);
            self.perform(task);
        }
        self.now = self.now.max(now);
    }

    /// Makes something happen that the script did not plan.
    pub fn act(&mut self, now: Instant, act: Act) {
        self.handle_timeout(now);
        self.perform_act(act);
    }

    /// When [`Session::handle_timeout`] has something to do next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        (self.state == State::Open).then(|| self.next_task()).flatten().map(|(due, _)| due)
    }

    /// The next thing for the driver to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    fn dispatch(&mut self, kind: &str, event: &Value, event_id: Option<&str>) {
        let result = match kind {
            "session.update" => self.update(&event["session"]),
            "input_audio_buffer.append" => {
                self.append(event["audio"].as_str().unwrap_or_default(), event_id);
                Ok(())
            }
            "input_audio_buffer.commit" => self.commit(),
            "input_audio_buffer.clear" => {
                self.input.clear();
                self.emit(json!({"type": "input_audio_buffer.cleared"}));
                Ok(())
            }
            "response.create" => self.create_response(&event["response"], event_id),
            "response.cancel" => self.cancel_response(event["response_id"].as_str()),
            "output_audio_buffer.clear" => self.clear_playback(),
            _ => self.item_event(kind, event),
        };
        if let Err(error) = result {
            self.refuse(&error, event_id);
        }
    }

    fn update(&mut self, update: &Value) -> Result<(), ApiError> {
        let reaction = if self.updated { OnUpdate::Confirm } else { self.cast.script.on_update.clone() };
        let mut config = self.config.clone();
        config.update(update, self.spoken)?;
        self.updated = true;
        match &reaction {
            OnUpdate::Ignore => return Ok(()),
            OnUpdate::Refuse(error) => return Err(error.clone()),
            OnUpdate::Confirm | OnUpdate::Late(_) | OnUpdate::Misquote(_) => {}
        }
        if ["instructions", "tools"].iter().any(|member| update.get(*member).is_some()) {
            self.cached = Tokens::default();
        }
        self.config = config;
        self.input.configure(self.config.input_format(), self.config.turn_detection());
        let mut session = self.config.echo();
        match reaction {
            OnUpdate::Late(after) => {
                self.schedule(self.now + after, Later::Updated(session));
                return Ok(());
            }
            OnUpdate::Misquote(members) => replace(&mut session, &members),
            OnUpdate::Confirm | OnUpdate::Ignore | OnUpdate::Refuse(_) => {}
        }
        self.emit(json!({"type": "session.updated", "session": session}));
        Ok(())
    }

    fn append(&mut self, base64: &str, event_id: Option<&str>) {
        let Ok(audio) = STANDARD.decode(base64) else {
            let error = ApiError::invalid_value("audio", "Invalid audio: expected base64-encoded bytes.");
            return self.refuse(&error, event_id);
        };
        if self.settings.record {
            let event = json!({"type": "input_audio_buffer.append", "audio": ""});
            self.push_log(Party::Client, event, audio.len());
            let format = self.input.format();
            match self.recording.caller_audio.last_mut() {
                Some((last, run)) if *last == format => run.extend_from_slice(&audio),
                _ => self.recording.caller_audio.push((format, audio.clone())),
            }
        }
        self.caller_audio(&audio);
    }

    fn perform_act(&mut self, act: Act) {
        if self.state == State::Ended {
            return;
        }
        match act {
            Act::Close(code, reason) => self.close(code, reason),
            Act::Drop => {
                self.output(Output::Drop);
                self.lose_socket(Ending::Dropped);
            }
            Act::Stall => self.state = State::Mute,
            Act::StopReading => {
                self.state = State::Mute;
                self.output(Output::StopReading);
            }
            Act::Text(text) => {
                self.push_log(Party::Server, json!(text), 0);
                self.output(Output::Text(text));
            }
            Act::Binary(bytes) => self.output(Output::Binary(bytes)),
            Act::Event(event) => self.emit(event),
            Act::Error(error) => self.refuse(&error, None),
            Act::RateLimit { remaining, reset_seconds } => {
                self.tokens_left = u64::from(remaining);
                self.emit(rate_limits(u64::from(remaining), reset_seconds));
            }
            Act::Expire => {
                let minutes = self.settings.session_limit.as_secs() / 60;
                let message = format!("Your session hit the maximum duration of {minutes} minutes.");
                self.refuse(&ApiError::invalid("session_expired", message), None);
                self.close(1001, String::new());
                self.end(Ending::Closed(1001, String::new()));
            }
            Act::Dtmf(key) => {
                if self.attachment == Attachment::Call {
                    let received_at = self.opened_unix_seconds + (self.now - self.opened).as_secs();
                    self.emit(json!({
                        "type": "input_audio_buffer.dtmf_event_received",
                        "event": key.to_string(),
                        "received_at": received_at,
                    }));
                }
            }
        }
    }

    fn refuse_session(&mut self, error: &ApiError, code: u16) {
        self.refuse(error, None);
        self.close(code, error.close_reason());
    }

    fn refuse(&mut self, error: &ApiError, event_id: Option<&str>) {
        self.emit(json!({"type": "error", "error": error.body(event_id)}));
    }

    fn close(&mut self, code: u16, reason: String) {
        self.output(Output::Close(code, reason.clone()));
        self.lose_socket(Ending::Closed(code, reason));
    }

    fn end(&mut self, ending: Ending) {
        if self.state != State::Ended {
            self.state = State::Ended;
            self.recording.ending = Some(ending);
        }
    }

    /// Sends an event, completed by its id.
    fn emit(&mut self, mut event: Value) {
        if self.state != State::Open {
            return;
        }
        if event["type"] != "input_audio_buffer.dtmf_event_received" {
            event["event_id"] = json!(self.chance.id("event"));
        }
        self.settings.profile.outgoing(&mut event);
        self.output(Output::Text(event.to_string()));
        self.log(Party::Server, &event);
    }

    fn log(&mut self, from: Party, event: &Value) {
        if !self.settings.record {
            return;
        }
        let member = match event["type"].as_str() {
            Some("input_audio_buffer.append") => "audio",
            Some("response.output_audio.delta") => "delta",
            _ => "",
        };
        let mut event = event.clone();
        let mut audio_bytes = 0;
        if let Some(audio) = event.get_mut(member) {
            audio_bytes = audio.as_str().and_then(|audio| STANDARD.decode(audio).ok()).map_or(0, |audio| audio.len());
            *audio = json!("");
        }
        self.push_log(from, event, audio_bytes);
    }

    fn push_log(&mut self, from: Party, event: Value, audio_bytes: usize) {
        self.recording.events.push(Logged { at: self.now - self.opened, from, event, audio_bytes });
    }
}

/// The usual append, read without building a tree.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Append<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    audio: &'a str,
}

/// Replaces members deep inside an object.
fn replace(value: &mut Value, by: &Value) {
    match (value, by) {
        (Value::Object(members), Value::Object(by)) => {
            for (name, by) in by {
                replace(members.entry(name).or_insert(Value::Null), by);
            }
        }
        (value, by) => *value = by.clone(),
    }
}

fn rate_limits(remaining: u64, reset_seconds: f64) -> Value {
    json!({
        "type": "rate_limits.updated",
        "rate_limits": [
            {"name": "tokens", "limit": TOKEN_LIMIT, "remaining": remaining, "reset_seconds": reset_seconds},
        ],
    })
}
