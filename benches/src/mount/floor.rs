//! The straight line: each layer is opened and given, the file system is made and mounted.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use super::stage::{Layers, c_path};
use super::subjects::Subject;
use crate::Error;
use crate::sys::{files, mounts};

/// What the kernel is told of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Its path (Linux 6.8).
    Path,
    /// A descriptor (Linux 6.13).
    Descriptor,
}

#[derive(Debug)]
pub(super) struct Floor {
    form: Form,
    user: bool,
    /// Keys and paths, in the order in which they are given.
    layers: Vec<(&'static CStr, CString)>,
}

impl Floor {
    pub(super) fn new(layers: &Layers, form: Form, user: bool) -> Result<Floor, Error> {
        let lowers = layers.lowers.iter().map(|path| (c"lowerdir+", path));
        let last = [(c"upperdir", &layers.upper), (c"workdir", &layers.work)];
        let all = lowers.chain(last).map(|(key, path)| Ok((key, c_path(path)?)));
        Ok(Floor { form, user, layers: all.collect::<Result<_, Error>>()? })
    }
}

impl Subject for Floor {
    fn mount(&self) -> Result<OwnedFd, Error> {
        let context = mounts::context(c"overlay").map_err(failed("fsopen"))?;
        if self.user {
            mounts::set_flag(context.as_fd(), c"userxattr").map_err(failed("fsconfig"))?;
        }
        for (key, path) in &self.layers {
            match self.form {
                Form::Path => mounts::set_string(context.as_fd(), key, path),
                Form::Descriptor => files::open_path(path)
                    .and_then(|layer| mounts::set_fd(context.as_fd(), key, layer.as_fd())),
            }
            .map_err(failed("fsconfig"))?;
        }
        mounts::create(context.as_fd()).map_err(failed("fsconfig"))?;
        mounts::mount(context.as_fd()).map_err(failed("fsmount"))
    }
}

fn failed(what: &'static str) -> impl FnOnce(i32) -> Error {
    move |errno| Error::Io { what: what.to_owned(), source: io::Error::from_raw_os_error(errno) }
}
