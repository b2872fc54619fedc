//! The control socket of a call, which is opened again when it is lost.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::{Sink, SinkExt, Stream, StreamExt};
use tokio::time::{Instant, sleep, timeout};

use super::SipCallId;
use crate::{
    media::elsewhere::FarEnd,
    realtime::{
        Capabilities, CloseReason, ConnectError, RealtimeCommand, RealtimeEvent, RealtimeSession, SessionError,
        SessionInfo,
        openai::{OpenAiClient, OpenAiSession},
    },
};

/// How long a lost control socket may take to be opened again: less than a bridge waits for a side that takes nothing.
const ATTACH_AGAIN: Duration = Duration::from_secs(8);

/// The first pause before another attempt, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// The conversation of a call whose audio goes between the carrier and the provider.
///
/// A socket that is closed or lost is opened again; what the provider said meanwhile is not known. When the call is over,
/// its [line](crate::media::elsewhere) tells that the caller has hung up, and this stream ends. Audio of the caller is not
/// taken: it is there already.
///
/// Closing the sink closes the socket, and the call goes on: [`leave`](super::SipCalls::leave) ends it.
pub struct SipSession {
    client: OpenAiClient,
    call: SipCallId,
    state: State,
    far_end: FarEnd,
    capabilities: Capabilities,
    info: SessionInfo,
}

type Attaching = Pin<Box<dyn Future<Output = Result<OpenAiSession, ConnectError>> + Send>>;

enum State {
    Open(Box<OpenAiSession>),
    /// Lost for this reason, and being opened again.
    Lost(SessionError, Attaching),
    /// The line was told that the call is over; this stream ends after that.
    HungUp,
    Over,
}

impl SipSession {
    pub(super) fn new(client: OpenAiClient, call: SipCallId, session: OpenAiSession, far_end: FarEnd) -> Self {
        let (capabilities, info) = (session.capabilities().clone(), session.info().clone());
        Self { client, call, state: State::Open(Box::new(session)), far_end, capabilities, info }
    }

    /// The call.
    #[must_use]
    pub const fn call(&self) -> &SipCallId {
        &self.call
    }

    fn lost(&mut self, error: SessionError) {
        tracing::info!(call = %self.call, %error, "the control socket is lost; it is opened again");
        let (client, call) = (self.client.clone(), self.call.clone());
        self.state = State::Lost(error, Box::pin(attach_again(client, call)));
    }
}

/// Opens the socket again; the session behind it is still the same.
async fn attach_again(client: OpenAiClient, call: SipCallId) -> Result<OpenAiSession, ConnectError> {
    let until = Instant::now() + ATTACH_AGAIN;
    let mut pause = PAUSES.0;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let attempt = timeout(left, client.open_control(&call, None)).await;
        let limit = ATTACH_AGAIN;
        let attempt = attempt.unwrap_or(Err(ConnectError::Timeout { limit, waiting_for: "the control socket" }));
        match attempt {
            Err(error) if error.retryable() && Instant::now() + pause < until => sleep(pause).await,
            attempt => return attempt,
        }
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// Whether a new socket may help.
fn is_lost(error: &SessionError) -> bool {
    match error {
        SessionError::Closed(_) | SessionError::Silent { .. } | SessionError::Transport(_) => true,
        SessionError::Malformed { .. }
        | SessionError::Oversize { .. }
        | SessionError::Stalled { .. }
        | SessionError::WrongFormat { .. } => false,
    }
}

impl Stream for SipSession {
    type Item = Result<RealtimeEvent, SessionError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match &mut self.state {
                State::HungUp | State::Over => {
                    self.state = State::Over;
                    return Poll::Ready(None);
                }
                State::Open(session) => match ready!(session.poll_next_unpin(cx)) {
                    // The provider plays it, whether or not it is told here.
                    Some(Ok(RealtimeEvent::Audio { .. })) => {}
                    Some(Ok(event)) => return Poll::Ready(Some(Ok(event))),
                    Some(Err(error)) if is_lost(&error) => self.lost(error),
                    Some(Err(error)) => {
                        self.state = State::Over;
                        return Poll::Ready(Some(Err(error)));
                    }
                    // The end of a call looks the same as a server that restarts.
                    None => self.lost(SessionError::Closed(CloseReason::new(Some(1_000), ""))),
                },
                State::Lost(_, attaching) => match ready!(attaching.as_mut().poll(cx)) {
                    Ok(session) => self.state = State::Open(Box::new(session)),
                    Err(ConnectError::Status { status: 404, .. }) => {
                        self.state = State::HungUp;
                        self.far_end.hung_up();
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    Err(error) => {
                        tracing::warn!(call = %self.call, %error, "the control socket cannot be opened again");
                        let State::Lost(lost, _) = std::mem::replace(&mut self.state, State::Over) else {
                            return Poll::Ready(None);
                        };
                        return Poll::Ready(Some(Err(lost)));
                    }
                },
            }
        }
    }
}

impl Sink<RealtimeCommand> for SipSession {
    type Error = SessionError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SessionError>> {
        match &mut self.state {
            State::Open(session) => match ready!(session.poll_ready_unpin(cx)) {
                Err(error) if is_lost(&error) => {
                    self.lost(error);
                    // Whoever reads opens it again.
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
                ready => Poll::Ready(ready),
            },
            // Reading goes on, and wakes whoever writes.
            State::Lost(..) | State::HungUp => Poll::Pending,
            State::Over => Poll::Ready(Err(SessionError::Closed(CloseReason::new(None, "")))),
        }
    }

    fn start_send(mut self: Pin<&mut Self>, command: RealtimeCommand) -> Result<(), SessionError> {
        match &mut self.state {
            // The provider has the caller's audio from the carrier.
            State::Open(_) if matches!(command, RealtimeCommand::Append(_)) => Ok(()),
            State::Open(session) => match session.start_send_unpin(command) {
                Err(error) if is_lost(&error) => {
                    self.lost(error);
                    Ok(())
                }
                sent => sent,
            },
            State::Lost(..) | State::HungUp | State::Over => Ok(()),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SessionError>> {
        match &mut self.state {
            State::Open(session) => match ready!(session.poll_flush_unpin(cx)) {
                Err(error) if is_lost(&error) => {
                    self.lost(error);
                    cx.waker().wake_by_ref();
                    Poll::Ready(Ok(()))
                }
                flushed => Poll::Ready(flushed),
            },
            State::Lost(..) | State::HungUp | State::Over => Poll::Ready(Ok(())),
        }
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SessionError>> {
        if let State::Open(session) = &mut self.state {
            ready!(session.poll_close_unpin(cx))?;
        }
        self.state = State::Over;
        Poll::Ready(Ok(()))
    }
}

impl RealtimeSession for SipSession {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn info(&self) -> &SessionInfo {
        &self.info
    }
}

impl fmt::Debug for SipSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Open(_) => "open",
            State::Lost(..) => "lost",
            State::HungUp | State::Over => "over",
        };
        f.debug_struct("SipSession").field("call", &self.call).field("state", &state).finish_non_exhaustive()
    }
}
