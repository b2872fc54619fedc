//! The types of attributes that are more than a word or a number.

use std::{borrow::Cow, fmt};

use crate::value::{Millis, Place, Seconds, Value};

/// A URL that Twilio is to request: absolute, or relative to the document it stands in.
///
/// Blanks at the ends are dropped. In a document that goes into the `Twiml` parameter of a REST request there is nothing
/// to be relative to, so only absolute URLs are written there (Twilio: error 15004).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Url(String);

impl Url {
    /// The URL as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The scheme in front of the colon, `None` if the URL is relative.
    #[must_use]
    pub fn scheme(&self) -> Option<&str> {
        let (scheme, _) = self.0.split_once(':')?;
        let mut bytes = scheme.bytes();
        (bytes.next()?.is_ascii_alphabetic()
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')))
        .then_some(scheme)
    }

    /// What stands behind the question mark and before any `#`.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        let sent = self.0.split('#').next()?;
        sent.split_once('?').map(|(_, query)| query)
    }
}

impl<T: Into<String>> From<T> for Url {
    fn from(text: T) -> Self {
        let mut text = text.into();
        let trimmed = text.trim_ascii();
        if trimmed.len() != text.len() {
            text = trimmed.to_owned();
        }
        Self(text)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Value for Url {
    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.0)
    }

    fn read(text: &str) -> Result<Self, &'static str> {
        Ok(text.into())
    }

    fn fault(&self, place: Place) -> Option<&'static str> {
        if self.0.bytes().any(|byte| byte.is_ascii_whitespace()) {
            Some("a URL has no blanks")
        } else if place == Place::Parameter && self.scheme().is_none() {
            Some("a URL in a Twiml parameter is absolute, since there is no document to be relative to")
        } else {
            None
        }
    }
}

/// How often something is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// So many times; not zero.
    Times(std::num::NonZeroU32),
    /// Until the call ends or goes elsewhere.
    Forever,
}

impl From<u32> for Repeat {
    /// Zero is Twilio's word for "for ever".
    fn from(times: u32) -> Self {
        std::num::NonZeroU32::new(times).map_or(Self::Forever, Self::Times)
    }
}

impl Value for Repeat {
    fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Times(times) => Cow::Owned(times.to_string()),
            Self::Forever => Cow::Borrowed("0"),
        }
    }

    fn read(text: &str) -> Result<Self, &'static str> {
        u32::read(text).map(Self::from)
    }
}

/// Keys to press: `0`–`9`, `A`–`D`, `#`, `*`, and pauses, `w` for half a second and `W` for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digits(String);

impl Digits {
    /// The keys and pauses.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: Into<String>> From<T> for Digits {
    fn from(keys: T) -> Self {
        Self(keys.into())
    }
}

impl Value for Digits {
    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.0)
    }

    fn read(text: &str) -> Result<Self, &'static str> {
        Ok(text.into())
    }

    fn fault(&self, _place: Place) -> Option<&'static str> {
        let known = |byte| matches!(byte, b'0'..=b'9' | b'A'..=b'D' | b'#' | b'*' | b'w' | b'W');
        (!self.0.bytes().all(known)).then_some("keys are 0-9 A-D # *, and pauses are w W")
    }
}

/// A key of a telephone: a digit, `*` or `#`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(u8);

impl Key {
    /// The star key.
    pub const STAR: Self = Self(b'*');
    /// The hash key.
    pub const HASH: Self = Self(b'#');

    /// The key with this sign on it.
    #[must_use]
    pub fn new(sign: char) -> Option<Self> {
        match sign {
            '0'..='9' | '*' | '#' => u8::try_from(sign).ok().map(Self),
            _ => None,
        }
    }

    /// The sign on the key.
    #[must_use]
    pub fn sign(self) -> char {
        char::from(self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.sign())
    }
}

/// The keys that end an input. None of them: no key does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Keys(Vec<Key>);

impl Keys {
    /// No key.
    pub const NONE: Self = Self(Vec::new());

    /// Whether this key is one of them.
    #[must_use]
    pub fn contains(&self, key: Key) -> bool {
        self.0.contains(&key)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Key> for Keys {
    fn from(key: Key) -> Self {
        Self(vec![key])
    }
}

impl<const N: usize> From<[Key; N]> for Keys {
    fn from(keys: [Key; N]) -> Self {
        Self(keys.into())
    }
}

impl Value for Keys {
    fn text(&self) -> Cow<'_, str> {
        Cow::Owned(self.0.iter().map(|key| key.sign()).collect())
    }

    fn read(text: &str) -> Result<Self, &'static str> {
        text.chars().map(|sign| Key::new(sign).ok_or("keys out of 0-9 # *")).collect::<Result<_, _>>().map(Self)
    }
}

/// Phrases that speech recognition should expect. Twilio separates them by commas, so a comma inside one makes two.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Phrases(Vec<String>);

impl Phrases {
    /// The phrases, in the order they were given.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl<T: AsRef<str>> FromIterator<T> for Phrases {
    fn from_iter<I: IntoIterator<Item = T>>(phrases: I) -> Self {
        let mut all = Vec::new();
        for phrase in phrases {
            let parts = phrase.as_ref().split(',').map(str::trim).filter(|part| !part.is_empty());
            all.extend(parts.map(str::to_owned));
        }
        Self(all)
    }
}

impl From<&str> for Phrases {
    fn from(list: &str) -> Self {
        [list].into_iter().collect()
    }
}

impl<T: AsRef<str>, const N: usize> From<[T; N]> for Phrases {
    fn from(phrases: [T; N]) -> Self {
        phrases.into_iter().collect()
    }
}

impl<T: AsRef<str>> From<Vec<T>> for Phrases {
    fn from(phrases: Vec<T>) -> Self {
        phrases.into_iter().collect()
    }
}

impl Value for Phrases {
    fn text(&self) -> Cow<'_, str> {
        Cow::Owned(self.0.join(","))
    }

    fn read(text: &str) -> Result<Self, &'static str> {
        Ok(text.into())
    }
}

/// How long to wait for more speech.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpeechTimeout {
    /// Twilio decides by what it hears.
    Auto,
    /// So long, in whole seconds.
    After(Seconds),
}

impl<T: Into<Seconds>> From<T> for SpeechTimeout {
    fn from(time: T) -> Self {
        Self::After(time.into())
    }
}

impl Value for SpeechTimeout {
    fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Auto => Cow::Borrowed("auto"),
            Self::After(time) => Cow::Owned(time.to_string()),
        }
    }

    fn read(text: &str) -> Result<Self, &'static str> {
        if text == "auto" {
            Ok(Self::Auto)
        } else {
            Seconds::read(text).map(Self::After).map_err(|_| "auto or seconds")
        }
    }
}

/// The length of a pause in speech, written in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakTime(pub Millis);

impl<T: Into<Millis>> From<T> for BreakTime {
    fn from(time: T) -> Self {
        Self(time.into())
    }
}

impl Value for BreakTime {
    fn text(&self) -> Cow<'_, str> {
        Cow::Owned(format!("{}ms", self.0))
    }

    fn read(text: &str) -> Result<Self, &'static str> {
        let millis = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
            (Some(millis), _) => millis.parse().ok(),
            (None, Some(seconds)) => seconds.parse::<u32>().ok().and_then(|seconds| seconds.checked_mul(1000)),
            (None, None) => None,
        };
        millis.map(|millis| Self(Millis(millis))).ok_or("a time such as 500ms or 2s")
    }

    fn fault(&self, _place: Place) -> Option<&'static str> {
        (self.0 > Millis(10_000)).then_some("a pause in speech is at most 10 seconds")
    }
}

/// The text of a noun without the blanks around it, as Twilio reads it.
pub(crate) fn noun_text(text: impl Into<String>) -> String {
    let text = text.into();
    let trimmed = text.trim();
    if trimmed.len() == text.len() { text } else { trimmed.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_knows_its_scheme_and_query() {
        let url = Url::from(" wss://h.example/media?x=1#rc=2 ");
        assert_eq!((url.scheme(), url.query()), (Some("wss"), Some("x=1")));
        let relative = Url::from("/voice/next");
        assert_eq!((relative.scheme(), relative.query()), (None, None));
        assert_eq!(Url::from("1a:b").scheme(), None);
        assert!(relative.fault(Place::Answer).is_none() && relative.fault(Place::Parameter).is_some());
        assert!(Url::from("https://h.example/a b").fault(Place::Answer).is_some());
    }

    #[test]
    fn values_read_what_they_write() {
        fn check<T: Value + PartialEq + fmt::Debug>(value: T, text: &str) {
            assert_eq!(value.text(), text);
            assert_eq!(T::read(text), Ok(value));
        }
        check(Repeat::from(3), "3");
        check(Repeat::from(0), "0");
        check(Keys::from([Key::STAR, Key::HASH]), "*#");
        check(Keys::NONE, "");
        check(Phrases::from(["yes", "no, never"]), "yes,no,never");
        check(SpeechTimeout::Auto, "auto");
        check(SpeechTimeout::from(3), "3");
    }
}
