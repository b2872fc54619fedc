//! The doors by which people and programs hand a caller over, and take one back.

use axum::{Json, Router, body::Bytes, extract::State, http::StatusCode, routing::post};
use call_session::{
    call::{HandoffMode, Refused, Status},
    handoff::Wanted,
    id::{AgentId, SessionId},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use twilio_twiml::phone::{Country, E164};

use super::{Absent, HandOver, NotHandedOver, supervise};
use crate::{
    chain::Chain,
    conversation::Language,
    phone::{
        Phone, Problem,
        api::{Api, CallName, bad_body, not_updated},
    },
};

/// The longest reason, in characters: the person hears it.
pub(super) const REASON: usize = 300;

/// The routes, which the API guards like its others.
pub(in crate::phone) fn routes() -> Router<Api> {
    Router::new()
        .route("/api/calls/{call}/handoff", post(hand_over))
        .route("/api/calls/{call}/take-back", post(take_back))
        .route("/api/calls/{call}/supervise", post(supervise::begin))
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Wish {
    /// A person of the directory.
    agent_id: Option<AgentId>,
    /// A number, in E.164 or as it is written nationally.
    phone: Option<String>,
    reason: Option<String>,
    mode: Option<HandoffMode>,
}

/// The answer to a handoff that was begun.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Begun {
    pub(crate) call_id: SessionId,
    pub(crate) status: Status,
    pub(crate) mode: HandoffMode,
}

async fn hand_over(
    State(phone): State<Phone>,
    CallName(call): CallName,
    body: Bytes,
) -> Result<(StatusCode, Json<Begun>), Problem> {
    let ask = Wish::of(&body)?.read(phone.0.settings.conversation.language)?;
    let session = Box::pin(phone.hand_over(call, &ask)).await.map_err(not_handed_over)?;
    let summary = session.summary;
    let mode = summary.handoff.as_ref().map_or(HandoffMode::Warm, |handoff| handoff.plan.mode);
    Ok((StatusCode::ACCEPTED, Json(Begun { call_id: call, status: summary.status, mode })))
}

async fn take_back(State(phone): State<Phone>, CallName(call): CallName) -> Result<StatusCode, Problem> {
    let summary = phone.look_up(call).await?;
    if summary.status.is_terminal() {
        return Err(Problem::over());
    }
    if phone.take_back(call).await.map_err(|error| not_updated(&error))? {
        return Ok(StatusCode::ACCEPTED);
    }
    Err(Problem::new(StatusCode::CONFLICT, "no-handoff", "No handoff is under way"))
}

impl Wish {
    /// An empty body wishes for anyone.
    pub(crate) fn of(body: &Bytes) -> Result<Self, Problem> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        Json::from_bytes(body).map(|Json(wish)| wish).map_err(bad_body)
    }

    pub(crate) fn read(self, language: Language) -> Result<HandOver, Problem> {
        let bad = |detail: &str| {
            Problem::new(StatusCode::BAD_REQUEST, "bad-request", "The body is not what is expected here")
                .with_detail(detail)
        };
        let wanted = match (self.agent_id, self.phone) {
            (Some(_), Some(_)) => return Err(bad("agentId and phone are both given: a handoff goes to one of them")),
            (Some(agent), None) => Wanted::Person(agent),
            (None, Some(phone)) => {
                let number = read_number(&phone, language);
                let number = number.ok_or_else(|| bad("phone is not a telephone number such as +81312345678"))?;
                Wanted::Number(number.into())
            }
            (None, None) => Wanted::Anyone,
        };
        let reason = self.reason.unwrap_or_default();
        if reason.chars().count() > REASON {
            return Err(bad("reason is longer than 300 characters: the person hears it before the caller"));
        }
        Ok(HandOver::new("operator", wanted).with_reason(reason.trim()).with_mode(self.mode))
    }
}

pub(super) fn read_number(text: &str, language: Language) -> Option<E164> {
    match language {
        Language::Japanese => Country::JAPAN.read(text).ok(),
        Language::English => text.trim().parse().ok(),
    }
}

fn not_handed_over(error: NotHandedOver) -> Problem {
    match error {
        NotHandedOver::NoAccount => {
            let title = "People can be called only with TWILIO_ACCOUNT_SID";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no-account", title)
        }
        NotHandedOver::NoCall => Problem::no_call(),
        NotHandedOver::NoAgent(_) => Problem::new(StatusCode::NOT_FOUND, "agent-not-found", "There is no such agent"),
        NotHandedOver::Nobody(absent) => nobody(&absent),
        NotHandedOver::Refused(refused) => not_allowed(refused),
        NotHandedOver::Store(error) => {
            tracing::error!(error = %Chain(&error), "a handoff cannot be kept");
            Problem::no_store()
        }
    }
}

/// The call is not handed over now.
pub(crate) fn not_allowed(why: Refused) -> Problem {
    let conflict = |code, title| Problem::new(StatusCode::CONFLICT, code, title);
    match why {
        Refused::Over => Problem::over(),
        Refused::HandoffUnderWay => {
            conflict("handoff-under-way", "The caller is being handed over, or is with a person")
        }
        Refused::NobodyThere => conflict("not-answered", "Nobody has picked up yet who could be handed over"),
        refused => conflict("refused", "The call does not allow it").with_detail(refused.to_string()),
    }
}

/// Nobody can take a call now.
pub(super) fn nobody(absent: &[Absent]) -> Problem {
    let problem = Problem::new(StatusCode::CONFLICT, "nobody-available", "Nobody is available");
    problem.with_detail(Absent::all(absent, |who| who.agent_id.as_str())).with_member("people", json!(absent))
}
