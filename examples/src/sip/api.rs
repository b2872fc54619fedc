//! What people and programs use, as JSON: the calls, and handing them over. As at the telephone's
//! [doors](crate::phone::api), with the same [`Problem`]s and the same token.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, Request, State},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use call_session::{
    call::{HandoffMode, Refused, Status},
    handoff::{NoOne, Wanted},
    id::{AgentId, SessionId},
    store::{Query, StoreError},
};
use serde::{Deserialize, Serialize};
use twilio_twiml::phone::Country;

use super::{SipServer, handoff::NotHandedOver};
use crate::{
    chain::Chain,
    phone::{Problem, api::CallView},
};

/// The largest body taken, in bytes.
const BODY_LIMIT: usize = 16 * 1024;

/// How many calls the list shows at most.
const LIST: usize = 500;

pub(super) fn routes(server: &SipServer) -> Router<SipServer> {
    Router::new()
        .route("/api/calls/active", get(active))
        .route("/api/calls/{call}", get(one))
        .route("/api/calls/{call}/handoff", post(hand_over))
        .layer(middleware::from_fn_with_state(server.clone(), authorize))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
}

async fn authorize(State(server): State<SipServer>, request: Request, next: Next) -> Response {
    if let Some(token) = &server.0.settings.api_token {
        let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        if !token.is(given.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default()) {
            let refused = Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "The API token is missing or wrong");
            return ([(header::WWW_AUTHENTICATE, "Bearer")], refused).into_response();
        }
    }
    next.run(request).await
}

#[derive(Debug, Serialize)]
struct List {
    calls: Vec<CallView>,
}

async fn active(State(server): State<SipServer>) -> Result<Json<List>, Problem> {
    let page = server.0.store.query(&Query::active().with_limit(LIST)).await.map_err(|error| no_store(&error))?;
    Ok(Json(List { calls: page.calls.iter().map(CallView::new).collect() }))
}

async fn one(State(server): State<SipServer>, Path(call): Path<SessionId>) -> Result<Json<CallView>, Problem> {
    let session = server.0.store.load(call).await.map_err(|error| no_store(&error))?;
    session.map(|session| Json(CallView::whole(&session))).ok_or_else(Problem::no_call)
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Wish {
    /// One of the people in the settings.
    agent_id: Option<AgentId>,
    /// A number, in E.164 or as it is written nationally.
    phone: Option<String>,
    reason: Option<String>,
    mode: Option<HandoffMode>,
}

/// The answer to a handoff that was begun.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Begun {
    call_id: SessionId,
    status: Status,
    mode: HandoffMode,
}

/// Answers when it has begun: what comes of it is in the call.
async fn hand_over(
    State(server): State<SipServer>,
    Path(call): Path<SessionId>,
    body: Bytes,
) -> Result<(StatusCode, Json<Begun>), Problem> {
    let bad = |detail: &str| {
        let title = "The body is not what is expected here";
        Problem::new(StatusCode::BAD_REQUEST, "bad-request", title).with_detail(detail)
    };
    let wish = if body.is_empty() {
        Wish::default()
    } else {
        Json::from_bytes(&body).map(|Json(wish)| wish).map_err(|rejection| bad(&rejection.body_text()))?
    };
    if wish.mode == Some(HandoffMode::Warm) {
        let title = "The provider moves a caller over SIP, and whoever picks up has the caller: mode cold only";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "mode-not-available", title));
    }
    let wanted = match (wish.agent_id, wish.phone) {
        (None, None) => Wanted::Anyone,
        (Some(person), None) => Wanted::Person(person),
        (None, Some(phone)) => {
            let number = Country::JAPAN.read(&phone);
            let number = number.map_err(|_| bad("phone is not a telephone number such as +81312345678"))?;
            Wanted::Number(number.into())
        }
        (Some(_), Some(_)) => return Err(bad("agentId and phone are both given: a handoff goes to one of them")),
    };
    let reason = wish.reason.unwrap_or_default();
    let session = Box::pin(server.hand_over(call, &wanted, "operator", reason.trim())).await;
    let status = session.map_err(not_handed_over)?.summary.status;
    Ok((StatusCode::ACCEPTED, Json(Begun { call_id: call, status, mode: HandoffMode::Cold })))
}

fn not_handed_over(why: NotHandedOver) -> Problem {
    let conflict = |code, title| Problem::new(StatusCode::CONFLICT, code, title);
    match why {
        NotHandedOver::NoCall => Problem::no_call(),
        NotHandedOver::NotHere => conflict("call-not-here", "No agent here has the caller"),
        NotHandedOver::NoOne(NoOne::Unknown { .. }) => {
            Problem::new(StatusCode::NOT_FOUND, "agent-not-found", "There is no such agent")
        }
        NotHandedOver::NoOne(_) => conflict("nobody-available", "Nobody can take the call"),
        NotHandedOver::Refused(Refused::Over) => Problem::over(),
        NotHandedOver::Refused(Refused::HandoffUnderWay) => {
            conflict("handoff-under-way", "The caller is being handed over, or is with a person")
        }
        NotHandedOver::Refused(_) => conflict("not-answered", "Nobody has picked up yet who could be handed over"),
        NotHandedOver::Store(error) => {
            tracing::error!(error = %Chain(&error), "a caller is not handed over");
            Problem::no_store()
        }
    }
}

fn no_store(error: &StoreError) -> Problem {
    tracing::error!(error = %Chain(error), "the store cannot be asked");
    Problem::no_store()
}
