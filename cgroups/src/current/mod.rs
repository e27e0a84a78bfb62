//! What is set now: settings read back from control files.

mod blocks;
mod cpu;
mod keyed;
mod memory;

use crate::cgroup::Part;
use crate::{Bytes, Cgroup, Controller, DeviceState, Error, Limit, Result, Setting, Version};
use std::os::fd::AsFd;
use std::str::FromStr;

impl Cgroup {
    /// What is set now for a controller, the defaults included.
    ///
    /// The settings are those that the version has files for; each can be applied again. Empty for a controller
    /// without settings, and for the root of a hierarchy, which has no limits.
    ///
    /// # Errors
    ///
    /// [`Error::NoController`] where the cgroup has no files of the controller, [`Error::Parse`] for a file in an
    /// unknown form, [`Error::Unsupported`] for devices on v2, whose rules are a program.
    pub fn settings(&self, controller: Controller) -> Result<Vec<Setting>> {
        let part = self.part_of(controller).ok_or_else(|| self.no_controller(controller))?;
        let files = Files { part };
        match controller {
            Controller::Cpu => cpu::read_cpu(&files),
            Controller::CpuSet => cpu::read_cpuset(&files),
            Controller::Memory => memory::read(&files),
            Controller::Io => blocks::read(&files),
            Controller::Pids => Ok(files.value("pids.max", LIMIT)?.map(Setting::Pids).into_iter().collect()),
            Controller::Devices => read_devices(part),
            Controller::HugeTlb => keyed::read_hugetlb(&files),
            Controller::Rdma => keyed::read_rdma(&files),
            Controller::Misc => keyed::read_misc(&files),
            Controller::NetCls => keyed::read_net_cls(&files),
            Controller::NetPrio => keyed::read_net_prio(&files),
            Controller::CpuAcct | Controller::Freezer | Controller::PerfEvent => Ok(Vec::new()),
        }
    }
}

const LIMIT: &str = "a number or max";
const BYTES: &str = "a number of bytes or max";

fn read_devices(part: &Part) -> Result<Vec<Setting>> {
    let unsupported = Error::Unsupported { version: part.version, what: "list of the rules for devices" };
    match part.version {
        Version::V2 => Err(unsupported),
        Version::V1 => match DeviceState::read(part.dir.as_fd())? {
            DeviceState::List(rules) => Ok(vec![Setting::Devices(rules)]),
            DeviceState::Programs { .. } => Err(unsupported),
        },
    }
}

/// The control files of one controller.
struct Files<'a> {
    part: &'a Part,
}

impl Files<'_> {
    fn version(&self) -> Version {
        self.part.version
    }

    /// What a file says; none where it does not exist.
    fn text(&self, file: &str) -> Result<Option<String>> {
        match self.part.dir.read(file) {
            Ok(text) => Ok(Some(text)),
            // The deprecated ones can be there and refuse.
            Err(Error::Open { errno, .. }) if errno.number() == libc::ENOENT => Ok(None),
            Err(Error::Read { errno, .. }) if errno.number() == libc::EOPNOTSUPP => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A file with one value.
    fn value<T: FromStr>(&self, file: &str, expected: &'static str) -> Result<Option<T>> {
        let Some(text) = self.text(file)? else { return Ok(None) };
        self.parse(file, text.trim(), expected).map(Some)
    }

    /// A file with 0 or 1.
    fn flag(&self, file: &str) -> Result<Option<bool>> {
        Ok(self.value::<u8>(file, "0 or 1")?.map(|value| value != 0))
    }

    /// A limit of bytes on v1, which has a large number for none.
    fn bytes_v1(&self, file: &str) -> Result<Option<Limit<Bytes>>> {
        Ok(self.value(file, "a number of bytes")?.map(limit_v1))
    }

    /// A part of a file.
    fn parse<T: FromStr>(&self, file: &str, text: &str, expected: &'static str) -> Result<T> {
        text.parse().map_err(|_| self.fault(file, text, expected))
    }

    fn fault(&self, file: &str, line: &str, expected: &'static str) -> Error {
        Error::Parse { path: self.part.dir.path_of(file), line: line.to_owned(), expected }
    }
}

/// A number of bytes that is none of a limit where nothing could reach it.
fn limit_v1(bytes: u64) -> Limit<Bytes> {
    if bytes >= crate::resources::UNLIMITED_V1 { Limit::Max } else { Limit::Value(Bytes(bytes)) }
}
