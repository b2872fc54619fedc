//! The model's tool to hand a caller over.

use async_trait::async_trait;
use call_session::{handoff::Wanted, id::SessionId};
use realtime_bridge::tool::{AfterTool, Tool, ToolContext, ToolError, ToolOptions, ToolPolicy};
use schemars::JsonSchema;
use serde::Deserialize;

use super::NotHandedOver;
use crate::{chain::Chain, sip::SipServer};

/// The longest reason that is written down, in characters.
const LONGEST: usize = 200;

/// Hands the caller to a person by name.
#[derive(Debug, Clone)]
pub struct HandOver {
    server: SipServer,
    call: SessionId,
    description: String,
}

/// What [`HandOver`] has to be told.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Handover {
    /// The name of the person, one of those in the description. Leave it out for whoever is there.
    pub to: Option<String>,
    /// Why, in one short sentence.
    pub reason: String,
}

impl HandOver {
    /// The tool of a call, with the people that the server knows.
    #[must_use]
    pub fn new(server: SipServer, call: SessionId) -> Self {
        let names: Vec<_> = server.0.settings.people.names().map(ToString::to_string).collect();
        let description = format!(
            "Puts the caller through to a person: when they ask for one, or need what you may not do. The persons are: {}. Do not \
             say anything about it yourself: the caller is told.",
            names.join(", ")
        );
        Self { server, call, description }
    }
}

#[async_trait]
impl Tool for HandOver {
    type Arguments = Handover;
    type Output = &'static str;

    fn name(&self) -> &'static str {
        "hand_over"
    }

    fn description(&self) -> &str {
        &self.description
    }

    /// A call is handed over once at a time, so that beginning again does nothing twice. The farewell is said by the
    /// handing over itself.
    fn options(&self) -> ToolOptions {
        ToolOptions::default().with_policy(ToolPolicy::Repeat).with_after(AfterTool::Silent)
    }

    async fn call(&self, _: &ToolContext, wanted: Handover) -> Result<&'static str, ToolError> {
        let whom = match wanted.to.as_deref().map(str::trim).filter(|name| !name.is_empty()) {
            None => Wanted::Anyone,
            Some(name) => {
                let known =
                    self.server.0.settings.people.names().find(|known| known.as_str().eq_ignore_ascii_case(name));
                let known = known.ok_or_else(|| ToolError::new("there is nobody of this name"))?;
                Wanted::Person(known.clone())
            }
        };
        let reason: String = wanted.reason.chars().take(LONGEST).collect();
        match Box::pin(self.server.hand_over(self.call, &whom, "agent", &reason)).await {
            Ok(_) => Ok("the caller is being put through"),
            Err(NotHandedOver::Refused(_)) => Err(ToolError::new("the caller is being put through already")),
            Err(NotHandedOver::NoOne(_)) => Err(ToolError::new("nobody is there who could take the call")),
            Err(error) => {
                tracing::error!(error = %Chain(&error), "a caller is not handed over");
                Err(ToolError::new("the caller cannot be put through now"))
            }
        }
    }
}
