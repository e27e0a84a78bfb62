//! What came of a plan.

use crate::{Error, Resources, Setting};
use std::path::PathBuf;

/// What was applied and what was not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    pub(crate) applied: Vec<Applied>,
    pub(crate) left_out: Vec<LeftOut>,
}

/// A setting that holds now.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Applied {
    /// The setting.
    pub setting: Setting,
    /// What was written for it; nothing for rules of devices on v2, which are a program.
    pub written: Vec<Written>,
}

/// A value in a control file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Written {
    /// The file.
    pub path: PathBuf,
    /// The value, as written.
    pub value: String,
}

/// A setting that could not be had and did not have to be.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LeftOut {
    /// The setting.
    pub setting: Setting,
    /// Why.
    pub reason: Error,
}

impl Outcome {
    /// Nothing of a plan was applied, for one reason: there is no cgroup to apply it to.
    pub fn none(plan: &Resources, reason: &Error) -> Self {
        let left_out = |setting: &Setting| LeftOut { setting: setting.clone(), reason: reason.clone() };
        Self { applied: Vec::new(), left_out: plan.settings().map(left_out).collect() }
    }

    /// The settings that hold now, in the order of the plan.
    pub fn applied(&self) -> &[Applied] {
        &self.applied
    }

    /// The settings that were left out.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// Whether all settings of the plan hold.
    pub fn is_complete(&self) -> bool {
        self.left_out.is_empty()
    }
}
