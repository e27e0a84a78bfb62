//! The picture: a panel for each case, a bar for each subject.
use crate::Error;
use crate::outcome::Outcome;
use std::path::{Path, PathBuf};

/// A file to draw into.
#[derive(Debug)]
pub(crate) struct Sink {
    path: PathBuf,
}
impl Sink {
    pub(crate) fn create(path: &Path) -> Result<Sink, Error> {
        Ok(Sink { path: path.to_owned() })
    }
    pub(crate) fn write(self, _outcomes: &[Outcome]) -> Result<(), Error> {
        Err(Error::Plot(self.path.display().to_string()))
    }
}
