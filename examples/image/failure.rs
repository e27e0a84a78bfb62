//! What ends `image`: one line and an exit code.

use std::fmt::Display;
use std::io;

use messages::{chain, line};

/// A reason to end.
#[derive(Debug)]
pub struct Failure {
    pub code: u8,
    pub message: String,
}

impl Failure {
    pub fn new(message: impl Display) -> Self {
        Self { code: 1, message: line(&message.to_string()) }
    }

    /// A wrong command line: the first paragraph of what there is to say.
    pub fn usage(message: &str) -> Self {
        Self { code: 2, message: line(&messages::usage(message)) }
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
