use std::{borrow::Cow, fmt, ops::Deref};

use serde::{Deserialize, Serialize};

use crate::value::Value;

/// Text that is a person's own: their name, what they said, which keys they pressed. `Debug` hides it, so that it does
/// not reach a log by accident; otherwise it is a `str`.
///
/// ```
/// use twilio_twiml::Private;
///
/// let words = Private::from("my card is 4111…");
/// assert!(words.contains("card"));
/// assert_eq!(format!("{words:?}"), "Private(…)");
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Private(String);

impl Private {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: Into<String>> From<T> for Private {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl Deref for Private {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Private(…)")
    }
}

impl Value for Private {
    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.0)
    }

    fn read(text: &str) -> Result<Self, &'static str> {
        Ok(text.into())
    }
}
