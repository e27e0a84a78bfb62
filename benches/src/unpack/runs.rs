//! One run: an empty place, the programs of a subject, and the place removed again.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{Read, Seek};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use nix::mount::{MntFlags, umount2};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, syncfs};
use tempfile::TempDir;

use super::input::Input;
use super::{child, proof, subjects};
use crate::Error;
use crate::sample::{Measure, timed};
use crate::subjects::Skip;
use crate::sys::process::{self, Ended};

/// To end a program that hangs.
const LIMIT: Duration = Duration::from_secs(120);

/// A subject that unpacks an image again and again.
#[derive(Debug)]
pub(super) struct Unpack {
    subject: &'static str,
    input: Rc<Input>,
    place: PathBuf,
    /// The most memory of any run, in KiB.
    peak: Rc<Cell<u64>>,
}

/// Makes a subject ready, after it has proved itself. Answers also with where its memory is counted.
pub(super) fn prepare(
    subject: &'static str,
    input: &Rc<Input>,
    directory: &Path,
) -> Result<(Unpack, Rc<Cell<u64>>), Skip> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = |program: &str| std::env::split_paths(&path).any(|dir| dir.join(program).is_file());
    if subjects::program(subject).is_some_and(|program| !found(program)) {
        return Err("not on PATH".into());
    }
    let place = directory.join(subject);
    let peak = Rc::new(Cell::new(0));
    let mut unpack = Unpack { subject, input: Rc::clone(input), place, peak: Rc::clone(&peak) };
    let proved =
        unpack.run().and_then(|_| proof::prove(&input.expected, &subjects::trees(subject, &unpack.place)?));
    unpack.tidy()?;
    proved?;
    peak.set(0);
    Ok((unpack, peak))
}

impl Unpack {
    fn run(&mut self) -> Result<Duration, Error> {
        fs::create_dir(&self.place).map_err(Error::io(format!("make {}", self.place.display())))?;
        let scratch = TempDir::with_prefix("cofferdam-bench-").map_err(Error::io("make a directory"))?;
        let commands = subjects::commands(self.subject, &self.input.layout, &self.place, scratch.path())?;
        let (peaks, took) = timed(|| commands.into_iter().map(finish).collect::<Result<Vec<u64>, Error>>())?;
        self.peak.set(peaks.into_iter().fold(self.peak.get(), u64::max));
        Ok(took)
    }

    /// Removes what was made, and has the disk done with it: the next one begins with nothing to be written.
    fn tidy(&self) -> Result<(), Error> {
        let failed = || Error::io(format!("remove {}", self.place.display()));
        // podman mounts a directory of its storage on itself. Elsewhere there is nothing to unmount.
        let storage = self.place.join("storage/overlay");
        if storage.exists() {
            umount2(&storage, MntFlags::MNT_DETACH).unwrap_or_default();
        }
        fs::remove_dir_all(&self.place).map_err(failed())?;
        let parent = self.place.parent().unwrap_or(&self.place);
        let parent = File::open(parent).map_err(failed())?;
        syncfs(&parent).map_err(Error::errno("syncfs"))
    }
}

impl Measure for Unpack {
    fn measure(&mut self) -> Result<Duration, Error> {
        let took = self.run();
        self.tidy()?;
        took
    }
}

/// Runs a program to its end, which must be a good one; answers with its memory.
fn finish(mut command: Command) -> Result<u64, Error> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut output = tempfile::tempfile().map_err(Error::io("make a temporary file"))?;
    let duplicate = || output.try_clone().map_err(Error::io("duplicate a descriptor"));
    command.stdin(Stdio::null()).stdout(duplicate()?).stderr(duplicate()?).process_group(0);
    let child = command.spawn().map_err(Error::io(format!("start {name}")))?;
    let waited = Error::io(format!("wait for {name}"));
    match process::wait(&child, LIMIT).map_err(waited)? {
        Some(Ended { status, peak_rss_kib }) => {
            let mut text = Vec::new();
            let read = output.rewind().and_then(|()| output.read_to_end(&mut text));
            read.map_err(Error::io("read messages"))?;
            let text = String::from_utf8_lossy(&text);
            if status.success() {
                return Ok(child::peak(&text).unwrap_or(peak_rss_kib));
            }
            Err(Error::Setting(format!("{name}: {status}; {}", text.trim())))
        }
        None => {
            let group = i32::try_from(child.id()).map_err(|error| Error::Inner(error.to_string()))?;
            killpg(Pid::from_raw(group), Signal::SIGKILL).map_err(Error::errno(format!("kill {name}")))?;
            process::wait(&child, LIMIT).map_err(Error::io(format!("wait for {name}")))?;
            Err(Error::Hang(LIMIT))
        }
    }
}
