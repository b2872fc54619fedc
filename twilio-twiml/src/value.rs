//! Typed values that Twilio writes as text: in TwiML attributes, form fields and REST parameters.

use std::{borrow::Cow, fmt, str::FromStr, time::Duration};

/// A value with one text form.
///
/// `read(text(value)) == value` holds for every value. `read` is for what others wrote, so it may accept more spellings
/// than `text` produces.
pub(crate) trait Value: Sized {
    /// The text that Twilio reads.
    fn text(&self) -> Cow<'_, str>;

    /// The value of a text, or a few words that say what was expected.
    fn read(text: &str) -> Result<Self, &'static str>;

    /// Why Twilio would refuse this value in a document, `None` if it would not.
    fn fault(&self, _place: Place) -> Option<&'static str> {
        None
    }
}

/// Where a document will be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// As the answer to a webhook: relative URLs are resolved against the webhook's own.
    Answer,
    /// As the `Twiml` parameter of a REST request: there is nothing to resolve a relative URL against.
    Parameter,
}

impl Value for String {
    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(self)
    }

    fn read(text: &str) -> Result<Self, &'static str> {
        Ok(text.to_owned())
    }
}

impl Value for bool {
    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(if *self { "true" } else { "false" })
    }

    fn read(text: &str) -> Result<Self, &'static str> {
        match text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err("true or false"),
        }
    }
}

macro_rules! number_values {
    ($($number:ty),*) => {$(
        impl Value for $number {
            fn text(&self) -> Cow<'_, str> {
                Cow::Owned(self.to_string())
            }

            fn read(text: &str) -> Result<Self, &'static str> {
                digits(text).ok_or("a whole number")
            }
        }
    )*};
}

number_values!(u8, u16, u32, u64);

impl Value for f64 {
    fn text(&self) -> Cow<'_, str> {
        Cow::Owned(self.to_string())
    }

    fn read(text: &str) -> Result<Self, &'static str> {
        text.trim().parse().ok().filter(|number: &f64| number.is_finite()).ok_or("a number")
    }
}

/// Reads decimal digits and nothing else; Rust's own reader would take a plus sign.
fn digits<T: FromStr>(text: &str) -> Option<T> {
    let text = text.trim();
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// Lists are written with one blank between the items (Twilio: TwiML, `statusCallbackEvent`).
impl<T: Value> Value for Vec<T> {
    fn text(&self) -> Cow<'_, str> {
        match self.as_slice() {
            [one] => one.text(),
            many => Cow::Owned(many.iter().map(T::text).collect::<Vec<_>>().join(" ")),
        }
    }

    fn read(text: &str) -> Result<Self, &'static str> {
        text.split_ascii_whitespace().map(T::read).collect()
    }
}

macro_rules! durations {
    ($($(#[$doc:meta])* $name:ident($unit:literal, $from_duration:expr, $to_duration:expr);)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub u32);

        impl From<u32> for $name {
            fn from(count: u32) -> Self {
                Self(count)
            }
        }

        impl From<Duration> for $name {
            /// Rounds up to whole units; a time too long to be written becomes the longest that can be.
            fn from(duration: Duration) -> Self {
                Self(u32::try_from($from_duration(duration)).unwrap_or(u32::MAX))
            }
        }

        impl From<$name> for Duration {
            fn from(time: $name) -> Self {
                $to_duration(u64::from(time.0))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }

        impl Value for $name {
            fn text(&self) -> Cow<'_, str> {
                self.0.text()
            }

            fn read(text: &str) -> Result<Self, &'static str> {
                digits(text).map(Self).ok_or(concat!("a whole number of ", $unit))
            }
        }
    )*};
}

durations! {
    /// Whole seconds. Comes from a number or from a [`Duration`], which is rounded up.
    ///
    /// ```
    /// # use std::time::Duration;
    /// use twilio_twiml::Seconds;
    ///
    /// assert_eq!(Seconds::from(Duration::from_millis(1500)), Seconds(2));
    /// ```
    Seconds("seconds", |duration: Duration| duration.as_millis().div_ceil(1000), Duration::from_secs);
    /// Whole milliseconds. Comes from a number or from a [`Duration`], which is rounded up.
    Millis("milliseconds", |duration: Duration| duration.as_micros().div_ceil(1000), Duration::from_millis);
}

/// How many. Comes from a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Count(pub u32);

impl From<u32> for Count {
    fn from(count: u32) -> Self {
        Self(count)
    }
}

impl Value for Count {
    fn text(&self) -> Cow<'_, str> {
        self.0.text()
    }

    fn read(text: &str) -> Result<Self, &'static str> {
        u32::read(text).map(Self)
    }
}

/// Declares enums whose variants are the words Twilio uses.
///
/// A closed enum refuses other words; one declared with `open` keeps them in its `Other` variant, because Twilio adds
/// to the set without notice.
macro_rules! words {
    ($($(#[$doc:meta])* $kind:ident $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ })*) => {$(
        words!(@$kind $(#[$doc])* $name { $($(#[$variant_doc])* $variant = $word,)+ });

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
                <$name as $crate::value::Value>::read(&word).map_err(serde::de::Error::custom)
            }
        }
    )*};

    (@closed $(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_doc])* #[doc = concat!("`", $word, "`")] $variant,)+
        }

        impl $name {
            /// Every word of the set.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word as Twilio writes it.
            #[must_use]
            pub fn as_str(&self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::value::UnknownWord;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                <Self as $crate::value::Value>::read(word).map_err(|expected| $crate::value::UnknownWord { expected })
            }
        }

        impl $crate::value::Value for $name {
            fn text(&self) -> std::borrow::Cow<'_, str> {
                std::borrow::Cow::Borrowed(self.as_str())
            }

            fn read(word: &str) -> Result<Self, &'static str> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(concat!("one of", $(" ", $word),+)),
                }
            }
        }
    };

    (@open $(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_doc])* #[doc = concat!("`", $word, "`")] $variant,)+
            /// A word that this crate does not know. `From` never puts a known word here.
            Other(Box<str>),
        }

        impl $name {
            /// Every known word.
            pub const KNOWN: &'static [Self] = &[$(Self::$variant),+];

            /// The word as Twilio writes it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)+
                    Self::Other(word) => word,
                }
            }
        }

        impl From<&str> for $name {
            fn from(word: &str) -> Self {
                match word {
                    $($word => Self::$variant,)+
                    other => Self::Other(other.into()),
                }
            }
        }

        impl From<String> for $name {
            fn from(word: String) -> Self {
                Self::from(word.as_str())
            }
        }

        impl $crate::value::Value for $name {
            fn text(&self) -> std::borrow::Cow<'_, str> {
                std::borrow::Cow::Borrowed(self.as_str())
            }

            fn read(word: &str) -> Result<Self, &'static str> {
                Ok(Self::from(word))
            }
        }
    };
}

pub(crate) use words;

/// A word that is not in the closed set it was taken for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}")]
pub struct UnknownWord {
    pub(crate) expected: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_rounded_up_and_never_wrap() {
        assert_eq!(Seconds::from(Duration::from_millis(1)), Seconds(1));
        assert_eq!(Seconds::from(Duration::from_secs(5)), Seconds(5));
        assert_eq!(Millis::from(Duration::from_micros(20_001)), Millis(21));
        assert_eq!(Seconds::from(Duration::MAX), Seconds(u32::MAX));
        assert_eq!(Duration::from(Millis(20)), Duration::from_millis(20));
    }

    #[test]
    fn a_list_is_its_items_and_blanks() {
        assert_eq!(vec![1_u32, 2, 3].text(), "1 2 3");
        assert_eq!(Vec::<u32>::read(" 1  2 3"), Ok(vec![1, 2, 3]));
        assert_eq!(Vec::<bool>::read("true maybe"), Err("true or false"));
    }
}
