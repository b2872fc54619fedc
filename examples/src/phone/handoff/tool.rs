//! The model hands the caller over: to people by name, never to a number.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use call_session::{
    handoff::Wanted,
    id::{AgentId, SessionId},
    store::StoreError,
};
use realtime_bridge::{
    realtime::ToolSpec,
    tool::{AfterTool, RawTool, ToolContext, ToolError, ToolOptions, ToolPolicy, ToolSet},
};
use serde::Deserialize;
use serde_json::json;

use super::{Absent, HandOver, NotHandedOver, api::REASON};
use crate::{chain::Chain, phone::Phone};

/// The name of the tool.
const NAME: &str = "hand_over";

/// Whoever can take the call.
const ANYONE: &str = "anyone";

/// Whom the model may name, as the directory had them a moment ago. What it names is looked up anew when it does.
#[derive(Debug, Default)]
pub(in crate::phone) struct Targets(Mutex<Arc<Vec<Target>>>);

#[derive(Debug, Clone)]
struct Target {
    id: AgentId,
    name: String,
}

impl Targets {
    fn all(&self) -> MutexGuard<'_, Arc<Vec<Target>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hands this caller over.
struct HandOverTool {
    phone: Phone,
    call: SessionId,
    targets: Arc<Vec<Target>>,
}

#[derive(Deserialize)]
struct Arguments {
    to: String,
    #[serde(default)]
    reason: String,
}

impl Phone {
    /// What the model of a call can do besides talking.
    pub(in crate::phone) fn tools(&self, call: SessionId) -> ToolSet {
        let tools = self.and_keys(self.0.tools.clone(), call);
        let targets = Arc::clone(&self.0.targets.all());
        if !self.0.model_hands_over || targets.is_empty() || self.0.rest.is_none() {
            return tools;
        }
        tools.with(HandOverTool { phone: self.clone(), call, targets })
    }

    /// Reads from the directory whom a model may name.
    pub(super) async fn find_targets(&self) -> Result<(), StoreError> {
        let agents = self.0.directory.agents().await?;
        let reachable = agents.into_iter().filter(|agent| agent.phone.is_some() && agent.id.as_str() != ANYONE);
        *self.0.targets.all() = Arc::new(reachable.map(|agent| Target { id: agent.id, name: agent.name }).collect());
        Ok(())
    }

    /// Reads from the directory whom a model may name, before the first call.
    pub(in crate::phone) async fn know_targets(&self) {
        if let Err(error) = self.find_targets().await {
            tracing::warn!(error = %Chain(&error), "nobody knows yet whom callers can be handed to");
        }
    }
}

#[async_trait]
impl RawTool for HandOverTool {
    fn spec(&self) -> ToolSpec {
        let names: Vec<_> =
            std::iter::once(ANYONE).chain(self.targets.iter().map(|target| target.id.as_str())).collect();
        let people: Vec<_> = self.targets.iter().map(|target| format!("{} is {}", target.id, target.name)).collect();
        let parameters = json!({
            "type": "object",
            "properties": {
                "to": {
                    "type": "string",
                    "enum": names,
                    "description": format!("Who is wanted. {ANYONE} is whoever is free. {}.", people.join(", ")),
                },
                "reason": {
                    "type": "string",
                    "description": "What the caller wants, in a few words, for the colleague who takes the call.",
                },
            },
            "required": ["to", "reason"],
            "additionalProperties": false,
        });
        let description = "Puts the caller through to a colleague. Use it when the caller asks for a person, or needs what only a \
                           person can do. Say nothing about it before: the caller hears a line by itself. When nobody is available, \
                           the result says who is away and until when.";
        ToolSpec::new(NAME, description, parameters)
    }

    fn options(&self) -> ToolOptions {
        // The line that follows is said word for word, and a second handoff of a call is refused.
        ToolOptions::default().with_after(AfterTool::Silent).with_policy(ToolPolicy::Repeat)
    }

    async fn call_raw(&self, _: &ToolContext, arguments: &str) -> Result<String, ToolError> {
        let arguments: Arguments = serde_json::from_str(arguments)
            .map_err(|error| ToolError::new(format!("the arguments are not what the tool takes: {error}")))?;
        let wanted = if arguments.to == ANYONE {
            Wanted::Anyone
        } else {
            match self.targets.iter().find(|target| target.id.as_str() == arguments.to) {
                Some(target) => Wanted::Person(target.id.clone()),
                None => return Err(self.not_now("there is nobody of this name").await),
            }
        };
        // A person hears it.
        let reason: String = arguments.reason.chars().take(REASON).collect();
        let ask = HandOver::new("agent", wanted).with_reason(reason.trim());
        match Box::pin(self.phone.hand_over(self.call, &ask)).await {
            Ok(_) => Ok(json!({"status": "a colleague is being called"}).to_string()),
            Err(NotHandedOver::Nobody(absent)) => Err(self.not_now(&Absent::all(&absent, |who| &who.name)).await),
            Err(NotHandedOver::Refused(refused)) => {
                // The caller hears of the first one.
                tracing::debug!(%refused, "the model hands a caller over who is not to be had");
                Ok(json!({"status": "a colleague is being called already"}).to_string())
            }
            Err(error) => {
                tracing::error!(error = %Chain(&error), "the model cannot hand a caller over");
                Err(self.not_now("it does not work at the moment").await)
            }
        }
    }
}

impl HandOverTool {
    /// What the model is told of a handover that does not take place: a failure, of which it speaks to the caller once it knows
    /// all of it. After what succeeds it says nothing.
    async fn not_now(&self, why: &str) -> ToolError {
        let summary = self.phone.0.store.summary(self.call).await.ok().flatten();
        let talk = &self.phone.0.settings.conversation;
        let text = summary.map_or_else(|| talk.nobody_there(), |call| talk.of(&call).nobody_there());
        ToolError::new(format!("nobody is available: {why}. {text}"))
    }
}
