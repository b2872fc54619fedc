//! A call, summed up.

use std::time::Duration;

use crate::{
    realtime::{SessionInfo, Usage},
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
    /// What was said, in the order of the conversation. Of a very long call the newest
    /// [`transcript_limit`](crate::relay::CallConfig::transcript_limit) entries; the others were told in updates.
    pub transcript: Vec<TranscriptEntry>,
    /// How many older entries the transcript does not have any more.
    pub transcript_dropped: u64,
    /// What tools did, in order; as many as of the transcript.
    pub tools: Vec<ToolRun>,
    /// How many older runs of tools are not told any more.
    pub tools_dropped: u64,
    /// The model's session at the end, which need not be the one that the call began with; `None` when it was lost.
    pub session: Option<SessionInfo>,
    /// What another session has to know to go on with the conversation.
    pub memory: ConversationMemory,
    /// What the answers have used.
    pub usage: Usage,
    /// What was counted.
    pub stats: CallStats,
}
