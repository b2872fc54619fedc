//! Twilio's identifiers: a two-letter prefix and 32 hexadecimal digits.
//!
//! A SID that has been parsed is known to be well formed, so it can be put into a URL, a log field or a
//! database column without further checks.
//!
//! ```
//! use twilio_twiml::sid::CallSid;
//!
//! let call: CallSid = "CAfedcba9876543210fedcba9876543210".parse()?;
//! assert_eq!(call.as_str(), "CAfedcba9876543210fedcba9876543210");
//! assert!("MZfedcba9876543210fedcba9876543210".parse::<CallSid>().is_err());
//! # Ok::<(), twilio_twiml::sid::ParseSidError>(())
//! ```

use std::{borrow::Cow, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A text that is not the SID it was taken for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a {kind} is {} and 32 hexadecimal digits", prefixes.join(" or "))]
pub struct ParseSidError {
    kind: &'static str,
    prefixes: &'static [&'static str],
}

macro_rules! sids {
    ($($(#[$doc:meta])* $name:ident = $($prefix:literal)|+;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// The two letters that one of these can begin with.
            pub const PREFIXES: &'static [&'static str] = &[$($prefix),+];

            /// The SID as Twilio writes it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = ParseSidError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                if Self::PREFIXES.iter().any(|prefix| well_formed(text, prefix)) {
                    Ok(Self(text.into()))
                } else {
                    Err(ParseSidError { kind: stringify!($name), prefixes: Self::PREFIXES })
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

        impl crate::value::Value for $name {
            fn text(&self) -> Cow<'_, str> {
                Cow::Borrowed(&self.0)
            }

            fn read(text: &str) -> Result<Self, &'static str> {
                text.parse().map_err(|_| concat!("a ", stringify!($name)))
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
    /// An API key (`SK…`), the user name of REST requests that do not use the account's own token.
    ApiKeySid = "SK";
    /// A phone number that the account owns (`PN…`).
    PhoneNumberSid = "PN";
    /// A TwiML application (`AP…`).
    ApplicationSid = "AP";
    /// A messaging service (`MG…`).
    MessagingServiceSid = "MG";
    /// A real-time transcription (`GT…`).
    TranscriptionSid = "GT";
    /// A call queue (`QU…`).
    QueueSid = "QU";
    /// A bring-your-own-carrier trunk (`BY…`).
    ByocTrunkSid = "BY";
    /// An entry of the debugger's log (`NO…`).
    NotificationSid = "NO";
    /// A SIP trunk (`TK…`).
    TrunkSid = "TK";
    /// A content template (`HX…`).
    ContentSid = "HX";
    /// A street address (`AD…`).
    AddressSid = "AD";
    /// An identity document (`RI…`).
    IdentitySid = "RI";
    /// A regulatory bundle (`BU…`).
    BundleSid = "BU";
}

sids! {
    /// A message: `SM…` for text, `MM…` for one with media.
    MessageSid = "SM" | "MM";
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
        for bad in [
            "",
            "CA",
            "MZfedcba9876543210fedcba9876543210",
            "CAfedcba9876543210fedcba987654321g",
            "CAfedcba9876543210fedcba98765432100",
        ] {
            assert!(bad.parse::<CallSid>().is_err(), "{bad} was taken");
        }
    }
}
