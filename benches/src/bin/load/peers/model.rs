//! The voice model: OpenAI's side of one Realtime session, which follows a script.
//!
//! Speech comes as deltas of 100 ms, 200 ms ahead of real time. Answers come in a cycle of three: one that is heard to
//! its end, one that the caller interrupts after two seconds, one before which a tool is called. The order of events is
//! the documented one. (OpenAI: Realtime API, server events.)

use benches::wire::{self, AnswerIds, Audio, Tag};
use serde_json::{Value, json};

use super::{
    caller::audio_in,
    frame,
    tally::{Tally, micros},
};
use crate::clock::ms;

/// Deltas that are sent at once at the start of an answer.
const LEAD: u32 = 3;
/// Deltas after which the caller interrupts.
const CUT_AFTER: u32 = 20;
/// How long a caller speaks, and how long the model thinks.
const SPEECH: u64 = ms(500);
const PAUSE: u64 = ms(400);
const THINKING: u64 = ms(200);
/// How long after a tool call the model speaks, whether an output came or not, so that all subjects have the same script.
const TOOL_TIME: u64 = ms(300);

/// One session.
pub(super) struct Model {
    who: u16,
    passthrough: bool,
    /// The call, known from the first frame of its caller.
    call: Option<usize>,
    phase: Phase,
    /// When the script goes on.
    pub(super) due: Option<u64>,
    turn: u16,
    ids: AnswerIds,
    /// Deltas of the answer: sent, and how many it has.
    sent: u32,
    length: u32,
    /// Milliseconds of the caller's audio so far.
    heard: u64,
    /// The metadata of the request for the next answer.
    metadata: Value,
    events: u64,
    session: Value,
    text: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No `session.update` yet.
    Fresh,
    /// The model thinks: it begins an answer next.
    Thinking,
    Speaking,
    /// The answer was sent, the caller will speak next.
    Listening,
    CallerSpeaks,
    /// A tool was called; the answer begins when its output came.
    AwaitsTool,
}

impl Model {
    pub(super) fn new(who: u16, passthrough: bool) -> Self {
        Self {
            who,
            passthrough,
            call: None,
            phase: Phase::Fresh,
            due: None,
            turn: 0,
            ids: AnswerIds::default(),
            sent: 0,
            length: 0,
            heard: 0,
            metadata: Value::Null,
            events: 0,
            session: json!({}),
            text: Vec::new(),
        }
    }

    /// The socket is open: the model speaks first.
    pub(super) fn opened(&mut self, now: u64, out: &mut Vec<u8>) {
        let session = self.described();
        self.event(out, "session.created", json!({ "session": session }));
        if self.passthrough {
            self.begin_script(now);
        }
    }

    /// Takes a message of the subject.
    pub(super) fn receive(&mut self, now: u64, text: &[u8], out: &mut Vec<u8>, tally: &mut Tally) {
        if let Some(tag) = audio_in(text).and_then(Tag::read) {
            self.hear(now, tag, tally);
        } else if let Ok(message) = serde_json::from_slice::<Value>(text) {
            self.obey(now, &message, out, tally);
        } else {
            tally.other("not JSON, to the model");
        }
    }

    fn hear(&mut self, now: u64, tag: Tag, tally: &mut Tally) {
        let call = usize::from(tag.who);
        self.call = Some(call);
        self.heard += 20;
        let line = &mut tally.calls[call].up;
        let missing = u64::from(tag.seq.saturating_sub(line.received));
        line.received = tag.seq + 1;
        if tally.measures(tag.nanos) {
            tally.up.push(micros(tag.nanos, now));
            tally.counts.up_lost += missing;
        }
    }

    fn obey(&mut self, now: u64, message: &Value, out: &mut Vec<u8>, tally: &mut Tally) {
        let request = message["event_id"].clone();
        match message["type"].as_str().unwrap_or_default() {
            "session.update" => {
                self.session = message["session"].clone();
                let session = self.described();
                self.event(out, "session.updated", json!({ "session": session }));
                if self.phase == Phase::Fresh {
                    self.begin_script(now);
                }
            }
            "response.create" => {
                if self.phase == Phase::Speaking {
                    tally.other("response.create while an answer runs");
                    self.refuse(out, &request, "conversation_already_has_active_response");
                    return;
                }
                self.metadata = message["response"]["metadata"].clone();
                if !matches!(self.phase, Phase::Thinking | Phase::AwaitsTool) {
                    tally.other("response.create out of turn");
                    self.phase = Phase::Thinking;
                    self.due = Some(now);
                }
            }
            "response.cancel" => {
                if self.phase == Phase::Speaking {
                    self.finish("cancelled", "client_cancelled", out);
                    self.phase = Phase::Listening;
                    self.due = Some(now + PAUSE);
                } else {
                    tally.other("response.cancel while no answer runs");
                    self.refuse(out, &request, "response_cancel_not_active");
                }
            }
            "conversation.item.truncate" => self.truncate(message, out, tally),
            "conversation.item.create" => {
                if message["item"]["type"] == "function_call_output" {
                    tally.counts.tool_outputs += 1;
                }
                let mut item = message["item"].clone();
                item["object"] = "realtime.item".into();
                item["status"] = "completed".into();
                for kind in ["conversation.item.added", "conversation.item.done"] {
                    self.event(out, kind, json!({ "previous_item_id": self.ids.item, "item": item }));
                }
            }
            // Silence of the subject's own, when a caller falls silent in the middle of speech.
            "input_audio_buffer.append" => {}
            // The first messages of a caller who is connected straight to us.
            "" if self.passthrough => {}
            other => tally.other(&format!("{other} to the model")),
        }
    }

    fn truncate(&mut self, message: &Value, out: &mut Vec<u8>, tally: &mut Tally) {
        let end = message["audio_end_ms"].as_u64().unwrap_or(u64::MAX);
        let item = message["item_id"].as_str().unwrap_or_default();
        if item == self.ids.item
            && let Some(call) = self.call
        {
            tally.calls[call].truncated = Some((self.turn, end));
            tally.compare_cut(call);
        }
        let item = item.to_owned();
        self.event(
            out,
            "conversation.item.truncated",
            json!({ "item_id": item, "content_index": 0, "audio_end_ms": end }),
        );
    }

    fn begin_script(&mut self, now: u64) {
        // Half a second for whoever wants to ask for a greeting; then spread over three by the golden ratio, so that
        // neighbours are far apart.
        self.phase = Phase::Thinking;
        self.due = Some(now + ms(500) + u64::from(self.who) * 1_854_101_966 % ms(3_000));
    }

    /// Does what is due and sets when the script goes on.
    pub(super) fn go_on(&mut self, now: u64, audio: &Audio, out: &mut Vec<u8>, tally: &mut Tally) {
        let due = self.due.take().unwrap_or(now);
        self.due = Some(match self.phase {
            Phase::Fresh => return,
            Phase::Thinking => {
                self.turn = self.turn.wrapping_add(1);
                self.ids = AnswerIds::new(self.who, self.turn);
                self.sent = 0;
                // 3.5 to 4.5 seconds, so that calls do not keep step with each other.
                self.length = 35 + (u32::from(self.who) * 7 + u32::from(self.turn) * 3) % 11;
                if self.turn % 4 == 3 {
                    self.call_tool(out);
                    tally.counts.tool_calls += u64::from(tally.since.is_some());
                    self.phase = Phase::AwaitsTool;
                    due + TOOL_TIME
                } else {
                    self.begin_answer(due, audio, out, tally)
                }
            }
            Phase::AwaitsTool => {
                self.turn = self.turn.wrapping_add(1);
                self.ids = AnswerIds::new(self.who, self.turn);
                self.begin_answer(due, audio, out, tally)
            }
            Phase::Speaking if self.sent >= self.length => {
                self.finish("completed", "", out);
                self.phase = Phase::Listening;
                due + ms(100) * u64::from(LEAD) + PAUSE
            }
            Phase::Speaking if self.turn % 4 == 2 && self.sent >= CUT_AFTER => {
                self.speech_started(out);
                if let Some(call) = self.call {
                    tally.calls[call].speech_started = Some(now);
                    tally.counts.barge_ins += u64::from(tally.measures(now));
                }
                self.finish("cancelled", "turn_detected", out);
                due + SPEECH
            }
            Phase::Speaking => {
                self.delta(audio, out, tally);
                due + ms(100)
            }
            Phase::Listening => {
                self.speech_started(out);
                due + SPEECH
            }
            Phase::CallerSpeaks => {
                self.commit(out);
                self.phase = Phase::Thinking;
                due + THINKING
            }
        });
    }

    fn begin_answer(&mut self, due: u64, audio: &Audio, out: &mut Vec<u8>, tally: &mut Tally) -> u64 {
        let (AnswerIds { response, item }, metadata) = (self.ids.clone(), self.metadata.take());
        let shell = json!({ "id": item, "object": "realtime.item", "type": "message", "status": "in_progress",
            "role": "assistant", "content": [] });
        self.event(out, "response.created", json!({ "response": response_object(&response, "in_progress", metadata) }));
        self.event(
            out,
            "response.output_item.added",
            json!({ "response_id": response, "output_index": 0, "item": shell }),
        );
        self.event(out, "conversation.item.added", json!({ "previous_item_id": null, "item": shell }));
        self.part(out, "response.content_part.added", json!({ "part": { "type": "audio", "transcript": "" } }));
        for _ in 0..LEAD {
            self.delta(audio, out, tally);
        }
        self.phase = Phase::Speaking;
        due + ms(100)
    }

    fn delta(&mut self, audio: &Audio, out: &mut Vec<u8>, tally: &mut Tally) {
        if self.sent.is_multiple_of(3) {
            self.part(out, "response.output_audio_transcript.delta", json!({ "delta": " word after word" }));
        }
        // The call is known since the first frame of its caller, who does not wait for the model.
        let call = self.call;
        let seq = call.map_or(0, |call| tally.calls[call].down.sent);
        let now = crate::clock::now();
        let tag = Tag { nanos: now, seq, who: self.who, turn: self.turn };
        if let Some(call) = call {
            let line = &mut tally.calls[call].down;
            if tally.since.is_some_and(|since| now >= since) {
                line.first.get_or_insert(line.sent);
                tally.counts.down_sent += 1;
            }
            line.sent += 1;
        }
        self.sent += 1;
        self.text.clear();
        wire::model_delta(&mut self.text, &self.ids, audio, tag);
        frame::push(out, frame::TEXT, false, &self.text);
    }

    fn finish(&mut self, status: &str, reason: &str, out: &mut Vec<u8>) {
        let AnswerIds { response, item } = self.ids.clone();
        let words = " word after word".repeat(self.sent as usize / 3);
        let whole = if status == "completed" { "completed" } else { "incomplete" };
        let item = json!({ "id": item, "object": "realtime.item", "type": "message", "status": whole,
            "role": "assistant", "content": [{ "type": "output_audio", "transcript": words }] });
        self.part(out, "response.output_audio.done", json!({}));
        self.part(out, "response.output_audio_transcript.done", json!({ "transcript": words }));
        self.part(out, "response.content_part.done", json!({ "part": { "type": "audio", "transcript": words } }));
        self.event(out, "conversation.item.done", json!({ "previous_item_id": null, "item": item }));
        self.event(
            out,
            "response.output_item.done",
            json!({ "response_id": response, "output_index": 0, "item": item }),
        );
        self.done(out, &response, status, reason, item);
    }

    fn call_tool(&mut self, out: &mut Vec<u8>) {
        let AnswerIds { response, item } = self.ids.clone();
        let metadata = self.metadata.take();
        let call = format!("call_{}", &item[5..]);
        let mut entry = json!({ "id": item, "object": "realtime.item", "type": "function_call", "status": "in_progress",
            "name": "lookup_order", "call_id": call, "arguments": "" });
        let arguments = r#"{"order_number":"12345"}"#;
        self.event(out, "response.created", json!({ "response": response_object(&response, "in_progress", metadata) }));
        self.event(
            out,
            "response.output_item.added",
            json!({ "response_id": response, "output_index": 0, "item": entry }),
        );
        self.event(out, "conversation.item.added", json!({ "previous_item_id": null, "item": entry }));
        let names = json!({ "response_id": response, "item_id": item, "output_index": 0, "call_id": call });
        self.event(out, "response.function_call_arguments.delta", merged(names.clone(), json!({ "delta": arguments })));
        self.event(
            out,
            "response.function_call_arguments.done",
            merged(names, json!({ "name": "lookup_order", "arguments": arguments })),
        );
        entry["status"] = "completed".into();
        entry["arguments"] = arguments.into();
        self.event(out, "conversation.item.done", json!({ "previous_item_id": null, "item": entry }));
        self.event(
            out,
            "response.output_item.done",
            json!({ "response_id": response, "output_index": 0, "item": entry }),
        );
        self.done(out, &response, "completed", "", entry);
    }

    fn done(&mut self, out: &mut Vec<u8>, response: &str, status: &str, reason: &str, item: Value) {
        let mut object = response_object(response, status, Value::Null);
        if !reason.is_empty() {
            object["status_details"] = json!({ "type": "cancelled", "reason": reason });
        }
        object["output"] = json!([item]);
        object["usage"] = json!({ "total_tokens": 360, "input_tokens": 300, "output_tokens": 60,
            "input_token_details": { "text_tokens": 260, "audio_tokens": 40, "image_tokens": 0, "cached_tokens": 128,
                "cached_tokens_details": { "text_tokens": 128, "audio_tokens": 0, "image_tokens": 0 } },
            "output_token_details": { "text_tokens": 15, "audio_tokens": 45 } });
        self.event(out, "response.done", json!({ "response": object }));
        let limit = json!({ "name": "tokens", "limit": 40_000, "remaining": 39_640, "reset_seconds": 0.54 });
        self.event(out, "rate_limits.updated", json!({ "rate_limits": [limit] }));
    }

    fn speech_started(&mut self, out: &mut Vec<u8>) {
        self.phase = Phase::CallerSpeaks;
        let item = self.caller_item();
        self.event(out, "input_audio_buffer.speech_started", json!({ "audio_start_ms": self.heard, "item_id": item }));
    }

    fn commit(&mut self, out: &mut Vec<u8>) {
        let (item, previous) = (self.caller_item(), self.ids.item.clone());
        let entry = json!({ "id": item, "object": "realtime.item", "type": "message", "status": "completed",
            "role": "user", "content": [{ "type": "input_audio", "transcript": null }] });
        self.event(out, "input_audio_buffer.speech_stopped", json!({ "audio_end_ms": self.heard, "item_id": item }));
        self.event(out, "input_audio_buffer.committed", json!({ "previous_item_id": previous, "item_id": item }));
        for kind in ["conversation.item.added", "conversation.item.done"] {
            self.event(out, kind, json!({ "previous_item_id": previous, "item": entry }));
        }
        let words = "I should like to ask about my order.";
        for kind in ["delta", "completed"] {
            let mut event = json!({ "item_id": item, "content_index": 0 });
            event[if kind == "delta" { "delta" } else { "transcript" }] = words.into();
            if kind == "completed" {
                event["usage"] = json!({ "type": "duration", "seconds": 1 });
            }
            self.event(out, &format!("conversation.item.input_audio_transcription.{kind}"), event);
        }
    }

    fn caller_item(&self) -> String {
        format!("item_user{:08x}{:08x}", self.who, self.turn)
    }

    fn refuse(&mut self, out: &mut Vec<u8>, request: &Value, code: &str) {
        let error = json!({ "type": "invalid_request_error", "code": code, "message": "Not now.", "param": null,
            "event_id": request });
        self.event(out, "error", json!({ "error": error }));
    }

    /// The session as the server describes it: what was asked for, and what it adds.
    fn described(&self) -> Value {
        let mut session = json!({ "type": "realtime", "object": "realtime.session",
            "id": format!("sess_{:08x}", self.who), "model": "gpt-realtime-2.1", "output_modalities": ["audio"],
            "tools": [], "tool_choice": "auto", "max_output_tokens": "inf", "expires_at": 4_000_000_000_u64 });
        for (name, value) in self.session.as_object().into_iter().flatten() {
            session[name] = value.clone();
        }
        session
    }

    fn part(&mut self, out: &mut Vec<u8>, kind: &str, more: Value) {
        let names = json!({ "response_id": self.ids.response, "item_id": self.ids.item, "output_index": 0,
            "content_index": 0 });
        self.event(out, kind, merged(names, more));
    }

    fn event(&mut self, out: &mut Vec<u8>, kind: &str, body: Value) {
        self.events += 1;
        // The provider writes the type first; serde_json would sort it in.
        let mut text = format!(r#"{{"type":"{kind}","event_id":"event_CKmW{:08x}{:08x}","#, self.who, self.events);
        let body = body.to_string();
        text.push_str(if body == "{}" { "\"_\":0}" } else { &body[1..] });
        frame::push(out, frame::TEXT, false, text.as_bytes());
    }
}

fn response_object(id: &str, status: &str, metadata: Value) -> Value {
    json!({ "object": "realtime.response", "id": id, "status": status, "status_details": null, "output": [],
        "conversation_id": "conv_1", "output_modalities": ["audio"], "max_output_tokens": "inf",
        "audio": { "output": { "format": { "type": "audio/pcmu" }, "voice": "marin" } }, "usage": null,
        "metadata": metadata })
}

fn merged(mut one: Value, other: Value) -> Value {
    if let (Some(one), Value::Object(other)) = (one.as_object_mut(), other) {
        one.extend(other);
    }
    one
}
