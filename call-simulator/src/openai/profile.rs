//! Which of the services that speak the protocol is played.

use serde_json::{Value, json};

use super::ApiError;

/// Which of the services that speak the protocol is played. They differ in address, keys and members.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Profile {
    /// OpenAI itself.
    #[default]
    OpenAi,
    /// Azure OpenAI: the path begins with `/openai/v1`, the key comes in the `api-key` header or as a bearer token, a
    /// model is any deployment, `api-version` gets 401, and a cut is taken without effect.
    Azure,
    /// A service that claims to be compatible: `voice` and `turn_detection` stand at the top of a session and nowhere else,
    /// its settings and the metadata of a request are not told back, and `ping` events come that nobody has asked for.
    Compatible,
}

/// Where OpenAI has them, and the compatible service does not.
const MOVED: [(&str, &str); 2] = [("output", "voice"), ("input", "turn_detection")];

impl Profile {
    /// The root of its interface.
    pub(super) const fn root(self) -> &'static str {
        match self {
            Self::OpenAi | Self::Compatible => "/v1",
            Self::Azure => "/openai/v1",
        }
    }

    /// Whether a cut has an effect.
    pub(super) const fn truncates(self) -> bool {
        !matches!(self, Self::Azure)
    }

    /// Whether a model has to be one of OpenAI's names.
    pub(super) const fn knows_models(self) -> bool {
        matches!(self, Self::OpenAi)
    }

    /// An event of a client as OpenAI would have it.
    pub(super) fn incoming(self, event: &mut Value) -> Result<(), ApiError> {
        if self != Self::Compatible || event["type"] != "session.update" {
            return Ok(());
        }
        let Some(session) = event.get_mut("session").and_then(Value::as_object_mut) else { return Ok(()) };
        for (side, member) in MOVED {
            if session.get("audio").and_then(|audio| audio.get(side)?.get(member)).is_some() {
                let path = format!("session.audio.{side}.{member}");
                let message = format!("Unknown parameter: '{path}'.");
                return Err(ApiError::invalid("unknown_parameter", message).with_param(path));
            }
            if let Some(value) = session.remove(member) {
                let audio = session.entry("audio").or_insert_with(|| json!({}));
                audio[side][member] = value;
            }
        }
        Ok(())
    }

    /// An event as this service tells it.
    pub(super) fn outgoing(self, event: &mut Value) {
        if self != Self::Compatible {
            return;
        }
        if let Some(session) = event.get_mut("session").and_then(Value::as_object_mut) {
            session.retain(|name, _| matches!(name.as_str(), "id" | "object" | "type" | "model"));
        }
        if let Some(response) = event.get_mut("response").and_then(Value::as_object_mut) {
            response.insert("metadata".into(), Value::Null);
        }
    }

    /// What follows `session.created`, besides what all have.
    pub(super) fn small_talk(self) -> Option<Value> {
        (self == Self::Compatible).then(|| json!({"type": "ping"}))
    }
}
