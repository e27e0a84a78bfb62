//! The subjects: ways to start a program in isolation.
//!
//! A subject is added as one file here with a type that implements [`Subject`] and [`Runner`], and one line in `ours`.

mod cofferdam;
mod floor;
mod fork;
mod std_command;

pub(crate) use floor::Floor;

use std::fmt;

use crate::Error;
use crate::stage::Task;

/// All names, in the order of the outputs.
pub(crate) const NAMES: [&str; 9] =
    ["floor", "cofferdam", "fork", "std", "crun", "runc", "youki", "bwrap", "unshare"];

/// A way to start a program in isolation.
pub trait Subject: fmt::Debug + Sync {
    /// Its name in every output.
    fn name(&self) -> &'static str;

    /// Makes everything ready that a user would make ready once, and keeps it in the runner.
    ///
    /// # Errors
    ///
    /// The reason why this subject cannot do this task.
    fn prepare(&self, task: &Task<'_>) -> Result<Box<dyn Runner>, Skip>;
}

/// Starts one task again and again.
pub trait Runner: fmt::Debug + Send {
    /// Starts the program; returns its exit status (128 + n for signal n) after it has been reaped.
    ///
    /// This call is what is timed.
    ///
    /// # Errors
    ///
    /// Whatever kept the program from running; the subject is then left out of the case, and this is the reason given.
    fn run(&mut self) -> Result<i32, Error>;
}

/// Why something was not measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skip {
    /// The reason, as printed.
    pub reason: String,
    /// It had to be killed: not worth another try in this run.
    pub hung: bool,
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl From<Error> for Skip {
    fn from(error: Error) -> Skip {
        Skip { hung: matches!(error, Error::Hang(_)), reason: error.to_string() }
    }
}

impl From<&str> for Skip {
    fn from(reason: &str) -> Skip {
        Skip { reason: reason.to_owned(), hung: false }
    }
}

/// The subjects that are part of this process.
pub fn ours() -> Vec<Box<dyn Subject>> {
    vec![Box::new(Floor), Box::new(cofferdam::Cofferdam), Box::new(fork::Fork), Box::new(std_command::Std)]
}
