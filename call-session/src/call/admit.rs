//! Whether an event may happen to a call.
//!
//! Twilio's callbacks come late, twice and in any order; two servers may hear of the same thing. So whatever is told of a
//! call is proposed first. What is known already is passed over, what contradicts the call is refused, the rest happens.

use twilio_twiml::sid::CallSid;

use super::{
    CallSession, Detached, HANDED_OVER, HandoffEvent, KEYS, Line, PersonLeg, SessionEvent, Stamped, Status,
    next::CALLER_HUNG_UP,
};
use crate::id::StreamId;

/// Why an event cannot happen to a call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// A call is created once.
    #[error("the call exists already")]
    Exists,
    /// The call is over.
    #[error("the call is over")]
    Over,
    /// The call has another name at Twilio.
    #[error("the call is {known} at Twilio, not {told}")]
    AnotherCall {
        /// The one it has.
        known: CallSid,
        /// The one that was told.
        told: CallSid,
    },
    /// The stream is up already, or was: each comes up once.
    #[error("the stream {0} has been used")]
    StreamUsed(StreamId),
    /// Nobody told the line to open this stream.
    #[error("the stream {0} is not expected")]
    StreamUnexpected(StreamId),
    /// The end of a call is a terminal status.
    #[error("`{}` is no end", .0.name())]
    NoEnd(Status),
    /// The caller is being handed over already, or is with a person.
    #[error("the caller is being handed over, or was")]
    HandoffUnderWay,
    /// Nobody has picked up yet who could be handed over.
    #[error("nobody is there to be handed over")]
    NobodyThere,
    /// Nobody hands the caller over.
    #[error("no handoff is under way")]
    NoHandoff,
    /// The caller is in no room with a person in which somebody could be with them, or that one is not.
    #[error("nobody is in a room")]
    NobodyInRoom,
    /// The leg is not the one that is waited for: it is over, was given up, or another has the caller.
    #[error("the leg is not wanted any more")]
    LegUnwanted,
    /// The crate does not know the event.
    #[error("an event of a later version")]
    Unknown,
}

impl CallSession {
    /// Whether this may happen to the call: `Ok(true)` if it does, `Ok(false)` if it is known already.
    ///
    /// # Errors
    ///
    /// [`Refused`] when it contradicts what is known of the call.
    pub fn admit(&self, event: &SessionEvent) -> Result<bool, Refused> {
        let call = &self.summary;
        let over = call.status.is_terminal();
        let news = match event {
            SessionEvent::Created(_) => return Err(Refused::Exists),
            SessionEvent::Unknown => return Err(Refused::Unknown),
            SessionEvent::Bound { call: told } => match &call.call_sid {
                None => true,
                Some(known) if known == told => false,
                Some(known) => return Err(Refused::AnotherCall { known: known.clone(), told: told.clone() }),
            },
            // Late ones still say when it was.
            SessionEvent::Ringing => call.times.ringing.is_none(),
            SessionEvent::Answered => call.times.answered.is_none(),
            SessionEvent::PickedUp { by } => call.answered_by.is_none_or(|known| known < *by),
            SessionEvent::StreamExpected { stream } => {
                if over {
                    return Err(Refused::Over);
                }
                if self.has(*stream) {
                    return Err(Refused::StreamUsed(*stream));
                }
                true
            }
            SessionEvent::StreamAttached { stream, .. } => return self.admit_stream(*stream, over),
            SessionEvent::StreamDetached { stream, cause, orderly } => {
                let known = call.attachments.iter().find(|attachment| attachment.stream == *stream);
                let known = known.ok_or(Refused::StreamUnexpected(*stream))?.detached.as_ref();
                // A goodbye that was heard is the end of the conversation, whatever was told of the line before. The line
                // itself cannot tell a caller who has gone from one who was led elsewhere.
                known.is_none_or(|known| *orderly && !known.orderly && cause != CALLER_HUNG_UP)
            }
            // Only of what is written down before it happens can it be known that it does not.
            SessionEvent::StreamStays { stream } => {
                let left = |end: &Detached| end.cause == KEYS;
                let last = call.attachments.last().filter(|last| last.stream == *stream && last.node.is_some());
                !over && last.and_then(|last| last.detached.as_ref()).is_some_and(left)
            }
            SessionEvent::ModelAttached { stream, session, .. } => {
                let known = call.attachments.iter().find(|attachment| attachment.stream == *stream);
                known.ok_or(Refused::StreamUnexpected(*stream))?.model.as_ref() != Some(session)
            }
            SessionEvent::Said { lines } => lines.iter().any(|line| self.is_news(line)),
            SessionEvent::ToolStarted { run } => {
                let known = self.tools.iter().any(|other| other.key == run.key);
                if over && !known {
                    return Err(Refused::Over);
                }
                !known
            }
            SessionEvent::ToolFinished { key, outcome, .. } => {
                self.tools.iter().any(|run| run.key == *key && run.may_end_with(*outcome))
            }
            SessionEvent::Recorded { recording } => {
                let known = call.recordings.iter().find(|known| known.sid == recording.sid);
                known.is_none_or(|known| known.with(recording) != *known)
            }
            SessionEvent::Room { conference } => call.conference.as_ref() != Some(conference),
            SessionEvent::Handoff(event) => return self.admit_handoff(event, over),
            SessionEvent::Supervision(event) => return call.admit_supervision(event),
            SessionEvent::EndRequested { .. } => !over && call.end_requested.is_none(),
            SessionEvent::EndCalledOff => !over && call.end_requested.is_some(),
            SessionEvent::Concluded { outcome } => !call.concluded || call.outcome != Some(*outcome),
            SessionEvent::Lasted { seconds } => call.seconds != Some(*seconds),
            SessionEvent::Ended(ending) => {
                if !ending.status.is_terminal() {
                    return Err(Refused::NoEnd(ending.status));
                }
                !over
            }
            // One that comes with a callback of the line comes again with its repetition.
            SessionEvent::Problem { what, code } => {
                code.is_none() || call.problem.as_ref() != Some(what) || call.problem_code != *code
            }
            SessionEvent::ModelDetached { .. }
            | SessionEvent::Noted { .. }
            | SessionEvent::Summarised { .. }
            | SessionEvent::Used { .. }
            | SessionEvent::KeysPressed { .. }
            | SessionEvent::KeysSent { .. } => true,
        };
        Ok(news)
    }

    /// What of these proposals happens, in order. The call takes it in.
    ///
    /// # Errors
    ///
    /// [`Refused`] for the first that cannot happen; the call has taken in those before it.
    pub fn take(&mut self, proposals: impl IntoIterator<Item = Stamped>) -> Result<Vec<Stamped>, Refused> {
        let mut happened = Vec::new();
        for proposal in proposals {
            happened.extend(self.take_one(proposal)?);
        }
        Ok(happened)
    }

    /// What happens of what a provider tells at once, in order: each stands for itself, and what the call does not allow is
    /// passed over, as it comes late. The call takes it in.
    ///
    /// # Errors
    ///
    /// [`Refused::AnotherCall`] when it is about a call with another name. Nothing of it is to be kept then; the call may have
    /// taken in what came before.
    pub fn hear(&mut self, told: impl IntoIterator<Item = Stamped>) -> Result<Vec<Stamped>, Refused> {
        let mut happened = Vec::new();
        for proposal in told {
            match self.take_one(proposal) {
                Ok(one) => happened.extend(one),
                Err(refused @ Refused::AnotherCall { .. }) => return Err(refused),
                Err(_) => {}
            }
        }
        Ok(happened)
    }

    /// What of this proposal happens: of lines only those that are news.
    pub(crate) fn take_one(&mut self, mut proposal: Stamped) -> Result<Option<Stamped>, Refused> {
        if !self.admit(&proposal.event)? {
            return Ok(None);
        }
        match &mut proposal.event {
            SessionEvent::Said { lines } => lines.retain(|line| self.is_news(line)),
            // The line cannot tell a caller who is moved from one who hangs up.
            SessionEvent::StreamDetached { cause, orderly, .. }
                if cause == CALLER_HUNG_UP && self.summary.is_moved_out() =>
            {
                (*cause, *orderly) = (HANDED_OVER.to_owned(), false);
            }
            _ => {}
        }
        self.apply(&proposal);
        Ok(Some(proposal))
    }

    fn has(&self, stream: StreamId) -> bool {
        self.summary.attachments.iter().any(|attachment| attachment.stream == stream)
    }

    fn admit_stream(&self, stream: StreamId, over: bool) -> Result<bool, Refused> {
        let known = self.summary.attachments.iter().find(|attachment| attachment.stream == stream);
        let known = known.ok_or(Refused::StreamUnexpected(stream))?;
        if known.node.is_some() || known.detached.is_some() {
            return Err(Refused::StreamUsed(stream));
        }
        if over { Err(Refused::Over) } else { Ok(true) }
    }

    /// A complete line stays as it is; any other may get more words.
    fn is_news(&self, line: &Line) -> bool {
        self.transcript.iter().rev().find(|known| known.is(line)).is_none_or(|known| !known.complete && known != line)
    }

    fn admit_handoff(&self, event: &HandoffEvent, over: bool) -> Result<bool, Refused> {
        let call = &self.summary;
        if let HandoffEvent::Requested { .. } = event {
            return match call.status {
                _ if over => Err(Refused::Over),
                Status::Transferring | Status::WithAgent => Err(Refused::HandoffUnderWay),
                status if !status.is_talking() => Err(Refused::NobodyThere),
                _ => Ok(true),
            };
        }
        if *event == HandoffEvent::Unknown {
            return Err(Refused::Unknown);
        }
        let handoff = call.handoff.as_ref().ok_or(Refused::NoHandoff)?;
        let leg = |id| call.legs.get(id).ok_or(Refused::NoHandoff);
        // Legs are told to their end, whatever has become of the call.
        match event {
            HandoffEvent::Taken { by } => return Ok(handoff.runner.as_ref() != Some(by)),
            HandoffEvent::LegBound { leg: id, call: told } => {
                return match &leg(id)?.call {
                    None => Ok(true),
                    Some(known) if known == told => Ok(false),
                    Some(known) => Err(Refused::AnotherCall { known: known.clone(), told: told.clone() }),
                };
            }
            HandoffEvent::GivenUp { leg: id, .. } => return leg(id).map(PersonLeg::is_wanted),
            HandoffEvent::LegEnded { leg: id, .. } => return Ok(leg(id)?.ended.is_none()),
            // Told late, they say nothing new.
            HandoffEvent::Answered { leg: id } => return Ok(!leg(id)?.answered),
            HandoffEvent::MachineHeard { leg: id } => return leg(id).map(|leg| leg.is_wanted() && !leg.machine),
            HandoffEvent::PersonArrived { leg: id } => return Ok(!leg(id)?.arrived),
            HandoffEvent::CallerAt { place, told } => {
                return Ok(!over && handoff.caller != *place && !handoff.is_stale(told.as_ref()));
            }
            _ => {}
        }
        if over {
            return Err(Refused::Over);
        }
        if *event == HandoffEvent::Told && !handoff.under_way() {
            return Ok(!handoff.told);
        }
        if !handoff.under_way() {
            return Err(Refused::NoHandoff);
        }
        match event {
            HandoffEvent::FarewellOver => Ok(handoff.farewell_over.is_none()),
            HandoffEvent::Moving => Ok(handoff.moving.is_none()),
            HandoffEvent::Dialing { leg: id, .. } if call.legs.contains_key(id) => Ok(false),
            // One at a time: two could both accept.
            HandoffEvent::Dialing { .. } if call.wanted_leg().is_some() => Err(Refused::LegUnwanted),
            HandoffEvent::Dialing { .. } => Ok(true),
            HandoffEvent::Accepted { leg: id } if leg(id)?.accepted => Ok(false),
            HandoffEvent::Accepted { leg: id } if call.wanted_leg() != Some(*id) => Err(Refused::LegUnwanted),
            HandoffEvent::Accepted { .. } => Ok(true),
            HandoffEvent::Connected { .. } if handoff.connected.is_some() => Ok(false),
            HandoffEvent::Connected { leg: id } if !leg(id)?.accepted => Err(Refused::LegUnwanted),
            HandoffEvent::Connected { .. } | HandoffEvent::Returned | HandoffEvent::Failed { .. } => Ok(true),
            HandoffEvent::Finished if handoff.connected.is_none() => Err(Refused::NoHandoff),
            HandoffEvent::Finished => Ok(true),
            _ => Err(Refused::Unknown),
        }
    }
}
