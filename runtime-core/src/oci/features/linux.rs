//! The part of Linux.

use cofferdam_process::CAPABILITY_NAMES;
use cofferdam_seccomp::{Architecture, Flags};
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
    let flags = filter_flags(Flags::supported());
    let supported: Vec<&str> = flags.iter().filter(|(_, here)| *here).map(|(name, _)| *name).collect();
    let mut seccomp = Seccomp::default();
    seccomp
        .set_enabled(Some(true))
        .set_actions(Some(actions))
        .set_operators(Some(texts(&OPERATORS)))
        .set_archs(Some(architectures()))
        .set_known_flags(Some(texts(&flags.map(|(name, _)| name))))
        .set_supported_flags(Some(texts(&supported)));
    seccomp
}

/// The flags of a configuration, and whether this kernel has them.
fn filter_flags(kernel: Flags) -> [(&'static str, bool); 4] {
    [
        ("SECCOMP_FILTER_FLAG_LOG", kernel.log),
        ("SECCOMP_FILTER_FLAG_SPEC_ALLOW", kernel.spec_allow),
        ("SECCOMP_FILTER_FLAG_TSYNC", kernel.tsync),
        ("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", kernel.wait_killable_recv),
    ]
}

/// Those that a filter can be made for.
fn architectures() -> Vec<Arch> {
    Architecture::all().filter_map(|architecture| architecture.name().parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::*;
    use crate::oci::{Config, default_spec};

    /// The names that the reader knows where `lay` puts an unknown one: it says them.
    fn known(lay: impl FnOnce(&mut Value)) -> BTreeSet<String> {
        let mut document = serde_json::to_value(default_spec()).unwrap();
        lay(&mut document["linux"]);
        let error = Config::from_slice(document.to_string().as_bytes()).unwrap_err().to_string();
        let (_, names) = error.split_once("\"NONE\" is unknown: known are ").expect(&error);
        names.split(", ").map(str::to_owned).collect()
    }

    fn said(list: &Value) -> BTreeSet<String> {
        list.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn what_is_said_is_what_is_read() {
        let ours = serde_json::to_value(features()).unwrap();
        let filter = |change: Value| {
            move |linux: &mut Value| {
                linux["seccomp"] = json!({"defaultAction": "SCMP_ACT_ALLOW"});
                linux["seccomp"].as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            }
        };
        let argument = json!({"index": 0, "value": 0, "op": "NONE"});
        let rule = json!({"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [argument]});
        let policy = |mode: &str, flag: &str| {
            let policy = json!({"mode": mode, "nodes": "0", "flags": [flag]});
            move |linux: &mut Value| linux["memoryPolicy"] = policy
        };
        for (list, read) in [
            (&ours["namespaces"], known(|linux| linux["namespaces"] = json!([{"type": "NONE"}]))),
            (&ours["seccomp"]["actions"], known(filter(json!({"defaultAction": "NONE"})))),
            (&ours["seccomp"]["operators"], known(filter(json!({"syscalls": [rule]})))),
            (&ours["seccomp"]["knownFlags"], known(filter(json!({"flags": ["NONE"]})))),
            (&ours["memoryPolicy"]["modes"], known(policy("NONE", "MPOL_F_STATIC_NODES"))),
            (&ours["memoryPolicy"]["flags"], known(policy("MPOL_BIND", "NONE"))),
        ] {
            assert_eq!(said(list), read);
        }
    }

    #[test]
    fn a_flag_that_this_kernel_does_not_have_is_known_and_not_supported() {
        let mut kernel = Flags::supported();
        kernel.wait_killable_recv = false;
        assert_eq!(filter_flags(kernel).last(), Some(&("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", false)));
        let ours = serde_json::to_value(features()).unwrap();
        let has = |name: &str| said(&ours["seccomp"]["supportedFlags"]).contains(name);
        assert!(has("SECCOMP_FILTER_FLAG_LOG") && has("SECCOMP_FILTER_FLAG_TSYNC"));
        assert_eq!(has("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"), Flags::supported().wait_killable_recv);
    }
}
