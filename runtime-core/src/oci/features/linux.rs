//! The part of Linux.

use cofferdam_process::CAPABILITY_NAMES;
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
        .set_archs(Some(ARCHITECTURES.to_vec()))
        .set_known_flags(Some(texts(&FILTER_FLAGS)))
        .set_supported_flags(Some(texts(&FILTER_FLAGS)));
    seccomp
}

/// Those that a configuration may name; the other ones than this machine's can never be met, and are left out of filters.
const ARCHITECTURES: [Arch; 23] = [
    Arch::ScmpArchAarch64,
    Arch::ScmpArchArm,
    Arch::ScmpArchLoongarch64,
    Arch::ScmpArchM68k,
    Arch::ScmpArchMips,
    Arch::ScmpArchMips64,
    Arch::ScmpArchMips64n32,
    Arch::ScmpArchMipsel,
    Arch::ScmpArchMipsel64,
    Arch::ScmpArchMipsel64n32,
    Arch::ScmpArchParisc,
    Arch::ScmpArchParisc64,
    Arch::ScmpArchPpc,
    Arch::ScmpArchPpc64,
    Arch::ScmpArchPpc64le,
    Arch::ScmpArchRiscv64,
    Arch::ScmpArchS390,
    Arch::ScmpArchS390x,
    Arch::ScmpArchSh,
    Arch::ScmpArchSheb,
    Arch::ScmpArchX32,
    Arch::ScmpArchX86,
    Arch::ScmpArchX86_64,
];
