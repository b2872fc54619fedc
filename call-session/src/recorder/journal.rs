//! The tool journal of a call: what its recorder keeps of tools.

use async_trait::async_trait;
use jiff::Timestamp;
use realtime_bridge::{
    relay,
    tool::{Begin, JournalError, PlannedRun, ToolJournal},
};

use super::Recorder;
use crate::call::{SessionEvent, ToolRun};

/// A tool runs once it is written down that it will, on whichever server.
#[async_trait]
impl ToolJournal for Recorder {
    async fn begin(&self, run: &PlannedRun) -> Result<Begin, JournalError> {
        let now = Timestamp::now();
        let planned = ToolRun::new(&run.key, run.id.as_str(), &run.name, &run.arguments, now);
        let began = self.decide(SessionEvent::ToolStarted { run: planned }.at(now)).await.map_err(JournalError::new)?;
        // One that was begun before may be begun again if its tool says so, which the bridge has decided.
        Ok(if began || run.again {
            Begin::Run
        } else {
            Begin::Refuse { why: "This was begun before; it is not known how it ended.".into() }
        })
    }

    async fn finish(&self, run: &relay::ToolRun) -> Result<(), JournalError> {
        let outcome = run.outcome.unwrap_or(relay::ToolOutcome::Abandoned).into();
        let event = SessionEvent::ToolFinished { key: run.key.clone(), outcome, output: run.output.clone() };
        self.decide(event.at(Timestamp::now())).await.map(|_| ()).map_err(JournalError::new)
    }
}
