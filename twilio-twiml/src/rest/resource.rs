//! `resource!` declares what Twilio answers.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};

use crate::value::Value;

/// Declares an answer: `required` are there in every answer, the rest may be missing, `null` or empty. Unknown fields
/// are ignored.
///
/// Durations, prices and counts are texts in Twilio's JSON; they are read by their types.
macro_rules! resource {
    (
        $(#[$doc:meta])*
        $name:ident;
        required { $($(#[$required_doc:meta])* $required:ident: $required_type:ty $(= $required_name:literal)?,)+ }
        optional { $($(#[$optional_doc:meta])* $optional:ident: $optional_type:ty $(= $optional_name:literal)?,)+ }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, serde::Deserialize)]
        #[non_exhaustive]
        pub struct $name {
            $(
                $(#[$required_doc])*
                $(#[serde(rename = $required_name)])?
                #[serde(deserialize_with = "crate::rest::resource::required")]
                pub $required: $required_type,
            )+
            $(
                $(#[$optional_doc])*
                $(#[serde(rename = $optional_name)])?
                #[serde(default, deserialize_with = "crate::rest::resource::optional")]
                pub $optional: Option<$optional_type>,
            )+
        }
    };
}

pub(super) use resource;

/// A JSON value that stands for a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar<'a> {
    #[serde(borrow)]
    Text(Cow<'a, str>),
    Truth(bool),
    Count(u64),
    Number(f64),
}

impl Scalar<'_> {
    fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Truth(truth) => truth.text(),
            Self::Count(count) => count.text(),
            Self::Number(number) => number.text(),
        }
    }
}

pub(super) fn required<'de, T: Value, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let scalar = Scalar::deserialize(deserializer)?;
    T::read(&scalar.text()).map_err(serde::de::Error::custom)
}

pub(super) fn optional<'de, T: Value, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    let Some(scalar) = Option::<Scalar<'de>>::deserialize(deserializer)? else {
        return Ok(None);
    };
    match scalar.text().as_ref() {
        // Twilio's word for a duration that is not known yet.
        "" | "-1" => Ok(None),
        text => T::read(text).map(Some).map_err(serde::de::Error::custom),
    }
}
