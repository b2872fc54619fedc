//! The caller's words, as events.

use serde::{Deserialize, Serialize};

use super::{ErrorBody, TokenDetails};

/// `conversation.item.input_audio_transcription.delta`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct InputTranscriptDelta {
    /// The event's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The entry.
    pub item_id: String,
    /// The part of the entry.
    #[serde(default)]
    pub content_index: u32,
    /// The new words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta: Option<String>,
    /// How sure the model is, where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<Vec<LogProb>>,
    /// Padding, to be ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub obfuscation: Option<String>,
}

/// `conversation.item.input_audio_transcription.completed`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct InputTranscriptCompleted {
    /// The event's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The entry.
    pub item_id: String,
    /// The part of the entry.
    #[serde(default)]
    pub content_index: u32,
    /// All words.
    pub transcript: String,
    /// What is billed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<TranscriptionUsage>,
    /// The languages that were heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub languages: Option<Vec<Language>>,
    /// How sure the model is, where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<Vec<LogProb>>,
}

/// `conversation.item.input_audio_transcription.failed`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct InputTranscriptFailed {
    /// The event's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The entry.
    pub item_id: String,
    /// The part of the entry.
    #[serde(default)]
    pub content_index: u32,
    /// Why.
    pub error: ErrorBody,
}

/// `conversation.item.input_audio_transcription.segment`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct InputTranscriptSegment {
    /// The event's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The entry.
    pub item_id: String,
    /// The part of the entry.
    #[serde(default)]
    pub content_index: u32,
    /// The segment.
    #[serde(default)]
    pub id: String,
    /// Its words.
    pub text: String,
    /// Who spoke.
    #[serde(default)]
    pub speaker: String,
    /// Seconds.
    #[serde(default)]
    pub start: f64,
    /// Seconds.
    #[serde(default)]
    pub end: f64,
}

/// How sure the model is of a token.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LogProb {
    /// The token.
    pub token: String,
    /// Logarithm of its probability.
    pub logprob: f64,
    /// The token as UTF-8.
    #[serde(default)]
    pub bytes: Vec<u8>,
}

/// A language that was heard.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Language {
    /// ISO 639-1.
    pub code: String,
}

/// What a transcription is billed by: tokens or seconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TranscriptionUsage {
    /// `tokens` or `duration`.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// Input and output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_tokens: Option<u64>,
    /// Input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    /// Input by kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_token_details: Option<TokenDetails>,
    /// Output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    /// Seconds of audio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
}
