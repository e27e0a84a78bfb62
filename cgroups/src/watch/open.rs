//! From what is to be watched to descriptors.

use super::counters::Subject;
use super::source::{Failure, Kind, Source, lost};
use super::{Pressure, Scope, WatchOptions, inotify};
use crate::cgroup::Part;
use crate::stats::{duplicate, is_there};
use crate::{Cgroup, Controller, Errno, Error, Result, Version};
use rustix::fs::OFlags;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

/// The sources and directories of a watch in the making.
pub(super) struct Opening<'c> {
    cgroup: &'c Cgroup,
    parts: Vec<&'c Part>,
    pub(super) dirs: Vec<OwnedFd>,
    pub(super) sources: Vec<Source>,
}

impl<'c> Opening<'c> {
    pub(super) fn new(cgroup: &'c Cgroup, options: &WatchOptions) -> Result<Self> {
        options.check()?;
        let mut opening = Self { cgroup, parts: Vec::new(), dirs: Vec::new(), sources: Vec::new() };
        if options.removal {
            opening.removal()?;
        }
        opening.controllers(options)?;
        if options.population {
            let part = opening.unified("notice of processes that come and go")?;
            opening.counters(part, "cgroup.events", Subject::Cgroup, Scope::Subtree)?;
        }
        for trigger in &options.pressures {
            let part = opening.unified(NO_PRESSURE)?;
            opening.trigger(part, *trigger)?;
        }
        Ok(opening)
    }

    fn controllers(&mut self, options: &WatchOptions) -> Result<()> {
        if options.memory {
            let part = self.part_of(Controller::Memory)?;
            match part.version {
                Version::V1 => self.oom(part)?,
                Version::V2 => drop(self.counters(part, "memory.events", Subject::Memory, Scope::Subtree)?),
            }
        }
        if options.own_memory {
            let part = self.part_of(Controller::Memory)?;
            self.counters(part, "memory.events.local", Subject::Memory, Scope::Own)?;
        }
        for level in &options.levels {
            let part = self.v1_memory("levels of memory pressure")?;
            self.level(part, *level)?;
        }
        for threshold in &options.thresholds {
            let part = self.v1_memory("thresholds of memory")?;
            self.threshold(part, *threshold)?;
        }
        if options.pids {
            let part = self.part_of(Controller::Pids)?;
            let scope = if part.version == Version::V1 { Scope::Own } else { Scope::Subtree };
            let of = self.counters(part, "pids.events", Subject::Pids, scope)?;
            if part.version == Version::V1 {
                self.regularly(part, of)?;
            }
        }
        Ok(())
    }

    /// All directories that can be removed. A root cannot.
    fn removal(&mut self) -> Result<()> {
        let cgroup = self.cgroup;
        let parts = || cgroup.parts().iter().filter(|part| !part.path.is_root());
        self.sources.push(inotify::above(parts().map(|part| &part.dir))?);
        for part in parts() {
            self.index(part)?;
            if !is_there(&part.dir) {
                let errno = Errno::new(libc::ENOENT);
                return Err(Error::Open { path: part.dir.path().to_owned(), errno });
            }
        }
        Ok(())
    }

    /// A polled file, and what it says now. Whatever changes after that wakes the poll up.
    fn counters(
        &mut self,
        part: &'c Part,
        file: &'static str,
        subject: Subject,
        scope: Scope,
    ) -> Result<usize> {
        let feature = (scope == Scope::Own && subject == Subject::Memory).then_some(file);
        let fd = self.file(part, file, feature)?;
        let last = self.base(&fd, part, file)?;
        let path = part.dir.path_of(file);
        self.push(part, Source { fd, path, part: None, kind: Kind::File { subject, scope, last } })
    }

    fn trigger(&mut self, part: &'c Part, trigger: Pressure) -> Result<()> {
        let file = trigger.resource.file();
        self.file(part, file, Some(NO_PRESSURE))?;
        let fd = part.dir.open_file(file, OFlags::RDWR | OFlags::NONBLOCK);
        self.push(part, armed(fd, part.dir.path_of(file), trigger)?)?;
        Ok(())
    }

    /// Adds a source that belongs to a directory.
    pub(super) fn push(&mut self, part: &'c Part, mut source: Source) -> Result<usize> {
        source.part = Some(self.index(part)?);
        self.sources.push(source);
        Ok(self.sources.len() - 1)
    }

    fn index(&mut self, part: &'c Part) -> Result<usize> {
        if let Some(at) = self.parts.iter().position(|known| std::ptr::eq(*known, part)) {
            return Ok(at);
        }
        self.dirs.push(duplicate(&part.dir)?);
        self.parts.push(part);
        Ok(self.parts.len() - 1)
    }

    /// Opens a file to read it. Why it is not there depends on whose file it is.
    pub(super) fn file(&self, part: &Part, file: &str, feature: Option<&'static str>) -> Result<OwnedFd> {
        let error = match part.dir.open_file(file, OFlags::RDONLY) {
            Ok(fd) => return Ok(fd),
            Err(error) => error,
        };
        if error.errno().is_none_or(|errno| errno.number() != libc::ENOENT) || !is_there(&part.dir) {
            return Err(error);
        }
        let controller = file.split('.').next().and_then(|name| Controller::from_name(name, part.version));
        match (feature, controller) {
            (Some(what), _) => Err(Error::Unsupported { version: part.version, what }),
            (None, Some(controller)) => {
                let reason = format!("there is no {file}");
                Err(Error::NoController { controller, path: part.path.clone(), reason })
            }
            (None, None) => Err(error),
        }
    }

    fn part_of(&self, controller: Controller) -> Result<&'c Part> {
        self.cgroup.part_of(controller).ok_or_else(|| {
            let reason = match self.cgroup.hierarchies().hierarchy_of(controller) {
                Err(unavailable) => unavailable.to_string(),
                Ok(hierarchy) => {
                    format!("it is not in the hierarchy at {}", hierarchy.mount_point().display())
                }
            };
            Error::NoController { controller, path: self.cgroup.path().clone(), reason }
        })
    }

    fn unified(&self, what: &'static str) -> Result<&'c Part> {
        self.cgroup.unified().ok_or(Error::Unsupported { version: Version::V1, what })
    }

    fn v1_memory(&self, what: &'static str) -> Result<&'c Part> {
        let part = self.part_of(Controller::Memory)?;
        match part.version {
            Version::V1 => Ok(part),
            version => Err(Error::Unsupported { version, what }),
        }
    }
}

const NO_PRESSURE: &str = "pressure stall information here";

/// A trigger for the whole system.
pub(super) fn system_trigger(trigger: Pressure) -> Result<Source> {
    trigger.check()?;
    let path = PathBuf::from(format!("/proc/pressure/{}", trigger.resource.name()));
    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let fd = match rustix::fs::open(&path, flags, rustix::fs::Mode::empty()) {
        Err(rustix::io::Errno::NOENT) => {
            return Err(Error::Unsupported { version: Version::V2, what: NO_PRESSURE });
        }
        opened => opened.map_err(|errno| Error::Open { path: path.clone(), errno: errno.into() }),
    };
    armed(fd, path, trigger)
}

/// Writes a trigger to its file. A kernel that allows it only to some may refuse already that it is opened.
fn armed(fd: Result<OwnedFd>, path: PathBuf, trigger: Pressure) -> Result<Source> {
    let refused = |errno: Errno| Error::Trigger { path: path.clone(), trigger, errno };
    let fd = fd.map_err(|error| error.errno().map_or(error, refused))?;
    // The kernel takes the last byte away.
    let line = format!("{trigger}\n");
    rustix::io::retry_on_intr(|| rustix::io::write(&fd, line.as_bytes()))
        .map_err(|errno| refused(errno.into()))?;
    let last = lost(&fd, &path, trigger.kind).map_err(|failure| match failure {
        Failure::Gone => refused(Errno::new(libc::ENODEV)),
        Failure::Error(error) => error,
    })?;
    Ok(Source { fd, path, part: None, kind: Kind::Pressure { trigger, last } })
}
