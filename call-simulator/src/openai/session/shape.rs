//! The shape that JSON must have, as data, and the provider's words for what has another one.
//!
//! A serde type would stop at the first surprise with words of its own; the provider names the member by its path and
//! the fault by a code, and refuses members it does not know.

use serde_json::{Map, Value};

use crate::openai::ApiError;

/// What a value may be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// Anything at all.
    Any,
    /// A string of at most this many characters.
    Text(usize),
    /// One of these words.
    Word(&'static [&'static str]),
    Flag,
    /// An integer within these limits, inclusive.
    Int(i64, i64),
    /// A number within these limits, inclusive.
    Number(f64, f64),
    /// A list of such values, at most so many.
    List(&'static Shape, usize),
    /// An object with these members and no others.
    Object(&'static [Field]),
    /// An object whose members depend on the word in one of them. An object without it is refused.
    Tagged(&'static str, &'static [(&'static str, &'static [Field])]),
    /// An object of any names: at most so many members, names of at most so many characters, such values.
    Map(usize, usize, &'static Shape),
    /// The first of these that has the value's JSON type.
    Either(&'static [Shape]),
    Null,
}

/// A member of an object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    name: &'static str,
    shape: Shape,
    required: bool,
}

pub(super) const fn must(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, required: true }
}

pub(super) const fn may(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, required: false }
}

impl Shape {
    /// Checks a value found at `path`.
    pub(super) fn check(&self, path: &str, value: &Value) -> Result<(), ApiError> {
        match (self, value) {
            (Self::Any, _) | (Self::Flag, Value::Bool(_)) | (Self::Null, Value::Null) => Ok(()),
            (Self::Text(max), Value::String(text)) => check_text(path, text, *max),
            (Self::Word(words), Value::String(text)) if words.contains(&text.as_str()) => Ok(()),
            (Self::Word(words), Value::String(text)) => Err(ApiError::not_one_of(path, text, words)),
            (Self::Int(min, max), Value::Number(number)) => check_integer(path, number.as_i64(), *min, *max),
            (Self::Number(min, max), Value::Number(number)) => check_number(path, number.as_f64(), *min, *max),
            (Self::List(of, max), Value::Array(values)) => check_list(path, values, of, *max),
            (Self::Object(fields), Value::Object(members)) => check_members(path, members, fields, None),
            (Self::Tagged(tag, variants), Value::Object(members)) => check_tagged(path, members, tag, variants),
            (Self::Map(most, name_max, of), Value::Object(members)) => check_map(path, members, *most, *name_max, of),
            (Self::Either(shapes), _) => match shapes.iter().find(|shape| shape.has_type_of(value)) {
                Some(shape) => shape.check(path, value),
                None => Err(self.wrong_type(path, value)),
            },
            _ => Err(self.wrong_type(path, value)),
        }
    }

    fn has_type_of(&self, value: &Value) -> bool {
        match self {
            Self::Any => true,
            Self::Text(_) | Self::Word(_) => value.is_string(),
            Self::Flag => value.is_boolean(),
            Self::Int(..) | Self::Number(..) => value.is_number(),
            Self::List(..) => value.is_array(),
            Self::Object(_) | Self::Tagged(..) | Self::Map(..) => value.is_object(),
            Self::Either(shapes) => shapes.iter().any(|shape| shape.has_type_of(value)),
            Self::Null => value.is_null(),
        }
    }

    fn type_name(&self) -> String {
        match self {
            Self::Any => "any value".to_owned(),
            Self::Text(_) | Self::Word(_) => "a string".to_owned(),
            Self::Flag => "a boolean".to_owned(),
            Self::Int(..) => "an integer".to_owned(),
            Self::Number(..) => "a decimal number".to_owned(),
            Self::List(..) => "an array".to_owned(),
            Self::Object(_) | Self::Tagged(..) | Self::Map(..) => "an object".to_owned(),
            Self::Either(shapes) => {
                let names: Vec<String> = shapes.iter().map(Self::type_name).collect();
                format!("one of {}", names.join(" or "))
            }
            Self::Null => "null".to_owned(),
        }
    }

    fn wrong_type(&self, path: &str, got: &Value) -> ApiError {
        let got = match got {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(number) if number.is_f64() => "a decimal number",
            Value::Number(_) => "an integer",
            Value::String(_) => "a string",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        };
        let expected = self.type_name();
        let message = format!("Invalid type for '{path}': expected {expected}, but got {got} instead.");
        ApiError::invalid("invalid_type", message).with_param(path)
    }
}

fn check_text(path: &str, text: &str, max: usize) -> Result<(), ApiError> {
    let length = text.chars().count();
    if length <= max {
        return Ok(());
    }
    let message = format!(
        "Invalid '{path}': string too long. Expected a string with maximum length {max}, but got a string with length \
         {length} instead."
    );
    Err(ApiError::invalid("string_above_max_length", message).with_param(path))
}

fn check_integer(path: &str, number: Option<i64>, min: i64, max: i64) -> Result<(), ApiError> {
    let Some(number) = number else {
        let message = format!("Invalid type for '{path}': expected an integer, but got a decimal number instead.");
        return Err(ApiError::invalid("invalid_type", message).with_param(path));
    };
    if number < min {
        let message = format!(
            "Invalid '{path}': integer below minimum value. Expected a value >= {min}, but got {number} instead."
        );
        return Err(ApiError::invalid("integer_below_min_value", message).with_param(path));
    }
    if number > max {
        let message = format!(
            "Invalid '{path}': integer above maximum value. Expected a value <= {max}, but got {number} instead."
        );
        return Err(ApiError::invalid("integer_above_max_value", message).with_param(path));
    }
    Ok(())
}

fn check_number(path: &str, number: Option<f64>, min: f64, max: f64) -> Result<(), ApiError> {
    let number = number.unwrap_or(f64::NAN);
    if number < min {
        let message = format!(
            "Invalid '{path}': decimal below minimum value. Expected a value >= {min}, but got {number} instead."
        );
        return Err(ApiError::invalid("decimal_below_min_value", message).with_param(path));
    }
    if number > max {
        let message = format!(
            "Invalid '{path}': decimal above maximum value. Expected a value <= {max}, but got {number} instead."
        );
        return Err(ApiError::invalid("decimal_above_max_value", message).with_param(path));
    }
    Ok(())
}

fn check_list(path: &str, values: &[Value], of: &Shape, max: usize) -> Result<(), ApiError> {
    if values.len() > max {
        let message = format!(
            "Invalid '{path}': array too long. Expected an array with maximum length {max}, but got an array with \
             length {} instead.",
            values.len()
        );
        return Err(ApiError::invalid("array_above_max_length", message).with_param(path));
    }
    values.iter().enumerate().try_for_each(|(at, value)| of.check(&format!("{path}[{at}]"), value))
}

fn check_map(
    path: &str,
    members: &Map<String, Value>,
    most: usize,
    name_max: usize,
    of: &Shape,
) -> Result<(), ApiError> {
    if members.len() > most {
        let message = format!(
            "Invalid '{path}': too many properties. Expected an object with at most {most} properties, but got an \
             object with {} properties instead.",
            members.len()
        );
        return Err(ApiError::invalid("object_above_max_properties", message).with_param(path));
    }
    members.iter().try_for_each(|(name, value)| {
        check_text(path, name, name_max)?;
        of.check(&join(path, name), value)
    })
}

fn check_tagged(
    path: &str,
    members: &Map<String, Value>,
    tag: &str,
    variants: &[(&str, &[Field])],
) -> Result<(), ApiError> {
    let tag_path = join(path, tag);
    let word = match members.get(tag) {
        Some(Value::String(word)) => word.as_str(),
        Some(other) => return Err(Shape::Text(0).wrong_type(&tag_path, other)),
        None => return Err(ApiError::missing(&tag_path)),
    };
    match variants.iter().find(|(name, _)| *name == word) {
        Some((_, fields)) => check_members(path, members, fields, Some(tag)),
        None => {
            let words: Vec<&str> = variants.iter().map(|(name, _)| *name).collect();
            Err(ApiError::not_one_of(&tag_path, word, &words))
        }
    }
}

/// Unknown members first, as they are the likelier mistake; then missing ones; then each value.
fn check_members(
    path: &str,
    members: &Map<String, Value>,
    fields: &[Field],
    tag: Option<&str>,
) -> Result<(), ApiError> {
    let known = |name: &str| tag == Some(name) || fields.iter().any(|field| field.name == name);
    if let Some(unknown) = members.keys().find(|name| !known(name)) {
        return Err(ApiError::unknown_parameter(&join(path, unknown)));
    }
    if let Some(missing) = fields.iter().find(|field| field.required && !members.contains_key(field.name)) {
        return Err(ApiError::missing(&join(path, missing.name)));
    }
    fields.iter().try_for_each(|field| match members.get(field.name) {
        Some(value) => field.shape.check(&join(path, field.name), value),
        None => Ok(()),
    })
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
