//! The agent who has the caller: a bridge on this server or, by commands, on another.

use std::time::Duration;

use async_trait::async_trait;
use call_session::{
    handoff::{CallerAgent, NoAgent},
    id::SessionId,
    live::{Command, Reply},
};
use realtime_bridge::{bridge::CallHandle, relay::CallEvent};
use serde_json::{Value, json};

use crate::{conversation::WhyNot, phone::Phone};

/// The agent keeps the caller company until it is told that nobody comes.
const KEEP: &str = "handoff-keep";
/// The agent says a line and keeps the caller company from then on. The reply comes when the line was heard.
const SAY: &str = "handoff-say";
/// The agent has the caller for itself again, and is told why.
const TELL: &str = "handoff-tell";
/// The agent leaves the stream to a person.
const LEAVE: &str = "handoff-leave";

/// How long another server may take to have a line said.
const HEARD: Duration = Duration::from_secs(20);
/// How long another server may take to answer what is done at once.
const ANSWER: Duration = Duration::from_secs(3);

/// The agents of this telephone, on whichever server they speak.
#[derive(Debug, Clone)]
pub(super) struct Agents(pub(super) Phone);

#[async_trait]
impl CallerAgent for Agents {
    async fn say(&self, session: SessionId, words: &str) -> Result<(), NoAgent> {
        match self.0.0.streams.handle(session) {
            Some(call) => say(&call, words).await,
            None => self.send(session, SAY, json!(words), HEARD).await,
        }
    }

    async fn tell(&self, session: SessionId, cause: &str) -> Result<(), NoAgent> {
        let summary = self.0.0.store.summary(session).await.ok().flatten().ok_or(NoAgent)?;
        let text = self.0.0.settings.conversation.of(&summary).not_taken(WhyNot::of(cause));
        match self.0.0.streams.handle(session) {
            Some(call) => tell(&call, &text).await,
            None => self.send(session, TELL, json!(text), ANSWER).await,
        }
    }

    async fn leave(&self, session: SessionId) -> Result<(), NoAgent> {
        if self.0.0.streams.hand_over(session) {
            return Ok(());
        }
        self.send(session, LEAVE, Value::Null, ANSWER).await
    }
}

impl Agents {
    /// Has the agent keep the caller company: one who only waits is not asked whether they are there, nor given up.
    pub(super) async fn keep(&self, session: SessionId) {
        let kept = match self.0.0.streams.handle(session) {
            Some(call) => call.accompany(true).await.map_err(|_| NoAgent),
            None => self.send(session, KEEP, Value::Null, ANSWER).await,
        };
        if kept.is_err() {
            tracing::debug!(call = %session, "no agent keeps the caller company");
        }
    }

    async fn send(&self, session: SessionId, name: &str, value: Value, within: Duration) -> Result<(), NoAgent> {
        let command = Command::Custom { name: name.to_owned(), value };
        match self.0.0.live.send(session, command, within).await {
            Ok(Reply::Ok) => Ok(()),
            Ok(reply) => {
                tracing::debug!(call = %session, ?reply, "the agent does not do as it is told");
                Err(NoAgent)
            }
            Err(error) => {
                tracing::debug!(call = %session, %error, "the agent cannot be told anything");
                Err(NoAgent)
            }
        }
    }
}

impl Phone {
    /// Does what another server's handoff wants of the agent that is here.
    pub(in crate::phone) async fn obey_handoff(
        &self,
        session: SessionId,
        call: &CallHandle,
        name: &str,
        value: &Value,
    ) -> Reply {
        let words = value.as_str().unwrap_or_default();
        let done = match name {
            KEEP => call.accompany(true).await.map_err(|_| NoAgent),
            SAY => say(call, words).await,
            TELL => tell(call, words).await,
            LEAVE if self.0.streams.hand_over(session) => Ok(()),
            LEAVE => Err(NoAgent),
            _ => return Reply::refused("unknown"),
        };
        done.map_or_else(|NoAgent| Reply::refused("no-agent"), |()| Reply::Ok)
    }
}

/// Has a line said and heard; from then on the agent keeps the caller company, without giving up one who only waits.
async fn say(call: &CallHandle, words: &str) -> Result<(), NoAgent> {
    let mut updates = call.watch();
    call.accompany(true).await.map_err(|_| NoAgent)?;
    call.say(words).await.map_err(|_| NoAgent)?;
    while let Some(update) = updates.next().await {
        match update.event {
            CallEvent::Said => return Ok(()),
            CallEvent::Ended(_) => return Err(NoAgent),
            _ => {}
        }
    }
    Err(NoAgent)
}

async fn tell(call: &CallHandle, text: &str) -> Result<(), NoAgent> {
    call.accompany(false).await.map_err(|_| NoAgent)?;
    call.instruct(text, true).await.map_err(|_| NoAgent)
}
