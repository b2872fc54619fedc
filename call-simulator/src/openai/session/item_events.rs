//! The client's `conversation.item.*` events.

use serde_json::{Value, json};

use super::{Session, usage::Tokens};
use crate::openai::ApiError;

impl Session {
    pub(super) fn item_event(&mut self, kind: &str, event: &Value) -> Result<(), ApiError> {
        let item_id = event["item_id"].as_str().unwrap_or_default();
        match kind {
            "conversation.item.create" => self.create_item(event),
            "conversation.item.retrieve" => {
                let item = self.conversation.retrieve(item_id)?;
                self.emit(json!({"type": "conversation.item.retrieved", "item": item}));
                Ok(())
            }
            "conversation.item.delete" => {
                self.conversation.delete(item_id)?;
                self.cached = Tokens::default();
                self.emit(json!({"type": "conversation.item.deleted", "item_id": item_id}));
                Ok(())
            }
            _ => {
                let content_index = event["content_index"].as_u64().unwrap_or_default();
                let audio_end_ms = event["audio_end_ms"].as_u64().unwrap_or_default();
                self.truncate(item_id, content_index, audio_end_ms)
            }
        }
    }

    pub(super) fn truncate(&mut self, item_id: &str, content_index: u64, audio_end_ms: u64) -> Result<(), ApiError> {
        if self.settings.profile.truncates() {
            self.conversation.truncate(item_id, content_index, audio_end_ms)?;
        }
        self.cached = Tokens::default();
        self.emit(json!({
            "type": "conversation.item.truncated",
            "item_id": item_id,
            "content_index": content_index,
            "audio_end_ms": audio_end_ms,
        }));
        Ok(())
    }

    fn create_item(&mut self, event: &Value) -> Result<(), ApiError> {
        let previous = event["previous_item_id"].as_str();
        let format = self.input.format();
        let item_id = self.conversation.create(&event["item"], previous, format, &mut self.chance)?;
        if previous.is_some() {
            self.cached = Tokens::default();
        }
        for text in event["item"]["content"].as_array().into_iter().flatten().filter_map(|part| part["text"].as_str()) {
            self.cast.client_wrote(text);
        }
        if event["item"]["type"] == "function_call_output" {
            self.cast.tool_answered(event["item"]["call_id"].as_str().unwrap_or_default());
        }
        self.emit_item("conversation.item.added", &item_id);
        self.emit_item("conversation.item.done", &item_id);
        Ok(())
    }

    /// Sends an event about an item of the conversation.
    pub(super) fn emit_item(&mut self, kind: &str, item_id: &str) {
        if let Some(item) = self.conversation.get(item_id) {
            let previous = self.conversation.previous_id(item_id);
            let event = json!({"type": kind, "previous_item_id": previous, "item": item.body});
            self.emit(event);
        }
    }
}
