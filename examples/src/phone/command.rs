//! Telling a call what to do, wherever its audio is.

use std::time::Duration;

use axum::http::StatusCode;
use call_session::{
    id::SessionId,
    live::{Command, Live, Reply, SendError},
};
use twilio_twiml::rest::{PauseBehavior, Problem as TwilioProblem};

use super::{Phone, Problem, api};
use crate::chain::Chain;

/// How long another server may take to answer.
pub(crate) const ANSWER: Duration = Duration::from_secs(3);

impl Phone {
    /// Tells a call what to do, on whichever server it is.
    pub(super) async fn tell(&self, call: SessionId, command: Command) -> Result<(), Problem> {
        tell(&self.0.live, call, command).await
    }

    /// The same for a call that is told so by another server.
    pub(super) async fn obey_record(&self, call: SessionId, goes_on: bool) -> Reply {
        self.record(call, goes_on).await.map_or_else(|problem| Reply::refused(problem.code), |()| Reply::Ok)
    }

    /// Has Twilio's recording leave out what follows, or go on.
    pub(super) async fn record(&self, call: SessionId, goes_on: bool) -> Result<(), Problem> {
        let not_recorded = || {
            let title = "There is no recording that can be paused or resumed now";
            Problem::new(StatusCode::CONFLICT, "not-recorded", title)
        };
        let summary = self.look_up(call).await?;
        if summary.status.is_terminal() {
            return Err(Problem::over());
        }
        let Some(client) = &self.0.rest else {
            let title = "Recordings can be paused only with TWILIO_ACCOUNT_SID";
            return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no-account", title));
        };
        let Some(sid) = summary.call_sid else { return Err(not_recorded()) };
        let recording = client.call(&sid).current_recording();
        // Silence keeps the file as long as the call, so that times in it stay true.
        let done = if goes_on { recording.resume().await } else { recording.pause(PauseBehavior::Silence).await };
        match done {
            Ok(_) => Ok(()),
            Err(error)
                if matches!(error.problem(), Some(TwilioProblem::NotFound | TwilioProblem::CallNotInProgress)) =>
            {
                Err(not_recorded())
            }
            Err(error) => Err(api::twilio(&error)),
        }
    }
}

/// Tells a call what to do, on whichever server it is.
pub(crate) async fn tell(live: &Live, call: SessionId, command: Command) -> Result<(), Problem> {
    match live.send(call, command, ANSWER).await {
        Ok(Reply::Ok) => Ok(()),
        Ok(Reply::Refused { why }) => {
            let title = "The call cannot do this now";
            Err(Problem::new(StatusCode::CONFLICT, "refused", title).with_detail(why))
        }
        Ok(_) => Err(Problem::new(StatusCode::BAD_GATEWAY, "unknown-reply", "The call's server is of another version")),
        Err(SendError::NotLive) => {
            Err(Problem::new(StatusCode::CONFLICT, "not-talking", "No agent talks on this call now"))
        }
        Err(SendError::CallOver { .. }) => Err(Problem::over()),
        Err(SendError::NodeDead { .. }) => {
            let title = "The server that had the call is gone; the call comes back on another one";
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "node-dead", title))
        }
        Err(SendError::Busy) => {
            let title = "Too many commands wait for this call";
            Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "busy", title))
        }
        Err(error @ SendError::TimedOut { .. }) => {
            let title = "The call's server did not answer in time";
            Err(Problem::new(StatusCode::GATEWAY_TIMEOUT, "no-answer", title).with_detail(error.to_string()))
        }
        Err(error) => {
            tracing::error!(error = %Chain(&error), "a call cannot be told anything");
            Err(Problem::no_store())
        }
    }
}
