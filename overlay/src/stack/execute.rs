//! A stack carried out.

use std::collections::HashSet;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{AtFlags, StatxFlags, statx};

use super::parameters::{Parameter, Value, too_long};
use super::validate::{invalid, twice};
use super::{Layer, Method, Stack, Support};
use crate::errno::rustix as errno_of;
use crate::mount::fault::failed;
use crate::{Attributes, Errno, Error, Filesystem, Mount, MountFlags, Result};

impl Stack {
    /// Mounts the stack, attached nowhere, in the best form that the kernel knows. All access to the layers happens
    /// with the caller's credentials of this moment, whoever uses the mount later.
    ///
    /// # Errors
    /// Those of [`validate`](Self::validate); [`Error::Path`] for a layer that cannot be opened; [`Error::Invalid`]
    /// for a directory that turns out to be used twice, or a work directory that is not beside the upper one;
    /// [`Error::TooManyLayers`] before Linux 6.8; [`Error::Call`], whose log says more where the kernel does. Of
    /// what it refuses when all parameters are given, the kernel writes the reason to its own log only, see
    /// `dmesg(1)`. `ELOOP`: a layer lies within another. `EBUSY`: the upper directory is in use. `ESTALE`: it was
    /// used with other lower directories and `index`. [`Error::Unsupported`].
    ///
    /// # Privileges
    /// `CAP_SYS_ADMIN` in the user namespace that owns the caller's mount namespace; in a user namespace that is not
    /// the first, Linux 5.11, and usually [`userxattr`](Self::userxattr).
    pub fn mount(&self) -> Result<Mount> {
        self.mount_with(Support::probe().method())
    }

    /// As [`mount`](Self::mount), in this form. A single lower directory is cloned whatever the form.
    ///
    /// # Errors
    /// As [`mount`](Self::mount); those of the kernel if it does not know the form.
    ///
    /// # Privileges
    /// As [`mount`](Self::mount).
    pub fn mount_with(&self, method: Method) -> Result<Mount> {
        self.validate()?;
        if let Some(layer) = self.sole() {
            return self.clone_read_only(layer);
        }
        let parameters = self.parameters(method)?;
        let filesystem = Filesystem::open("overlay")?;
        let mut opened = Opened::default();
        for parameter in &parameters {
            give(&filesystem, parameter, &mut opened)?;
        }
        self.check_work(&opened)?;
        filesystem.create().map_err(|error| self.with_reason(error))?;
        filesystem.mount(self.flags)
    }

    /// Mounts the stack at a path: where the kernel has only [`Method::OptionString`], by `mount(2)`, which takes
    /// more layers than a detached mount. A symbolic link at the end of the path is not followed; an empty path means
    /// the descriptor itself.
    ///
    /// # Errors
    /// As [`mount`](Self::mount), and as [`Mount::attach`].
    ///
    /// # Privileges
    /// As [`mount`](Self::mount).
    pub fn mount_at(&self, dir: impl AsFd, path: impl AsRef<Path>) -> Result<()> {
        self.mount_at_with(Support::probe().method(), dir, path)
    }

    /// As [`mount_at`](Self::mount_at), in this form.
    ///
    /// # Errors
    /// As [`mount_at`](Self::mount_at).
    ///
    /// # Privileges
    /// As [`mount`](Self::mount).
    pub fn mount_at_with(&self, method: Method, dir: impl AsFd, path: impl AsRef<Path>) -> Result<()> {
        self.validate()?;
        if method == Method::OptionString && self.sole().is_none() {
            return self.mount_by_string(dir.as_fd(), path.as_ref());
        }
        self.mount_with(method)?.attach(dir, path)
    }

    fn clone_read_only(&self, layer: &Layer) -> Result<Mount> {
        let mount = Mount::clone_mount(&*layer.open()?, "")?;
        mount.change(&Attributes::new().set(self.flags | MountFlags::RDONLY))?;
        Ok(mount)
    }

    /// The kernel wants both below one mount, and does not say so where one can see it.
    pub(super) fn check_work(&self, opened: &Opened) -> Result<()> {
        let (Some(upper), [Some(first), Some(second)]) = (&self.upper, &opened.last_two) else {
            return Ok(());
        };
        let (first, second) = (identity(&upper.upper, first)?, identity(&upper.work, second)?);
        if first == second {
            return Err(twice(&upper.work));
        }
        // Before Linux 5.8 the mount is not told, and zero for all.
        if (first.device, first.mount) != (second.device, second.mount) {
            let reason = "is not on the upper directory's mount";
            return Err(invalid("work directory", upper.work.to_string(), reason));
        }
        Ok(())
    }

    /// What the kernel refuses as layers within each other may be one that is there twice, under two names. To look at
    /// all of them before would cost more than the kernel's own look.
    pub(super) fn with_reason(&self, error: Error) -> Error {
        if error.errno() != Some(Errno::from_raw(libc::ELOOP)) {
            return error;
        }
        let (upper, work) = (self.upper_layer(), self.work_layer());
        let mut seen = HashSet::new();
        for layer in self.lowers.iter().chain(upper).chain(work) {
            let found = layer.open().and_then(|fd| identity(layer, &fd));
            let Ok(Identity { device, inode, .. }) = found else { return error };
            if !seen.insert((device, inode)) {
                return twice(layer);
            }
        }
        error
    }
}

/// Which directory it is.
#[derive(PartialEq, Eq)]
struct Identity {
    device: (u32, u32),
    inode: u64,
    mount: u64,
}

fn identity(layer: &Layer, fd: &OwnedFd) -> Result<Identity> {
    let mask = StatxFlags::INO | StatxFlags::MNT_ID;
    let stat = statx(fd, "", AtFlags::EMPTY_PATH, mask)
        .map_err(|errno| failed("statx", layer.to_string(), errno_of(errno)))?;
    let device = (stat.stx_dev_major, stat.stx_dev_minor);
    Ok(Identity { device, inode: stat.stx_ino, mount: stat.stx_mnt_id })
}

/// What is open of the layers. The upper and work directories are the last.
#[derive(Default)]
pub(super) struct Opened {
    last_two: [Option<Arc<OwnedFd>>; 2],
    /// Descriptors that have to stay open.
    kept: Vec<Arc<OwnedFd>>,
}

impl Opened {
    /// Opens layers that stay open, for their paths with colons between them. A thread may have descriptors of its
    /// own, so these are the paths of the thread's.
    pub(super) fn paths(&mut self, layers: &[Layer]) -> Result<String> {
        let fds: Vec<_> = layers.iter().map(|layer| self.open(layer)).collect::<Result<_>>()?;
        let paths: Vec<String> =
            fds.iter().map(|fd| format!("/proc/thread-self/fd/{}", fd.as_raw_fd())).collect();
        self.kept.extend(fds);
        Ok(paths.join(":"))
    }

    pub(super) fn open(&mut self, layer: &Layer) -> Result<Arc<OwnedFd>> {
        let fd = layer.open()?;
        self.last_two = [self.last_two[1].take(), Some(Arc::clone(&fd))];
        Ok(fd)
    }
}

fn give(filesystem: &Filesystem, parameter: &Parameter, opened: &mut Opened) -> Result<()> {
    let key = parameter.key;
    match &parameter.value {
        Value::Flag => filesystem.flag(key),
        Value::Text(text) => filesystem.string(key, text),
        Value::Descriptor(layer) => {
            let fd = opened.open(layer)?;
            filesystem.fd(key, &*fd).map_err(|error| on_layer(error, key, layer))
        }
        Value::Descriptors(layers) => give_paths(filesystem, key, layers, opened),
    }
}

fn give_paths(filesystem: &Filesystem, key: &str, layers: &[Layer], opened: &mut Opened) -> Result<()> {
    let text = opened.paths(layers)?;
    match layers {
        [layer] => {
            filesystem.string(key, text).map_err(|error| on_layer(error, key, layer))?;
            // A kernel that knows this parameter has looked it up now. Others do when the file system is created.
            if key == "lowerdir+" {
                opened.kept.pop();
            }
            Ok(())
        }
        _ if text.len() <= 255 => filesystem.string(key, text),
        _ => {
            let fit = text.bytes().take(256).filter(|byte| *byte == b':').count();
            Err(too_long(layers.len(), fit))
        }
    }
}

/// The error with the layer as it was given rather than a descriptor's number.
fn on_layer(error: Error, key: &str, layer: &Layer) -> Error {
    match error {
        Error::Call { call, errno, log, .. } => {
            Error::Call { call, on: format!("overlay {key}={layer}"), errno, log }
        }
        other => other,
    }
}
