//! Where a controller is, or why it is nowhere.

use super::{Hierarchies, Hierarchy};
use crate::{Controller, Version};

/// Why a controller cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unavailable {
    /// The kernel was built without it.
    #[error("this kernel does not have it")]
    NotInKernel,
    /// It was disabled when the kernel was started.
    #[error("it is disabled by cgroup_disable= on the kernel's command line")]
    Disabled,
    /// No hierarchy that could serve it is mounted.
    #[error("no hierarchy with it is mounted")]
    NotMounted,
    /// It is in a v1 hierarchy of which this process sees no mount. v2 does not have it then.
    #[error(
        "it is bound to the v1 hierarchy {hierarchy}, which is not mounted where this process could see it"
    )]
    BoundToV1 {
        /// The kernel's number of that hierarchy.
        hierarchy: u32,
    },
    /// v2 is mounted, but the cgroup at its mount point does not have the controller.
    #[error("it is not in cgroup.controllers of the topmost cgroup that this process sees")]
    NotDelegated,
}

/// What every v2 cgroup has, though `cgroup.controllers` does not list it.
pub(crate) fn is_implicit_on_v2(controller: Controller) -> bool {
    use Controller::{CpuAcct, Devices, Freezer, PerfEvent};
    matches!(controller, CpuAcct | Devices | Freezer | PerfEvent)
}

impl Hierarchies {
    /// Where a controller can be used: the v1 hierarchy that serves it, else the v2 one.
    ///
    /// What v1 has as controllers and v2 as a part of every cgroup (the freezer, accounting of processor time,
    /// devices, perf) is found in the v2 hierarchy, too.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if no hierarchy has it: the reason, as far as this process can know it.
    pub fn hierarchy_of(&self, controller: Controller) -> std::result::Result<&Hierarchy, Unavailable> {
        let unified = self.iter().find(|hierarchy| hierarchy.version == Version::V2);
        let listed = self.iter().find(|hierarchy| hierarchy.controllers.contains(controller));
        let why = || self.why_not(controller, unified);
        match (listed, unified) {
            (Some(hierarchy), _) => Ok(hierarchy),
            // Only perf is one thing that is in one hierarchy; the others are written twice in the kernel.
            (None, Some(unified)) if is_implicit_on_v2(controller) => match (controller, why()) {
                (Controller::PerfEvent, reason @ Unavailable::BoundToV1 { .. }) => Err(reason),
                _ => Ok(unified),
            },
            _ => Err(why()),
        }
    }

    fn why_not(&self, controller: Controller, unified: Option<&Hierarchy>) -> Unavailable {
        let on_v2 = controller.name(Version::V2).is_some();
        let Some(kernel) = self.inner.kernel.iter().find(|kernel| kernel.controller == controller) else {
            // These two can be missing in /proc/cgroups of a kernel that has them for v2 only.
            let maybe = matches!(controller, Controller::Memory | Controller::CpuSet);
            return match unified {
                Some(unified) if maybe && !unified.shows_real_root() => Unavailable::NotDelegated,
                _ => Unavailable::NotInKernel,
            };
        };
        match (kernel.enabled, kernel.hierarchy, unified) {
            (false, ..) => Unavailable::Disabled,
            (true, 0, Some(_)) if on_v2 => Unavailable::NotDelegated,
            (true, 0, _) => Unavailable::NotMounted,
            (true, hierarchy, _) => Unavailable::BoundToV1 { hierarchy },
        }
    }
}
