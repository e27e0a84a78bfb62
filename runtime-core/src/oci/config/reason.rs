//! Why a value is wrong, in plain words.

use std::fmt::{self, Display};

use serde::de::{self, Expected, Unexpected};
use serde_json::Value;

use super::place::quoted;

/// Why a value cannot be read.
#[derive(Debug)]
pub(super) struct Reason {
    /// What is said of the value.
    pub(super) text: String,
    /// A field that is not there: the place is that of the object.
    pub(super) missing: Option<&'static str>,
}

impl Reason {
    pub(super) fn new(text: String) -> Self {
        Self { text, missing: None }
    }

    /// A value of another kind.
    pub(super) fn kind(value: &Value, expected: &str) -> Self {
        Self::new(format!("{} is not {expected}", shown_value(value)))
    }
}

impl Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl std::error::Error for Reason {}

impl de::Error for Reason {
    fn custom<T: Display>(text: T) -> Self {
        Self::new(text.to_string())
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("{} is not {}", shown(unexpected), words(&expected.to_string())))
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(unexpected, expected)
    }

    fn unknown_variant(variant: &str, known: &'static [&'static str]) -> Self {
        Self::new(format!("{} is unknown: known are {}", quoted(variant), known.join(", ")))
    }

    fn missing_field(field: &'static str) -> Self {
        Self { text: "is required and missing".into(), missing: Some(field) }
    }
}

/// A value as an error shows it.
pub(super) fn shown_value(value: &Value) -> String {
    match value {
        Value::Array(_) => "an array".into(),
        Value::Object(_) => "an object".into(),
        Value::String(text) => quoted(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

fn shown(unexpected: Unexpected<'_>) -> String {
    match unexpected {
        Unexpected::Bool(value) => value.to_string(),
        Unexpected::Unsigned(value) => value.to_string(),
        Unexpected::Signed(value) => value.to_string(),
        Unexpected::Float(value) => value.to_string(),
        Unexpected::Str(text) => quoted(text),
        Unexpected::Unit | Unexpected::Option => "null".into(),
        Unexpected::Seq => "an array".into(),
        Unexpected::Map => "an object".into(),
        other => other.to_string(),
    }
}

/// What a type says it wants, in words for people who do not know the type.
fn words(expected: &str) -> String {
    let range = |low: i64, high: u64| format!("a whole number from {low} to {high}");
    match expected {
        "u8" => range(0, u8::MAX.into()),
        "u16" => range(0, u16::MAX.into()),
        "u32" => range(0, u32::MAX.into()),
        "u64" | "usize" => range(0, u64::MAX),
        "i32" => range(i32::MIN.into(), i32::MAX.unsigned_abs().into()),
        "i64" | "isize" => range(i64::MIN, i64::MAX.unsigned_abs()),
        "a boolean" => "true or false".into(),
        "a sequence" => "an array".into(),
        "a map" => "an object".into(),
        "path string" => "a string".into(),
        other => other.into(),
    }
}
