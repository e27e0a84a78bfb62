//! The cgroup that holds a program to its limits.

mod enclosed;
mod nest;
mod report;
mod stale;

pub(crate) use enclosed::Enclosed;
use nest::Nest;
pub(crate) use nest::Shape;
pub(crate) use report::limits_methods;
pub use stale::remove_stale_cgroups;

use std::sync::Arc;

use cofferdam_cgroups::{Cgroup, Controllers, Require, Resources};

use crate::Error;

/// What it means that a limit cannot be had: there is no such controller, or this user has no cgroup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LimitPolicy {
    /// The program is not started, unless the limit was given by
    /// [`limit_if_available`](crate::Command::limit_if_available).
    #[default]
    Required,
    /// The program runs without it; [`Child::limits`](crate::Child::limits) says which limits hold, and why others do not.
    IfAvailable,
    /// No cgroup is made at all, whatever limits were given.
    None,
}

/// The options of a command that are about its cgroup.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    pub(crate) resources: Resources,
    pub(crate) policy: LimitPolicy,
    /// Controllers that are wanted for what they count.
    pub(crate) accounting: Controllers,
    pub(crate) parent: Option<Arc<Cgroup>>,
    /// Whether the program ends with the caller.
    pub(crate) die_with_caller: bool,
}

impl Limits {
    /// Whether the program gets a cgroup.
    pub(crate) fn are_wanted(&self) -> bool {
        self.policy != LimitPolicy::None && !(self.resources.is_empty() && self.accounting.is_empty())
    }

    /// What to apply, by the policy.
    fn plan(&self) -> Resources {
        let plan = self.resources.entries().fold(Resources::new(), |plan, (setting, require)| {
            let require = match self.policy {
                LimitPolicy::Required => require,
                LimitPolicy::IfAvailable | LimitPolicy::None => Require::IfAvailable,
            };
            plan.with(setting.clone(), require)
        });
        plan.check_before_update(false)
    }

    /// Refuses what no kernel takes.
    pub(crate) fn validate(&self) -> Result<(), Error> {
        Ok(self.resources.validate()?)
    }
}
