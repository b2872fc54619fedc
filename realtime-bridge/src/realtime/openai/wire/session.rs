//! The session object, as it is sent and as it is echoed.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{MaxTokens, Nullable, ToolChoice, Truncation, Voice, tagged::tagged};

/// A session's settings (OpenAI: Realtime session object). In an update, what is absent stays as it is; the server's
/// echo has everything, and `id`, `object` and `expires_at` besides.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Session {
    /// `realtime` or `transcription`; an update without it is refused.
    #[serde(rename = "type")]
    pub kind: String,
    /// `sess_…`, in the echo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `realtime.session` or `realtime.transcription_session`, in the echo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// When the provider ends the session, in Unix seconds, in the echo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
    /// The model; fixed for the life of a connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// `["audio"]` or `["text"]`, never both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_modalities: Option<Vec<String>>,
    /// Who the model is and what it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
    /// Both directions of audio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio: Option<Audio>,
    /// What the model may call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<Tool>>,
    /// Whether and which tools the model must use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<ToolChoice>,
    /// Several calls at once; reasoning models only.
    #[serde(default, skip_serializing_if = "Nullable::is_absent")]
    pub parallel_tool_calls: Nullable<bool>,
    /// How hard the model thinks; reasoning models only.
    #[serde(default, skip_serializing_if = "Nullable::is_absent")]
    pub reasoning: Nullable<Reasoning>,
    /// The longest answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<MaxTokens>,
    /// What happens when the context is full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truncation: Option<Truncation>,
    /// More to be sent, such as `item.input_audio_transcription.logprobs`.
    #[serde(default, skip_serializing_if = "Nullable::is_absent")]
    pub include: Nullable<Vec<String>>,
    /// The provider's traces: `"auto"`, an object or off.
    #[serde(default, skip_serializing_if = "Nullable::is_absent")]
    pub tracing: Nullable<Value>,
    /// A stored prompt; the provider ends them on 2026-11-30.
    #[serde(default, skip_serializing_if = "Nullable::is_absent")]
    pub prompt: Nullable<Value>,
}

impl Session {
    /// An update of a conversation that changes nothing yet.
    #[must_use]
    pub fn realtime() -> Self {
        Self { kind: "realtime".into(), ..Self::default() }
    }
}

/// Both directions of audio.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Audio {
    /// From the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<AudioInput>,
    /// To the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<AudioOutput>,
}

/// Audio from the caller.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct AudioInput {
    /// Encoding and rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// What writes down the caller's words; null for nothing.
    #[serde(default, skip_serializing_if = "Nullable::is_absent")]
    pub transcription: Nullable<TranscriptionSettings>,
    /// Noise reduction before the model listens; null for none.
    #[serde(default, skip_serializing_if = "Nullable::is_absent")]
    pub noise_reduction: Nullable<NoiseReductionSettings>,
    /// Who decides when the caller has finished; null for the client.
    #[serde(default, skip_serializing_if = "Nullable::is_absent")]
    pub turn_detection: Nullable<TurnDetectionSettings>,
}

/// Audio to the caller.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AudioOutput {
    /// Encoding and rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// The voice; fixed after the first audio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voice: Option<Voice>,
    /// Speed of speech, 0.25 to 1.5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed: Option<f64>,
}

/// Encoding and rate of audio.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    /// `audio/pcmu`, `audio/pcma` or `audio/pcm`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Hz; with `audio/pcm` only, and then 24000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
}

/// What writes down the caller's words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TranscriptionSettings {
    /// The model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// One language, as an ISO 639-1 code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Several languages; for `gpt-transcribe` and `gpt-live-transcribe`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub languages: Option<Vec<String>>,
    /// Words to expect; for the same two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keywords: Option<Vec<String>>,
    /// Free text; for older models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// Later and better: `minimal` to `xhigh`; for `gpt-realtime-whisper`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<String>,
}

/// Noise reduction before the model listens.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct NoiseReductionSettings {
    /// `near_field` or `far_field`.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Higher is stronger; 1 when left out at first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strength: Option<f64>,
}

tagged! {
    /// Who decides when the caller has finished (OpenAI: voice activity detection).
    pub enum TurnDetectionSettings {
        /// By loudness.
        "server_vad" => ServerVad(ServerVad),
        /// By meaning.
        "semantic_vad" => SemanticVad(SemanticVad),
    }
}

/// Detection by loudness.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ServerVad {
    /// 0 to 1; higher needs louder speech.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// Milliseconds kept from before the start of speech.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix_padding_ms: Option<u64>,
    /// Milliseconds of silence that end a turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silence_duration_ms: Option<u64>,
    /// Milliseconds without words after which the model speaks up, 5000 to 30000.
    #[serde(default, skip_serializing_if = "Nullable::is_absent")]
    pub idle_timeout_ms: Nullable<u64>,
    /// Answer by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub create_response: Option<bool>,
    /// Stop by itself when the caller speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interrupt_response: Option<bool>,
}

/// Detection by meaning.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SemanticVad {
    /// `low`, `medium`, `high` or `auto`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eagerness: Option<String>,
    /// Answer by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub create_response: Option<bool>,
    /// Stop by itself when the caller speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interrupt_response: Option<bool>,
}

/// How hard a model thinks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reasoning {
    /// `minimal`, `low`, `medium`, `high` or `xhigh`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effort: Option<String>,
}

tagged! {
    /// What a model may call.
    pub enum Tool {
        /// A function of the client.
        "function" => Function(FunctionTool),
        /// A server that the provider calls.
        "mcp" => Mcp(McpTool),
    }
}

/// A function of the client.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FunctionTool {
    /// Its name.
    pub name: String,
    /// When to call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// JSON Schema of its arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Value>,
}

/// A server that the provider calls (OpenAI: MCP tools in the Realtime API).
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct McpTool {
    /// Names the server in later events.
    pub server_label: String,
    /// Where it is; this, a connector or a tunnel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_url: Option<String>,
    /// One of the provider's own servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connector_id: Option<String>,
    /// A private server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tunnel_id: Option<String>,
    /// An access token for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization: Option<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_description: Option<String>,
    /// Headers for it, an object of strings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<Value>,
    /// A list of names, or a filter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_tools: Option<Value>,
    /// `direct` or `programmatic`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_callers: Option<Vec<String>>,
    /// `always`, `never`, or filters for both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub require_approval: Option<Value>,
    /// Loads the tools when they are first needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defer_loading: Option<bool>,
}

impl fmt::Debug for McpTool {
    /// Without `authorization` and `headers`, which are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpTool")
            .field("server_label", &self.server_label)
            .field("server_url", &self.server_url)
            .field("connector_id", &self.connector_id)
            .field("allowed_tools", &self.allowed_tools)
            .field("require_approval", &self.require_approval)
            .finish_non_exhaustive()
    }
}
