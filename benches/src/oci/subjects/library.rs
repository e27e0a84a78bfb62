//! The library, in this process.

use std::os::unix::process::ExitStatusExt;

use cofferdam::LimitPolicy;
use cofferdam::oci::{Container, CreateOptions, ExecOptions, Runtime};

use super::{Life, Subject};
use crate::Error;
use crate::oci::stage::{Bundle, Program, Stage};
use crate::subjects::Runner;

/// `cofferdam::oci`.
#[derive(Debug)]
pub(super) struct Library(Runtime);

impl Library {
    /// Containers belong to the bench.
    pub(super) fn without_state() -> Library {
        Library(Runtime::without_state())
    }

    /// Containers are kept in a directory.
    pub(super) fn with_state(stage: &Stage) -> Result<Library, Error> {
        Ok(Library(Runtime::new(stage.state()?)))
    }

    fn embedded(&self, bundle: &Bundle) -> Embedded {
        Embedded { runtime: self.0.clone(), bundle: bundle.clone(), container: None }
    }
}

impl Subject for Library {
    fn runner(&self, _: &Stage, bundle: &Bundle) -> Result<Box<dyn Runner>, Error> {
        Ok(Box::new(self.embedded(bundle)))
    }

    fn life(&self, _: &Stage, bundle: &Bundle) -> Result<Box<dyn Life>, Error> {
        Ok(Box::new(self.embedded(bundle)))
    }
}

#[derive(Debug)]
struct Embedded {
    runtime: Runtime,
    bundle: Bundle,
    container: Option<Container>,
}

impl Embedded {
    fn container(&mut self) -> Result<&mut Container, Error> {
        self.container.as_mut().ok_or_else(none)
    }
}

impl Life for Embedded {
    fn create(&mut self) -> Result<(), Error> {
        let mut options = CreateOptions::new(&self.bundle.id, &self.bundle.spec, &self.bundle.directory);
        if !self.bundle.cgroup {
            options.cgroup = LimitPolicy::None;
        }
        self.container = Some(self.runtime.create(options).map_err(failed)?);
        Ok(())
    }

    fn start(&mut self) -> Result<(), Error> {
        self.container()?.start().map_err(failed)
    }

    fn exec(&mut self) -> Result<i32, Error> {
        let container = self.container()?;
        let mut process = container.process_template();
        process.set_args(Some(vec![Program::Ends.path().to_owned()]));
        let mut started = container.exec(ExecOptions::new(&process)).map_err(failed)?;
        Ok(code(started.wait().map_err(failed)?))
    }

    fn wait(&mut self) -> Result<i32, Error> {
        Ok(code(self.container()?.wait().map_err(failed)?))
    }

    fn pid(&self) -> Result<u32, Error> {
        self.container.as_ref().and_then(Container::pid).ok_or_else(none)
    }

    fn delete(&mut self, force: bool) -> Result<(), Error> {
        let warnings = self.container.take().ok_or_else(none)?.delete(force).map_err(failed)?;
        warnings.into_iter().next().map_or(Ok(()), |warning| Err(failed(warning)))
    }
}

impl Runner for Embedded {
    fn run(&mut self) -> Result<i32, Error> {
        self.create()?;
        self.start()?;
        let status = self.wait()?;
        self.delete(false)?;
        Ok(status)
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        if let Some(container) = self.container.take() {
            // An error before was reported; what stays is swept.
            drop(container.delete(true));
        }
    }
}

fn code(status: cofferdam::ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}

fn none() -> Error {
    Error::Inner("no container".to_owned())
}

fn failed(error: cofferdam::oci::Error) -> Error {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    Error::Library(text)
}
