//! The server with a simulated Twilio and a simulated model around it.

use std::{io, sync::Arc, time::Duration};

use call_session::store::SessionStore;
use call_simulator::{
    openai::{self, OpenAiSimulator, Script, SessionHandle, Settings as Manners, Timing},
    twilio::{CallOptions, CallReport, CallerScript, Event, Number, TwilioSimulator},
};
use examples::{
    database::Opened,
    inbound,
    phone::{Parts, Phone, StreamRecord},
    settings::{Arguments, Settings},
};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    task::JoinSet,
};
use twilio_twiml::{
    sid::{AccountSid, CallSid},
    webhook::{Form, signature::AuthToken},
};

pub(crate) const TOKEN: &str = "9f2c4b7a1d3e5f60718293a4b5c6d7e8";
pub(crate) const CALL: &str = "CAfedcba9876543210fedcba9876543210";
pub(crate) const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";

pub(crate) struct World {
    /// `http://127.0.0.1:port`.
    pub(crate) url: String,
    pub(crate) openai: Option<OpenAiSimulator>,
    pub(crate) twilio: TwilioSimulator,
    pub(crate) records: mpsc::Receiver<StreamRecord>,
    pub(crate) store: Arc<dyn SessionStore>,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinSet<io::Result<()>>,
}

/// A model that answers as scripted, without thinking first.
pub(crate) fn model(script: Script) -> openai::Builder {
    OpenAiSimulator::builder().script(script).settings(Manners::default().with_timing(Timing::brisk()))
}

impl World {
    pub(crate) async fn new(script: Script) -> Self {
        Self::with(model(script), |_| {}).await
    }

    pub(crate) async fn with(model: openai::Builder, change: impl FnOnce(&mut Arguments)) -> Self {
        let openai = model.start().await.unwrap();
        let base_url = openai.base_url();
        let mut world = Self::served(&base_url, None, change).await;
        world.openai = Some(openai);
        world
    }

    /// A server that keeps its calls here.
    pub(crate) async fn keeping(model: openai::Builder, database: Opened, change: impl FnOnce(&mut Arguments)) -> Self {
        let openai = model.start().await.unwrap();
        let base_url = openai.base_url();
        let mut world = Self::served(&base_url, Some(database), change).await;
        world.openai = Some(openai);
        world
    }

    /// A server whose model cannot be reached.
    pub(crate) async fn without_model(change: impl FnOnce(&mut Arguments)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let nobody = listener.local_addr().unwrap();
        drop(listener);
        Self::served(&format!("http://{nobody}/v1"), None, change).await
    }

    async fn served(openai_base_url: &str, database: Option<Opened>, change: impl FnOnce(&mut Arguments)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut arguments = Arguments::default();
        arguments.openai.openai_api_key = Some("simulated".into());
        arguments.openai.openai_base_url = Some(openai_base_url.into());
        arguments.twilio.twilio_auth_token = Some(TOKEN.into());
        arguments.twilio.twilio_api_base_url = Some("http://127.0.0.1".into());
        arguments.twilio.twilio_require_stream_signature = Some("true".into());
        arguments.server.public_url = Some(url.clone());
        arguments.server.database_url = Some("memory".into());
        change(&mut arguments);
        let settings = Settings::check(&arguments).unwrap();

        let voice_url = format!("{url}/api/twilio/voice").parse().unwrap();
        let number = Number::new("+815012345678".parse().unwrap(), voice_url);
        let account = ACCOUNT.parse().unwrap();
        let twilio = TwilioSimulator::builder().account_sid(account).auth_token(TOKEN).number(number).start().unwrap();

        let (sender, records) = mpsc::channel(8);
        let database = match database {
            Some(database) => database,
            None => settings.database.open().await.unwrap(),
        };
        let parts = Parts::new(database, inbound::tools()).with_records(sender);
        let server = Phone::new(settings, parts).unwrap();
        let (router, store) = (server.router(), Arc::clone(server.store()));
        let (stop, stopped) = oneshot::channel::<()>();
        let mut serving = JoinSet::new();
        serving.spawn(Box::pin(server.serve(listener, router, async {
            let _ = stopped.await;
        })));
        Self { url, openai: None, twilio, records, store, stop: Some(stop), serving }
    }

    pub(crate) async fn call(&self, caller: CallerScript) -> CallReport {
        self.twilio.call(CallOptions::new(caller).with_time_limit(Duration::from_secs(60))).await
    }

    /// The next session that the model was opened for.
    pub(crate) async fn session(&self) -> SessionHandle {
        self.openai.as_ref().unwrap().next_session().await
    }

    /// Tells the server to stop.
    pub(crate) fn stop(&mut self) {
        drop(self.stop.take());
    }

    /// Waits until the server has stopped.
    pub(crate) async fn stopped(&mut self) {
        self.stop();
        self.serving.join_next().await.unwrap().unwrap().unwrap();
    }

    /// Posts a form to a path, signed with this token, and gives status and body.
    pub(crate) async fn post(&self, path: &str, form: &Form, token: Option<&str>) -> (u16, String) {
        let url = format!("{}{path}", self.url);
        let mut request = reqwest::Client::new()
            .post(&url)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.encode());
        if let Some(token) = token {
            request = request.header("x-twilio-signature", AuthToken::new(token).sign_form(&url, form));
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let response = reqwest::get(format!("{}{path}", self.url)).await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }
}

/// The webhook of a call that comes in.
pub(crate) fn voice_form() -> Form {
    Form::new()
        .with("CallSid", CALL)
        .with("AccountSid", ACCOUNT)
        .with("From", "+14155550100")
        .with("To", "+815012345678")
        .with("CallStatus", "ringing")
        .with("Direction", "inbound")
}

pub(crate) fn call_sid() -> CallSid {
    CALL.parse().unwrap()
}

pub(crate) fn account_sid() -> AccountSid {
    ACCOUNT.parse().unwrap()
}

/// What stands between `from` and `to` in a text.
#[track_caller]
pub(crate) fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let (_, rest) = text.split_once(from).unwrap_or_else(|| panic!("no {from} in {text}"));
    rest.split_once(to).unwrap_or_else(|| panic!("no {to} in {text}")).0
}

/// What Twilio's own voice said on a call.
pub(crate) fn said_by_twilio(report: &CallReport) -> Vec<String> {
    let said = report.timeline.moments().iter().filter_map(|moment| match &moment.event {
        Event::Verb { name: "Say", detail } => Some(detail.clone()),
        _ => None,
    });
    said.collect()
}
