//! Everything that happened in a call, in order.

use std::{fmt, time::Duration};

use twilio_twiml::{
    sid::{ConferenceSid, StreamSid},
    webhook::WhyLeft,
    words::AnsweredBy,
};

use super::{debugger::Alert, report::CallEnd};

/// What happened in a call, in the order of time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Timeline {
    moments: Vec<Moment>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Moment {
    /// When, since the call was placed.
    pub at: Duration,
    /// What.
    pub event: Event,
}

/// What can happen in a call.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The caller dialled.
    Placed {
        /// Who calls.
        from: String,
        /// Who is called.
        to: String,
    },
    /// Dialling has begun, in a call that the account makes.
    Dialled,
    /// The telephone rings, in a call that the account makes.
    Ringing,
    /// It was found out who answered.
    Detected {
        /// Who.
        answered_by: AnsweredBy,
        /// How long it took, from the answer.
        took: Duration,
    },
    /// The REST API gave the call something else to do.
    Redirected,
    /// The leg is in a room.
    RoomJoined {
        /// The room's name.
        name: String,
        /// The conference.
        conference_sid: ConferenceSid,
    },
    /// The room has started: the leg hears the others, and they hear it.
    RoomStarted,
    /// The leg hears a programme of its own: it waits, or is on hold.
    RoomWaits,
    /// The leg has left the room.
    RoomLeft {
        /// Why.
        reason: WhyLeft,
    },
    /// A webhook was sent.
    WebhookSent {
        /// What for.
        purpose: &'static str,
        /// `POST` or `GET`.
        method: &'static str,
        /// Where to.
        url: String,
    },
    /// A webhook was answered.
    WebhookAnswered {
        /// What for.
        purpose: &'static str,
        /// The HTTP status.
        status: u16,
        /// From the request to the last byte of the answer.
        took: Duration,
    },
    /// A document was read.
    Document {
        /// As it came.
        twiml: String,
    },
    /// The call was answered.
    Answered,
    /// A verb begins.
    Verb {
        /// Its tag.
        name: &'static str,
        /// What it is told to do.
        detail: String,
    },
    /// A media stream is up: `start` is on its way.
    StreamStarted {
        /// Its identifier.
        stream_sid: StreamSid,
    },
    /// A media stream is down.
    StreamEnded {
        /// Its identifier.
        stream_sid: StreamSid,
        /// Why.
        reason: StreamEnd,
    },
    /// The agent is heard.
    AgentBegan,
    /// The agent is not heard any more.
    AgentStopped,
    /// The caller speaks.
    CallerBegan,
    /// The caller has stopped speaking.
    CallerStopped,
    /// What the caller is saying.
    CallerSays {
        /// The words.
        text: String,
    },
    /// The caller pressed a key.
    KeyPressed {
        /// Which.
        key: char,
    },
    /// The network begins to lose what the caller says.
    AudioLost {
        /// For how long.
        time: Duration,
    },
    /// The server set a mark.
    MarkSet {
        /// Its name.
        name: String,
    },
    /// A mark was returned.
    MarkReturned {
        /// Its name.
        name: String,
        /// Whether a clear released it, so that the audio before it may not have been heard.
        cleared: bool,
    },
    /// The server dropped what was not yet played.
    Cleared {
        /// Audio that nobody will hear.
        dropped: Duration,
        /// Marks released with it.
        marks: usize,
    },
    /// Twilio's debugger has a new entry.
    Alert(Alert),
    /// Something that Twilio does without a word, and that is rarely meant.
    Trap {
        /// What.
        text: String,
    },
    /// A message of the server was ignored. Twilio logs only the first of its kind in a stream.
    MessageRefused {
        /// What is wrong with it.
        reason: String,
    },
    /// The call is over.
    Ended(CallEnd),
}

/// Why a media stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StreamEnd {
    /// The server closed the WebSocket.
    ServerClosed,
    /// The server's end of the connection broke.
    ConnectionLost,
    /// The script dropped the socket.
    SocketDropped,
    /// The call ended.
    CallEnded,
    /// The REST API gave the call something else to do.
    Redirected,
    /// `<Stop>`, of a stream that goes one way.
    Stopped,
}

impl Timeline {
    /// What happened, in the order of time.
    #[must_use]
    pub fn moments(&self) -> &[Moment] {
        &self.moments
    }

    /// When this first happened, since the call was placed.
    pub fn first(&self, mut matches: impl FnMut(&Event) -> bool) -> Option<Duration> {
        self.moments.iter().find(|moment| matches(&moment.event)).map(|moment| moment.at)
    }

    /// The debugger's entries.
    pub fn alerts(&self) -> impl Iterator<Item = &Alert> {
        self.moments.iter().filter_map(|moment| match &moment.event {
            Event::Alert(alert) => Some(alert),
            _ => None,
        })
    }

    /// Puts something in its place. Most things happen after all others; the end of speech is known a little later.
    pub(super) fn push(&mut self, at: Duration, event: Event) {
        let place = self.moments.iter().rposition(|moment| moment.at <= at).map_or(0, |earlier| earlier + 1);
        self.moments.insert(place, Moment { at, event });
    }
}

impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for moment in &self.moments {
            writeln!(f, "{moment}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>9.3} s  {}", self.at.as_secs_f64(), self.event)
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Placed { from, to } => write!(f, "call      {from} → {to}"),
            Self::Dialled => f.write_str("call      is dialled"),
            Self::Ringing => f.write_str("call      rings"),
            Self::Detected { answered_by, took } => {
                write!(f, "call      answered by {answered_by}, known after {} ms", took.as_millis())
            }
            Self::Redirected => f.write_str("call      redirected by the REST API"),
            Self::RoomJoined { name, conference_sid } => write!(f, "room      {name} joined ({conference_sid})"),
            Self::RoomStarted => f.write_str("room      hears the others"),
            Self::RoomWaits => f.write_str("room      hears music, or what it is given to hear"),
            Self::RoomLeft { reason } => write!(f, "room      left: {reason}"),
            Self::WebhookSent { purpose, method, url } => write!(f, "webhook   {purpose}: {method} {url}"),
            Self::WebhookAnswered { purpose, status, took } => {
                write!(f, "webhook   {purpose}: {status} after {} ms", took.as_millis())
            }
            Self::Document { twiml } => {
                write!(f, "document")?;
                twiml.lines().try_for_each(|line| write!(f, "\n{:23}{line}", ""))
            }
            Self::Answered => f.write_str("call      answered"),
            Self::Verb { name, detail } => write!(f, "verb      <{name}> {detail}"),
            Self::StreamStarted { stream_sid } => write!(f, "stream    {stream_sid} started"),
            Self::StreamEnded { stream_sid, reason } => write!(f, "stream    {stream_sid} ended: {reason}"),
            Self::AgentBegan => f.write_str("agent     ▶ is heard"),
            Self::AgentStopped => f.write_str("agent     ■ is silent"),
            Self::CallerBegan => f.write_str("caller    ▶ speaks"),
            Self::CallerStopped => f.write_str("caller    ■ is silent"),
            Self::CallerSays { text } => write!(f, "caller    “{text}”"),
            Self::KeyPressed { key } => write!(f, "caller    presses {key}"),
            Self::AudioLost { time } => write!(f, "network   loses {} ms of the caller", time.as_millis()),
            Self::MarkSet { name } => write!(f, "mark      {name} set"),
            Self::MarkReturned { name, cleared: false } => write!(f, "mark      {name} played"),
            Self::MarkReturned { name, cleared: true } => write!(f, "mark      {name} released by a clear"),
            Self::Cleared { dropped, marks } => {
                write!(f, "clear     drops {} ms and {marks} marks", dropped.as_millis())
            }
            Self::Trap { text } => write!(f, "trap      {text}"),
            Self::Alert(alert) => write!(f, "debugger  {alert}"),
            Self::MessageRefused { reason } => write!(f, "stream    message ignored: {reason}"),
            Self::Ended(end) => write!(f, "call      over: {end}"),
        }
    }
}

impl fmt::Display for StreamEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ServerClosed => "the server closed the WebSocket",
            Self::ConnectionLost => "the connection was lost",
            Self::SocketDropped => "the network dropped the socket",
            Self::CallEnded => "the call ended",
            Self::Redirected => "the call was redirected",
            Self::Stopped => "it was stopped",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_late_still_stands_in_its_place() {
        let mut timeline = Timeline::default();
        let ms = Duration::from_millis;
        timeline.push(ms(0), Event::Answered);
        timeline.push(ms(20), Event::AgentBegan);
        timeline.push(ms(300), Event::CallerBegan);
        timeline.push(ms(100), Event::AgentStopped);
        timeline.push(ms(300), Event::KeyPressed { key: '1' });
        let order: Vec<_> = timeline.moments().iter().map(|moment| moment.at.as_millis()).collect();
        assert_eq!(order, [0, 20, 100, 300, 300]);
        assert_eq!(timeline.first(|event| *event == Event::AgentStopped), Some(ms(100)));
        assert_eq!(timeline.moments()[4].event, Event::KeyPressed { key: '1' });
    }
}
