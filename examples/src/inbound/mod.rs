//! A server that answers the telephone: Twilio calls its webhook, a media stream opens, the caller talks with the model.
//!
//! | | |
//! |---|---|
//! | `POST /api/twilio/voice` | a call comes in: TwiML that connects a media stream |
//! | `GET /api/twilio/media-stream/{id}` | the stream, a WebSocket |
//! | `POST /api/twilio/after-stream/{id}` | the stream is over: hang up, connect again, or apologise |
//! | `POST /api/twilio/stream-status/{id}` | what Twilio says became of the stream |
//! | `GET /healthz`, `GET /readyz` | whether the server lives, and takes calls |
//!
//! The order of a call: the webhook is answered at once with a token for the stream, while a model session is already
//! being opened; the stream shows the token and adopts the session; the bridge carries the call; Twilio asks what comes
//! next. Without accounts, [`demo`] plays all of it against a simulator.

mod after_stream;
pub mod demo;
mod media_stream;
pub mod tools;
mod voice;

use std::{future::Future, io, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::FromRef,
    routing::{get, post},
};
use realtime_bridge::{
    realtime::{
        SessionConfig,
        openai::{ConfigError, OpenAiClient, OpenAiSession},
    },
    tool::{EndCall, ToolSet},
};
use tokio::{
    net::TcpListener,
    sync::mpsc,
    time::{Instant, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use twilio_twiml::{
    sid::{AccountSid, CallSid},
    twiml::{Response, Stream},
    webhook::Verifier,
};

use self::tools::FreeSlots;
use crate::{
    calls::{CallRecord, Calls},
    model::{PreparedSession, SessionPlan},
    settings::Settings,
    stream_token::{PARAMETER, StreamTokens},
    web::{self, Document, health},
};

/// How long calls that were told to end may take to do so, and Twilio to ask what comes next.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Where a conversation begins.
#[derive(Debug)]
enum Beginning {
    /// At its begin.
    Fresh,
    /// Where it was cut off.
    Resumed {
        /// What was said before, for the model.
        history: Option<String>,
    },
}

/// The server's state. Clones are the same server.
#[derive(Debug, Clone)]
pub struct Inbound(Arc<State>);

#[derive(Debug)]
struct State {
    settings: Settings,
    verifier: Verifier,
    client: OpenAiClient,
    session: SessionConfig,
    tools: ToolSet,
    tokens: StreamTokens,
    calls: Calls<OpenAiSession>,
    tasks: TaskTracker,
    /// New calls are turned away.
    draining: CancellationToken,
    /// Running calls have to end.
    stop: CancellationToken,
    records: Option<mpsc::Sender<CallRecord>>,
}

impl Inbound {
    /// A server with these settings.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when the model's settings cannot work, which [`Settings::check`] has told before.
    pub fn new(settings: Settings) -> Result<Self, ConfigError> {
        Self::with_records(settings, None)
    }

    /// A server that also hands over the record of each stream. Records are dropped while `records` is full: calls do
    /// not wait for whoever keeps them.
    ///
    /// # Errors
    ///
    /// As [`Inbound::new`].
    pub fn with_records(
        settings: Settings,
        records: impl Into<Option<mpsc::Sender<CallRecord>>>,
    ) -> Result<Self, ConfigError> {
        let tools = ToolSet::new().with(FreeSlots::default()).with(EndCall);
        let stop = CancellationToken::new();
        Ok(Self(Arc::new(State {
            verifier: Verifier::new(settings.public_url.as_str(), settings.twilio.auth_token.clone()),
            client: OpenAiClient::new(settings.openai.clone())?,
            session: settings.conversation.session(&settings.voice, &tools),
            tools,
            tokens: StreamTokens::new(settings.limits.stream_wait),
            calls: Calls::new(settings.limits.stream_wait, stop.clone()),
            tasks: TaskTracker::new(),
            draining: CancellationToken::new(),
            stop,
            records: records.into(),
            settings,
        })))
    }

    /// Serves until `shutdown` resolves; then takes no new calls, lets the running ones end within the drain limit, and
    /// returns when the last has gone.
    ///
    /// # Errors
    ///
    /// When listening fails.
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()> + Send) -> io::Result<()> {
        let drain = async {
            shutdown.await;
            self.drain().await;
        };
        web::serve(listener, self.router(), drain).await
    }

    /// The routes, for a server of your own.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/api/twilio/voice", post(voice::voice))
            .route("/api/twilio/media-stream/{id}", get(media_stream::media_stream))
            .route("/api/twilio/after-stream/{id}", post(after_stream::after_stream))
            .route("/api/twilio/stream-status/{id}", post(after_stream::stream_status))
            .merge(health::routes(self.0.draining.clone()))
            .with_state(self.clone())
    }

    async fn drain(&self) {
        let State { settings, calls, tasks, draining, stop, .. } = &*self.0;
        let began = Instant::now();
        tracing::info!("no new calls are taken; running ones may end");
        draining.cancel();
        if timeout(settings.limits.drain, calls.finished()).await.is_err() {
            tracing::warn!("calls are still running: they are ended with an apology");
            stop.cancel();
            let _ = timeout(LAST_WORDS, calls.finished()).await;
        }
        tasks.close();
        let all = timeout(LAST_WORDS, tasks.wait()).await.is_ok();
        tracing::info!(all, seconds = began.elapsed().as_secs(), "the calls have ended");
    }

    /// Has Twilio open a stream for this call. A session is being opened for it from now on.
    fn connect(&self, call: CallSid, account: AccountSid, beginning: Beginning) -> Document {
        let State { settings, client, session, tokens, calls, tasks, .. } = &*self.0;
        let (resumed, history) = match beginning {
            Beginning::Fresh => (false, None),
            Beginning::Resumed { history } => (true, history),
        };
        let plan = SessionPlan::new(session.clone(), settings.limits.stream_wait).with_history(history);
        let session = PreparedSession::open(tasks, client.clone(), plan);
        let stream = calls.expect(call, account, session, resumed);
        let token = tokens.mint(Instant::now().into_std(), stream.id, &stream.call, &stream.account);
        let url = &settings.public_url;
        let noun = Stream::new(url.stream(&format!("/api/twilio/media-stream/{}", stream.id)))
            .status_callback(url.to(&format!("/api/twilio/stream-status/{}", stream.id)))
            .parameter(PARAMETER, token.expose());
        let after = url.to(&format!("/api/twilio/after-stream/{}", stream.id));
        Document(Response::new().connect(noun).redirect(after))
    }

    /// What the caller hears when the agent cannot speak.
    fn apologize(&self) -> Document {
        Document(Response::new().say(self.0.settings.conversation.apology()).hangup())
    }
}

impl FromRef<Inbound> for Verifier {
    fn from_ref(server: &Inbound) -> Self {
        server.0.verifier.clone()
    }
}
