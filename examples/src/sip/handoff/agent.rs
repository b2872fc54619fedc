//! The agent who has a caller over SIP, and a telephone that nobody has.

use async_trait::async_trait;
use call_session::{
    handoff::{CallerAgent, Dial, LineError, NoAgent, Telephone},
    id::SessionId,
};
use jiff::Timestamp;
use realtime_bridge::{bridge::CallEnded, realtime::openai::sip::SipError, relay::CallEvent};
use twilio_twiml::{phone::Address, sid::CallSid, words::CallStatus};

use super::people::target;
use crate::{
    chain::Chain,
    conversation::{Conversation, Language, WhyNot},
    sip::SipServer,
};

#[async_trait]
impl CallerAgent for SipServer {
    async fn say(&self, session: SessionId, words: &str) -> Result<(), NoAgent> {
        let line = self.0.lines.find(session).ok_or(NoAgent)?;
        let mut updates = line.handle.watch();
        // A caller who only waits is not asked whether they are there.
        line.handle.accompany(true).await.map_err(|CallEnded| NoAgent)?;
        line.handle.say(words).await.map_err(|CallEnded| NoAgent)?;
        while let Some(update) = updates.next().await {
            if let CallEvent::Said = update.event {
                return Ok(());
            }
        }
        Err(NoAgent)
    }

    async fn tell(&self, session: SessionId, cause: &str) -> Result<(), NoAgent> {
        let line = self.0.lines.find(session).ok_or(NoAgent)?;
        let text = Conversation::new(Language::Japanese).not_taken(WhyNot::of(cause));
        line.handle.accompany(false).await.map_err(|CallEnded| NoAgent)?;
        line.handle.instruct(text, true).await.map_err(|CallEnded| NoAgent)
    }

    async fn leave(&self, _: SessionId) -> Result<(), NoAgent> {
        // A line that leaves the provider cannot come back to it.
        Err(NoAgent)
    }

    async fn refer(&self, session: SessionId, to: &Address) -> Result<(), LineError> {
        let line = self.0.lines.find(session).ok_or(LineError::NotInProgress)?;
        let target = target(to).ok_or(LineError::NotDone)?;
        let Err(error) = self.0.calls.refer(&line.call, &target).await else { return Ok(()) };
        tracing::warn!(call = %session, error = %Chain(&error), "the provider does not move the caller");
        match error {
            SipError::Gone => Err(LineError::NotInProgress),
            error if error.may_have_happened() => Err(LineError::Unknown),
            _ => self.ask_carrier(session, to).await,
        }
    }
}

/// No telephone: the provider dials, and tells nothing of it.
#[derive(Debug)]
pub(super) struct Nobody;

#[async_trait]
impl Telephone for Nobody {
    async fn dial(&self, _: &Dial) -> Result<CallSid, LineError> {
        Err(LineError::NotDone)
    }

    async fn end(&self, _: &CallSid, _: bool) -> Result<CallStatus, LineError> {
        Err(LineError::NotInProgress)
    }

    async fn redirect(&self, _: SessionId, _: &CallSid) -> Result<(), LineError> {
        Err(LineError::NotInProgress)
    }

    async fn status(&self, _: &CallSid) -> Result<Option<CallStatus>, LineError> {
        Err(LineError::NotDone)
    }

    async fn find(&self, _: &Dial, _: Timestamp) -> Result<Vec<(CallSid, CallStatus)>, LineError> {
        Ok(Vec::new())
    }

    async fn room(&self, _: &str) -> Result<Vec<CallSid>, LineError> {
        Ok(Vec::new())
    }
}
