//! The configuration that `spec` writes.

use std::fs;

use serde_json::json;

use super::{attempt, boxed, default_files, has_busybox, is_root};
use crate::oci::plan::testing::{explain, output};

#[test]
fn the_default_bundle_has_its_mounts_devices_and_links() {
    if !has_busybox() {
        return;
    }
    if !is_root() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let command = "cut -d' ' -f5,6 /proc/self/mountinfo; cd /dev; stat -c '%n %F %t:%T %a %u:%g' * | sort; \
        for l in fd stdin stdout stderr ptmx; do readlink $l; done";
    let text = output(&boxed(root.path(), command, default_files));
    for line in [
        "/proc rw,relatime",
        "/dev rw,nosuid",
        "/dev/pts rw,nosuid,noexec,relatime",
        "/dev/shm rw,nosuid,nodev,noexec,relatime",
        "/dev/mqueue rw,nosuid,nodev,noexec,relatime",
        "/sys ro,nosuid,nodev,noexec,relatime",
        "/proc/sys ro,relatime",
        "null character special file 1:3 666 0:0",
        "zero character special file 1:5 666 0:0",
        "full character special file 1:7 666 0:0",
        "random character special file 1:8 666 0:0",
        "urandom character special file 1:9 666 0:0",
        "tty character special file 5:0 666 0:0",
        "/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2\npts/ptmx",
    ] {
        assert!(text.contains(line), "{line} is missing in:\n{text}");
    }
    // Nothing was made in the root of the host.
    assert_eq!(fs::read_dir(root.path().join("dev")).unwrap().count(), 0);
}

#[test]
fn the_default_bundle_protects_files_of_the_kernel() {
    if !has_busybox() {
        return;
    }
    if !is_root() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let command = "for f in /proc/interrupts /proc/timer_list; do cat $f; done; ls /proc/acpi /sys/firmware; \
        for f in /proc/sys/kernel/hostname /proc/acpi/x /sys/kernel/x /proc/sysrq-trigger; do echo x 2>&1 > $f; done";
    let text = output(&boxed(root.path(), command, default_files));
    for line in [
        "/proc/acpi:\n\n/sys/firmware:\n",
        "/proc/sys/kernel/hostname: Read-only file system",
        "/proc/acpi/x: Read-only file system",
        "/sys/kernel/x: ",
    ] {
        assert!(text.contains(line), "{line} is missing in:\n{text}");
    }
    assert!(!text.contains("CPU0"), "{text}");
}

#[test]
fn the_plan_of_the_default_bundle_says_what_is_done_with_files() {
    // Others are shown the nodes of the host.
    if !is_root() || !has_busybox() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let text = explain(&boxed(root.path(), "true", default_files)).unwrap();
    let text = text.replace(&root.path().display().to_string(), "ROOT");
    let wanted = [
        "set umask 000",
        "set slave recursive on /",
        "rbind ROOT",
        "verify ROOT",
        "attach ROOT slave recursive on /",
        "make directory proc in ROOT mode 755",
        "open proc in ROOT",
        "mount proc source=proc on /proc",
        "make mount target /dev in ROOT",
        "mount tmpfs source=tmpfs mode=755 size=65536k nosuid strictatime on /dev",
        "mount devpts source=devpts newinstance ptmxmode=0666 mode=0620 gid=5 nosuid noexec on /dev/pts",
        "mount tmpfs source=shm mode=1777 size=65536k nosuid nodev noexec on /dev/shm",
        "mount mqueue source=mqueue nosuid nodev noexec on /dev/mqueue",
        "open sys in ROOT",
        "mount sysfs source=sysfs ro nosuid nodev noexec on /sys",
        "open null in /dev",
        "verify /dev/null",
        "call symlinkat fd to /proc/self/fd",
        "pivot into root ROOT",
        "if /proc/sys exists: rbind /proc/sys ro recursive on /proc/sys, close /proc/sys",
        "open /dev/null",
        "verify /dev/null",
        "if /proc/keys exists: if /proc/keys is a directory: bind an empty directory on /proc/keys, \
            otherwise: bind /dev/null on /proc/keys, close /proc/keys",
    ];
    let mut rest = text.as_str();
    for line in wanted {
        let found = rest.split_once(&format!("{line}\n"));
        rest = found.unwrap_or_else(|| panic!("{line} is not in order in:\n{text}")).1;
    }
}

#[test]
fn the_bundle_for_users_without_privileges_is_mounted_for_everyone() {
    if !has_busybox() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let default = serde_json::to_value(crate::oci::default_spec_rootless(uid, gid)).unwrap();
    let command = "cut -d' ' -f5,6 /proc/self/mountinfo | grep -v /sys/; stat -c '%n %F %t:%T' /dev/null /dev/tty; \
        cat /proc/timer_list; echo x > /proc/sys/kernel/hostname; touch /sys/x /sys/fs/cgroup/x";
    let spec = boxed(root.path(), command, |value| {
        value["mounts"] = default["mounts"].clone();
        value["linux"] = default["linux"].clone();
    });
    let text = attempt(&spec).unwrap();
    for line in [
        "/proc rw,relatime\n",
        "/dev rw,nosuid\n",
        "/dev/pts rw,nosuid,noexec,relatime\n",
        "/dev/null character special file 1:3\n",
        "/dev/tty character special file 5:0\n",
        "/proc/sys/kernel/hostname: Read-only file system\n",
        "touch: /sys/x: Read-only file system\n",
        "touch: /sys/fs/cgroup/x: Read-only file system\n",
    ] {
        assert!(text.contains(line), "{line} is missing in:\n{text}");
    }
    assert!(!text.contains("Tick Device"), "{text}");
}

#[test]
fn the_default_bundle_is_mounted_in_a_user_namespace_of_many_ids() {
    if !has_busybox() {
        return;
    }
    if !is_root() {
        return;
    }
    let parent = tempfile::tempdir().unwrap();
    let root = parent.path().join("rootfs");
    let command = "cut -d' ' -f5,6 /proc/self/mountinfo | grep -v /sys/; stat -c '%n %F %t:%T' /dev/null /dev/tty; \
        stat -c %g /dev/pts/ptmx; cat /proc/timer_list; touch /sys/x /x; id -u";
    let spec = boxed(&root, command, |value| {
        default_files(value);
        let namespaces = value["linux"]["namespaces"].as_array_mut().unwrap();
        namespaces.extend([json!({ "type": "user" }), json!({ "type": "cgroup" })]);
        let map = json!([{ "containerID": 0, "hostID": 100_000, "size": 65536 }]);
        value["linux"]["uidMappings"] = map.clone();
        value["linux"]["gidMappings"] = map;
    });
    // Nobody but root of the host comes here.
    std::os::unix::fs::chown(&root, Some(100_000), Some(100_000)).unwrap();
    fs::set_permissions(parent.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let text = attempt(&spec).unwrap();
    for line in [
        "/proc rw,relatime\n",
        "/dev/mqueue rw,nosuid,nodev,noexec,relatime\n",
        "/sys ro,nosuid,nodev,noexec,relatime\n",
        "/dev/null character special file 1:3\n",
        "/dev/tty character special file 5:0\n0\n",
        "touch: /sys/x: Read-only file system\n0\n",
    ] {
        assert!(text.contains(line), "{line} is missing in:\n{text}");
    }
    assert!(!text.contains("Tick Device"), "{text}");
}
