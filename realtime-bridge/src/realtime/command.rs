//! What we tell a voice model, whatever its provider.

use std::time::Duration;

use super::{ItemId, RequestId, ResponseId, ToolCallId, ToolSpec};
use crate::audio::AudioFrame;

/// What we tell a voice model.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum RealtimeCommand {
    /// Audio of the caller, in the session's input format.
    Append(AudioFrame),
    /// Forget the caller's audio that is not yet an entry.
    ClearInput,
    /// Make the caller's audio so far an entry, where we own the turns.
    Commit,
    /// Add an entry to the end of the conversation.
    AddItem {
        /// The request.
        request: RequestId,
        /// The entry.
        item: NewItem,
    },
    /// Ask for an answer.
    Respond {
        /// The request; comes back in `ResponseStarted` or in an error.
        request: RequestId,
        /// What is special about this answer.
        options: ResponseOptions,
    },
    /// Ask for text beside the conversation: nobody hears it, it becomes no entry, and the conversation is not read for it.
    /// Only where the provider [can](super::Capabilities::asides).
    Aside {
        /// The request; comes back in [`Aside`](super::RealtimeEvent::Aside) or in an error.
        request: RequestId,
        /// Used in place of the session's instructions.
        instructions: String,
        /// What it is about.
        text: String,
    },
    /// Stop an answer.
    Cancel {
        /// The request.
        request: RequestId,
        /// The answer; `None` for the one that runs.
        response: Option<ResponseId>,
    },
    /// Drop what the provider is about to play, where the provider has the line (SIP).
    ClearPlayback {
        /// The request.
        request: RequestId,
    },
    /// Cut an entry to what the caller heard of it.
    Truncate {
        /// The request.
        request: RequestId,
        /// The entry.
        item: ItemId,
        /// The part of the entry.
        content_index: u32,
        /// What was heard; sent in whole milliseconds, rounded down.
        heard: Duration,
    },
    /// Change what can be changed in mid-call.
    Update {
        /// The request.
        request: RequestId,
        /// What changes.
        update: SessionUpdate,
    },
}

/// An entry that we add to the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NewItem {
    /// An instruction or a fact for the model.
    System(String),
    /// Words for the caller, such as keys pressed.
    User(String),
    /// Something the model said before.
    Assistant(String),
    /// A tool call the model made before.
    ToolCall {
        /// The call.
        call: ToolCallId,
        /// The tool.
        name: String,
        /// The arguments as JSON text.
        arguments: String,
    },
    /// What a tool gave back.
    ToolOutput {
        /// The call.
        call: ToolCallId,
        /// Text, mostly JSON.
        output: String,
    },
}

/// What is special about one answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResponseOptions {
    /// Used in place of the session's instructions.
    pub instructions: Option<String>,
    /// The model may call tools in this answer. Default: yes.
    pub without_tools: bool,
}

impl ResponseOptions {
    /// Uses these in place of the session's instructions.
    #[must_use]
    pub fn with_instructions(mut self, instructions: impl Into<String>) -> Self {
        self.instructions = Some(instructions.into());
        self
    }

    /// The model must not call tools in this answer.
    #[must_use]
    pub const fn without_tools(mut self) -> Self {
        self.without_tools = true;
        self
    }
}

/// What changes in mid-call. `None` leaves things as they are.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct SessionUpdate {
    /// New instructions.
    pub instructions: Option<String>,
    /// New tools, all of them.
    pub tools: Option<Vec<ToolSpec>>,
}

impl SessionUpdate {
    /// Sets new instructions.
    #[must_use]
    pub fn with_instructions(mut self, instructions: impl Into<String>) -> Self {
        self.instructions = Some(instructions.into());
        self
    }

    /// Sets new tools, all of them.
    #[must_use]
    pub fn with_tools(mut self, tools: Vec<ToolSpec>) -> Self {
        self.tools = Some(tools);
        self
    }
}
