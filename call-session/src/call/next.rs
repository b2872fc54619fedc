//! What the caller gets when a stretch of audio is over.

use super::{Attachment, CallSummary, HandoffEnd, PersonLeg};
use crate::{
    handoff::Route,
    id::{LegId, StreamId},
};

/// How often in a row a stream may fail before the caller said anything on it. What fails twice would fail again, and a
/// caller is not sent round in circles.
const FAILURES: usize = 2;

/// The cause of a stream that a server left to go away. No failure: another server has the caller next.
pub const DRAINED: &str = "drained";

/// The cause of a stream that was left to press keys. No failure: it comes back.
pub const KEYS: &str = "keys";

/// The cause of a stream that was left for a person. No failure, and no end of the conversation: if nothing comes of it, the
/// agent has the caller again.
pub const HANDED_OVER: &str = "handed-over";

/// The cause of a stream for which there was no model. It was tried for seconds already: the caller is not made to wait
/// for it again.
pub const NO_MODEL: &str = "no-model";

/// The cause of a stream whose line said that it is over.
pub(super) const CALLER_HUNG_UP: &str = "caller-hung-up";

/// Where the caller shall be. Every document that a caller's leg asks for follows from this, so that it does not matter
/// which door asks, or when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Place {
    /// With the agent.
    Agent,
    /// In the room.
    Room,
    /// Dialling a person directly.
    Dial(LegId),
    /// Waiting until it is known who is dialled next.
    Wait,
    /// Hearing a goodbye, then nowhere.
    Goodbye,
    /// Nowhere: the call is over.
    Gone,
}

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
    /// Nothing from this door: a newer stream is up and has the caller.
    Elsewhere,
}

impl CallSummary {
    /// Where the caller shall be now.
    #[must_use]
    pub fn place(&self) -> Place {
        if self.status.is_terminal() {
            return Place::Gone;
        }
        let Some(handoff) = &self.handoff else { return Place::Agent };
        match (&handoff.ended, handoff.plan.route) {
            (Some((_, HandoffEnd::Finished)), _) => Place::Goodbye,
            (Some(_), _) => Place::Agent,
            (None, _) if handoff.moving.is_none() && handoff.connected.is_none() => Place::Agent,
            (None, Route::Room) => Place::Room,
            (None, Route::Direct) => self.wanted_leg().map_or(Place::Wait, Place::Dial),
            // Whoever was asked to move the caller has done so, to where no document of ours is asked for.
            (None, Route::Refer) => Place::Gone,
        }
    }

    /// The caller comes to the room by a document that no door is asked for, and was at no door since that was decided.
    pub(crate) fn is_run_to_room(&self) -> bool {
        let moving = |handoff: &super::Handoff| {
            handoff.plan.route == Route::Room && handoff.moving.is_some_and(|moving| handoff.caller_since <= moving)
        };
        self.mode == super::Mode::Conference && self.handoff.as_ref().is_some_and(moving)
    }

    /// The caller shall be with a person, or wait for one, and not with the agent.
    pub(super) fn is_moved_out(&self) -> bool {
        matches!(self.place(), Place::Room | Place::Dial(_) | Place::Wait)
    }

    /// The leg that is waited for, or has the caller: there is at most one.
    #[must_use]
    pub fn wanted_leg(&self) -> Option<LegId> {
        let handoff = self.handoff.as_ref()?;
        handoff.legs.iter().copied().rfind(|leg| self.legs.get(leg).is_some_and(PersonLeg::is_wanted))
    }

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
        match self.place() {
            Place::Agent => {}
            Place::Goodbye | Place::Gone => return Next::HangUp,
            Place::Room | Place::Dial(_) | Place::Wait => return Next::Room,
        }
        let last = self.attachments.last().filter(|last| last.stream != stream && last.detached.is_none());
        if last.is_some_and(|last| last.node.is_some()) {
            return Next::Elsewhere;
        }
        let known = self.attachments.iter().rev().find(|attachment| attachment.stream == stream);
        let end = known.and_then(|attachment| attachment.detached.as_ref());
        let orderly = end.is_some_and(|end| end.orderly);
        if orderly || self.end_requested.is_some() {
            return Next::HangUp;
        }
        let failed = |attachment: &&Attachment| match &attachment.detached {
            // What somebody wanted is no failure, such as a redirect to a person.
            Some(end) => !end.orderly && ![DRAINED, KEYS, HANDED_OVER].contains(&end.cause.as_str()),
            // One that was never asked about: its announcement was lost, or the line was led elsewhere and nobody was left to
            // write that down.
            None => attachment.stream == stream,
        };
        let silent = self.attachments.iter().rev().take_while(|attachment| !attachment.spoken);
        let hopeless = end.is_some_and(|end| end.cause == NO_MODEL);
        if hopeless || silent.filter(failed).count() >= FAILURES { Next::Apologize } else { Next::Reconnect }
    }
}
