//! Further processes in a container.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use cofferdam_cgroups::Limit;
use cofferdam_process::{Child, Spawner};

use super::cgroup::ContainerCgroup;
use super::meetings::Executing;
use super::plan::{self, ExecRequest};
use super::streams::Given;
use super::{Container, Error, ExecOptions, Process, Result, Status, descriptors, sockets, validate_process};
use crate::start::{self, Place};

impl Container {
    /// Starts a further process in the container. Returns when it has become the program.
    ///
    /// # Errors
    /// [`Error::NotRunning`] or [`Error::Status`]; [`Error::Config`] for a value of the process that cannot be applied.
    pub fn exec(&self, options: ExecOptions<'_>) -> Result<Process> {
        validate_process(options.process)?;
        match self.status()? {
            Status::Created | Status::Running => {}
            Status::Paused if options.ignore_paused => {}
            Status::Stopped => return Err(self.not_running(Status::Stopped)),
            status => return Err(self.refuse("execute a process in", status)),
        }
        let Some((pid, pidfd)) = self.living()? else { return Err(self.not_running(Status::Stopped)) };
        let own = self.cgroup()?;
        let entries: Vec<&str> = options.sub_cgroups.iter().map(String::as_str).collect();
        let cgroup = if entries.is_empty() { own } else { own.sub_cgroup(&entries)? };
        let mut passed = descriptors::own(3, options.preserve_fds)?;
        passed.extend(options.descriptors);
        let execution = Execution {
            container: self,
            process: options.process,
            pidfd,
            passed: &passed,
            streams: Given::new(options.stdin, options.stdout, options.stderr),
            console_socket: options.console_socket.as_deref(),
            pid_file: options.pid_file.as_deref(),
            pidfd_socket: options.pidfd_socket.as_deref(),
        };
        match execution.carry_out(&cgroup) {
            // An init that made cgroups in its own has left it, and nobody gets in there any more.
            Err(Error::Container(error))
                if entries.is_empty() && error.errno().is_some_and(|errno| errno.number() == libc::EBUSY) =>
            {
                execution.carry_out(&cgroup.of_process(pid)?)
            }
            other => other,
        }
    }
}

/// Says so where there is no room for a process in the cgroup.
fn full(cgroup: &ContainerCgroup, error: Error) -> Error {
    let refused = |error: &crate::Error| error.errno().is_some_and(|errno| errno.number() == libc::EAGAIN);
    if !matches!(&error, Error::Container(error) if refused(error)) {
        return error;
    }
    // If that cannot be read, what failed is still the error.
    let pids = cgroup.required().ok().and_then(|cgroup| cgroup.statistics().ok()?.pids);
    match pids.map(|pids| (pids.current, pids.limit)) {
        Some((Some(current), Some(Limit::Value(limit)))) if current + 2 > limit => {
            Error::TooMany { current, limit, source: Box::new(error) }
        }
        _ => error,
    }
}

/// What does not change from one attempt to the next.
struct Execution<'a> {
    container: &'a Container,
    process: &'a oci_spec::runtime::Process,
    pidfd: BorrowedFd<'a>,
    passed: &'a [OwnedFd],
    streams: Given,
    console_socket: Option<&'a Path>,
    pid_file: Option<&'a Path>,
    pidfd_socket: Option<&'a Path>,
}

impl Execution<'_> {
    fn carry_out(&self, cgroup: &ContainerCgroup) -> Result<Process> {
        let record = &self.container.record;
        let place = match cgroup.cgroup() {
            Some(own) => Place::Others(own, cgroup.task_files()?),
            None => Place::Callers,
        };
        let request = ExecRequest {
            id: &record.id,
            spec: &record.config,
            process: self.process,
            pidfd: self.pidfd,
            streams: self.streams.planned(),
            passed: self.passed.iter().map(AsFd::as_fd).collect(),
            cgroup: cgroup.shape(),
            no_new_keyring: false,
        };
        let mut prepared = plan::exec(&request)?;
        self.streams.fill(&mut prepared);
        // Who is to know the process knows it before it runs.
        let announced = self.pid_file.is_some() || self.pidfd_socket.is_some();
        // Its group of resctrl is joined for it.
        prepared.plan.rendezvous |= record.rdt.is_some();
        prepared.plan.hold = announced.then_some(cofferdam_process::Hold::Caller);
        let opened = start::open_all(&prepared, None, &place)?;
        let inputs: Vec<BorrowedFd<'_>> = opened.iter().map(AsFd::as_fd).collect();
        let mut meetings = Executing { record, console_socket: self.console_socket, console: None };
        let spawner = Spawner::new(&prepared.plan, &inputs);
        let failed = |error| full(cgroup, Error::of_process(error, prepared.plan.namespaces));
        let child: Child = if announced {
            let held = spawner.rendezvous(&mut meetings).hold().map_err(failed)?;
            let process = held.process();
            if let Some(path) = self.pidfd_socket {
                sockets::send_to("pidfd socket", path, b"pid-fd", process.pidfd)?;
            }
            if let Some(path) = self.pid_file {
                descriptors::write_pid(path, process.pid)?;
            }
            held.start(&mut meetings).map_err(failed)?
        } else {
            spawner.rendezvous(&mut meetings).spawn().map_err(failed)?
        };
        Ok(Process::new(child, meetings.console))
    }
}
