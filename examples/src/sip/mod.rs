//! An agent that callers reach through OpenAI's SIP interface: it confirms who comes to a recruiting event, in Japanese.
//!
//! | | |
//! |---|---|
//! | `POST /openai-webhook` | somebody rings; answered at once, done afterwards |
//! | `POST /api/calls/{call}/handoff` | the caller goes to a person: `{"agentId" or "phone", "reason"}` |
//! | `POST /api/calls/{call}/say`, `…/end` | the agent says `{"line"}`; ends the call, after `{"say"}` if there is one |
//! | `GET /api/calls/active`, `GET /api/calls/{call}` | the calls that are not over; one of them, with its words |
//! | `GET /api/events` | all that happens, as it happens, over a WebSocket |
//! | `GET /healthz`, `GET /readyz` | whether the server lives, and takes calls |
//!
//! The order of a call: OpenAI posts a webhook, which is checked, claimed once for all servers on the same store, and
//! answered; the call is written down and accepted; the control socket is opened and the first words are asked for; the
//! bridge carries the conversation like any other; what became of it decides what becomes of the telephone call. No audio
//! passes this server. A call whose server dies is led on by another on the same store, or by the same after its start; only
//! what is in the store of calls is shared, and the attendance table is each server's own. [`handoff`] gives callers to people. Without accounts, [`demo`] plays all of it against a simulator.

mod api;
pub mod attendance;
mod carry;
pub mod demo;
pub mod handoff;
mod instructions;
mod lines;
pub mod settings;
pub mod sms;
mod takeover;
pub mod tools;
mod webhook;

use std::{future::Future, io, path::Path, sync::Arc, time::Duration};

use axum::{Router, routing::post};
use call_session::{
    id::NodeId,
    live::Live,
    store::{SessionStore, StoreError},
};
use realtime_bridge::{
    realtime::{
        SessionConfig, Transcription,
        openai::{ConfigError, OpenAiClient, sip::SipCalls, webhook::Verifier},
    },
    relay::{CallConfig, Greeting},
    tool::ToolSet,
};
use tokio::{
    net::TcpListener,
    time::{Instant, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    attendance::{Attendance, AttendanceError},
    lines::Lines,
    settings::SipSettings,
};
use crate::{
    chain::Chain,
    conversation::{Beginning, Conversation, Language},
    database::Opened,
    web::{self, health},
};

/// How long calls that were told to end may take to do so.
const LAST_WORDS: Duration = Duration::from_secs(8);

/// The server's state. Clones are the same server.
#[derive(Debug, Clone)]
pub struct SipServer(Arc<State>);

#[derive(Debug)]
struct State {
    settings: SipSettings,
    verifier: Verifier,
    calls: SipCalls,
    store: Arc<dyn SessionStore>,
    attendance: Attendance,
    /// This server among those on the same store.
    live: Live,
    /// The calls that this server leads.
    lines: Lines,
    /// Calls and handoffs.
    tasks: TaskTracker,
    /// What goes on as long as the server.
    background: TaskTracker,
    /// New calls are turned away.
    draining: CancellationToken,
    /// Running calls have to end, or go to another server.
    stop: CancellationToken,
    /// The server is going.
    over: CancellationToken,
}

/// Why the server cannot be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The folder of the database files cannot be made.
    #[error("the data folder cannot be made")]
    Folder(#[source] io::Error),
    /// The model's settings cannot work.
    #[error("the model's settings cannot work")]
    Model(#[from] ConfigError),
    /// The calls cannot be kept.
    #[error("the store of calls cannot be opened")]
    Store(#[from] StoreError),
    /// The attendance table cannot be opened.
    #[error("the attendance table cannot be opened")]
    Attendance(#[from] AttendanceError),
}

impl SipServer {
    /// A server with these settings, which opens its files.
    ///
    /// # Errors
    ///
    /// [`StartError`].
    pub async fn open(settings: SipSettings) -> Result<Self, StartError> {
        std::fs::create_dir_all(&settings.data_dir).map_err(StartError::Folder)?;
        let file = |name: &str| Path::new(&settings.data_dir).join(name);
        let database = settings.database.open().await?;
        let attendance = Attendance::open(&file("attendance.db")).await?;
        Ok(Self::new(settings, database, attendance)?)
    }

    /// A server on a store and a table that are open already.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when the model's settings cannot work, which [`SipSettings::check`] has told before.
    pub fn new(settings: SipSettings, database: Opened, attendance: Attendance) -> Result<Self, ConfigError> {
        Ok(Self(Arc::new(State {
            verifier: Verifier::new(settings.secrets.clone()),
            calls: SipCalls::new(OpenAiClient::new(settings.openai.clone())?),
            store: database.store,
            attendance,
            live: Live::new(database.board, NodeId::unique()),
            lines: Lines::default(),
            tasks: TaskTracker::new(),
            background: TaskTracker::new(),
            draining: CancellationToken::new(),
            stop: CancellationToken::new(),
            over: CancellationToken::new(),
            settings,
        })))
    }

    /// Where calls are kept.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn SessionStore> {
        &self.0.store
    }

    /// The attendance table.
    #[must_use]
    pub fn attendance(&self) -> &Attendance {
        &self.0.attendance
    }

    /// Serves until `shutdown` resolves; then takes no new calls, lets the running ones end within the drain limit, leaves
    /// the rest to other servers on the same store or ends them, and returns when the last has gone. Calls that nobody leads
    /// any more are taken on from the start.
    ///
    /// # Errors
    ///
    /// When listening fails.
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()> + Send) -> io::Result<()> {
        let (live, over) = (self.0.live.clone(), self.0.over.clone());
        // Also when listening fails, or nobody waits any more.
        let _goes = over.clone().drop_guard();
        self.0.background.spawn(async move { live.run(over).await });
        self.0.background.spawn(Box::pin(takeover::watch(self.clone())));
        let drain = async {
            shutdown.await;
            self.drain().await;
        };
        web::serve(listener, self.router(), drain).await
    }

    /// The routes. Only while the server [serves](SipServer::serve) it holds its calls, and leads on those of others.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/openai-webhook", post(webhook::webhook))
            .merge(api::routes(self))
            .merge(health::routes(self.0.draining.clone()))
            .with_state(self.clone())
    }

    async fn drain(&self) {
        let State { settings, live, tasks, background, draining, stop, over, .. } = &*self.0;
        let began = Instant::now();
        tracing::info!("no new calls are taken; running ones may end");
        draining.cancel();
        if let Err(error) = live.drain().await {
            tracing::warn!(error = %Chain(&error), "other servers could not be told that this one stops");
        }
        tasks.close();
        let mut all = timeout(settings.drain, tasks.wait()).await.is_ok();
        if !all {
            tracing::warn!("calls are still running: they are left to another server, or ended");
            stop.cancel();
            all = timeout(LAST_WORDS, tasks.wait()).await.is_ok();
        }
        over.cancel();
        background.close();
        all &= timeout(LAST_WORDS, background.wait()).await.is_ok();
        tracing::info!(all, seconds = began.elapsed().as_secs(), "the calls have ended");
    }

    /// How the model listens, thinks and speaks.
    fn session(&self, tools: &ToolSet) -> SessionConfig {
        let settings = &self.0.settings;
        let transcription = Transcription::default()
            .with_languages(vec!["ja".into()])
            .with_keywords(vec![settings.company.clone(), settings.event.clone()]);
        SessionConfig::default()
            .with_instructions(fill(settings, &settings.instructions))
            .with_voice(&settings.voice)
            .with_transcription(Some(transcription))
            .with_tools(tools.specs())
    }

    /// How the call is led, for as long as it may last from here.
    fn call(&self, left: Duration, beginning: Beginning) -> CallConfig {
        let settings = &self.0.settings;
        let call = Conversation::new(Language::Japanese).call(left, beginning);
        if beginning != Beginning::Fresh {
            return call;
        }
        let greeting = "お電話ありがとうございます。{company}、{event}の受付でございます。お名前をお願いいたします。";
        call.with_greeting(Greeting::Line(fill(settings, greeting)))
    }
}

fn fill(settings: &SipSettings, template: &str) -> String {
    let representative = Conversation::new(Language::Japanese).representative;
    template
        .replace("{company}", &settings.company)
        .replace("{event}", &settings.event)
        .replace("{representative}", &representative)
}
