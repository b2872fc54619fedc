//! `element!` declares an element, `children!` declares what may stand inside one.
//!
//! The names of attributes, their types and their documents stand in one place; writing, reading and the builder
//! methods follow from them, so they cannot drift apart.

/// Declares an element as a struct with public fields and one consuming method per attribute.
///
/// Its parts, in this order, all but the first may be missing:
/// - `Name "tag";`
/// - `check = function;` is called with the element and the writer before the element is written;
/// - `required { field: Type = "attribute", }` are plain fields, given to the constructor;
/// - `attributes { field: Type = "attribute", }` are `Option` fields with a method each;
/// - `text { field: Type }` is character data with a type, or `body { field: Type }` something that implements `Body`.
macro_rules! element {
    (
        $(#[$doc:meta])*
        $name:ident $tag:literal;
        $(check = $check:path;)?
        $(required { $($(#[$required_doc:meta])* $required:ident: $required_type:ty = $required_name:literal,)+ })?
        $(attributes { $($(#[$field_doc:meta])* $field:ident: $field_type:ty = $attribute:literal,)+ })?
        $(text { $(#[$text_doc:meta])* $text:ident: $text_type:ty })?
        $(body { $(#[$body_doc:meta])* $body:ident: $body_type:ty })?
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct $name {
            $($($(#[$required_doc])* pub $required: $required_type,)+)?
            $($($(#[$field_doc])* pub $field: Option<$field_type>,)+)?
            $($(#[$text_doc])* pub $text: $text_type,)?
            $($(#[$body_doc])* pub $body: $body_type,)?
            /// Attributes that this crate has no field for, in the order they are written.
            pub custom: Vec<(String, String)>,
        }

        impl $name {
            #[allow(clippy::too_many_arguments, reason = "the arguments are the required fields of the element")]
            fn bare($($($required: $required_type,)+)? $($text: $text_type,)? $($body: $body_type,)?) -> Self {
                Self {
                    $($($required,)+)?
                    $($($field: None,)+)?
                    $($text,)?
                    $($body,)?
                    custom: Vec::new(),
                }
            }

            $($(
                $(#[$field_doc])*
                #[must_use]
                pub fn $field(mut self, value: impl Into<$field_type>) -> Self {
                    self.$field = Some(value.into());
                    self
                }
            )+)?

            /// Adds an attribute that this crate has no method for.
            #[must_use]
            pub fn attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
                self.custom.push((name.into(), value.into()));
                self
            }
        }

        impl $crate::twiml::body::Element for $name {
            const TAG: &'static str = $tag;

            fn write(&self, writer: &mut $crate::twiml::writer::Writer) {
                $($check(self, writer);)?
                writer.open(Self::TAG);
                $($(writer.attribute($tag, $required_name, &self.$required);)+)?
                $($(if let Some(value) = &self.$field {
                    writer.attribute($tag, $attribute, value);
                })+)?
                if !self.custom.is_empty() {
                    writer.custom($tag, &self.custom, &[$($($required_name,)+)? $($($attribute,)+)?]);
                }
                element!(@write writer, $tag, self, $(text $text)? $(body $body)?);
            }

            #[cfg(feature = "parse")]
            fn read(
                tag: $crate::twiml::reader::Tag<'_>,
                reader: &mut $crate::twiml::reader::Reader<'_>,
            ) -> Result<Self, $crate::twiml::reader::ReadError> {
                $($(let mut $required = None;)+)?
                $($(let mut $field = None;)+)?
                let mut custom = Vec::new();
                for attribute in &tag.attributes {
                    match attribute.name {
                        $($($required_name => $required = Some(reader.attribute(&tag, attribute)?),)+)?
                        $($($attribute => $field = Some(reader.attribute(&tag, attribute)?),)+)?
                        _ => custom.push(reader.unknown(&tag, attribute)),
                    }
                }
                $(let $text = reader.text_body(&tag)?;)?
                $(let $body = $crate::twiml::body::Body::read(&tag, reader)?;)?
                element!(@read tag, reader, $($text)? $($body)?);
                Ok(Self {
                    $($($required: reader.required(&tag, $required_name, $required)?,)+)?
                    $($($field,)+)?
                    $($text,)?
                    $($body,)?
                    custom,
                })
            }
        }
    };

    (@write $writer:ident, $tag:literal, $element:ident,) => {
        $writer.close_empty();
    };
    (@write $writer:ident, $tag:literal, $element:ident, text $text:ident) => {
        $crate::twiml::body::write_text(&$element.$text, $tag, $writer);
    };
    (@write $writer:ident, $tag:literal, $element:ident, body $body:ident) => {
        $crate::twiml::body::write_body(&$element.$body, $tag, $writer);
    };

    (@read $tag:ident, $reader:ident,) => {
        $reader.no_body(&$tag)?;
    };
    (@read $tag:ident, $reader:ident, $body:ident) => {};
}

/// Declares an enum of the elements that may stand in one place, with a `From` for each.
///
/// `mixed Text` lets text stand among the elements, `open Raw` lets unknown elements in.
macro_rules! children {
    (
        $(#[$doc:meta])*
        $name:ident $(mixed $text:ident)? $(open $raw:ident)? {
            $($(#[$variant_doc:meta])* $variant:ident($child:ty) = $tag:literal,)+
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $name {
            $(#[doc = "Words."] $text(String),)?
            $(#[doc = "Something this crate has no type for."] $raw($crate::twiml::raw::Raw),)?
            $($(#[$variant_doc])* $variant(Box<$child>),)+
        }

        impl $name {
            /// The element's tag; empty for words.
            #[must_use]
            pub fn tag(&self) -> &str {
                match self {
                    $(Self::$text(_) => "",)?
                    $(Self::$raw(element) => &element.name,)?
                    $(Self::$variant(_) => $tag,)+
                }
            }
        }

        $(impl From<$child> for $name {
            fn from(child: $child) -> Self {
                Self::$variant(Box::new(child))
            }
        })+

        $(impl From<$crate::twiml::raw::Raw> for $name {
            fn from(element: $crate::twiml::raw::Raw) -> Self {
                Self::$raw(element)
            }
        })?

        $(
            impl From<&str> for $name {
                fn from(text: &str) -> Self {
                    Self::$text(text.to_owned())
                }
            }

            impl From<String> for $name {
                fn from(text: String) -> Self {
                    Self::$text(text)
                }
            }
        )?

        impl $crate::twiml::body::Child for $name {
            const MIXED: bool = children!(@mixed $($text)?);

            #[allow(unused_variables, reason = "only text needs to know its parent")]
            fn write_child(&self, parent: &'static str, writer: &mut $crate::twiml::writer::Writer) {
                match self {
                    $(Self::$text(text) => writer.text(parent, text),)?
                    $(Self::$raw(element) => $crate::twiml::body::Element::write(element, writer),)?
                    $(Self::$variant(child) => $crate::twiml::body::Element::write(child.as_ref(), writer),)+
                }
            }

            fn text_mut(&mut self) -> Option<&mut String> {
                match self {
                    $(Self::$text(text) => Some(text),)?
                    #[allow(unreachable_patterns, reason = "an enum without text has nothing else")]
                    _ => None,
                }
            }

            #[cfg(feature = "parse")]
            fn read_child(
                tag: $crate::twiml::reader::Tag<'_>,
                reader: &mut $crate::twiml::reader::Reader<'_>,
            ) -> Result<Self, $crate::twiml::reader::ReadError> {
                match tag.name {
                    $($tag => <$child as $crate::twiml::body::Element>::read(tag, reader).map(Self::from),)+
                    $(name if !$crate::twiml::is_known(name) => {
                        <$crate::twiml::raw::Raw as $crate::twiml::body::Element>::read(tag, reader).map(Self::$raw)
                    })?
                    _ => Err(reader.misplaced(&tag)),
                }
            }

            #[cfg(feature = "parse")]
            #[allow(unused_variables, reason = "only mixed content keeps text")]
            fn from_text(text: String) -> Option<Self> {
                children!(@from_text text, $($text)?)
            }
        }
    };

    (@mixed) => { false };
    (@mixed $text:ident) => { true };
    (@from_text $value:ident,) => { None };
    (@from_text $value:ident, $text:ident) => { Some(Self::$text($value)) };
}

pub(crate) use {children, element};
