//! Twilio's identifiers: a two-letter prefix and 32 hexadecimal digits.
//!
//! A SID that has been parsed is known to be well formed, so it can be put into a URL, a log field or a
//! database column without further checks.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A text that is not the SID it was taken for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a {kind} is {prefix:?} and 32 hexadecimal digits")]
pub struct ParseSidError {
    kind: &'static str,
    prefix: &'static str,
}

macro_rules! sids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// The two letters every one of these begins with.
            pub const PREFIX: &'static str = $prefix;

            /// The SID as Twilio writes it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = ParseSidError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                if well_formed(text, $prefix) {
                    Ok(Self(text.into()))
                } else {
                    Err(ParseSidError { kind: stringify!($name), prefix: $prefix })
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = ParseSidError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(sid: $name) -> Self {
                sid.0.into()
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

sids! {
    /// An account (`AC…`).
    AccountSid = "AC";
    /// One leg of a call (`CA…`).
    CallSid = "CA";
    /// A media stream (`MZ…`).
    StreamSid = "MZ";
    /// A conference (`CF…`).
    ConferenceSid = "CF";
    /// A recording (`RE…`).
    RecordingSid = "RE";
}

fn well_formed(text: &str, prefix: &str) -> bool {
    text.len() == 34 && text.starts_with(prefix) && text.bytes().skip(2).all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sid_is_its_prefix_and_32_hexadecimal_digits() {
        let text = "CAfedcba9876543210fedcba9876543210";
        assert_eq!(text.parse::<CallSid>().unwrap().as_str(), text);
        for bad in ["", "CA", "MZfedcba9876543210fedcba9876543210", "CAfedcba9876543210fedcba987654321g", "CAfedcba9876543210fedcba98765432100"] {
            assert!(bad.parse::<CallSid>().is_err(), "{bad} was taken");
        }
    }
}
