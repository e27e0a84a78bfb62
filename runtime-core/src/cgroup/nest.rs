//! Where the cgroups of programs lie.

use std::sync::{Arc, Mutex, PoisonError};

use cofferdam_cgroups::{Cgroup, Controllers, Hierarchies, Version};

use super::{Limits, stale};
use crate::Error;

/// Looking at what is mounted costs more than making a cgroup, so it is done once, as long as the caller stays where it was,
/// as `/proc/thread-self/cgroup` says: what limits the cgroup that it was moved to limits its programs too.
static CALLERS: Mutex<Option<(Vec<u8>, Arc<Cgroup>)>> = Mutex::new(None);

/// The cgroup in which a program gets one of its own.
#[derive(Clone, Debug)]
pub(crate) struct Nest {
    pub(crate) parent: Arc<Cgroup>,
    callers: bool,
}

/// What a cgroup looks like from inside the plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    /// It has a v2 directory, and the process is born there.
    pub(crate) unified: bool,
    /// In so many v1 hierarchies the process has to move itself.
    pub(crate) tasks: usize,
}

impl Nest {
    /// That of the options, or else the one beside or below the caller's own.
    ///
    /// What was left behind by processes that were killed is cleared away when a nest is used first.
    pub(crate) fn find(limits: &Limits) -> Result<Self, Error> {
        if let Some(parent) = &limits.parent {
            return Ok(Self { parent: Arc::clone(parent), callers: false });
        }
        let mut known = CALLERS.lock().unwrap_or_else(PoisonError::into_inner);
        // Without procfs nothing new can be found.
        let own = std::fs::read("/proc/thread-self/cgroup").ok();
        let parent = match &*known {
            Some((at, parent)) if own.as_ref().is_none_or(|own| own == at) => Arc::clone(parent),
            _ => {
                let parent = Arc::new(Hierarchies::discover()?.nest()?);
                stale::clear(&parent)?;
                *known = Some((own.unwrap_or_default(), Arc::clone(&parent)));
                parent
            }
        };
        Ok(Self { parent, callers: true })
    }

    /// Forgets the caller's, as it is gone. False if there is nothing to look for
    /// again.
    pub(crate) fn forget(&self) -> bool {
        if self.callers {
            *CALLERS.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        self.callers
    }

    /// The wanted controllers that a cgroup here can have, in one way or the other.
    pub(super) fn reachable(&self, wanted: Controllers) -> Controllers {
        let known = |version, controllers: Controllers| {
            self.parent.paths().any(|(hierarchy, _)| {
                hierarchy.version() == version && !hierarchy.controllers().and(controllers).is_empty()
            })
        };
        wanted
            .iter()
            .filter(|controller| {
                let served = self.parent.hierarchies().hierarchy_of(*controller);
                served.is_ok_and(|served| match served.version() {
                    Version::V1 => known(Version::V1, (*controller).into()),
                    Version::V2 => self.parent.fd().is_some(),
                })
            })
            .collect()
    }

    /// What the cgroup of a program will look like.
    pub(crate) fn shape(&self, limits: &Limits) -> Shape {
        let wanted = self.reachable(limits.resources.controllers().or(limits.accounting));
        let tasks = self.parent.paths().filter(|(hierarchy, _)| {
            hierarchy.version() == Version::V1 && !hierarchy.controllers().and(wanted).is_empty()
        });
        Shape { unified: self.parent.fd().is_some(), tasks: tasks.count() }
    }
}
