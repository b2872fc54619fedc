//! Reads TwiML text into typed documents.

use std::borrow::Cow;

use quick_xml::{
    XmlVersion,
    escape::resolve_predefined_entity,
    events::{Event, attributes::Attributes},
};

use super::{
    body::{Child, push_mixed},
    writer::is_name,
};
use crate::value::Value;

/// How deep elements may stand in one another: deeper than any real document, and no danger to the stack.
const DEPTH_LIMIT: usize = 64;

/// Why a text is no TwiML, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {problem}")]
#[non_exhaustive]
pub struct ReadError {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong there.
    pub problem: ReadProblem,
}

/// What is wrong with a TwiML text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadProblem {
    /// The text is not well-formed XML (Twilio: error 12100).
    #[error("this is not XML: {reason}")]
    Xml {
        /// What the XML parser says.
        reason: String,
    },
    /// The root is not `<Response>` (Twilio: error 12102).
    #[error("the root is <{element}>, not <Response>")]
    Root {
        /// The root that was found.
        element: String,
    },
    /// The text is longer than Twilio reads (Twilio: error 11750).
    #[error("the document has {bytes} bytes, Twilio reads {limit}")]
    TooLong {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        limit: usize,
    },
    /// Elements stand too deep in one another.
    #[error("elements are nested more than {limit} deep")]
    TooDeep {
        /// How deep they may stand.
        limit: usize,
    },
    /// An element stands where it must not (Twilio: warning 12200).
    #[error("<{element}> may not stand in <{parent}>")]
    Misplaced {
        /// The element.
        element: String,
        /// The element around it.
        parent: String,
    },
    /// Text stands where only elements may.
    #[error("<{element}> may not hold text")]
    Text {
        /// The element around the text.
        element: String,
    },
    /// A value is none of those that an attribute can have.
    #[error("{attribute} of <{element}> should be {expected}")]
    Attribute {
        /// The element.
        element: String,
        /// The attribute.
        attribute: String,
        /// What would be right.
        expected: &'static str,
    },
    /// The text in an element is not what it should be.
    #[error("<{element}> should hold {expected}")]
    Content {
        /// The element.
        element: String,
        /// What would be right.
        expected: &'static str,
    },
    /// An attribute is missing.
    #[error("<{element}> needs the attribute {attribute}")]
    Missing {
        /// The element.
        element: String,
        /// The attribute.
        attribute: &'static str,
    },
}

/// An attribute or element that this crate does not know: kept in the document, and worth a warning.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unknown {
    /// The element: the unknown one, or the one with the unknown attribute.
    pub element: String,
    /// The attribute, if it is that which is unknown.
    pub attribute: Option<String>,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

/// A start tag, or an empty element.
pub(crate) struct Tag<'a> {
    pub(crate) name: &'a str,
    pub(crate) attributes: Vec<Attribute<'a>>,
    /// `<Pause/>`: there is no end tag.
    empty: bool,
    /// The tag around this one.
    parent: &'a str,
    at: usize,
}

pub(crate) struct Attribute<'a> {
    pub(crate) name: &'a str,
    value: Cow<'a, str>,
    at: usize,
}

/// What follows inside an element.
pub(crate) enum Item<'a> {
    Start(Tag<'a>),
    Text(Cow<'a, str>),
    End,
}

pub(crate) struct Reader<'a> {
    text: &'a str,
    xml: quick_xml::Reader<&'a [u8]>,
    open: Vec<&'a str>,
    pub(crate) unknown: Vec<Unknown>,
}

impl<'a> Reader<'a> {
    /// Begins to read, up to the root's start tag.
    pub(crate) fn begin(text: &'a str, limit: usize) -> Result<(Self, Tag<'a>), ReadError> {
        let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
        let mut reader = Self { text, xml: quick_xml::Reader::from_str(text), open: Vec::new(), unknown: Vec::new() };
        if text.len() > limit {
            return Err(reader.error(0, ReadProblem::TooLong { bytes: text.len(), limit }));
        }
        if let Some(at) = text.find(forbidden) {
            return Err(reader.not_xml(at, "a character that XML cannot carry"));
        }
        loop {
            let at = reader.position();
            match reader.event()? {
                // Twilio wants the declaration to be the very first bytes.
                Event::Decl(_) if at == 0 => {}
                Event::Decl(_) => return Err(reader.not_xml(at, "the XML declaration is not at the very beginning")),
                Event::Comment(_) | Event::PI(_) => {}
                Event::Text(text) if text.xml10_content().trim_ascii().is_empty() => {}
                Event::Start(_) => {
                    let root = reader.tag(at, false)?;
                    return Ok((reader, root));
                }
                Event::Empty(_) => {
                    let root = reader.tag(at, true)?;
                    return Ok((reader, root));
                }
                Event::Eof => return Err(reader.not_xml(at, "there is no element")),
                _ => return Err(reader.not_xml(at, "something stands before the root element")),
            }
        }
    }

    /// Makes sure that nothing follows the root.
    pub(crate) fn finish(&mut self) -> Result<(), ReadError> {
        loop {
            let at = self.position();
            match self.event()? {
                Event::Comment(_) | Event::PI(_) => {}
                Event::Text(text) if text.xml10_content().trim_ascii().is_empty() => {}
                Event::Eof => return Ok(()),
                _ => return Err(self.not_xml(at, "something follows the root element")),
            }
        }
    }

    /// The children of an element, and its text if it may hold any.
    pub(crate) fn children<C: Child>(&mut self, tag: &Tag<'_>) -> Result<Vec<C>, ReadError> {
        let mut children = Vec::new();
        while let Some((at, item)) = self.next(tag)? {
            match item {
                Item::Start(child) => children.push(C::read_child(child, self)?),
                Item::Text(text) if C::MIXED => {
                    if let Some(text) = C::from_text(text.into_owned()) {
                        push_mixed(&mut children, text);
                    }
                }
                Item::Text(text) => self.only_blanks(tag, at, &text)?,
                Item::End => break,
            }
        }
        Ok(children)
    }

    /// The one child of an element; `expected` names it in the error if there is none.
    pub(crate) fn only_child<C: Child>(&mut self, tag: &Tag<'_>, expected: &'static str) -> Result<C, ReadError> {
        let mut children = self.children(tag)?;
        match (children.pop(), children.is_empty()) {
            (Some(child), true) => Ok(child),
            _ => Err(self.content(tag, expected)),
        }
    }

    /// The typed text of a noun, without the blanks around it.
    pub(crate) fn text_body<T: Value>(&mut self, tag: &Tag<'_>) -> Result<T, ReadError> {
        let mut text = Cow::Borrowed("");
        while let Some((_, item)) = self.next(tag)? {
            match item {
                Item::Start(child) => return Err(self.misplaced(&child)),
                Item::Text(more) if text.is_empty() => text = more,
                Item::Text(more) => text.to_mut().push_str(&more),
                Item::End => break,
            }
        }
        T::read(text.trim()).map_err(|expected| self.content(tag, expected))
    }

    /// Makes sure that an element is empty.
    pub(crate) fn no_body(&mut self, tag: &Tag<'_>) -> Result<(), ReadError> {
        while let Some((at, item)) = self.next(tag)? {
            match item {
                Item::Start(child) => return Err(self.misplaced(&child)),
                Item::Text(text) => self.only_blanks(tag, at, &text)?,
                Item::End => break,
            }
        }
        Ok(())
    }

    pub(crate) fn attribute<T: Value>(&self, tag: &Tag<'_>, attribute: &Attribute<'_>) -> Result<T, ReadError> {
        T::read(&attribute.value).map_err(|expected| {
            let problem =
                ReadProblem::Attribute { element: tag.name.to_owned(), attribute: attribute.name.to_owned(), expected };
            self.error(attribute.at, problem)
        })
    }

    /// Keeps an attribute that has no field, and remembers that there was one.
    pub(crate) fn unknown(&mut self, tag: &Tag<'_>, attribute: &Attribute<'_>) -> (String, String) {
        self.remember(tag.name, Some(attribute.name), attribute.at);
        (attribute.name.to_owned(), attribute.value.as_ref().to_owned())
    }

    /// Keeps an element that has no type: its attributes are part of the surprise, not one each.
    pub(crate) fn raw_attributes(&mut self, tag: &Tag<'_>) -> Vec<(String, String)> {
        self.remember(tag.name, None, tag.at);
        let pair = |attribute: &Attribute<'_>| (attribute.name.to_owned(), attribute.value.as_ref().to_owned());
        tag.attributes.iter().map(pair).collect()
    }

    fn remember(&mut self, element: &str, attribute: Option<&str>, at: usize) {
        let (line, column) = self.line_and_column(at);
        let (element, attribute) = (element.to_owned(), attribute.map(str::to_owned));
        self.unknown.push(Unknown { element, attribute, line, column });
    }

    pub(crate) fn required<T>(&self, tag: &Tag<'_>, name: &'static str, value: Option<T>) -> Result<T, ReadError> {
        value.ok_or_else(|| self.error(tag.at, ReadProblem::Missing { element: tag.name.to_owned(), attribute: name }))
    }

    pub(crate) fn misplaced(&self, tag: &Tag<'_>) -> ReadError {
        let problem = ReadProblem::Misplaced { element: tag.name.to_owned(), parent: tag.parent.to_owned() };
        self.error(tag.at, problem)
    }

    pub(crate) fn content(&self, tag: &Tag<'_>, expected: &'static str) -> ReadError {
        self.error(tag.at, ReadProblem::Content { element: tag.name.to_owned(), expected })
    }

    pub(crate) fn wrong_root(&self, tag: &Tag<'_>) -> ReadError {
        self.error(tag.at, ReadProblem::Root { element: tag.name.to_owned() })
    }

    /// The next item inside `tag`, and where it begins; `None` if the element has no end tag to wait for.
    pub(crate) fn next(&mut self, tag: &Tag<'_>) -> Result<Option<(usize, Item<'a>)>, ReadError> {
        if tag.empty {
            return Ok(None);
        }
        loop {
            let at = self.position();
            let item = match self.event()? {
                Event::Start(_) => Item::Start(self.tag(at, false)?),
                Event::Empty(_) => Item::Start(self.tag(at, true)?),
                Event::End(_) => {
                    self.open.pop();
                    Item::End
                }
                // A reader makes every kind of line break one line feed.
                Event::Text(text) => Item::Text(text.xml10_content().into_owned().into()),
                Event::CData(text) => Item::Text(text.xml10_content().into_owned().into()),
                Event::GeneralRef(reference) => Item::Text(Cow::Owned(self.reference(at, &reference)?)),
                Event::Comment(_) | Event::PI(_) => continue,
                Event::Decl(_) | Event::DocType(_) => return Err(self.not_xml(at, "a declaration inside the document")),
                Event::Eof => return Err(self.not_xml(at, "the document ends inside an element")),
            };
            return Ok(Some((at, item)));
        }
    }

    fn reference(&self, at: usize, reference: &quick_xml::events::BytesRef<'_>) -> Result<String, ReadError> {
        match reference.resolve_char_ref() {
            Ok(Some(character)) if !forbidden(character) => Ok(character.to_string()),
            Ok(None) => resolve_predefined_entity(&reference.xml10_content())
                .map(str::to_owned)
                .ok_or_else(|| self.not_xml(at, "an entity that XML does not know")),
            _ => Err(self.not_xml(at, "a reference to a character that XML cannot carry")),
        }
    }

    /// The start tag at a position, borrowed from the text.
    fn tag(&mut self, at: usize, empty: bool) -> Result<Tag<'a>, ReadError> {
        let end = self.position() - if empty { 2 } else { 1 };
        let inside = &self.text[at + 1..end];
        let name_end = inside.find(|c: char| c.is_ascii_whitespace()).unwrap_or(inside.len());
        let name = &inside[..name_end];
        if !is_name(name) {
            return Err(self.not_xml(at, "a tag that is no name"));
        }
        let mut attributes = Vec::new();
        for attribute in Attributes::new(inside, name_end) {
            let attribute = attribute.map_err(|error| self.not_xml(at, &error.to_string()))?;
            let at = self.offset_of(&attribute.value).unwrap_or(at);
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|error| self.not_xml(at, &error.to_string()))?;
            let name = attribute.key.into_inner();
            if !is_name(name) || value.contains(forbidden) || attribute.value.contains('<') {
                return Err(self.not_xml(at, "an attribute that is not well formed"));
            }
            attributes.push(Attribute { name, value, at });
        }
        let parent = self.open.last().copied().unwrap_or_default();
        if self.open.len() == DEPTH_LIMIT {
            return Err(self.error(at, ReadProblem::TooDeep { limit: DEPTH_LIMIT }));
        }
        if !empty {
            self.open.push(name);
        }
        Ok(Tag { name, attributes, empty, parent, at })
    }

    /// Where a part of the text begins.
    fn offset_of(&self, part: &str) -> Option<usize> {
        let offset = part.as_ptr().addr().checked_sub(self.text.as_ptr().addr())?;
        (offset <= self.text.len()).then_some(offset)
    }

    fn event(&mut self) -> Result<Event<'a>, ReadError> {
        self.xml.read_event().map_err(|error| {
            let at = usize::try_from(self.xml.error_position()).unwrap_or(usize::MAX);
            self.not_xml(at, &error.to_string())
        })
    }

    fn position(&self) -> usize {
        usize::try_from(self.xml.buffer_position()).expect("the text is in memory, so its length is a usize")
    }

    fn only_blanks(&self, tag: &Tag<'_>, at: usize, text: &str) -> Result<(), ReadError> {
        if text.trim_ascii().is_empty() {
            Ok(())
        } else {
            Err(self.error(at, ReadProblem::Text { element: tag.name.to_owned() }))
        }
    }

    fn not_xml(&self, at: usize, reason: &str) -> ReadError {
        self.error(at, ReadProblem::Xml { reason: reason.to_owned() })
    }

    fn error(&self, at: usize, problem: ReadProblem) -> ReadError {
        let (line, column) = self.line_and_column(at);
        ReadError { line, column, problem }
    }

    fn line_and_column(&self, at: usize) -> (usize, usize) {
        let before = &self.text[..self.text.floor_char_boundary(at)];
        let line_start = before.rfind('\n').map_or(0, |index| index + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}

/// Whether XML 1.0 excludes a character, even as a reference.
fn forbidden(character: char) -> bool {
    matches!(character, '\0'..='\u{8}' | '\u{B}' | '\u{C}' | '\u{E}'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}')
}
