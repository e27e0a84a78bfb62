//! How overlayfs marks what is deleted: whiteouts and opaque directories; see `overlayfs.rst` of the kernel.
//!
//! A whiteout hides the name from the layers below: a character device 0:0, or since Linux 6.7, in layers below the upper
//! one, an empty file with the extended attribute `overlay.whiteout`, in a directory that is marked to hold such files. An
//! opaque directory hides all that directories of its name have below.
//!
//! A directory is given by a descriptor (`O_PATH` will do), what is in it by a name. Links are never followed. Extended
//! attributes are reached by `/proc/thread-self/fd`, so procfs must be mounted.
//!
//! ```
//! use cofferdam_overlay::{WhiteoutForm, XattrNamespace, make_whiteout, whiteout_form};
//!
//! let scratch = tempfile::tempdir().unwrap();
//! let directory = std::fs::File::open(scratch.path()).unwrap();
//! make_whiteout(&directory, "gone")?;
//! assert_eq!(whiteout_form(&directory, "gone", XattrNamespace::User)?, Some(WhiteoutForm::Device));
//! # Ok::<(), cofferdam_overlay::Error>(())
//! ```

mod name;
mod xattr;

use crate::{Error, Result};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, mknodat, openat, statat, unlinkat};
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd};

pub(crate) use name::{entry, fault};
pub(crate) use xattr::{get, names};

/// Where overlayfs keeps its extended attributes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum XattrNamespace {
    /// `trusted.overlay.*`: needs `CAP_SYS_ADMIN` of the host; to others they do not seem to be there.
    #[default]
    Trusted,
    /// `user.overlay.*`, which overlayfs reads with the option `userxattr`. Since Linux 5.11.
    User,
}

impl XattrNamespace {
    /// What the names begin with: `trusted.overlay.`
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Trusted => "trusted.overlay.",
            Self::User => "user.overlay.",
        }
    }

    pub(crate) fn name(self, attribute: &str) -> String {
        format!("{}{attribute}", self.prefix())
    }
}

/// What makes a whiteout of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WhiteoutForm {
    /// A character device 0:0.
    Device,
    /// An empty file with the attribute `overlay.whiteout`.
    Xattr,
}

/// The mark `overlay.opaque` of a directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Opacity {
    /// No mark: directories of its name below are merged into it.
    #[default]
    Transparent,
    /// `y`: it hides them.
    Opaque,
    /// `x`: it is merged, and may hold whiteouts of the form [`WhiteoutForm::Xattr`]. Since Linux 6.8.
    HoldsWhiteouts,
}

/// Whether a name in a directory is a whiteout, and how. None if it is something else. A file with the attribute is one only in a
/// directory with the mark [`Opacity::HoldsWhiteouts`].
///
/// # Errors
///
/// [`Error::Invalid`] if the name is none of an entry; [`Error::Call`] if there is no such entry, or on other failures.
pub fn whiteout_form(
    dir: impl AsFd,
    name: impl AsRef<OsStr>,
    xattrs: XattrNamespace,
) -> Result<Option<WhiteoutForm>> {
    let (dir, name) = (dir.as_fd(), entry(name.as_ref())?);
    let found = stat(dir, name)?;
    if is_whiteout_device(&found) {
        return Ok(Some(WhiteoutForm::Device));
    }
    let marked = may_be_whiteout(&found)
        && opacity(dir, ".", xattrs)? == Opacity::HoldsWhiteouts
        && has_whiteout_mark(dir, name, xattrs)?;
    Ok(marked.then_some(WhiteoutForm::Xattr))
}

pub(crate) fn stat(dir: BorrowedFd<'_>, name: &OsStr) -> Result<Stat> {
    statat(dir, name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT)
        .map_err(|raw| fault("stat", name, raw))
}

pub(crate) fn is_whiteout_device(found: &Stat) -> bool {
    FileType::from_raw_mode(found.st_mode) == FileType::CharacterDevice && found.st_rdev == 0
}

/// Whether it is worth to ask for the attribute.
pub(crate) fn may_be_whiteout(found: &Stat) -> bool {
    FileType::from_raw_mode(found.st_mode) == FileType::RegularFile && found.st_size == 0
}

pub(crate) fn has_whiteout_mark(dir: BorrowedFd<'_>, name: &OsStr, xattrs: XattrNamespace) -> Result<bool> {
    Ok(get(dir, name, xattrs.name("whiteout"))?.is_some())
}

/// Makes a whiteout: a character device 0:0. There must be nothing of this name.
///
/// # Errors
///
/// [`Error::Call`], with `EEXIST` if there is something.
///
/// # Privileges
///
/// None since Linux 5.8, `CAP_MKNOD` before.
pub fn make_whiteout(dir: impl AsFd, name: impl AsRef<OsStr>) -> Result<()> {
    let name = entry(name.as_ref())?;
    mknodat(dir, name, FileType::CharacterDevice, Mode::empty(), 0).map_err(|raw| fault("mknodat", name, raw))
}

/// Makes a whiteout of an empty file and the attribute `overlay.whiteout`, and marks the directory to hold such ones. There must be
/// nothing of this name. They count in layers below the upper one, since Linux 6.8.
///
/// # Errors
///
/// [`Error::Invalid`] if the directory is opaque, as the marks exclude each other. [`Error::Call`], with `EEXIST` if there is something
/// of the name, `EOPNOTSUPP` if the file system has no extended attributes. Nothing is left then but the mark of the directory.
///
/// # Privileges
///
/// `CAP_SYS_ADMIN` of the host for [`XattrNamespace::Trusted`]; else that of a writer.
pub fn make_xattr_whiteout(dir: impl AsFd, name: impl AsRef<OsStr>, xattrs: XattrNamespace) -> Result<()> {
    let (dir, name) = (dir.as_fd(), entry(name.as_ref())?);
    match opacity(dir, ".", xattrs)? {
        Opacity::HoldsWhiteouts => {}
        Opacity::Transparent => xattr::set(dir, OsStr::new("."), &xattrs.name("opaque"), b"x")?,
        Opacity::Opaque => {
            let reason =
                "is for a directory that is opaque: it can hold no files that are whiteouts".to_owned();
            return Err(Error::Invalid {
                what: "whiteout",
                value: name.to_string_lossy().into_owned(),
                reason,
            });
        }
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    // User attributes are only for those who may read and write the file.
    let file = openat(dir, name, flags, Mode::RUSR | Mode::WUSR).map_err(|raw| fault("openat", name, raw))?;
    let attribute = xattrs.name("whiteout");
    let marked = rustix::fs::fsetxattr(&file, &*attribute, b"y", rustix::fs::XattrFlags::empty());
    marked.map_err(|raw| match unlinkat(dir, name, AtFlags::empty()) {
        Ok(()) => fault("fsetxattr", name, raw),
        Err(raw) => fault("unlinkat", name, raw),
    })
}

/// The mark of a directory in a directory; `.` is the directory itself.
///
/// # Errors
///
/// [`Error::Invalid`] if the name is none of an entry; [`Error::Call`] if there is no such entry, or on other failures.
pub fn opacity(dir: impl AsFd, name: impl AsRef<OsStr>, xattrs: XattrNamespace) -> Result<Opacity> {
    let name = name::entry_or_itself(name.as_ref())?;
    Ok(match get(dir.as_fd(), name, xattrs.name("opaque"))?.as_deref() {
        Some(b"y") => Opacity::Opaque,
        Some(b"x") => Opacity::HoldsWhiteouts,
        _ => Opacity::Transparent,
    })
}

/// Makes a directory opaque; `.` is the directory itself.
///
/// # Errors
///
/// [`Error::Call`], with `ENOTDIR` if it is no directory, `EOPNOTSUPP` if the file system has no extended attributes.
///
/// # Privileges
///
/// `CAP_SYS_ADMIN` of the host for [`XattrNamespace::Trusted`]; else that of a writer.
pub fn make_opaque(dir: impl AsFd, name: impl AsRef<OsStr>, xattrs: XattrNamespace) -> Result<()> {
    let name = name::entry_or_itself(name.as_ref())?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = openat(dir, name, flags, Mode::empty()).map_err(|raw| fault("openat", name, raw))?;
    xattr::set(directory.as_fd(), OsStr::new("."), &xattrs.name("opaque"), b"y")
}

#[cfg(test)]
mod tests;
