//! The floor: the system calls that the kernel asks for, in a straight line, and nothing around them.
//!
//! Directories that cgroups are made in are opened once. On v1 a cgroup is a directory in each of its hierarchies, on v2
//! a single one.

mod kill;
mod path;
mod statistics;

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::rc::Rc;

use super::{Group, Limits, MEMORY, PERIOD, PIDS, QUOTA, Reader, Subject};
use crate::Error;
use crate::cgroup::case::Case;
use crate::cgroup::place::{Place, Version};
use crate::sys::files;
use path::{Decimal, Path};

/// Straight lines.
#[derive(Debug)]
struct Floor {
    base: Rc<Base>,
}

/// What is opened once.
#[derive(Debug)]
struct Base {
    version: Version,
    /// Where cgroups are made, each with the files of its limits: a name and a value.
    parents: Vec<Parent>,
    /// The index of a controller's parent.
    by_controller: Vec<(&'static str, usize)>,
    /// The index of the v2 parent, where all can be killed at once.
    unified: Option<usize>,
}

#[derive(Debug)]
struct Parent {
    path: PathBuf,
    directory: File,
    limits: Vec<(&'static str, Decimal)>,
}

/// Opens the directories.
pub(super) fn new(place: &Rc<Place>, case: Case) -> Result<Box<dyn Subject>, Error> {
    let version = place.version();
    let mut base = Base { version, parents: Vec::new(), by_controller: Vec::new(), unified: None };
    for controller in case.controllers(version) {
        let index = base.open(place.hierarchy(controller)?.own())?;
        base.parents[index].limits.extend(limits(version, controller));
        base.by_controller.push((controller, index));
    }
    // On a hybrid host it takes a directory more to kill at once, and that is worth it.
    if let Some(unified) = place.unified().filter(|_| case == Case::Kill) {
        base.unified = Some(base.open(unified.own())?);
    }
    Ok(Box::new(Floor { base: Rc::new(base) }))
}

fn limits(version: Version, controller: &str) -> Vec<(&'static str, Decimal)> {
    let one = Decimal::new;
    match (version, controller) {
        (Version::V1, "memory") => vec![("memory.limit_in_bytes", one(MEMORY))],
        (Version::V2, "memory") => vec![("memory.max", one(MEMORY))],
        (_, "pids") => vec![("pids.max", one(PIDS))],
        (Version::V1, "cpu") => vec![("cpu.cfs_period_us", one(PERIOD)), ("cpu.cfs_quota_us", one(QUOTA))],
        (Version::V2, "cpu") => vec![("cpu.max", Decimal::pair(QUOTA, PERIOD))],
        _ => Vec::new(),
    }
}

impl Base {
    /// The index of a parent, opened if it is new.
    fn open(&mut self, path: &std::path::Path) -> Result<usize, Error> {
        let known = self.parents.iter().position(|parent| parent.path == path);
        if let Some(index) = known {
            return Ok(index);
        }
        let directory = File::open(path).map_err(Error::io(format!("open {}", path.display())))?;
        self.parents.push(Parent { path: path.to_owned(), directory, limits: Vec::new() });
        Ok(self.parents.len() - 1)
    }

    /// The directory that the cgroups with this controller are made in.
    fn parent(&self, controller: &str) -> Result<BorrowedFd<'_>, Error> {
        let found = self.by_controller.iter().find(|(name, _)| *name == controller);
        let (_, index) = found.ok_or_else(|| Error::Inner(format!("no controller {controller}")))?;
        Ok(self.parents[*index].directory.as_fd())
    }
}

impl Subject for Floor {
    fn create(&self, name: &str, limits: Limits) -> Result<Box<dyn Group>, Error> {
        let name = Path::new(name);
        for parent in &self.base.parents {
            let at = parent.directory.as_fd();
            files::make(at, name.as_c_str()).map_err(failed("mkdir"))?;
            for (file, value) in parent.limits.iter().filter(|_| limits == Limits::Set) {
                let path = name.join(file);
                files::write(at, path.as_c_str(), value.as_bytes()).map_err(failed(file))?;
            }
        }
        Ok(Box::new(Made { base: Rc::clone(&self.base), name }))
    }
}

/// A cgroup of the floor.
#[derive(Debug)]
struct Made {
    base: Rc<Base>,
    name: Path,
}

impl Group for Made {
    fn add(&mut self, pid: i32) -> Result<(), Error> {
        let procs = self.name.join("cgroup.procs");
        let pid = Decimal::new(pid.unsigned_abs().into());
        for parent in &self.base.parents {
            let at = parent.directory.as_fd();
            files::write(at, procs.as_c_str(), pid.as_bytes()).map_err(failed("cgroup.procs"))?;
        }
        Ok(())
    }

    fn reader(&self) -> Result<Box<dyn Reader>, Error> {
        statistics::open(&self.base, &self.name)
    }

    fn kill(&mut self) -> Result<(), Error> {
        match self.base.unified {
            Some(index) => kill::at_once(self.base.parents[index].directory.as_fd(), &self.name),
            None => kill::one_by_one(self.base.parent("pids")?, &self.name),
        }
    }

    fn remove(self: Box<Self>) -> Result<(), Error> {
        for parent in &self.base.parents {
            let at = parent.directory.as_fd();
            files::remove(at, self.name.as_c_str()).map_err(failed("rmdir"))?;
        }
        Ok(())
    }
}

/// The error of a system call of the floor.
fn failed(what: &str) -> impl FnOnce(i32) -> Error {
    let what = what.to_owned();
    move |errno| Error::Io { what, source: io::Error::from_raw_os_error(errno) }
}
