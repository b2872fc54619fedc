//! A session in virtual time. Every event it sends is held against the published schema.

use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex},
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use call_simulator::openai::{
    Recording, Script, Session, Settings, Timing,
    session::{Opening, Output},
};
use serde_json::{Value, json};

/// The published schema.
static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let text = include_str!("../../../../realtime-bridge/tests/data/openai/schema.json");
    serde_json::from_str(text).unwrap()
});

/// One validator for each kind of event: the union of all would be tried from its top for each of them.
static VALIDATORS: LazyLock<Mutex<HashMap<String, jsonschema::Validator>>> = LazyLock::new(Mutex::default);

fn assert_valid(event: &Value) {
    let kind = event["type"].as_str().unwrap();
    let mut validators = VALIDATORS.lock().unwrap();
    let validator = validators.entry(kind.to_owned()).or_insert_with(|| {
        let union = SCHEMA["$defs"]["ServerEvent"]["oneOf"].as_array().unwrap();
        let is_kind = |path: &&str| SCHEMA.pointer(&path[1..]).unwrap()["properties"]["type"]["const"] == kind;
        let path = union.iter().map(|member| member["$ref"].as_str().unwrap()).find(is_kind);
        let path = path.unwrap_or_else(|| panic!("{kind} is no event of the provider"));
        jsonschema::validator_for(&json!({"$defs": SCHEMA["$defs"], "$ref": path})).unwrap()
    });
    if let Err(error) = validator.validate(event) {
        panic!("{error}\nin {event:#}");
    }
}

/// The wall clock when a session is opened.
pub(super) const UNIX_SECONDS: u64 = 1_790_000_000;

pub(super) const FRAME: Duration = Duration::from_millis(20);

pub(super) struct Bench {
    pub(super) session: Session,
    start: Instant,
    now: Instant,
    /// Everything sent, with the time since the start.
    pub(super) sent: Vec<(Duration, Output)>,
    /// The events among it.
    pub(super) events: Vec<(Duration, Value)>,
    read: usize,
}

impl Bench {
    /// A session of the current model with a brisk script; `session.created` has been read.
    pub(super) fn new(script: Script) -> Self {
        Self::with(
            script,
            Settings::default().with_timing(Timing::brisk()),
            Opening::new("gpt-realtime-2.1", UNIX_SECONDS),
        )
    }

    pub(super) fn with(script: Script, settings: Settings, opening: Opening) -> Self {
        let start = tokio::time::Instant::now().into_std();
        let session = Session::open(start, opening, script, settings);
        let mut bench = Self { session, start, now: start, sent: Vec::new(), events: Vec::new(), read: 0 };
        bench.collect();
        bench
    }

    /// The same, set up for a telephone.
    pub(super) fn telephone(script: Script) -> Self {
        let mut bench = Self::new(script);
        bench.set_up();
        bench
    }

    pub(super) fn set_up(&mut self) {
        self.send(&telephone_update());
        self.until("session.updated");
    }

    /// Time since the start.
    pub(super) fn at(&self) -> Duration {
        self.now - self.start
    }

    pub(super) fn send(&mut self, event: &Value) {
        self.send_text(&event.to_string());
    }

    pub(super) fn send_text(&mut self, text: &str) {
        self.session.handle_text(self.now, text);
        self.collect();
    }

    pub(super) fn send_binary(&mut self) {
        self.session.handle_binary(self.now);
        self.collect();
    }

    /// Lets time pass, stopping at each moment something is due.
    pub(super) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(due) = self.session.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.session.handle_timeout(self.now);
            self.collect();
        }
        self.now = end;
    }

    /// Speaks to the model in frames of 20 ms, as fast as they play.
    pub(super) fn speak(&mut self, bytes: &[u8]) {
        self.speak_frames(bytes, 160);
    }

    pub(super) fn speak_frames(&mut self, bytes: &[u8], frame_len: usize) {
        for frame in bytes.chunks(frame_len) {
            self.send(&json!({"type": "input_audio_buffer.append", "audio": STANDARD.encode(frame)}));
            self.run(FRAME);
        }
    }

    pub(super) fn silence(&mut self, duration: Duration) {
        let bytes = usize::try_from(duration.as_millis() * 8).unwrap();
        self.speak(&vec![0xFF; bytes]);
    }

    /// The next unread event of this kind; lets up to a minute pass until it comes.
    #[track_caller]
    pub(super) fn until(&mut self, kind: &str) -> Value {
        let deadline = self.now + Duration::from_secs(60);
        loop {
            while self.read < self.events.len() {
                self.read += 1;
                let event = &self.events[self.read - 1].1;
                if event["type"] == kind {
                    return event.clone();
                }
            }
            match self.session.poll_timeout().filter(|due| *due <= deadline) {
                Some(due) => {
                    self.now = self.now.max(due);
                    self.session.handle_timeout(self.now);
                    self.collect();
                }
                None => panic!("no {kind} came; unread are none of {:#?}", self.kinds()),
            }
        }
    }

    /// The next unread event, which must be an error with this code.
    #[track_caller]
    pub(super) fn error(&mut self, code: &str) -> Value {
        let error = self.until("error")["error"].clone();
        assert_eq!(error["code"], code, "{error}");
        error
    }

    /// Sends an event that must be refused with this code.
    #[track_caller]
    pub(super) fn refused(&mut self, event: &Value, code: &str) -> Value {
        self.read = self.events.len();
        self.send(event);
        let first = self.events.get(self.read).expect("a refusal comes at once").1["type"].clone();
        assert_eq!(first, "error");
        self.error(code)
    }

    /// The types of all events, in order.
    pub(super) fn kinds(&self) -> Vec<&str> {
        self.events.iter().map(|(_, event)| event["type"].as_str().unwrap()).collect()
    }

    pub(super) fn of_kind(&self, kind: &str) -> Vec<&Value> {
        self.events.iter().map(|(_, event)| event).filter(|event| event["type"] == kind).collect()
    }

    /// All audio that was sent for an item.
    pub(super) fn audio_of(&self, item_id: &str) -> Vec<u8> {
        let deltas = self.of_kind("response.output_audio.delta");
        let deltas = deltas.iter().filter(|event| event["item_id"] == item_id);
        deltas.flat_map(|event| STANDARD.decode(event["delta"].as_str().unwrap()).unwrap()).collect()
    }

    pub(super) fn recording(&self) -> Recording {
        self.session.recording()
    }

    fn collect(&mut self) {
        while let Some(output) = self.session.poll_output() {
            let at = self.at();
            if let Output::Text(text) = &output
                && let Ok(event) = serde_json::from_str::<Value>(text)
                && event["type"].is_string()
            {
                assert_valid(&event);
                self.events.push((at, event));
            }
            self.sent.push((at, output));
        }
    }
}

/// What a telephone bridge sets up.
pub(super) fn telephone_update() -> Value {
    json!({
        "type": "session.update",
        "event_id": "cfg-1",
        "session": {
            "type": "realtime",
            "output_modalities": ["audio"],
            "instructions": "Speak in one or two short sentences.",
            "audio": {
                "input": {
                    "format": {"type": "audio/pcmu"},
                    "transcription": {"model": "gpt-transcribe", "languages": ["en"]},
                    "turn_detection": {"type": "server_vad", "silence_duration_ms": 500},
                },
                "output": {"format": {"type": "audio/pcmu"}, "voice": "marin"},
            },
        },
    })
}

/// An update of turn detection alone.
pub(super) fn turn_detection(turns: &Value) -> Value {
    json!({"type": "session.update", "session": {"type": "realtime", "audio": {"input": {"turn_detection": turns}}}})
}

pub(super) fn create() -> Value {
    json!({"type": "response.create"})
}

pub(super) fn create_item(item: &Value) -> Value {
    json!({"type": "conversation.item.create", "event_id": "item-1", "item": item})
}

pub(super) fn truncate(item_id: &str, audio_end_ms: u64) -> Value {
    json!({
        "type": "conversation.item.truncate",
        "event_id": "trunc-1",
        "item_id": item_id,
        "content_index": 0,
        "audio_end_ms": audio_end_ms,
    })
}
