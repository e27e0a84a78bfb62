//! The configurations that `spec` writes.

mod json;
mod mounts;
mod write;

use oci_spec::runtime::{
    Capabilities, Capability, Linux, LinuxCapabilities, LinuxDeviceCgroup, LinuxIdMapping,
    LinuxIdMappingBuilder, LinuxNamespace, LinuxNamespaceType, LinuxResources, PosixRlimitBuilder,
    PosixRlimitType, Process, Root, Spec, User,
};

pub use json::to_json;
pub use write::write_spec;

/// The version of the specification that is written, and the latest one that is read.
pub(crate) const VERSION: &str = "1.3.0";

/// Masked: what tells about the host or could change it.
const MASKED: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// The configuration that `spec` writes: `sh` on a terminal in the directory `rootfs`, read-only, with namespaces of its own
/// but that of users, no device of the host, and three capabilities.
///
/// It is that of `runc spec`, and has a cgroup namespace and more masked paths besides. It has no ambient capabilities: the
/// kernel does not take them where the inheritable ones are empty.
///
/// ```
/// use cofferdam::oci::{default_spec, validate};
///
/// let mut spec = default_spec();
/// spec.set_hostname(Some("web".into()));
/// assert!(validate(&spec)?.not_applied.is_empty());
/// # Ok::<(), cofferdam::oci::Error>(())
/// ```
pub fn default_spec() -> Spec {
    use LinuxNamespaceType::{Cgroup, Ipc, Mount, Network, Pid, Uts};

    let mut resources = LinuxResources::default();
    let mut nothing = LinuxDeviceCgroup::default();
    nothing.set_allow(false).set_access(Some("rwm".into()));
    resources.set_devices(Some(vec![nothing]));
    let mut linux = bare_linux();
    linux
        .set_resources(Some(resources))
        .set_namespaces(Some(namespaces(&[Pid, Network, Ipc, Uts, Mount, Cgroup])));
    let mut spec = Spec::default();
    spec.set_version(VERSION.into())
        .set_process(Some(process()))
        .set_root(Some(root()))
        .set_hostname(Some("cofferdam".into()))
        .set_mounts(Some(mounts::all()))
        .set_annotations(None)
        .set_linux(Some(linux));
    spec
}

/// The configuration that `spec --rootless` writes: as [`default_spec`], for a user without privileges, who is root in the
/// container. It has the host's network, and no limits.
///
/// The ids are those of the user and the user's group on the host.
pub fn default_spec_rootless(uid: u32, gid: u32) -> Spec {
    use LinuxNamespaceType::{Cgroup, Ipc, Mount, Pid, User, Uts};

    let mut linux = bare_linux();
    linux
        .set_uid_mappings(Some(vec![as_root(uid)]))
        .set_gid_mappings(Some(vec![as_root(gid)]))
        .set_resources(None)
        .set_namespaces(Some(namespaces(&[Pid, Ipc, Uts, Mount, Cgroup, User])));
    let mut spec = default_spec();
    spec.set_mounts(Some(mounts::rootless())).set_linux(Some(linux));
    spec
}

fn bare_linux() -> Linux {
    let paths = |paths: &[&str]| Some(paths.iter().copied().map(String::from).collect());
    let mut linux = Linux::default();
    linux.set_masked_paths(paths(&MASKED)).set_readonly_paths(paths(&READ_ONLY));
    linux
}

fn namespaces(kinds: &[LinuxNamespaceType]) -> Vec<LinuxNamespace> {
    let one = |kind: &LinuxNamespaceType| {
        let mut namespace = LinuxNamespace::default();
        namespace.set_typ(*kind);
        namespace
    };
    kinds.iter().map(one).collect()
}

/// One id of the host as root.
fn as_root(id: u32) -> LinuxIdMapping {
    // The builder has a default for everything: it cannot fail.
    LinuxIdMappingBuilder::default().container_id(0_u32).host_id(id).size(1_u32).build().unwrap_or_default()
}

fn root() -> Root {
    let mut root = Root::default();
    root.set_path("rootfs".into()).set_readonly(Some(true));
    root
}

fn process() -> Process {
    let kept: Capabilities =
        [Capability::AuditWrite, Capability::Kill, Capability::NetBindService].into_iter().collect();
    let mut capabilities = LinuxCapabilities::default();
    capabilities
        .set_bounding(Some(kept.clone()))
        .set_effective(Some(kept.clone()))
        .set_permitted(Some(kept))
        .set_inheritable(None)
        .set_ambient(None);
    // As above.
    let files =
        PosixRlimitBuilder::default().typ(PosixRlimitType::RlimitNofile).hard(1024_u64).soft(1024_u64);
    let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let mut process = Process::default();
    process
        .set_terminal(Some(true))
        .set_user(User::default())
        .set_args(Some(vec!["sh".into()]))
        .set_env(Some(vec![path.into(), "TERM=xterm".into()]))
        .set_cwd("/".into())
        .set_capabilities(Some(capabilities))
        .set_rlimits(Some(vec![files.build().unwrap_or_default()]))
        .set_no_new_privileges(Some(true));
    process
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use serde_json::{Value, json};

    use super::*;
    use crate::oci::{Config, validate};

    /// What runc writes, if it is there.
    fn runc(arguments: &[&str]) -> Option<Value> {
        let directory = tempfile::tempdir().unwrap();
        let status = Command::new("runc").arg("spec").args(arguments).current_dir(&directory).status();
        let written = status.is_ok_and(|status| status.success());
        if !written {
            assert!(std::env::var_os("REQUIRE_ALL").is_none(), "required: runc");
            println!("skipped: needs runc");
            return None;
        }
        serde_json::from_slice(&std::fs::read(directory.path().join("config.json")).unwrap()).ok()
    }

    /// Takes out of both what is known to differ, and sorts what has no order.
    fn comparable(spec: &Spec, theirs: &mut Value) -> Value {
        let mut ours: Value = serde_json::from_str(&to_json(spec).unwrap()).unwrap();
        for document in [&mut ours, &mut *theirs] {
            let top = document.as_object_mut().unwrap();
            top.remove("ociVersion").unwrap();
            top.remove("hostname").unwrap();
            top["process"]["capabilities"].as_object_mut().unwrap().remove("ambient");
            let linux = &mut document["linux"];
            linux["namespaces"].as_array_mut().unwrap().retain(|namespace| namespace["type"] != "cgroup");
            let masked = linux["maskedPaths"].as_array_mut().unwrap();
            masked.retain(|path| *path != "/proc/interrupts" && *path != "/sys/devices/virtual/powercap");
            masked.sort_by_key(Value::to_string);
        }
        ours
    }

    #[test]
    fn the_default_is_that_of_runc_but_for_what_is_documented() {
        let Some(mut theirs) = runc(&[]) else { return };
        assert_eq!(comparable(&default_spec(), &mut theirs), theirs);
    }

    #[test]
    fn the_rootless_default_is_that_of_runc_but_for_what_is_documented() {
        let Some(mut theirs) = runc(&["--rootless"]) else { return };
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        assert_eq!(comparable(&default_spec_rootless(uid, gid), &mut theirs), theirs);
    }

    #[test]
    fn both_defaults_can_be_read_again_and_are_valid() {
        for spec in [default_spec(), default_spec_rootless(1000, 1001)] {
            assert_eq!(Config::from_slice(to_json(&spec).unwrap().as_bytes()).unwrap(), spec);
            assert!(validate(&spec).unwrap().not_applied.is_empty());
        }
        let rootless: Value = serde_json::to_value(default_spec_rootless(1000, 1001)).unwrap();
        assert_eq!(rootless["linux"]["uidMappings"], json!([{"containerID": 0, "hostID": 1000, "size": 1}]));
        assert_eq!(rootless["linux"]["gidMappings"], json!([{"containerID": 0, "hostID": 1001, "size": 1}]));
        assert_eq!(rootless["ociVersion"], "1.3.0");
        assert_eq!(rootless["hostname"], "cofferdam");
    }
}
