//! Configurations: whatever is read, nothing panics, an error is one line, and what is taken is read back as the same.
#![cfg(feature = "oci")]

use cofferdam::oci::{Config, default_spec, default_spec_rootless, to_json, validate};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

/// Reads, checks, writes and reads again.
fn read(bytes: &[u8]) {
    let spec = match Config::from_slice(bytes) {
        Ok(spec) => spec,
        Err(error) => return one_line(&error.to_string()),
    };
    if let Err(error) = validate(&spec) {
        one_line(&error.to_string());
    }
    let text = to_json(&spec).expect("what was read can be written");
    let again = Config::from_slice(text.as_bytes()).expect("what was written can be read");
    assert_eq!(to_json(&again).ok(), Some(text));
}

fn one_line(text: &str) {
    assert!(text.starts_with("config.json: "), "{text}");
    assert!(!text.contains(char::is_control), "{text:?}");
    assert!(text.len() < 4096, "{text}");
}

/// Values of all kinds, and those with a meaning somewhere.
fn value() -> impl Strategy<Value = Value> {
    let words = "CAP_SYS_ADMIN|RLIMIT_AS|user|time|network|/proc|\\.\\./a|net\\.core\\.x|SCMP_ACT_ERRNO|c|MPOL_BIND|0-3";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        prop_oneof![Just(-1), Just(0), Just(1), Just(1 << 31), Just(1 << 32), Just(i64::MAX), any::<i64>()]
            .prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        words.prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    let key = "type|path|options|uid|size|containerID|hostID|name|a\\.b|.{0,4}";
    leaf.prop_recursive(3, 16, 4, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((key, inner), 0..4).prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

/// Puts `value` in the place to which `way` leads.
fn put(document: &mut Value, way: &[prop::sample::Index], value: Value) {
    let Some((step, rest)) = way.split_first() else {
        *document = value;
        return;
    };
    match document {
        Value::Array(items) if !items.is_empty() => {
            let index = step.index(items.len());
            put(&mut items[index], rest, value);
        }
        Value::Object(entries) if !entries.is_empty() => {
            let index = step.index(entries.len());
            let (_, entry) = entries.iter_mut().nth(index).expect("below the length");
            put(entry, rest, value);
        }
        _ => *document = value,
    }
}

/// A configuration in which each section stands.
fn full() -> Value {
    let mut document = serde_json::to_value(default_spec_rootless(1000, 1000)).expect("the default");
    let more = json!({
        "annotations": {"org.example": "x"},
        "domainname": "example",
        "hooks": {"createRuntime": [{"path": "/bin/true", "args": ["true"], "env": ["A=1"], "timeout": 1}]},
        "linux": {
            "sysctl": {"kernel.shmmax": "1"},
            "timeOffsets": {"boottime": {"secs": 1, "nanosecs": 2}},
            "devices": [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 438, "uid": 0, "gid": 0}],
            "netDevices": {"eth0": {"name": "net%d"}},
            "resources": {
                "devices": [{"allow": true, "type": "c", "major": 1, "minor": -1, "access": "rw"}],
                "memory": {"limit": -1, "swappiness": 1}, "cpu": {"shares": 2, "cpus": "0", "idle": 0}, "pids": {"limit": 5},
                "unified": {"memory.high": "max"}, "rdma": {"mlx": {"hcaObjects": 1}},
                "blockIO": {"weight": 10, "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 1}]},
                "hugepageLimits": [{"pageSize": "2MB", "limit": 0}], "network": {"classID": 1},
            },
            "intelRdt": {"closID": "x", "schemata": ["L3:0=f"]}, "memoryPolicy": {"mode": "MPOL_BIND", "nodes": "0"},
            "personality": {"domain": "LINUX"}, "cgroupsPath": "/x", "rootfsPropagation": "slave",
            "seccomp": {"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [
                {"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]},
            ]},
        },
        "process": {
            "scheduler": {"policy": "SCHED_DEADLINE", "runtime": 1024, "deadline": 1024, "flags": ["SCHED_FLAG_DL_OVERRUN"]},
            "ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 4}, "execCPUAffinity": {"initial": "0", "final": "0-1"},
            "consoleSize": {"height": 1, "width": 2}, "oomScoreAdj": 5, "apparmorProfile": "x", "selinuxLabel": "y",
        },
    });
    let top = document.as_object_mut().expect("an object");
    for (section, value) in more.as_object().cloned().expect("an object") {
        match (top.get_mut(&section).and_then(Value::as_object_mut), value) {
            (Some(there), Value::Object(more)) => there.extend(more),
            (_, value) => drop(top.insert(section, value)),
        }
    }
    document
}

#[test]
fn the_configuration_that_the_properties_start_from_is_read() {
    let spec = Config::from_slice(full().to_string().as_bytes()).expect("valid");
    assert_eq!(
        validate(&spec).expect_err("one thing").to_string(),
        "config.json: linux.timeOffsets: the container has no new time namespace"
    );
    assert!(validate(&default_spec()).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_reading_panic(bytes in vec(any::<u8>(), 0..200)) {
        read(&bytes);
    }

    #[test]
    fn no_json_makes_reading_panic(value in value()) {
        read(value.to_string().as_bytes());
    }

    #[test]
    fn no_change_of_a_configuration_makes_it_panic(
        changes in vec((vec(any::<prop::sample::Index>(), 1..7), value()), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut document = full();
        for (way, value) in changes {
            put(&mut document, &way, value);
        }
        let text = document.to_string();
        let end = cut.map_or(text.len(), |cut| cut.index(text.len() + 1));
        read(&text.as_bytes()[..end]);
    }
}
