//! What ends `image`: one line and an exit code.

use std::error::Error;
use std::fmt::Display;
use std::io;

use crate::output::printable;

/// A reason to end.
#[derive(Debug)]
pub struct Failure {
    pub code: u8,
    pub message: String,
}

impl Failure {
    pub fn new(message: impl Display) -> Self {
        Self { code: 1, message: printable(&message.to_string().replace('\n', " ")) }
    }

    /// A wrong command line: the first paragraph of what there is to say.
    pub fn usage(message: &str) -> Self {
        let message = message.strip_prefix("error: ").unwrap_or(message);
        let lines: Vec<_> = message.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
        Self { code: 2, message: printable(&lines.join(" ")) }
    }

    /// A failure of some operation.
    pub fn of(what: impl Display) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::new(format_args!("{what}: {error}"))
    }
}

impl From<cofferdam_image_spec::Error> for Failure {
    fn from(error: cofferdam_image_spec::Error) -> Self {
        Self::new(chain(&error))
    }
}

impl From<cofferdam_overlay::Error> for Failure {
    fn from(error: cofferdam_overlay::Error) -> Self {
        Self::new(chain(&error))
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
