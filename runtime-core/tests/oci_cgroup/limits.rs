//! What a container may use: limits, devices, and changes of them.

use super::*;

#[test]
fn limits_hold_before_there_is_a_process() {
    require!(is_root(), "root");
    require!(has(Controller::Memory) && has(Controller::Pids) && has(Controller::Cpu), "controllers");
    let path = format!("/{}", name());
    let resources = r#"{"memory": {"limit": 67108864}, "pids": {"limit": 20}, "cpu": {"quota": 50000, "period": 100000}}"#;
    let mut cgroup = create(&spec(&format!(r#"{{"cgroupsPath": {path:?}, "resources": {resources}}}"#)), "c");
    assert_eq!(value(&cgroup, Controller::Memory, "memory.limit_in_bytes", "memory.max"), "67108864");
    assert_eq!(value(&cgroup, Controller::Pids, "pids.max", "pids.max"), "20");
    let quota = value(&cgroup, Controller::Cpu, "cpu.cfs_quota_us", "cpu.max");
    assert_eq!(quota.split(' ').next(), Some("50000"));
    assert!(cgroup.outcome().is_complete());
    cgroup.remove(SOON).expect("it is removed");
}

#[test]
fn a_limit_that_cannot_be_names_its_property_and_leaves_nothing() {
    require!(is_root(), "root");
    let path = format!("/{}", name());
    let with = |resources: &str| spec(&format!(r#"{{"cgroupsPath": {path:?}, "resources": {resources}}}"#));
    let text = refused(&with(r#"{"memory": {"limit": 1000, "swap": 500}}"#));
    assert!(text.starts_with("config.json: linux.resources.memory: "), "{text}");
    let text = refused(&with(r#"{"cpu": {"cpus": "60000"}}"#));
    assert!(text.starts_with("config.json: linux.resources.cpu.cpus: "), "{text}");
    let text = refused(&with(r#"{"unified": {"cgroup.procs": "1"}}"#));
    assert!(
        text.starts_with("config.json: linux.resources.unified: the file cannot be cgroup.procs"),
        "{text}"
    );
    let text = refused(&with(r#"{"unified": {"nothing.max": "1"}}"#));
    assert!(text.starts_with("config.json: linux.resources.unified[\"nothing.max\"]: "), "{text}");
    for hierarchy in Hierarchies::discover().expect("hierarchies").iter() {
        assert!(!hierarchy.mount_point().join(Path::new(&path[1..])).exists());
    }
}

#[test]
fn without_a_cgroup_all_limits_are_left_out_and_said_to_be() {
    let id = name();
    let resources = r#"{"resources": {"pids": {"limit": 20}}}"#;
    let cgroup = ContainerCgroup::create(&spec(resources), &id, LimitPolicy::None).expect("nothing is made");
    assert!(cgroup.cgroup().is_none() && cgroup.record().paths.is_empty());
    let left: Vec<String> = cgroup.outcome().left_out().iter().map(|left| left.setting.subject()).collect();
    assert_eq!(left, ["pids.max", "devices"]);
}

fn resources(json: &str) -> oci_spec::runtime::LinuxResources {
    cofferdam::oci::Config::resources_from_slice(json.as_bytes()).expect("resources")
}

#[test]
fn an_update_changes_what_is_given_and_nothing_else() {
    require!(is_root(), "root");
    let path = format!("/{}", name());
    let first = r#"{"memory": {"limit": 67108864, "swap": 134217728}, "pids": {"limit": 20}}"#;
    let mut cgroup = create(&spec(&format!(r#"{{"cgroupsPath": {path:?}, "resources": {first}}}"#)), "c");
    let memory =
        |cgroup: &ContainerCgroup| value(cgroup, Controller::Memory, "memory.limit_in_bytes", "memory.max");
    let swap = |cgroup: &ContainerCgroup| {
        value(cgroup, Controller::Memory, "memory.memsw.limit_in_bytes", "memory.swap.max")
    };
    let sum = swap(&cgroup);
    let (current, outcome) = cgroup
        .update(&resources(first), &resources(r#"{"memory": {"limit": 33554432}}"#))
        .expect("an update");
    assert!(outcome.is_complete());
    assert_eq!(memory(&cgroup), "33554432");
    assert_eq!(current.memory().and_then(|memory| memory.swap()), Some(134_217_728));
    let (current, _) = cgroup.update(&current, &resources(r#"{"pids": {"limit": 40}}"#)).expect("an update");
    assert_eq!(value(&cgroup, Controller::Pids, "pids.max", "pids.max"), "40");
    assert_eq!(memory(&cgroup), "33554432");
    // What comes later fails, and what came before is taken back.
    let wrong = r#"{"memory": {"limit": 50331648}, "cpu": {"cpus": "60000"}}"#;
    let text = cgroup.update(&current, &resources(wrong)).expect_err("a refusal").to_string();
    assert!(text.starts_with("config.json: linux.resources.cpu.cpus: "), "{text}");
    assert_eq!(memory(&cgroup), "33554432");
    // Swap alone, with the limit of memory that holds.
    let more = resources(r#"{"memory": {"swap": 167772160, "limit": 0}}"#);
    let (current, _) = cgroup.update(&current, &more).expect("an update");
    assert_eq!(current.memory().and_then(|memory| memory.limit()), Some(33_554_432));
    assert_ne!(swap(&cgroup), sum);
    // No limit of memory is none of both.
    let (current, _) =
        cgroup.update(&current, &resources(r#"{"memory": {"limit": -1}}"#)).expect("an update");
    assert_eq!(current.memory().and_then(|memory| memory.swap()), Some(-1));
    cgroup.remove(SOON).expect("it is removed");
}

#[test]
fn devices_are_denied_but_for_the_harmless_ones_and_those_allowed() {
    require!(is_root(), "root");
    require!(has(Controller::Devices), "rules for devices");
    let path = format!("/{}", name());
    let devices = r#"[{"allow": false, "access": "rwm"}, {"allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw"}]"#;
    let resources = format!(r#"{{"cgroupsPath": {path:?}, "resources": {{"devices": {devices}}}}}"#);
    let mut cgroup = create(&spec(&resources), "c");
    let devices = cgroup.cgroup().expect("a cgroup").paths().find(|(hierarchy, _)| {
        hierarchy.version() == Version::V1 && hierarchy.controllers().contains(Controller::Devices)
    });
    if let Some((hierarchy, path)) = devices {
        let list = hierarchy.mount_point().join(path.as_path()).join("devices.list");
        let list = std::fs::read_to_string(list).expect("a list");
        let mut lines: Vec<&str> = list.lines().collect();
        lines.sort_unstable();
        let expected = [
            "b *:* m",
            "c *:* m",
            "c 10:229 rwm",
            "c 136:* rwm",
            "c 1:3 rwm",
            "c 1:5 rwm",
            "c 1:7 rwm",
            "c 1:8 rwm",
            "c 1:9 rwm",
            "c 5:0 rwm",
            "c 5:2 rwm",
        ];
        assert_eq!(lines, expected);
    }
    let mut inside = Command::new("sh")
        .args(["-c", "read go; (: </dev/null) && (: >/dev/zero) && ! (: </dev/kmsg)"])
        .stdin(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("a shell");
    cgroup.cgroup().expect("a cgroup").add(inside.id()).expect("a process is moved");
    drop(inside.stdin.take());
    assert!(inside.wait().expect("it ends").success());
    cgroup.remove(SOON).expect("it is removed");
}

#[test]
fn an_ordinary_user_gets_what_may_be_had_and_errors_for_other_limits() {
    if is_root() {
        return println!("skipped: needs an ordinary user");
    }
    let id = name();
    let make = |json: &str| ContainerCgroup::create(&spec(json), &id, LimitPolicy::IfAvailable);
    let mut cgroup = make("{}").expect("a container without limits needs no cgroup");
    let left: Vec<String> = cgroup.outcome().left_out().iter().map(|left| left.setting.subject()).collect();
    assert_eq!(left, ["devices"]);
    let record = cgroup.record();
    assert_eq!(record.paths.is_empty(), cgroup.cgroup().is_none());
    cgroup.remove(SOON).expect("it is removed, if it is there");
    match make(r#"{"resources": {"pids": {"limit": 20}}}"#) {
        Ok(mut cgroup) => {
            assert_eq!(value(&cgroup, Controller::Pids, "pids.max", "pids.max"), "20");
            cgroup.remove(SOON).expect("it is removed");
        }
        Err(error) => {
            let text = error.to_string();
            assert!(text.starts_with("config.json: linux.resources.pids"), "{text}");
        }
    }
    let devices = r#"{"resources": {"devices": [{"allow": true, "type": "c", "major": 10, "minor": 200, "access": "rw"}]}}"#;
    let text = make(devices).expect_err("rules that are not the default ones").to_string();
    assert!(text.starts_with("config.json: linux.resources.devices: "), "{text}");
}
