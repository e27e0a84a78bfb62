//! Settings: what can be limited or shared out, as plain values.

mod cpu;
mod cpuset;
mod hugetlb;
mod io;
mod keyed;
mod list;
mod memory;
mod network;
mod unified;

pub use cpu::Cpu;
pub use cpuset::{CpuSet, Partition};
pub use hugetlb::HugeTlb;
pub(crate) use hugetlb::page_size_from_name;
pub use io::{Io, Rate};
pub use keyed::{Misc, Rdma};
pub use list::{List, ListFault};
pub use memory::Memory;
pub use network::{NetCls, NetPrio};
pub use unified::{ControlFile, Unified};

#[cfg(test)]
mod tests;

use crate::devices::DeviceRules;
use crate::resources::{Operations, Resources};
use crate::{Controller, Error, Limit, Result, Version};
use std::fmt;

/// One thing that a cgroup's controllers can be told.
///
/// `Display` gives it in the words of v2's control files where v2 has it: `memory.max 67108864`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Setting {
    /// Processor time.
    Cpu(Cpu),
    /// Processors and memory nodes.
    CpuSet(CpuSet),
    /// Memory and swap.
    Memory(Memory),
    /// Block devices.
    Io(Io),
    /// How many processes and threads there may be: `pids.max`.
    Pids(Limit<u64>),
    /// Which device nodes may be opened and made.
    Devices(DeviceRules),
    /// Huge pages.
    HugeTlb(HugeTlb),
    /// The class of packets.
    NetCls(NetCls),
    /// The priority of packets.
    NetPrio(NetPrio),
    /// Remote direct memory access.
    Rdma(Rdma),
    /// Scalar resources of the machine.
    Misc(Misc),
    /// A file of v2 by its name.
    Unified(Unified),
    /// A file of a controller by its name.
    ControlFile(ControlFile),
}

/// Dispatches to the setting of the controller; all of them have the same functions.
macro_rules! of_controller {
    ($setting:expr, $inner:ident => $call:expr, $pids:ident => $of_pids:expr, $rules:ident => $of_rules:expr) => {
        match $setting {
            Setting::Cpu($inner) => $call,
            Setting::CpuSet($inner) => $call,
            Setting::Memory($inner) => $call,
            Setting::Io($inner) => $call,
            Setting::HugeTlb($inner) => $call,
            Setting::NetCls($inner) => $call,
            Setting::NetPrio($inner) => $call,
            Setting::Rdma($inner) => $call,
            Setting::Misc($inner) => $call,
            Setting::Unified($inner) => $call,
            Setting::ControlFile($inner) => $call,
            Setting::Pids($pids) => $of_pids,
            Setting::Devices($rules) => $of_rules,
        }
    };
}

impl Setting {
    /// The controller that has it; none for a file of [`Setting::Unified`] that belongs to no controller.
    pub fn controller(&self) -> Option<Controller> {
        Some(match self {
            Self::Cpu(_) => Controller::Cpu,
            Self::CpuSet(_) => Controller::CpuSet,
            Self::Memory(_) => Controller::Memory,
            Self::Io(_) => Controller::Io,
            Self::Pids(_) => Controller::Pids,
            Self::Devices(_) => Controller::Devices,
            Self::HugeTlb(_) => Controller::HugeTlb,
            Self::NetCls(_) => Controller::NetCls,
            Self::NetPrio(_) => Controller::NetPrio,
            Self::Rdma(_) => Controller::Rdma,
            Self::Misc(_) => Controller::Misc,
            Self::Unified(unified) => return unified.controller(),
            Self::ControlFile(file) => file.controller,
        })
    }

    /// What is set, without the value: two settings with the same subject exclude each other.
    pub fn subject(&self) -> String {
        of_controller!(self, inner => inner.subject(), _limit => "pids.max".to_owned(), _rules => "devices".to_owned())
    }

    /// Checks the value alone, without looking at the system.
    ///
    /// # Errors
    ///
    /// [`Error::Value`] for what no kernel takes; [`Error::DeviceRules`] for rules that say nothing, or are about no
    /// device that there can be.
    pub fn validate(&self) -> Result<()> {
        of_controller!(self, inner => inner.validate(), _limit => Ok(()), rules => Ok(rules.check()?))
    }

    /// What to write on this version. Some depend on what else is set.
    pub(crate) fn lower(&self, version: Version, all: &Resources) -> Result<Operations> {
        use crate::resources::{Operation, Write};
        of_controller!(self,
            inner => inner.lower(version, all),
            limit => Ok(vec![Write::value("pids.max", limit).into()]),
            rules => Ok(vec![Operation::Devices(rules.clone())]))
    }

    fn value_text(&self) -> String {
        of_controller!(self, inner => inner.value_text(), limit => limit.to_string(), rules => rules.to_string())
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.subject(), self.value_text())
    }
}

macro_rules! from {
    ($($inner:ident),*) => {
        $(impl From<$inner> for Setting {
            fn from(setting: $inner) -> Self {
                Self::$inner(setting)
            }
        })*
    };
}

from!(Cpu, CpuSet, Memory, Io, HugeTlb, NetCls, NetPrio, Rdma, Misc, Unified, ControlFile);

impl From<DeviceRules> for Setting {
    fn from(rules: DeviceRules) -> Self {
        Self::Devices(rules)
    }
}

/// A value that is out of range.
pub(crate) fn out_of_range<T>(
    what: &'static str,
    value: impl fmt::Display,
    expected: &'static str,
) -> Result<T> {
    Err(Error::Value { what, value: value.to_string(), expected })
}

/// Something that a version does not have.
pub(crate) fn unsupported<T>(version: Version, what: &'static str) -> Result<T> {
    Err(Error::Unsupported { version, what })
}
