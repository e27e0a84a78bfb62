//! What only cgroup v2 has.

use super::*;

fn is_unified() -> bool {
    Hierarchies::discover().is_ok_and(|hierarchies| hierarchies.mode() == Mode::Unified)
}

#[test]
fn on_v2_files_are_set_by_their_names_and_all_controllers_are_there() {
    require!(is_root(), "root");
    if !is_unified() {
        return println!("skipped: needs v2 alone");
    }
    let path = format!("/{}", name());
    let unified = r#"{"unified": {"memory.high": "33554432", "pids.max": "77"}}"#;
    let mut cgroup = create(&spec(&format!(r#"{{"cgroupsPath": {path:?}, "resources": {unified}}}"#)), "c");
    let directory = directories(&cgroup).pop().expect("one");
    let read = |file: &str| std::fs::read_to_string(directory.join(file)).expect("a file").trim().to_owned();
    assert_eq!((read("memory.high"), read("pids.max")), ("33554432".into(), "77".into()));
    for controller in ["cpu", "cpuset", "io", "memory", "pids"] {
        assert!(read("cgroup.controllers").split(' ').any(|name| name == controller), "{controller}");
    }
    cgroup.remove(SOON).expect("it is removed");
    let wrong = r#"{"memory": {"swappiness": 10}}"#;
    let text = refused(&spec(&format!(r#"{{"cgroupsPath": {path:?}, "resources": {wrong}}}"#)));
    let expected = "config.json: linux.resources.memory.swappiness: cgroup v2 has no swappiness of a cgroup";
    assert_eq!(text, expected);
    assert!(!directory.exists());
}

#[test]
fn on_v2_who_runs_the_program_owns_the_cgroup_that_is_mounted_writable() {
    use std::os::unix::fs::MetadataExt;
    require!(is_root(), "root");
    if !is_unified() {
        return println!("skipped: needs v2 alone");
    }
    let path = format!("/{}", name());
    let json = format!(
        r#"{{"ociVersion": "1.3.0",
            "process": {{"user": {{"uid": 4, "gid": 5}}, "args": ["a"], "cwd": "/"}},
            "mounts": [{{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["nosuid"]}}],
            "linux": {{"cgroupsPath": {path:?}, "namespaces": [{{"type": "cgroup"}}]}}}}"#
    );
    let mut cgroup = create(&serde_json::from_str(&json).expect("a configuration"), "c");
    let directory = directories(&cgroup).pop().expect("one");
    let owner = |file: &str| {
        let status = std::fs::metadata(directory.join(file)).expect("its status");
        (status.uid(), status.gid())
    };
    for file in ["", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"] {
        assert_eq!(owner(file), (4, 0), "{file:?}");
    }
    for file in ["memory.max", "pids.max", "cgroup.freeze", "cgroup.kill"] {
        assert_eq!(owner(file), (0, 0), "{file:?}");
    }
    cgroup.remove(SOON).expect("it is removed");
}

#[test]
fn on_v2_threaded_cgroups_in_it_are_in_nobodys_way() {
    require!(is_root(), "root");
    if !is_unified() {
        return println!("skipped: needs v2 alone");
    }
    let mut cgroup = create(&at(&format!("/{}", name())), "c");
    let directory = directories(&cgroup).pop().expect("one");
    let inner = directory.join("inner");
    std::fs::create_dir(&inner).expect("a cgroup");
    std::fs::write(inner.join("cgroup.type"), "threaded").expect("it becomes threaded");
    let sleeper = Sleeper::new(&cgroup);
    let pid = sleeper.0.id();
    std::fs::write(inner.join("cgroup.threads"), pid.to_string()).expect("a thread is moved");
    assert_eq!(cgroup.processes().expect("one"), [pid]);
    let waiter = std::thread::spawn(move || drop(sleeper));
    cgroup.remove(SOON).expect("all are killed, and it is removed");
    waiter.join().expect("it ends");
    assert!(!directory.exists());
}

#[test]
fn on_v2_a_process_that_moved_into_a_cgroup_of_its_own_is_found_there() {
    require!(is_root(), "root");
    let mut cgroup = create(&at(&format!("/{}", name())), "c");
    let path = cgroup.cgroup().expect("a cgroup").path().to_string();
    let inner = create(&at(&format!("{path}/init.scope")), "c");
    let sleeper = Sleeper::new(&inner);
    let found = cgroup.of_process(sleeper.0.id()).expect("its cgroup");
    assert_eq!(directories(&found), directories(&inner));
    let outside = cgroup.of_process(std::process::id()).expect("one outside is not followed");
    assert_eq!(directories(&outside), directories(&cgroup));
    drop(sleeper);
    cgroup.remove(SOON).expect("it is removed");
}
