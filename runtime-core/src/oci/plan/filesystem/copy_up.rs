//! `tmpcopyup`: a tmpfs that begins with what it covers.
//!
//! The caller looks at what there is, and the init copies that, name by name, from the descriptor of the directory into the
//! new file system before it is attached. What has become of a name meanwhile is not followed: a link is no file, and a
//! name that is gone is an error.

use std::ffi::{CStr, OsStr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Dir, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, openat2, readlinkat};
use rustix::io::Errno as Raw;

use super::calls::{call, text};
use super::entry::Entry;
use super::view::{Ground, View};
use crate::oci::{Error, Result};
use crate::{Argument, Errno, Expected, FileKind, Location, Open, RawCall, Slot, Step};

/// How much is copied at most: each file is some operations of a program whose size is limited.
const MOST: usize = 4096;

/// What is copied.
#[derive(Debug)]
pub(super) struct Copied {
    files: Vec<File>,
}

#[derive(Debug)]
struct File {
    path: PathBuf,
    stat: Stat,
    /// Where a link leads.
    link: Option<PathBuf>,
}

/// Looks at what a mount will cover. There may be nothing.
pub(super) fn look(view: &View<'_, '_>, entry: &Entry) -> Result<Option<Copied>> {
    let (ground, rest) = view.ground(&entry.destination);
    let failed = |errno: Raw| Error::Path {
        what: "what tmpcopyup copies",
        path: entry.destination.clone(),
        errno: Errno::new(errno.raw_os_error()),
    };
    let opened = match &ground {
        Ground::Root => open(view.directory.file.as_fd(), &rest, ResolveFlags::IN_ROOT),
        Ground::Host(path) => rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
            .and_then(|base| open(base.as_fd(), &rest, ResolveFlags::IN_ROOT)),
        Ground::Fresh => return Ok(None),
    };
    let top = match opened {
        Err(Raw::NOENT) => return Ok(None),
        opened => opened.map_err(failed)?,
    };
    let mut copied = Copied { files: Vec::new() };
    let stat = fstat(&top).map_err(failed)?;
    copied.files.push(File { path: ".".into(), stat, link: None });
    copied.add(top.as_fd(), Path::new("")).map_err(|reason| match reason {
        Reason::Call(errno) => failed(errno),
        Reason::TooMany => {
            let reason = format!(
                "tmpcopyup copies {MOST} files at most, and {} has more",
                entry.destination.display()
            );
            entry.wrong("options", reason)
        }
    })?;
    Ok(Some(copied))
}

enum Reason {
    Call(Raw),
    TooMany,
}

impl From<Raw> for Reason {
    fn from(errno: Raw) -> Self {
        Self::Call(errno)
    }
}

fn open(base: BorrowedFd<'_>, path: &Path, resolve: ResolveFlags) -> Result<OwnedFd, Raw> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat2(base, path, flags, Mode::empty(), resolve | ResolveFlags::NO_MAGICLINKS)
}

impl Copied {
    fn add(&mut self, top: BorrowedFd<'_>, below: &Path) -> Result<(), Reason> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let directory = open(top, below, resolve)?;
        let mut names = Vec::new();
        for entry in Dir::read_from(&directory)? {
            let entry = entry?;
            if ![c".", c".."].contains(&entry.file_name()) {
                names.push(path_of(entry.file_name()));
            }
        }
        names.sort();
        for name in names {
            if self.files.len() == MOST {
                return Err(Reason::TooMany);
            }
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = openat2(&directory, &name, flags, Mode::empty(), ResolveFlags::BENEATH)?;
            let stat = fstat(&file)?;
            let kind = FileType::from_raw_mode(stat.st_mode);
            let link = match kind.is_symlink() {
                true => Some(path_of(&readlinkat(&file, "", Vec::new())?)),
                false => None,
            };
            let path = below.join(name);
            self.files.push(File { path: path.clone(), stat, link });
            if kind.is_dir() {
                self.add(top, &path)?;
            }
        }
        Ok(())
    }

    /// Copies it from one directory into another.
    pub(super) fn fill(&self, view: &mut View<'_, '_>, from: Slot, to: Slot) {
        for file in &self.files {
            file.copy(view, from, to);
        }
    }
}

fn path_of(name: &CStr) -> PathBuf {
    OsStr::from_bytes(name.to_bytes()).into()
}

/// Below the directory, through no link and into no other mount.
const STRICT: u64 = libc::RESOLVE_BENEATH | libc::RESOLVE_NO_SYMLINKS | libc::RESOLVE_NO_XDEV;

const fn flags(flags: i32) -> u64 {
    flags.unsigned_abs() as u64
}

impl File {
    fn copy(&self, view: &mut View<'_, '_>, from: Slot, to: Slot) {
        let at = Location::at(to, &self.path);
        let mode = self.stat.st_mode & 0o7777;
        let name = self.path.display();
        match FileType::from_raw_mode(self.stat.st_mode) {
            FileType::Directory => {
                if self.path != Path::new(".") {
                    view.draft.step(Step::Directory { location: at, mode: 0o700 });
                }
            }
            FileType::Symlink => {
                let target = self.link.clone().unwrap_or_default();
                view.draft.step(Step::Symlink { location: at, target });
            }
            FileType::RegularFile => self.content(view, from, to),
            FileType::Fifo => {
                let device = crate::Device { major: 0, minor: 0 };
                view.draft.step(Step::Node { location: at, kind: FileKind::Fifo, mode, device });
            }
            // Devices are made by those who may, and sockets are nothing without who listens.
            _ => return,
        }
        let (uid, gid) = (owner(view, self.stat.st_uid, false), owner(view, self.stat.st_gid, true));
        let no_follow = Argument::Number(flags(libc::AT_SYMLINK_NOFOLLOW));
        let place = || vec![Argument::Descriptor(to), text(&self.path)];
        let number = |id: Option<u32>| Argument::Number(u64::from(id.unwrap_or(u32::MAX)));
        let mut owner = place();
        owner.extend([number(uid), number(gid), no_follow]);
        view.draft.step(Step::Call(call(&format!("fchownat {name}"), libc::SYS_fchownat, owner)));
        if self.link.is_none() {
            let mut arguments = place();
            arguments.push(Argument::Number(u64::from(mode)));
            view.draft.step(Step::Call(call(&format!("fchmodat {name}"), libc::SYS_fchmodat, arguments)));
        }
    }

    /// What a file contains.
    fn content(&self, view: &mut View<'_, '_>, from: Slot, to: Slot) {
        let [source, copy] = ["a file below", "its copy"].map(|name| view.draft.plan.slot(name));
        let how = |more: i32, mode| Open { flags: flags(more), mode, resolve: STRICT };
        let read = how(libc::O_RDONLY | libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY, 0);
        let write = how(libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW, 0o600);
        let expected = Expected { kind: Some(FileKind::Regular), ..Expected::default() };
        let size = Argument::Number(self.stat.st_size.unsigned_abs());
        let arguments =
            vec![Argument::Descriptor(copy), Argument::Descriptor(source), Argument::Number(0), size];
        let send = call(&format!("sendfile {}", self.path.display()), libc::SYS_sendfile, arguments);
        view.draft.steps([
            Step::Open { location: Location::at(from, &self.path), how: read, into: source },
            Step::Verify { file: source, expected },
            Step::Open { location: Location::at(to, &self.path), how: write, into: copy },
            Step::Call(RawCall { ..send }),
            Step::Close(source),
            Step::Close(copy),
        ]);
    }
}

/// A number of the host as one of the container; none if it has none there, and then the new file stays who made it.
fn owner(view: &View<'_, '_>, id: u32, group: bool) -> Option<u32> {
    let linux = view.request.spec.linux().as_ref();
    let maps = match group {
        false => linux.and_then(|linux| linux.uid_mappings().as_deref()),
        true => linux.and_then(|linux| linux.gid_mappings().as_deref()),
    };
    let maps = maps.filter(|maps| view.spaces.other_user && !maps.is_empty());
    let Some(maps) = maps else { return Some(id) };
    maps.iter().find_map(|map| {
        let offset = id.checked_sub(map.host_id()).filter(|offset| *offset < map.size())?;
        map.container_id().checked_add(offset)
    })
}
