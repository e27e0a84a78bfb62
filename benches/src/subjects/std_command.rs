//! `std::process::Command`, which can only start a process.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use super::{Runner, Skip, Subject};
use crate::Error;
use crate::case::Shape;
use crate::stage::Task;

/// The standard library.
#[derive(Debug)]
pub(super) struct Std;

impl Subject for Std {
    fn name(&self) -> &'static str {
        "std"
    }

    fn prepare(&self, task: &Task<'_>) -> Result<Box<dyn Runner>, Skip> {
        if task.shape != Shape::BARE {
            return Err("std::process::Command makes no namespaces".into());
        }
        let mut command = Command::new(task.program());
        command.env_clear();
        if let Some(output) = task.output()? {
            command.stderr(output.try_clone().map_err(Error::io("duplicate a descriptor"))?).stdout(output);
        }
        Ok(Box::new(StdRunner(command)))
    }
}

#[derive(Debug)]
struct StdRunner(Command);

impl Runner for StdRunner {
    fn run(&mut self) -> Result<i32, Error> {
        let status = self.0.status().map_err(Error::io("std::process::Command"))?;
        Ok(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default()))
    }
}
