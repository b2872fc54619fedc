//! What became of a call.

use std::{fmt, time::Duration};

use crate::{
    openai::recording::Recording as SessionRecording,
    twilio::{Measures, Recording, SpeechSpan},
};

/// A call that is over.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SipReport {
    /// The provider's name for it (`rtc_…`).
    pub call_id: String,
    /// Why it ended.
    pub end: SipEnd,
    /// How long it rang and lasted in all.
    pub ended: Duration,
    /// When it was accepted, since the INVITE.
    pub accepted: Option<Duration>,
    /// What was asked of it and what it was told, in order.
    pub moments: Vec<SipMoment>,
    /// When the model was heard, since the INVITE.
    pub agent_speech: Vec<SpeechSpan>,
    /// When the caller spoke, since the INVITE.
    pub caller_speech: Vec<SpeechSpan>,
    /// How the call felt.
    pub measures: Measures,
    /// What both sides said, from the INVITE on.
    pub recording: Recording,
    /// What the session did; `None` for a call that was not accepted.
    pub session: Option<SessionRecording>,
}

/// Why a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SipEnd {
    /// It was rejected with this SIP code.
    Rejected(u16),
    /// Nobody accepted it in the caller's patience.
    NotAnswered,
    /// The caller hung up.
    CallerHungUp,
    /// The caller waited in vain for something that the script wanted, and hung up.
    CallerGaveUp(&'static str),
    /// It was ended by REST.
    HungUp,
    /// It was moved to this target.
    Transferred(String),
    /// The session came to its end by itself: its limit, or a fault.
    SessionEnded,
}

/// Something that happened to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SipMoment {
    /// Since the INVITE.
    pub at: Duration,
    /// What.
    pub step: Step,
}

/// What can happen to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// A webhook was delivered, or not.
    Webhook(Delivery),
    /// A request came: its action, and the status it was answered with.
    Request(&'static str, u16),
    /// A control socket was opened.
    SocketOpened,
    /// A control socket is gone.
    SocketClosed,
    /// A transfer to this target did not succeed.
    TransferFailed(String),
}

/// One attempt to deliver a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivery {
    /// The delivery's name.
    pub id: String,
    /// The answer; `None` when there was none.
    pub status: Option<u16>,
    /// How long that took.
    pub took: Duration,
}

impl SipReport {
    /// The attempts to deliver webhooks.
    pub fn deliveries(&self) -> impl Iterator<Item = &Delivery> {
        self.moments.iter().filter_map(|moment| match &moment.step {
            Step::Webhook(delivery) => Some(delivery),
            _ => None,
        })
    }

    /// The requests for this action (`accept`, `reject`, `refer`, `hangup`): the statuses they were answered with.
    pub fn requests<'a>(&'a self, action: &'a str) -> impl Iterator<Item = u16> + 'a {
        self.moments.iter().filter_map(move |moment| match &moment.step {
            Step::Request(name, status) if *name == action => Some(*status),
            _ => None,
        })
    }
}

impl fmt::Display for SipEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(code) => write!(f, "rejected with {code}"),
            Self::NotAnswered => f.write_str("nobody answered"),
            Self::CallerHungUp => f.write_str("the caller hung up"),
            Self::CallerGaveUp(waiting_for) => write!(f, "the caller waited in vain for {waiting_for}"),
            Self::HungUp => f.write_str("hung up by REST"),
            Self::Transferred(_) => f.write_str("transferred"),
            Self::SessionEnded => f.write_str("the session ended"),
        }
    }
}

/// The figures of the call, a line each.
impl fmt::Display for SipReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}  {:.1} s: {}", self.call_id, self.ended.as_secs_f64(), self.end)?;
        if let Some(accepted) = self.accepted {
            writeln!(f, "  accepted  {} ms after the INVITE", accepted.as_millis())?;
        }
        for response in &self.measures.responses {
            let (asked, latency) = (response.asked.as_secs_f64(), response.latency.as_millis());
            writeln!(f, "  answered  {latency} ms after the caller's words at {asked:.1} s")?;
        }
        if let Some(silence) = self.measures.longest_silence {
            let (length, start) = (silence.duration().as_millis(), silence.start.as_secs_f64());
            writeln!(f, "  silence   {length} ms at most, at {start:.1} s")?;
        }
        Ok(())
    }
}
