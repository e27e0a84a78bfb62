//! Copies of what lower layers have, with all that is said of it.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Stat, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;

use crate::Error;
use crate::layer::unpack::attributes::{time_of, timestamps};
use crate::layer::unpack::beneath;
use crate::layer::unpack::fault::{Call, Fault, Result};

/// A name in a directory.
#[derive(Clone, Copy)]
pub(super) struct At<'f> {
    pub(super) dir: BorrowedFd<'f>,
    pub(super) name: &'f [u8],
}

impl At<'_> {
    /// In procfs, for the calls that take paths alone.
    fn path(self) -> Vec<u8> {
        [beneath::proc_path(self.dir).as_bytes(), b"/", self.name].concat()
    }
}

/// Copies what is no directory.
pub(super) fn file(from: At<'_>, stat: &Stat, to: At<'_>) -> Result<()> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => content(from, to)?,
        FileType::Symlink => {
            let target = rustix::fs::readlinkat(from.dir, from.name, Vec::new()).call("readlinkat")?;
            rustix::fs::symlinkat(target.as_c_str(), to.dir, to.name).call("symlinkat")?;
        }
        kind => {
            let mode = Mode::RUSR | Mode::WUSR;
            rustix::fs::mknodat(to.dir, to.name, kind, mode, stat.st_rdev).call("mknodat")?;
        }
    }
    attributes(from, stat, to)
}

fn content(from: At<'_>, to: At<'_>) -> Result<()> {
    let source = beneath::open(from.dir, from.name, OFlags::RDONLY).call("open")?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let target = rustix::fs::openat(to.dir, to.name, flags, Mode::RUSR | Mode::WUSR).call("openat")?;
    parts(source, target)
        .map_err(|source| Fault::Whole(Error::Stream { what: "file of a lower layer", source }))
}

/// Copies what is between holes: a file with holes may be much larger than what it takes.
fn parts(source: OwnedFd, target: OwnedFd) -> io::Result<()> {
    use rustix::fs::{SeekFrom, ftruncate, seek};
    let (mut source, mut target) = (File::from(source), File::from(target));
    let size = source.metadata()?.len();
    ftruncate(&target, size)?;
    let mut end = 0;
    while end < size {
        let begin = match seek(&source, SeekFrom::Data(end)) {
            Err(Errno::NXIO) => break,
            result => result?,
        };
        end = seek(&source, SeekFrom::Hole(begin))?;
        seek(&source, SeekFrom::Start(begin))?;
        seek(&target, SeekFrom::Start(begin))?;
        // In the kernel where it can be: the standard library knows how.
        let copied = io::copy(&mut (&mut source).take(end - begin), &mut target)?;
        if copied != end - begin {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

/// Owner, mode, extended attributes and times, of whatever it is.
pub(super) fn attributes(from: At<'_>, stat: &Stat, to: At<'_>) -> Result<()> {
    let have = rustix::fs::statat(to.dir, to.name, AtFlags::SYMLINK_NOFOLLOW).call("fstatat")?;
    if (have.st_uid, have.st_gid) != (stat.st_uid, stat.st_gid) {
        let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
        rustix::fs::chownat(to.dir, to.name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
            .call("fchownat")?;
    }
    // Attributes of users are for those who may write, which the mode can deny to its owner.
    xattrs(from, to)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
        let handle = beneath::open(to.dir, to.name, OFlags::PATH).call("open")?;
        beneath::chmod(handle.as_fd(), Mode::from_raw_mode(stat.st_mode)).call("chmod")?;
    }
    let (atime, mtime) = time_of(stat);
    let times: Timestamps = timestamps(atime, mtime);
    rustix::fs::utimensat(to.dir, to.name, &times, AtFlags::SYMLINK_NOFOLLOW).call("utimensat")
}

/// All but the marks of overlays and labels, which are of the file they are on.
fn xattrs(from: At<'_>, to: At<'_>) -> Result<()> {
    let (source, target) = (from.path(), to.path());
    let mut names = vec![0; 64 << 10];
    let count = match rustix::fs::llistxattr(source.as_slice(), names.as_mut_slice()) {
        Err(Errno::OPNOTSUPP) => return Ok(()),
        result => result.call("listxattr")?,
    };
    let names = names[..count].split(|byte| *byte == 0).filter(|name| !name.is_empty());
    for name in names.filter(|name| is_copied(name)) {
        let mut value = vec![0; 64 << 10];
        let count = rustix::fs::lgetxattr(source.as_slice(), name, value.as_mut_slice()).call("getxattr")?;
        let set = rustix::fs::lsetxattr(target.as_slice(), name, &value[..count], XattrFlags::empty());
        set.call("setxattr")?;
    }
    Ok(())
}

fn is_copied(name: &[u8]) -> bool {
    let marks = name.starts_with(b"trusted.overlay.") || name.starts_with(b"user.overlay.");
    let labels = name.starts_with(b"security.") && name != b"security.capability";
    !marks && !labels
}
