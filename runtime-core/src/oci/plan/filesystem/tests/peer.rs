//! Next to runc.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use super::{attempt, boxed, default_files, has_busybox, is_root};

/// What a container can see of its files, but for cgroups, which are others, and what one may leave out.
const LOOK: &str = "cut -d' ' -f5,6 /proc/self/mountinfo | grep -Ev '/cgroup|^/proc/.* |^/sys/.* |^/ ' | sort; \
    cd /dev; stat -c '%n %F %t:%T %a %u:%g' * pts/* | sort; for l in fd stdin stdout stderr ptmx; do readlink $l; done; \
    stat -c '%n %F %a' / /proc /sys /bin; cat /proc/timer_list /proc/keys; ls /proc/acpi /sys/firmware; \
    for f in /proc/sys/kernel/hostname /proc/sysrq-trigger /proc/irq/x /proc/acpi/x /sys/x; do (echo x > $f); done";

/// The same configuration, without what is not about files.
fn config() -> Value {
    let root = tempfile::tempdir().unwrap();
    let spec = boxed(root.path(), LOOK, default_files);
    let mut value = serde_json::to_value(&spec).unwrap();
    value["root"]["path"] = json!("rootfs");
    value["ociVersion"] = json!("1.0.2");
    let options = ["nosuid", "noexec", "nodev", "relatime", "ro"];
    let cgroup =
        json!({ "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": options });
    // Without it, runc's attempt to mount cgroup2 takes `nsdelegate` and the like from the host's mount.
    let namespaces = value["linux"]["namespaces"].as_array_mut().unwrap();
    namespaces.push(json!({ "type": "cgroup" }));
    let mounts = value["mounts"].as_array_mut().unwrap();
    mounts.retain(|mount| mount["destination"] != "/sys/fs/cgroup");
    mounts.push(cgroup);
    value
}

fn by_runc(config: &Value) -> Option<String> {
    let bundle = tempfile::tempdir().unwrap();
    fs::create_dir(bundle.path().join("rootfs")).unwrap();
    boxed(&bundle.path().join("rootfs"), "", |_| {});
    fs::write(bundle.path().join("config.json"), config.to_string()).unwrap();
    let id = format!("cofferdam-test-peer-{}", std::process::id());
    let mut command = Command::new("runc");
    command.arg("--root").arg(bundle.path().join("state")).args(["run", &id]).current_dir(bundle.path());
    let output = command.output().ok()?;
    Some(String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap())
}

#[test]
fn the_files_of_the_default_bundle_are_those_that_runc_shows() {
    if !has_busybox() {
        return;
    }
    if !is_root() {
        return;
    }
    let config = config();
    let Some(theirs) = by_runc(&config) else {
        println!("skipped: there is no runc");
        return;
    };
    let root = tempfile::tempdir().unwrap();
    let ours = attempt(&boxed(root.path(), LOOK, |value| {
        value["mounts"] = config["mounts"].clone();
        value["linux"]["namespaces"] = config["linux"]["namespaces"].clone();
        value["linux"]["maskedPaths"] = config["linux"]["maskedPaths"].clone();
        value["linux"]["readonlyPaths"] = config["linux"]["readonlyPaths"].clone();
    }));
    // The directory of the root is made by the test.
    assert!(theirs.contains("/dev/pts rw,nosuid,noexec,relatime\n"), "{theirs}");
    assert_eq!(ours.unwrap(), theirs);
}
