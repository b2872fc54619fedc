//! A second kind of provider: full duplex, and led by its server. Nothing that a client says begins, stops or cuts
//! speech; audio is one stream without entries, and words come in pieces that belong to no turn. What the relay knows as
//! answers and turns is made here.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use async_trait::async_trait;
use futures_util::{Sink, Stream};
use realtime_bridge::{
    audio::{AudioFormat, AudioFrame},
    realtime::{
        Capabilities, CloseReason, ConnectError, ItemId, ItemKind, NewItem, RealtimeClient, RealtimeCommand,
        RealtimeEvent, RealtimeSession, ResponseId, ResponseOutcome, ResponseStatus, SessionConfig, SessionError,
        SessionInfo, ToolCall, Usage,
    },
};
use serde_json::{Value, json};
use tokio::{
    sync::{Mutex, mpsc},
    time::{Duration, Instant, Sleep, sleep_until},
};

/// How long nothing is said before a turn, or an answer, is over.
const PAUSE: Duration = Duration::from_millis(500);

/// The far end of a socket: text in, text out.
pub(super) struct Wire {
    pub(super) send: mpsc::Sender<String>,
    pub(super) recv: mpsc::Receiver<String>,
}

impl Wire {
    pub(super) async fn tell(&self, event: Value) {
        // A session that is gone hears nothing.
        let _ = self.send.send(event.to_string()).await;
    }

    pub(super) async fn event(&mut self) -> Option<Value> {
        self.recv.recv().await.map(|text| serde_json::from_str(&text).unwrap())
    }
}

/// Opens sessions; the far ends come out of the receiver.
pub(super) struct LiveClient(Mutex<mpsc::Sender<Wire>>);

impl LiveClient {
    pub(super) fn new() -> (Self, mpsc::Receiver<Wire>) {
        let (sender, receiver) = mpsc::channel(4);
        (Self(Mutex::new(sender)), receiver)
    }
}

#[async_trait]
impl RealtimeClient for LiveClient {
    type Session = LiveSession;

    async fn connect(&self, config: &SessionConfig) -> Result<LiveSession, ConnectError> {
        let ((send, theirs), (ours, recv)) = (mpsc::channel(1_024), mpsc::channel(1_024));
        let lost = || ConnectError::Closed(CloseReason::new(None, ""));
        self.0.lock().await.send(Wire { send: ours, recv: theirs }).await.map_err(|_| lost())?;
        let start = json!({"type": "session.start", "session": {
            "model": "gpt-live-1",
            "instructions": config.instructions,
            "audio": {"format": {"type": "audio/pcmu", "rate": 8000}},
        }});
        send.send(start.to_string()).await.map_err(|_| lost())?;
        let mut session = LiveSession::new(send, recv);
        let started = session.recv.recv().await.ok_or_else(lost)?;
        assert!(started.contains("session.started"), "{started}");
        Ok(session)
    }
}

pub(super) struct LiveSession {
    send: mpsc::Sender<String>,
    recv: mpsc::Receiver<String>,
    capabilities: Capabilities,
    info: SessionInfo,
    ready: VecDeque<RealtimeEvent>,
    answer: Option<(ResponseId, ItemId, String)>,
    turn: Option<(ItemId, String)>,
    names: u32,
    seconds: f64,
    over: bool,
    /// When what is said counts as finished.
    pause: Pin<Box<Sleep>>,
}

impl LiveSession {
    fn new(send: mpsc::Sender<String>, recv: mpsc::Receiver<String>) -> Self {
        Self {
            send,
            recv,
            capabilities: Capabilities::server_driven(),
            info: SessionInfo::new("live", "gpt-live-1", AudioFormat::MuLaw, AudioFormat::MuLaw),
            ready: VecDeque::new(),
            answer: None,
            turn: None,
            names: 0,
            seconds: 0.0,
            over: false,
            pause: Box::pin(sleep_until(Instant::now())),
        }
    }

    fn name(&mut self, kind: &str) -> String {
        self.names += 1;
        format!("{kind}_{}", self.names)
    }

    fn goes_on(&mut self) {
        self.pause.as_mut().reset(Instant::now() + PAUSE);
    }

    fn answer(&mut self) -> (ResponseId, ItemId) {
        if self.answer.is_none() {
            self.end_turn();
            let (response, item) = (ResponseId::from(self.name("resp")), ItemId::from(self.name("item")));
            self.ready.push_back(RealtimeEvent::ResponseStarted { response: response.clone(), request: None });
            let kind = ItemKind::Assistant;
            self.ready.push_back(RealtimeEvent::ItemAdded { item: item.clone(), previous: None, kind });
            self.answer = Some((response, item, String::new()));
        }
        self.goes_on();
        let (response, item, _) = self.answer.as_ref().unwrap();
        (response.clone(), item.clone())
    }

    fn end_answer(&mut self, status: ResponseStatus, calls: Vec<ToolCall>) {
        let Some((response, item, text)) = self.answer.take() else { return };
        let (content_index, done) = (0, response.clone());
        self.ready.push_back(RealtimeEvent::AudioDone { response: done, item: item.clone(), content_index });
        self.ready.push_back(RealtimeEvent::Transcript { response: response.clone(), item, content_index, text });
        let mut usage = Usage::default();
        usage.seconds = std::mem::take(&mut self.seconds);
        let outcome = ResponseOutcome::new(response, status).with_calls(calls).with_usage(usage);
        self.ready.push_back(RealtimeEvent::ResponseDone(Box::new(outcome)));
    }

    fn end_turn(&mut self) {
        let Some((item, text)) = self.turn.take() else { return };
        self.ready.push_back(RealtimeEvent::SpeechStopped { item: Some(item.clone()), audio_end: Duration::ZERO });
        self.ready.push_back(RealtimeEvent::TurnCommitted { item: item.clone(), previous: None });
        self.ready.push_back(RealtimeEvent::UserTranscript { item, text });
    }

    fn take(&mut self, event: &Value) -> Result<(), SessionError> {
        let text = || event["text"].as_str().unwrap_or_default().to_owned();
        match event["type"].as_str().unwrap_or_default() {
            "session.output_audio.delta" => {
                let (response, item) = self.answer();
                let audio = event["audio"].as_str().unwrap_or_default().to_owned();
                let frame = AudioFrame::base64(AudioFormat::MuLaw, audio).unwrap();
                self.ready.push_back(RealtimeEvent::Audio { response, item, content_index: 0, frame });
            }
            "session.output_transcript.delta" => {
                let (response, item) = self.answer();
                self.answer.as_mut().unwrap().2.push_str(&text());
                let (content_index, delta) = (0, text());
                self.ready.push_back(RealtimeEvent::TranscriptDelta { response, item, content_index, delta });
            }
            "session.input_transcript.delta" => {
                self.goes_on();
                if self.turn.is_none() {
                    let item = ItemId::from(self.name("turn"));
                    self.turn = Some((item.clone(), String::new()));
                    self.ready
                        .push_back(RealtimeEvent::SpeechStarted { item: Some(item), audio_start: Duration::ZERO });
                    // It stops by itself when the caller talks.
                    self.end_answer(ResponseStatus::Interrupted, Vec::new());
                }
                self.turn.as_mut().unwrap().1.push_str(&text());
            }
            "session.delegation.created" => {
                let word = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
                self.answer();
                let call = ToolCall::new(word("delegation_id"), "delegation", word("task"), word("input"));
                self.end_answer(ResponseStatus::Completed, vec![call]);
            }
            "session.usage.updated" => self.seconds = event["seconds"].as_f64().unwrap_or_default(),
            "session.closed" => {
                self.over = true;
                if event["reason"] != "close_requested" {
                    return Err(SessionError::Closed(CloseReason::new(Some(1_001), "session.closed")));
                }
            }
            other => panic!("the service has no {other}"),
        }
        Ok(())
    }
}

impl Stream for LiveSession {
    type Item = Result<RealtimeEvent, SessionError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(event)));
            }
            if self.over {
                return Poll::Ready(None);
            }
            match self.recv.poll_recv(cx) {
                Poll::Ready(Some(text)) => {
                    if let Err(error) = self.take(&serde_json::from_str(&text).unwrap()) {
                        return Poll::Ready(Some(Err(error)));
                    }
                    continue;
                }
                Poll::Ready(None) => {
                    self.over = true;
                    return Poll::Ready(Some(Err(SessionError::Closed(CloseReason::new(None, "")))));
                }
                Poll::Pending => {}
            }
            if self.answer.is_none() && self.turn.is_none() {
                return Poll::Pending;
            }
            if self.pause.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.end_turn();
            self.end_answer(ResponseStatus::Completed, Vec::new());
        }
    }
}

impl Sink<RealtimeCommand> for LiveSession {
    type Error = SessionError;

    fn poll_ready(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Result<(), SessionError>> {
        Poll::Ready(Ok(()))
    }

    fn start_send(self: Pin<&mut Self>, command: RealtimeCommand) -> Result<(), SessionError> {
        let event = match command {
            RealtimeCommand::Append(frame) => {
                let mut audio = String::new();
                frame.push_base64(&mut audio);
                json!({"type": "session.input_audio.append", "audio": audio})
            }
            RealtimeCommand::AddItem { item, .. } => match item {
                NewItem::System(text) => {
                    json!({"type": "session.commentary.append", "text": text, "delegation_id": null})
                }
                NewItem::User(text) => past(&format!("The caller said: {text}")),
                NewItem::Assistant(text) => past(&format!("You said: {text}")),
                NewItem::ToolCall { name, arguments, .. } => past(&format!("You asked {name} {arguments}")),
                NewItem::ToolOutput { call, output } => {
                    json!({"type": "session.thinking.append", "text": output, "delegation_id": call.as_str()})
                }
                other => panic!("there is no way to tell {other:?}"),
            },
            other => panic!("a model that leads by itself is not told to {other:?}"),
        };
        let gone = |_| SessionError::Closed(CloseReason::new(None, ""));
        self.send.try_send(event.to_string()).map_err(gone)
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Result<(), SessionError>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Result<(), SessionError>> {
        // It may be gone already.
        let _ = self.send.try_send(json!({"type": "session.close"}).to_string());
        Poll::Ready(Ok(()))
    }
}

fn past(text: &str) -> Value {
    json!({"type": "session.instructions.append", "text": text, "delegation_id": null})
}

impl RealtimeSession for LiveSession {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn info(&self) -> &SessionInfo {
        &self.info
    }
}

/// For the calls of a test.
pub(super) type Shared<T> = Arc<std::sync::Mutex<T>>;
