//! Names a voice model gives to things, and the ones we give to our requests.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as the provider writes it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl<T: Into<Arc<str>>> From<T> for $name {
            fn from(name: T) -> Self {
                Self(name.into())
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
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

ids! {
    /// One entry of the model's conversation: what somebody said, a tool call, a tool's output.
    ItemId;
    /// One answer of the model, which may have several items.
    ResponseId;
    /// One call of a tool by the model.
    ToolCallId;
}

/// The name of a request of ours, unique within a call; a provider's error or answer carries it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u64);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "req_{}", self.0)
    }
}

/// Text that does not name a request of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a request of ours")]
#[non_exhaustive]
pub struct NotARequest;

impl FromStr for RequestId {
    type Err = NotARequest;

    /// Reads what `Display` writes.
    fn from_str(text: &str) -> Result<Self, NotARequest> {
        let digits = text.strip_prefix("req_").ok_or(NotARequest)?;
        let id = digits.parse().map(Self).map_err(|_| NotARequest)?;
        // A number has several spellings, a request has one.
        if id.to_string() == text { Ok(id) } else { Err(NotARequest) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_known_by_its_name_only() {
        assert_eq!(RequestId(17).to_string().parse(), Ok(RequestId(17)));
        for other in ["", "req_", "req_+17", "req_017", "17", "event_17", "req_99999999999999999999"] {
            assert_eq!(other.parse::<RequestId>(), Err(NotARequest), "{other}");
        }
    }
}
