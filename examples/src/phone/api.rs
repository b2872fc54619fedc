//! What people and programs use of a telephone, as JSON.
//!
//! | | |
//! |---|---|
//! | `POST /api/calls/start` | calls a customer: `{"customerId", "agentId"}` |
//! | `GET /api/calls/active` | the calls that are not over |
//! | `GET /api/calls/{call}` | a call with what was said and done |
//! | `POST /api/calls/{call}/end` | ends it: at once, or with `{"say"}` after these words |
//! | `POST /api/calls/{call}/say` | the agent says `{"line"}` |
//! | `POST /api/calls/{call}/recording` | leaves out what follows, or goes on: `{"paused"}` |
//! | `POST /api/calls/{call}/keys` | presses keys for the agent: `{"digits"}` |
//! | `POST /api/calls/{call}/handoff` | hands the caller to a person: `{"agentId"?, "phone"?, "reason"?, "mode"?}` |
//! | `POST /api/calls/{call}/take-back` | the caller of a handoff has the agent again |
//! | `POST /api/calls/{call}/supervise` | somebody listens to caller and person, whispers to the person or joins in |
//! | `GET /api/events` | all that happens, as it happens, over a WebSocket |
//!
//! Errors are [`Problem`]s. With an API token every request has to carry it: `Authorization: Bearer …`.

mod view;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{
        FromRef, FromRequestParts, Path, Query as Parameters, Request, State,
        rejection::{JsonRejection, QueryRejection},
    },
    http::{StatusCode, header, request::Parts},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use call_session::{
    call::{CallSummary, Mode, NewCall, SessionEvent, Status},
    directory::{self, NotCallable},
    id::{AgentId, CustomerId, SessionId},
    live::Command,
    store::{self, CommitError, Query, SessionStore, UpdateError},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use twilio_twiml::{
    rest::{self, Problem as TwilioProblem},
    sid::CallSid,
};

pub use self::view::{CallView, HandoffView, LegView, LineView, SupervisorView, ToolView};
use super::{
    Phone, Problem,
    dial::DialError,
    feed::{self, Feed},
    handoff,
    keys::KeysError,
    problem,
};
use crate::chain::Chain;

/// The largest body taken, in bytes.
const BODY_LIMIT: usize = 16 * 1024;

/// How many calls a list shows at most.
const LIST: usize = 500;

/// The doors for people and programs.
#[derive(Debug, Clone)]
pub struct Api {
    phone: Phone,
}

impl Api {
    /// The doors to this telephone.
    #[must_use]
    pub const fn new(phone: Phone) -> Self {
        Self { phone }
    }

    /// The routes.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/api/calls/start", post(start))
            .route("/api/calls/active", get(active))
            .route("/api/calls/{call}", get(one))
            .route("/api/calls/{call}/end", post(end))
            .route("/api/calls/{call}/say", post(say))
            .route("/api/calls/{call}/keys", post(keys))
            .route("/api/calls/{call}/recording", post(recording))
            .route("/api/events", get(feed::events))
            .merge(handoff::api::routes())
            .layer(middleware::from_fn_with_state(self.clone(), authorize))
            .layer(axum::extract::DefaultBodyLimit::max(BODY_LIMIT))
            .layer(middleware::map_response(as_problem))
            .fallback(async || as_problem(StatusCode::NOT_FOUND.into_response()).await)
            .with_state(self.clone())
    }
}

impl FromRef<Api> for Feed {
    fn from_ref(api: &Api) -> Self {
        let state = &*api.phone.0;
        Self { store: state.store.clone(), tasks: state.tasks.clone(), stop: state.stop.clone() }
    }
}

impl FromRef<Api> for Phone {
    fn from_ref(api: &Api) -> Self {
        api.phone.clone()
    }
}

/// Whoever has the token may call at our expense and read what was said; nobody else.
async fn authorize(State(api): State<Api>, request: Request, next: Next) -> Response {
    guard(api.phone.0.settings.api_token.as_ref(), request, next).await
}

/// Lets in who has the token, if one is set.
pub(crate) async fn guard(token: Option<&ApiToken>, request: Request, next: Next) -> Response {
    if let Some(token) = token {
        let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let given = given.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        if !token.is(given) {
            let refused = Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "The API token is missing or wrong");
            return ([(header::WWW_AUTHENTICATE, "Bearer")], refused).into_response();
        }
    }
    next.run(request).await
}

/// Every error is a [`Problem`], also those that no handler of ours has said: another method, a body that is too large, an
/// upgrade that is none.
async fn as_problem(response: Response) -> Response {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    if !is_error || response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == problem::CONTENT_TYPE) {
        return response;
    }
    let (code, title) = match status {
        StatusCode::NOT_FOUND => ("not-found", "There is nothing here"),
        StatusCode::METHOD_NOT_ALLOWED => ("method-not-allowed", "This is asked for in another way"),
        StatusCode::PAYLOAD_TOO_LARGE => ("body-too-large", "The body is too large"),
        status if status.is_server_error() => ("failed", "The server failed"),
        _ => ("bad-request", "The request is not what is expected here"),
    };
    let mut problem = Problem::new(status, code, title).into_response();
    for (name, value) in response.headers() {
        if ![header::CONTENT_TYPE, header::CONTENT_LENGTH].contains(name) {
            problem.headers_mut().append(name, value.clone());
        }
    }
    problem
}

/// The call that a path names. What is no name is the name of no call.
pub(crate) struct CallName(pub(crate) SessionId);

impl<S: Send + Sync> FromRequestParts<S> for CallName {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::from_request_parts(parts, state).await;
        path.map(|Path(call)| Self(call)).map_err(|_| Problem::no_call())
    }
}

/// A token for the API. `Debug` hides it.
#[derive(Clone)]
pub struct ApiToken(Box<str>);

impl ApiToken {
    /// A token.
    #[must_use]
    pub fn new(token: impl Into<Box<str>>) -> Self {
        Self(token.into())
    }

    /// Compares in constant time.
    pub(crate) fn is(&self, given: &str) -> bool {
        self.0.as_bytes().ct_eq(given.as_bytes()).into()
    }
}

impl std::fmt::Debug for ApiToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ApiToken(…)")
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Start {
    customer_id: CustomerId,
    agent_id: AgentId,
    mode: Option<Mode>,
}

/// The answer to a call that was begun.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Started {
    call_id: SessionId,
    /// `null` while Twilio's answer is lost; the call's own record has it later.
    twilio_call_sid: Option<CallSid>,
    status: Status,
    mode: Mode,
}

async fn start(
    State(api): State<Api>,
    body: Result<Json<Start>, JsonRejection>,
) -> Result<(StatusCode, Json<Started>), Problem> {
    let Json(wanted) = body.map_err(bad_body)?;
    if api.phone.0.draining.is_cancelled() {
        let title = "The server stops and takes no new calls";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "draining", title));
    }
    let mode = wanted.mode.unwrap_or(Mode::Realtime);
    if mode != Mode::Realtime {
        let title = "This server makes calls in mode realtime only";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "mode-not-available", title));
    }
    let customer = api.phone.0.directory.customer(&wanted.customer_id).await.map_err(|error| no_store(&error))?;
    let agent = api.phone.0.directory.agent(&wanted.agent_id).await.map_err(|error| no_store(&error))?;
    let call = directory::outbound(agent.as_ref(), customer.as_ref()).map_err(not_callable)?;
    let (from, to) = (call.from.clone(), call.to.clone());
    let dialed = api.phone.dial(from, to, NewCall::from(call).with_mode(mode)).await.map_err(not_dialed)?;
    // Somebody is called: whatever happens from here on, an error would have them called again.
    let status = match api.phone.0.store.summary(dialed.call).await {
        Ok(summary) => summary.map_or(Status::Initiated, |summary| summary.status),
        Err(error) => {
            tracing::warn!(call = %dialed.call, error = %Chain(&error), "where a new call stands cannot be looked up");
            Status::Initiated
        }
    };
    let started = Started { call_id: dialed.call, twilio_call_sid: dialed.sid, status, mode };
    Ok((StatusCode::CREATED, Json(started)))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ListParameters {
    /// The page after this call.
    before: Option<SessionId>,
}

#[derive(Debug, Serialize)]
pub(crate) struct List {
    calls: Vec<CallView>,
    /// What `before` has to be for the next page.
    next: Option<SessionId>,
}

async fn active(
    State(api): State<Api>,
    parameters: Result<Parameters<ListParameters>, QueryRejection>,
) -> Result<Json<List>, Problem> {
    list(&*api.phone.0.store, parameters).await
}

/// A page of the calls that are not over.
pub(crate) async fn list(
    store: &dyn SessionStore,
    parameters: Result<Parameters<ListParameters>, QueryRejection>,
) -> Result<Json<List>, Problem> {
    let Parameters(parameters) = parameters.map_err(bad_query)?;
    let mut query = Query::active().with_limit(LIST);
    query.before = parameters.before;
    let page = store.query(&query).await.map_err(|error| no_store(&error))?;
    Ok(Json(List { calls: page.calls.iter().map(CallView::new).collect(), next: page.next }))
}

async fn one(State(api): State<Api>, CallName(call): CallName) -> Result<Json<CallView>, Problem> {
    show(&*api.phone.0.store, call).await
}

/// A call with what was said and done.
pub(crate) async fn show(store: &dyn SessionStore, call: SessionId) -> Result<Json<CallView>, Problem> {
    let session = store.load(call).await.map_err(|error| no_store(&error))?;
    session.map(|session| Json(CallView::whole(&session))).ok_or_else(Problem::no_call)
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct End {
    /// What the agent says first.
    pub(crate) say: Option<String>,
}

impl End {
    /// An empty body asks for no words.
    pub(crate) fn read(body: &Bytes) -> Result<Self, Problem> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        Json::from_bytes(body).map(|Json(end)| end).map_err(bad_body)
    }
}

/// Answers before the call is over: the caller hears the last words to their end.
async fn end(State(api): State<Api>, CallName(call): CallName, body: Bytes) -> Result<StatusCode, Problem> {
    let End { say } = End::read(&body)?;
    let state = &api.phone.0;
    let summary = ask_for_end(&*state.store, call).await?;
    match api.phone.tell(call, Command::End { line: say }).await {
        Ok(()) => return Ok(StatusCode::ACCEPTED),
        Err(problem) => {
            tracing::debug!(code = problem.code, "nobody speaks with the caller: it rings, or is with Twilio")
        }
    }
    // One without a name is called off as soon as it has one, or when it is picked up.
    let Some(sid) = &summary.call_sid else { return Ok(StatusCode::ACCEPTED) };
    let Some(client) = &state.rest else {
        let title = "The call is not here, and Twilio cannot be asked to end it";
        return Err(Problem::new(StatusCode::CONFLICT, "call-not-here", title));
    };
    // Before the answer this calls it off, after it this hangs up.
    asked_of_twilio(client.call(sid).end().await)
}

/// Writes down that the call is to end, unless it has.
pub(crate) async fn ask_for_end(store: &dyn SessionStore, call: SessionId) -> Result<CallSummary, Problem> {
    let summary = store.summary(call).await.map_err(|error| no_store(&error))?.ok_or_else(Problem::no_call)?;
    if summary.status.is_terminal() {
        return Err(Problem::over());
    }
    let asked = SessionEvent::EndRequested { by: "operator".into() };
    let updated = store::update(store, call, |_| vec![asked.clone().at(Timestamp::now())]).await;
    Ok(updated.map_err(|error| not_updated(&error))?.session.summary)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Say {
    pub(crate) line: String,
}

async fn say(
    State(api): State<Api>,
    CallName(call): CallName,
    body: Result<Json<Say>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let Json(Say { line }) = body.map_err(bad_body)?;
    api.phone.tell(call, Command::Say { line }).await?;
    Ok(StatusCode::ACCEPTED)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Recording {
    paused: bool,
}

/// For what must not be recorded, such as the number of a card.
async fn recording(
    State(api): State<Api>,
    CallName(call): CallName,
    body: Result<Json<Recording>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let Json(Recording { paused }) = body.map_err(bad_body)?;
    // Twilio has the recording, whoever has the caller.
    api.phone.record(call, !paused).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Keys {
    digits: String,
}

/// The stream is left, the keys are pressed, the stream comes back with the same conversation.
async fn keys(
    State(api): State<Api>,
    CallName(call): CallName,
    body: Result<Json<Keys>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let Json(Keys { digits }) = body.map_err(bad_body)?;
    api.phone.look_up(call).await?;
    api.phone.press(call, &digits).await.map_err(not_pressed)?;
    Ok(StatusCode::ACCEPTED)
}

impl Phone {
    pub(super) async fn look_up(&self, call: SessionId) -> Result<CallSummary, Problem> {
        let summary = self.0.store.summary(call).await.map_err(|error| no_store(&error))?;
        summary.ok_or_else(Problem::no_call)
    }
}

/// Twilio does to a call what it was asked, unless the call is over.
fn asked_of_twilio(answer: Result<rest::Call, rest::Error>) -> Result<StatusCode, Problem> {
    match answer {
        Ok(_) => Ok(StatusCode::ACCEPTED),
        Err(error) if error.problem() == Some(TwilioProblem::CallNotInProgress) => Err(Problem::over()),
        Err(error) => Err(twilio(&error)),
    }
}

pub(crate) fn bad_body(rejection: JsonRejection) -> Problem {
    let problem = Problem::new(rejection.status(), "bad-request", "The body is not what is expected here");
    problem.with_detail(rejection.body_text())
}

pub(crate) fn bad_query(rejection: QueryRejection) -> Problem {
    let problem = Problem::new(rejection.status(), "bad-request", "The query is not what is expected here");
    problem.with_detail(rejection.body_text())
}

fn not_callable(why: NotCallable) -> Problem {
    let status = StatusCode::from_u16(why.http_status()).unwrap_or(StatusCode::BAD_REQUEST);
    let title = match why {
        NotCallable::NoCustomer => "There is no such customer",
        NotCallable::NoAgentSettings => "There is no such agent, or it has no conversation settings",
        NotCallable::NoActiveNumber => "The agent has no active number to call from",
        _ => "The customer cannot be called",
    };
    Problem::new(status, why.code(), title)
}

fn not_dialed(error: DialError) -> Problem {
    match error {
        DialError::NoAccount => {
            let title = "Calls can be made only with TWILIO_ACCOUNT_SID";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no-account", title)
        }
        DialError::Store(error) => {
            tracing::error!(error = %Chain(&error), "a call cannot be kept, so it is not made");
            Problem::no_store()
        }
        DialError::Refused(error) => twilio(&error),
        DialError::BrokeOff(error) => {
            tracing::error!(error = %Chain(&error), "dialling broke off");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "dial-broke-off", "Nobody knows whether the call is made")
        }
    }
}

fn not_pressed(error: KeysError) -> Problem {
    match error {
        KeysError::NotTalking => {
            let title = "Keys can be pressed only while the agent talks, and Twilio can be asked";
            Problem::new(StatusCode::CONFLICT, "not-talking", title)
        }
        KeysError::BadDigits(error) => {
            let title = "Digits are 0 to 9, *, #, A to D, w for a pause of half a second and W for one of a second";
            Problem::new(StatusCode::BAD_REQUEST, "bad-digits", title).with_detail(error.to_string())
        }
        KeysError::Update(error) => not_updated(&error),
        KeysError::Twilio(error) if error.problem() == Some(TwilioProblem::CallNotInProgress) => Problem::over(),
        KeysError::Twilio(error) => twilio(&error),
    }
}

pub(super) fn twilio(error: &rest::Error) -> Problem {
    if let rest::Error::Crowded { .. } = error {
        let title = "Too many calls wait for their turn";
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", title).with_detail(error.to_string());
    }
    tracing::error!(error = %Chain(error), "Twilio does not do what it is asked");
    let (status, code, title) = match error.problem() {
        Some(TwilioProblem::TooManyRequests) => {
            (StatusCode::SERVICE_UNAVAILABLE, "twilio-busy", "Twilio takes no more requests now")
        }
        Some(TwilioProblem::InvalidTo | TwilioProblem::CannotBeReached) => {
            (StatusCode::UNPROCESSABLE_ENTITY, "number-not-callable", "Twilio cannot call this number")
        }
        Some(TwilioProblem::InvalidFrom) => (
            StatusCode::UNPROCESSABLE_ENTITY,
            "number-not-ours",
            "The agent's number is none that the account may call from",
        ),
        Some(TwilioProblem::CountryNotAllowed | TwilioProblem::Blocked | TwilioProblem::Unverified) => {
            (StatusCode::UNPROCESSABLE_ENTITY, "number-not-allowed", "The account may not call this number")
        }
        _ => (StatusCode::BAD_GATEWAY, "twilio-failed", "Twilio did not do what it was asked"),
    };
    Problem::new(status, code, title).with_detail(error.to_string())
}

pub(crate) fn no_store(error: &store::StoreError) -> Problem {
    tracing::error!(error = %Chain(error), "the store cannot be asked");
    Problem::no_store()
}

pub(crate) fn not_updated(error: &UpdateError) -> Problem {
    match error {
        UpdateError::Refused(_) => Problem::over(),
        UpdateError::Commit(CommitError::NoCall(_)) => Problem::no_call(),
        error => {
            tracing::error!(error = %Chain(error), "the store does not take a change");
            Problem::no_store()
        }
    }
}
