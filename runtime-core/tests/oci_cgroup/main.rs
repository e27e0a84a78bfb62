//! The cgroup of a container: where it is, what holds in it, how it ends.
#![cfg(feature = "oci")]

#[path = "../common/mod.rs"]
mod common;
mod limits;
mod unified;

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
