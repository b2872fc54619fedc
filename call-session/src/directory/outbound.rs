//! The check before somebody is called.

use twilio_twiml::phone::E164;

use super::{Agent, Customer};
use crate::{
    call::{ConversationSettings, NewCall},
    id::{AgentId, CustomerId},
};

/// What a call to a customer needs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutboundCall {
    /// The number it comes from.
    pub from: E164,
    /// The number that is called.
    pub to: E164,
    /// Whose call it is.
    pub agent: AgentId,
    /// Who is called.
    pub customer: CustomerId,
    /// What it is about, as of now.
    pub settings: ConversationSettings,
}

/// Why nobody can be called. Checked in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotCallable {
    /// There is no such customer.
    #[error("there is no such customer")]
    NoCustomer,
    /// There is no such agent, or nobody has said what their calls are about.
    #[error("the agent has no conversation settings")]
    NoAgentSettings,
    /// The agent has no number that calls come from.
    #[error("the agent has no active number")]
    NoActiveNumber,
}

impl NotCallable {
    /// A short fixed name, for those who answer requests.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoCustomer => "customer-not-found",
            Self::NoAgentSettings => "agent-settings-not-found",
            Self::NoActiveNumber => "no-active-number",
        }
    }

    /// The HTTP status that says so: 404 for what does not exist, 400 for what is not ready.
    #[must_use]
    pub const fn http_status(self) -> u16 {
        match self {
            Self::NoCustomer | Self::NoAgentSettings => 404,
            Self::NoActiveNumber => 400,
        }
    }
}

/// What a call to a customer needs, or why they can't be called.
///
/// # Errors
///
/// [`NotCallable`], the first that holds.
pub fn outbound(agent: Option<&Agent>, customer: Option<&Customer>) -> Result<OutboundCall, NotCallable> {
    let customer = customer.ok_or(NotCallable::NoCustomer)?;
    let (agent, settings) =
        agent.and_then(|agent| agent.settings.as_ref().map(|it| (agent, it))).ok_or(NotCallable::NoAgentSettings)?;
    let from = agent.caller_numbers.active().ok_or(NotCallable::NoActiveNumber)?;
    Ok(OutboundCall {
        from: from.clone(),
        to: customer.phone.clone(),
        agent: agent.id.clone(),
        customer: customer.id.clone(),
        settings: settings.clone(),
    })
}

impl From<OutboundCall> for NewCall {
    fn from(call: OutboundCall) -> Self {
        Self::outbound(call.from, call.to)
            .with_agent(call.agent)
            .with_customer(call.customer)
            .with_settings(call.settings)
    }
}
