//! Responses: asked for, carried out step by step, cancelled, done.
//!
//! OpenAI: Realtime API reference, `response.*` client and server events.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{
    Attachment, Session,
    cast::Trigger,
    config::ResponseConfig,
    conversation::Item,
    plan::{self, Outcome, Step},
    running::{OpenItem, Playback, Running},
    schedule::Later,
    usage::{self, Tokens},
};
use crate::openai::{ApiError, script::Ending};

/// From the end of a response to the news about rate limits, as seen in the field.
const RATE_LIMITS_AFTER: Duration = Duration::from_millis(40);

impl Session {
    pub(super) fn create_response(&mut self, response: &Value, event_id: Option<&str>) -> Result<(), ApiError> {
        let config = self.config.for_response(response, self.spoken)?;
        if let Some(input) = &config.input {
            self.conversation.check_input(input, self.input.format())?;
        }
        let trigger = if config.in_conversation { Trigger::Asked } else { Trigger::Aside };
        self.start(trigger, config).map_err(|error| if event_id.is_some() { error } else { error.without_event_id() })
    }

    /// The caller has finished a turn.
    pub(super) fn answer_turn(&mut self) {
        self.turn_waits = self.running.iter().any(|running| running.in_conversation() && running.cancelled);
        if !self.turn_waits {
            self.start_by_itself(Trigger::Asked);
        }
    }

    /// The caller has said nothing for long.
    pub(super) fn answer_silence(&mut self) {
        self.start_by_itself(Trigger::Idle);
    }

    fn start_by_itself(&mut self, trigger: Trigger) {
        let started = self.config.for_response(&json!({}), false).and_then(|config| self.start(trigger, config));
        if let Err(error) = started {
            self.refuse(&error, None);
        }
    }

    fn start(&mut self, trigger: Trigger, config: ResponseConfig) -> Result<(), ApiError> {
        if config.in_conversation
            && let Some(active) = self.running.iter().find(|running| running.in_conversation())
        {
            let message = format!("Conversation already has an active response in progress: {}.", active.id);
            return Err(ApiError::invalid("conversation_already_has_active_response", message));
        }
        let answer = self.cast.choose(trigger, config.instructions.as_deref());
        if let Ending::Refused(error) = &answer.ending {
            return Err(error.clone());
        }
        if config.in_conversation {
            self.idle_at = None;
        }
        let input = self.context(&config);
        let running = Running {
            id: self.chance.id("resp"),
            conversation_id: config.in_conversation.then(|| self.conversation.id.clone()),
            steps: plan::plan(&answer, &config, &self.settings.timing, &mut self.chance, self.now),
            config,
            answer,
            open: None,
            output: Vec::new(),
            cancelled: false,
            call_ids: Vec::new(),
            first_audio: None,
            audio_bytes: 0,
            text_tokens: 0,
            input,
            cached: Tokens { text: self.cached.text.min(input.text), audio: self.cached.audio.min(input.audio) },
        };
        self.emit(json!({"type": "response.created", "response": running.body(None)}));
        self.running.push(running);
        Ok(())
    }

    /// What the model reads for a response.
    fn context(&self, config: &ResponseConfig) -> Tokens {
        let instructions = self.config.text_tokens(config.instructions.as_deref());
        let items = match &config.input {
            Some(input) => {
                Tokens { text: input.iter().map(|item| usage::text_tokens(&item.to_string())).sum(), audio: 0 }
            }
            None => self.conversation.tokens(),
        };
        Tokens { text: instructions + items.text, audio: items.audio }
    }

    pub(super) fn cancel_response(&mut self, response_id: Option<&str>) -> Result<(), ApiError> {
        let wanted = |running: &Running| response_id.map_or_else(|| running.in_conversation(), |id| running.id == id);
        match self.running.iter_mut().find(|running| wanted(running) && !running.cancelled) {
            Some(running) => {
                running.cancel(self.now, "client_cancelled");
                Ok(())
            }
            None => {
                let message = "Cancellation failed: no active response found";
                Err(ApiError::invalid("response_cancel_not_active", message))
            }
        }
    }

    /// The caller speaks: the response of the conversation is cancelled. Others are the client's business.
    pub(super) fn interrupt(&mut self) {
        if let Some(running) = self.running.iter_mut().find(|running| running.in_conversation() && !running.cancelled) {
            running.cancel(self.now, "turn_detected");
        }
    }

    /// Carries out the next step of a response.
    pub(super) fn step(&mut self, at: usize) {
        let mut running = self.running.remove(at);
        let Some((_, step)) = running.steps.pop_front() else { return };
        match step {
            Step::OpenMessage { phase } => self.open_message(&mut running, phase),
            Step::OpenPart => self.open_part(&mut running),
            Step::Words(words) => self.words(&mut running, &words),
            Step::Audio(audio) => self.audio(&mut running, &audio),
            Step::CloseMessage { complete } => self.close_item(&mut running, complete),
            Step::OpenCall { name } => self.open_call(&mut running, &name),
            Step::Arguments(piece) => self.words(&mut running, &piece),
            Step::CloseCall => self.close_item(&mut running, true),
            Step::Act(act) => self.perform_act(act),
            Step::Finish(outcome) => return self.finish(running, &outcome),
        }
        self.running.insert(at, running);
    }

    fn open_message(&mut self, running: &mut Running, phase: Option<&str>) {
        let mut body = json!({
            "object": "realtime.item",
            "type": "message",
            "status": "in_progress",
            "role": "assistant",
            "content": [],
        });
        if let Some(phase) = phase {
            body["phase"] = json!(phase);
        }
        self.open_item(running, body);
    }

    fn open_call(&mut self, running: &mut Running, name: &str) {
        let call_id = self.chance.id("call");
        let body = json!({
            "object": "realtime.item",
            "type": "function_call",
            "status": "in_progress",
            "call_id": call_id,
            "name": name,
            "arguments": "",
        });
        self.open_item(running, body);
    }

    fn open_item(&mut self, running: &mut Running, mut body: Value) {
        let id = self.chance.id("item");
        body["id"] = json!(id);
        self.emit(json!({
            "type": "response.output_item.added",
            "response_id": running.id,
            "output_index": running.output_index(),
            "item": body,
        }));
        if running.in_conversation() {
            self.conversation.push(Item::new(id.clone(), body.clone()));
            self.emit_item("conversation.item.added", &id);
        }
        running.open = Some(OpenItem { id, body, text: String::new(), part: false });
    }

    fn open_part(&mut self, running: &mut Running) {
        let part = if running.config.speaks {
            json!({"type": "audio", "transcript": ""})
        } else {
            json!({"type": "text", "text": ""})
        };
        let Some(open) = &mut running.open else { return };
        open.part = true;
        let item_id = open.id.clone();
        if running.config.speaks
            && running.in_conversation()
            && let Some(item) = self.conversation.get_mut(&item_id)
        {
            item.body["content"] = json!([{"type": "output_audio", "transcript": ""}]);
        }
        let event = part_event("response.content_part.added", running, &item_id);
        self.emit(with(event, "part", part));
        if self.attachment == Attachment::Call && running.config.speaks && running.in_conversation() {
            self.emit(json!({"type": "output_audio_buffer.started", "response_id": running.id}));
            self.playback = Some(Playback { response_id: running.id.clone(), item_id, began: self.now });
        }
    }

    /// A piece of transcript, text or arguments.
    fn words(&mut self, running: &mut Running, words: &str) {
        let Some(open) = &mut running.open else { return };
        open.text.push_str(words);
        running.text_tokens += usage::text_tokens(words);
        let item_id = open.id.clone();
        let event = if open.body["type"] == "function_call" {
            call_event("response.function_call_arguments.delta", running)
        } else if running.config.speaks {
            part_event("response.output_audio_transcript.delta", running, &item_id)
        } else {
            part_event("response.output_text.delta", running, &item_id)
        };
        self.emit(with(event, "delta", json!(words)));
    }

    fn audio(&mut self, running: &mut Running, audio: &[u8]) {
        let Some(open) = &running.open else { return };
        running.first_audio.get_or_insert(self.now);
        running.audio_bytes += audio.len();
        self.spoken = true;
        if let Some(item) = self.conversation.get_mut(&open.id) {
            item.push_audio(running.config.format, audio, self.settings.record);
        }
        self.play_on_line(running.config.format, audio);
        if self.attachment == Attachment::Socket {
            let event = part_event("response.output_audio.delta", running, &open.id);
            self.emit(with(event, "delta", json!(STANDARD.encode(audio))));
        }
    }

    fn close_item(&mut self, running: &mut Running, complete: bool) {
        let Some(mut open) = running.open.take() else { return };
        let status = if complete { "completed" } else { "incomplete" };
        open.body["status"] = json!(status);
        let item_id = open.id.clone();
        if open.body["type"] == "function_call" {
            open.body["arguments"] = json!(open.text);
            if complete {
                let call_id = open.body["call_id"].as_str().unwrap_or_default().to_owned();
                let event = json!({
                    "type": "response.function_call_arguments.done",
                    "response_id": running.id,
                    "item_id": item_id,
                    "output_index": running.output_index(),
                    "call_id": call_id,
                    "name": open.body["name"],
                    "arguments": open.text,
                });
                self.emit(event);
                running.call_ids.push(call_id);
            }
        } else if open.part {
            self.close_part(running, &mut open);
        }
        if running.in_conversation() {
            if let Some(item) = self.conversation.get_mut(&item_id) {
                item.close(&open.body);
            }
            self.emit_item("conversation.item.done", &item_id);
        }
        self.emit(json!({
            "type": "response.output_item.done",
            "response_id": running.id,
            "output_index": running.output_index(),
            "item": open.body,
        }));
        running.output.push(open.body);
    }

    fn close_part(&mut self, running: &Running, open: &mut OpenItem) {
        let id = &open.id;
        let text = json!(open.text);
        if running.config.speaks {
            self.emit(part_event("response.output_audio.done", running, id));
            let event = part_event("response.output_audio_transcript.done", running, id);
            self.emit(with(event, "transcript", text.clone()));
            let event = part_event("response.content_part.done", running, id);
            self.emit(with(event, "part", json!({"type": "audio", "transcript": text})));
            open.body["content"] = json!([{"type": "output_audio", "transcript": text}]);
        } else {
            let event = part_event("response.output_text.done", running, id);
            self.emit(with(event, "text", text.clone()));
            let event = part_event("response.content_part.done", running, id);
            self.emit(with(event, "part", json!({"type": "text", "text": text})));
            open.body["content"] = json!([{"type": "output_text", "text": text}]);
        }
    }

    fn finish(&mut self, mut running: Running, outcome: &Outcome) {
        self.close_item(&mut running, false);
        self.emit(json!({"type": "response.done", "response": running.body(Some(outcome))}));
        let used = running.input.total() + running.output_tokens().total();
        self.tokens_left = self.tokens_left.saturating_sub(used);
        self.schedule(self.now + RATE_LIMITS_AFTER, Later::RateLimits);
        if !running.in_conversation() {
            return;
        }
        self.cached = running.input;
        if *outcome == Outcome::Completed
            && let Some(then) = running.answer.then.take()
        {
            self.cast.called(running.call_ids, *then);
        }
        let audio = running.config.format.duration_of(running.audio_bytes);
        let played_at = running.first_audio.map_or(self.now, |first| (first + audio).max(self.now));
        if self.playback.as_ref().is_some_and(|playback| playback.response_id == running.id) {
            self.schedule(played_at, Later::PlaybackStops(running.id));
        }
        let idle = self.config.turn_detection().and_then(|turns| turns.idle_timeout);
        self.idle_at = idle.filter(|_| !self.input.is_speaking()).map(|timeout| played_at + timeout);
        if std::mem::take(&mut self.turn_waits) {
            self.start_by_itself(Trigger::Asked);
        }
    }

    /// The telephone has played everything of a response.
    pub(super) fn playback_stops(&mut self, response_id: &str) {
        if self.playback.take_if(|playback| playback.response_id == response_id).is_some() {
            self.emit(json!({"type": "output_audio_buffer.stopped", "response_id": response_id}));
        }
    }

    /// Empties the provider's own playback queue, and cuts the item to what the telephone has played.
    pub(super) fn clear_playback(&mut self) -> Result<(), ApiError> {
        if self.attachment == Attachment::Socket {
            let message = "The event 'output_audio_buffer.clear' is for calls over WebRTC and SIP only.";
            return Err(ApiError::invalid_value("type", message));
        }
        let Some(playback) = self.playback.take() else { return Ok(()) };
        self.silence_line();
        self.emit(json!({"type": "output_audio_buffer.cleared", "response_id": playback.response_id}));
        let has = self.conversation.get(&playback.item_id).map_or(Duration::ZERO, Item::audio);
        let heard = (self.now - playback.began).min(has);
        self.truncate(&playback.item_id, 0, u64::try_from(heard.as_millis()).unwrap_or(u64::MAX))
    }
}

fn part_event(kind: &str, running: &Running, item_id: &str) -> Value {
    json!({
        "type": kind,
        "response_id": running.id,
        "item_id": item_id,
        "output_index": running.output_index(),
        "content_index": 0,
    })
}

fn call_event(kind: &str, running: &Running) -> Value {
    let open = running.open.as_ref().expect("a call is open while its arguments come");
    json!({
        "type": kind,
        "response_id": running.id,
        "item_id": open.id,
        "output_index": running.output_index(),
        "call_id": open.body["call_id"],
    })
}

fn with(mut event: Value, member: &str, value: Value) -> Value {
    event[member] = value;
    event
}
