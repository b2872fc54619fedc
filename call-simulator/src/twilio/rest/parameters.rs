//! The parameters of a request, read strictly.

use std::{ops::RangeInclusive, str::FromStr, time::Duration};

use twilio_twiml::{twiml::Response, webhook::Form, words::Method};
use url::Url;

use super::error::Refusal;
use crate::twilio::{
    interpreter::{Fetch, check_webhook},
    programme::Wait,
    register::Begin,
};

/// The longest document in a parameter, in characters.
const INLINE_LIMIT: usize = 4_000;

/// A form or a query string whose names are all known.
#[derive(Debug)]
pub(super) struct Parameters<'a>(&'a Form);

impl<'a> Parameters<'a> {
    /// Takes no name that the operation does not have: Twilio ignores a misspelt name at times, and a test should not.
    pub(super) fn new(form: &'a Form, known: &[&str]) -> Result<Self, Refusal> {
        match form.iter().find(|(name, _)| !known.contains(name)) {
            Some((name, _)) => Err(Refusal::bad(20_001, format!("Unknown parameter: {name}"))),
            None => Ok(Self(form)),
        }
    }

    /// A parameter that is there and not empty.
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).filter(|value| !value.is_empty())
    }

    /// A word of a closed set, or anything else that reads itself.
    pub(super) fn word<T: FromStr>(&self, name: &str, code: u32) -> Result<Option<T>, Refusal> {
        self.text(name).map(|text| text.parse().map_err(|_| invalid(code, name, text))).transpose()
    }

    /// A list: the name repeated, or its values with blanks between them.
    pub(super) fn words<T: FromStr>(&self, name: &str, code: u32) -> Result<Option<Vec<T>>, Refusal> {
        let values = self.0.iter().filter(|(given, _)| *given == name);
        let words: Vec<&str> = values.flat_map(|(_, value)| value.split_ascii_whitespace()).collect();
        if words.is_empty() {
            return Ok(None);
        }
        let read = words.into_iter().map(|word| word.parse().map_err(|_| invalid(code, name, word)));
        read.collect::<Result<_, _>>().map(Some)
    }

    pub(super) fn truth(&self, name: &str) -> Result<Option<bool>, Refusal> {
        match self.text(name) {
            None => Ok(None),
            Some("true" | "True") => Ok(Some(true)),
            Some("false" | "False") => Ok(Some(false)),
            Some(other) => Err(invalid(21_200, name, other)),
        }
    }

    /// A whole number of units of time.
    pub(super) fn time(
        &self,
        name: &str,
        unit: fn(u64) -> Duration,
        range: RangeInclusive<u64>,
        code: u32,
    ) -> Result<Option<Duration>, Refusal> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let number =
            text.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| invalid(code, name, text))?;
        Ok(Some(unit(number)))
    }

    /// A URL that Twilio would request, and how.
    pub(super) fn fetch(&self, purpose: &'static str, name: &str, method: &str) -> Result<Option<Fetch>, Refusal> {
        self.fetch_by(purpose, name, method, Method::Post)
    }

    /// The same with another method for a request that names none.
    pub(super) fn fetch_by(
        &self,
        purpose: &'static str,
        name: &str,
        method: &str,
        default: Method,
    ) -> Result<Option<Fetch>, Refusal> {
        let method = self.word(method, 21_209)?.unwrap_or(default);
        let Some(text) = self.text(name) else { return Ok(None) };
        let url = Url::parse(text).ok().filter(|url| check_webhook(url).is_ok());
        let url = url.ok_or_else(|| Refusal::bad(21_205, format!("{name} is not a valid URL: {text}")))?;
        Ok(Some(Fetch { purpose, url, method }))
    }

    /// What those hear who wait: `None` if it is not said, silence if it is empty.
    pub(super) fn wait(&self, name: &str, method: &str, default: Method) -> Result<Option<Wait>, Refusal> {
        match (self.fetch_by("wait", name, method, default)?, self.0.get(name)) {
            (Some(fetch), _) => Ok(Some(Wait::Fetch(fetch))),
            (None, Some(_)) => Ok(Some(Wait::Silence)),
            (None, None) => Ok(None),
        }
    }

    /// What a call does: the document at `Url`, or the one in `Twiml`.
    pub(super) fn begin(&self, purpose: &'static str) -> Result<Option<Begin>, Refusal> {
        if let Some(fetch) = self.fetch(purpose, "Url", "Method")? {
            return Ok(Some(Begin::Fetch(fetch)));
        }
        let Some(text) = self.text("Twiml") else { return Ok(None) };
        if text.chars().count() > INLINE_LIMIT {
            return Err(Refusal::bad(21_200, format!("Twiml is longer than {INLINE_LIMIT} characters")));
        }
        let response: Response = text.parse().map_err(|error| Refusal::bad(12_100, format!("Twiml: {error}")))?;
        Ok(Some(Begin::Document { text: text.to_owned(), response }))
    }
}

fn invalid(code: u32, name: &str, value: &str) -> Refusal {
    Refusal::bad(code, format!("Invalid {name}: {value}"))
}
