//! The entries of `mounts`, checked.

use std::path::{Path, PathBuf};

use oci_spec::runtime::Mount as Given;
use rustix::fs::{CWD, FileType, Mode, OFlags, Stat, fstat, fstatfs, openat};

use super::calls::magic;
use super::destination::{self, clean};
use super::mapped::{self, Mapping};
use super::options::Options;
use crate::oci::plan::{Request, Spaces};
use crate::oci::{Error, Result};
use crate::{Errno, Namespaces};

/// An entry of `mounts`.
#[derive(Debug)]
pub(super) struct Entry {
    index: usize,
    /// Absolute, without `.` and `..`.
    pub(super) destination: PathBuf,
    pub(super) what: What,
    pub(super) options: Options,
    /// As it stands there, for the mount table.
    pub(super) source: Option<PathBuf>,
    /// Which ids appear as which.
    pub(super) mapping: Option<Mapping>,
}

/// What is mounted.
#[derive(Debug)]
pub(super) enum What {
    /// A copy of what is mounted on the host.
    Bind { source: Source, recursive: bool },
    /// A file system of its own.
    New { filesystem: String },
    /// The container's cgroups.
    Cgroup,
    /// Nothing: what is there is changed.
    Change,
}

/// A file or directory of the host, as the caller sees it.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) stat: Stat,
    pub(super) filesystem: u64,
}

impl Source {
    /// Looks at it, links followed.
    pub(super) fn look_at(path: PathBuf) -> Result<Self, (PathBuf, Errno)> {
        let look = || {
            let file = openat(CWD, &path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
            Ok((fstat(&file)?, fstatfs(&file)?))
        };
        match look() {
            Ok((stat, filesystem)) => Ok(Self { path, stat, filesystem: filesystem.f_type.cast_unsigned() }),
            Err(errno) => {
                let errno: rustix::io::Errno = errno;
                Err((path, Errno::new(errno.raw_os_error())))
            }
        }
    }

    pub(super) fn is_directory(&self) -> bool {
        FileType::from_raw_mode(self.stat.st_mode).is_dir()
    }
}

impl Entry {
    /// All of them, in order.
    pub(super) fn all(request: &Request<'_>, spaces: &Spaces) -> Result<Vec<Self>> {
        let given = request.spec.mounts().as_deref().unwrap_or_default();
        let given = given.iter().enumerate();
        let mut entries = given
            .map(|(index, given)| Self::new(index, given, request, spaces))
            .collect::<Result<Vec<_>>>()?;
        if let Some(notify) = &request.notify {
            entries.push(Self::notify(entries.len(), notify)?);
        }
        Ok(entries)
    }

    fn new(index: usize, given: &Given, request: &Request<'_>, spaces: &Spaces) -> Result<Self> {
        let list = given.options().as_deref().unwrap_or_default();
        let mut options = Options::parse(list).map_err(|(option, reason)| {
            Error::config(
                format!("mounts[{index}].options[{option}]"),
                format!("{:?} {reason}", list[option]),
            )
        })?;
        let at = |field: &str| format!("mounts[{index}].{field}");
        let destination = clean(given.destination());
        if destination == Path::new("/") {
            let reason = format!("{} is the root itself", given.destination().display());
            return Err(Error::config(at("destination"), reason));
        }
        let what = what(index, given, &mut options, request, spaces)?;
        let mapping = mapped::of(index, given, &options, request)?;
        let source = given.source().clone().filter(|source| !source.as_os_str().is_empty());
        let entry = Self { index, destination, what, options, source, mapping };
        entry.check()?;
        Ok(entry)
    }

    /// The directory with the socket for `sd_notify(3)`.
    fn notify(index: usize, directory: &Path) -> Result<Self> {
        let source = Source::look_at(directory.to_owned()).map_err(|(path, errno)| Error::Path {
            what: "directory of the notify socket",
            path,
            errno,
        })?;
        Ok(Self {
            index,
            destination: "/run/notify".into(),
            what: What::Bind { source, recursive: false },
            options: Options::default(),
            source: None,
            mapping: None,
        })
    }

    /// Whether no link may lead to its destination: files that the kernel provides are used by those who trust them.
    pub(super) fn is_strict(&self) -> bool {
        let kernels = |name: &String| name == "proc" || name == "sysfs";
        matches!(&self.what, What::New { filesystem } if kernels(filesystem))
            || ["/proc", "/sys"].iter().any(|path| self.destination == Path::new(path))
    }

    /// An error of this entry.
    pub(super) fn wrong(&self, field: &str, reason: impl Into<String>) -> Error {
        Error::config(format!("mounts[{}].{field}", self.index), reason)
    }

    fn check(&self) -> Result<()> {
        self.check_proc()?;
        match &self.what {
            What::Bind { .. } => {
                if let Some((option, _)) = self.options.data.first() {
                    let reason = "is no option of a bind mount";
                    return Err(self.wrong(&format!("options[{option}]"), reason));
                }
                if let Some(flag) = self.options.flags.first() {
                    return Err(
                        self.wrong("options", format!("{flag} is nothing that a bind mount can have"))
                    );
                }
            }
            What::New { .. } | What::Cgroup | What::Change => {
                if self.options.mapped.is_some() || self.mapping.is_some() {
                    return Err(self.wrong("options", "ids can be mapped in bind mounts only"));
                }
            }
        }
        let is_tmpfs = matches!(&self.what, What::New { filesystem } if filesystem == "tmpfs");
        if self.options.copy_up && !is_tmpfs {
            return Err(self.wrong("options", "tmpcopyup is for a tmpfs only"));
        }
        Ok(())
    }

    /// What lies over procfs decides what is read from there and written to there.
    fn check_proc(&self) -> Result<()> {
        let Some(inside) = destination::in_proc(&self.destination) else { return Ok(()) };
        if inside.as_os_str().is_empty() {
            let procfs = match &self.what {
                What::New { filesystem } => filesystem == "proc",
                What::Bind { source, .. } => source.filesystem == magic::PROC,
                What::Cgroup => false,
                What::Change => true,
            };
            return match procfs {
                true => Ok(()),
                false => Err(self.wrong("destination", "/proc is for a procfs only")),
            };
        }
        let is_file = matches!(&self.what, What::Bind { source, .. } if !source.is_directory());
        if is_file && destination::is_provided(inside) || matches!(self.what, What::Change) {
            return Ok(());
        }
        let reason = format!("{} is inside of procfs", self.destination.display());
        Err(self.wrong("destination", reason))
    }
}

/// What an entry mounts.
fn what(
    index: usize,
    given: &Given,
    options: &mut Options,
    request: &Request<'_>,
    spaces: &Spaces,
) -> Result<What> {
    let kind = given.typ().as_deref().unwrap_or_default();
    if options.remount {
        return Ok(What::Change);
    }
    let source = given.source().as_deref();
    match (kind, options.bind) {
        (_, Some(recursive)) => bound(index, source, recursive, options, request),
        ("bind", None) => bound(index, source, false, options, request),
        // Nobody may see a new sysfs of a network namespace that is not theirs.
        ("sysfs", None) if spaces.other_user && !spaces.has_own(Namespaces::NET) => {
            bound(index, Some(Path::new("/sys")), true, options, request)
        }
        ("cgroup" | "cgroup2", None) => Ok(What::Cgroup),
        ("mqueue", None) if spaces.other_user && !spaces.has_own(Namespaces::IPC) => {
            let reason = "an mqueue in a user namespace needs an ipc namespace of its own";
            Err(Error::config(format!("mounts[{index}].type"), reason))
        }
        ("", None) => {
            let reason = "is missing, and the options have neither bind nor rbind";
            Err(Error::config(format!("mounts[{index}].type"), reason))
        }
        (filesystem, None) => Ok(What::New { filesystem: filesystem.to_owned() }),
    }
}

fn bound(
    index: usize,
    source: Option<&Path>,
    recursive: bool,
    options: &mut Options,
    request: &Request<'_>,
) -> Result<What> {
    let wrong = |reason: String| Error::config(format!("mounts[{index}].source"), reason);
    let Some(source) = source.filter(|source| !source.as_os_str().is_empty()) else {
        return Err(wrong("is missing, which a bind mount needs".into()));
    };
    let source = Source::look_at(request.bundle.join(source))
        .map_err(|(path, errno)| wrong(format!("{}: {errno}", path.display())))?;
    if recursive && options.is_read_only() && source.filesystem == magic::SYSFS {
        // The cgroups below it are files of the same host.
        options.all.set |= crate::MountFlags::RDONLY;
    }
    Ok(What::Bind { source, recursive })
}
