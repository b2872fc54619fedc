//! The door by which people and programs have somebody be with a caller and a person.

use axum::{Json, body::Bytes, extract::State, http::StatusCode};
use call_session::{
    call::{CallSession, SessionEvent, SupervisionEvent, SupervisorLeg, SupervisorRole},
    handoff::{Availability, supervise},
    id::{AgentId, LegId, SessionId},
};
use serde::{Deserialize, Serialize};
use twilio_twiml::phone::Address;

use super::api::{nobody, read_number};
use crate::phone::{
    Phone, Problem,
    api::{CallName, bad_body, not_updated},
};

/// Who is to be there, and what they do.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Wish {
    /// A person of the directory.
    #[serde(default)]
    agent_id: Option<AgentId>,
    /// A number, in E.164 or as it is written nationally.
    #[serde(default)]
    phone: Option<String>,
    role: SupervisorRole,
}

/// The answer: what is begun, or changed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Begun {
    call_id: SessionId,
    leg_id: LegId,
    role: SupervisorRole,
}

/// Somebody is called to the room, or does something else there from now on.
pub(super) async fn begin(
    State(phone): State<Phone>,
    CallName(call): CallName,
    body: Bytes,
) -> Result<(StatusCode, Json<Begun>), Problem> {
    let Json(wish) = Json::<Wish>::from_bytes(&body).map_err(bad_body)?;
    let summary = phone.look_up(call).await?;
    if summary.status.is_terminal() {
        return Err(Problem::over());
    }
    let there = |leg: &SupervisorLeg| leg.is_wanted() && leg.person.is_some() && leg.person == wish.agent_id;
    let is_there = summary.supervisors.values().any(there);
    let to = phone.supervisor(&wish, is_there).await?;
    let (leg, role) = (LegId::new(), wish.role);
    let person = wish.agent_id.as_ref();
    let ask = |session: &CallSession| -> Vec<SessionEvent> {
        if session.summary.is_in_room() { supervise(session, leg, person, &to, role, "operator") } else { Vec::new() }
    };
    let updated = phone.told(call, ask).await.map_err(|error| not_updated(&error))?;
    let same =
        |leg: &SupervisorLeg| leg.is_wanted() && (leg.to == to || (person.is_some() && leg.person.as_ref() == person));
    let legs = &updated.session.summary.supervisors;
    let there = legs.iter().find(|(_, leg)| same(leg)).filter(|_| updated.session.summary.is_in_room());
    let Some((leg_id, _)) = there else {
        let problem = Problem::new(StatusCode::CONFLICT, "not-in-room", "No person is in a room with the caller");
        return Err(
            problem.with_detail("an agent's stream is played to nobody else, so that nobody can listen in on it")
        );
    };
    if updated
        .events
        .iter()
        .any(|event| matches!(event.event, SessionEvent::Supervision(SupervisionEvent::Asked { .. })))
    {
        tracing::info!(%call, ?role, "somebody is called to be with caller and person");
    }
    Ok((StatusCode::ACCEPTED, Json(Begun { call_id: call, leg_id: *leg_id, role })))
}

impl Phone {
    /// Where whoever is wanted is reached, if they can take a call; whoever is there already is not asked that.
    async fn supervisor(&self, wish: &Wish, is_there: bool) -> Result<Address, Problem> {
        let bad = |detail: &str| {
            Problem::new(StatusCode::BAD_REQUEST, "bad-request", "The body is not what is expected here")
                .with_detail(detail)
        };
        let agent = match (&wish.agent_id, &wish.phone) {
            (Some(agent), None) => agent,
            (None, Some(phone)) => {
                let number = read_number(phone, self.0.settings.conversation.language);
                let number = number.ok_or_else(|| bad("phone is not a telephone number such as +81312345678"))?;
                return Ok(number.into());
            }
            _ => return Err(bad("either agentId or phone is needed")),
        };
        let people = self.people(None).await.map_err(|error| not_updated(&error.into()))?;
        if people.agent(agent).is_none() {
            return Err(Problem::new(StatusCode::NOT_FOUND, "agent-not-found", "There is no such agent"));
        }
        let person = people.persons("").into_iter().find(|person| person.id == *agent);
        match person.filter(|person| is_there || person.availability == Availability::Free) {
            Some(person) => Ok(person.to),
            None => Err(nobody(&people.absent(Some(agent)))),
        }
    }
}
