//! Controllers for the cgroups in a cgroup, on v2.

use super::{Cgroup, Part};
use crate::hierarchy::is_implicit_on_v2;
use crate::{Controller, Controllers, Errno, Error, Hierarchies, Hierarchy, Result, Unavailable, Version};
use std::path::PathBuf;

/// Why controllers cannot be enabled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnableFault {
    /// No hierarchy has it.
    #[error("{0}")]
    Unavailable(Unavailable),
    /// The topmost cgroup that can be seen does not have them: the kernel does not, or they were not delegated.
    #[error("cgroup.controllers of {at} does not list it, and no cgroup above that can be seen")]
    NotListed {
        /// The topmost cgroup.
        at: PathBuf,
    },
    /// A cgroup that has processes of its own cannot pass controllers on: the kernel refuses it (`EBUSY`), or would
    /// make it the root of a threaded tree.
    #[error("{at} has processes of its own; move them to a cgroup in it first")]
    HasProcesses {
        /// That cgroup.
        at: PathBuf,
    },
    /// This process may not write there.
    #[error("{at} is not delegated to this process: {errno}")]
    NotPermitted {
        /// The cgroup.
        at: PathBuf,
        /// The kernel's reason.
        errno: Errno,
    },
    /// The cgroup does not exist any more.
    #[error("{at} is gone: {errno}")]
    Gone {
        /// The cgroup.
        at: PathBuf,
        /// The kernel's reason.
        errno: Errno,
    },
    /// Something else.
    #[error("{at}: {errno}")]
    Refused {
        /// The cgroup.
        at: PathBuf,
        /// The kernel's reason.
        errno: Errno,
    },
}

impl EnableFault {
    pub(crate) fn errno(&self) -> Option<Errno> {
        match self {
            Self::Unavailable(_) | Self::NotListed { .. } => None,
            Self::HasProcesses { .. } => Some(Errno::new(libc::EBUSY)),
            Self::NotPermitted { errno, .. } | Self::Gone { errno, .. } | Self::Refused { errno, .. } => {
                Some(*errno)
            }
        }
    }
}

/// Controllers that can deal with threads of one process in several cgroups.
const THREADED: Controllers = Controllers::EMPTY
    .with(Controller::Cpu)
    .with(Controller::CpuSet)
    .with(Controller::Pids)
    .with(Controller::PerfEvent);
const CONTROL: &str = "cgroup.subtree_control";

impl Cgroup {
    /// Makes controllers available to the cgroups in this one.
    ///
    /// On v2 that is a write to `cgroup.subtree_control`, and before that to those of the cgroups above that do not
    /// pass the controllers on yet. Only what is not enabled yet is written, and nothing is ever disabled, but for
    /// what this call enabled before it failed. For a controller in a v1 hierarchy, and for what every v2 cgroup has,
    /// there is nothing to do.
    ///
    /// # Errors
    ///
    /// [`Error::Enable`] with the reason; [`Error::Threaded`]; [`Error::NoController`] for a controller that this
    /// cgroup has no directory for.
    ///
    /// # Privileges
    ///
    /// The right to write to `cgroup.subtree_control`: root, or the user whom the cgroup was delegated to.
    pub fn enable(&self, controllers: Controllers) -> Result<()> {
        let wanted = self.to_enable(controllers)?;
        let Some(part) = self.unified().filter(|_| !wanted.is_empty()) else { return Ok(()) };
        let mut above = Vec::new();
        let enabled = self.hierarchies.enable(part, wanted, &mut above);
        if enabled.is_err() {
            for (part, controllers) in above.iter().rev() {
                // The first error is the one to tell. Where somebody uses it by now it has to stay.
                part.dir.write(CONTROL, &change('-', *controllers)).unwrap_or(());
            }
        }
        enabled.map(|_| ())
    }

    /// Those that have to be enabled on v2.
    fn to_enable(&self, controllers: Controllers) -> Result<Controllers> {
        let mut wanted = Controllers::EMPTY;
        for controller in controllers.iter().filter(|controller| self.v1_part_of(*controller).is_none()) {
            let hierarchy = self.hierarchies.hierarchy_of(controller).map_err(|reason| Error::Enable {
                controllers: controller.into(),
                why: EnableFault::Unavailable(reason),
            })?;
            if self.unified().is_none() || hierarchy.version() == Version::V1 {
                return Err(self.no_controller(controller));
            }
            if !is_implicit_on_v2(controller) {
                wanted = wanted.with(controller);
            }
        }
        Ok(wanted)
    }

    /// Why it has no files of a controller.
    pub(crate) fn no_controller(&self, controller: Controller) -> Error {
        let reason = match self.hierarchies.hierarchy_of(controller) {
            Ok(hierarchy) => format!("it has no directory below {}", hierarchy.mount_point().display()),
            Err(reason) => reason.to_string(),
        };
        Error::NoController { controller, path: self.path().clone(), reason }
    }
}

impl Hierarchies {
    /// Returns what was not enabled before. Those above in which something was are collected.
    fn enable(
        &self,
        part: &Part,
        wanted: Controllers,
        changed: &mut Vec<(Part, Controllers)>,
    ) -> Result<Controllers> {
        let failed = |controllers| move |error| fault(part, controllers, error);
        let read = |file| part.dir.read(file).map(|names| Controllers::parse(&names, Version::V2));
        let missing = wanted.minus(read(CONTROL).map_err(failed(wanted))?);
        if missing.is_empty() {
            return Ok(missing);
        }
        let lacking = missing.minus(read("cgroup.controllers").map_err(failed(missing))?);
        if !lacking.is_empty() {
            let (Some(hierarchy), Some(parent)) = (self.get(part.hierarchy), part.path.parent()) else {
                let why = EnableFault::NotListed { at: part.dir.path().to_owned() };
                return Err(Error::Enable { controllers: lacking, why });
            };
            let above = hierarchy.part(part.hierarchy, &parent)?;
            let enabled = self.enable(&above, lacking, changed)?;
            changed.push((above, enabled));
        }
        if missing.minus(THREADED).is_empty() && self.would_be_threaded(part).map_err(failed(missing))? {
            let why = EnableFault::HasProcesses { at: part.dir.path().to_owned() };
            return Err(Error::Enable { controllers: missing, why });
        }
        part.dir.write(CONTROL, &change('+', missing)).map_err(failed(missing))?;
        Ok(missing)
    }

    /// With processes of its own a cgroup can pass these controllers on, for the kernel: it becomes the root of a
    /// threaded tree by that, and all cgroups in it become ones that no process can be moved to.
    fn would_be_threaded(&self, part: &Part) -> Result<bool> {
        let real_root =
            part.path.is_root() && self.get(part.hierarchy).is_some_and(Hierarchy::shows_real_root);
        Ok(!real_root && !part.dir.read("cgroup.procs")?.trim_ascii().is_empty())
    }
}

/// `+cpu +memory`.
fn change(sign: char, controllers: Controllers) -> String {
    let names = controllers.iter().filter_map(|controller| controller.name(Version::V2));
    names.map(|name| format!("{sign}{name}")).collect::<Vec<_>>().join(" ")
}

fn fault(part: &Part, controllers: Controllers, error: Error) -> Error {
    let at = part.dir.path().to_owned();
    let Some(errno) = error.errno() else { return error };
    let why = match errno.number() {
        libc::EOPNOTSUPP => return Error::Threaded { path: at },
        libc::EBUSY => EnableFault::HasProcesses { at },
        libc::EACCES | libc::EPERM | libc::EROFS => EnableFault::NotPermitted { at, errno },
        libc::ENOENT | libc::ENODEV => EnableFault::Gone { at, errno },
        _ => EnableFault::Refused { at, errno },
    };
    Error::Enable { controllers, why }
}
