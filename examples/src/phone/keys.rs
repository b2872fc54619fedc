//! Keys that are pressed for the agent: for menus on the other side, or an extension.
//!
//! A stream cannot carry them. It is left, Twilio plays them, and the stream comes back with the same conversation.

use async_trait::async_trait;
use call_session::{
    call::{KEYS, SessionEvent},
    id::SessionId,
    store::{self, UpdateError},
};
use jiff::Timestamp;
use realtime_bridge::tool::{AfterTool, Tool, ToolContext, ToolError, ToolOptions, ToolSet};
use schemars::JsonSchema;
use serde::Deserialize;
use twilio_twiml::{
    rest,
    twiml::{BuildError, Play, Response},
};

use super::Phone;
use crate::chain::Chain;

/// Why keys were not pressed.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeysError {
    #[error("nobody talks on the call, or Twilio cannot be asked")]
    NotTalking,
    #[error("these are not keys")]
    BadDigits(#[source] BuildError),
    #[error("that keys are pressed cannot be kept")]
    Update(#[from] UpdateError),
    #[error("Twilio does not press them")]
    Twilio(#[from] rest::Error),
}

impl Phone {
    /// These tools, and the one that presses keys on this call if the model may.
    pub(super) fn and_keys(&self, tools: ToolSet, call: SessionId) -> ToolSet {
        if self.0.keys { tools.with(PressKeys { phone: self.clone(), call }) } else { tools }
    }

    /// Presses keys on a call, on whichever server its audio is.
    pub(super) async fn press(&self, call: SessionId, digits: &str) -> Result<(), KeysError> {
        let summary = self.0.store.summary(call).await.map_err(UpdateError::from)?;
        let summary = summary.ok_or(KeysError::NotTalking)?;
        let stream = summary.attachment().filter(|attachment| attachment.node.is_some());
        let reach = self.0.rest.as_ref().zip(summary.call_sid.as_ref()).zip(stream);
        let ((client, sid), stream) = reach.ok_or(KeysError::NotTalking)?;
        let stream = stream.stream;
        let after = self.0.settings.public_url.webhook(&format!("/api/twilio/after-stream/{call}/{stream}"));
        let document = Response::new().play(Play::digits(digits)).redirect(after);
        let document = document.to_inline().map_err(KeysError::BadDigits)?;
        let count = digits.chars().filter(|key| !matches!(key, 'w' | 'W')).count();
        // Written down first: when the stream ends, its end has this cause.
        let detached = SessionEvent::StreamDetached { stream, cause: KEYS.into(), orderly: false };
        self.propose(call, &[SessionEvent::KeysSent { count }, detached]).await?;
        let Err(error) = client.call(sid).run(document).await else { return Ok(()) };
        if error.was_not_processed() {
            // The stream goes on. Where Twilio may have pressed them all the same, it is taken to be over.
            self.propose(call, &[SessionEvent::StreamStays { stream }]).await?;
        }
        Err(error.into())
    }

    async fn propose(&self, call: SessionId, events: &[SessionEvent]) -> Result<(), UpdateError> {
        let stamped = |_: &_| events.iter().map(|event| event.clone().at(Timestamp::now())).collect();
        store::update(&*self.0.store, call, stamped).await.map(|_| ())
    }
}

/// Lets the model press keys.
#[derive(Debug, Clone)]
struct PressKeys {
    phone: Phone,
    call: SessionId,
}

/// What [`PressKeys`] has to be told.
#[derive(Deserialize, JsonSchema)]
struct Keys {
    /// The keys in their order: 0 to 9, * and #. A w waits half a second, a W a second.
    digits: String,
    /// What asked for them, in a few words, such as the announcement of a menu.
    #[expect(dead_code, reason = "it tells one wish from another: the same keys in another menu are pressed again")]
    reason: String,
}

#[async_trait]
impl Tool for PressKeys {
    type Arguments = Keys;
    type Output = &'static str;

    fn name(&self) -> &'static str {
        "press_keys"
    }

    fn description(&self) -> &'static str {
        "Presses keys of the telephone, for an announcement that asks for them or for an extension. Say nothing with it. \
         The line is away for a moment and comes back; then listen first."
    }

    /// The stream is over by then, and the next one goes on.
    fn options(&self) -> ToolOptions {
        ToolOptions::default().with_after(AfterTool::Silent)
    }

    async fn call(&self, _: &ToolContext, keys: Keys) -> Result<&'static str, ToolError> {
        match self.phone.press(self.call, &keys.digits).await {
            Ok(()) => Ok("the keys were pressed"),
            // What they are is not for the log.
            Err(KeysError::BadDigits(_)) => {
                Err(ToolError::new("these are not keys of a telephone: nothing was pressed"))
            }
            Err(error) => {
                tracing::warn!(call = %self.call, error = %Chain(&error), "keys were not pressed");
                Err(ToolError::new("the keys could not be pressed now"))
            }
        }
    }
}
