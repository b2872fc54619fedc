//! The door for what Twilio adds tomorrow.

use super::{
    body::{Element, push_mixed},
    error::BuildError,
    writer::{Writer, is_name},
};

/// An element that this crate has no type for, written as it is.
///
/// ```
/// use twilio_twiml::twiml::{Raw, Response};
///
/// let verb = Raw::new("Teleport").attribute("to", "moon").then(Raw::new("Crew").then("two"));
/// let xml = Response::new().verb(verb).to_xml()?;
/// assert!(xml.contains(r#"<Teleport to="moon"><Crew>two</Crew></Teleport>"#));
/// # Ok::<(), twilio_twiml::twiml::BuildError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Raw {
    /// The tag.
    pub name: String,
    /// The attributes, in the order they are written.
    pub custom: Vec<(String, String)>,
    /// The content.
    pub content: Vec<RawContent>,
}

/// What may stand in a [`Raw`] element.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RawContent {
    /// Text.
    Text(String),
    /// Another element.
    Raw(Raw),
}

impl Raw {
    /// An element with this tag.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), custom: Vec::new(), content: Vec::new() }
    }

    /// Adds an attribute.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.custom.push((name.into(), value.into()));
        self
    }

    /// Adds a text or another element.
    #[must_use]
    pub fn then(mut self, next: impl Into<RawContent>) -> Self {
        push_mixed(&mut self.content, next.into());
        self
    }
}

impl From<Raw> for RawContent {
    fn from(element: Raw) -> Self {
        Self::Raw(element)
    }
}

impl From<&str> for RawContent {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for RawContent {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl super::body::Child for RawContent {
    const MIXED: bool = true;

    fn write_child(&self, parent: &'static str, writer: &mut Writer) {
        match self {
            Self::Text(text) => writer.text(parent, text),
            Self::Raw(element) => element.write(writer),
        }
    }

    fn text_mut(&mut self) -> Option<&mut String> {
        match self {
            Self::Text(text) => Some(text),
            Self::Raw(_) => None,
        }
    }

    #[cfg(feature = "parse")]
    fn read_child(
        tag: super::reader::Tag<'_>,
        reader: &mut super::reader::Reader<'_>,
    ) -> Result<Self, super::reader::ReadError> {
        Raw::read(tag, reader).map(Self::Raw)
    }

    #[cfg(feature = "parse")]
    fn from_text(text: String) -> Option<Self> {
        Some(Self::Text(text))
    }
}

impl Element for Raw {
    /// What errors call the element; the real tag is the name.
    const TAG: &'static str = "Raw";

    fn write(&self, writer: &mut Writer) {
        if !is_name(&self.name) {
            return writer.fail(BuildError::Name { element: "Raw".into(), name: self.name.clone() });
        }
        writer.open(&self.name);
        writer.custom(&self.name, &self.custom, &[]);
        if self.content.is_empty() {
            return writer.close_empty();
        }
        writer.begin_content(self.content.iter().any(|part| matches!(part, RawContent::Text(_))));
        for part in &self.content {
            match part {
                RawContent::Text(text) => writer.text(&self.name, text),
                RawContent::Raw(element) => element.write(writer),
            }
        }
        writer.close(&self.name);
    }

    #[cfg(feature = "parse")]
    fn read(
        tag: super::reader::Tag<'_>,
        reader: &mut super::reader::Reader<'_>,
    ) -> Result<Self, super::reader::ReadError> {
        let custom = reader.raw_attributes(&tag);
        let content = reader.children(&tag)?;
        Ok(Self { name: tag.name.to_owned(), custom, content })
    }
}
