//! What can be done with a call.

use std::time::Duration;

use http::{Response, StatusCode, header};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use super::{ReferTarget, RejectStatus, SipCallId, SipError, SipSession, http::exchange};
use crate::{
    media::{
        MediaStart,
        elsewhere::{ElsewhereLine, elsewhere},
    },
    realtime::{
        ConnectError, RealtimeSession, SessionConfig,
        openai::{
            OpenAiClient,
            client::{error_in_body, retry_after},
            settings,
        },
    },
    relay::EndReason,
};

/// How long one attempt at a request may take. All of them together may take the configuration's `connect_timeout`.
const ATTEMPT: Duration = Duration::from_secs(2);

/// The first pause before a repeat; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(100);

/// The calls of an account: accepts them, leads them, ends them. Clones share everything.
#[derive(Debug, Clone)]
pub struct SipCalls {
    client: OpenAiClient,
}

/// What became of a call that was [left](SipCalls::leave).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Left {
    /// It was over already.
    Over,
    /// It was ended.
    HungUp,
    /// Its transfer was asked for. Nobody tells whether it succeeds.
    Referred,
    /// It goes on, for somebody else to move it: the bridge was detached, and there is no target.
    GoesOn,
}

/// When a request may be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Twice {
    /// Doing it twice is the same as doing it once.
    Same,
    /// Only what was certainly not done may be repeated.
    Different,
}

impl SipCalls {
    /// Calls of the account whose key the client has. Nothing is sent yet.
    #[must_use]
    pub const fn new(client: OpenAiClient) -> Self {
        Self { client }
    }

    /// The client, whose configuration counts: key, URL, model, headers and limits.
    #[must_use]
    pub const fn client(&self) -> &OpenAiClient {
        &self.client
    }

    /// Accepts a call that rings: the caller is connected to the model, which says nothing until it is asked to.
    ///
    /// Only the model, the instructions and the voice are told now, since what the provider does not like in this request
    /// can fail after it has answered 200; [`attach`](SipCalls::attach) tells the rest.
    ///
    /// # Errors
    ///
    /// [`SipError`]; [`SipError::Gone`] when the caller has hung up. After an error of what
    /// [may have happened](SipError::may_have_happened) the call may be connected: [`attach`](SipCalls::attach) finds out,
    /// and where it does not, hang up and reject.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped may have accepted.
    pub async fn accept(&self, call: &SipCallId, config: &SessionConfig) -> Result<(), SipError> {
        let session = settings::accept(&self.client.config().model, config).map_err(config_problems)?;
        let body = serde_json::to_string(&session).map_err(|error| SipError::Broken(Box::new(error)))?;
        self.request(call, "accept", body, Twice::Same).await
    }

    /// Refuses a call that rings; `status` is what the caller's side is told.
    ///
    /// # Errors
    ///
    /// [`SipError`]; [`SipError::Gone`] when the caller has hung up.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped may have rejected.
    pub async fn reject(&self, call: &SipCallId, status: RejectStatus) -> Result<(), SipError> {
        let body = json!({ "status_code": status.code() }).to_string();
        self.request(call, "reject", body, Twice::Same).await
    }

    /// Asks the carrier to move the caller to `target`. When the target takes over, the control socket closes.
    ///
    /// # Errors
    ///
    /// [`SipError`]. Whether the transfer succeeds is not told.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped may have referred.
    pub async fn refer(&self, call: &SipCallId, target: &ReferTarget) -> Result<(), SipError> {
        let body = json!({ "target_uri": target.as_str() }).to_string();
        self.request(call, "refer", body, Twice::Different).await
    }

    /// Ends a call.
    ///
    /// # Errors
    ///
    /// [`SipError`]; [`SipError::Gone`] when it was over already.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped may have ended the call.
    pub async fn hang_up(&self, call: &SipCallId) -> Result<(), SipError> {
        self.request(call, "hangup", String::new(), Twice::Same).await
    }

    /// Opens the control socket of a call that was accepted, and tells the model the whole configuration but the formats,
    /// which are between the carrier and the provider. Gives both sides of a bridge.
    ///
    /// # Errors
    ///
    /// [`SipError::Gone`] when the caller has hung up, the call was never accepted, or the provider did not like what it was
    /// told when it was; [`SipError::Socket`] for anything else. Hang up then: a model that nobody watches talks to the
    /// caller.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the socket; the call goes on.
    pub async fn attach(
        &self,
        call: &SipCallId,
        config: &SessionConfig,
    ) -> Result<(ElsewhereLine, SipSession), SipError> {
        let limit = self.client.config().connect_timeout;
        let until = Instant::now() + limit;
        let mut pause = PAUSE;
        let session = loop {
            match self.client.open_control(call, Some(config)).await {
                Ok(session) => break session,
                Err(ConnectError::Status { status: 404, .. }) => return Err(SipError::Gone),
                Err(error) if error.retryable() && Instant::now() + pause < until => sleep(pause).await,
                Err(error) => return Err(SipError::Socket(error)),
            }
            pause *= 2;
        };
        let start = MediaStart::new(call.as_str(), session.info().id.as_str());
        let (line, far_end) = elsewhere(session.info().output_format, start);
        Ok((line, SipSession::new(self.client.clone(), call.clone(), session, far_end)))
    }

    /// Does what the end of a bridge asks for: a call that was [detached](EndReason::Detached) is referred to `target`, or
    /// goes on where there is none; a caller who hung up needs nothing; every other call is ended, since nobody leads its
    /// model any more.
    ///
    /// # Errors
    ///
    /// [`SipError`]. After a transfer that failed the caller is still connected to the model, and nobody leads it:
    /// attach again or hang up.
    ///
    /// # Cancel safety
    ///
    /// As [`refer`](SipCalls::refer) and [`hang_up`](SipCalls::hang_up).
    pub async fn leave(
        &self,
        call: &SipCallId,
        reason: &EndReason,
        target: Option<&ReferTarget>,
    ) -> Result<Left, SipError> {
        let (done, left) = match (reason, target) {
            (EndReason::CallerHungUp, _) => return Ok(Left::Over),
            (EndReason::Detached, None) => return Ok(Left::GoesOn),
            (EndReason::Detached, Some(target)) => (self.refer(call, target).await, Left::Referred),
            _ => (self.hang_up(call).await, Left::HungUp),
        };
        match done {
            Ok(()) => Ok(left),
            Err(SipError::Gone) => Ok(Left::Over),
            Err(error) => Err(error),
        }
    }

    async fn request(&self, call: &SipCallId, action: &str, body: String, twice: Twice) -> Result<(), SipError> {
        let until = Instant::now() + self.client.config().connect_timeout;
        let (mut pause, mut uncertain) = (PAUSE, false);
        loop {
            let error = match self.attempt(call, action, body.clone()).await {
                Ok(()) => return Ok(()),
                // An earlier attempt was carried out after all.
                Err(SipError::Refused { status: 409, .. }) if uncertain => return Ok(()),
                Err(error) => error,
            };
            let maybe = error.may_have_happened();
            let harmless = twice == Twice::Same || !maybe;
            let wait = error.retry_after().map_or(pause, |asked| asked.max(pause));
            if !error.retryable() || !harmless || Instant::now() + wait >= until {
                // Of a call that is over it does not matter what was done before.
                let hides = uncertain && !maybe && !error.is_gone();
                return Err(if hides { SipError::Uncertain(Box::new(error)) } else { error });
            }
            uncertain |= maybe;
            tracing::debug!(action, %call, %error, "the request about a call is repeated");
            sleep(wait).await;
            pause *= 2;
        }
    }

    async fn attempt(&self, call: &SipCallId, action: &str, body: String) -> Result<(), SipError> {
        let endpoint = self.client.endpoint();
        let limit = ATTEMPT.min(self.client.config().connect_timeout);
        let answer = timeout(limit, exchange(endpoint, endpoint.about(call, action, body))).await;
        let answer = answer.unwrap_or(Err(SipError::TimedOut { limit }))?;
        // A success has no body, or one that says nothing.
        if answer.status().is_success() { Ok(()) } else { Err(refusal(&answer)) }
    }
}

fn refusal(answer: &Response<Vec<u8>>) -> SipError {
    if answer.status() == StatusCode::NOT_FOUND {
        return SipError::Gone;
    }
    let error = error_in_body(answer.body());
    let retry_after = answer.headers().contains_key(header::RETRY_AFTER).then(|| retry_after(answer.headers()));
    SipError::Refused { status: answer.status().as_u16(), error, retry_after: retry_after.flatten() }
}

fn config_problems(error: ConnectError) -> SipError {
    match error {
        ConnectError::Config { problems } => SipError::Config { problems },
        error => SipError::Socket(error),
    }
}
