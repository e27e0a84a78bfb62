//! The part of Linux.

use cofferdam_process::CAPABILITY_NAMES;
use cofferdam_seccomp::Architecture;
use oci_spec::runtime::{
    Apparmor, Arch, Cgroup, IDMap, IntelRdt, LinuxFeature, LinuxNamespaceType, LinuxSeccompAction,
    MemoryPolicy, MountExtensions, NetDevices, Seccomp, Selinux,
};

use super::texts;

const OPERATORS: [&str; 7] = [
    "SCMP_CMP_EQ",
    "SCMP_CMP_GE",
    "SCMP_CMP_GT",
    "SCMP_CMP_LE",
    "SCMP_CMP_LT",
    "SCMP_CMP_MASKED_EQ",
    "SCMP_CMP_NE",
];

const FILTER_FLAGS: [&str; 4] = [
    "SECCOMP_FILTER_FLAG_LOG",
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
    "SECCOMP_FILTER_FLAG_TSYNC",
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
];

const MEMORY_MODES: [&str; 7] = [
    "MPOL_BIND",
    "MPOL_DEFAULT",
    "MPOL_INTERLEAVE",
    "MPOL_LOCAL",
    "MPOL_PREFERRED",
    "MPOL_PREFERRED_MANY",
    "MPOL_WEIGHTED_INTERLEAVE",
];

const MEMORY_FLAGS: [&str; 3] = ["MPOL_F_NUMA_BALANCING", "MPOL_F_RELATIVE_NODES", "MPOL_F_STATIC_NODES"];

pub(super) fn features() -> LinuxFeature {
    use LinuxNamespaceType::{Cgroup, Ipc, Mount, Network, Pid, Time, User, Uts};

    let mut linux = LinuxFeature::default();
    linux
        .set_namespaces(Some(vec![Cgroup, Ipc, Mount, Network, Pid, Time, User, Uts]))
        .set_capabilities(Some(texts(&CAPABILITY_NAMES)))
        .set_cgroup(Some(cgroup()))
        .set_seccomp(Some(seccomp()))
        .set_apparmor(Some(enabled(Apparmor::set_enabled)))
        .set_selinux(Some(enabled(Selinux::set_enabled)))
        .set_intel_rdt(Some(intel_rdt()))
        .set_memory_policy(Some(memory_policy()))
        .set_mount_extensions(Some(mount_extensions()))
        .set_net_devices(Some(enabled(NetDevices::set_enabled)));
    linux
}

/// What can only be there or not, and is there.
fn enabled<T: Default>(set: fn(&mut T, Option<bool>) -> &mut T) -> T {
    let mut feature = T::default();
    set(&mut feature, Some(true));
    feature
}

fn cgroup() -> Cgroup {
    let mut cgroup = Cgroup::default();
    cgroup
        .set_v1(Some(true))
        .set_v2(Some(true))
        .set_systemd(Some(false))
        .set_systemd_user(Some(false))
        .set_rdma(Some(true));
    cgroup
}

fn intel_rdt() -> IntelRdt {
    let mut intel_rdt = IntelRdt::default();
    intel_rdt.set_enabled(Some(true)).set_schemata(Some(true)).set_monitoring(Some(true));
    intel_rdt
}

fn memory_policy() -> MemoryPolicy {
    let mut policy = MemoryPolicy::default();
    policy.set_modes(Some(texts(&MEMORY_MODES))).set_flags(Some(texts(&MEMORY_FLAGS)));
    policy
}

fn mount_extensions() -> MountExtensions {
    let mut extensions = MountExtensions::default();
    extensions.set_idmap(Some(enabled(IDMap::set_enabled)));
    extensions
}

fn seccomp() -> Seccomp {
    use LinuxSeccompAction as Action;

    let actions = vec![
        Action::ScmpActAllow,
        Action::ScmpActErrno,
        Action::ScmpActKill,
        Action::ScmpActKillProcess,
        Action::ScmpActKillThread,
        Action::ScmpActLog,
        Action::ScmpActNotify,
        Action::ScmpActTrace,
        Action::ScmpActTrap,
    ];
    let mut seccomp = Seccomp::default();
    seccomp
        .set_enabled(Some(true))
        .set_actions(Some(actions))
        .set_operators(Some(texts(&OPERATORS)))
        .set_archs(Some(architectures()))
        .set_known_flags(Some(texts(&FILTER_FLAGS)))
        .set_supported_flags(Some(texts(supported_flags(kernel()))));
    seccomp
}

/// The flags that a kernel has, by its version.
fn supported_flags(kernel: Option<(u32, u32)>) -> &'static [&'static str] {
    match kernel {
        // The last one came with Linux 5.19.
        Some(version) if version < (5, 19) => &FILTER_FLAGS[..3],
        _ => &FILTER_FLAGS,
    }
}

/// The version of this kernel, if it can be found out.
fn kernel() -> Option<(u32, u32)> {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").ok()?;
    let mut numbers = release.split(|letter: char| !letter.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// Those that a filter can be made for.
fn architectures() -> Vec<Arch> {
    Architecture::all().filter_map(|architecture| architecture.name().parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_that_is_newer_than_the_kernel_is_known_and_not_supported() {
        assert_eq!(supported_flags(Some((5, 18))).last(), Some(&"SECCOMP_FILTER_FLAG_TSYNC"));
        assert_eq!(supported_flags(Some((5, 19))), FILTER_FLAGS);
        assert_eq!(supported_flags(None), FILTER_FLAGS);
        assert!(kernel().is_some_and(|version| version >= (5, 14)));
    }
}
