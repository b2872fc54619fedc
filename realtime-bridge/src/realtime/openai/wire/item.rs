//! Entries of a conversation.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::tagged::tagged;

tagged! {
    /// An entry of a conversation (OpenAI: conversation items).
    pub enum Item {
        /// Something said or written by a system, a user or the assistant.
        "message" => Message(Message),
        /// A call of a tool.
        "function_call" => FunctionCall(FunctionCall),
        /// What a tool gave back.
        "function_call_output" => FunctionCallOutput(FunctionCallOutput),
        /// The tools of an MCP server.
        "mcp_list_tools" => McpListTools(McpListTools),
        /// A call of a tool that the provider made.
        "mcp_call" => McpCall(McpCall),
        /// The provider asks whether it may call.
        "mcp_approval_request" => McpApprovalRequest(McpApprovalRequest),
        /// The answer to that.
        "mcp_approval_response" => McpApprovalResponse(McpApprovalResponse),
        /// Another entry by its id; only in the input of `response.create`.
        "item_reference" => Reference(ItemReference),
    }
}

impl Item {
    /// The entry's id.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Message(item) => item.id.as_deref(),
            Self::FunctionCall(item) => item.id.as_deref(),
            Self::FunctionCallOutput(item) => item.id.as_deref(),
            Self::McpListTools(item) => item.id.as_deref(),
            Self::McpCall(item) => Some(&item.id),
            Self::McpApprovalRequest(item) => Some(&item.id),
            Self::McpApprovalResponse(item) => Some(&item.id),
            Self::Reference(item) => Some(&item.id),
            Self::Unknown { .. } => None,
        }
    }

    /// A message with one part of text: `input_text`, or `output_text` where the assistant speaks.
    #[must_use]
    pub fn text(role: &str, text: impl Into<String>) -> Self {
        let kind = if role == "assistant" { "output_text" } else { "input_text" };
        let content = vec![Content { kind: kind.into(), text: Some(text.into()), ..Content::default() }];
        Self::Message(Message { role: role.into(), content, ..Message::default() })
    }
}

/// Something said or written.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// The id, `item_…`; a client may choose its own of at most 32 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `realtime.item`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// `in_progress`, `completed` or `incomplete`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// Its parts.
    #[serde(default)]
    pub content: Vec<Content>,
    /// Of an assistant that reasons: `commentary` or `final_answer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
}

/// A part of a message.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Content {
    /// `input_text`, `input_audio`, `input_image`, `output_text` or `output_audio`; in `response.content_part.*`
    /// `audio` or `text`.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// Text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Audio as base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio: Option<String>,
    /// The words of the audio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcript: Option<String>,
    /// A picture as a data URI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_url: Option<String>,
    /// How closely to look: `auto`, `low` or `high`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// A call of a tool.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionCall {
    /// The entry's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `realtime.item`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// `in_progress`, `completed` or `incomplete`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The call's id, which the output names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<String>,
    /// The tool.
    pub name: String,
    /// The arguments, JSON in a string, as the model wrote them.
    pub arguments: String,
}

/// What a tool gave back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionCallOutput {
    /// The entry's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `realtime.item`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// `in_progress`, `completed` or `incomplete`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The call.
    pub call_id: String,
    /// Free text, may be empty.
    pub output: String,
}

/// The tools of an MCP server.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct McpListTools {
    /// The entry's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The server.
    pub server_label: String,
    /// Its tools, as the server describes them.
    pub tools: Vec<Value>,
}

/// A call of a tool that the provider made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct McpCall {
    /// The entry's id.
    pub id: String,
    /// The server.
    pub server_label: String,
    /// The tool.
    pub name: String,
    /// The arguments, JSON in a string.
    pub arguments: String,
    /// The approval, where one was asked for.
    #[serde(default)]
    pub approval_request_id: Option<String>,
    /// What came back.
    #[serde(default)]
    pub output: Option<String>,
    /// Why nothing came back.
    #[serde(default)]
    pub error: Option<Value>,
}

/// The provider asks whether it may call a tool.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct McpApprovalRequest {
    /// The entry's id.
    pub id: String,
    /// The server.
    pub server_label: String,
    /// The tool.
    pub name: String,
    /// The arguments, JSON in a string.
    pub arguments: String,
}

/// Whether the provider may call a tool.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct McpApprovalResponse {
    /// The entry's id.
    pub id: String,
    /// The request.
    pub approval_request_id: String,
    /// Yes or no.
    pub approve: bool,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Another entry by its id.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemReference {
    /// The other entry's id.
    pub id: String,
}
