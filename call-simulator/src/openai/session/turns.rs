//! The caller's turns: from audio to items and answers.
//!
//! OpenAI: Realtime guide, voice activity detection; Realtime API reference, `input_audio_buffer.*` server events.

use std::time::Instant;

use serde_json::{Value, json};

use super::{Attachment, Session, conversation::Item, input::TurnChange, schedule::Later};
use crate::openai::ApiError;

/// A turn that is over in the audio, and will be noticed when it is due.
#[derive(Debug)]
pub(super) struct TurnEnd {
    pub(super) due: Instant,
    end_ms: u64,
    audio: Vec<u8>,
}

impl Session {
    pub(super) fn caller_audio(&mut self, audio: &[u8]) {
        for change in self.input.append(audio) {
            match change {
                TurnChange::Began { start_ms } => self.begin_turn(start_ms),
                TurnChange::Ended { end_ms, audio } => {
                    self.turn_end = Some(TurnEnd { due: self.now + self.settings.timing.turn_end, end_ms, audio });
                }
            }
        }
        self.handle_timeout(self.now);
    }

    fn begin_turn(&mut self, start_ms: u64) {
        if self.turn_end.is_some() {
            self.end_turn();
        }
        self.idle_at = None;
        let item_id = self.chance.id("item");
        self.emit(json!({
            "type": "input_audio_buffer.speech_started",
            "audio_start_ms": start_ms,
            "item_id": item_id,
        }));
        self.speech_item = Some(item_id);
        if self.config.turn_detection().is_some_and(|turns| turns.interrupt_response) {
            self.interrupt();
            if self.attachment == Attachment::Call {
                // Cannot fail: the playback is the provider's own.
                let _ = self.clear_playback();
            }
        }
    }

    pub(super) fn end_turn(&mut self) {
        let Some(TurnEnd { end_ms, audio, .. }) = self.turn_end.take() else { return };
        let item_id = self.speech_item.take().unwrap_or_else(|| self.chance.id("item"));
        self.emit(json!({"type": "input_audio_buffer.speech_stopped", "audio_end_ms": end_ms, "item_id": item_id}));
        self.add_caller_item(item_id, &audio);
        if self.config.turn_detection().is_some_and(|turns| turns.create_response) {
            self.answer_turn();
        }
    }

    /// A commit by hand takes the id that was announced for the turn; the rest of the turn gets another.
    pub(super) fn commit(&mut self) -> Result<(), ApiError> {
        let Some(audio) = self.input.commit() else {
            let message = "Buffer too small: expected at least 100 ms of audio.";
            return Err(ApiError::invalid("input_audio_buffer_commit_empty", message));
        };
        let fresh = self.chance.id("item");
        let item_id = match &mut self.speech_item {
            Some(announced) => std::mem::replace(announced, fresh),
            None => fresh,
        };
        self.add_caller_item(item_id, &audio);
        Ok(())
    }

    /// The caller has been silent for so long that the model speaks up.
    pub(super) fn idle(&mut self) {
        self.idle_at = None;
        let Some(timeout) = self.config.turn_detection().and_then(|turns| turns.idle_timeout) else { return };
        let end_ms = self.input.received_ms();
        let audio = self.input.take_last(timeout);
        let length = self.input.format().duration_of(audio.len()).as_millis();
        let item_id = self.chance.id("item");
        self.emit(json!({
            "type": "input_audio_buffer.timeout_triggered",
            "audio_start_ms": end_ms.saturating_sub(u64::try_from(length).unwrap_or(u64::MAX)),
            "audio_end_ms": end_ms,
            "item_id": item_id,
        }));
        self.commit_item(&item_id, &audio);
        self.answer_silence();
    }

    fn add_caller_item(&mut self, item_id: String, audio: &[u8]) {
        self.commit_item(&item_id, audio);
        let heard = self.cast.caller_spoke();
        if let Some(model) = self.config.transcription() {
            let audio = self.input.format().duration_of(audio.len());
            let due = self.now + self.settings.timing.transcription;
            self.schedule(due, Later::Transcript { item_id, audio, heard, model });
        }
    }

    fn commit_item(&mut self, item_id: &str, audio: &[u8]) {
        let previous = self.conversation.last_id().map(str::to_owned);
        let body = json!({
            "id": item_id,
            "object": "realtime.item",
            "type": "message",
            "status": "completed",
            "role": "user",
            "content": [{"type": "input_audio", "transcript": Value::Null}],
        });
        let mut item = Item::new(item_id.to_owned(), body);
        item.push_audio(self.input.format(), audio, self.settings.record);
        self.conversation.push(item);
        self.emit(json!({
            "type": "input_audio_buffer.committed",
            "previous_item_id": previous,
            "item_id": item_id,
        }));
        self.emit_item("conversation.item.added", item_id);
        self.emit_item("conversation.item.done", item_id);
    }
}
