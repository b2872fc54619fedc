//! Names of calls and of where they go.

use std::{fmt, str::FromStr, sync::Arc};

/// The provider's name for a call (`rtc_…`): letters, digits, `_` and `-`, so that it fits a path and a query.
///
/// ```
/// use realtime_bridge::realtime::openai::sip::SipCallId;
///
/// let call: SipCallId = "rtc_u1_9c6574da".parse()?;
/// assert_eq!(call.as_str(), "rtc_u1_9c6574da");
/// assert!("rtc/../other".parse::<SipCallId>().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SipCallId(Arc<str>);

/// Text that is no name of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a call: 1 to 200 letters, digits, _ and -")]
#[non_exhaustive]
pub struct NotACall;

impl SipCallId {
    /// The name as the provider writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SipCallId {
    type Err = NotACall;

    fn from_str(text: &str) -> Result<Self, NotACall> {
        let letters = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        if text.is_empty() || text.len() > 200 || !letters {
            return Err(NotACall);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for SipCallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SipCallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a call is referred to: `tel:+14155550123`, or a `sip:` or `sips:` URI. `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ReferTarget(String);

/// Text that is no target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a target for a transfer: tel:+…, sip:… or sips:…")]
#[non_exhaustive]
pub struct NotATarget;

impl ReferTarget {
    /// The URI.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ReferTarget {
    type Err = NotATarget;

    fn from_str(text: &str) -> Result<Self, NotATarget> {
        let (scheme, rest) = text.split_once(':').ok_or(NotATarget)?;
        let fits = match scheme {
            // Global numbers only: a local one means something else at each carrier.
            "tel" => rest.strip_prefix('+').is_some_and(|digits| {
                (3..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
            }),
            // What would end the header it goes into, or begin another, is no part of a URI anyway.
            "sip" | "sips" => {
                !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>\"".contains(&byte))
            }
            _ => false,
        };
        if fits { Ok(Self(text.to_owned())) } else { Err(NotATarget) }
    }
}

impl fmt::Debug for ReferTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReferTarget(…)")
    }
}

/// What the caller's side is told when a call is rejected (SIP response codes).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum RejectStatus {
    /// 603: not wanted. The provider's default.
    #[default]
    Decline,
    /// 486: busy, so that carriers try the next destination or play the busy tone.
    Busy,
    /// 480: nobody is there now.
    Unavailable,
    /// 404: there is nobody of this name.
    NotFound,
    /// Any other SIP code.
    Code(u16),
}

impl RejectStatus {
    /// The code.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Decline => 603,
            Self::Busy => 486,
            Self::Unavailable => 480,
            Self::NotFound => 404,
            Self::Code(code) => code,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_numbers_of_the_world_or_sip_addresses() {
        for good in ["tel:+14155550123", "sip:desk@example.com;transport=tls", "sips:desk@example.com"] {
            assert_eq!(good.parse::<ReferTarget>().unwrap().as_str(), good);
        }
        for bad in
            ["", "tel:0312345678", "tel:+", "+14155550123", "http://example.com", "sip:", "sip:a b", "sip:a\r\nX: y"]
        {
            assert_eq!(bad.parse::<ReferTarget>(), Err(NotATarget), "{bad:?}");
        }
    }
}
