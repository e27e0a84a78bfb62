//! The straight line itself.

use super::{Runner, Skip, Subject};
use crate::Error;
use crate::floor::{Launch, Launcher, Memory};
use crate::stage::Task;

/// Raw system calls in a child that shares the caller's memory.
#[derive(Debug)]
pub(crate) struct Floor;

impl Subject for Floor {
    fn name(&self) -> &'static str {
        "floor"
    }

    fn prepare(&self, task: &Task<'_>) -> Result<Box<dyn Runner>, Skip> {
        launcher(task, Memory::Shared)
    }
}

/// The same line with either kind of memory.
pub(super) fn launcher(task: &Task<'_>, memory: Memory) -> Result<Box<dyn Runner>, Skip> {
    let program = task.program();
    let launch = Launch {
        shape: task.shape,
        root: task.stage.root(),
        program: &program,
        argv: vec![program.as_os_str()],
        env: Vec::new(),
        memory,
        output: task.output()?,
        fence: None,
    };
    Ok(Box::new(Launcher::new(launch)?))
}

impl Runner for Launcher {
    fn run(&mut self) -> Result<i32, Error> {
        Launcher::run(self)
    }
}
