//! Writes typed elements straight into one string.

use std::borrow::Cow;

use super::error::BuildError;
use crate::value::{Place, Value};

/// Enough for a document that connects a stream, so that the usual document is one allocation.
const USUAL_BYTES: usize = 512;

pub(crate) struct Writer {
    out: String,
    place: Place,
    pretty: bool,
    depth: usize,
    /// How many open elements hold text: inside them a line break would be heard.
    mixed: usize,
    error: Option<BuildError>,
}

impl Writer {
    pub(crate) fn new(place: Place, pretty: bool) -> Self {
        let mut out = String::with_capacity(USUAL_BYTES);
        out.push_str(r#"<?xml version="1.0" encoding="UTF-8"?>"#);
        Self { out, place, pretty, depth: 0, mixed: 0, error: None }
    }

    pub(crate) fn finish(mut self) -> Result<String, BuildError> {
        if self.pretty {
            self.out.push('\n');
        }
        self.error.map_or(Ok(self.out), Err)
    }

    /// Remembers what is wrong; the first error is the one reported.
    pub(crate) fn fail(&mut self, error: BuildError) {
        self.error.get_or_insert(error);
    }

    /// Begins a start tag: attributes follow.
    pub(crate) fn open(&mut self, tag: &str) {
        self.new_line();
        self.out.push('<');
        self.out.push_str(tag);
        self.depth += 1;
    }

    pub(crate) fn attribute<T: Value>(&mut self, element: &'static str, name: &'static str, value: &T) {
        if let Some(reason) = value.fault(self.place) {
            self.fail(BuildError::Attribute { element: element.into(), attribute: name.into(), reason });
        }
        self.plain_attribute(element, name, &value.text());
    }

    fn plain_attribute(&mut self, element: &str, name: &str, value: &str) {
        self.out.push(' ');
        self.out.push_str(name);
        self.out.push_str("=\"");
        self.escape(element, value, true);
        self.out.push('"');
    }

    /// Writes attributes that have no type, and refuses those that would make the tag ill-formed.
    pub(crate) fn custom(&mut self, element: &str, custom: &[(String, String)], known: &[&str]) {
        for (index, (name, value)) in custom.iter().enumerate() {
            let repeated = known.contains(&name.as_str()) || custom[..index].iter().any(|(earlier, _)| earlier == name);
            if repeated || !is_name(name) {
                self.fail(BuildError::Name { element: element.to_owned().into(), name: name.clone() });
            } else {
                self.plain_attribute(element, name, value);
            }
        }
    }

    /// Ends the element right after its attributes.
    pub(crate) fn close_empty(&mut self) {
        self.out.push_str("/>");
        self.depth -= 1;
    }

    /// Ends the start tag; content follows. `mixed` says whether text may stand in it.
    pub(crate) fn begin_content(&mut self, mixed: bool) {
        self.out.push('>');
        if mixed || self.mixed > 0 {
            self.mixed += 1;
        }
    }

    pub(crate) fn close(&mut self, tag: &str) {
        self.depth -= 1;
        self.new_line();
        self.mixed = self.mixed.saturating_sub(1);
        self.out.push_str("</");
        self.out.push_str(tag);
        self.out.push('>');
    }

    /// Writes the text of a noun, such as a URL or a number.
    pub(crate) fn value<T: Value>(&mut self, element: &'static str, value: &T) {
        if let Some(reason) = value.fault(self.place) {
            self.fail(BuildError::Content { element: element.into(), reason });
        }
        self.text(element, &value.text());
    }

    pub(crate) fn text(&mut self, element: &str, text: &str) {
        self.escape(element, text, false);
    }

    fn new_line(&mut self) {
        if self.pretty && self.mixed == 0 {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n("  ", self.depth));
        }
    }

    /// Escapes what XML would misread. A reader turns a bare line break in an attribute into a blank and a bare
    /// carriage return anywhere into a line feed, so these become character references.
    fn escape(&mut self, element: &str, text: &str, in_attribute: bool) {
        let mut plain = 0;
        for (index, byte) in text.bytes().enumerate() {
            let escaped = match byte {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' if in_attribute => "&quot;",
                b'\t' if in_attribute => "&#9;",
                b'\n' if in_attribute => "&#10;",
                b'\r' => "&#13;",
                0..=0x1F if !matches!(byte, b'\t' | b'\n') => {
                    self.forbidden(element, char::from(byte));
                    continue;
                }
                // U+FFFE and U+FFFF, the other two that XML 1.0 excludes, are EF BF BE and EF BF BF in UTF-8.
                0xEF if text[index..].starts_with(['\u{FFFE}', '\u{FFFF}']) => {
                    self.forbidden(element, text[index..].chars().next().unwrap_or_default());
                    continue;
                }
                _ => continue,
            };
            self.out.push_str(&text[plain..index]);
            self.out.push_str(escaped);
            plain = index + 1;
        }
        self.out.push_str(&text[plain..]);
    }

    fn forbidden(&mut self, element: &str, character: char) {
        self.fail(BuildError::Character { element: Cow::Owned(element.to_owned()), character });
    }
}

/// Whether a text can be the name of an element or attribute. ASCII is enough for every name Twilio has.
pub(crate) fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':'))
}
