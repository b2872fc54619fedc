//! A call, summed up.

use std::time::Duration;

use crate::{
    realtime::Usage,
    relay::{CallStats, ConversationMemory, EndReason, ToolRun, TranscriptEntry},
};

/// A call, summed up.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CallReport {
    /// Why it ended.
    pub reason: EndReason,
    /// How long the line was up.
    pub duration: Duration,
    /// What was said, in the order of the conversation.
    pub transcript: Vec<TranscriptEntry>,
    /// What tools did, in order.
    pub tools: Vec<ToolRun>,
    /// What another session has to know to go on with the conversation.
    pub memory: ConversationMemory,
    /// What the answers have used.
    pub usage: Usage,
    /// What was counted.
    pub stats: CallStats,
}
