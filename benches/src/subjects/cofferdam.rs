//! The library.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;

use cofferdam::namespaces::{Caller, IdMaps};
use cofferdam::process::{BoxError, Process, Rendezvous, Spawner};
use cofferdam::{CapabilitySet, Command, IdMap, InsideId, Namespaces, OutsideId, Plan, Root, Stdio};
use nix::unistd::{getegid, geteuid};

use super::{Runner, Skip, Subject};
use crate::Error;
use crate::case::Kind;
use crate::stage::Task;

/// `cofferdam::Command`; the plan alone where no root is asked for, as a command would make one.
#[derive(Debug)]
pub(super) struct Cofferdam;

impl Subject for Cofferdam {
    fn name(&self) -> &'static str {
        "cofferdam"
    }

    fn prepare(&self, task: &Task<'_>) -> Result<Box<dyn Runner>, Skip> {
        let kinds = task.shape.kinds.iter().fold(Namespaces::empty(), |all, kind| all | namespace(*kind));
        if !task.shape.sandbox && task.output.is_none() {
            let mut plan = Plan::new(task.program());
            plan.namespaces = kinds;
            plan.rendezvous = task.shape.has(Kind::User);
            plan.maps_root = plan.rendezvous;
            return Ok(Box::new(Planned { plan, mapper: Mapper(maps()?) }));
        }
        let mut command = Command::new(task.program());
        command.namespaces(kinds).env_clear().loopback(false).session(false);
        if task.shape.has(Kind::User) {
            command.uid_map(own(geteuid().as_raw())?).gid_map(own(getegid().as_raw())?);
        }
        if task.shape.sandbox {
            command.root(Root::directory(task.stage.root())).capabilities(CapabilitySet::empty());
            command.sys(false).run(false);
        } else {
            command.proc(false).sys(false).dev(false).tmp(false).run(false);
        }
        if let Some(output) = task.output()? {
            command.stderr(output.try_clone().map_err(Error::io("duplicate"))?).stdout(output);
        }
        command.stdin(Stdio::inherit());
        Ok(Box::new(Commanded(command)))
    }
}

fn own(id: u32) -> Result<IdMap, Skip> {
    IdMap::single(InsideId::new(0), OutsideId::new(id)).map_err(|error| error.to_string().as_str().into())
}

fn namespace(kind: Kind) -> Namespaces {
    match kind {
        Kind::User => Namespaces::USER,
        Kind::Pid => Namespaces::PID,
        Kind::Mnt => Namespaces::MNT,
        Kind::Ipc => Namespaces::IPC,
        Kind::Uts => Namespaces::UTS,
        Kind::Net => Namespaces::NET,
        Kind::Cgroup => Namespaces::CGROUP,
    }
}

#[derive(Debug)]
struct Commanded(Command);

impl Runner for Commanded {
    fn run(&mut self) -> Result<i32, Error> {
        let status = self.0.status().map_err(failed)?;
        Ok(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default()))
    }
}

#[derive(Debug)]
struct Planned {
    plan: Plan,
    mapper: Mapper,
}

impl Runner for Planned {
    fn run(&mut self) -> Result<i32, Error> {
        let spawner = Spawner::new(&self.plan, &[]).rendezvous(&mut self.mapper);
        let status = spawner.status().map_err(failed)?;
        Ok(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default()))
    }
}

/// Makes the caller root inside.
#[derive(Debug)]
struct Mapper(IdMaps);

impl Rendezvous for Mapper {
    fn created(&mut self, process: Process<'_>) -> Result<(), BoxError> {
        let proc = File::open(format!("/proc/{}", process.pid))?;
        Ok(self.0.write_to(proc.as_fd())?)
    }
}

fn maps() -> Result<IdMaps, Skip> {
    let maps = Caller::current().and_then(|caller| IdMaps::rootless(&caller));
    maps.map_err(|error| Skip::from(error.to_string().as_str()))
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Io { what: "cofferdam".to_owned(), source: std::io::Error::other(error) }
}
