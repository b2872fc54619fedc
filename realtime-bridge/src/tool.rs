//! What a voice model may do during a call, beside talking.
//!
//! ```
//! use realtime_bridge::tool::{Tool, ToolContext, ToolError, ToolSet};
//!
//! /// The arguments; their JSON Schema is what the model sees.
//! #[derive(serde::Deserialize, schemars::JsonSchema)]
//! struct Day {
//!     /// The day as YYYY-MM-DD.
//!     day: String,
//! }
//!
//! struct OpeningHours;
//!
//! #[async_trait::async_trait]
//! impl Tool for OpeningHours {
//!     type Arguments = Day;
//!     type Output = String;
//!
//!     fn name(&self) -> &str {
//!         "opening_hours"
//!     }
//!
//!     fn description(&self) -> &str {
//!         "When the practice is open on a day."
//!     }
//!
//!     async fn call(&self, _context: &ToolContext, day: Day) -> Result<String, ToolError> {
//!         match day.day.as_str() {
//!             "2026-12-24" => Err(ToolError::new("closed all day")),
//!             _ => Ok("9:00 to 18:00".into()),
//!         }
//!     }
//! }
//!
//! let tools = ToolSet::new().with(OpeningHours);
//! assert_eq!(tools.specs()[0].parameters["required"][0], "day");
//! ```

mod journal;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
pub use journal::{Begin, JournalError, PlannedRun, ToolJournal};
use schemars::{JsonSchema, generate::SchemaSettings};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    bridge::CallHandle,
    realtime::{ToolCallId, ToolSpec},
};

/// Something a voice model can have done for the caller.
///
/// A call of a tool runs as a task of its own beside the audio: the caller can always interrupt. Its result reaches the
/// model exactly once. A tool that takes longer than [`ToolOptions::limit`] is aborted where it awaits, and the model
/// is told so; a tool whose effects must not be cut in half does its work in a task that outlives the call.
#[async_trait]
pub trait Tool: Send + Sync + 'static {
    /// What the model has to give. Its JSON Schema, with the doc comments as descriptions, goes to the model.
    type Arguments: DeserializeOwned + JsonSchema + Send;
    /// What the model gets, as JSON.
    type Output: Serialize + Send;

    /// The name: letters, digits, `_` and `-`, at most 64.
    fn name(&self) -> &str;

    /// When to call it, whether to ask first, what to say before.
    fn description(&self) -> &str;

    /// How the call deals with it. Default: ten seconds, no filler, the model speaks about the result.
    fn options(&self) -> ToolOptions {
        ToolOptions::default()
    }

    /// Does it.
    ///
    /// # Errors
    ///
    /// A [`ToolError`] is told to the model, in its words; the call goes on.
    async fn call(&self, context: &ToolContext, arguments: Self::Arguments) -> Result<Self::Output, ToolError>;
}

/// A tool whose arguments are JSON text: what [`Tool`] becomes, and the door for tools that are known only at run time.
#[async_trait]
pub trait RawTool: Send + Sync + 'static {
    /// The tool as the model sees it.
    fn spec(&self) -> ToolSpec;

    /// How the call deals with it.
    fn options(&self) -> ToolOptions;

    /// Does it; `arguments` is JSON as the model wrote it, the result is text for the model, mostly JSON.
    ///
    /// # Errors
    ///
    /// A [`ToolError`] is told to the model, in its words.
    async fn call_raw(&self, context: &ToolContext, arguments: &str) -> Result<String, ToolError>;
}

#[async_trait]
impl<T: Tool> RawTool for T {
    fn spec(&self) -> ToolSpec {
        // Providers read one self-contained object, so definitions are written where they are used.
        let settings = SchemaSettings::draft2020_12().with(|s| {
            s.inline_subschemas = true;
            s.meta_schema = None;
        });
        let mut schema = settings.into_generator().into_root_schema_for::<T::Arguments>().to_value();
        if let Some(object) = schema.as_object_mut() {
            object.remove("title");
            object.entry("properties").or_insert_with(|| serde_json::json!({}));
        }
        ToolSpec::new(self.name(), self.description(), schema)
    }

    fn options(&self) -> ToolOptions {
        Tool::options(self)
    }

    async fn call_raw(&self, context: &ToolContext, arguments: &str) -> Result<String, ToolError> {
        let arguments = if arguments.trim().is_empty() { "{}" } else { arguments };
        let arguments = serde_json::from_str(arguments)
            .map_err(|error| ToolError::new(format!("the arguments are not what the tool takes: {error}")))?;
        let output = self.call(context, arguments).await?;
        serde_json::to_string(&output).map_err(|error| ToolError::new(format!("the result cannot be told: {error}")))
    }
}

/// What a tool knows of the call it runs in.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ToolContext {
    /// The call, to say things, to end it, to watch it.
    pub call: CallHandle,
    /// This run of the tool, as the model named it.
    pub id: ToolCallId,
    /// The key under which an effect can be recorded, here or at a service, so that it happens once: it names the
    /// telephone call, and a run that is begun again has the key it had before.
    pub key: String,
}

impl ToolContext {
    pub(crate) const fn new(call: CallHandle, id: ToolCallId, key: String) -> Self {
        Self { call, id, key }
    }
}

/// A tool could not do what it was asked. The text is for the model, which tells the caller in its own words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ToolError {
    message: String,
}

impl ToolError {
    /// A failure in words for the model. No internals: what is said here may be read to the caller.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}

/// How a call deals with a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ToolOptions {
    /// How long it may take before it is aborted and the model told so. Default: 10 s, about as long as a caller waits.
    pub limit: Duration,
    /// What the caller hears when it takes long. Default: nothing, as models mostly say a line of their own first.
    pub filler: Filler,
    /// What follows the result. Default: [`AfterTool::Speak`].
    pub after: AfterTool,
    /// What is done about a run of which nobody knows whether it came to its end. Default: [`ToolPolicy::Ask`].
    pub policy: ToolPolicy,
}

impl Default for ToolOptions {
    fn default() -> Self {
        Self { limit: Duration::from_secs(10), filler: Filler::None, after: AfterTool::Speak, policy: ToolPolicy::Ask }
    }
}

impl ToolOptions {
    /// Sets how long the tool may take.
    #[must_use]
    pub const fn with_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Sets what the caller hears when the tool takes long.
    #[must_use]
    pub fn with_filler(mut self, filler: Filler) -> Self {
        self.filler = filler;
        self
    }

    /// Sets what follows the result.
    #[must_use]
    pub const fn with_after(mut self, after: AfterTool) -> Self {
        self.after = after;
        self
    }

    /// Sets what is done about a run of which nobody knows whether it came to its end.
    #[must_use]
    pub const fn with_policy(mut self, policy: ToolPolicy) -> Self {
        self.policy = policy;
        self
    }
}

/// What is done about a run of which nobody knows whether it came to its end: it was stopped as its time was up, or the
/// process died. A run that gave a result is never repeated for the sake of a new session: its result is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "snake_case")]
pub enum ToolPolicy {
    /// It is run again, with the same [key](ToolContext::key): for tools that only look something up, or whose effect
    /// happens once for each key.
    Repeat,
    /// It is never run again, and the model told so.
    Never,
    /// The model is told that nobody knows, and asks the caller; it may call the tool again once they have said something.
    Ask,
}

/// What the caller hears while a slow tool runs and nobody speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Filler {
    /// Nothing.
    None,
    /// The model says a line, once.
    Line {
        /// How long the tool runs before.
        after: Duration,
        /// What to say, word for word.
        text: String,
    },
    /// A soft tone, until there is something to hear.
    HoldTone {
        /// How long the tool runs before.
        after: Duration,
    },
}

impl Filler {
    pub(crate) const fn after(&self) -> Option<Duration> {
        match self {
            Self::None => None,
            Self::Line { after, .. } | Self::HoldTone { after } => Some(*after),
        }
    }
}

/// What follows a tool's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AfterTool {
    /// The model speaks about it.
    Speak,
    /// Nothing: the model stays silent until somebody speaks.
    Silent,
    /// The call ends, after the goodbye was heard.
    EndCall,
}

/// The tools of a call.
#[derive(Clone, Default)]
pub struct ToolSet {
    tools: Vec<(ToolSpec, Arc<dyn RawTool>)>,
}

impl ToolSet {
    /// No tools.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a tool; one of the same name is replaced.
    #[must_use]
    pub fn with(mut self, tool: impl RawTool) -> Self {
        let spec = tool.spec();
        self.tools.retain(|(known, _)| known.name != spec.name);
        self.tools.push((spec, Arc::new(tool)));
        self
    }

    /// The tools as the model sees them, for [`SessionConfig::with_tools`](crate::realtime::SessionConfig::with_tools).
    #[must_use]
    pub fn specs(&self) -> Vec<ToolSpec> {
        self.tools.iter().map(|(spec, _)| spec.clone()).collect()
    }

    pub(crate) fn find(&self, name: &str) -> Option<Arc<dyn RawTool>> {
        self.tools.iter().find(|(spec, _)| spec.name == name).map(|(_, tool)| Arc::clone(tool))
    }

    /// What a relay has to know of each tool.
    pub(crate) fn options(&self) -> Vec<(String, ToolOptions)> {
        self.tools.iter().map(|(spec, tool)| (spec.name.clone(), tool.options())).collect()
    }
}

impl fmt::Debug for ToolSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.tools.iter().map(|(spec, _)| &spec.name)).finish()
    }
}

/// Lets the model end the call: it says goodbye, the caller hears it to the end, then the line is closed.
#[derive(Debug, Clone, Copy, Default)]
pub struct EndCall;

/// [`EndCall`] needs nothing to be told.
#[derive(Debug, serde::Deserialize, JsonSchema)]
pub struct NoArguments {}

#[async_trait]
impl Tool for EndCall {
    type Arguments = NoArguments;
    type Output = &'static str;

    fn name(&self) -> &'static str {
        "end_call"
    }

    fn description(&self) -> &'static str {
        "Ends the call. Use it when the caller has said goodbye or wants nothing more. Say goodbye first."
    }

    fn options(&self) -> ToolOptions {
        ToolOptions::default().with_after(AfterTool::EndCall)
    }

    async fn call(&self, _context: &ToolContext, _arguments: NoArguments) -> Result<&'static str, ToolError> {
        Ok("the call ends when the goodbye was heard")
    }
}

/// Lets the model stay silent: for noise, or for words that were not meant for it.
#[derive(Debug, Clone, Copy, Default)]
pub struct WaitForCaller;

#[async_trait]
impl Tool for WaitForCaller {
    type Arguments = NoArguments;
    type Output = &'static str;

    fn name(&self) -> &'static str {
        "wait_for_caller"
    }

    fn description(&self) -> &'static str {
        "Stays silent. Use it when there was only noise or when the caller spoke to somebody else."
    }

    fn options(&self) -> ToolOptions {
        ToolOptions::default().with_after(AfterTool::Silent)
    }

    async fn call(&self, _context: &ToolContext, _arguments: NoArguments) -> Result<&'static str, ToolError> {
        Ok("waiting")
    }
}
