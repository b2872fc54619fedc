//! The tasks that tools run in. They belong to the call: dropping it aborts them.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    task::{AbortHandle, Id, JoinError, JoinSet},
    time::Instant,
};

use super::CallHandle;
use crate::{
    realtime::ToolCallId,
    relay::{ToolOutcome, ToolRun, error_text},
    tool::{Begin, PlannedRun, RawTool, ToolContext, ToolJournal, ToolSet},
};

/// What a tool's task has ended with.
pub(super) type ToolResult = (ToolCallId, ToolOutcome, String);

type Journal = Option<Arc<dyn ToolJournal>>;

pub(super) struct ToolTasks {
    tools: ToolSet,
    journal: Journal,
    call: CallHandle,
    /// A task that only writes something down ends with nothing.
    tasks: JoinSet<Option<(ToolOutcome, String)>>,
    running: Vec<Running>,
}

struct Running {
    task: AbortHandle,
    run: PlannedRun,
    since: Instant,
}

impl ToolTasks {
    pub(super) fn new(tools: ToolSet, journal: Journal, call: CallHandle) -> Self {
        Self { tools, journal, call, tasks: JoinSet::new(), running: Vec::new() }
    }

    pub(super) fn update(&mut self, tools: ToolSet) {
        self.tools = tools;
    }

    pub(super) fn start(&mut self, run: PlannedRun) {
        let tool = self.tools.find(&run.name);
        let context = ToolContext::new(self.call.clone(), run.id.clone(), run.key.clone());
        let (journal, planned) = (self.journal.clone(), run.clone());
        let task = self.tasks.spawn(async move { Some(carry_out(tool, &context, journal, planned).await) });
        self.running.push(Running { task, run, since: Instant::now() });
    }

    /// Stops a run, whose time is up, and has that written down.
    pub(super) fn abort(&mut self, id: &ToolCallId) {
        let Some(Running { task, run, since }) = self.running.iter().find(|running| running.run.id == *id) else {
            return;
        };
        task.abort();
        if let Some(journal) = self.journal.clone() {
            let output = error_text("the tool took too long and was stopped");
            let run = ended(run.clone(), ToolOutcome::TimedOut, &output, since.elapsed());
            self.tasks.spawn(async move {
                write_down(&journal, &run).await;
                None
            });
        }
    }

    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<ToolResult>> {
        while !self.tasks.is_empty() {
            match self.tasks.poll_join_next_with_id(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => break,
                Poll::Ready(Some(ended)) => {
                    if let Some(result) = self.settle(ended) {
                        return Poll::Ready(Some(result));
                    }
                }
            }
        }
        Poll::Ready(None)
    }

    pub(super) async fn next(&mut self) -> Option<ToolResult> {
        while let Some(ended) = self.tasks.join_next_with_id().await {
            if let Some(result) = self.settle(ended) {
                return Some(result);
            }
        }
        None
    }

    /// `None` where nobody waits for what a task has ended with.
    fn settle(&mut self, ended: Result<(Id, Option<(ToolOutcome, String)>), JoinError>) -> Option<ToolResult> {
        let (task, result) = match ended {
            Ok((task, result)) => (task, result),
            Err(error) => {
                if error.is_panic() {
                    tracing::error!("a tool panicked");
                }
                (error.id(), Some((ToolOutcome::Failed, error_text("the tool failed"))))
            }
        };
        let index = self.running.iter().position(|running| running.task.id() == task)?;
        let Running { run, .. } = self.running.swap_remove(index);
        result.map(|(outcome, output)| (run.id, outcome, output))
    }
}

/// Written down, then done, then written down again.
async fn carry_out(
    tool: Option<Arc<dyn RawTool>>,
    context: &ToolContext,
    journal: Journal,
    run: PlannedRun,
) -> (ToolOutcome, String) {
    // The tools were changed between the call and now.
    let Some(tool) = tool else { return (ToolOutcome::Failed, error_text("there is no such tool any more")) };
    let since = Instant::now();
    if let Some(journal) = &journal {
        match journal.begin(&run).await {
            Ok(Begin::Run) => {}
            Ok(Begin::Replay { outcome, output }) => return (outcome, output),
            Ok(Begin::Refuse { why }) => return (ToolOutcome::Refused, error_text(&why)),
            Err(error) => {
                tracing::error!(tool = run.name, error = &error as &dyn std::error::Error, "not run");
                return (ToolOutcome::Failed, error_text("the tool cannot be used at the moment, nothing was done"));
            }
        }
    }
    let (outcome, output) = match tool.call_raw(context, &run.arguments).await {
        Ok(output) => (ToolOutcome::Done, output),
        Err(error) => (ToolOutcome::Failed, error_text(&error.to_string())),
    };
    if let Some(journal) = &journal {
        write_down(journal, &ended(run, outcome, &output, since.elapsed())).await;
    }
    (outcome, output)
}

async fn write_down(journal: &Arc<dyn ToolJournal>, run: &ToolRun) {
    if let Err(error) = journal.finish(run).await {
        tracing::error!(tool = run.name, error = &error as &dyn std::error::Error, "its end is not written down");
    }
}

fn ended(run: PlannedRun, outcome: ToolOutcome, output: &str, took: Duration) -> ToolRun {
    let PlannedRun { id, key, name, arguments, .. } = run;
    ToolRun { id, key, name, arguments, outcome: Some(outcome), output: Some(output.to_owned()), took }
}
