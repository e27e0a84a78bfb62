//! What is mounted in the default configuration.

use oci_spec::runtime::Mount;

/// Destination, type, source and options.
type Row = (&'static str, &'static str, &'static str, &'static [&'static str]);

const PROC: Row = ("/proc", "proc", "proc", &[]);
const DEV: Row = ("/dev", "tmpfs", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]);
const PTS: Row = (
    "/dev/pts",
    "devpts",
    "devpts",
    &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
);
const SHM: Row = ("/dev/shm", "tmpfs", "shm", &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]);
const MQUEUE: Row = ("/dev/mqueue", "mqueue", "mqueue", &["nosuid", "noexec", "nodev"]);
const SYS: Row = ("/sys", "sysfs", "sysfs", &["nosuid", "noexec", "nodev", "ro"]);
const CGROUP: Row = ("/sys/fs/cgroup", "cgroup", "cgroup", &["nosuid", "noexec", "nodev", "relatime", "ro"]);

/// The group 5 is not mapped.
const ROOTLESS_PTS: Row =
    ("/dev/pts", "devpts", "devpts", &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]);
/// Only the owner of the network namespace can mount a sysfs.
const ROOTLESS_SYS: Row = ("/sys", "none", "/sys", &["rbind", "nosuid", "noexec", "nodev", "ro"]);

pub(super) fn all() -> Vec<Mount> {
    [PROC, DEV, PTS, SHM, MQUEUE, SYS, CGROUP].into_iter().map(mount).collect()
}

pub(super) fn rootless() -> Vec<Mount> {
    [PROC, DEV, ROOTLESS_PTS, SHM, MQUEUE, ROOTLESS_SYS, CGROUP].into_iter().map(mount).collect()
}

fn mount((destination, kind, source, options): Row) -> Mount {
    let options: Vec<String> = options.iter().copied().map(String::from).collect();
    let mut mount = Mount::default();
    mount
        .set_destination(destination.into())
        .set_typ(Some(kind.into()))
        .set_source(Some(source.into()))
        .set_options(Some(options).filter(|options| !options.is_empty()));
    mount
}
