//! A telephone for a voice model: what the servers that answer and place calls have in common.
//!
//! | | |
//! |---|---|
//! | `POST /api/twilio/voice` | a call comes in: TwiML that connects a media stream |
//! | `POST /api/twilio/answered/{call}` | a call of ours was picked up: the same |
//! | `GET /api/twilio/media-stream/{call}/{stream}` | the stream, a WebSocket |
//! | `POST /api/twilio/after-stream/{call}/{stream}` | the stream is over: hang up, connect again, or apologise |
//! | `POST /api/twilio/stream-status/{call}/{stream}` | what Twilio says became of the stream |
//! | `POST /api/twilio/call-status/{call}` | what Twilio says became of the call |
//! | `POST /api/twilio/machine/{call}` | who, or what, picked up |
//! | `POST /api/twilio/recording/{call}` | what became of a recording |
//! | `POST /api/twilio/voicemail/{call}` | a machine listens: the message |
//! | `POST /api/twilio/handoff-…`, `POST /api/twilio/conference/{call}` | a caller and a person: see [`handoff`] |
//! | `GET /healthz`, `GET /readyz` | whether the server lives, and takes calls |
//!
//! A call is kept as a session in a store; any server that shares the store can answer for it at every one of these
//! doors. [`api`] adds what people and programs use: start, list, end, watch.

pub(crate) mod after_stream;
pub mod api;
mod callbacks;
pub(crate) mod command;
mod connect;
mod dial;
mod ending;
pub(crate) mod feed;
pub mod handoff;
mod keys;
pub(crate) mod media_stream;
mod models;
mod outage;
mod problem;
mod store_away;
mod streams;
mod sweep;
#[cfg(test)]
mod tests;
mod voice;

use std::{future::Future, io, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::FromRef,
    routing::{get, post},
};
use call_session::{
    call::{CallSession, CallSummary, Direction, SessionEvent, Status},
    directory::Directory,
    handoff::TwilioTelephone,
    id::NodeId,
    live::Live,
    store::{self, Query, SessionStore, Updated},
};
use jiff::Timestamp;
use realtime_bridge::{realtime::openai::ConfigError, tool::ToolSet};
use tokio::{
    net::TcpListener,
    sync::mpsc,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use twilio_twiml::{
    rest::{self, ClientError},
    twiml::Response,
    webhook::Verifier,
};

use self::{
    connect::Whose,
    handoff::{Doors, NoteTakers, Runs, Strategies, Targets},
    models::Models,
    streams::Streams,
};
pub use self::{media_stream::StreamRecord, problem::Problem};
use crate::{
    chain::Chain,
    database::Opened,
    settings::Settings,
    stream_token::StreamTokens,
    web::{self, Document, health},
};

/// How long calls that were told to end may take to do so, and Twilio to ask what comes next.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// How long Twilio may take to answer while a caller is handed over, and how often it is asked again inside. Whoever performs
/// the handover has other ways, which are of no use while it waits.
const PATIENCE: (Duration, usize) = (Duration::from_secs(5), 1);

/// The pause between two calls that are left to other servers, so that a hundred of them take five seconds.
const BETWEEN_CALLS: Duration = Duration::from_millis(50);

/// How many calls are looked at on a page.
const PAGE: usize = 200;

/// How often a server that stops looks for others.
const LOOK_FOR_OTHERS: Duration = Duration::from_secs(1);

/// Why a telephone cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetUpError {
    /// The model's settings cannot work, which [`Settings::check`] has told before.
    #[error("the model's settings are wrong")]
    Model(#[from] ConfigError),
    /// Twilio's API cannot be asked from this machine.
    #[error("Twilio's API cannot be asked")]
    Rest(#[from] ClientError),
}

/// What a telephone is made of, besides its settings.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Parts {
    /// Where calls and people are kept.
    pub database: Opened,
    /// What the model can do besides talking.
    pub tools: ToolSet,
    /// Who plans how callers are handed to people.
    pub strategies: Strategies,
    /// Whether the model may hand callers over by itself, to people of the directory.
    pub model_hands_over: bool,
    /// Whether the model can press keys. It then needs Twilio's API, which presses them.
    pub keys: bool,
    /// Gets the record of each stream. Records are dropped while it is full: calls do not wait for whoever keeps them.
    pub records: Option<mpsc::Sender<StreamRecord>>,
}

impl Parts {
    /// A telephone that keeps calls and people here, whose model has these tools.
    #[must_use]
    pub fn new(database: Opened, tools: ToolSet) -> Self {
        Self { database, tools, strategies: Strategies::default(), model_hands_over: false, keys: false, records: None }
    }

    /// Sets who plans how callers are handed to people.
    #[must_use]
    pub fn with_strategies(mut self, strategies: Strategies) -> Self {
        self.strategies = strategies;
        self
    }

    /// Lets the model hand callers over by itself, to people of the directory.
    #[must_use]
    pub const fn with_model_handing_over(mut self) -> Self {
        self.model_hands_over = true;
        self
    }

    /// Lets the model press keys, where Twilio's API can be asked to.
    #[must_use]
    pub const fn with_keys(mut self) -> Self {
        self.keys = true;
        self
    }

    /// Hands over the record of each stream.
    #[must_use]
    pub fn with_records(mut self, records: impl Into<Option<mpsc::Sender<StreamRecord>>>) -> Self {
        self.records = records.into();
        self
    }
}

/// A telephone. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Phone(Arc<State>);

#[derive(Debug)]
struct State {
    settings: Settings,
    verifier: Verifier,
    models: Models,
    tools: ToolSet,
    strategies: Strategies,
    model_hands_over: bool,
    /// Whom a model may name.
    targets: Targets,
    doors: Doors,
    /// The telephone that people are called by, if there is an account.
    telephone: Option<Arc<TwilioTelephone>>,
    /// The handoffs that this server performs.
    runs: Runs,
    /// Who writes down here what callers and persons say.
    note_takers: NoteTakers,
    /// Whether the model can press keys.
    keys: bool,
    /// Twilio's API, if there is an account to ask it with.
    rest: Option<rest::Client>,
    store: Arc<dyn SessionStore>,
    directory: Arc<dyn Directory>,
    live: Live,
    tokens: StreamTokens,
    streams: Streams,
    tasks: TaskTracker,
    /// New calls are turned away.
    draining: CancellationToken,
    /// Running streams have to be left.
    leave: CancellationToken,
    /// The server is going: nothing new is begun.
    stop: CancellationToken,
    records: Option<mpsc::Sender<StreamRecord>>,
}

impl Phone {
    /// A telephone with these settings.
    ///
    /// # Errors
    ///
    /// [`SetUpError`].
    pub fn new(settings: Settings, parts: Parts) -> Result<Self, SetUpError> {
        let leave = CancellationToken::new();
        let rest = settings.twilio.rest().map(rest::Client::new).transpose()?;
        let doors = Doors(settings.public_url.clone());
        let hurried = rest.as_ref().map(|client| client.with_patience(PATIENCE.0, PATIENCE.1)).transpose()?;
        let telephone = hurried.map(|client| Arc::new(TwilioTelephone::new(client, Arc::new(doors.clone()))));
        let secret = settings.twilio.auth_token.expose().as_bytes();
        Ok(Self(Arc::new(State {
            verifier: Verifier::new(settings.public_url.as_str(), settings.twilio.auth_token.clone()),
            models: Models::new(&settings)?,
            tools: parts.tools,
            strategies: parts.strategies,
            model_hands_over: parts.model_hands_over,
            targets: Targets::default(),
            doors,
            telephone,
            runs: Runs::default(),
            note_takers: NoteTakers::default(),
            keys: parts.keys && rest.is_some(),
            rest,
            store: parts.database.store,
            directory: parts.database.directory,
            live: Live::new(parts.database.board, NodeId::unique()),
            tokens: StreamTokens::new(secret, settings.limits.stream_wait),
            streams: Streams::new(settings.limits.stream_wait, leave.clone()),
            tasks: TaskTracker::new(),
            draining: CancellationToken::new(),
            leave,
            stop: CancellationToken::new(),
            records: parts.records,
            settings,
        })))
    }

    /// Serves until `shutdown` resolves; then takes no new calls, has the running ones move to other servers that share
    /// the calls, or where there are none lets them end within the drain limit, and returns when the last has gone.
    ///
    /// # Errors
    ///
    /// When listening fails.
    pub async fn serve(
        self,
        listener: TcpListener,
        router: Router,
        shutdown: impl Future<Output = ()> + Send,
    ) -> io::Result<()> {
        let (live, stop) = (self.0.live.clone(), self.0.stop.clone());
        self.0.tasks.spawn(async move { live.run(stop).await });
        self.0.tasks.spawn(sweep::sweep(self.clone()));
        self.know_targets().await;
        self.0.tasks.spawn(Box::pin(handoff::watch(self.clone())));
        let drain = async {
            shutdown.await;
            self.drain().await;
        };
        web::serve(listener, router, drain).await
    }

    /// The doors that Twilio uses, and those for health.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/api/twilio/voice", post(voice::voice))
            .route("/api/twilio/answered/{call}", post(voice::answered))
            .route("/api/twilio/media-stream/{call}/{stream}", get(media_stream::media_stream))
            .route("/api/twilio/after-stream/{call}/{stream}", post(after_stream::after_stream))
            .route("/api/twilio/stream-status/{call}/{stream}", post(after_stream::stream_status))
            .route("/api/twilio/call-status/{call}", post(callbacks::call_status))
            .route("/api/twilio/machine/{call}", post(callbacks::machine))
            .route("/api/twilio/recording/{call}", post(callbacks::recording))
            .route("/api/twilio/voicemail/{call}", post(callbacks::voicemail))
            .route("/api/twilio/voicemail-left/{call}", post(callbacks::voicemail_left))
            .merge(handoff::routes())
            .merge(health::routes(self.0.draining.clone()))
            .with_state(self.clone())
    }

    /// Where calls are kept.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn SessionStore> {
        &self.0.store
    }

    async fn drain(&self) {
        let State { settings, streams, live, tasks, draining, leave, stop, .. } = &*self.0;
        let began = Instant::now();
        tracing::info!("no new calls are taken; running ones go to another server, or may end");
        draining.cancel();
        let finished = async {
            // Before anybody here asks for others, so that of two servers that stop neither counts on the other.
            if let Err(error) = live.drain().await {
                tracing::warn!(error = %Chain(&error), "other servers could not be told that this one stops");
            }
            let noticed = began + settings.limits.drain_notice;
            tokio::join!(self.hand_on(noticed), streams.finished(), self.call_off_ringing());
        };
        if timeout(settings.limits.drain, finished).await.is_err() {
            tracing::warn!("calls are still running: they are left to another server, or end with an apology");
            leave.cancel();
            let _ = timeout(LAST_WORDS, streams.finished()).await;
        }
        stop.cancel();
        tasks.close();
        let all = timeout(LAST_WORDS, tasks.wait()).await.is_ok();
        tracing::info!(all, seconds = began.elapsed().as_secs(), "the calls have ended");
    }

    /// Leaves the calls that run here to other servers, as soon as there are some, and load balancers have noticed.
    async fn hand_on(&self, noticed: Instant) {
        let streams = &self.0.streams;
        // One that takes this server's place may be about to start.
        while self.whose().await != Whose::Others {
            tokio::select! {
                () = sleep(LOOK_FOR_OTHERS) => {}
                () = streams.finished() => return,
            }
        }
        // Until they notice, load balancers ask this server, too: it answers, also when it has no calls.
        sleep_until(noticed).await;
        tracing::info!("other servers take the running calls on");
        streams.leave_one_by_one(BETWEEN_CALLS).await;
    }

    /// Calls off what rings, if there is nobody to talk to those who pick up. Others look after it where they are there.
    async fn call_off_ringing(&self) {
        let Some(client) = &self.0.rest else { return };
        match self.0.live.others().await {
            Ok(0) => {}
            Ok(_) => return,
            // Whose calls these are is not known then.
            Err(error) => {
                return tracing::warn!(error = %Chain(&error), "nobody knows whether others see to what rings");
            }
        }
        let mut query = Query::active().with_limit(PAGE);
        loop {
            let page = match self.0.store.query(&query).await {
                Ok(page) => page,
                Err(error) => return tracing::warn!(error = %Chain(&error), "calls that ring cannot be looked up"),
            };
            for call in page.calls.iter().filter(|call| rings(call)) {
                // Written down first: whoever picks up meanwhile is hung up on, and one without a name ends when it gets it.
                let asked = SessionEvent::EndRequested { by: "server".into() };
                let propose = |session: &CallSession| match rings(&session.summary) {
                    true => vec![asked.clone().at(Timestamp::now())],
                    // Somebody talks on it: that it was called off would end it later, in mid-sentence.
                    false => vec![],
                };
                match store::update(&*self.0.store, call.id, propose).await {
                    Ok(Updated { session, .. }) if rings(&session.summary) => {
                        let Some(sid) = &session.summary.call_sid else { continue };
                        tracing::info!(call = %call.id, "a call that rings is called off: the server stops");
                        self.call_off(client, call.id, sid).await;
                    }
                    Ok(_) => {}
                    Err(error) => tracing::warn!(call = %call.id, error = %Chain(&error), "a call rings on"),
                }
            }
            match page.next {
                Some(before) => query = query.with_before(before),
                None => return,
            }
        }
    }

    /// What the caller hears when the agent cannot speak.
    fn apologize(&self) -> Document {
        Document(Response::new().say(self.0.settings.conversation.apology()).hangup())
    }
}

/// Whether nobody has picked up a call of ours yet.
fn rings(call: &CallSummary) -> bool {
    call.direction == Direction::Outbound && matches!(call.status, Status::Initiated | Status::Ringing)
}

impl FromRef<Phone> for Verifier {
    fn from_ref(phone: &Phone) -> Self {
        phone.0.verifier.clone()
    }
}
