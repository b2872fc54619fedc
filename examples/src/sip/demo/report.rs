//! What a demonstration call has shown.

use std::{fmt, time::Duration};

use call_session::call::{CallSession, Recorded, Speaker};
use call_simulator::openai::sip::SipReport;

use super::check;
use crate::sip::attendance::{Change, Guest};

/// What a demonstration call has shown.
#[derive(Debug)]
#[non_exhaustive]
pub struct DemoReport {
    /// The call as the caller and the provider saw it.
    pub telephone: SipReport,
    /// How late this machine was in all while it rang: what others took of its time.
    pub late: Duration,
    /// The call as it is kept.
    pub call: CallSession,
    /// Its events, in order.
    pub history: Vec<Recorded>,
    /// What the table says about the caller now.
    pub guest: Option<Guest>,
    /// What was changed, in order.
    pub changes: Vec<Change>,
    /// The messages: the words, and how they were sent.
    pub messages: Vec<(String, Option<String>)>,
}

impl DemoReport {
    /// What did not go as scripted, one sentence each; empty when all is well.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        check::problems(self)
    }
}

/// For people: made-up words and numbers, so that nothing has to be hidden.
impl fmt::Display for DemoReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "What was said:")?;
        for line in &self.call.transcript {
            let speaker = if line.speaker == Speaker::Caller { "caller" } else { "agent " };
            writeln!(f, "  {speaker}  {}", line.heard)?;
        }
        writeln!(f, "\nWhat the tools did:")?;
        for run in &self.call.tools {
            writeln!(f, "  {:<18} {}", run.name, run.output.as_deref().unwrap_or("–"))?;
        }
        writeln!(f, "\nThe attendance table:")?;
        for change in &self.changes {
            let side = |(attendance, slot): &(String, Option<String>)| {
                format!("{attendance} {}", slot.as_deref().unwrap_or("–"))
            };
            writeln!(f, "  {} → {}  (call {})", side(&change.before), side(&change.after), change.call)?;
        }
        for (body, sent) in &self.messages {
            writeln!(f, "  message {}: {body}", sent.as_deref().unwrap_or("of unknown fate"))?;
        }
        writeln!(f, "\nThe audit log of the call:")?;
        for recorded in &self.history {
            writeln!(f, "  {:>3}  {}", recorded.version.0, recorded.stamped.event.name())?;
        }
        write!(f, "\n{}", self.telephone)
    }
}
