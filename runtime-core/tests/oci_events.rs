//! Statistics and events of a container, in the words of runc.
#![cfg(feature = "oci")]

mod common;

use std::process::{Command, Stdio};
use std::time::Duration;

use cofferdam::LimitPolicy;
use cofferdam::oci::Spec;
use cofferdam::oci::cgroup::{CgroupRecord, ContainerCgroup};
use cofferdam::oci::events::{Event, Events, Stats};
use cofferdam_cgroups::{CgroupPath, Controller, Hierarchies, Version};
use common::is_root;
use serde_json::Value;

const SOON: Duration = Duration::from_secs(10);

fn name(what: &str) -> String {
    format!("cofferdam-test-{what}-{}", std::process::id())
}

fn create(name: &str, resources: &str) -> ContainerCgroup {
    let json = format!(
        r#"{{"ociVersion": "1.3.0", "linux": {{"cgroupsPath": "/{name}", "resources": {resources}}}}}"#
    );
    let spec: Spec = serde_json::from_str(&json).expect("a configuration");
    ContainerCgroup::create(&spec, "c", LimitPolicy::Required).unwrap_or_else(|error| panic!("{error}"))
}

/// What runc has since 1.2, and what it has on v1 alone and we have on v2, too.
const NEWER: [&str; 5] = ["event_count", "psi", "max", "cpus", "mems"];

/// Every field of the second, with its type, is in the first, and nothing else but what newer versions have.
fn same_shape(ours: &Value, theirs: &Value, at: &str) {
    match (ours, theirs) {
        // Its keys are sizes, of the hierarchies that runc looks at.
        (Value::Object(_), Value::Object(_)) if at == ".data.hugetlb" => {}
        (Value::Object(ours), Value::Object(theirs)) => {
            for (key, value) in theirs {
                let of_ours = ours.get(key).unwrap_or_else(|| panic!("{at} has no {key}"));
                same_shape(of_ours, value, &format!("{at}.{key}"));
            }
            for key in ours.keys().filter(|key| !theirs.contains_key(*key)) {
                assert!(NEWER.contains(&key.as_str()), "{at} has {key}, which runc does not have");
            }
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            for (ours, theirs) in ours.iter().zip(theirs) {
                same_shape(ours, theirs, &format!("{at}[]"));
            }
        }
        _ => {
            let kind = |value: &Value| match value {
                Value::Number(number) => {
                    if number.is_f64() {
                        "float"
                    } else {
                        "number"
                    }
                }
                Value::String(_) => "string",
                Value::Bool(_) => "bool",
                Value::Null => "null",
                Value::Array(_) => "array",
                Value::Object(_) => "object",
            };
            assert_eq!(kind(ours), kind(theirs), "{at}");
        }
    }
}

/// A container of runc's, deleted in the end.
struct Runc {
    name: String,
    /// Kept as long as the container.
    _bundle: tempfile::TempDir,
}

impl Runc {
    /// None if there is no runc, or it cannot run anything here.
    fn start() -> Option<Self> {
        let bundle = tempfile::TempDir::new().expect("a directory");
        let bin = bundle.path().join("rootfs/bin");
        std::fs::create_dir_all(&bin).expect("a directory");
        std::fs::copy(
            ["/bin/busybox", "/usr/bin/busybox"]
                .into_iter()
                .find(|path| std::path::Path::new(path).exists())?,
            bin.join("busybox"),
        )
        .ok()?;
        let spec = Command::new("runc").arg("spec").current_dir(bundle.path()).output().ok()?;
        assert!(spec.status.success(), "{spec:?}");
        let config = bundle.path().join("config.json");
        let mut json: Value = serde_json::from_slice(&std::fs::read(&config).expect("a file")).expect("JSON");
        let name = name("runc");
        json["process"]["args"] = serde_json::json!(["/bin/busybox", "sleep", "1000"]);
        json["process"]["terminal"] = Value::Bool(false);
        json["linux"]["cgroupsPath"] = Value::String(format!("/{name}"));
        std::fs::write(&config, json.to_string()).expect("a file");
        let mut run = Command::new("timeout");
        run.args(["60", "runc", "run", "--detach", &name]).current_dir(bundle.path());
        run.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        run.status().ok()?.success().then_some(Self { name, _bundle: bundle })
    }
}

impl Drop for Runc {
    fn drop(&mut self) {
        let delete = Command::new("timeout").args(["60", "runc", "delete", "--force", &self.name]).status();
        assert!(delete.expect("runc").success());
    }
}

#[test]
fn statistics_have_the_fields_of_runc_and_its_values() {
    require!(is_root(), "root");
    let runc = Runc::start();
    require!(runc.is_some(), "a runc that runs here");
    let Some(runc) = runc else { return };
    let output =
        Command::new("timeout").args(["60", "runc", "events", "--stats", &runc.name]).output().expect("runc");
    let theirs: Value = serde_json::from_slice(&output.stdout).expect("JSON of runc");
    let hierarchies = Hierarchies::discover().expect("hierarchies");
    let path = CgroupPath::new(&runc.name).expect("a path");
    let cgroup = hierarchies.at(|_| Some(path.clone())).expect("its cgroup").expect("one that is there");
    let event = Event::Stats(Box::new(Stats::read(&cgroup).expect("statistics")));
    let ours: Value = serde_json::from_str(&event.to_json(&runc.name)).expect("our JSON");
    same_shape(&ours, &theirs, "");
    for path in [
        "/type",
        "/id",
        "/data/cpuset/cpu_exclusive",
        "/data/cpuset/sched_load_balance",
        "/data/cpuset/sched_relax_domain_level",
        "/data/memory/usage/limit",
        "/data/memory/kernelTCP",
    ] {
        assert_eq!(ours.pointer(path), theirs.pointer(path), "{path}");
    }
    let keys = |json: &Value| -> Vec<String> {
        json.pointer("/data/memory/raw").and_then(Value::as_object).expect("raw").keys().cloned().collect()
    };
    assert_eq!(keys(&ours), keys(&theirs));
}

#[test]
fn statistics_of_a_cgroup_say_what_it_uses() {
    require!(is_root(), "root");
    let mut cgroup = create(&name("stats"), r#"{"pids": {"limit": 30}, "memory": {"limit": 67108864}}"#);
    let mut sleeper = Command::new("sleep").arg("1000").spawn().expect("sleep");
    cgroup.cgroup().expect("a cgroup").add(sleeper.id()).expect("a process is moved");
    let stats = Stats::read(cgroup.cgroup().expect("a cgroup")).expect("statistics");
    assert_eq!((stats.pids.current, stats.pids.limit), (1, 30));
    assert_eq!(stats.memory.usage.limit, 64 << 20);
    assert!(stats.memory.raw.contains_key("pgfault"));
    sleeper.kill().expect("it can be killed");
    sleeper.wait().expect("it ends");
    cgroup.remove(SOON).expect("it is removed");
    let unified =
        Hierarchies::discover().expect("hierarchies").hierarchy_of(Controller::Memory).map(|h| h.version());
    if unified == Ok(Version::V2) {
        assert!(stats.memory.psi.is_some() && stats.cpu.psi.is_some() && stats.blkio.psi.is_some());
    }
}

#[test]
fn events_tell_that_memory_ran_out_and_end_with_the_process() {
    require!(is_root(), "root");
    let mut cgroup = create(&name("oom"), r#"{"memory": {"limit": 16777216, "swap": 16777216}}"#);
    let record: CgroupRecord = cgroup.record();
    let own = cgroup.cgroup().expect("a cgroup");
    let mut hungry = Command::new("sh")
        .args(["-c", "read go; tail /dev/zero; read end"])
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell");
    own.add(hungry.id()).expect("a process is moved");
    let pid = rustix::process::Pid::from_child(&hungry);
    let pidfd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).expect("a pidfd");
    let watched = ContainerCgroup::open(&record).expect("it is found").into_cgroup().expect("one");
    let mut events = Events::new(watched, Some(pidfd), Duration::from_millis(20)).expect("events");
    assert!(matches!(events.next(), Some(Ok(Event::Stats(_)))));
    let mut input = hungry.stdin.take().expect("a pipe");
    std::io::Write::write_all(&mut input, b"go\n").expect("it is told to eat");
    let oom = events.by_ref().take(1000).find(|event| matches!(event, Ok(Event::Oom)));
    assert_eq!(
        oom.map(|event| event.expect("an event").to_json("c")),
        Some(r#"{"type":"oom","id":"c"}"#.to_owned())
    );
    drop(input);
    hungry.wait().expect("it ends");
    for event in events {
        event.expect("no error in the end");
    }
    cgroup.remove(SOON).expect("it is removed");
}
