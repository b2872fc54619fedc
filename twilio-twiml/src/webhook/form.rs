//! What Twilio posts, before it has types: names and values, all of them text.

use std::fmt;

use crate::value::Value;

/// The parameters of a webhook, in the order they were sent (Twilio: Webhooks, voice request parameters).
///
/// Twilio adds parameters without notice, so unknown ones are kept: the signature covers all of them.
///
/// `Debug` shows the names but not the values, which are people's numbers and words.
///
/// ```
/// use twilio_twiml::webhook::Form;
///
/// let form = Form::parse(b"CallSid=CAfedcba9876543210fedcba9876543210&CallerName=Jos%C3%A9&ForwardedFrom=");
/// assert_eq!(form.get("CallerName"), Some("José"));
/// assert_eq!(form.get("ForwardedFrom"), Some(""));
/// assert_eq!(format!("{form:?}"), r#"Form["CallSid", "CallerName", "ForwardedFrom"]"#);
/// ```
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Form {
    pairs: Vec<(String, String)>,
}

impl Form {
    /// A form without parameters.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads an `application/x-www-form-urlencoded` body, or the query string of a GET webhook.
    ///
    /// Anything is such a form: bytes that are no UTF-8 become replacement characters.
    #[must_use]
    pub fn parse(body: &[u8]) -> Self {
        Self { pairs: form_urlencoded::parse(body).into_owned().collect() }
    }

    /// Adds a parameter.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.push(name, value);
        self
    }

    /// Adds a parameter.
    pub fn push(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.pairs.push((name.into(), value.into()));
    }

    /// The value of a parameter; the first one if it was sent several times.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All parameters, in the order they were sent.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether there are no parameters.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The parameters as the body of a request with the content type `application/x-www-form-urlencoded`.
    #[must_use]
    pub fn encode(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(self.iter()).finish()
    }

    pub(crate) fn put<T: Value>(&mut self, name: &'static str, value: &T) {
        self.push(name, value.text());
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Form {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        Self { pairs: pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect() }
    }
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Form")?;
        f.debug_list().entries(self.pairs.iter().map(|(name, _)| name)).finish()
    }
}

/// Why a form is not the webhook it was taken for. It names the parameter but does not hold its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormError {
    /// A parameter that Twilio always sends is not there.
    #[error("the parameter {name} is missing")]
    Missing {
        /// The parameter.
        name: &'static str,
    },
    /// A parameter has a value that it cannot have.
    #[error("the parameter {name} should be {expected}")]
    Invalid {
        /// The parameter.
        name: &'static str,
        /// What would be right.
        expected: &'static str,
    },
}

/// A webhook with types. Every form of this module is one.
pub trait Webhook: Sized {
    /// Reads the form.
    ///
    /// # Errors
    /// If a parameter that Twilio always sends is missing, or one has a value that it cannot have.
    fn from_form(form: &Form) -> Result<Self, FormError>;

    /// Writes the form, as Twilio would post it.
    fn to_form(&self) -> Form;
}

/// Takes parameters out of a form, and knows which are left.
pub(crate) struct Taking<'a> {
    form: &'a Form,
    taken: Vec<bool>,
}

impl<'a> Taking<'a> {
    pub(crate) fn new(form: &'a Form) -> Self {
        Self { form, taken: vec![false; form.pairs.len()] }
    }

    /// A parameter that may be missing. Twilio sends some without a value when it has none, and some durations as -1 when
    /// they are not known yet.
    pub(crate) fn optional<T: Value>(&mut self, name: &'static str) -> Result<Option<T>, FormError> {
        match self.text(name) {
            None | Some("" | "-1") => Ok(None),
            Some(text) => T::read(text).map(Some).map_err(|expected| FormError::Invalid { name, expected }),
        }
    }

    pub(crate) fn required<T: Value>(&mut self, name: &'static str) -> Result<T, FormError> {
        let text = self.text(name).ok_or(FormError::Missing { name })?;
        T::read(text).map_err(|expected| FormError::Invalid { name, expected })
    }

    pub(crate) fn rest(self) -> Form {
        let left = self.form.pairs.iter().zip(self.taken).filter(|(_, taken)| !taken);
        Form { pairs: left.map(|(pair, _)| pair.clone()).collect() }
    }

    /// The first value of a parameter. Repetitions of a known parameter mean nothing, so they are not left over either.
    fn text(&mut self, name: &str) -> Option<&'a str> {
        let mut first = None;
        for ((key, value), taken) in self.form.pairs.iter().zip(&mut self.taken) {
            if key == name {
                *taken = true;
                first.get_or_insert(value.as_str());
            }
        }
        first
    }
}

/// Declares a webhook: its parameters with their types. Unknown parameters are kept in `other`.
///
/// `call` and the like in front are parts that several webhooks share.
macro_rules! webhook {
    (
        $(#[$doc:meta])*
        $name:ident;
        $(part { $(#[$part_doc:meta])* $part:ident: $part_type:ty })?
        $(required { $($(#[$required_doc:meta])* $required:ident: $required_type:ty = $required_name:literal,)+ })?
        $(optional { $($(#[$optional_doc:meta])* $optional:ident: $optional_type:ty = $optional_name:literal,)+ })?
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        pub struct $name {
            $($(#[$part_doc])* pub $part: $part_type,)?
            $($($(#[$required_doc])* pub $required: $required_type,)+)?
            $($($(#[$optional_doc])* pub $optional: Option<$optional_type>,)+)?
            /// Parameters that this crate has no field for.
            pub other: $crate::webhook::Form,
        }

        impl $name {
            /// The webhook with what Twilio always sends; the rest can be set by field.
            #[must_use]
            pub fn new($($part: $part_type,)? $($($required: $required_type,)+)?) -> Self {
                Self {
                    $($part,)?
                    $($($required,)+)?
                    $($($optional: None,)+)?
                    other: $crate::webhook::Form::new(),
                }
            }

            pub(crate) fn take(taking: &mut $crate::webhook::form::Taking<'_>) -> Result<Self, $crate::webhook::FormError> {
                Ok(Self {
                    $($part: <$part_type>::take(taking)?,)?
                    $($($required: taking.required($required_name)?,)+)?
                    $($($optional: taking.optional($optional_name)?,)+)?
                    other: $crate::webhook::Form::new(),
                })
            }

            pub(crate) fn put(&self, form: &mut $crate::webhook::Form) {
                $(self.$part.put(form);)?
                $($(form.put($required_name, &self.$required);)+)?
                $($(if let Some(value) = &self.$optional {
                    form.put($optional_name, value);
                })+)?
                for (name, value) in self.other.iter() {
                    form.push(name, value);
                }
            }
        }

        impl $crate::webhook::Webhook for $name {
            fn from_form(form: &$crate::webhook::Form) -> Result<Self, $crate::webhook::FormError> {
                let mut taking = $crate::webhook::form::Taking::new(form);
                let mut webhook = Self::take(&mut taking)?;
                webhook.other = taking.rest();
                Ok(webhook)
            }

            fn to_form(&self) -> $crate::webhook::Form {
                let mut form = $crate::webhook::Form::new();
                self.put(&mut form);
                form
            }
        }
    };
}

pub(crate) use webhook;
