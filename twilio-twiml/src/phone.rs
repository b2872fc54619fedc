//! Who is at the other end: telephone numbers, clients, SIP addresses, and callers who do not say.

use std::{borrow::Cow, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::value::Value;

/// A telephone number in international form: `+`, a country code and up to 15 digits in all (ITU-T E.164).
///
/// - It begins with `+` and a digit that is not zero.
/// - It has 2 to 15 digits and nothing else.
///
/// `Debug` hides all but the last two digits, so that a number does not reach a log by accident. `Display` shows it.
///
/// ```
/// use twilio_twiml::phone::E164;
///
/// let number: E164 = "+14155550100".parse()?;
/// assert_eq!(number.to_string(), "+14155550100");
/// assert_eq!(format!("{number:?}"), "E164(…00)");
/// assert!("0355501234".parse::<E164>().is_err());
/// # Ok::<(), twilio_twiml::phone::ParsePhoneError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct E164(Box<str>);

impl E164 {
    /// The number with its `+`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that is not the telephone number it was taken for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParsePhoneError {
    /// Not an international number.
    #[error("an E.164 number is a plus sign and 2 to 15 digits, the first of them not zero")]
    NotE164,
    /// Not a number of the country it was read for.
    #[error("not a telephone number of the country with code {calling_code}")]
    NotNational {
        /// The country's calling code.
        calling_code: u16,
    },
}

impl FromStr for E164 {
    type Err = ParsePhoneError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.as_bytes() {
            [b'+', b'1'..=b'9', rest @ ..] if (1..=14).contains(&rest.len()) && rest.iter().all(u8::is_ascii_digit) => {
                Ok(Self(text.into()))
            }
            _ => Err(ParsePhoneError::NotE164),
        }
    }
}

impl TryFrom<String> for E164 {
    type Error = ParsePhoneError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<E164> for String {
    fn from(number: E164) -> Self {
        number.0.into()
    }
}

impl fmt::Display for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "E164(…{})", &self.0[self.0.len() - 2..])
    }
}

impl Value for E164 {
    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.0)
    }

    fn read(text: &str) -> Result<Self, &'static str> {
        text.trim().parse().map_err(|_| "a telephone number in E.164 form")
    }
}

/// How a country writes its numbers at home.
///
/// ```
/// use twilio_twiml::phone::Country;
///
/// let number = Country::JAPAN.read("03-5550-1234")?;
/// assert_eq!(number.as_str(), "+81355501234");
/// assert_eq!(Country::JAPAN.write(&number).as_deref(), Some("0355501234"));
/// assert_eq!(Country::JAPAN.read("+81 3 5550 1234")?, number);
/// # Ok::<(), twilio_twiml::phone::ParsePhoneError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Country {
    calling_code: u16,
    trunk_prefix: &'static str,
}

impl Country {
    /// `+81`, numbers written with a leading zero.
    pub const JAPAN: Self = Self::new(81, "0");
    /// `+1`, also Canada and the others of the North American plan.
    pub const UNITED_STATES: Self = Self::new(1, "1");
    /// `+44`, numbers written with a leading zero.
    pub const UNITED_KINGDOM: Self = Self::new(44, "0");

    /// A country by its calling code and the digits that numbers begin with inside it (`""` if there are none).
    #[must_use]
    pub const fn new(calling_code: u16, trunk_prefix: &'static str) -> Self {
        Self { calling_code, trunk_prefix }
    }

    /// Reads a number as people write it: national or international, with blanks, dots, hyphens and brackets.
    ///
    /// # Errors
    /// If letters or other signs are left, or the result is no E.164 number.
    pub fn read(&self, text: &str) -> Result<E164, ParsePhoneError> {
        let bare: String = text.chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')' | '\u{3000}')).collect();
        if bare.starts_with('+') {
            return bare.parse();
        }
        let wrong = ParsePhoneError::NotNational { calling_code: self.calling_code };
        let national = match bare.strip_prefix(self.trunk_prefix) {
            Some(rest) => rest,
            // North American numbers are as often written without their 1; a number without Japan's 0 is incomplete.
            None if self.trunk_prefix == "1" => &bare,
            None => return Err(wrong),
        };
        if national.starts_with('0') || national.len() < 4 {
            return Err(wrong);
        }
        format!("+{}{national}", self.calling_code).parse().map_err(|_| wrong)
    }

    /// The number as it is dialled inside the country, without separators; `None` for a number of another country.
    #[must_use]
    pub fn write(&self, number: &E164) -> Option<String> {
        let national = number.0[1..].strip_prefix(&self.calling_code.to_string())?;
        Some(format!("{}{national}", self.trunk_prefix))
    }
}

/// Who a call is from or to.
///
/// Twilio writes all of them into `From`, `To`, `Caller` and `Called` as plain text. `Display` gives that text back;
/// `Debug` hides it.
///
/// ```
/// use twilio_twiml::phone::Address;
///
/// assert!(matches!(Address::from("+14155550100"), Address::Phone(_)));
/// assert_eq!(Address::from("client:joey"), Address::Client("joey".into()));
/// assert_eq!(Address::from("sip:joey@example.com"), Address::Sip("sip:joey@example.com".into()));
/// assert_eq!(Address::from("anonymous"), Address::Withheld("anonymous".into()));
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
#[non_exhaustive]
pub enum Address {
    /// A telephone number.
    Phone(E164),
    /// A Twilio client's identity, without `client:`.
    Client(Box<str>),
    /// A SIP URI, with its scheme (`sip:` or `sips:`).
    Sip(Box<str>),
    /// The caller does not show a number; the word that Twilio puts in its place (`anonymous`, `unknown`, …, or
    /// nothing).
    Withheld(Box<str>),
    /// Anything else: a caller ID that could not be made a number, a short code, a channel such as `whatsapp:`.
    Other(Box<str>),
}

/// What carriers and Twilio put where a number should be.
const WITHHELD: [&str; 6] = ["", "anonymous", "unknown", "restricted", "private", "unavailable"];

impl Address {
    /// The number, if it is one.
    #[must_use]
    pub fn phone(&self) -> Option<&E164> {
        match self {
            Self::Phone(number) => Some(number),
            _ => None,
        }
    }
}

impl From<&str> for Address {
    fn from(text: &str) -> Self {
        let text = text.trim();
        if let Ok(number) = text.parse() {
            return Self::Phone(number);
        }
        if let Some(identity) = text.strip_prefix("client:") {
            return Self::Client(identity.into());
        }
        if text.starts_with("sip:") || text.starts_with("sips:") {
            return Self::Sip(text.into());
        }
        if WITHHELD.iter().any(|word| word.eq_ignore_ascii_case(text)) {
            return Self::Withheld(text.into());
        }
        Self::Other(text.into())
    }
}

impl From<String> for Address {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<E164> for Address {
    fn from(number: E164) -> Self {
        Self::Phone(number)
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Phone(number) => write!(f, "Phone({number:?})"),
            Self::Client(_) => f.write_str("Client(…)"),
            Self::Sip(_) => f.write_str("Sip(…)"),
            Self::Withheld(word) => write!(f, "Withheld({word:?})"),
            Self::Other(_) => f.write_str("Other(…)"),
        }
    }
}

impl Value for Address {
    fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Phone(number) => number.text(),
            Self::Client(identity) => Cow::Owned(format!("client:{identity}")),
            Self::Sip(text) | Self::Withheld(text) | Self::Other(text) => Cow::Borrowed(text),
        }
    }

    fn read(text: &str) -> Result<Self, &'static str> {
        Ok(text.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_a_plus_and_2_to_15_digits() {
        for good in ["+12", "+123456789012345", "+81355501234"] {
            assert_eq!(good.parse::<E164>().unwrap().as_str(), good);
        }
        for bad in
            ["", "+", "+1", "+1234567890123456", "+0123456", "14155550100", "+1415555010a", "+1 415", "＋81355501234"]
        {
            assert!(bad.parse::<E164>().is_err(), "{bad} was taken");
        }
    }

    #[test]
    fn national_spellings_are_read_and_written() {
        for text in ["090-1234-5678", "09012345678", "+81 90 1234 5678", "(090) 1234.5678"] {
            assert_eq!(Country::JAPAN.read(text).unwrap().as_str(), "+819012345678", "{text}");
        }
        for text in ["(415) 555-0100", "1-415-555-0100"] {
            assert_eq!(Country::UNITED_STATES.read(text).unwrap().as_str(), "+14155550100", "{text}");
        }
        for text in ["", "0", "9012345678", "00901234", "090-1234-567x", "内線12"] {
            assert!(Country::JAPAN.read(text).is_err(), "{text} was taken");
        }
        assert_eq!(Country::JAPAN.write(&"+14155550100".parse().unwrap()), None);
    }

    #[test]
    fn every_address_gives_its_text_back() {
        for text in
            ["+14155550100", "client:joey", "sip:a@b.example;transport=tls", "Anonymous", "", "12345", "whatsapp:+1415"]
        {
            assert_eq!(Address::from(text).to_string(), text);
        }
    }

    #[test]
    fn debug_shows_no_number() {
        for text in ["+14155550100", "client:joey", "sip:joey@example.com", "4155550100"] {
            let shown = format!("{:?}", Address::from(text));
            assert!(!shown.contains("5550") && !shown.contains("joey"), "{shown}");
        }
    }
}
