//! Names of calls and of those who take part in them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! uuids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new one. Later ones are greater.
            #[must_use]
            #[expect(clippy::new_without_default, reason = "each is another one, which a default would not say")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )*};
}

uuids! {
    /// A call. Later calls have greater names, so that lists by time need no other key.
    SessionId;
    /// One attachment of a call's audio: a media stream, a SIP session.
    StreamId;
    /// One leg that was dialled for a call, such as to a person who takes it over.
    LegId;
    /// One attempt to write to the store. Repeating it with the same name is safe.
    CommitId;
}

/// A text that cannot be a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to 64 letters, digits or characters of `-_.:@`")]
pub struct BadName;

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// 1 to 64 letters, digits or characters of `-_.:@`.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = BadName;

            fn from_str(text: &str) -> Result<Self, BadName> {
                let fits = |letter: u8| letter.is_ascii_alphanumeric() || b"-_.:@".contains(&letter);
                if (1..=64).contains(&text.len()) && text.bytes().all(fits) {
                    Ok(Self(text.into()))
                } else {
                    Err(BadName)
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadName;

            fn try_from(text: String) -> Result<Self, BadName> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.into()
            }
        }
    )*};
}

names! {
    /// A customer, as your records name them.
    CustomerId;
    /// A person who answers calls, as your records name them.
    AgentId;
    /// A server process. Another one after each start, so that what it held can be told to be lost.
    NodeId;
}

impl NodeId {
    /// A name for this process.
    #[must_use]
    pub fn unique() -> Self {
        Self(Uuid::now_v7().simple().to_string().into())
    }
}

impl CustomerId {
    /// A name for a customer whom no record has named. Later ones are greater.
    #[must_use]
    pub fn unique() -> Self {
        Self(Uuid::now_v7().simple().to_string().into())
    }
}
