//! A story told over sockets that are cut in each phase of a turn: in real time, and therefore short.

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::{SinkExt, StreamExt};
use realtime_bridge::{
    audio::{AudioFormat, AudioFrame},
    bridge::{Bridge, Endpoints},
    media::memory::{Caller, line},
    realtime::{
        SessionConfig, ToolSpec,
        openai::{OpenAiClient, OpenAiConfig},
    },
    relay::{GapFiller, Recovery, Speaker},
    tool::ToolSet,
};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{Duration, Instant, sleep, timeout},
};
use tokio_tungstenite::{WebSocketStream, accept_async, tungstenite::Message};

use super::{
    super::{MS, S, quiet},
    talk::LookUp,
};

const EXAMPLES: &str = include_str!("../../../data/openai/examples.json");

const WORDS: usize = 5;
const WORD: Duration = Duration::from_millis(200);
/// How many words are written before they sound.
const LEAD: usize = 2;

/// When a socket is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Before the first audio.
    Beginning,
    Speaking,
    Tool,
    /// The caller has begun to speak into a sentence.
    Interrupting,
}

struct Teller<'a> {
    socket: WebSocketStream<TcpStream>,
    caller: &'a Caller,
    sentences: usize,
    dies: Option<Phase>,
    born: Instant,
    names: usize,
    asked: usize,
    said: usize,
    written: usize,
    called: bool,
    answered: bool,
    /// The answer that is being made, and how many words were said before it.
    answer: Option<(String, usize)>,
    next: Instant,
    quiet: Option<Instant>,
    /// How much of the caller's voice came at once when the session began.
    appended: usize,
    /// Nothing of what was asked into the sentence was understood yet.
    talked_over: bool,
}

fn word(number: usize) -> String {
    format!("w{number:03} ")
}

impl Teller<'_> {
    async fn send(&mut self, event: Value) {
        let _ = self.socket.send(Message::text(event.to_string())).await;
    }

    fn name(&mut self, kind: &str) -> String {
        self.names += 1;
        format!("{kind}_{}", self.names)
    }

    fn dies(&self, phase: Phase) -> bool {
        self.dies == Some(phase)
    }

    /// The caller's turn as the provider tells it. True when it dies of it.
    async fn turn(&mut self) -> bool {
        let item = self.name("item");
        self.send(json!({"type": "input_audio_buffer.speech_started", "audio_start_ms": 0, "item_id": item})).await;
        if self.answer.take().is_some() && self.dies(Phase::Interrupting) {
            return true;
        }
        self.send(json!({"type": "input_audio_buffer.speech_stopped", "audio_end_ms": 0, "item_id": item})).await;
        self.send(json!({"type": "input_audio_buffer.committed", "previous_item_id": null, "item_id": item})).await;
        self.send(json!({
            "type": "conversation.item.input_audio_transcription.completed", "item_id": item, "content_index": 0,
            "transcript": "Next?", "usage": {"type": "duration", "seconds": 1},
        }))
        .await;
        self.asked += 1;
        self.act(None).await
    }

    async fn act(&mut self, request: Option<&Value>) -> bool {
        let (id, item) = (self.name("resp"), self.name("item"));
        let metadata = request.map_or(Value::Null, |request| request["response"]["metadata"].clone());
        let mut response = json!({"object": "realtime.response", "id": id, "status": "in_progress", "output": [],
            "metadata": metadata});
        self.send(json!({"type": "response.created", "response": response})).await;
        response["status"] = json!("completed");
        // The second sentence has to be looked up.
        if self.asked == 2 && !self.answered {
            let first = !std::mem::replace(&mut self.called, true);
            if first {
                response["output"] = json!([{"type": "function_call", "id": item, "status": "completed",
                    "call_id": "call_1", "name": "look_up", "arguments": "{\"sentence\": 2}"}]);
            }
            self.send(json!({"type": "response.done", "response": response})).await;
            return first && self.dies(Phase::Tool);
        }
        if self.said >= self.asked * WORDS {
            self.send(json!({"type": "response.done", "response": response})).await;
            return false;
        }
        self.answer = Some((id, self.said));
        self.written = self.said;
        self.next = Instant::now() + 50 * MS;
        self.write().await;
        // One that is asked for is what another session has left.
        self.dies(Phase::Beginning) && self.said > 0 && request.is_none()
    }

    fn part(&self, kind: &str) -> Value {
        let (id, from) = self.answer.as_ref().expect("it speaks");
        json!({"type": kind, "response_id": id, "item_id": format!("{id}_{from}"), "output_index": 0,
            "content_index": 0})
    }

    async fn write(&mut self) {
        while self.written < (self.said + LEAD).min(self.asked * WORDS) {
            self.written += 1;
            let mut event = self.part("response.output_audio_transcript.delta");
            event["delta"] = json!(word(self.written));
            self.send(event).await;
        }
    }

    /// The next word. True when it dies of it.
    async fn speak(&mut self) -> bool {
        let Some((id, from)) = self.answer.clone() else { return false };
        if self.said < self.asked * WORDS {
            self.write().await;
            self.said += 1;
            let byte = u8::try_from(self.said).expect("the story is short");
            let mut event = self.part("response.output_audio.delta");
            event["delta"] = json!(STANDARD.encode(vec![byte; AudioFormat::MuLaw.bytes_in(WORD)]));
            self.send(event).await;
            self.next = Instant::now() + WORD;
            // The first sentence is heard whole, so that the pace is known.
            if self.said == from + 3 && self.asked > 1 {
                if self.dies(Phase::Interrupting) {
                    sleep(WORD / 2).await;
                    return self.turn().await;
                }
                return self.dies(Phase::Speaking);
            }
            return false;
        }
        let text: String = (from..self.said).map(|index| word(index + 1)).collect();
        let event = self.part("response.output_audio.done");
        self.send(event).await;
        let mut event = self.part("response.output_audio_transcript.done");
        event["transcript"] = json!(text);
        self.send(event).await;
        let response = json!({"object": "realtime.response", "id": id, "status": "completed", "output": []});
        self.send(json!({"type": "response.done", "response": response})).await;
        self.answer = None;
        false
    }

    async fn hear(&mut self, event: &Value) -> bool {
        let item = &event["item"];
        match (event["type"].as_str(), item["type"].as_str(), item["role"].as_str()) {
            (Some("conversation.item.create"), Some("message"), Some("user")) => self.asked += 1,
            (Some("conversation.item.create"), Some("message"), Some("assistant")) => {
                let text = item["content"][0]["text"].as_str().expect("it has words");
                self.said += text.trim_end_matches('…').split_whitespace().count();
            }
            (Some("conversation.item.create"), Some("message"), Some("system")) => {
                let text = item["content"][0]["text"].as_str().expect("it has words");
                self.called |= text.contains("still at work");
            }
            (Some("conversation.item.create"), Some("function_call"), _) => self.called = true,
            (Some("conversation.item.create"), Some("function_call_output"), _) => self.answered = true,
            (Some("response.create"), ..) if self.answer.is_none() => return self.act(Some(event)).await,
            (Some("input_audio_buffer.append"), ..) => {
                self.appended += 1;
                // What was said to the session before comes all at once.
                if self.talked_over && self.appended == 20 && self.born.elapsed() < 300 * MS {
                    return self.turn().await;
                }
            }
            _ => {}
        }
        false
    }

    /// True when it died, false when the story is over.
    async fn live(&mut self) -> bool {
        loop {
            let due = self.answer.is_some() && Instant::now() >= self.next;
            let died = if due {
                self.speak().await
            } else {
                match timeout(10 * MS, self.socket.next()).await {
                    Ok(Some(Ok(Message::Text(text)))) => self.hear(&serde_json::from_str(&text).unwrap()).await,
                    Ok(Some(Ok(_))) | Err(_) => false,
                    Ok(Some(Err(_)) | None) => return false,
                }
            };
            if died {
                return true;
            }
            let open = self.called && !self.answered;
            let over = self.said >= self.asked * WORDS && self.answer.is_none() && !open;
            if !over || !self.caller.left_to_hear().is_zero() {
                self.quiet = None;
            } else if self.quiet.get_or_insert_with(Instant::now).elapsed() >= 400 * MS {
                self.quiet = None;
                if self.asked == self.sentences {
                    self.caller.hang_up().await.unwrap();
                    return false;
                }
                if self.turn().await {
                    return true;
                }
            }
        }
    }
}

/// The provider's end of the next connection, which is set up.
async fn accept(listener: &TcpListener, pause: Duration) -> WebSocketStream<TcpStream> {
    let (tcp, _) = listener.accept().await.unwrap();
    sleep(pause).await;
    let mut socket = accept_async(tcp).await.unwrap();
    let examples: Value = serde_json::from_str(EXAMPLES).unwrap();
    socket.send(Message::text(examples["server.session.created"].to_string())).await.unwrap();
    let Message::Text(update) = socket.next().await.unwrap().unwrap() else { panic!("no update") };
    let mut session = serde_json::from_str::<Value>(&update).unwrap()["session"].take();
    session["id"] = json!("sess_1");
    session["object"] = json!("realtime.session");
    session["model"] = json!("gpt-realtime-2.1");
    let updated = json!({"type": "session.updated", "event_id": "event_2", "session": session});
    socket.send(Message::text(updated.to_string())).await.unwrap();
    socket
}

/// Tells a story while a socket is cut in this phase, three times: by its end, by a reset, by its end.
async fn tell(phase: Phase) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = OpenAiConfig::new("sk-test").with_base_url(format!("http://{}/v1", listener.local_addr().unwrap()));
    let look_up = LookUp::default();
    let tools = ToolSet::new().with(look_up.clone());
    let specs: Vec<ToolSpec> = tools.specs();
    let settings = SessionConfig::default().with_tools(specs);
    let mut endpoints = Endpoints::new(OpenAiClient::new(config).unwrap(), settings);
    let (session, socket) = tokio::join!(endpoints.connect(), accept(&listener, Duration::ZERO));
    let (line, caller) = line(AudioFormat::MuLaw);
    let config = quiet().with_recovery(Recovery::default().with_filler(GapFiller::Nothing, S));
    let bridge = Bridge::with_config(line, session.unwrap(), config).unwrap();
    let bridge = bridge.with_endpoints(endpoints).with_tools(tools);
    let cuts = if phase == Phase::Tool { 1 } else { 3 };
    let sentences = 5;
    let tells = async {
        let (mut next, mut sessions) = (Some(socket), 0);
        loop {
            let socket = match next.take() {
                Some(socket) => socket,
                None => accept(&listener, S).await,
            };
            let dies = (sessions < cuts).then_some(phase);
            let now = Instant::now();
            let (talked_over, caller) = (phase == Phase::Interrupting && sessions > 0, &caller);
            let mut teller = Teller {
                socket,
                caller,
                sentences,
                dies,
                talked_over,
                born: now,
                names: 0,
                asked: 0,
                said: 0,
                written: 0,
                called: false,
                answered: false,
                answer: None,
                next: now,
                quiet: None,
                appended: 0,
            };
            if !teller.live().await {
                // Its goodbye is answered.
                while let Ok(Some(Ok(_))) = timeout(S, teller.socket.next()).await {}
                return sessions;
            }
            // A reset takes back what was not read yet, and the phase is to be the one that is meant.
            sleep(100 * MS).await;
            if sessions % 2 == 1 {
                teller.socket.get_ref().set_zero_linger().unwrap();
            }
            sessions += 1;
        }
    };
    let sends = async {
        let frame = AudioFrame::silence(AudioFormat::MuLaw, 20 * MS);
        while caller.send(frame.clone()).await.is_ok() {
            sleep(20 * MS).await;
        }
    };
    let all = Box::pin(async { tokio::join!(bridge.run(), tells, sends) });
    let (report, lost, ()) = timeout(60 * S, all).await.unwrap_or_else(|_| panic!("the story ends, cut {phase:?}"));
    assert_eq!((report.reason.name(), lost), ("caller-hung-up", cuts), "{phase:?}");
    assert_eq!(report.stats.sessions_lost, cuts, "{phase:?}");

    let (mut whole, mut cut, mut silence, mut last) = (Vec::new(), BTreeSet::new(), Duration::ZERO, None);
    for run in caller.heard() {
        let number = usize::from(run.frame.to_raw()[0]);
        if run.frame.duration() == WORD {
            whole.push(number)
        } else {
            _ = cut.insert(word(number).trim().to_owned())
        }
        silence = silence.max(last.map_or(Duration::ZERO, |last| run.at.saturating_sub(last)));
        last = Some(run.at + run.frame.duration());
    }
    let words = sentences * WORDS;
    assert_eq!(whole, (1..=words).collect::<Vec<_>>(), "each word is heard once, cut {phase:?}");
    assert!(cut.len() <= usize::try_from(cuts).unwrap());
    assert!(silence < 2_500 * MS, "the longest silence was {silence:?}, cut {phase:?}");
    let agent = report.transcript.iter().filter(|entry| entry.speaker == Speaker::Agent);
    let said: Vec<_> = agent.flat_map(|entry| entry.heard.split_whitespace()).collect();
    let story: Vec<_> = (1..=words).map(|number| word(number).trim().to_owned()).collect();
    assert_eq!(said, story, "{phase:?}");
    assert_eq!(report.transcript.iter().filter(|entry| entry.speaker == Speaker::Caller).count(), sentences);
    assert_eq!(look_up.runs().len(), 1, "{phase:?}");
}

#[tokio::test]
async fn a_story_outlives_the_sockets_that_it_is_told_over() {
    let told = |phase| Box::pin(tell(phase));
    tokio::join!(told(Phase::Beginning), told(Phase::Speaking), told(Phase::Tool), told(Phase::Interrupting));
}
