//! Where a call writes down what its tools are about to do, so that no effect happens twice.

use std::{error::Error, fmt};

use async_trait::async_trait;

use super::ToolPolicy;
use crate::{
    realtime::ToolCallId,
    relay::{ToolOutcome, ToolRun},
};

/// Where a call writes down what its tools are about to do, and what became of it.
///
/// The bridge asks it in the tool's own task, never on the path of the audio: before the tool runs, and after it ended
/// and before the model is told. A journal that outlives the process makes effects happen once although the process
/// dies: it answers a run whose result it knows with [`Begin::Replay`], and one that may be under way elsewhere with
/// [`Begin::Refuse`]. Without one a call remembers its tools as long as it runs, which the
/// [memory](crate::relay::ConversationMemory) of the conversation extends to the next session.
///
/// ```
/// use std::{collections::BTreeMap, sync::Mutex};
///
/// use realtime_bridge::{
///     relay::{ToolOutcome, ToolRun},
///     tool::{Begin, JournalError, PlannedRun, ToolJournal},
/// };
///
/// /// What is known of each run, by its key.
/// #[derive(Default)]
/// struct Book(Mutex<BTreeMap<String, Option<(ToolOutcome, String)>>>);
///
/// #[async_trait::async_trait]
/// impl ToolJournal for Book {
///     async fn begin(&self, run: &PlannedRun) -> Result<Begin, JournalError> {
///         let mut book = self.0.lock().map_err(|_| JournalError::new("the book is torn"))?;
///         Ok(match book.get(&run.key).cloned().flatten() {
///             Some((outcome, output)) => Begin::Replay { outcome, output },
///             None => {
///                 book.insert(run.key.clone(), None);
///                 Begin::Run
///             }
///         })
///     }
///
///     async fn finish(&self, run: &ToolRun) -> Result<(), JournalError> {
///         let mut book = self.0.lock().map_err(|_| JournalError::new("the book is torn"))?;
///         book.insert(run.key.clone(), run.outcome.zip(run.output.clone()));
///         Ok(())
///     }
/// }
/// ```
#[async_trait]
pub trait ToolJournal: Send + Sync + 'static {
    /// A tool is about to run: write it down, and say whether it may. The tool's time limit counts already.
    ///
    /// # Errors
    ///
    /// [`JournalError`] when it cannot be written down: the tool is not run then, and the model told that it failed.
    ///
    /// # Cancel safety
    ///
    /// The future is dropped when the tool's time is up; then [`ToolJournal::finish`] tells so.
    async fn begin(&self, run: &PlannedRun) -> Result<Begin, JournalError>;

    /// A run has ended. Also told of runs that were stopped, as [`ToolOutcome::TimedOut`]; not of those that were replayed
    /// or refused, nor of one that panicked: of that one nobody knows what it did.
    ///
    /// # Errors
    ///
    /// [`JournalError`] when it cannot be written down. It is logged, and the model gets the result all the same.
    async fn finish(&self, run: &ToolRun) -> Result<(), JournalError>;
}

/// A tool that is about to run.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlannedRun {
    /// The run, as the model named it.
    pub id: ToolCallId,
    /// The key under which its effect happens once: it names the telephone call, and stays the same when the run is
    /// begun again.
    pub key: String,
    /// The tool.
    pub name: String,
    /// The arguments as JSON text, as the model wrote them.
    pub arguments: String,
    /// What the tool says about being begun twice.
    pub policy: ToolPolicy,
    /// It was begun before, and nobody knows whether it came to its end.
    pub again: bool,
}

impl fmt::Debug for PlannedRun {
    /// Without the arguments, which may be personal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlannedRun")
            .field("id", &self.id)
            .field("key", &self.key)
            .field("name", &self.name)
            .field("policy", &self.policy)
            .field("again", &self.again)
            .finish_non_exhaustive()
    }
}

/// Whether a tool may run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Begin {
    /// It may: it is written down.
    Run,
    /// It has run before; this is what became of it.
    Replay {
        /// How it ended.
        outcome: ToolOutcome,
        /// What the model is told.
        output: String,
    },
    /// It must not, and ends as [`ToolOutcome::Refused`].
    Refuse {
        /// Why, in words for the model.
        why: String,
    },
}

/// A journal cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("the tool journal cannot be written")]
pub struct JournalError {
    source: Box<dyn Error + Send + Sync>,
}

impl JournalError {
    /// With this cause.
    #[must_use]
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { source: cause.into() }
    }
}
