//! The server: HTTP, upgrades, and the sessions behind them.

use std::{
    collections::VecDeque,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, State},
    response::Response,
    routing::{get, post},
    serve::ListenerExt,
};
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::watch,
    task::{JoinError, JoinSet},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{handshake::derive_accept_key, protocol::Role},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    ApiError, WrongKey,
    admission::{Admitted, Door, Refusal, error_response},
    recording::Recording,
    script::{Act, OnOpen, Script},
    session::{Attachment, Opening, Session},
    settings::{Model, Settings},
    sip::{self, Action, Calls, Fault, Ring, SipCall, SipHandle},
    socket::{self, Shared},
};

/// A voice model that listens on loopback.
///
/// ```no_run
/// # async fn run() -> std::io::Result<()> {
/// use call_simulator::{audio::fixtures::en, openai::{Answer, OpenAiSimulator, Script}};
///
/// let script = Script::new().greeting(Answer::say(en::AGENT_GREETING));
/// let openai = OpenAiSimulator::builder().script(script).start().await?;
/// // Point a client at `openai.base_url()`, then:
/// let session = openai.next_session().await;
/// let recording = session.closed().await;
/// assert!(recording.of_type("error").next().is_none());
/// openai.shutdown().await;
/// # Ok(())
/// # }
/// ```
///
/// Dropping it closes every socket.
#[derive(Debug)]
pub struct OpenAiSimulator {
    address: SocketAddr,
    shared: Arc<Server>,
    /// The accept loop.
    accepting: JoinSet<io::Result<()>>,
}

/// What the accept loop, the handlers and the owner share.
#[derive(Debug)]
struct Server {
    door: Door,
    settings: Settings,
    script: Script,
    /// Scripts of the first sessions.
    first_scripts: Mutex<VecDeque<Script>>,
    /// Refusals of the first upgrades.
    busy: Mutex<VecDeque<Refusal>>,
    calls: Calls,
    /// Failures of the first requests about calls.
    faults: Mutex<Vec<(Action, Fault)>>,
    sessions: watch::Sender<Vec<SessionHandle>>,
    /// How many sessions [`OpenAiSimulator::next_session`] has given away.
    given: Mutex<usize>,
    sockets: TaskTracker,
    stop: CancellationToken,
}

/// How a simulator is set up.
#[derive(Debug, Clone)]
#[must_use]
pub struct Builder {
    bind: SocketAddr,
    door: Door,
    settings: Settings,
    script: Script,
    first_scripts: VecDeque<Script>,
    busy: VecDeque<Refusal>,
    faults: Vec<(Action, Fault)>,
}

impl Builder {
    /// Sets the address to listen on. Default `127.0.0.1`, a free port.
    pub const fn bind(mut self, address: SocketAddr) -> Self {
        self.bind = address;
        self
    }

    /// Sets what the model says in every session. Default: an apology, whatever it hears.
    pub fn script(mut self, script: Script) -> Self {
        self.script = script;
        self
    }

    /// Sets what the model says in the first sessions, one script each, before [`Builder::script`] is used.
    pub fn first_scripts(mut self, scripts: impl IntoIterator<Item = Script>) -> Self {
        self.first_scripts = scripts.into_iter().collect();
        self
    }

    /// Sets how the provider behaves.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Lets in this key, besides others given before. Default: any key.
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.door.keys.insert(key.into());
        self
    }

    /// Sets what a wrong key gets. Default: HTTP status 401.
    pub const fn wrong_key(mut self, wrong_key: WrongKey) -> Self {
        self.door.wrong_key = wrong_key;
        self
    }

    /// Lets control sockets be opened for this telephone call, besides others given before.
    pub fn call(mut self, call_id: impl Into<String>) -> Self {
        self.door.calls.insert(call_id.into());
        self
    }

    /// Answers one more of the first upgrade requests with this HTTP status, such as 429 or 503.
    ///
    /// # Panics
    ///
    /// When the status is not one of HTTP.
    pub fn busy(mut self, status: u16, error: ApiError, retry_after: Option<Duration>) -> Self {
        let status = StatusCode::from_u16(status).expect("a status of HTTP");
        self.busy.push_back(Refusal::Status { status, error, retry_after });
        self
    }

    /// Has one more of the first requests for this action fail, of any call.
    pub fn fault(mut self, action: Action, fault: Fault) -> Self {
        self.faults.push((action, fault));
        self
    }

    /// Listens and serves until the simulator is shut down or dropped.
    ///
    /// # Errors
    ///
    /// When the address cannot be listened on.
    pub async fn start(self) -> io::Result<OpenAiSimulator> {
        let listener = TcpListener::bind(self.bind).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Server {
            door: Door { profile: self.settings.profile, ..self.door },
            settings: self.settings,
            script: self.script,
            first_scripts: Mutex::new(self.first_scripts),
            busy: Mutex::new(self.busy),
            calls: Calls::default(),
            faults: Mutex::new(self.faults),
            sessions: watch::Sender::new(Vec::new()),
            given: Mutex::new(0),
            sockets: TaskTracker::new(),
            stop: CancellationToken::new(),
        });
        let root = shared.settings.profile.root();
        let router = Router::new()
            .route(&format!("{root}/realtime"), get(upgrade))
            .route(&format!("{root}/realtime/calls/{{call_id}}/{{action}}"), post(rest))
            .with_state(Arc::clone(&shared));
        let stop = shared.stop.clone();
        let listener = listener.tap_io(|tcp| {
            // Without it, small frames wait for each other; a failure costs only latency.
            let _ = tcp.set_nodelay(true);
        });
        let mut accepting = JoinSet::new();
        accepting
            .spawn(async move { axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await });
        Ok(OpenAiSimulator { address, shared, accepting })
    }
}

impl OpenAiSimulator {
    /// A simulator that is still to be started.
    pub fn builder() -> Builder {
        Builder {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            door: Door::default(),
            settings: Settings::default(),
            script: Script::default(),
            first_scripts: VecDeque::new(),
            busy: VecDeque::new(),
            faults: Vec::new(),
        }
    }

    /// Somebody rings: the webhook is sent, and the call waits for what is done about it.
    pub fn ring(&self, ring: Ring) -> SipHandle {
        let server = &self.shared;
        let id = format!("rtc_{:x}{:04}", server.settings.seed, server.calls.count() + 1);
        let call = server.calls.place(id, ring);
        let (living, stop) = (Arc::clone(&call), server.stop.clone());
        server.sockets.spawn(async move { sip::live(living, stop).await });
        SipHandle { call }
    }

    /// Where clients find it, such as `http://127.0.0.1:40123/v1`: the form of `OPENAI_BASE_URL`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}{}", self.address, self.shared.settings.profile.root())
    }

    /// The address it listens on.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every session that was ever opened, in order. A socket that was refused after its upgrade counts.
    #[must_use]
    pub fn sessions(&self) -> Vec<SessionHandle> {
        self.shared.sessions.borrow().clone()
    }

    /// Waits for the next session: the first call gives the first one, the second the second.
    pub async fn next_session(&self) -> SessionHandle {
        let index = {
            let mut given = lock(&self.shared.given);
            *given += 1;
            *given - 1
        };
        let mut sessions = self.shared.sessions.subscribe();
        let found = sessions.wait_for(|sessions| sessions.len() > index).await;
        found.expect("the sender lives as long as this simulator")[index].clone()
    }

    /// Stops listening and closes all sockets with code 1001, as a server that restarts. Returns when all are closed.
    pub async fn shutdown(mut self) {
        self.shared.stop.cancel();
        self.shared.sockets.close();
        self.shared.sockets.wait().await;
        // Idle keep-alive connections would hold the accept loop back.
        self.accepting.shutdown().await;
    }

    /// Serves until the accept loop ends, which happens only when listening fails.
    ///
    /// # Errors
    ///
    /// The failure of the listener.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing: the simulator goes on.
    pub async fn run(&mut self) -> io::Result<()> {
        match self.accepting.join_next().await {
            Some(Ok(result)) => result,
            Some(Err(error)) => Err(JoinError::into(error)),
            None => Ok(()),
        }
    }
}

impl Drop for OpenAiSimulator {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}

/// One session of a simulator, as its tests see it.
#[derive(Debug, Clone)]
pub struct SessionHandle {
    shared: Arc<Shared>,
    safety_identifier: Option<String>,
}

impl SessionHandle {
    /// What happened so far.
    #[must_use]
    pub fn recording(&self) -> Recording {
        self.shared.lock().recording()
    }

    /// When it was opened, on the clock of this process: zero of every time in its [`Recording`].
    #[must_use]
    pub fn opened_at(&self) -> Instant {
        self.shared.lock().opened_at()
    }

    /// The `OpenAI-Safety-Identifier` of the request.
    #[must_use]
    pub fn safety_identifier(&self) -> Option<&str> {
        self.safety_identifier.as_deref()
    }

    /// Makes something happen now.
    pub fn act(&self, act: Act) {
        self.shared.change(|session| session.act(socket::now(), act));
    }

    /// Waits until the recording is as wanted, and gives it. The recording is copied at each look, which is meant for
    /// tests and short sessions.
    ///
    /// Returns `None` when the session ends first.
    pub async fn wait_for(&self, mut wanted: impl FnMut(&Recording) -> bool) -> Option<Recording> {
        let mut changes = self.shared.changes();
        loop {
            let recording = self.recording();
            if wanted(&recording) {
                return Some(recording);
            }
            if recording.ending.is_some() || changes.changed().await.is_err() {
                return None;
            }
        }
    }

    /// Waits until the session has ended, and tells all that happened.
    pub async fn closed(&self) -> Recording {
        let mut changes = self.shared.changes();
        while !self.shared.lock().is_ended() {
            if changes.changed().await.is_err() {
                break;
            }
        }
        self.recording()
    }
}

async fn upgrade(State(server): State<Arc<Server>>, mut request: Request<Body>) -> Response<Body> {
    let busy = lock(&server.busy).pop_front();
    let admitted = match busy {
        Some(refusal) => Err(refusal),
        None => server.door.admit(request.uri(), request.headers(), |call_id| server.lives(call_id)),
    };
    let (admitted, refused) = match admitted {
        Ok(admitted) => (admitted, None),
        Err(Refusal::Status { status, error, retry_after }) => return error_response(status, &error, retry_after),
        Err(Refusal::Socket { error, code }) => {
            let nothing = Admitted {
                model: String::new(),
                attachment: Attachment::Socket,
                call_id: None,
                subprotocol: None,
                safety_identifier: None,
            };
            (nothing, Some(OnOpen::Refuse(error, code)))
        }
    };
    let accept = derive_accept_key(request.headers()[header::SEC_WEBSOCKET_KEY].as_bytes());
    let subprotocol = admitted.subprotocol.clone();
    let upgraded = hyper::upgrade::on(&mut request);
    server.sockets.spawn(serve(Arc::clone(&server), upgraded, admitted, refused));

    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, HeaderValue::from_str(&accept).expect("base64 is a header value"));
    if let Some(subprotocol) = subprotocol {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, subprotocol);
    }
    response
}

async fn serve(server: Arc<Server>, upgraded: OnUpgrade, admitted: Admitted, refused: Option<OnOpen>) {
    let upgraded = match upgraded.await {
        Ok(upgraded) => TokioIo::new(upgraded),
        Err(error) => return tracing::debug!(%error, "the connection was lost before its upgrade"),
    };
    let config = socket::websocket_config();
    let websocket = WebSocketStream::from_raw_socket(upgraded, Role::Server, Some(config)).await;
    let call = admitted.call_id.as_deref().and_then(|id| server.calls.find(id)).filter(|_| refused.is_none());
    if let Some(call) = call {
        return control(&server, &call, websocket).await;
    }
    let shared = Arc::new(Shared::new(server.open(&admitted, refused)));
    let handle = SessionHandle { shared: Arc::clone(&shared), safety_identifier: admitted.safety_identifier };
    server.sessions.send_modify(|sessions| sessions.push(handle));
    socket::serve(websocket, &shared, 0, server.stop.clone()).await;
}

/// A control socket of a call: one more, or one again.
async fn control<S>(server: &Server, call: &SipCall, websocket: WebSocketStream<S>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Some(shared) = call.session() else { return };
    let mut number = 0;
    shared.change(|session| number = session.attach(socket::now()));
    call.note(sip::Step::SocketOpened);
    socket::serve(websocket, &shared, number, server.stop.clone()).await;
    call.note(sip::Step::SocketClosed);
}

async fn rest(
    State(server): State<Arc<Server>>,
    Path((call_id, action)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    if let Err(error) = server.door.admits_rest(&headers) {
        return error_response(StatusCode::UNAUTHORIZED, &error, None);
    }
    let Some(action) = Action::named(&action) else {
        let error = ApiError::invalid("unknown_url", "Unknown request URL.");
        return error_response(StatusCode::NOT_FOUND, &error, None);
    };
    let Some(call) = server.calls.find(&call_id) else {
        let (status, error) = sip::unknown(&call_id);
        return error_response(status, &error, None);
    };
    let fault = {
        let mut faults = lock(&server.faults);
        let next = faults.iter().position(|(failing, _)| *failing == action);
        next.map(|next| faults.remove(next).1)
    };
    sip::action(&call, action, &headers, &body, fault, |body| server.accept(body)).await
}

impl Server {
    /// Whether a call has a telephone and a model to it.
    fn lives(&self, call_id: &str) -> bool {
        self.calls.find(call_id).is_some_and(|call| call.session().is_some())
    }

    /// The session of a call that is accepted.
    fn accept(&self, body: &Value) -> Result<Session, ApiError> {
        let model = body["model"].as_str().ok_or_else(|| ApiError::missing("session.model"))?;
        if Model::named(model).is_none() {
            let message = format!("The model `{model}` does not exist or you do not have access to it.");
            return Err(ApiError::invalid("model_not_found", message));
        }
        let script = lock(&self.first_scripts).pop_front().unwrap_or_else(|| self.script.clone());
        Session::accept(socket::now(), Opening::new(model, unix_seconds()), body, script, self.settings.clone())
    }

    fn open(&self, admitted: &Admitted, refused: Option<OnOpen>) -> Session {
        let mut script = lock(&self.first_scripts).pop_front().unwrap_or_else(|| self.script.clone());
        if let Some(refused) = refused {
            script = script.on_open(refused);
        }
        let opening = Opening::new(&admitted.model, unix_seconds()).with_attachment(admitted.attachment);
        // Sessions differ from each other, and are the same in every run.
        let number = u64::try_from(self.sessions.borrow().len()).unwrap_or(u64::MAX);
        let settings = self.settings.clone().with_seed(self.settings.seed.wrapping_add(number << 32));
        Session::open(socket::now(), opening, script, settings)
    }
}

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while the lock was held is a failed test already.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
