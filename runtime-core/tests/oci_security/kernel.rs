//! Parameters of the kernel, and cgroups, which belong to the host.

use std::fs;

use serde_json::json;

use crate::common::bundle::{Bundle, busybox};
use crate::common::can_isolate;
use crate::fixture::{Before, Outside, attempt, for_everybody};
use crate::require;

#[test]
fn cve_2022_0811_no_parameter_of_the_host_is_set_under_any_name() {
    require!(busybox().is_some(), "a static busybox");
    require!(can_isolate(), "namespaces");
    for_everybody("kernel::cve_2022_0811_no_parameter_of_the_host_is_set_under_any_name", || {
        let (before, outside) = (Before::look(), Outside::new());
        let host = || fs::read("/proc/sys/kernel/core_pattern").unwrap();
        let pattern = host();
        for name in [
            "kernel.core_pattern",
            "kernel/core_pattern",
            "net.../../kernel/core_pattern",
            "net/../kernel/core_pattern",
            "net.ipv4./../../kernel/core_pattern",
            "kernel.shm_rmid_forced+kernel.core_pattern",
            "kernel.shm_rmid_forced\nkernel.core_pattern",
            "kernel.shm_rmid_forced/../core_pattern",
            "kernel..core_pattern",
            "/kernel/core_pattern",
            "kernel.modprobe",
            "vm.overcommit_memory",
            "net",
            "",
        ] {
            let mut bundle = Bundle::new("exit 0");
            bundle.config["linux"]["sysctl"] = json!({ name: "|/x" });
            let text = attempt(&bundle).unwrap_err().to_string();
            assert!(text.starts_with("config.json: linux.sysctl"), "{name:?}: {text}");
            assert_eq!(text.lines().count(), 1, "{name:?}: {text}");
            before.assert_same(&bundle, &outside, name);
        }
        assert_eq!(host(), pattern);
        // Values are one value of that parameter.
        let mut bundle = Bundle::new("cat /proc/sys/kernel/shm_rmid_forced");
        bundle.config["linux"]["sysctl"] = json!({ "kernel.shm_rmid_forced": "1+kernel.core_pattern=x" });
        let text = attempt(&bundle).unwrap_err().to_string();
        assert!(text.contains("EINVAL"), "{text}");
        bundle.config["linux"]["sysctl"] = json!({ "kernel.shm_rmid_forced": "1" });
        assert_eq!(attempt(&bundle).unwrap(), "1\n");
        assert_eq!(host(), pattern);
    });
}

/// Says whether there was something to try, and what could be done. With the capability it may change its own mounts, which
/// is no way to the agent.
const AGENT: &str = "n=0; for f in $(busybox find /sys/fs/cgroup -name release_agent -o -name notify_on_release \
    -o -name cgroup.procs 2>/dev/null); do n=$((n+1)); { echo x > $f; } 2>/dev/null && echo written $f; done; \
    busybox mkdir /tmp/c; for o in memory rdma pids cpu name=x; do busybox mount -t cgroup -o $o c /tmp/c 2>/dev/null \
    && { echo x > /tmp/c/release_agent; } 2>/dev/null && echo mounted $o; done; \
    for d in /sys/fs/cgroup /sys/fs/cgroup/*; do busybox mount -o remount,rw $d 2>/dev/null; \
    { echo x > $d/release_agent; } 2>/dev/null && [ -s $d/cgroup.procs ] && echo written $d; done; [ $n -gt 0 ] && echo tried";

#[test]
fn cve_2022_0492_a_program_in_a_user_namespace_cannot_set_a_release_agent() {
    require!(busybox().is_some(), "a static busybox");
    require!(can_isolate(), "namespaces");
    for_everybody("kernel::cve_2022_0492_a_program_in_a_user_namespace_cannot_set_a_release_agent", || {
        let mut bundle = Bundle::new(AGENT);
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let linux = bundle.config["linux"].as_object_mut().unwrap();
        if uid == 0 {
            linux["namespaces"].as_array_mut().unwrap().push(json!({ "type": "user" }));
            linux.insert("uidMappings".into(), json!([{ "containerID": 0, "hostID": uid, "size": 1 }]));
            linux.insert("gidMappings".into(), json!([{ "containerID": 0, "hostID": gid, "size": 1 }]));
            let mounts = bundle.config["mounts"].as_array_mut().unwrap();
            mounts.retain(|entry| entry["destination"] != "/dev/pts");
        }
        let tmp = json!({ "destination": "/tmp", "type": "tmpfs", "source": "tmpfs" });
        bundle.config["mounts"].as_array_mut().unwrap().push(tmp);
        let all = json!(["CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE"]);
        bundle.config["process"]["capabilities"] =
            json!({ "bounding": all, "effective": all, "permitted": all });
        assert_eq!(attempt(&bundle).unwrap(), "tried\n");
    });
}
