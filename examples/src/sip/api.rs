//! What people and programs use, as JSON: the calls, what happens to them, and handing them over. As at the telephone's
//! [doors](crate::phone::api), with the same [`Problem`]s and the same token.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{
        DefaultBodyLimit, FromRef, Query as Parameters, Request, State,
        rejection::{JsonRejection, QueryRejection},
    },
    http::StatusCode,
    middleware::{self, Next},
    response::Response,
    routing::{get, post},
};
use call_session::{
    call::{HandoffMode, Status},
    handoff::NoOne,
    live::Command,
};

use super::{
    SipServer,
    handoff::{self, NotHandedOver},
};
use crate::{
    chain::Chain,
    conversation::Language,
    phone::{
        Problem,
        api::{self, CallName, CallView, End, List, ListParameters, Say, bad_body},
        command::tell,
        feed::{self, Feed},
        handoff::api::{Begun, Wish, not_allowed},
    },
};

/// The largest body taken, in bytes.
const BODY_LIMIT: usize = 16 * 1024;

pub(super) fn routes(server: &SipServer) -> Router<SipServer> {
    Router::new()
        .route("/api/calls/active", get(active))
        .route("/api/calls/{call}", get(one))
        .route("/api/calls/{call}/end", post(end))
        .route("/api/calls/{call}/say", post(say))
        .route("/api/calls/{call}/handoff", post(hand_over))
        .route("/api/events", get(feed::events))
        .layer(middleware::from_fn_with_state(server.clone(), authorize))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
}

impl FromRef<SipServer> for Feed {
    fn from_ref(server: &SipServer) -> Self {
        let state = &*server.0;
        Self { store: state.store.clone(), tasks: state.background.clone(), stop: state.over.clone() }
    }
}

async fn authorize(State(server): State<SipServer>, request: Request, next: Next) -> Response {
    api::guard(server.0.settings.api_token.as_ref(), request, next).await
}

async fn active(
    State(server): State<SipServer>,
    parameters: Result<Parameters<ListParameters>, QueryRejection>,
) -> Result<Json<List>, Problem> {
    api::list(&*server.0.store, parameters).await
}

async fn one(State(server): State<SipServer>, CallName(call): CallName) -> Result<Json<CallView>, Problem> {
    api::show(&*server.0.store, call).await
}

/// Answers before the call is over: the caller hears the last words to their end.
async fn end(State(server): State<SipServer>, CallName(call): CallName, body: Bytes) -> Result<StatusCode, Problem> {
    let End { say: line } = End::read(&body)?;
    api::ask_for_end(&*server.0.store, call).await?;
    tell(&server.0.live, call, Command::End { line }).await?;
    Ok(StatusCode::ACCEPTED)
}

async fn say(
    State(server): State<SipServer>,
    CallName(call): CallName,
    body: Result<Json<Say>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let Json(Say { line }) = body.map_err(bad_body)?;
    tell(&server.0.live, call, Command::Say { line }).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Answers when it has begun: what comes of it is in the call.
async fn hand_over(
    State(server): State<SipServer>,
    CallName(call): CallName,
    body: Bytes,
) -> Result<(StatusCode, Json<Begun>), Problem> {
    let wish = Wish::of(&body)?.read(Language::Japanese)?;
    if wish.mode == Some(HandoffMode::Warm) {
        let title = "The provider moves a caller over SIP, and whoever picks up has the caller: mode cold only";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "mode-not-available", title));
    }
    let status = match Box::pin(server.hand_over(call, &wish.wanted, "operator", &wish.reason)).await {
        Ok(session) => session.summary.status,
        Err(NotHandedOver::NotHere) => {
            // Another server leads the call, if any does.
            let command =
                handoff::command(&wish.wanted, &wish.reason).ok_or_else(|| not_handed_over(NotHandedOver::NotHere))?;
            tell(&server.0.live, call, command).await?;
            let summary = server.0.store.summary(call).await.map_err(|error| api::no_store(&error))?;
            summary.map_or(Status::Transferring, |summary| summary.status)
        }
        Err(why) => return Err(not_handed_over(why)),
    };
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
        NotHandedOver::Refused(refused) => not_allowed(refused),
        NotHandedOver::Store(error) => {
            tracing::error!(error = %Chain(&error), "a caller is not handed over");
            Problem::no_store()
        }
    }
}
