//! The conversation: items in order, and the rules for making, cutting and removing them.
//!
//! OpenAI: Realtime API reference, conversation items and `conversation.item.*` client events.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use realtime_bridge::audio::AudioFormat;
use serde_json::{Value, json};

use super::usage::{self, Tokens};
use crate::{
    chance::Chance,
    openai::{ApiError, recording::RecordedItem},
};

/// Items in order.
#[derive(Debug)]
pub(super) struct Conversation {
    pub(super) id: String,
    items: Vec<Item>,
}

/// One entry.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) id: String,
    /// As events show it, without audio.
    pub(super) body: Value,
    format: AudioFormat,
    /// Bytes of audio, whether they are kept or not.
    audio_len: usize,
    audio: Vec<u8>,
    truncated_ms: Option<u64>,
}

impl Item {
    pub(super) fn new(id: String, body: Value) -> Self {
        let format = AudioFormat::MuLaw;
        Self { id, body, format, audio_len: 0, audio: Vec::new(), truncated_ms: None }
    }

    /// Adds audio; `keep` tells whether it can be retrieved later.
    pub(super) fn push_audio(&mut self, format: AudioFormat, audio: &[u8], keep: bool) {
        self.format = format;
        self.audio_len += audio.len();
        if keep {
            self.audio.extend_from_slice(audio);
        }
    }

    pub(super) fn audio(&self) -> Duration {
        self.format.duration_of(self.audio_len)
    }

    /// Takes the final body; a transcript that was cut away meanwhile stays away.
    pub(super) fn close(&mut self, body: &Value) {
        self.body = body.clone();
        if self.truncated_ms.is_some() {
            self.body["content"][0]["transcript"] = Value::Null;
        }
    }

    fn is_role(&self, role: &str) -> bool {
        self.body["role"] == role
    }

    fn tokens(&self) -> Tokens {
        let text = ["text", "transcript"].iter().flat_map(|member| {
            self.body["content"].as_array().into_iter().flatten().filter_map(|part| part[*member].as_str())
        });
        let call = ["arguments", "output"].iter().filter_map(|member| self.body[*member].as_str());
        let audio =
            if self.is_role("user") { usage::caller_tokens(self.audio()) } else { usage::model_tokens(self.audio()) };
        Tokens { text: text.chain(call).map(usage::text_tokens).sum(), audio }
    }
}

impl Conversation {
    pub(super) fn new(id: String) -> Self {
        Self { id, items: Vec::new() }
    }

    pub(super) fn last_id(&self) -> Option<&str> {
        self.items.last().map(|item| item.id.as_str())
    }

    pub(super) fn get(&self, id: &str) -> Option<&Item> {
        self.items.iter().find(|item| item.id == id)
    }

    pub(super) fn get_mut(&mut self, id: &str) -> Option<&mut Item> {
        self.items.iter_mut().find(|item| item.id == id)
    }

    pub(super) fn previous_id(&self, id: &str) -> Option<&str> {
        let at = self.items.iter().position(|item| item.id == id)?;
        Some(self.items[at.checked_sub(1)?].id.as_str())
    }

    pub(super) fn push(&mut self, item: Item) {
        self.items.push(item);
    }

    pub(super) fn tokens(&self) -> Tokens {
        self.items.iter().map(Item::tokens).fold(Tokens::default(), |sum, tokens| Tokens {
            text: sum.text + tokens.text,
            audio: sum.audio + tokens.audio,
        })
    }

    pub(super) fn recorded(&self) -> Vec<RecordedItem> {
        let recorded = |item: &Item| RecordedItem {
            id: item.id.clone(),
            item: item.body.clone(),
            audio: item.audio(),
            truncated_ms: item.truncated_ms,
        };
        self.items.iter().map(recorded).collect()
    }

    /// Makes an item that the client sent, whose shape has been checked, and gives its id.
    pub(super) fn create(
        &mut self,
        sent: &Value,
        previous: Option<&str>,
        format: AudioFormat,
        chance: &mut Chance,
    ) -> Result<String, ApiError> {
        let item = self.made(sent, format, chance, "item")?;
        let at = match previous {
            None => self.items.len(),
            Some("root") => 0,
            Some(previous) => match self.items.iter().position(|item| item.id == previous) {
                Some(at) => at + 1,
                None => {
                    let message = format!("Previous item with id {previous} was not found.");
                    return Err(ApiError::invalid_value("previous_item_id", message));
                }
            },
        };
        let id = item.id.clone();
        self.items.insert(at, item);
        Ok(id)
    }

    /// Checks the own input of a response, whose shape has been checked.
    pub(super) fn check_input(&self, input: &[Value], format: AudioFormat) -> Result<(), ApiError> {
        input.iter().enumerate().try_for_each(|(at, sent)| {
            let path = format!("response.input[{at}]");
            if sent["type"] != "item_reference" {
                return self.made(sent, format, &mut Chance::new(0), &path).map(drop);
            }
            let id = sent["id"].as_str().unwrap_or_default();
            match self.get(id) {
                Some(_) => Ok(()),
                None => {
                    Err(ApiError::invalid_value(&format!("{path}.id"), format!("Item with id {id} was not found.")))
                }
            }
        })
    }

    fn made(&self, sent: &Value, format: AudioFormat, chance: &mut Chance, path: &str) -> Result<Item, ApiError> {
        let mut body = sent.clone();
        let id = match sent["id"].as_str() {
            Some(id) if self.get(id).is_some() => {
                let message = format!("An item with id {id} exists already.");
                return Err(ApiError::invalid_value(&format!("{path}.id"), message));
            }
            Some(id) => id.to_owned(),
            None => chance.id("item"),
        };
        body["id"] = json!(id);
        body["object"] = json!("realtime.item");
        body["status"] = json!("completed");
        let mut item = Item::new(id, Value::Null);
        match sent["type"].as_str() {
            Some("message") => add_content(&mut item, &mut body, format, path)?,
            Some("function_call") => {
                let call_id = sent["call_id"].as_str().map_or_else(|| chance.id("call"), str::to_owned);
                body["call_id"] = json!(call_id);
            }
            Some("function_call_output") => self.check_call(sent["call_id"].as_str().unwrap_or_default(), path)?,
            _ => {
                let id = sent["approval_request_id"].as_str().unwrap_or_default();
                let message = format!("Approval request with id {id} was not found.");
                return Err(ApiError::invalid_value(&format!("{path}.approval_request_id"), message));
            }
        }
        item.body = body;
        Ok(item)
    }

    fn check_call(&self, call_id: &str, path: &str) -> Result<(), ApiError> {
        let is_call = |item: &Item| item.body["type"] == "function_call" && item.body["call_id"] == call_id;
        if self.items.iter().any(is_call) {
            return Ok(());
        }
        let message = format!("Tool call ID '{call_id}' not found in conversation.");
        Err(ApiError::invalid("invalid_tool_call_id", message).with_param(format!("{path}.call_id")))
    }

    /// Removes an item.
    pub(super) fn delete(&mut self, id: &str) -> Result<(), ApiError> {
        let Some(at) = self.items.iter().position(|item| item.id == id) else {
            return Err(unknown("item_delete_invalid_item_id", id));
        };
        self.items.remove(at);
        Ok(())
    }

    /// An item with its audio.
    pub(super) fn retrieve(&self, id: &str) -> Result<Value, ApiError> {
        let item = self.get(id).ok_or_else(|| unknown("item_retrieve_invalid_item_id", id))?;
        let mut body = item.body.clone();
        for part in body["content"].as_array_mut().into_iter().flatten() {
            if matches!(part["type"].as_str(), Some("input_audio" | "output_audio")) {
                part["audio"] = json!(STANDARD.encode(&item.audio));
            }
        }
        Ok(body)
    }

    /// Cuts the model's audio to what was heard, and forgets its transcript.
    pub(super) fn truncate(&mut self, id: &str, content_index: u64, audio_end_ms: u64) -> Result<(), ApiError> {
        let item = self.get_mut(id).ok_or_else(|| unknown("item_truncate_invalid_item_id", id))?;
        let spoken = item.is_role("assistant") && item.body["content"][0]["type"] == "output_audio";
        if !spoken {
            let message = "Only model output audio messages can be truncated";
            return Err(ApiError::invalid("unsupported_content_type", message).with_param("item_id"));
        }
        if content_index != 0 {
            let message = format!("Content index {content_index} is out of range: the item has one content part.");
            return Err(ApiError::invalid_value("content_index", message));
        }
        let has_ms = u64::try_from(item.audio().as_millis()).unwrap_or(u64::MAX);
        if audio_end_ms > has_ms {
            let message = format!("Audio content of {has_ms}ms is already shorter than {audio_end_ms}ms");
            return Err(ApiError::invalid_value("audio_end_ms", message));
        }
        item.audio_len = item.format.bytes_in(Duration::from_millis(audio_end_ms));
        item.audio.truncate(item.audio_len);
        item.truncated_ms = Some(audio_end_ms);
        if let Some(part) = item.body["content"][0].as_object_mut() {
            part.insert("transcript".to_owned(), Value::Null);
        }
        Ok(())
    }
}

fn unknown(code: &str, id: &str) -> ApiError {
    ApiError::invalid(code, format!("Item with id {id} was not found.")).with_param("item_id")
}

/// A role has its own kinds of content; audio goes into the item, and out of the body that events show.
fn add_content(item: &mut Item, body: &mut Value, format: AudioFormat, path: &str) -> Result<(), ApiError> {
    let supported: &[&str] = match body["role"].as_str() {
        Some("system") => &["input_text"],
        Some("user") => &["input_text", "input_audio", "input_image"],
        _ => &["output_text"],
    };
    for (at, part) in body["content"].as_array_mut().into_iter().flatten().enumerate() {
        let path = format!("{path}.content[{at}]");
        let kind = part["type"].as_str().unwrap_or_default();
        if !supported.contains(&kind) {
            return Err(ApiError::not_one_of(&format!("{path}.type"), kind, supported));
        }
        if let Some(audio) = part.as_object_mut().and_then(|part| part.remove("audio")) {
            let audio = STANDARD.decode(audio.as_str().unwrap_or_default()).map_err(|_| {
                ApiError::invalid_value(&format!("{path}.audio"), "Invalid audio: expected base64-encoded bytes.")
            })?;
            item.push_audio(format, &audio, true);
        }
        let image = part["image_url"].as_str();
        if image.is_some_and(|url| !url.starts_with("data:image/png") && !url.starts_with("data:image/jpeg")) {
            let message = "Invalid image: expected a data URI of a PNG or JPEG.";
            return Err(ApiError::invalid_value(&format!("{path}.image_url"), message));
        }
    }
    Ok(())
}
