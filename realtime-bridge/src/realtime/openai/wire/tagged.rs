//! Unions that carry their case in a `type` member, without serde's buffering.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// JSON that is not the event or object it claims to be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// Not a JSON object, or one without `type`.
    #[error("not a JSON object with a type")]
    NoType(#[source] serde_json::Error),
    /// A known type with members that are missing or of another kind.
    #[error("malformed {kind}")]
    Malformed {
        /// The type.
        kind: &'static str,
        /// What is wrong, and where.
        source: serde_json::Error,
    },
}

impl ParseError {
    /// The type of the event or object, where it could be told.
    #[must_use]
    pub const fn kind(&self) -> Option<&'static str> {
        match self {
            Self::NoType(_) => None,
            Self::Malformed { kind, .. } => Some(kind),
        }
    }
}

/// A body with its `type` in front.
#[derive(Serialize)]
pub(super) struct Tagged<'a, T> {
    #[serde(rename = "type")]
    pub(super) kind: &'a str,
    #[serde(flatten)]
    pub(super) body: &'a T,
}

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
}

/// The `type` of a JSON object. Nearly always it is the first or second member, and then nothing else is read.
pub(super) fn peek_kind(json: &str) -> Result<Cow<'_, str>, ParseError> {
    if let Some(kind) = early_kind(json) {
        return Ok(Cow::Borrowed(kind));
    }
    serde_json::from_str::<Kind<'_>>(json).map(|found| found.kind).map_err(ParseError::NoType)
}

/// Looks at the first members only, and only while they are plain strings.
fn early_kind(json: &str) -> Option<&str> {
    let mut rest = json.trim_ascii_start().strip_prefix('{')?;
    for _ in 0..3 {
        let (key, after_key) = plain_string(rest.trim_ascii_start())?;
        let value = after_key.trim_ascii_start().strip_prefix(':')?.trim_ascii_start();
        let (value, after_value) = plain_string(value)?;
        if key == "type" {
            return Some(value);
        }
        rest = after_value.trim_ascii_start().strip_prefix(',')?;
    }
    None
}

/// A string without escapes, and what follows it.
fn plain_string(text: &str) -> Option<(&str, &str)> {
    let body = text.strip_prefix('"')?;
    let end = memchr::memchr2(b'"', b'\\', body.as_bytes())?;
    (body.as_bytes()[end] == b'"').then(|| (&body[..end], &body[end + 1..]))
}

/// Declares a union by a table of type names and bodies; what is not in the table is kept as it came.
macro_rules! tagged {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $($(#[$doc:meta])* $tag:literal => $variant:ident($body:ty),)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$doc])* $variant($body),)*
            /// A type this crate does not know, as it came.
            Unknown {
                /// The type.
                kind: String,
                /// The whole object.
                json: Box<serde_json::value::RawValue>,
            },
        }

        impl $name {
            /// The names of all types that are known.
            pub const KINDS: &'static [&'static str] = &[$($tag),*];

            /// The provider's name for the type.
            #[must_use]
            pub fn kind(&self) -> &str {
                match self {
                    $(Self::$variant(_) => $tag,)*
                    Self::Unknown { kind, .. } => kind,
                }
            }

            /// Reads JSON text.
            ///
            /// # Errors
            ///
            /// [`ParseError`](crate::realtime::openai::wire::ParseError) when the text is not an object with a `type`, or a known type lacks what it must have.
            pub fn parse(json: &str) -> Result<Self, $crate::realtime::openai::wire::ParseError> {
                use $crate::realtime::openai::wire::{ParseError, tagged::peek_kind};
                let kind = peek_kind(json)?;
                match &*kind {
                    $($tag => serde_json::from_str(json)
                        .map(Self::$variant)
                        .map_err(|source| ParseError::Malformed { kind: $tag, source }),)*
                    _ => match serde_json::from_str(json) {
                        Ok(raw) => Ok(Self::Unknown { kind: kind.into_owned(), json: raw }),
                        Err(error) => Err(ParseError::NoType(error)),
                    },
                }
            }

            /// Writes JSON text.
            #[must_use]
            pub fn to_json(&self) -> String {
                serde_json::to_string(self).expect("keys are strings and numbers are finite or null")
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    $(Self::$variant(body) => {
                        $crate::realtime::openai::wire::tagged::Tagged { kind: $tag, body }.serialize(serializer)
                    })*
                    Self::Unknown { json, .. } => json.serialize(serializer),
                }
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let raw = <Box<serde_json::value::RawValue>>::deserialize(deserializer)?;
                Self::parse(raw.get()).map_err(|error| match error {
                    $crate::realtime::openai::wire::ParseError::NoType(source)
                    | $crate::realtime::openai::wire::ParseError::Malformed { source, .. } => {
                        serde::de::Error::custom(source)
                    }
                })
            }
        }
    };
}

pub(super) use tagged;
