//! Telling a call what to do, wherever its audio is.

use std::time::Duration;

use axum::http::StatusCode;
use call_session::{
    id::SessionId,
    live::{Command, Live, Reply, SendError},
};
use twilio_twiml::rest::PauseBehavior;

use super::{Phone, Problem};
use crate::chain::Chain;

/// How long another server may take to answer.
pub(crate) const ANSWER: Duration = Duration::from_secs(3);

impl Phone {
    /// Tells a call what to do, on whichever server it is.
    pub(super) async fn tell(&self, call: SessionId, command: Command) -> Result<(), Problem> {
        tell(&self.0.live, call, command).await
    }

    /// Has Twilio's recording leave out what follows, or go on.
    pub(super) async fn record(&self, call: SessionId, goes_on: bool) -> Reply {
        let Some(client) = &self.0.rest else { return Reply::refused("no-account") };
        let sid = match self.0.store.summary(call).await {
            Ok(Some(summary)) => summary.call_sid,
            Ok(None) => None,
            Err(error) => {
                tracing::error!(error = %Chain(&error), "a call cannot be looked up");
                return Reply::refused("store-unavailable");
            }
        };
        let Some(sid) = sid else { return Reply::refused("no-call") };
        let recording = client.call(&sid).current_recording();
        // Silence keeps the file as long as the call, so that times in it stay true.
        let done = if goes_on { recording.resume().await } else { recording.pause(PauseBehavior::Silence).await };
        match done {
            Ok(_) => Reply::Ok,
            Err(error) => {
                tracing::error!(error = %Chain(&error), "a recording cannot be paused or resumed");
                Reply::refused("twilio-refused")
            }
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
