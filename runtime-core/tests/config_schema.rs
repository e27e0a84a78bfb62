//! The whole schema is read: a configuration in which every property of the runtime-spec 1.3 for Linux stands is the same
//! after reading. A field that the types do not know would be gone.
#![cfg(feature = "oci")]

use cofferdam::oci::{Config, Spec, to_json, validate};
use serde_json::{Value, json};

fn process() -> Value {
    let capabilities = json!(["CAP_KILL"]);
    json!({
        "terminal": true,
        "consoleSize": {"height": 25, "width": 80},
        "cwd": "/root",
        "env": ["PATH=/bin", "TERM=xterm"],
        "args": ["sh", "-c", "true"],
        "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 1, "hard": u64::MAX}],
        "apparmorProfile": "acme_secure_profile",
        "capabilities": {
            "bounding": capabilities, "effective": capabilities, "permitted": capabilities, "inheritable": capabilities,
            "ambient": capabilities,
        },
        "noNewPrivileges": true,
        "oomScoreAdj": 100,
        "scheduler": {
            "policy": "SCHED_DEADLINE", "nice": 1, "priority": 0, "flags": ["SCHED_RESET_ON_FORK"], "runtime": 4096,
            "deadline": 8192, "period": 16384,
        },
        "selinuxLabel": "system_u:system_r:svirt_lxc_net_t:s0:c124,c675",
        "ioPriority": {"class": "IOPRIO_CLASS_IDLE", "priority": 4},
        "execCPUAffinity": {"initial": "7", "final": "0-3,7"},
        "user": {"uid": 1, "gid": 2, "umask": 63, "additionalGids": [5, 6]},
    })
}

fn hooks() -> Value {
    let hook = json!([{"path": "/usr/bin/hook", "args": ["hook", "x"], "env": ["A=1"], "timeout": 5}]);
    let kinds = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];
    kinds.iter().map(|kind| (kind.to_string(), hook.clone())).collect::<serde_json::Map<_, _>>().into()
}

fn resources() -> Value {
    let throttle = json!([{"major": 8, "minor": 0, "rate": 600}]);
    json!({
        "devices": [{"allow": false, "access": "rwm"}, {"allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw"}],
        "memory": {
            "limit": 536_870_912, "reservation": 536_870_912, "swap": -1, "kernel": -1, "kernelTCP": -1, "swappiness": 0,
            "disableOOMKiller": false, "useHierarchy": false, "checkBeforeUpdate": true,
        },
        "cpu": {
            "shares": 1024, "quota": 1_000_000, "burst": 1_000_000, "period": 500_000, "realtimeRuntime": 950_000,
            "realtimePeriod": 1_000_000, "cpus": "2-3", "mems": "0-7", "idle": 0,
        },
        "blockIO": {
            "weight": 10, "leafWeight": 10,
            "weightDevice": [{"major": 8, "minor": 0, "weight": 500, "leafWeight": 300}],
            "throttleReadBpsDevice": throttle, "throttleWriteBpsDevice": throttle, "throttleReadIOPSDevice": throttle,
            "throttleWriteIOPSDevice": throttle,
        },
        "hugepageLimits": [{"pageSize": "2MB", "limit": 9_223_372_036_854_772_000_i64}],
        "network": {"classID": 1_048_577, "priorities": [{"name": "eth0", "priority": 500}]},
        "pids": {"limit": 32771},
        "rdma": {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 10000}},
        "unified": {"io.max": "259:0 rbps=2097152"},
    })
}

fn linux() -> Value {
    let ids = json!([{"containerID": 0, "hostID": 1000, "size": 32000}]);
    let kinds = ["pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time"];
    let mut namespaces: Vec<Value> = kinds.iter().map(|kind| json!({"type": kind})).collect();
    namespaces[0]["path"] = "/proc/1234/ns/pid".into();
    json!({
        "namespaces": namespaces, "uidMappings": ids, "gidMappings": ids,
        "timeOffsets": {"monotonic": {"secs": -172_800, "nanosecs": 5}, "boottime": {"secs": 604_800}},
        "devices": [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 438, "uid": 0, "gid": 0}],
        "netDevices": {"eth0": {"name": "container_eth0"}},
        "cgroupsPath": "/myRuntime/myContainer", "resources": resources(),
        "intelRdt": {
            "closID": "guaranteed_group", "schemata": ["L2:0=f"], "l3CacheSchema": "L3:0=7f0;1=1f",
            "memBwSchema": "MB:0=20;1=70", "enableMonitoring": true,
        },
        "memoryPolicy": {"mode": "MPOL_INTERLEAVE", "nodes": "2-3", "flags": ["MPOL_F_STATIC_NODES"]},
        "sysctl": {"net.core.somaxconn": "256"},
        "seccomp": {
            "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "architectures": ["SCMP_ARCH_X86"],
            "flags": ["SECCOMP_FILTER_FLAG_LOG"], "listenerPath": "/run/agent.sock", "listenerMetadata": "foo",
            "syscalls": [{"names": ["getcwd"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5, "args": [
                {"index": 0, "value": u64::MAX, "valueTwo": 1, "op": "SCMP_CMP_MASKED_EQ"},
            ]}],
        },
        "rootfsPropagation": "slave", "maskedPaths": ["/proc/kcore"], "readonlyPaths": ["/proc/sys"],
        "mountLabel": "system_u:object_r:svirt_sandbox_file_t:s0:c715,c811",
        "personality": {"domain": "LINUX32", "flags": []},
    })
}

fn everything() -> Value {
    let ids = json!([{"containerID": 0, "hostID": 1000, "size": 1}]);
    json!({
        "ociVersion": "1.3.0",
        "root": {"path": "rootfs", "readonly": true},
        "mounts": [{
            "destination": "/data", "source": "/volumes/testing", "type": "none", "options": ["rbind", "rw"],
            "uidMappings": ids, "gidMappings": ids,
        }],
        "hostname": "mrsdalloway", "domainname": "foobarbaz.test",
        "process": process(), "hooks": hooks(), "linux": linux(),
        "annotations": {"com.example.gpu-cores": "2"},
    })
}

fn read(document: &Value) -> Spec {
    Config::from_slice(document.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_configuration_with_every_property_is_the_same_after_reading_and_valid() {
    let spec = read(&everything());
    assert_eq!(serde_json::from_str::<Value>(&to_json(&spec).unwrap()).unwrap(), everything());
    assert_eq!(
        validate(&spec).map(|report| report.not_applied).map_err(|error| error.to_string()),
        Ok(Vec::new())
    );
}

#[test]
fn names_that_the_types_have_otherwise_are_read_by_the_specifications() {
    let mut document = everything();
    document["process"]["scheduler"]["flags"] = json!(["SCHED_FLAG_DL_OVERRUN"]);
    document["linux"]["intelRdt"] = json!({"enableCMT": true, "enableMBM": false});
    let spec = read(&document);
    let flags = spec.process().as_ref().unwrap().scheduler().as_ref().unwrap().flags().clone().unwrap();
    assert_eq!(flags, [oci_spec::runtime::LinuxSchedulerFlag::SchedFlagDLOverrun]);
    let rdt = spec.linux().as_ref().unwrap().intel_rdt().as_ref().unwrap();
    #[allow(deprecated, reason = "configurations have them")]
    let both = (*rdt.enable_cmt(), *rdt.enable_mbm());
    assert_eq!(both, (Some(true), Some(false)));
    assert_eq!(validate(&read(&serde_json::to_value(&spec).unwrap())).unwrap().not_applied, []);
}

#[test]
fn every_value_of_another_kind_is_named_with_its_path() {
    /// Each leaf in turn becomes something that it cannot be.
    fn spoil(document: &Value, at: &mut Vec<String>, spoilt: &mut Vec<String>) {
        match document {
            Value::Object(entries) => entries.iter().for_each(|(key, value)| {
                at.push(key.clone());
                spoil(value, at, spoilt);
                at.pop();
            }),
            Value::Array(items) => items.iter().enumerate().for_each(|(index, value)| {
                at.push(index.to_string());
                spoil(value, at, spoilt);
                at.pop();
            }),
            _ => spoilt.push(format!(
                "/{}",
                at.iter().map(|key| key.replace('/', "~1")).collect::<Vec<_>>().join("/")
            )),
        }
    }
    let mut leaves = Vec::new();
    spoil(&everything(), &mut Vec::new(), &mut leaves);
    assert!(leaves.len() > 180, "{}", leaves.len());
    for pointer in leaves {
        let mut document = everything();
        *document.pointer_mut(&pointer).unwrap() = json!([[]]);
        let error = Config::from_slice(document.to_string().as_bytes()).expect_err(&pointer).to_string();
        let leaf = pointer.rsplit('/').find(|step| step.parse::<usize>().is_err()).unwrap();
        assert!(error.contains(leaf) && error.contains("an array is not "), "{pointer}: {error}");
    }
}

#[test]
fn what_an_engine_writes_is_read_and_valid() {
    // Made by podman 4.3 with a terminal, a user, limits, a device, a tmpfs, a sysctl and one more capability.
    let text = include_bytes!("configs/podman.json");
    let spec = Config::from_slice(text).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        validate(&spec).map(|report| report.not_applied).map_err(|error| error.to_string()),
        Ok(Vec::new())
    );
    let linux = spec.linux().as_ref().unwrap();
    assert_eq!(linux.sysctl().as_ref().unwrap()["net.core.somaxconn"], "100");
    assert_eq!(linux.resources().as_ref().unwrap().pids().as_ref().unwrap().limit(), 50);
    assert_eq!(spec.process().as_ref().unwrap().user().uid(), 1000);
}
