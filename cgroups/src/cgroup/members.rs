//! Who is in a cgroup.

use super::{Cgroup, Part};
use crate::{Errno, Error, Membership, Result, Version};
use std::collections::BTreeSet;
use std::path::Path;

impl Cgroup {
    /// The processes in it, in order, as this process's pid namespace numbers them. Those that it cannot see are left
    /// out, as are those that have ended and were not waited for.
    ///
    /// On several hierarchies it is those in any of them; on v1 a process belongs here if one of its threads does.
    ///
    /// # Errors
    ///
    /// [`Error::Open`] and [`Error::Read`], for a cgroup that is gone, say; [`Error::Threaded`].
    pub fn processes(&self) -> Result<Vec<u32>> {
        self.members(|part| part.members("cgroup.procs"))
    }

    /// The processes in it and in the cgroups in it; otherwise as [`Cgroup::processes`].
    ///
    /// # Errors
    ///
    /// As [`Cgroup::processes`].
    pub fn processes_recursive(&self) -> Result<Vec<u32>> {
        self.members(Part::members_recursive)
    }

    /// The threads in it, in order; otherwise as [`Cgroup::processes`].
    ///
    /// # Errors
    ///
    /// As [`Cgroup::processes`].
    pub fn threads(&self) -> Result<Vec<u32>> {
        self.members(|part| match part.version {
            Version::V1 => part.members("tasks"),
            Version::V2 => part.members("cgroup.threads"),
        })
    }

    /// Whether there is any process in it or in the cgroups in it, seen or not.
    ///
    /// # Errors
    ///
    /// As [`Cgroup::processes`].
    pub fn is_populated(&self) -> Result<bool> {
        for part in &self.parts {
            if part.is_populated()? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a process is in it or in one of the cgroups in it.
    ///
    /// # Errors
    ///
    /// As [`Cgroup::processes`].
    pub fn contains(&self, pid: u32) -> Result<bool> {
        for part in &self.parts {
            if part.members_recursive()?.contains(&pid) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn members(&self, of: impl Fn(&Part) -> Result<BTreeSet<u32>>) -> Result<Vec<u32>> {
        let mut members = BTreeSet::new();
        for part in &self.parts {
            members.append(&mut of(part)?);
        }
        members.remove(&0);
        Ok(members.into_iter().collect())
    }

    /// Refuses what would stop or end the process that asks for it.
    pub(super) fn refuse_caller(&self, what: &'static str) -> Result<()> {
        let path = Path::new("/proc/thread-self/cgroup");
        let own =
            std::fs::read(path).map_err(|error| Error::Read { path: path.to_owned(), errno: of(&error) })?;
        let (own, _) = Membership::parse_all(&own);
        let holds_caller = |part: &&Part| {
            let hierarchy = self.hierarchies.get(part.hierarchy)?;
            let own = own.iter().find(|own| hierarchy.is_of(own))?.cgroup()?;
            own.below(hierarchy.shown()?)?.below(&part.path)
        };
        let part = self.parts.iter().find(|part| holds_caller(part).is_some());
        part.map_or(Ok(()), |part| Err(Error::Caller { what, path: part.dir.path().to_owned() }))
    }
}

impl Part {
    /// Numbers in a file; 0 stands for those that this process's pid namespace does not have.
    fn members(&self, file: &str) -> Result<BTreeSet<u32>> {
        let content = self.dir.read(file).map_err(|error| match error.errno() {
            Some(errno) if errno.number() == libc::EOPNOTSUPP => {
                Error::Threaded { path: self.dir.path().to_owned() }
            }
            _ => error,
        })?;
        let number = |line: &str| {
            line.parse().map_err(|_| Error::Parse {
                path: self.dir.path_of(file),
                line: line.to_owned(),
                expected: "the number of a process",
            })
        };
        content.lines().map(number).collect()
    }

    /// Those of the cgroups in it, too.
    pub(super) fn members_recursive(&self) -> Result<BTreeSet<u32>> {
        let mut members = BTreeSet::new();
        self.walk(&mut |part| match part.members("cgroup.procs") {
            // The root of a threaded tree has the processes of all the tree.
            Err(Error::Threaded { .. }) if part.path != self.path => Ok(()),
            of_part => {
                members.append(&mut of_part?);
                Ok(())
            }
        })?;
        Ok(members)
    }

    fn is_populated(&self) -> Result<bool> {
        if self.version == Version::V2 && !self.path.is_root() {
            return Ok(event(&self.dir.read("cgroup.events")?, "populated"));
        }
        Ok(!self.members_recursive()?.is_empty())
    }

    /// Calls something for this cgroup and for those in it; for those that are gone meanwhile it is not an error.
    pub(super) fn walk(&self, visit: &mut dyn FnMut(&Self) -> Result<()>) -> Result<()> {
        visit(self)?;
        for name in self.dir.subdirectories()? {
            match self.child(&name).and_then(|child| child.walk(visit)) {
                Err(error) if error.is_gone() => {}
                walked => walked?,
            }
        }
        Ok(())
    }
}

fn of(error: &std::io::Error) -> Errno {
    Errno::new(error.raw_os_error().unwrap_or(libc::EIO))
}

/// Whether a line of `cgroup.events` says 1.
pub(super) fn event(content: &str, key: &str) -> bool {
    content.lines().any(|line| line.split_once(' ').is_some_and(|(k, value)| k == key && value.trim() == "1"))
}

#[cfg(test)]
mod tests {
    use super::event;

    #[test]
    fn events_are_found_by_their_whole_key() {
        let content = "populated 1\nfrozen 0\nnot_frozen 1\n";
        assert!(event(content, "populated") && !event(content, "frozen") && !event("", "frozen"));
    }
}
