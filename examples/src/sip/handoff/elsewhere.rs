//! Handing over a caller whom another server leads.

use call_session::{
    call::Refused,
    handoff::{NoOne, Wanted},
    id::{AgentId, SessionId},
    live::{Command, Reply},
};
use serde::{Deserialize, Serialize};
use twilio_twiml::phone::Address;

use super::NotHandedOver;
use crate::{chain::Chain, sip::SipServer};

/// The command by which one server has another hand a caller over.
const HAND_OVER: &str = "hand-over";

/// What is told with the command.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_id: Option<AgentId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Address>,
    reason: String,
}

/// Has whichever server leads a call hand its caller over.
pub(in crate::sip) fn command(wanted: &Wanted, reason: &str) -> Option<Command> {
    let (agent_id, to) = match wanted {
        Wanted::Anyone => (None, None),
        Wanted::Person(person) => (Some(person.clone()), None),
        Wanted::Number(number) => (None, Some(number.clone())),
        _ => return None,
    };
    let value = serde_json::to_value(Told { agent_id, to, reason: reason.to_owned() }).ok()?;
    Some(Command::Custom { name: HAND_OVER.into(), value })
}

impl SipServer {
    /// Does what another server asks of a call that this one leads, besides what the bridge knows.
    pub(in crate::sip) async fn obey(&self, session: SessionId, command: Command) -> Reply {
        let Command::Custom { name, value } = command else { return Reply::refused("unknown") };
        if name != HAND_OVER {
            return Reply::refused("unknown");
        }
        let Ok(Told { agent_id, to, reason }) = serde_json::from_value(value) else {
            return Reply::refused("malformed");
        };
        let wanted = agent_id.map(Wanted::Person).or_else(|| to.map(Wanted::Number)).unwrap_or(Wanted::Anyone);
        match Box::pin(self.hand_over(session, &wanted, "operator", &reason)).await {
            Ok(_) => Reply::Ok,
            Err(why) => {
                tracing::info!(error = %Chain(&why), "a caller is not handed over");
                Reply::refused(name_of(&why))
            }
        }
    }
}

/// As the API names it.
const fn name_of(why: &NotHandedOver) -> &'static str {
    match why {
        NotHandedOver::NoCall => "call-not-found",
        NotHandedOver::NotHere => "call-not-here",
        NotHandedOver::NoOne(NoOne::Unknown { .. }) => "agent-not-found",
        NotHandedOver::NoOne(_) => "nobody-available",
        NotHandedOver::Refused(Refused::Over) => "call-over",
        NotHandedOver::Refused(Refused::HandoffUnderWay) => "handoff-under-way",
        NotHandedOver::Refused(_) => "refused",
        NotHandedOver::Store(_) => "store-unavailable",
    }
}
