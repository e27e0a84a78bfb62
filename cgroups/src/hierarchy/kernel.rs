//! Which controllers the kernel has, as `/proc/cgroups` has it.

use crate::{Controller, Version};

/// One line of `/proc/cgroups`.
///
/// Kernels can be built without the v1 part of `memory` (6.11) and `cpuset` (6.12), and leave these out there then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KernelController {
    pub(crate) controller: Controller,
    /// The number of its hierarchy; 0 for v2, and for none.
    pub(crate) hierarchy: u32,
    /// Not so after `cgroup_disable=` on the kernel's command line.
    pub(crate) enabled: bool,
}

/// Reads the table; lines about other controllers, comments and what is no line are left out.
pub(crate) fn parse(table: &str) -> Vec<KernelController> {
    let line = |line: &str| {
        let mut fields = line.split_ascii_whitespace();
        let controller = Controller::from_name(fields.next()?, Version::V1)?;
        let hierarchy = fields.next()?.parse().ok()?;
        Some(KernelController { controller, hierarchy, enabled: fields.nth(1)? != "0" })
    };
    table.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read() {
        let table = "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t2\t5\t1\nmemory\t0\t1\t0\nodd\t1\t1\t1\ncpuset 1";
        let cpu = KernelController { controller: Controller::Cpu, hierarchy: 2, enabled: true };
        let memory = KernelController { controller: Controller::Memory, hierarchy: 0, enabled: false };
        assert_eq!(parse(table), [cpu, memory]);
    }
}
