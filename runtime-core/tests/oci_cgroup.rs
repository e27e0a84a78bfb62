//! The cgroup of a container: where it is, what holds in it, how it ends.
#![cfg(feature = "oci")]

mod common;

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cofferdam::LimitPolicy;
use cofferdam::oci::Spec;
use cofferdam::oci::cgroup::ContainerCgroup;
use cofferdam_cgroups::{Controller, Hierarchies, Mode, Version};
use common::is_root;

const SOON: Duration = Duration::from_secs(10);

/// A name that no other test has.
fn name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("cofferdam-test-oci-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A configuration with this section `linux`.
fn spec(linux: &str) -> Spec {
    serde_json::from_str(&format!(r#"{{"ociVersion": "1.3.0", "linux": {linux}}}"#)).expect("a configuration")
}

fn at(path: &str) -> Spec {
    spec(&format!(r#"{{"cgroupsPath": {path:?}}}"#))
}

fn create(spec: &Spec, id: &str) -> ContainerCgroup {
    ContainerCgroup::create(spec, id, LimitPolicy::Required).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(spec: &Spec) -> String {
    ContainerCgroup::create(spec, "c", LimitPolicy::Required).expect_err("a refusal").to_string()
}

/// The directories that the kernel has for it.
fn directories(cgroup: &ContainerCgroup) -> Vec<PathBuf> {
    let paths = cgroup.cgroup().expect("a cgroup").paths();
    paths.map(|(hierarchy, path)| hierarchy.mount_point().join(path.as_path())).collect()
}

/// What a control file says, of whichever version has it.
fn value(cgroup: &ContainerCgroup, controller: Controller, v1: &str, v2: &str) -> String {
    let hierarchies = Hierarchies::discover().expect("hierarchies");
    let hierarchy = hierarchies.hierarchy_of(controller).expect("a controller");
    let mut paths = cgroup.cgroup().expect("a cgroup").paths();
    let (_, path) = paths.find(|(at, _)| at.mount_point() == hierarchy.mount_point()).expect("a part");
    let file = if hierarchy.version() == Version::V1 { v1 } else { v2 };
    let file = hierarchy.mount_point().join(path.as_path()).join(file);
    std::fs::read_to_string(&file)
        .unwrap_or_else(|error| panic!("{}: {error}", file.display()))
        .trim()
        .to_owned()
}

/// A process that sleeps in it, and is killed when dropped.
struct Sleeper(Child);

impl Sleeper {
    fn new(cgroup: &ContainerCgroup) -> Self {
        let sleeper = Self(Command::new("sleep").arg("1000").spawn().expect("sleep"));
        cgroup.cgroup().expect("a cgroup").add(sleeper.0.id()).expect("a process is moved");
        sleeper
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.0.kill().expect("it can be killed");
        self.0.wait().expect("it ends");
    }
}

fn has(controller: Controller) -> bool {
    Hierarchies::discover().is_ok_and(|hierarchies| hierarchies.hierarchy_of(controller).is_ok())
}

#[test]
fn it_has_a_directory_in_every_hierarchy_and_none_after_its_end() {
    require!(is_root(), "root");
    let name = name();
    let mut cgroup = create(&at(&format!("/{name}/in")), "c");
    let all = Hierarchies::discover().expect("hierarchies");
    let expected: Vec<PathBuf> = all.iter().map(|h| h.mount_point().join(&name).join("in")).collect();
    assert_eq!(directories(&cgroup), expected);
    assert!(expected.iter().all(|directory| directory.is_dir()));
    let v1 = all.iter().filter(|hierarchy| hierarchy.version() == Version::V1).count();
    assert_eq!(cgroup.task_files().expect("task files").len(), v1);
    assert_eq!(cgroup.fd().is_some(), all.mode() != Mode::Legacy);
    cgroup.remove(SOON).expect("it is removed");
    assert!(expected.iter().all(|directory| !directory.exists()));
    cgroup.remove(SOON).expect("nothing is left to remove");
    for directory in expected {
        std::fs::remove_dir(directory.parent().expect("above")).expect("the one above is empty");
    }
}

#[test]
fn without_a_path_the_id_is_its_name_below_the_caller() {
    require!(is_root(), "root");
    let id = name();
    let mut cgroup = create(&spec("{}"), &id);
    let nest = Hierarchies::discover().expect("hierarchies").nest().expect("a nest");
    for (hierarchy, path) in nest.paths() {
        let directory = hierarchy.mount_point().join(path.as_path()).join(&id);
        assert!(directories(&cgroup).contains(&directory), "{}", directory.display());
    }
    cgroup.remove(SOON).expect("it is removed");
}

#[test]
fn a_record_of_it_finds_it_again() {
    require!(is_root(), "root");
    let mut cgroup = create(&at(&format!("/{}", name())), "c");
    let record = cgroup.record();
    let json = serde_json::to_string(&record).expect("a record is plain data");
    let read = serde_json::from_str(&json).expect("and comes back");
    assert_eq!(record, read);
    let mut again = ContainerCgroup::open(&read).expect("it is found");
    assert_eq!(directories(&again), directories(&cgroup));
    again.remove(SOON).expect("it is removed");
    let gone = ContainerCgroup::open(&read).expect("what is gone is no error");
    assert!(gone.cgroup().is_none());
    assert_eq!(gone.processes().expect("nobody"), Vec::<u32>::new());
    gone.kill_all(SOON).expect("nothing to kill");
    cgroup.remove(SOON).expect("nothing is left to remove");
}

#[test]
fn a_cgroup_with_processes_is_refused_and_left_alone() {
    require!(is_root(), "root");
    let path = format!("/{}", name());
    let mut first = create(&at(&path), "c");
    let text = refused(&at(&path));
    let directories = directories(&first);
    let own = directories.first().expect("a directory").display().to_string();
    assert_eq!(
        text,
        format!("config.json: linux.cgroupsPath: the cgroup {own} is being used by another process")
    );
    let record = first.record();
    let sleeper = Sleeper::new(&first);
    let pid = sleeper.0.id();
    drop(first);
    let text = refused(&at(&path));
    let expected =
        format!("config.json: linux.cgroupsPath: the cgroup {path} is not empty, it has processes: {pid}");
    assert_eq!(text, expected);
    assert!(directories.iter().all(|directory| directory.is_dir()));
    first = ContainerCgroup::open(&record).expect("it is found");
    assert_eq!(first.processes().expect("one"), [pid]);
    drop(sleeper);
    first.remove(SOON).expect("it is removed");
}

#[test]
fn an_empty_one_is_taken_over_and_a_frozen_one_is_not() {
    require!(is_root(), "root");
    let path = format!("/{}", name());
    let first = create(&at(&path), "c");
    assert!(!first.existed());
    let record = first.record();
    drop(first);
    let mut second = create(&at(&path), "c");
    assert!(second.existed() && second.record().existed);
    second.freeze(SOON).expect("it is frozen");
    drop(second);
    let text = refused(&at(&path));
    assert_eq!(text, format!("config.json: linux.cgroupsPath: the cgroup {path} is frozen"));
    second = ContainerCgroup::open(&record).expect("it is found");
    second.remove(SOON).expect("a frozen one is removed");
}

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
fn a_planned_one_is_where_it_will_be() {
    require!(is_root(), "root");
    let spec = at(&format!("/{}", name()));
    let planned = ContainerCgroup::planned(&spec, "c", LimitPolicy::Required).expect("a plan");
    assert!(ContainerCgroup::open(&planned).expect("no error").cgroup().is_none());
    let mut made = create(&spec, "c");
    assert_eq!(planned, made.record());
    made.remove(SOON).expect("it is removed");
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
fn a_sub_cgroup_has_to_be_there_and_inside() {
    require!(is_root(), "root");
    let mut cgroup = create(&at(&format!("/{}", name())), "c");
    let refused = |entries: &[&str]| cgroup.sub_cgroup(entries).expect_err("a refusal").to_string();
    let text = refused(&["../x"]);
    assert_eq!(text, "config.json: cgroup: \"../x\": \"../x\" has the component \"..\"");
    assert!(refused(&["inner"]).contains("there is no cgroup "));
    assert!(refused(&["nothing:inner"]).contains("the container has no cgroup for \"nothing\" of v1"));
    for directory in directories(&cgroup) {
        std::fs::create_dir(directory.join("inner")).expect("a cgroup");
    }
    let inner = cgroup.sub_cgroup(&["inner"]).expect("it is there");
    let expected: Vec<PathBuf> =
        directories(&cgroup).iter().map(|directory| directory.join("inner")).collect();
    assert_eq!(directories(&inner), expected);
    cgroup.remove(SOON).expect("it is removed with those in it");
    assert!(expected.iter().all(|directory| !directory.exists()));
}

#[test]
fn all_processes_are_killed_frozen_or_not_and_those_below() {
    require!(is_root(), "root");
    let mut cgroup = create(&at(&format!("/{}", name())), "c");
    let path = cgroup.cgroup().expect("a cgroup").path().to_string();
    let inner = create(&at(&format!("/{path}/inner")), "c");
    let below = Sleeper::new(&inner);
    cgroup.freeze(SOON).expect("it is frozen");
    assert!(cgroup.frozen().expect("a state").frozen);
    assert_eq!(cgroup.processes().expect("those below too"), [below.0.id()]);
    let waiter = std::thread::spawn(move || drop(below));
    cgroup.kill_all(SOON).expect("all are killed");
    waiter.join().expect("it ends");
    assert_eq!(cgroup.processes().expect("nobody"), Vec::<u32>::new());
    assert!(!cgroup.frozen().expect("a state").frozen);
    cgroup.remove(SOON).expect("it is removed");
}

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

#[test]
fn of_many_who_make_the_same_cgroup_one_has_all_of_it() {
    require!(is_root(), "root");
    for _ in 0..common::times(50) {
        let spec = at(&format!("/{}", name()));
        let made: Vec<ContainerCgroup> = std::thread::scope(|scope| {
            let make = || ContainerCgroup::create(&spec, "c", LimitPolicy::Required);
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(make)).collect();
            let results = threads.into_iter().map(|thread| thread.join().expect("no panic"));
            let (made, refused): (Vec<_>, Vec<_>) = results.partition(Result::is_ok);
            for error in refused {
                let text = error.expect_err("a refusal").to_string();
                assert!(text.ends_with(" is being used by another process"), "{text}");
            }
            made.into_iter().flatten().collect()
        });
        let [mut winner] = <[ContainerCgroup; 1]>::try_from(made).expect("exactly one");
        let count = Hierarchies::discover().expect("hierarchies").iter().count();
        let directories = directories(&winner);
        assert!(directories.len() == count && directories.iter().all(|directory| directory.is_dir()));
        winner.remove(SOON).expect("it is removed");
    }
}
