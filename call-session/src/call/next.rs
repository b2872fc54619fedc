//! What the caller gets when a stretch of audio is over.

use super::{Attachment, CallSummary, Status};
use crate::id::StreamId;

/// How often in a row a stream may fail before the caller said anything on it. What fails twice would fail again, and a
/// caller is not sent round in circles.
const FAILURES: usize = 2;

/// The cause of a stream that a server left to go away. No failure: another server has the caller next.
pub const DRAINED: &str = "drained";

/// The cause of a stream that was left to press keys. No failure: it comes back.
pub const KEYS: &str = "keys";

/// The cause of a stream for which there was no model. It was tried for seconds already: the caller is not made to wait
/// for it again.
pub const NO_MODEL: &str = "no-model";

/// What the caller gets when a stretch of audio is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Next {
    /// Nothing more: the conversation had its end, or the call is over.
    HangUp,
    /// Another stream and another model session, which goes on where the caller was cut off.
    Reconnect,
    /// The caller is on the way to a person: the room.
    Room,
    /// An apology, then the end.
    Apologize,
    /// Nothing from this door: a newer stream has the caller.
    Elsewhere,
}

impl CallSummary {
    /// What the caller gets now that this stream is over, however it ended. A stream of which nothing was heard counts as
    /// lost.
    ///
    /// ```
    /// # use call_session::{call::{CallSession, NewCall, Next, SessionEvent}, id::{NodeId, SessionId, StreamId}};
    /// # let now: jiff::Timestamp = "2026-11-21T09:00:00Z".parse()?;
    /// # let mut call = CallSession::new(SessionId::new(), now, NewCall::inbound("+819012345678", "+81312345678"));
    /// let (stream, node) = (StreamId::new(), NodeId::unique());
    /// call.take([
    ///     SessionEvent::StreamExpected { stream }.at(now),
    ///     SessionEvent::StreamAttached { stream, sid: None, node }.at(now),
    ///     SessionEvent::StreamDetached { stream, cause: "line-failed".into(), orderly: false }.at(now),
    /// ])?;
    /// assert_eq!(call.summary.after_stream(stream), Next::Reconnect);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn after_stream(&self, stream: StreamId) -> Next {
        if self.status.is_terminal() {
            return Next::HangUp;
        }
        if self.status == Status::WithAgent || self.moving {
            return Next::Room;
        }
        if self.attachments.last().is_some_and(|last| last.stream != stream && last.detached.is_none()) {
            return Next::Elsewhere;
        }
        let detached = self.attachments.iter().rev().find(|attachment| attachment.stream == stream);
        let orderly = detached.and_then(|attachment| attachment.detached.as_ref()).is_some_and(|end| end.orderly);
        if orderly || self.end_requested.is_some() {
            return Next::HangUp;
        }
        let cause = |attachment: &Attachment| attachment.detached.as_ref().map(|end| end.cause.clone());
        let failed = |attachment: &&Attachment| !matches!(cause(attachment).as_deref(), Some(DRAINED | KEYS));
        let silent = self.attachments.iter().rev().take_while(|attachment| !attachment.spoken);
        let hopeless = detached.and_then(cause).is_some_and(|cause| cause == NO_MODEL);
        if hopeless || silent.filter(failed).count() >= FAILURES { Next::Apologize } else { Next::Reconnect }
    }
}
