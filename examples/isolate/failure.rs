//! What ends `isolate` itself: one line and an exit code.

use std::error::Error;
use std::fmt::Display;
use std::io;

/// The exit code for everything that goes wrong before the program is executed.
pub const OWN: u8 = 125;
/// The exit code for a program that ran too long, as that of `timeout(1)`.
pub const TIMED_OUT: u8 = 124;

/// A reason to end.
#[derive(Debug)]
pub struct Failure {
    pub code: u8,
    pub message: String,
}

impl Failure {
    /// A failure of `isolate` itself.
    pub fn new(message: impl Display) -> Self {
        Self { code: OWN, message: printable(&message.to_string()) }
    }

    /// The same about some operation.
    pub fn of(what: &str) -> impl Fn(io::Error) -> Self {
        move |error| Self::new(format_args!("{what}: {error}"))
    }
}

impl From<cofferdam::Error> for Failure {
    fn from(error: cofferdam::Error) -> Self {
        let code = match &error {
            cofferdam::Error::TimedOut { .. } => TIMED_OUT,
            other => other.exit_code(),
        };
        Self { code, ..Self::new(chain(&error)) }
    }
}

impl From<cofferdam::namespaces::Error> for Failure {
    fn from(error: cofferdam::namespaces::Error) -> Self {
        cofferdam::Error::from(error).into()
    }
}

/// An error with its causes, each said once.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

/// One line that does nothing to a terminal: errors can quote names that an image has.
fn printable(message: &str) -> String {
    let escape = |character: char| match character {
        '\n' => " ".to_owned(),
        control if control.is_control() => control.escape_debug().to_string(),
        other => other.to_string(),
    };
    message.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_of_text() {
        let message = Failure::new("a\nb \u{1b}[2J\u{9b} \"c\"").message;
        assert_eq!(message, "a b \\u{1b}[2J\\u{9b} \"c\"");
    }
}
