//! The library.
//!
//! The hierarchies are looked for once, and the plan of limits is made once. On a hybrid host a cgroup of the library has a
//! directory on v2 too unless it is told to use some hierarchies only; here it is, as the other subjects use no more than
//! the limits need. To kill, v2 serves all of those that know it.

use std::rc::Rc;
use std::time::Duration;

use cofferdam_cgroups::{
    Bytes, Cgroup, Controller, Controllers, Cpu, Hierarchies, Limit, Memory, Resources, Section, Setting,
    Statistics, StatisticsReader, Version,
};

use super::{Figures, Group, Limits, MEMORY, PERIOD, PIDS, QUOTA, Reader, Subject};
use crate::Error;
use crate::cgroup::case::Case;
use crate::cgroup::place::{self, Place};

/// To end one that hangs.
const LIMIT: Duration = Duration::from_secs(10);

/// The crate `cofferdam-cgroups`.
#[derive(Debug)]
struct Library {
    parent: Cgroup,
    controllers: Controllers,
    limits: Resources,
}

/// Looks for the hierarchies.
pub(super) fn new(place: &Rc<Place>, case: Case) -> Result<Box<dyn Subject>, Error> {
    let hierarchies = Hierarchies::discover().map_err(failed)?;
    let (version, parent) = match place.version() {
        place::Version::V1 => (Version::V1, hierarchies.own()),
        place::Version::V2 => (Version::V2, hierarchies.base()),
    };
    let names = case.controllers(place.version()).iter();
    let controllers: Controllers = names.filter_map(|name| Controller::from_name(name, version)).collect();
    let (quota, period) = (Duration::from_micros(QUOTA), Duration::from_micros(PERIOD));
    let limits = Resources::new()
        .must(Memory::max(Bytes(MEMORY)))
        .must(Setting::Pids(Limit::Value(PIDS)))
        .must(Cpu::Max { quota: Some(Limit::Value(quota)), period: Some(period) });
    let parent = match case {
        Case::Kill => parent,
        _ => parent.and_then(|parent| parent.select(controllers)),
    };
    Ok(Box::new(Library { parent: parent.map_err(failed)?, controllers, limits }))
}

impl Subject for Library {
    fn create(&self, name: &str, limits: Limits) -> Result<Box<dyn Group>, Error> {
        let cgroup = match limits {
            Limits::None => self.parent.create(name, self.controllers),
            Limits::Set => self.parent.create_with(name, &self.limits).map(|(cgroup, _)| cgroup),
        };
        Ok(Box::new(Made(cgroup.map_err(failed)?)))
    }
}

/// A cgroup of the library.
#[derive(Debug)]
struct Made(Cgroup);

impl Group for Made {
    fn add(&mut self, pid: i32) -> Result<(), Error> {
        self.0.add(pid.unsigned_abs()).map_err(failed)
    }

    fn reader(&self) -> Result<Box<dyn Reader>, Error> {
        let sections = [Section::Cpu, Section::Memory, Section::Pids].into_iter().collect();
        let reader = StatisticsReader::with(&self.0, sections).map_err(failed)?;
        Ok(Box::new(Snapshot { reader, statistics: Statistics::default() }))
    }

    fn kill(&mut self) -> Result<(), Error> {
        self.0.kill(LIMIT).map_err(failed)
    }

    fn remove(self: Box<Self>) -> Result<(), Error> {
        self.0.remove(LIMIT).map_err(failed)
    }
}

/// Files that stay open, and memory that is used again.
#[derive(Debug)]
struct Snapshot {
    reader: StatisticsReader,
    statistics: Statistics,
}

impl Reader for Snapshot {
    fn read(&mut self) -> Result<Figures, Error> {
        self.reader.read(&mut self.statistics).map_err(failed)?;
        let Statistics { cpu: Some(cpu), memory: Some(memory), pids: Some(pids), .. } = &self.statistics
        else {
            return Err(Error::Undone("a section is missing".to_owned()));
        };
        let time = |time: Option<Duration>| {
            time.map_or(0, |time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
        };
        let bytes = |bytes: Option<Bytes>| bytes.map_or(0, |bytes| bytes.0);
        Ok(Figures {
            cpu: [cpu.usage, cpu.user, cpu.system].map(time),
            throttled: cpu.throttled_periods.unwrap_or_default(),
            memory: [memory.usage, memory.peak].map(bytes),
            parts: [memory.stat.anon, memory.stat.file].map(bytes),
            pids: [pids.current, pids.peak, pids.limit.and_then(Limit::value), pids.refused]
                .map(Option::unwrap_or_default),
        })
    }
}

fn failed(error: cofferdam_cgroups::Error) -> Error {
    Error::Library(error.to_string())
}
