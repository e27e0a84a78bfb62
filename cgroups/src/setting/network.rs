//! Marks on the packets of processes; v1 only.

use super::{out_of_range, unsupported};
use crate::resources::{Operations, Resources, Write};
use crate::{Result, Version};

/// The class that packets carry, for traffic control: `net_cls.classid`. v1 only.
///
/// The upper half is the major number of a class, the lower half the minor one: `0x10_0001` is 10:1. See
/// cgroup-v1/net_cls of the kernel's documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetCls(pub u32);

impl NetCls {
    pub(super) fn subject(&self) -> String {
        "net_cls.classid".to_owned()
    }

    pub(super) fn value_text(&self) -> String {
        self.0.to_string()
    }

    pub(super) fn validate(&self) -> Result<()> {
        Ok(())
    }

    pub(super) fn lower(&self, version: Version, _all: &Resources) -> Result<Operations> {
        match version {
            Version::V1 => Ok(vec![Write::value("net_cls.classid", self.0).into()]),
            Version::V2 => unsupported(version, "classes of packets"),
        }
    }
}

/// The priority of packets that leave by a network interface: a line of `net_prio.ifpriomap`. v1 only.
///
/// The interface is looked up in the network namespace of the process that writes. See cgroup-v1/net_prio of the
/// kernel's documentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetPrio {
    /// The name of the interface, such as `eth0`.
    pub interface: String,
    /// The priority, from 0, the default.
    pub priority: u32,
}

impl NetPrio {
    pub(super) fn subject(&self) -> String {
        format!("net_prio.ifpriomap of {}", self.interface)
    }

    pub(super) fn value_text(&self) -> String {
        self.priority.to_string()
    }

    pub(super) fn validate(&self) -> Result<()> {
        let name = &self.interface;
        // As the kernel's own check of names, dev_valid_name.
        let bad = |c: char| c == '/' || c == ':' || c.is_whitespace() || c == '\0';
        if name.is_empty() || name.len() > 15 || name == "." || name == ".." || name.contains(bad) {
            return out_of_range(
                "the interface of net_prio.ifpriomap",
                name,
                "the name of a network interface",
            );
        }
        Ok(())
    }

    pub(super) fn lower(&self, version: Version, _all: &Resources) -> Result<Operations> {
        match version {
            Version::V1 => {
                Ok(vec![Write::line("net_prio.ifpriomap", &self.interface, self.priority, "0").into()])
            }
            Version::V2 => unsupported(version, "priorities of packets"),
        }
    }
}
