//! What stands between an element's tags.

#[cfg(feature = "parse")]
use super::reader::{ReadError, Reader, Tag};
use super::writer::Writer;
use crate::value::Value;

/// A typed element. Implemented by `element!` alone, and by the few whose shape it cannot say.
pub(crate) trait Element: Sized {
    const TAG: &'static str;

    fn write(&self, writer: &mut Writer);

    #[cfg(feature = "parse")]
    fn read(tag: Tag<'_>, reader: &mut Reader<'_>) -> Result<Self, ReadError>;
}

/// The content of an element.
pub(crate) trait Body: Sized {
    fn is_empty(&self) -> bool;

    /// Whether text stands in it, so that blanks between its elements would matter.
    fn is_mixed(&self) -> bool;

    fn write(&self, parent: &'static str, writer: &mut Writer);

    #[cfg(feature = "parse")]
    fn read(tag: &Tag<'_>, reader: &mut Reader<'_>) -> Result<Self, ReadError>;
}

/// One of several elements, or a text, inside another element. Implemented by `children!`.
pub(crate) trait Child: Sized {
    /// Whether text may stand here.
    const MIXED: bool;

    fn write_child(&self, parent: &'static str, writer: &mut Writer);

    fn text_mut(&mut self) -> Option<&mut String>;

    #[cfg(feature = "parse")]
    fn read_child(tag: Tag<'_>, reader: &mut Reader<'_>) -> Result<Self, ReadError>;

    #[cfg(feature = "parse")]
    fn from_text(text: String) -> Option<Self>;
}

/// Ends a start tag with typed content.
pub(crate) fn write_body<B: Body>(body: &B, tag: &'static str, writer: &mut Writer) {
    if body.is_empty() {
        return writer.close_empty();
    }
    writer.begin_content(body.is_mixed());
    body.write(tag, writer);
    writer.close(tag);
}

/// Ends a start tag with the text of a noun.
pub(crate) fn write_text<T: Value>(text: &T, tag: &'static str, writer: &mut Writer) {
    if text.text().is_empty() {
        return writer.close_empty();
    }
    writer.begin_content(true);
    writer.value(tag, text);
    writer.close(tag);
}

/// Where a single kind of element may stand.
impl<E: Element> Child for E {
    const MIXED: bool = false;

    fn write_child(&self, _parent: &'static str, writer: &mut Writer) {
        Element::write(self, writer);
    }

    fn text_mut(&mut self) -> Option<&mut String> {
        None
    }

    #[cfg(feature = "parse")]
    fn read_child(tag: Tag<'_>, reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        if tag.name == E::TAG { Element::read(tag, reader) } else { Err(reader.misplaced(&tag)) }
    }

    #[cfg(feature = "parse")]
    fn from_text(_text: String) -> Option<Self> {
        None
    }
}

impl<C: Child> Body for Vec<C> {
    fn is_empty(&self) -> bool {
        Vec::is_empty(self)
    }

    fn is_mixed(&self) -> bool {
        C::MIXED
    }

    fn write(&self, parent: &'static str, writer: &mut Writer) {
        for child in self {
            child.write_child(parent, writer);
        }
    }

    #[cfg(feature = "parse")]
    fn read(tag: &Tag<'_>, reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        reader.children(tag)
    }
}

/// An element that holds exactly one other.
impl<C: Child> Body for C {
    fn is_empty(&self) -> bool {
        false
    }

    fn is_mixed(&self) -> bool {
        false
    }

    fn write(&self, parent: &'static str, writer: &mut Writer) {
        self.write_child(parent, writer);
    }

    #[cfg(feature = "parse")]
    fn read(tag: &Tag<'_>, reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        reader.only_child(tag, "exactly one noun")
    }
}

/// Adds to mixed content so that what is read back is the same: texts that meet are one text, empty ones are none.
pub(crate) fn push_mixed<C: Child>(content: &mut Vec<C>, mut child: C) {
    if let Some(text) = child.text_mut() {
        if text.is_empty() {
            return;
        }
        if let Some(earlier) = content.last_mut().and_then(C::text_mut) {
            earlier.push_str(text);
            return;
        }
    }
    content.push(child);
}
