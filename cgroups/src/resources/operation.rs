//! What settings become: writes to control files, as plain values.

use crate::devices::DeviceRules;
use crate::{Bytes, Limit};
use std::borrow::Cow;
use std::time::Duration;

/// One thing to do to a cgroup's files of one controller.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operation {
    /// Writes a value.
    Write(Write),
    /// Writes to the first of these files that exists: the names differ with the kernel's configuration.
    First(Vec<Write>),
    /// Writes, and reads back whether the kernel holds it for valid: it takes some values and calls them invalid then.
    Validated(Write),
    /// v1: limits memory and swap together, to the current limit of memory and this much swap.
    SwapBeyondMemory(Limit<Bytes>),
    /// v2: a new period under the current quota; the file has both in one line.
    Period(Duration),
    /// Replaces the rules for devices.
    Devices(DeviceRules),
}

/// A value for a control file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Write {
    pub(crate) file: Cow<'static, str>,
    pub(crate) value: String,
    /// For a file with a line for each device or the like: what undoes the setting where there was no such line. The
    /// first word of the value is the key.
    pub(crate) reset: Option<String>,
}

impl Write {
    /// A file that holds one value.
    pub(crate) fn value(file: impl Into<Cow<'static, str>>, value: impl ToString) -> Self {
        Self { file: file.into(), value: value.to_string(), reset: None }
    }

    /// A line of a file that has one for each key.
    pub(crate) fn line(
        file: impl Into<Cow<'static, str>>,
        key: impl ToString,
        value: impl ToString,
        reset: &str,
    ) -> Self {
        let key = key.to_string();
        let value = format!("{key} {}", value.to_string());
        Self { file: file.into(), value, reset: Some(format!("{key} {reset}")) }
    }
}

impl From<Write> for Operation {
    fn from(write: Write) -> Self {
        Self::Write(write)
    }
}

/// Some settings need several writes.
pub(crate) type Operations = Vec<Operation>;

/// A limit as v1 spells it, where none is -1.
pub(crate) fn or_minus_one<T: ToString>(limit: Limit<T>) -> String {
    match limit {
        Limit::Value(value) => value.to_string(),
        Limit::Max => "-1".to_owned(),
    }
}

/// Whole microseconds, as control files have them.
pub(crate) fn microseconds(duration: Duration) -> u128 {
    duration.as_micros()
}
