//! OCI runtimes as programs: ours, crun, runc, youki.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::{Life, Subject};
use crate::Error;
use crate::floor::{Fence, Launcher};
use crate::oci::stage::{self, Bundle, Stage, words};
use crate::peers;
use crate::subjects::{Runner, Skip};
use crate::workload::EXIT;

/// A program and the way in which it works on this host.
#[derive(Debug)]
pub(super) struct Program {
    path: PathBuf,
    /// Where it keeps its state, and how.
    global: Vec<OsString>,
    fence: Fence,
    /// What it does not do in this way.
    lacks: Option<&'static str>,
}

/// No cgroup at all: for crun where it may not attach rules for devices, and for those that know the flag where nobody has
/// one.
const DISABLED: &str = "--cgroup-manager=disabled";

impl Program {
    /// Tries the host as it is, then a mount namespace with a pure cgroup2 hierarchy, then without cgroups where there is a
    /// flag for that, and keeps the first way in which a container ran.
    pub(super) fn find_way(stage: &Stage, path: PathBuf, limit: Duration) -> Result<Program, Skip> {
        let mut ways = vec![(None, None)];
        if let Ok(mounts) = peers::cgroup2_only().map(Arc::new) {
            ways.push((Some(Arc::clone(&mounts)), None));
            if path.ends_with("crun") {
                ways.push((Some(mounts), Some("no cgroup")));
            }
        }
        let mut refusal = Skip::from("no way tried");
        for (mounts, lacks) in ways {
            let mut global = words([&"--root", &stage.state()?]);
            global.extend(lacks.map(|_| DISABLED.into()));
            let program = Program { path: path.clone(), global, fence: Fence { limit, mounts }, lacks };
            match program.attempt(stage) {
                Ok(()) => return Ok(program),
                Err(error) => refusal = error.into(),
            }
            if refusal.hung {
                break;
            }
        }
        Err(refusal)
    }

    /// Runs a container; what it says is the reason if that fails.
    fn attempt(&self, stage: &Stage) -> Result<(), Error> {
        let bundle = stage.bundle(stage::Program::Ends)?;
        let mut output = stage.file()?;
        let copy = output.try_clone().map_err(Error::io("duplicate a descriptor"))?;
        match self.whole(&bundle, Some(copy))?.run()? {
            EXIT => Ok(()),
            status => {
                let mut text = Vec::new();
                let read = output.rewind().and_then(|()| output.read_to_end(&mut text));
                read.map_err(Error::io("read what it says"))?;
                let text = String::from_utf8_lossy(&text);
                let said = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no message");
                Err(Error::Proof(format!("status {status}; {said}")))
            }
        }
    }

    /// The line of a command.
    fn line(&self, command: &[OsString], output: Option<File>) -> Result<Launcher, Error> {
        peers::line(&self.path, &[&self.global[..], command].concat(), output, self.fence.clone())
    }

    fn whole(&self, bundle: &Bundle, output: Option<File>) -> Result<Whole, Error> {
        let mut run = words([&"run", &"--bundle", &bundle.directory, &bundle.id]);
        if !bundle.cgroup && self.lacks.is_none() {
            run.insert(0, DISABLED.into());
        }
        let delete = words([&"delete", &"--force", &bundle.id]);
        Ok(Whole { run: self.line(&run, output)?, delete: self.line(&delete, None)? })
    }
}

impl Subject for Program {
    fn lacks(&self) -> Vec<String> {
        self.lacks.into_iter().map(str::to_owned).collect()
    }

    fn runner(&self, _: &Stage, bundle: &Bundle) -> Result<Box<dyn Runner>, Error> {
        Ok(Box::new(self.whole(bundle, None)?))
    }

    fn life(&self, _: &Stage, bundle: &Bundle) -> Result<Box<dyn Life>, Error> {
        let id = &bundle.id;
        let pid_file = bundle.directory.join("pid");
        let line = |command: &[OsString]| self.line(command, None);
        Ok(Box::new(Steps {
            create: line(&words([&"create", &"--bundle", &bundle.directory, &"--pid-file", &pid_file, id]))?,
            start: line(&words([&"start", id]))?,
            exec: line(&words([&"exec", id, &stage::Program::Ends.path()]))?,
            delete: line(&words([&"delete", id]))?,
            end: line(&words([&"delete", &"--force", id]))?,
            pid_file,
            limit: self.fence.limit,
            there: false,
        }))
    }
}

/// `run`.
#[derive(Debug)]
struct Whole {
    run: Launcher,
    delete: Launcher,
}

impl Runner for Whole {
    fn run(&mut self) -> Result<i32, Error> {
        let ended = self.run.run();
        if !matches!(ended, Ok(EXIT)) {
            // The container has a session of its own, which a signal to the group of its runtime did not reach.
            self.delete.run()?;
        }
        ended
    }
}

/// One command after the other.
#[derive(Debug)]
struct Steps {
    create: Launcher,
    start: Launcher,
    exec: Launcher,
    delete: Launcher,
    end: Launcher,
    pid_file: PathBuf,
    limit: Duration,
    /// Something was created that was not deleted yet.
    there: bool,
}

impl Life for Steps {
    fn create(&mut self) -> Result<(), Error> {
        self.there = true;
        done("create", self.create.run()?)
    }

    fn start(&mut self) -> Result<(), Error> {
        done("start", self.start.run()?)
    }

    fn exec(&mut self) -> Result<i32, Error> {
        self.exec.run()
    }

    fn wait(&mut self) -> Result<i32, Error> {
        wait(self.pid()?, self.limit)
    }

    fn pid(&self) -> Result<u32, Error> {
        read_pid(&self.pid_file)
    }

    fn delete(&mut self, force: bool) -> Result<(), Error> {
        let line = if force { &mut self.end } else { &mut self.delete };
        done("delete", line.run()?)?;
        self.there = false;
        if force {
            // Killed, and left to the bench to be waited for.
            wait(self.pid()?, self.limit)?;
        }
        Ok(())
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        if self.there {
            // An error before was reported; what stays is swept.
            drop(Life::delete(self, true));
        }
    }
}

fn done(command: &str, status: i32) -> Result<(), Error> {
    match status {
        0 => Ok(()),
        status => Err(Error::Undone(format!("{command} ended with status {status}"))),
    }
}

fn read_pid(file: &Path) -> Result<u32, Error> {
    let what = || format!("read {}", file.display());
    let text = fs::read_to_string(file).map_err(Error::io(what()))?;
    text.trim().parse().map_err(|_| Error::Proof(format!("{} has no number: {text:?}", file.display())))
}

/// The exit status of a process of a container, which the bench inherited from its runtime. No time is taken meanwhile.
fn wait(pid: u32, limit: Duration) -> Result<i32, Error> {
    let end = Instant::now() + limit;
    loop {
        match waitpid(Pid::from_raw(pid.cast_signed()), Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(_, status)) => return Ok(status),
            Ok(WaitStatus::Signaled(_, signal, _)) => return Ok(128 + signal as i32),
            Err(nix::errno::Errno::EINTR) | Ok(_) => {}
            Err(errno) => return Err(Error::errno(format!("wait for process {pid}"))(errno)),
        }
        if Instant::now() >= end {
            return Err(Error::Hang(limit));
        }
        thread::sleep(Duration::from_micros(200));
    }
}
