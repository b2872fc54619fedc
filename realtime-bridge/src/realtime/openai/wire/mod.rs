//! The protocol as types, in both directions: for simulators, for tools, and for what [`RealtimeEvent`] leaves out.
//!
//! - [`ClientEvent`] has all eleven events that a client may send, [`ServerEvent`] all that the GA interface defines.
//!   Both are read with `parse` and written with `to_json`.
//! - The provider adds events and members without notice. An event of an unknown type is kept as it came
//!   (`Unknown`), unknown members are ignored. A known event that lacks what it must have is a [`ParseError`].
//! - Words that the provider may add to, such as a status or a voice, are strings.
//! - Where absent and null mean different things, a member is [`Nullable`]. Elsewhere null is read as absent.
//! - Structures follow the provider and get new members in minor versions: end yours with `..Default::default()`.
//!
//! ```
//! use realtime_bridge::realtime::openai::wire::{ServerEvent, SpeechStarted};
//!
//! let event = ServerEvent::SpeechStarted(SpeechStarted {
//!     audio_start_ms: 1_000,
//!     item_id: Some("item_1".into()),
//!     ..Default::default()
//! });
//! let json = event.to_json();
//! assert_eq!(json, r#"{"type":"input_audio_buffer.speech_started","audio_start_ms":1000,"item_id":"item_1"}"#);
//! assert!(matches!(ServerEvent::parse(&json), Ok(ServerEvent::SpeechStarted(_))));
//! ```

mod client_event;
mod error;
mod item;
mod response;
mod server_event;
mod session;
mod tagged;
mod transcript;
mod union;

pub use client_event::{
    Bare, ClientEvent, InputAudioAppend, ItemCreate, ItemName, ItemTruncate, ResponseCancel, ResponseCreate,
    SessionUpdate,
};
pub use error::ErrorBody;
pub use item::{
    Content, FunctionCall, FunctionCallOutput, Item, ItemReference, McpApprovalRequest, McpApprovalResponse, McpCall,
    McpListTools, Message,
};
pub use response::{Response, ResponseParams, StatusDetails, TokenDetails, TokenUsage};
pub use server_event::*;
pub use session::{
    Audio, AudioInput, AudioOutput, Format, FunctionTool, McpTool, NoiseReductionSettings, Reasoning, SemanticVad,
    ServerVad, Session, Tool, TranscriptionSettings, TurnDetectionSettings,
};
pub use tagged::ParseError;
pub use transcript::{
    InputTranscriptCompleted, InputTranscriptDelta, InputTranscriptFailed, InputTranscriptSegment, Language, LogProb,
    TranscriptionUsage,
};
pub use union::{MaxTokens, Nullable, TokenLimits, ToolChoice, Truncation, Voice};

#[cfg(doc)]
use crate::realtime::RealtimeEvent;
