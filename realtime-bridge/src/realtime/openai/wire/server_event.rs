//! What the server sends.

use serde::{Deserialize, Serialize};

use super::{
    Bare, Content, ErrorBody, Item, Response, Session,
    tagged::tagged,
    transcript::{InputTranscriptCompleted, InputTranscriptDelta, InputTranscriptFailed, InputTranscriptSegment},
};

tagged! {
    /// What the server sends: every event of the GA interface (OpenAI: Realtime server events).
    pub enum ServerEvent {
        /// The connection is ready, with the provider's defaults.
        "session.created" => SessionCreated(SessionEvent),
        /// The settings after an update, all of them.
        "session.updated" => SessionUpdated(SessionEvent),
        /// A client event, or the session, has a problem.
        "error" => Error(ErrorEvent),
        /// The conversation has begun.
        "conversation.created" => ConversationCreated(ConversationCreated),
        /// An entry joined the conversation.
        "conversation.item.added" => ItemAdded(ItemEvent),
        /// An entry is whole.
        "conversation.item.done" => ItemDone(ItemEvent),
        /// As `added`, from older services.
        "conversation.item.created" => ItemCreated(ItemEvent),
        /// An entry with its audio, as asked for.
        "conversation.item.retrieved" => ItemRetrieved(ItemEvent),
        /// An entry was removed.
        "conversation.item.deleted" => ItemDeleted(ItemDeleted),
        /// An entry was cut.
        "conversation.item.truncated" => ItemTruncated(ItemTruncated),
        /// More of the caller's words.
        "conversation.item.input_audio_transcription.delta" => InputTranscriptDelta(InputTranscriptDelta),
        /// All of the caller's words.
        "conversation.item.input_audio_transcription.completed" => InputTranscriptCompleted(InputTranscriptCompleted),
        /// The caller's words could not be told.
        "conversation.item.input_audio_transcription.failed" => InputTranscriptFailed(InputTranscriptFailed),
        /// One speaker's part of the caller's words.
        "conversation.item.input_audio_transcription.segment" => InputTranscriptSegment(InputTranscriptSegment),
        /// The caller's audio became an entry.
        "input_audio_buffer.committed" => InputAudioCommitted(InputAudioCommitted),
        /// The caller's audio was forgotten.
        "input_audio_buffer.cleared" => InputAudioCleared(Bare),
        /// The caller begins to speak.
        "input_audio_buffer.speech_started" => SpeechStarted(SpeechStarted),
        /// The caller ends.
        "input_audio_buffer.speech_stopped" => SpeechStopped(SpeechStopped),
        /// Nobody spoke for long.
        "input_audio_buffer.timeout_triggered" => TimeoutTriggered(TimeoutTriggered),
        /// The caller pressed a key. SIP only.
        "input_audio_buffer.dtmf_event_received" => DtmfReceived(DtmfReceived),
        /// The caller begins to hear an answer. SIP and WebRTC only.
        "output_audio_buffer.started" => OutputAudioStarted(OutputAudioEvent),
        /// The caller has heard an answer. SIP and WebRTC only.
        "output_audio_buffer.stopped" => OutputAudioStopped(OutputAudioEvent),
        /// The rest of an answer was dropped. SIP and WebRTC only.
        "output_audio_buffer.cleared" => OutputAudioCleared(OutputAudioEvent),
        /// An answer begins.
        "response.created" => ResponseCreated(ResponseEvent),
        /// An answer ended, one way or another.
        "response.done" => ResponseDone(ResponseEvent),
        /// An answer gets an entry.
        "response.output_item.added" => OutputItemAdded(OutputItemEvent),
        /// An entry of an answer is whole.
        "response.output_item.done" => OutputItemDone(OutputItemEvent),
        /// An entry of an answer gets a part.
        "response.content_part.added" => ContentPartAdded(ContentPartEvent),
        /// A part of an answer is whole.
        "response.content_part.done" => ContentPartDone(ContentPartEvent),
        /// Speech, as base64.
        "response.output_audio.delta" => OutputAudioDelta(PartDelta),
        /// No more speech for this part.
        "response.output_audio.done" => OutputAudioDone(PartDone),
        /// Words of the speech.
        "response.output_audio_transcript.delta" => OutputTranscriptDelta(PartDelta),
        /// All words of the speech.
        "response.output_audio_transcript.done" => OutputTranscriptDone(TranscriptDone),
        /// Text, where the model does not speak.
        "response.output_text.delta" => OutputTextDelta(PartDelta),
        /// All the text.
        "response.output_text.done" => OutputTextDone(TextDone),
        /// More of the arguments of a tool call.
        "response.function_call_arguments.delta" => ArgumentsDelta(ArgumentsDelta),
        /// All arguments of a tool call.
        "response.function_call_arguments.done" => ArgumentsDone(ArgumentsDone),
        /// More of the arguments of a call by the provider.
        "response.mcp_call_arguments.delta" => McpArgumentsDelta(McpArgumentsDelta),
        /// All arguments of a call by the provider.
        "response.mcp_call_arguments.done" => McpArgumentsDone(McpArgumentsDone),
        /// The provider calls a tool.
        "response.mcp_call.in_progress" => McpCallInProgress(McpCallEvent),
        /// The provider has called a tool.
        "response.mcp_call.completed" => McpCallCompleted(McpCallEvent),
        /// The provider's call of a tool failed.
        "response.mcp_call.failed" => McpCallFailed(McpCallEvent),
        /// The provider asks a server for its tools.
        "mcp_list_tools.in_progress" => McpListInProgress(McpListEvent),
        /// The provider knows a server's tools.
        "mcp_list_tools.completed" => McpListCompleted(McpListEvent),
        /// The provider could not get a server's tools.
        "mcp_list_tools.failed" => McpListFailed(McpListEvent),
        /// What is left of the account's limits.
        "rate_limits.updated" => RateLimitsUpdated(RateLimitsUpdated),
    }
}

/// `session.created` and `session.updated`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SessionEvent {
    /// The event's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The settings in force.
    pub session: Session,
}

/// `error`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ErrorEvent {
    /// The event's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The problem.
    pub error: ErrorBody,
}

/// `conversation.created`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ConversationCreated {
    /// The event's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The conversation.
    pub conversation: Conversation,
}

/// The conversation of a session.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Conversation {
    /// `conv_…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `realtime.conversation`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
}

/// `conversation.item.added`, `.done`, `.created` and `.retrieved`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ItemEvent {
    /// The event's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The entry before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_item_id: Option<String>,
    /// The entry.
    pub item: Item,
}

/// `conversation.item.deleted`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ItemDeleted {
    /// The event's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The entry.
    pub item_id: String,
}

/// `conversation.item.truncated`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ItemTruncated {
    /// The event's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The entry.
    pub item_id: String,
    /// The part of the entry.
    #[serde(default)]
    pub content_index: u32,
    /// What is left of its speech, in milliseconds.
    pub audio_end_ms: u64,
}

/// `input_audio_buffer.committed`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct InputAudioCommitted {
    /// The event's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The entry before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_item_id: Option<String>,
    /// The entry.
    pub item_id: String,
}

/// `input_audio_buffer.speech_started`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SpeechStarted {
    /// The event's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// Milliseconds of audio since the first byte appended, padding included.
    pub audio_start_ms: u64,
    /// The entry the words will get.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item_id: Option<String>,
}

/// `input_audio_buffer.speech_stopped`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SpeechStopped {
    /// The event's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// Milliseconds of audio since the first byte appended.
    pub audio_end_ms: u64,
    /// The entry the words will get.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item_id: Option<String>,
}

/// `input_audio_buffer.timeout_triggered`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TimeoutTriggered {
    /// The event's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// Where the silence began, in milliseconds of audio.
    pub audio_start_ms: u64,
    /// Where it was cut, in milliseconds of audio.
    pub audio_end_ms: u64,
    /// The entry it became.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item_id: Option<String>,
}

/// `input_audio_buffer.dtmf_event_received`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DtmfReceived {
    /// The event's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The key: `0` to `9`, `*`, `#`, `A` to `D`.
    pub event: String,
    /// When, in Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received_at: Option<u64>,
}

/// `output_audio_buffer.started`, `.stopped` and `.cleared`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct OutputAudioEvent {
    /// The event's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The answer.
    pub response_id: String,
}

/// `response.created` and `response.done`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ResponseEvent {
    /// The event's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The answer.
    pub response: Response,
}

/// `response.output_item.added` and `.done`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OutputItemEvent {
    /// The event's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The answer.
    pub response_id: String,
    /// The entry's place in the answer.
    #[serde(default)]
    pub output_index: u32,
    /// The entry.
    pub item: Item,
}

/// `response.content_part.added` and `.done`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ContentPartEvent {
    /// The event's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The answer.
    pub response_id: String,
    /// The entry.
    pub item_id: String,
    /// The entry's place in the answer.
    #[serde(default)]
    pub output_index: u32,
    /// The part of the entry.
    #[serde(default)]
    pub content_index: u32,
    /// The part; its type is `audio` or `text`, unlike in entries.
    pub part: Content,
}

/// `response.output_audio.delta`, `response.output_audio_transcript.delta` and `response.output_text.delta`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PartDelta {
    /// The event's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The answer.
    pub response_id: String,
    /// The entry.
    pub item_id: String,
    /// The entry's place in the answer.
    #[serde(default)]
    pub output_index: u32,
    /// The part of the entry.
    #[serde(default)]
    pub content_index: u32,
    /// What is new: base64 of audio, or text.
    pub delta: String,
    /// Padding, to be ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub obfuscation: Option<String>,
}

/// `response.output_audio.done`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PartDone {
    /// The event's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The answer.
    pub response_id: String,
    /// The entry.
    pub item_id: String,
    /// The entry's place in the answer.
    #[serde(default)]
    pub output_index: u32,
    /// The part of the entry.
    #[serde(default)]
    pub content_index: u32,
}

/// `response.output_audio_transcript.done`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TranscriptDone {
    /// The event's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The answer.
    pub response_id: String,
    /// The entry.
    pub item_id: String,
    /// The entry's place in the answer.
    #[serde(default)]
    pub output_index: u32,
    /// The part of the entry.
    #[serde(default)]
    pub content_index: u32,
    /// All words.
    pub transcript: String,
}

/// `response.output_text.done`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TextDone {
    /// The event's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The answer.
    pub response_id: String,
    /// The entry.
    pub item_id: String,
    /// The entry's place in the answer.
    #[serde(default)]
    pub output_index: u32,
    /// The part of the entry.
    #[serde(default)]
    pub content_index: u32,
    /// All text.
    pub text: String,
}

/// `response.function_call_arguments.delta`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ArgumentsDelta {
    /// The event's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The answer.
    pub response_id: String,
    /// The entry.
    pub item_id: String,
    /// The entry's place in the answer.
    #[serde(default)]
    pub output_index: u32,
    /// The call.
    pub call_id: String,
    /// What is new, JSON text.
    pub delta: String,
    /// Padding, to be ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub obfuscation: Option<String>,
}

/// `response.function_call_arguments.done`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ArgumentsDone {
    /// The event's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The answer.
    pub response_id: String,
    /// The entry.
    pub item_id: String,
    /// The entry's place in the answer.
    #[serde(default)]
    pub output_index: u32,
    /// The call.
    pub call_id: String,
    /// The tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// All of it, JSON text.
    pub arguments: String,
}

/// `response.mcp_call_arguments.delta`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct McpArgumentsDelta {
    /// The event's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The answer.
    pub response_id: String,
    /// The entry.
    pub item_id: String,
    /// The entry's place in the answer.
    #[serde(default)]
    pub output_index: u32,
    /// What is new, JSON text.
    pub delta: String,
    /// Padding, to be ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub obfuscation: Option<String>,
}

/// `response.mcp_call_arguments.done`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct McpArgumentsDone {
    /// The event's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The answer.
    pub response_id: String,
    /// The entry.
    pub item_id: String,
    /// The entry's place in the answer.
    #[serde(default)]
    pub output_index: u32,
    /// All of it, JSON text.
    pub arguments: String,
}

/// `response.mcp_call.in_progress`, `.completed` and `.failed`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct McpCallEvent {
    /// The event's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The entry.
    pub item_id: String,
    /// The entry's place in the answer.
    #[serde(default)]
    pub output_index: u32,
}

/// `mcp_list_tools.in_progress`, `.completed` and `.failed`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct McpListEvent {
    /// The event's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The entry.
    pub item_id: String,
}

/// `rate_limits.updated`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RateLimitsUpdated {
    /// The event's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// Any subset of the limits.
    pub rate_limits: Vec<RateLimitState>,
}

/// What is left of one limit.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RateLimitState {
    /// `requests` or `tokens`.
    #[serde(default)]
    pub name: String,
    /// The limit.
    #[serde(default)]
    pub limit: u64,
    /// What is left.
    #[serde(default)]
    pub remaining: u64,
    /// Seconds until it is whole again.
    #[serde(default)]
    pub reset_seconds: f64,
}
