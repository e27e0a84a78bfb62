//! cgroups-rs, used as its documentation shows.
//!
//! Only the controllers of the case are asked for. Its cgroups are at the top of each hierarchy, as it takes one path
//! for all of them. Most of its functions hide errors, so the bench looks at the files itself.

use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use cgroups_rs::CgroupPid;
use cgroups_rs::fs::cgroup_builder::CgroupBuilder;
use cgroups_rs::fs::cpu::CpuController;
use cgroups_rs::fs::cpuacct::CpuAcctController;
use cgroups_rs::fs::memory::MemController;
use cgroups_rs::fs::pid::PidController;
use cgroups_rs::fs::{Cgroup, MaxValue, hierarchies};

use super::{Figures, Group, Limits, MEMORY, PERIOD, PIDS, QUOTA, Reader, Subject};
use crate::Error;
use crate::cgroup::case::Case;
use crate::cgroup::place::{Hierarchy, Place};

const LIMIT: Duration = Duration::from_secs(10);

/// The crate.
#[derive(Debug)]
struct Peer {
    controllers: Vec<String>,
}

/// Nothing can be kept: its builder takes the hierarchies by value.
pub(super) fn new(place: &Rc<Place>, case: Case) -> Result<Box<dyn Subject>, Error> {
    let controllers = case.controllers(place.version()).iter();
    Ok(Box::new(Peer { controllers: controllers.map(|name| (*name).to_owned()).collect() }))
}

impl Subject for Peer {
    fn parent<'a>(&self, hierarchy: &'a Hierarchy) -> &'a Path {
        hierarchy.top()
    }

    fn create(&self, name: &str, limits: Limits) -> Result<Box<dyn Group>, Error> {
        let mut builder = CgroupBuilder::new(name).set_specified_controllers(self.controllers.clone());
        if limits == Limits::Set {
            let quota = (QUOTA.cast_signed(), PERIOD);
            builder = builder.memory().memory_hard_limit(MEMORY.cast_signed()).done();
            builder = builder.pid().maximum_number_of_processes(MaxValue::Value(PIDS.cast_signed())).done();
            builder = builder.cpu().quota(quota.0).period(quota.1).done();
        }
        let cgroup = builder.build(hierarchies::auto()).map_err(failed)?;
        Ok(Box::new(Made(Rc::new(cgroup))))
    }
}

/// A cgroup of the peer.
#[derive(Debug)]
struct Made(Rc<Cgroup>);

impl Group for Made {
    fn add(&mut self, pid: i32) -> Result<(), Error> {
        self.0.add_task_by_tgid(CgroupPid::from(u64::from(pid.unsigned_abs()))).map_err(failed)
    }

    fn reader(&self) -> Result<Box<dyn Reader>, Error> {
        Ok(Box::new(Made(Rc::clone(&self.0))))
    }

    /// By `Cgroup::kill` on v2; it has nothing for v1 but the list of processes. Either way it tells by that list when
    /// none is left.
    fn kill(&mut self) -> Result<(), Error> {
        let end = Instant::now() + LIMIT;
        if self.0.v2() {
            self.0.kill().map_err(failed)?;
        }
        let mut killed = 0;
        loop {
            let procs = self.0.procs();
            if procs.is_empty() {
                return Ok(());
            }
            if !self.0.v2() && procs.len() > killed {
                procs.iter().try_for_each(kill)?;
            }
            killed = procs.len();
            if Instant::now() > end {
                return Err(Error::Hang(LIMIT));
            }
            std::thread::sleep(Duration::from_micros(50));
        }
    }

    fn remove(self: Box<Self>) -> Result<(), Error> {
        self.0.delete().map_err(failed)
    }
}

impl Reader for Made {
    fn read(&mut self) -> Result<Figures, Error> {
        let part = |what: &str| Error::Undone(format!("no controller of {what}"));
        let cpu: &CpuController = self.0.controller_of().ok_or_else(|| part("cpu"))?;
        let memory: &MemController = self.0.controller_of().ok_or_else(|| part("memory"))?;
        let pids: &PidController = self.0.controller_of().ok_or_else(|| part("pids"))?;
        let (stat, memory) = (cpu.cpu().stat, memory.memory_stat());
        let cpu = match self.0.controller_of::<CpuAcctController>() {
            Some(accounting) => {
                let accounting = accounting.cpuacct();
                [accounting.usage, value(&accounting.stat, "user"), value(&accounting.stat, "system")]
            }
            None => ["usage_usec", "user_usec", "system_usec"].map(|key| value(&stat, key)),
        };
        let limit = match pids.get_pid_max().map_err(failed)? {
            MaxValue::Max => 0,
            MaxValue::Value(limit) => limit.cast_unsigned(),
        };
        Ok(Figures {
            cpu,
            throttled: value(&stat, "nr_throttled"),
            memory: [memory.usage_in_bytes, memory.max_usage_in_bytes],
            parts: [memory.stat.rss, memory.stat.cache],
            // It does not read the most so far.
            pids: [pids.get_pid_current().map_err(failed)?, 0, limit, pids.get_pid_events().map_err(failed)?],
        })
    }
}

/// What its users do with the text of `cpu.stat`, which it does not take apart.
fn value(stat: &str, key: &str) -> u64 {
    let line = stat.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok()).unwrap_or_default()
}

fn kill(pid: &CgroupPid) -> Result<(), Error> {
    use nix::errno::Errno;
    use nix::sys::signal::{Signal, kill};
    let number = i32::try_from(pid.pid).map_err(|_| Error::Undone(format!("process {}", pid.pid)))?;
    match kill(nix::unistd::Pid::from_raw(number), Signal::SIGKILL) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(errno) => Err(Error::errno(format!("kill {number}"))(errno)),
    }
}

fn failed(error: cgroups_rs::fs::error::Error) -> Error {
    Error::Library(error.to_string())
}
