//! The same line in a copy of the caller.

use super::floor::launcher;
use super::{Runner, Skip, Subject};
use crate::floor::Memory;
use crate::stage::Task;

/// `fork` (with new namespaces: `clone3` without `CLONE_VM`, as `fork` cannot make any), then the same work.
#[derive(Debug)]
pub(super) struct Fork;

impl Subject for Fork {
    fn name(&self) -> &'static str {
        "fork"
    }

    fn prepare(&self, task: &Task<'_>) -> Result<Box<dyn Runner>, Skip> {
        launcher(task, Memory::Copied)
    }
}
