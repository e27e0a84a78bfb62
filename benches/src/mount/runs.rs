//! One run: mounted and unmounted, and looked at once before.

use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use super::case::Case;
use super::stage::Stage;
use super::subjects::{self, Subject};
use crate::Error;
use crate::sample::{Measure, timed};
use crate::subjects::Skip;

/// Makes a subject ready for a case, after it has proved itself.
pub(super) fn prepare(stage: &Stage, case: Case, name: &str) -> Result<Box<dyn Measure>, Skip> {
    let subject = subjects::make(name, &stage.layers(case, name)?, stage.user)?;
    prove(&subject.mount()?, case)?;
    Ok(Box::new(Mounted(subject)))
}

#[derive(Debug)]
struct Mounted(Box<dyn Subject>);

impl Measure for Mounted {
    fn measure(&mut self) -> Result<Duration, Error> {
        let ((), took) = timed(|| {
            drop(self.0.mount()?);
            Ok(())
        })?;
        Ok(took)
    }
}

/// The files of all layers are there, that which all have is the topmost one's, and it can be written.
fn prove(mount: &OwnedFd, case: Case) -> Result<(), Error> {
    let path = |name: &str| format!("/proc/self/fd/{}/{name}", mount.as_raw_fd());
    let read =
        |name: &str| fs::read_to_string(path(name)).map_err(Error::io(format!("read {name} of the mount")));
    if read("all")? != "0" {
        return Err(Error::Undone("another layer is on top".to_owned()));
    }
    for index in 0..case.layers() {
        if read(&format!("own-{index}"))? != index.to_string() {
            return Err(Error::Undone(format!("layer {index} is not there")));
        }
    }
    fs::write(path("written"), "").map_err(Error::io("write to the mount"))
}
