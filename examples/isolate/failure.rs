//! What ends `isolate` itself: one line and an exit code.

use std::fmt::Display;
use std::io;

use messages::{chain, line};

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
        Self { code: OWN, message: line(&message.to_string()) }
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
