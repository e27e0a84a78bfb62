//! What ends `cofferdam` itself: one line and an exit code.

use std::fmt::Display;
use std::io;

use cofferdam::process::Error as ProcessError;
use cofferdam::{Error, oci};
use messages::{chain, line};

/// The exit code for everything that goes wrong.
pub const OWN: u8 = 1;

/// A reason to end.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    pub code: u8,
    pub message: String,
}

impl Failure {
    /// A failure of `cofferdam` itself.
    pub fn new(message: impl Display) -> Self {
        Self { code: OWN, message: line(&message.to_string()) }
    }

    /// The same about some operation.
    pub fn of<E: Into<io::Error>>(what: impl Display) -> impl Fn(E) -> Self {
        move |error| Self::new(format_args!("{what}: {}", error.into()))
    }

    /// With what was being done in front.
    #[must_use]
    pub fn while_doing(self, what: &str) -> Self {
        Self { message: format!("{what}: {}", self.message), ..self }
    }
}

impl From<oci::Error> for Failure {
    fn from(error: oci::Error) -> Self {
        Self::new(text(&error))
    }
}

/// An error of the library with its causes. Engines look for the words that runc has for a program that cannot be
/// executed.
pub fn text(error: &oci::Error) -> String {
    program(error).map_or_else(|| chain(error), |(program, why)| format!("exec: {program:?}: {why}"))
}

fn program(error: &oci::Error) -> Option<(&str, &'static str)> {
    let (program, errno) = match error {
        oci::Error::Container(Error::Process(ProcessError::Exec { program, errno })) => (program, errno),
        oci::Error::LeftBehind { source, .. } => return self::program(source),
        _ => return None,
    };
    let why = match errno.kind() {
        io::ErrorKind::NotFound if !program.contains('/') => "executable file not found in $PATH",
        io::ErrorKind::NotFound => "no such file or directory",
        io::ErrorKind::PermissionDenied => "permission denied",
        _ => return None,
    };
    Some((program, why))
}
