use std::borrow::Cow;

/// Why a document cannot be sent: Twilio would refuse it, or warn and do something else.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// An attribute that Twilio needs is not set.
    #[error("<{element}> needs the attribute {attribute}")]
    Missing {
        /// The element's tag.
        element: &'static str,
        /// The attribute's name.
        attribute: &'static str,
    },
    /// An attribute has a value that Twilio does not take in this place.
    #[error("<{element}> has a bad {attribute}: {reason}")]
    Attribute {
        /// The element's tag.
        element: Cow<'static, str>,
        /// The attribute's name.
        attribute: Cow<'static, str>,
        /// What is wrong with the value.
        reason: &'static str,
    },
    /// An element has content that Twilio does not take, or has none where it needs some.
    #[error("<{element}> has bad content: {reason}")]
    Content {
        /// The element's tag.
        element: Cow<'static, str>,
        /// What is wrong with the content.
        reason: &'static str,
    },
    /// XML cannot carry this character, not even escaped.
    #[error("<{element}> holds U+{:04X}, which XML cannot carry", u32::from(*character))]
    Character {
        /// The element's tag.
        element: Cow<'static, str>,
        /// The character.
        character: char,
    },
    /// The name of a custom attribute or element is no XML name, or one that is written already.
    #[error("<{element}> has a custom name that cannot be written: {name:?}")]
    Name {
        /// The element's tag.
        element: Cow<'static, str>,
        /// The name that was given.
        name: String,
    },
    /// The document is longer than Twilio reads.
    #[error("the document has {length} {unit}, Twilio reads {limit}")]
    TooLong {
        /// How long it is.
        length: usize,
        /// How long it may be.
        limit: usize,
        /// What is counted: bytes, or characters for the `Twiml` parameter.
        unit: &'static str,
    },
}
