//! What is around a program: namespaces, root, mounts.

use std::ffi::OsString;
use std::path::PathBuf;

use cofferdam_namespaces::{IdMap, Namespace};

use crate::{ClockOffset, Namespaces, Root};

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
