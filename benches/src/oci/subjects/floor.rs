//! The straight line of the bench `spawn` with its sandbox: in this process, and as a process of its own.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use super::{Life, Subject};
use crate::Error;
use crate::case::Shape;
use crate::floor::{Fence, Launch, Launcher, Memory};
use crate::oci::stage::{Bundle, Program, Stage, words};
use crate::peers;
use crate::subjects::Runner;

/// What tells the bench's program to be the floor; the root of the sandbox comes behind it.
pub(in crate::oci) const FLAG: &str = "--floor";

/// In this process.
#[derive(Debug)]
pub(super) struct Inside;

impl Subject for Inside {
    fn runner(&self, stage: &Stage, _: &Bundle) -> Result<Box<dyn Runner>, Error> {
        Ok(Box::new(launcher(stage.root())?))
    }

    fn life(&self, _: &Stage, _: &Bundle) -> Result<Box<dyn Life>, Error> {
        Err(no_containers())
    }
}

/// As a process of its own.
#[derive(Debug)]
pub(super) struct Whole {
    program: PathBuf,
    fence: Fence,
}

impl Whole {
    pub(super) fn new(limit: Duration) -> Result<Whole, Error> {
        let program = std::env::current_exe().map_err(Error::io("find the bench's own program"))?;
        Ok(Whole { program, fence: Fence { limit, mounts: None } })
    }
}

impl Subject for Whole {
    fn runner(&self, stage: &Stage, _: &Bundle) -> Result<Box<dyn Runner>, Error> {
        let arguments = words([&FLAG, &stage.root()]);
        Ok(Box::new(peers::line(&self.program, &arguments, None, self.fence.clone())?))
    }

    fn life(&self, _: &Stage, _: &Bundle) -> Result<Box<dyn Life>, Error> {
        Err(no_containers())
    }
}

/// The whole of that process.
pub(in crate::oci) fn main(root: &OsString) -> ExitCode {
    let ended = launcher(Path::new(root)).and_then(|mut launcher| launcher.run());
    match ended {
        Ok(status) => ExitCode::from(u8::try_from(status).unwrap_or(u8::MAX)),
        Err(error) => {
            eprintln!("floor: {error}");
            ExitCode::FAILURE
        }
    }
}

fn launcher(root: &Path) -> Result<Launcher, Error> {
    let program = Path::new(Program::Ends.path());
    Launcher::new(Launch {
        shape: Shape::SANDBOX,
        root,
        program,
        argv: vec![OsStr::new(program)],
        env: Vec::new(),
        memory: Memory::Shared,
        output: None,
        fence: None,
    })
}

fn no_containers() -> Error {
    Error::Inner("the floor has no containers".to_owned())
}
