//! What a service that speaks OpenAI's protocol does differently, as data.

use std::time::Duration;

use serde_json::{Map, Value};

/// What a service that speaks OpenAI's protocol does differently, as data. Default: [`Dialect::openai`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dialect {
    /// The member of the URL's query that names the model; `None` where the address says it already. Default: `model`.
    pub model_parameter: Option<String>,
    /// `voice` and `turn_detection` stand at the top of a session's settings instead of under `audio`. Default: no.
    pub flat_session: bool,
    /// A session's settings are told back when they are taken, so that they can be held against what was asked for.
    /// Default: yes.
    pub echoes_session: bool,
    /// An answer carries back the metadata of the request that asked for it. Where not, the first answer that begins
    /// after a request counts as its own. Default: yes.
    pub echoes_metadata: bool,
    /// Cutting an entry has an effect. Where not, the model is not asked to. Default: yes.
    pub truncates: bool,
    /// The longest session; `None` where none is known. Default: 60 min.
    pub session_limit: Option<Duration>,
}

impl Default for Dialect {
    fn default() -> Self {
        Self::openai()
    }
}

impl Dialect {
    /// OpenAI itself.
    #[must_use]
    pub fn openai() -> Self {
        Self {
            model_parameter: Some("model".into()),
            flat_session: false,
            echoes_session: true,
            echoes_metadata: true,
            truncates: true,
            session_limit: Some(Duration::from_secs(60 * 60)),
        }
    }

    /// A service that claims to be compatible, of which nothing more is known: what it tells back is not relied upon.
    #[must_use]
    pub fn compatible() -> Self {
        Self { echoes_session: false, echoes_metadata: false, session_limit: None, ..Self::openai() }
    }

    /// Sets the member of the query that names the model.
    #[must_use]
    pub fn with_model_parameter(mut self, name: Option<&str>) -> Self {
        self.model_parameter = name.map(str::to_owned);
        self
    }

    /// Sets whether `voice` and `turn_detection` stand at the top of a session's settings.
    #[must_use]
    pub const fn with_flat_session(mut self, flat: bool) -> Self {
        self.flat_session = flat;
        self
    }

    /// Sets whether a session's settings, and the metadata of a request, are told back.
    #[must_use]
    pub const fn with_echoes(mut self, session: bool, metadata: bool) -> Self {
        self.echoes_session = session;
        self.echoes_metadata = metadata;
        self
    }

    /// Sets whether cutting an entry has an effect.
    #[must_use]
    pub const fn with_truncates(mut self, truncates: bool) -> Self {
        self.truncates = truncates;
        self
    }

    /// Sets the longest session.
    #[must_use]
    pub const fn with_session_limit(mut self, limit: Option<Duration>) -> Self {
        self.session_limit = limit;
        self
    }

    /// The update that sets up a session, as this service wants it.
    pub(super) fn spell(&self, update: String) -> String {
        if !self.flat_session {
            return update;
        }
        let Ok(mut event) = serde_json::from_str::<Value>(&update) else { return update };
        let Some(session) = event.get_mut("session").and_then(Value::as_object_mut) else { return update };
        for (side, member) in [("output", "voice"), ("input", "turn_detection")] {
            let moved = session
                .get_mut("audio")
                .and_then(|audio| audio.get_mut(side))
                .and_then(Value::as_object_mut)
                .and_then(|settings: &mut Map<String, Value>| settings.remove(member));
            if let Some(value) = moved {
                session.insert(member.into(), value);
            }
        }
        event.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_session_has_voice_and_turns_at_its_top() {
        let update = r#"{"type":"session.update","session":{"audio":{"input":{"format":{},"turn_detection":null},"output":{"voice":"a"}}}}"#;
        assert_eq!(Dialect::openai().spell(update.into()), update);
        let flat = Dialect::compatible().with_flat_session(true).spell(update.into());
        let flat: Value = serde_json::from_str(&flat).unwrap();
        let expected = serde_json::json!({
            "audio": {"input": {"format": {}}, "output": {}}, "voice": "a", "turn_detection": null
        });
        assert_eq!(flat["session"], expected);
    }
}
