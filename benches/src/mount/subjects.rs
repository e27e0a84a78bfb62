//! The subjects: ways to mount a stack of directories.

use std::fmt;
use std::os::fd::OwnedFd;

use cofferdam_overlay::{Method, Stack, Support};

use super::floor::{Floor, Form};
use super::stage::Layers;
use crate::Error;

/// All names, in the order of the outputs.
pub(crate) const NAMES: [&str; 2] = ["floor", "cofferdam"];

/// A way to mount a stack again and again. What a user prepares once is prepared.
pub(super) trait Subject: fmt::Debug {
    /// Mounts it, attached nowhere: it goes when the descriptor is closed.
    fn mount(&self) -> Result<OwnedFd, Error>;
}

/// Makes a subject.
pub(super) fn make(name: &str, layers: &Layers, user: bool) -> Result<Box<dyn Subject>, Error> {
    if name == "floor" {
        let form = match Support::probe().method() {
            Method::Descriptors => Form::Descriptor,
            Method::Append => Form::Path,
            Method::OptionString => {
                return Err(Error::Setting("layers one by one need Linux 6.8".to_owned()));
            }
        };
        return Ok(Box::new(Floor::new(layers, form, user)?));
    }
    let mut stack = Stack::new().lowers(&layers.lowers).upper(&layers.upper, &layers.work);
    if user {
        stack = stack.userxattr();
    }
    Ok(Box::new(Library(stack)))
}

/// The crate `cofferdam-overlay`.
#[derive(Debug)]
struct Library(Stack);

impl Subject for Library {
    fn mount(&self) -> Result<OwnedFd, Error> {
        let mount = self.0.mount().map_err(|error| Error::Library(error.to_string()))?;
        Ok(mount.into_fd())
    }
}
