//! What a client sends.

use serde::{Deserialize, Serialize};

use super::{Item, ResponseParams, Session, tagged::tagged};

tagged! {
    /// What a client sends: all of the eleven events of the GA interface (OpenAI: Realtime client events).
    pub enum ClientEvent {
        /// Sets what can be set.
        "session.update" => SessionUpdate(SessionUpdate),
        /// Audio of the caller. Never answered.
        "input_audio_buffer.append" => InputAudioAppend(InputAudioAppend),
        /// Makes the audio so far an entry.
        "input_audio_buffer.commit" => InputAudioCommit(Bare),
        /// Forgets the audio so far.
        "input_audio_buffer.clear" => InputAudioClear(Bare),
        /// Adds an entry to the conversation.
        "conversation.item.create" => ItemCreate(ItemCreate),
        /// Asks for an entry with its audio.
        "conversation.item.retrieve" => ItemRetrieve(ItemName),
        /// Cuts an entry of the assistant to what was heard.
        "conversation.item.truncate" => ItemTruncate(ItemTruncate),
        /// Removes an entry.
        "conversation.item.delete" => ItemDelete(ItemName),
        /// Asks for an answer.
        "response.create" => ResponseCreate(ResponseCreate),
        /// Stops an answer.
        "response.cancel" => ResponseCancel(ResponseCancel),
        /// Drops what the provider is about to play. SIP and WebRTC only.
        "output_audio_buffer.clear" => OutputAudioClear(Bare),
    }
}

/// An event without anything of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bare {
    /// The event's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
}

/// `session.update`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SessionUpdate {
    /// The event's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// What changes.
    pub session: Session,
}

/// `input_audio_buffer.append`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputAudioAppend {
    /// The event's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// Base64, at most 15 MiB of audio.
    pub audio: String,
}

/// `conversation.item.create`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ItemCreate {
    /// The event's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The entry before the new one; `root` for none, absent for the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_item_id: Option<String>,
    /// The entry.
    pub item: Item,
}

/// `conversation.item.retrieve` and `conversation.item.delete`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemName {
    /// The event's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The entry.
    pub item_id: String,
}

/// `conversation.item.truncate`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemTruncate {
    /// The event's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The entry.
    pub item_id: String,
    /// The part of the entry.
    pub content_index: u32,
    /// What was heard in milliseconds; longer than the audio is refused.
    pub audio_end_ms: u64,
}

/// `response.create`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ResponseCreate {
    /// The event's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// What is special about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<ResponseParams>,
}

/// `response.cancel`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponseCancel {
    /// The event's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The answer; absent for the one that runs in the conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_id: Option<String>,
}
