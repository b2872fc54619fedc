//! The tasks that tools run in. They belong to the call: dropping it aborts them.

use std::task::{Context, Poll};

use tokio::task::{AbortHandle, Id, JoinError, JoinSet};

use super::CallHandle;
use crate::{
    realtime::{ToolCall, ToolCallId},
    relay::{ToolOutcome, error_text},
    tool::{ToolContext, ToolError, ToolSet},
};

/// What a tool's task has ended with.
pub(super) type ToolResult = (ToolCallId, ToolOutcome, String);

pub(super) struct ToolTasks {
    tools: ToolSet,
    call: CallHandle,
    tasks: JoinSet<Result<String, ToolError>>,
    running: Vec<(Id, ToolCallId, AbortHandle)>,
}

impl ToolTasks {
    pub(super) fn new(tools: ToolSet, call: CallHandle) -> Self {
        Self { tools, call, tasks: JoinSet::new(), running: Vec::new() }
    }

    pub(super) fn update(&mut self, tools: ToolSet) {
        self.tools = tools;
    }

    pub(super) fn start(&mut self, call: ToolCall) {
        let tool = self.tools.find(&call.name);
        let id = call.id.clone();
        let context = ToolContext::new(self.call.clone(), call.id);
        let handle = self.tasks.spawn(async move {
            match tool {
                Some(tool) => tool.call_raw(&context, &call.arguments).await,
                // The tools were changed between the call and now.
                None => Err(ToolError::new("there is no such tool any more")),
            }
        });
        self.running.push((handle.id(), id, handle));
    }

    pub(super) fn abort(&mut self, id: &ToolCallId) {
        for (_, running, task) in &self.running {
            if running == id {
                task.abort();
            }
        }
    }

    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<ToolResult>> {
        if self.running.is_empty() {
            return Poll::Ready(None);
        }
        self.tasks.poll_join_next_with_id(cx).map(|ended| ended.and_then(|ended| self.settle(ended)))
    }

    pub(super) async fn next(&mut self) -> Option<ToolResult> {
        let ended = self.tasks.join_next_with_id().await?;
        self.settle(ended)
    }

    fn settle(&mut self, ended: Result<(Id, Result<String, ToolError>), JoinError>) -> Option<ToolResult> {
        let (task, outcome, output) = match ended {
            Ok((task, Ok(output))) => (task, ToolOutcome::Done, output),
            Ok((task, Err(error))) => (task, ToolOutcome::Failed, error_text(&error.to_string())),
            Err(error) => {
                if error.is_panic() {
                    tracing::error!("a tool panicked");
                }
                (error.id(), ToolOutcome::Failed, error_text("the tool failed"))
            }
        };
        let index = self.running.iter().position(|(running, ..)| *running == task)?;
        let (_, id, _) = self.running.swap_remove(index);
        Some((id, outcome, output))
    }
}
