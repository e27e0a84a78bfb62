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
    assert_eq!(
        text,
        format!("config.json: linux.cgroupsPath: the cgroup {path} is being used by another process")
    );
    let directories = directories(&first);
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
