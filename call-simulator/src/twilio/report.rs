//! What became of a call.

use std::{fmt, time::Duration};

use tokio::time::Instant;
use twilio_twiml::{
    sid::{CallSid, StreamSid},
    words::{AnsweredBy, CallStatus},
};

use super::{
    call_time::CallTime,
    debugger::Alert,
    measures::Measures,
    media_stream::StreamCounts,
    recording::Recording,
    room_stay::RoomStay,
    script::Phase,
    speech::SpeechSpan,
    timeline::{StreamEnd, Timeline},
};

/// A call that is over.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CallReport {
    /// The call.
    pub call_sid: CallSid,
    /// Why it ended.
    pub end: CallEnd,
    /// What Twilio calls it.
    pub status: CallStatus,
    /// When it was placed, on the clock of this process: zero of every other time in the report. These are times of what was
    /// played, and a busy machine plays late; [`CallReport::instant`] tells when that was.
    pub placed_at: Instant,
    /// When it was answered, since it was placed.
    pub answered: Option<Duration>,
    /// When it ended, since it was placed.
    pub ended: Duration,
    /// Everything that happened.
    pub timeline: Timeline,
    /// When the agent was heard. Whatever the caller hears is the agent here: Twilio's own voice too.
    pub agent_speech: Vec<SpeechSpan>,
    /// When the caller spoke.
    pub caller_speech: Vec<SpeechSpan>,
    /// How the call felt.
    pub measures: Measures,
    /// Keys that the telephone heard, from `<Play digits>` and `SendDigits`, without pauses.
    pub keys_heard: String,
    /// Who answered, if detection ran to its end.
    pub answered_by: Option<AnsweredBy>,
    /// The media streams, in the order they were opened.
    pub streams: Vec<StreamReport>,
    /// The media streams that were a copy of the call, of `<Start>`, in the order they ended.
    pub copies: Vec<StreamReport>,
    /// The stays in rooms, in order.
    pub rooms: Vec<RoomStay>,
    /// What was said.
    pub recording: Recording,
    /// The most that a frame of 20 ms was late because this machine was busy. Beyond a few ms the measures of the call
    /// say more about the machine than about the agent.
    pub worst_lateness: Duration,
    pub(super) time: CallTime,
}

/// A media stream that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamReport {
    /// The stream.
    pub stream_sid: StreamSid,
    /// When it was up, since the call was placed.
    pub started: Duration,
    /// When it was down, since the call was placed.
    pub ended: Duration,
    /// Why.
    pub reason: StreamEnd,
    /// What went over it.
    pub counts: StreamCounts,
    /// Audio that was received and never heard, because it was cleared or the stream ended before.
    pub unheard: Duration,
}

/// Why a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallEnd {
    /// The caller hung up.
    CallerHungUp {
        /// How far the call had come.
        phase: Phase,
    },
    /// The caller waited in vain for something that the script wanted, and hung up.
    CallerGaveUp {
        /// What the caller waited for.
        waiting_for: &'static str,
    },
    /// `<Hangup>`.
    HungUp,
    /// There was no verb left.
    DocumentEnded,
    /// No usable document came, so that Twilio ended the call.
    Failed(Alert),
    /// A verb or noun that the simulator does not play.
    NotPlayed {
        /// Its tag.
        verb: String,
    },
    /// Document followed document without anything for the caller to hear.
    RedirectLoop,
    /// The call was longer than its limit.
    TimeLimit,
    /// The telephone that was called is busy.
    Busy,
    /// Nobody answered the telephone that was called.
    NoAnswer,
    /// The telephone that was called cannot be reached.
    Unreachable {
        /// The carrier's answer.
        sip_status: u16,
    },
    /// The REST API gave the call up before it was answered.
    Canceled,
    /// The REST API ended the call.
    EndedByApi,
}

impl CallEnd {
    /// What Twilio calls it.
    pub(super) const fn status(&self, was_answered: bool) -> CallStatus {
        match self {
            _ if was_answered => CallStatus::Completed,
            Self::Busy => CallStatus::Busy,
            Self::Canceled => CallStatus::Canceled,
            // Whoever gives up while it rings was not answered.
            Self::CallerHungUp { .. } | Self::CallerGaveUp { .. } | Self::TimeLimit | Self::NoAnswer => {
                CallStatus::NoAnswer
            }
            _ => CallStatus::Failed,
        }
    }
}

impl CallReport {
    /// The debugger's entries.
    pub fn alerts(&self) -> impl Iterator<Item = &Alert> {
        self.timeline.alerts()
    }

    /// When a time of the report was, on the clock of this process: for what happened elsewhere, such as in another call.
    #[must_use]
    pub fn instant(&self, at: Duration) -> Instant {
        self.time.instant(at)
    }

    /// What the time of the report was at a moment on the clock of this process; zero before the call was placed.
    #[must_use]
    pub fn at(&self, instant: Instant) -> Duration {
        self.time.at(instant)
    }
}

impl fmt::Display for CallEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CallerHungUp { phase } => write!(f, "the caller hung up ({phase})"),
            Self::CallerGaveUp { waiting_for } => write!(f, "the caller waited in vain for {waiting_for}"),
            Self::HungUp => f.write_str("<Hangup>"),
            Self::DocumentEnded => f.write_str("the document ended"),
            Self::Failed(alert) => alert.fmt(f),
            Self::NotPlayed { verb } => write!(f, "the simulator does not play <{verb}>"),
            Self::RedirectLoop => f.write_str("redirects in circles"),
            Self::TimeLimit => f.write_str("time limit"),
            Self::Busy => f.write_str("busy"),
            Self::NoAnswer => f.write_str("no answer"),
            Self::Unreachable { sip_status } => write!(f, "cannot be reached (SIP {sip_status})"),
            Self::Canceled => f.write_str("canceled by the REST API"),
            Self::EndedByApi => f.write_str("ended by the REST API"),
        }
    }
}

/// The figures of the call, a line each.
impl fmt::Display for CallReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}  {} after {:.1} s: {}", self.call_sid, self.status, self.ended.as_secs_f64(), self.end)?;
        for response in &self.measures.responses {
            let (asked, latency) = (response.asked.as_secs_f64(), response.latency.as_millis());
            writeln!(f, "  answered  {latency} ms after the caller's words at {asked:.1} s")?;
        }
        for barge_in in &self.measures.barge_ins {
            let (at, cut_off) = (barge_in.at.as_secs_f64(), barge_in.cut_off.as_millis());
            writeln!(f, "  cut off   {cut_off} ms after the caller spoke into the agent's words at {at:.1} s")?;
        }
        if let Some(silence) = self.measures.longest_silence {
            let (length, start) = (silence.duration().as_millis(), silence.start.as_secs_f64());
            writeln!(f, "  silence   {length} ms at most, at {start:.1} s")?;
        }
        for stream in &self.streams {
            let StreamCounts { frames_sent, media_received, marks_returned, messages_refused, .. } = stream.counts;
            writeln!(
                f,
                "  stream    {}: {frames_sent} frames sent, {media_received} received, {marks_returned} marks returned, \
                 {messages_refused} messages refused; {}",
                stream.stream_sid, stream.reason
            )?;
        }
        for room in &self.rooms {
            let (joined, left) = (room.joined.as_secs_f64(), room.left.as_secs_f64());
            write!(f, "  room      from {joined:.1} to {left:.1} s")?;
            if let Some(gap) = room.gap() {
                write!(f, ", first heard {} ms after the last sound before", gap.as_millis())?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
