//! The server and handovers of every fate on this machine, without any account.
//!
//! A simulator plays Twilio with its rooms, the callers, the people who are called, and OpenAI on loopback. The server is the
//! one that serves real calls, and is asked over HTTP as a program of yours would ask it. Each scenario has a world of its
//! own, and all of them go on at the same time.

mod check;
mod report;
mod scenarios;
mod timeline;
mod world;

use std::io;

use call_session::store::StoreError;
use call_simulator::twilio::StartError;
use futures_util::future::try_join_all;

pub use self::report::{DemoReport, Party, ScenarioReport};
use crate::{phone::SetUpError, settings::Problems};

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
    /// The server's API did not answer as it should.
    #[error("the server's API failed")]
    Http(#[from] reqwest::Error),
    /// A call was not written down.
    #[error("the call of “{scenario}” did not reach the server; this is what happened:\n{timeline}")]
    NoCall {
        /// Which.
        scenario: &'static str,
        /// What Twilio saw.
        timeline: String,
    },
}

/// Plays every scenario at once: cold; warm and accepted; declined and then accepted by somebody else; a mailbox; nobody there;
/// a caller who leaves during the briefing. Takes less than a minute, in real time.
///
/// # Errors
///
/// [`DemoError`] when a call cannot be placed. A handover that went another way than it should is no error:
/// [`DemoReport::problems`] tells.
///
/// # Cancel safety
///
/// Dropping the future closes every socket.
pub async fn run() -> Result<DemoReport, DemoError> {
    let scenarios = try_join_all(scenarios::all().into_iter().map(|scenario| Box::pin(world::play(scenario)))).await?;
    Ok(DemoReport { scenarios })
}
