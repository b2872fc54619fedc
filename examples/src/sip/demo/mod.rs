//! The server and a whole call to it on this machine, without any account.
//!
//! A simulator plays OpenAI's SIP side on loopback, strictly, with recorded speech, and rings. The server is the one that
//! serves real calls. The words of the recordings are those of a dental clinic's telephone, which they share with the other
//! demonstration; an attendance at ten on Friday is changed all the same.

mod check;
mod lateness;
mod report;

use std::{future::pending, io, net::Ipv4Addr, path::Path, time::Duration};

use call_session::store::{Query, StoreError};
use call_simulator::{
    audio::fixtures::ja,
    openai::{
        Answer, END_CALL, OpenAiSimulator, Script,
        sip::{Ring, Step, WebhookTarget},
    },
    twilio::CallerScript,
};
use serde_json::json;
use tokio::{net::TcpListener, sync::oneshot};
use uuid::Uuid;

pub use self::report::DemoReport;
use super::{
    SipServer, StartError,
    attendance::{AttendanceError, Guest},
    settings::{SipArguments, SipSettings},
};
use crate::settings::Problems;

/// Who calls. It belongs to nobody: Japan reserves no range for fiction.
pub const CALLER: &str = "+818012345678";

/// The name on the list.
const NAME: &str = "田中 花子";

/// The words by which the script knows the greeting.
const GREETING: &str = "受付でございます";

/// How long the caller waits before they answer. Whoever catches up with a machine that stood still hears what is played a
/// little before the provider has seen to its end, and who speaks into that has interrupted the agent.
const TURN_GAP: Duration = Duration::from_millis(1_500);

/// Why the demonstration could not be given.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DemoError {
    /// No socket can be opened on this machine.
    #[error("no socket can be opened on loopback")]
    Socket(#[source] io::Error),
    /// The settings cannot work.
    #[error("the demonstration's settings are wrong")]
    Settings(#[from] Problems),
    /// The server cannot be started.
    #[error("the server cannot be started")]
    Start(#[from] StartError),
    /// The table cannot be read or written.
    #[error("the attendance table cannot be used")]
    Attendance(#[from] AttendanceError),
    /// The calls cannot be read.
    #[error("the calls cannot be read")]
    Store(#[from] StoreError),
    /// The call was not written down.
    #[error("the call did not reach the server; this is what happened:\n{0}")]
    NoCall(String),
}

/// Starts simulator and server with files in this folder, and rings once: a guest asks for another time, gets it and a
/// message, and says goodbye. Takes about half a minute, in real time.
///
/// # Errors
///
/// [`DemoError`] when the call cannot be placed. A call that went another way than scripted is no error:
/// [`DemoReport::problems`] tells.
///
/// # Cancel safety
///
/// Dropping the future closes every socket.
pub async fn run(folder: &Path) -> Result<DemoReport, DemoError> {
    let openai = OpenAiSimulator::builder().script(script()).start().await.map_err(DemoError::Socket)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(DemoError::Socket)?;
    let url = format!("http://{}/openai-webhook", listener.local_addr().map_err(DemoError::Socket)?);
    let secret = Uuid::new_v4().simple().to_string();

    let mut arguments = SipArguments::default();
    arguments.openai.openai_api_key = Some("simulated".into());
    arguments.openai.openai_base_url = Some(openai.base_url());
    arguments.openai_webhook_secret = Some(secret.clone().into());
    arguments.data_dir = Some(folder.to_owned());
    let server = SipServer::open(SipSettings::check(&arguments)?).await?;
    invite(&server).await?;

    let target = WebhookTarget::new(url.parse().expect("made of an address and a path"), &secret);
    let target = target.expect("digits are a secret").copies(2);
    let caller = CallerScript::new()
        .turn_gap(TURN_GAP)
        .until_hears(ja::AGENT_GREETING)
        .say(ja::CALLER_SLOT)
        // The agent looks the hour up, changes the table and writes: "one moment" is not the answer.
        .until_hears(ja::AGENT_SLOT)
        .say(ja::CALLER_THANKS);
    let (hang_up, over) = oneshot::channel();
    let serving = server.clone().serve(listener, async {
        if over.await.is_err() {
            pending::<()>().await;
        }
    });
    let calling = async {
        let ringing = openai.ring(Ring::new(target, caller).from(CALLER));
        let late = lateness::until(ringing.until(|step| matches!(step, Step::Request("accept", _))), folder).await;
        let telephone = ringing.ended().await;
        let _ = hang_up.send(());
        (telephone, late)
    };
    let (served, (telephone, late)) = tokio::join!(Box::pin(serving), Box::pin(calling));
    served.map_err(DemoError::Socket)?;

    let store = server.store();
    let page = store.query(&Query::default()).await?;
    let [summary] = &page.calls[..] else { return Err(DemoError::NoCall(telephone.to_string())) };
    let call = store.load(summary.id).await?.ok_or_else(|| DemoError::NoCall(telephone.to_string()))?;
    let history = store.history(summary.id).await?;
    let attendance = server.attendance();
    let report = DemoReport {
        guest: attendance.guest(CALLER).await?,
        changes: attendance.changes(CALLER).await?,
        messages: attendance.messages(CALLER).await?,
        telephone,
        late,
        call,
        history,
    };
    attendance.close().await;
    openai.shutdown().await;
    Ok(report)
}

/// An event with a guest who has another time than the one that is wanted.
async fn invite(server: &SipServer) -> Result<(), AttendanceError> {
    let attendance = server.attendance();
    attendance.put_slot("fri-10", "金曜日 10時", 5).await?;
    attendance.put_slot("fri-14", "金曜日 14時", 5).await?;
    let guest =
        Guest { phone: CALLER.into(), name: NAME.into(), attendance: "attending".into(), slot: Some("fri-14".into()) };
    attendance.put_guest(&guest).await
}

/// The model's part.
fn script() -> Script {
    let change = json!({"name": "田中花子", "attending": true, "slot": "fri-10"});
    let looks = Answer::say(ja::AGENT_ONE_MOMENT).and_call("check_slots", &json!({}));
    let changes = Answer::call("update_attendance", &change);
    let writes = Answer::call("send_message", &json!({}));
    let says = Answer::say(ja::AGENT_SLOT);
    Script::new()
        .when_asked(GREETING, Answer::say(ja::AGENT_GREETING))
        .turn(ja::CALLER_SLOT, looks.then(changes.then(writes.then(says))))
        .turn(ja::CALLER_THANKS, Answer::say(ja::AGENT_GOODBYE).and_call(END_CALL, &json!({})))
}
