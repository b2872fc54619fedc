//! Moments, in the two ways Twilio writes them.

use std::{borrow::Cow, fmt};

use jiff::{Timestamp, fmt::rfc2822, tz::TimeZone};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::value::Value;

/// A moment that Twilio writes like an e-mail's date, `Fri, 20 Aug 2010 01:13:42 +0000` (RFC 2822).
///
/// ```
/// use twilio_twiml::{Rfc2822, jiff::Timestamp};
///
/// let moment: Rfc2822 = "Fri, 20 Aug 2010 01:13:42 +0000".parse()?;
/// assert_eq!(moment.0, "2010-08-20T01:13:42Z".parse::<Timestamp>()?);
/// assert_eq!(moment.to_string(), "Fri, 20 Aug 2010 01:13:42 +0000");
/// # Ok::<(), twilio_twiml::jiff::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rfc2822(pub Timestamp);

impl From<Timestamp> for Rfc2822 {
    fn from(moment: Timestamp) -> Self {
        Self(moment)
    }
}

impl From<Rfc2822> for Timestamp {
    fn from(moment: Rfc2822) -> Self {
        moment.0
    }
}

impl std::str::FromStr for Rfc2822 {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        rfc2822::DateTimeParser::new().parse_timestamp(text).map(Self)
    }
}

impl fmt::Display for Rfc2822 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = rfc2822::to_string(&self.0.to_zoned(TimeZone::UTC)).map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}

impl Value for Rfc2822 {
    fn text(&self) -> Cow<'_, str> {
        // The format has no years before Christ; the format of every other moment is RFC 3339, which is as clear.
        let text = rfc2822::to_string(&self.0.to_zoned(TimeZone::UTC)).unwrap_or_else(|_| self.0.to_string());
        Cow::Owned(text)
    }

    fn read(text: &str) -> Result<Self, &'static str> {
        text.parse().map_err(|_| "a date such as Fri, 20 Aug 2010 01:13:42 +0000")
    }
}

impl Value for Timestamp {
    fn text(&self) -> Cow<'_, str> {
        Cow::Owned(self.to_string())
    }

    fn read(text: &str) -> Result<Self, &'static str> {
        text.parse().map_err(|_| "a time such as 2010-08-20T01:13:42Z")
    }
}

impl Serialize for Rfc2822 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl<'de> Deserialize<'de> for Rfc2822 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// A day, as `2010-08-20`.
#[cfg(feature = "rest")]
impl Value for jiff::civil::Date {
    fn text(&self) -> Cow<'_, str> {
        Cow::Owned(self.to_string())
    }

    fn read(text: &str) -> Result<Self, &'static str> {
        text.parse().map_err(|_| "a day such as 2010-08-20")
    }
}
