//! What is done while the init of a container waits at a meeting.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use cofferdam_process::{BoxError, Process, Rendezvous};

use super::hooks::{self, Kind};
use super::netdevices::NetDevices;
use super::plan::point;
use super::rdt::ResourceGroup;
use super::state::{Entry, Identity, Lock, Record};
use super::{Error, Result, Status, seccomp, sockets};
use crate::prepare::Maps;
use crate::start::MapWriter;

/// The meetings of a container that is being created.
pub(super) struct Creating<'a> {
    pub(super) record: &'a mut Record,
    pub(super) entry: Option<&'a (Entry, Lock)>,
    pub(super) maps: Option<&'a Maps>,
    /// They are those of a user namespace that is made after others were joined.
    pub(super) maps_late: bool,
    /// The group of resctrl.
    pub(super) group: Option<&'a ResourceGroup>,
    pub(super) console_socket: Option<&'a Path>,
    /// The master of the terminal, if there is no socket for it.
    pub(super) console: Option<OwnedFd>,
    /// Hooks began to run: those of the end have to run, too.
    pub(super) hooks_ran: bool,
}

impl Rendezvous for Creating<'_> {
    fn created(&mut self, process: Process<'_>) -> Result<(), BoxError> {
        self.keep(process)?;
        if let Some(group) = self.group {
            // What it starts later is in the group, too.
            group.add(process.pid)?;
        }
        if self.maps_late { Ok(()) } else { self.map(process) }
    }

    fn sync(
        &mut self,
        point: u32,
        process: Process<'_>,
        received: Vec<OwnedFd>,
    ) -> Result<Vec<OwnedFd>, BoxError> {
        match point {
            point::MAPS => self.map(process)?,
            point::FORKED => self.keep(process)?,
            point::CONSOLE => self.console = console(received, self.console_socket)?,
            point::MOUNTED => self.hooks(process)?,
            point::NAMESPACES => self.devices(process, received)?,
            _ => return Err(unexpected(point).into()),
        }
        Ok(Vec::new())
    }
}

impl Creating<'_> {
    /// Stores which process it is: whoever cleans up after this one has to find it.
    fn keep(&mut self, process: Process<'_>) -> Result<()> {
        let Some((entry, lock)) = self.entry else { return Ok(()) };
        self.record.process = Some(Identity::of(process.pid, process.pidfd)?);
        entry.write(self.record, lock)
    }

    /// Writes the id maps of its user namespace.
    fn map(&self, process: Process<'_>) -> Result<(), BoxError> {
        self.maps.map_or(Ok(()), |maps| MapWriter(maps).created(process))
    }

    /// The process is in its namespaces, and has sent a socket of its network.
    fn devices(&self, process: Process<'_>, received: Vec<OwnedFd>) -> Result<()> {
        let socket = only(received, point::NAMESPACES)?;
        let path = format!("/proc/{}/ns/net", process.pid);
        let namespace = std::fs::File::open(&path);
        let namespace = namespace.map_err(|error| Error::io("network namespace", path)(&error))?;
        NetDevices::of(&self.record.config)?.move_into(socket, namespace.as_fd())
    }

    fn hooks(&mut self, process: Process<'_>) -> Result<()> {
        self.hooks_ran = true;
        let record = &*self.record;
        let state = record.state(Status::Creating, Some(process.pid));
        let around = record.surroundings(Some(process.pidfd));
        for kind in [Kind::Prestart, Kind::CreateRuntime, Kind::CreateContainer] {
            hooks::run(kind, around, &state)?;
        }
        Ok(())
    }
}

/// The meetings of a container that is being started.
pub(super) struct Starting<'a> {
    pub(super) record: &'a Record,
    /// The listener of the seccomp filter, if the configuration does not say where it goes.
    pub(super) seccomp: Option<OwnedFd>,
}

impl Rendezvous for Starting<'_> {
    fn sync(
        &mut self,
        point: u32,
        process: Process<'_>,
        received: Vec<OwnedFd>,
    ) -> Result<Vec<OwnedFd>, BoxError> {
        let record = self.record;
        let state = record.state(Status::Created, Some(process.pid));
        match point {
            point::STARTED => {
                hooks::run(Kind::StartContainer, record.surroundings(Some(process.pidfd)), &state)?;
            }
            point::LISTENER => {
                let listener = only(received, point)?;
                self.seccomp = seccomp::hand_over(&record.config, listener, process.pid, &state)?;
            }
            _ => return Err(unexpected(point).into()),
        }
        Ok(Vec::new())
    }
}

/// The meetings of a further process.
pub(super) struct Executing<'a> {
    pub(super) record: &'a Record,
    pub(super) console_socket: Option<&'a Path>,
    /// The master of its terminal, if there is no socket for it.
    pub(super) console: Option<OwnedFd>,
}

impl Rendezvous for Executing<'_> {
    fn created(&mut self, process: Process<'_>) -> Result<(), BoxError> {
        match self.record.rdt.as_ref().map(ResourceGroup::open).transpose()?.flatten() {
            Some(group) => Ok(group.add(process.pid)?),
            None => Ok(()),
        }
    }

    fn sync(
        &mut self,
        point: u32,
        process: Process<'_>,
        received: Vec<OwnedFd>,
    ) -> Result<Vec<OwnedFd>, BoxError> {
        match point {
            point::CONSOLE => self.console = console(received, self.console_socket)?,
            point::LISTENER => {
                let listener = only(received, point)?;
                let own = self.record.process.as_ref().map(|own| own.pid);
                let state = self.record.state(Status::Running, own);
                // Without somebody to take it, it is closed, and what it is asked for fails.
                drop(seccomp::hand_over(&self.record.config, listener, process.pid, &state)?);
            }
            _ => return Err(unexpected(point).into()),
        }
        Ok(Vec::new())
    }
}

/// Hands the master of a terminal over; it comes back if there is no socket for it.
fn console(received: Vec<OwnedFd>, socket: Option<&Path>) -> Result<Option<OwnedFd>> {
    let master = only(received, point::CONSOLE)?;
    match socket {
        Some(path) => {
            sockets::send_to("console socket", path, b"/dev/ptmx", master.as_fd())?;
            Ok(None)
        }
        None => Ok(Some(master)),
    }
}

/// The one descriptor that the init sends at a meeting.
fn only(received: Vec<OwnedFd>, point: u32) -> Result<OwnedFd> {
    received.into_iter().next().ok_or_else(|| unexpected(point))
}

fn unexpected(point: u32) -> Error {
    Error::Unsupported { what: format!("meeting {point} of the init") }
}
