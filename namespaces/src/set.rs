//! The plan which namespaces a process shall have, as plain data.

use crate::{Error, Joined, Kind, Kinds, Namespace, Result, Step, join_order};
use std::fmt;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;

/// Where the namespace of one kind comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Source {
    /// The one that the starting process is in.
    #[default]
    Inherit,
    /// A new one.
    New,
    /// The one of this file.
    Path(PathBuf),
    /// The one of this process.
    Pid(u32),
    /// The one with this index among the descriptors that [`Set::open`] is given.
    Descriptor(usize),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inherit => f.write_str("inherited"),
            Self::New => f.write_str("new"),
            Self::Path(path) => write!(f, "path {}", path.display()),
            Self::Pid(pid) => write!(f, "process {pid}"),
            Self::Descriptor(index) => write!(f, "descriptor {index}"),
        }
    }
}

/// Which namespaces a process shall have. Kinds that are not mentioned are inherited.
///
/// Nothing happens before [`Set::open`]; a set can be printed, compared and kept.
///
/// ```
/// use cofferdam_namespaces::{Kind, Set, Source};
/// let set = Set::new()
///     .create(Kind::Mnt | Kind::Pid)
///     .with(Kind::Net, Source::Path("/run/netns/blue".into()));
/// set.validate()?;
/// assert_eq!(set.new_kinds(), Kind::Mnt | Kind::Pid);
/// # Ok::<(), cofferdam_namespaces::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Set {
    sources: Vec<(Kind, Source)>,
}

impl Set {
    /// Everything is inherited.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes new namespaces of these kinds.
    #[must_use]
    pub fn create(self, kinds: impl Into<Kinds>) -> Self {
        kinds.into().iter().fold(self, |set, kind| set.with(kind, Source::New))
    }

    /// Says where the namespace of a kind comes from. To say the same twice is allowed, another source is
    /// an error of [`Set::validate`].
    #[must_use]
    pub fn with(mut self, kind: Kind, source: Source) -> Self {
        self.sources.push((kind, source));
        self
    }

    /// Where the namespace of a kind comes from.
    pub fn source(&self, kind: Kind) -> &Source {
        self.sources.iter().find(|(k, _)| *k == kind).map_or(&Source::Inherit, |(_, source)| source)
    }

    /// The kinds that are new.
    pub fn new_kinds(&self) -> Kinds {
        Kind::ALL.into_iter().filter(|kind| *self.source(*kind) == Source::New).collect()
    }

    /// The kinds that are joined.
    pub fn joined_kinds(&self) -> Kinds {
        let joins = |kind: &Kind| !matches!(self.source(*kind), Source::New | Source::Inherit);
        Kind::ALL.into_iter().filter(joins).collect()
    }

    /// Checks that no kind has two sources.
    ///
    /// # Errors
    /// [`Error::SourceConflict`].
    pub fn validate(&self) -> Result<()> {
        for (kind, second) in &self.sources {
            let first = self.source(*kind);
            if first != second {
                return Err(Error::SourceConflict {
                    kind: *kind,
                    first: first.clone(),
                    second: second.clone(),
                });
            }
        }
        Ok(())
    }

    /// Validates the plan and opens every namespace that is to be joined.
    ///
    /// # Privileges
    /// As [`Namespace::open`] and [`Namespace::of_pid`].
    ///
    /// # Errors
    /// [`Error::SourceConflict`], [`Error::NoSuchDescriptor`], [`Error::WrongKind`] and those of opening.
    pub fn open(&self, descriptors: &[BorrowedFd<'_>]) -> Result<Opened> {
        self.validate()?;
        let joined =
            self.joined_kinds().iter().filter_map(|kind| self.open_kind(kind, descriptors).transpose());
        Ok(Opened { joined: joined.collect::<Result<_>>()?, new: self.new_kinds() })
    }

    fn open_kind(&self, kind: Kind, descriptors: &[BorrowedFd<'_>]) -> Result<Option<Namespace>> {
        match self.source(kind) {
            Source::Inherit | Source::New => Ok(None),
            Source::Path(path) => Namespace::open_kind(path, kind).map(Some),
            Source::Pid(pid) => Namespace::of_pid(*pid, kind).map(Some),
            Source::Descriptor(index) => {
                let len = descriptors.len();
                let fd =
                    descriptors.get(*index).ok_or(Error::NoSuchDescriptor { kind, index: *index, len })?;
                Namespace::open_kind(crate::handle::fd_link(*fd), kind).map(Some)
            }
        }
    }
}

/// A plan whose namespaces are open.
#[derive(Debug)]
pub struct Opened {
    /// What is joined; the indices of [`Step::Join`] are those of this list.
    pub joined: Vec<Namespace>,
    /// What is new.
    pub new: Kinds,
}

impl Opened {
    /// The steps for the calling thread, by [`join_order`].
    ///
    /// # Errors
    /// [`Error::Query`]; [`Error::OfProcess`] without `/proc`.
    pub fn steps(&self) -> Result<Vec<Step>> {
        let caller_user = Namespace::of_current(Kind::User)?.identity();
        let joined = self.joined.iter().map(describe).collect::<Result<Vec<_>>>()?;
        Ok(join_order(&joined, self.new, caller_user))
    }
}

/// A namespace with its chain of owners, which ends where the caller's sight ends.
fn describe(namespace: &Namespace) -> Result<Joined> {
    let mut owners = Vec::new();
    let mut next = namespace.owner();
    loop {
        match next {
            Ok(owner) => {
                owners.push(owner.identity());
                next = owner.owner();
            }
            Err(Error::OutOfReach { .. }) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(Joined { kind: namespace.kind(), identity: namespace.identity(), owners })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_and_kinds() {
        let set = Set::new()
            .create(Kind::Mnt | Kind::User)
            .with(Kind::Net, Source::Pid(7))
            .with(Kind::Uts, Source::Inherit);
        assert_eq!(set.new_kinds(), Kind::Mnt | Kind::User);
        assert_eq!(set.joined_kinds(), Kind::Net.into());
        assert_eq!(set.source(Kind::Ipc), &Source::Inherit);
        assert_eq!(set.validate(), Ok(()));
        assert_eq!(set.clone().create(Kind::Mnt).validate(), Ok(()));
    }

    #[test]
    fn two_sources_conflict() {
        let set = Set::new().create(Kind::Net).with(Kind::Net, Source::Path("/x".into()));
        let error = set.validate().expect_err("new and joined");
        assert_eq!(error.to_string(), "two sources for the net namespace: new and path /x");
        assert_eq!(set.open(&[]).expect_err("not valid"), error);
    }

    #[test]
    fn descriptors_are_counted() {
        let set = Set::new().with(Kind::Net, Source::Descriptor(1));
        let error = set.open(&[]).expect_err("none was given");
        assert_eq!(error, Error::NoSuchDescriptor { kind: Kind::Net, index: 1, len: 0 });
    }
}
