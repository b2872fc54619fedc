//! Values that the protocol writes in more than one way.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A member that may be absent, null or a value, each with its own meaning in an update: unchanged, off, this.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Nullable<T> {
    /// Not there; must be skipped when written.
    #[default]
    Absent,
    /// `null`.
    Null,
    /// A value.
    Value(T),
}

impl<T> Nullable<T> {
    /// Whether the member is not there.
    #[must_use]
    pub const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// Whether the member is there and null.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The value, if there is one.
    #[must_use]
    pub const fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }
}

impl<T> From<Option<T>> for Nullable<T> {
    /// `None` is `null`.
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Self::Value)
    }
}

impl<T: Serialize> Serialize for Nullable<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value().serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Nullable<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Self::from)
    }
}

/// A limit in tokens: a number or `"inf"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxTokens {
    /// At most so many.
    Limit(u32),
    /// No limit.
    Unlimited,
}

impl Serialize for MaxTokens {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Limit(tokens) => serializer.serialize_u32(*tokens),
            Self::Unlimited => serializer.serialize_str("inf"),
        }
    }
}

impl<'de> Deserialize<'de> for MaxTokens {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Number(u32),
            Word(String),
        }
        match Either::deserialize(deserializer)? {
            Either::Number(tokens) => Ok(Self::Limit(tokens)),
            Either::Word(word) if word == "inf" => Ok(Self::Unlimited),
            Either::Word(_) => Err(D::Error::custom("expected a number of tokens or \"inf\"")),
        }
    }
}

/// A voice: one of the provider's by name, or one of the account's by id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Voice {
    /// A name, such as `marin`.
    Named(String),
    /// A custom voice.
    Custom {
        /// Its id, `voice_…`.
        id: String,
    },
}

impl Voice {
    /// The name or id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Named(name) => name,
            Self::Custom { id } => id,
        }
    }
}

impl From<&str> for Voice {
    fn from(name: &str) -> Self {
        Self::Named(name.into())
    }
}

/// Whether and which tools the model must use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ToolChoice {
    /// `auto`, `none` or `required`.
    Mode(String),
    /// This one.
    Tool {
        /// `function` or `mcp`.
        #[serde(rename = "type")]
        kind: String,
        /// The tool.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// The MCP server.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        server_label: Option<String>,
    },
}

/// What happens when the model's context is full.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Truncation {
    /// `auto` or `disabled`.
    Mode(String),
    /// Drop the oldest entries down to a share.
    Retention {
        /// `retention_ratio`.
        #[serde(rename = "type")]
        kind: String,
        /// The share to keep, 0 to 1.
        retention_ratio: f64,
        /// Limits below the model's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token_limits: Option<TokenLimits>,
    },
}

/// Limits of the context below the model's own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenLimits {
    /// Tokens for everything after instructions and tools.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_instructions: Option<u64>,
}
