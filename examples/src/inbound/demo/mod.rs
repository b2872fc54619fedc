//! The server and a whole call to it on this machine, without any account.
//!
//! A simulator plays Twilio and OpenAI on loopback, strictly, with recorded speech. The server is the one that serves
//! real calls, with settings that lead to the simulator.

mod check;
mod report;

use std::{future::pending, io, net::Ipv4Addr};

use call_session::store::StoreError;
use call_simulator::{
    openai::{OpenAiSimulator, Script},
    twilio::{CallOptions, CallerScript, Number, StartError, TwilioSimulator},
};
use tokio::{net::TcpListener, sync::mpsc, sync::oneshot};
use uuid::Uuid;

pub use self::report::{BargeInCut, DemoReport};
use crate::{
    conversation::Language,
    database::Database,
    phone::{Parts, Phone, SetUpError},
    settings::{Arguments, Problems, Settings},
};

/// The number that is called. It belongs to nobody: Japan reserves no range for fiction, so this one is simply unused
/// outside of this process.
const NUMBER: &str = "+815012345678";

/// Why the demonstration could not be given.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DemoError {
    /// No socket can be opened on this machine.
    #[error("no socket can be opened on loopback")]
    Socket(#[source] io::Error),
    /// The simulated Twilio refuses its set-up.
    #[error("the simulated Twilio cannot be set up")]
    Twilio(#[from] StartError),
    /// The settings cannot work.
    #[error("the demonstration's settings are wrong")]
    Settings(#[from] Problems),
    /// Calls cannot be kept.
    #[error("calls cannot be kept")]
    Store(#[from] StoreError),
    /// The telephone cannot be set up.
    #[error("the telephone cannot be set up")]
    Phone(#[from] SetUpError),
    /// The call never reached the bridge.
    #[error("the call did not reach the bridge; this is what happened:\n{timeline}")]
    NoRecord {
        /// What Twilio saw.
        timeline: String,
    },
}

/// Starts simulator and server, and places one call: greeting, two turns, an interruption, a tool, a goodbye. Takes
/// about half a minute, in real time.
///
/// # Errors
///
/// [`DemoError`] when the call cannot be placed. A call that went another way than scripted is no error:
/// [`DemoReport::problems`] tells.
///
/// # Cancel safety
///
/// Dropping the future closes every socket.
pub async fn run(language: Language) -> Result<DemoReport, DemoError> {
    let name = match language {
        Language::English => "demo-en",
        Language::Japanese => "demo-ja",
    };
    let script = Script::named(name).expect("the simulator has both languages");
    let caller = CallerScript::named(name).expect("the simulator has both languages");

    let openai = OpenAiSimulator::builder().script(script).start().await.map_err(DemoError::Socket)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(DemoError::Socket)?;
    let public_url = format!("http://{}", listener.local_addr().map_err(DemoError::Socket)?);
    let auth_token = Uuid::new_v4().simple().to_string();
    let settings = Settings::check(&arguments(&public_url, &openai.base_url(), &auth_token, language))?;

    let voice_url = format!("{public_url}/api/twilio/voice").parse().expect("made of an address and a path");
    let number = Number::new(NUMBER.parse().expect("a number"), voice_url);
    let twilio = TwilioSimulator::builder().auth_token(auth_token).number(number).start()?;

    let (records, mut finished) = mpsc::channel(1);
    let parts = Parts::new(Database::Memory.open().await?, super::tools());
    let server = Phone::new(settings, parts.with_records(records))?;
    let router = server.router();
    let (hang_up, over) = oneshot::channel();
    let serving = server.serve(listener, router, async {
        if over.await.is_err() {
            pending::<()>().await;
        }
    });
    let calling = async {
        let telephone = twilio.call(CallOptions::new(caller)).await;
        let _ = hang_up.send(());
        telephone
    };
    let (served, telephone) = tokio::join!(Box::pin(serving), Box::pin(calling));
    served.map_err(DemoError::Socket)?;

    let Some(session) = openai.sessions().into_iter().next() else {
        return Err(DemoError::NoRecord { timeline: telephone.timeline.to_string() });
    };
    let Ok(record) = finished.try_recv() else {
        return Err(DemoError::NoRecord { timeline: telephone.timeline.to_string() });
    };
    let model_opened = session.opened_at().saturating_duration_since(telephone.placed_at.into_std());
    let model = session.recording();
    openai.shutdown().await;
    Ok(DemoReport { language, telephone, model, model_opened, record })
}

/// What a user would set to point the server at a simulator.
fn arguments(public_url: &str, openai_base_url: &str, auth_token: &str, language: Language) -> Arguments {
    let mut arguments = Arguments::default();
    arguments.openai.openai_api_key = Some("simulated".into());
    arguments.openai.openai_base_url = Some(openai_base_url.into());
    arguments.twilio.twilio_auth_token = Some(auth_token.into());
    arguments.twilio.twilio_api_base_url = Some(public_url.into());
    arguments.twilio.twilio_require_stream_signature = Some("true".into());
    arguments.server.public_url = Some(public_url.into());
    arguments.conversation.language = Some(language.tag().into());
    arguments
}
