//! What is around a program: namespaces, root, mounts.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use cofferdam_namespaces::{IdMap, Namespace};

use crate::{ClockOffset, Namespaces};

/// What the program sees as `/`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Root {
    /// The host's files, read-only, without set-user-id bits and device nodes.
    #[default]
    Host,
    /// A directory of the host, with what is mounted below it. The program can write there as far as its ids may.
    ///
    /// Missing mount points are made in it. They stay if the program could be started; if not, they are removed
    /// again, so do not start from one directory by several processes at once before it has them.
    Directory(PathBuf),
    /// The same, read-only. All mount points must exist.
    ReadOnlyDirectory(PathBuf),
}

impl Root {
    /// A writable directory.
    pub fn directory(path: impl AsRef<Path>) -> Self {
        Self::Directory(path.as_ref().to_owned())
    }

    /// Makes a directory read-only, or writable. The host's root is always read-only.
    #[must_use]
    pub fn read_only(self, yes: bool) -> Self {
        match self {
            Self::Host => Self::Host,
            Self::Directory(path) | Self::ReadOnlyDirectory(path) if yes => Self::ReadOnlyDirectory(path),
            Self::Directory(path) | Self::ReadOnlyDirectory(path) => Self::Directory(path),
        }
    }

    /// Its path on the host.
    pub fn path(&self) -> &Path {
        match self {
            Self::Host => Path::new("/"),
            Self::Directory(path) | Self::ReadOnlyDirectory(path) => path,
        }
    }

    pub(crate) fn is_writable(&self) -> bool {
        matches!(self, Self::Directory(_))
    }
}

/// A mount that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Extra {
    pub(crate) target: PathBuf,
    pub(crate) kind: ExtraKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ExtraKind {
    Bind { source: PathBuf, read_only: bool },
    Tmpfs { size: Option<u64> },
}

/// Which of the usual mounts are made; `None` leaves it to what makes sense.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usual {
    pub(crate) proc: Option<bool>,
    pub(crate) sys: Option<bool>,
    pub(crate) dev: Option<bool>,
    pub(crate) tmp: Option<bool>,
    pub(crate) run: Option<bool>,
}

/// The options of the surroundings.
#[derive(Debug)]
pub(crate) struct Enclosure {
    pub(crate) new: Namespaces,
    pub(crate) joined: Vec<Namespace>,
    pub(crate) root: Root,
    pub(crate) extras: Vec<Extra>,
    pub(crate) usual: Usual,
    /// `None` leaves it to what makes sense.
    pub(crate) protect_proc: Option<bool>,
    pub(crate) hostname: Option<OsString>,
    pub(crate) domainname: Option<OsString>,
    pub(crate) uid_map: Option<IdMap>,
    pub(crate) gid_map: Option<IdMap>,
    pub(crate) time_offsets: Option<(ClockOffset, ClockOffset)>,
    pub(crate) sysctls: Vec<(String, String)>,
    pub(crate) loopback: Option<bool>,
    pub(crate) init: bool,
}

impl Default for Enclosure {
    fn default() -> Self {
        Self {
            new: Namespaces::all(),
            joined: Vec::new(),
            root: Root::Host,
            extras: Vec::new(),
            usual: Usual::default(),
            protect_proc: None,
            hostname: None,
            domainname: None,
            uid_map: None,
            gid_map: None,
            time_offsets: None,
            sysctls: Vec::new(),
            loopback: None,
            init: false,
        }
    }
}

impl Enclosure {
    /// The kinds that are joined.
    pub(crate) fn joined_kinds(&self) -> Namespaces {
        kinds_of(&self.joined)
    }

    /// Whether a kind is not the caller's own.
    pub(crate) fn has_own(&self, kind: Namespaces) -> bool {
        self.new.contains(kind) || self.joined_kinds().contains(kind)
    }
}

/// The kinds of open namespaces.
pub(crate) fn kinds_of(namespaces: &[Namespace]) -> Namespaces {
    namespaces.iter().fold(Namespaces::empty(), |kinds, one| kinds | Namespaces::from_bits(one.kind().flag()))
}
