//! Processes and threads in a cgroup.

mod common;

use cofferdam_cgroups::{Controller, Controllers, Error, MoveFault, Version};
use common::{Again, SOON, Sleeper, all_of, directories, domain_of_v2, some_of_v2};
use std::io::Write;
use std::path::PathBuf;

/// A number that no process has.
const NOBODY: u32 = i32::MAX.unsigned_abs();

fn fault(error: &Error) -> MoveFault {
    match error {
        Error::Move { why, .. } => *why,
        other => panic!("{other}"),
    }
}

#[test]
fn a_process_is_where_it_was_put() {
    let cgroup = test_cgroup!(Controller::Pids);
    assert!(cgroup.processes().unwrap().is_empty() && !cgroup.is_populated().unwrap());
    let mut sleeper = cgroup.sleeper();
    let pid = sleeper.pid();
    assert_eq!((cgroup.processes().unwrap(), cgroup.threads().unwrap()), (vec![pid], vec![pid]));
    assert!(cgroup.contains(pid).unwrap() && cgroup.is_populated().unwrap());
    assert!(!cgroup.contains(std::process::id()).unwrap());
    let table = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let name = cgroup.path().name().unwrap().to_str().unwrap();
    assert_eq!(table.lines().filter(|line| line.ends_with(name)).count(), cgroup.paths().count());
    cgroup.kill(SOON).unwrap();
    assert!(cgroup.processes().unwrap().is_empty(), "who has ended counts no more, waited for or not");
    assert!(!cgroup.is_populated().unwrap() && !cgroup.contains(pid).unwrap());
    assert!(sleeper.was_killed());
}

#[test]
fn those_below_count_where_it_says_so() {
    let top = test_cgroup!(Controller::Pids);
    let below =
        top.create("a", Controller::Pids.into()).unwrap().create("b", Controller::Pids.into()).unwrap();
    let (first, second) = (top.sleeper_in(&below), top.sleeper_in(&below));
    let mut pids = vec![first.pid(), second.pid()];
    pids.sort_unstable();
    assert!(top.processes().unwrap().is_empty());
    assert_eq!(top.processes_recursive().unwrap(), pids);
    assert!(top.is_populated().unwrap() && top.contains(first.pid()).unwrap());
}

#[test]
fn on_each_v1_hierarchy_somebody_counts() {
    let controllers: Vec<_> = all_of(Version::V1);
    if controllers.is_empty() {
        absent!("no v1 controller here");
    }
    let cgroup = test_cgroup!(of controllers);
    let v1 = directories(&cgroup).into_iter().filter(|(version, _)| *version == Version::V1);
    for (_, directory) in v1 {
        let mut sleeper = Sleeper::start();
        std::fs::write(directory.join("cgroup.procs"), sleeper.pid().to_string()).unwrap();
        assert_eq!(cgroup.processes().unwrap(), [sleeper.pid()], "{}", directory.display());
        assert!(cgroup.is_populated().unwrap() && cgroup.contains(sleeper.pid()).unwrap());
        cgroup.kill(SOON).unwrap();
        assert!(sleeper.was_killed() && !cgroup.is_populated().unwrap());
    }
}

#[test]
fn a_process_that_does_not_exist_is_told() {
    let cgroup = test_cgroup!();
    let error = cgroup.add(NOBODY).unwrap_err();
    let path = directories(&cgroup)[0].1.display().to_string();
    assert_eq!(error.to_string(), format!("move {NOBODY} into the cgroup {path}: there is no such process"));
    assert_eq!((fault(&error), error.errno().unwrap().number()), (MoveFault::NoProcess, libc::ESRCH));
    let too_large = cgroup.add(u32::MAX).unwrap_err();
    assert!(
        matches!(fault(&too_large), MoveFault::Refused(errno) if errno.number() == libc::EINVAL),
        "{too_large}"
    );
}

#[test]
fn a_cgroup_that_passes_controllers_on_takes_no_process() {
    let Some(controller) = domain_of_v2() else { absent!("v2 has no such controller here") };
    let cgroup = test_cgroup!(controller);
    cgroup.enable(controller.into()).unwrap();
    let sleeper = Sleeper::start();
    let error = cgroup.add(sleeper.pid()).unwrap_err();
    assert_eq!((fault(&error), error.errno().unwrap().number()), (MoveFault::HasControllers, libc::EBUSY));
    assert!(error.to_string().ends_with("so processes have to be in one of these"), "{error}");
}

#[test]
fn a_cpuset_without_processors_takes_no_process() {
    if common::version_of(Controller::CpuSet) != Some(Version::V1) {
        absent!("cpuset is not on v1 here");
    }
    let top = test_cgroup!(Controller::CpuSet);
    std::fs::create_dir(common::directory_of(&top, Controller::CpuSet).join("bare")).unwrap();
    let sleeper = Sleeper::start();
    let error = top.open("bare").unwrap().add(sleeper.pid()).unwrap_err();
    assert_eq!(fault(&error), MoveFault::NoCpus);
    assert!(error.to_string().ends_with("its cpuset has no processor or no memory node"), "{error}");
}

/// A program with a second thread: this test binary, which the test harness gives one.
#[test]
fn threads_are_listed_and_moved_on_v1() {
    if Again::word().is_some() {
        return;
    }
    let mut again = Again::start("threads_are_listed_and_moved_on_v1", None);
    let cgroup = test_cgroup!(Controller::Pids);
    cgroup.add(again.pid()).unwrap();
    let tasks = PathBuf::from(format!("/proc/{}/task", again.pid()));
    let tids = || {
        let mut tids: Vec<u32> = std::fs::read_dir(&tasks)
            .into_iter()
            .flatten()
            .map(|entry| {
                entry.expect("thread").file_name().to_str().and_then(|tid| tid.parse().ok()).expect("number")
            })
            .collect();
        tids.sort_unstable();
        tids
    };
    assert!(common::eventually(|| tids().len() > 1 && cgroup.threads().ok() == Some(tids())));
    assert_eq!(cgroup.processes().unwrap(), [again.pid()]);
    if common::version_of(Controller::Pids) == Some(Version::V1) {
        let child = directories(&cgroup).iter().find(|(v, _)| *v == Version::V1).unwrap().1.join("child");
        std::fs::create_dir(&child).unwrap();
        let child = cgroup.open("child").unwrap();
        let tid = *tids().last().unwrap();
        child.add_thread(tid).unwrap();
        assert_eq!(child.threads().unwrap(), [tid]);
    }
    again.tell("");
    assert!(again.passed());
}

#[test]
fn a_single_thread_has_no_place_of_its_own_on_v2() {
    let Some(_) = common::host().iter().find(|hierarchy| hierarchy.version() == Version::V2) else {
        absent!("no v2 here")
    };
    let cgroup = test_cgroup!();
    let sleeper = Sleeper::start();
    let error = cgroup.add_thread(sleeper.pid()).unwrap_err();
    assert_eq!(error.to_string(), "cgroup v2 has no single threads outside of a threaded cgroup");
}

#[test]
fn threaded_cgroups_are_named_as_not_supported() {
    let cgroup = test_cgroup!();
    let (version, directory) = directories(&cgroup)[0].clone();
    if version == Version::V1 {
        absent!("no v2 here");
    }
    let threaded = cgroup.create("threaded", Controllers::EMPTY).unwrap();
    let invalid = cgroup.create("invalid", Controllers::EMPTY).unwrap();
    std::fs::write(directory.join("threaded/cgroup.type"), "threaded").unwrap();
    let named = |path: &str| {
        format!("the cgroup {} is in a threaded tree, which is not supported", directory.join(path).display())
    };
    assert_eq!(threaded.processes().unwrap_err().to_string(), named("threaded"));
    assert_eq!(threaded.kill(SOON).unwrap_err().to_string(), named("threaded"));
    let sleeper = Sleeper::start();
    assert_eq!(invalid.add(sleeper.pid()).unwrap_err().to_string(), named("invalid"));
    if let Some(controller) = some_of_v2() {
        invalid.enable(controller.into()).unwrap_err();
    }
}

/// What an init does with these files: one write each, by a process with one thread.
#[test]
fn a_process_moves_itself_by_the_task_files() {
    let cgroup = test_cgroup!(of all_of(Version::V1));
    let files = cgroup.task_files().unwrap();
    let v1 = directories(&cgroup).into_iter().filter(|(version, _)| *version == Version::V1).count();
    assert_eq!(files.len(), v1);
    let sleeper = Sleeper::start();
    for file in files {
        // A 0 would move the test's thread.
        std::fs::File::from(file).write_all(sleeper.pid().to_string().as_bytes()).unwrap();
    }
    let v1 = directories(&cgroup).into_iter().filter(|(version, _)| *version == Version::V1);
    for (_, directory) in v1 {
        assert_eq!(common::read(directory.join("tasks")), sleeper.pid().to_string());
    }
}

#[test]
fn the_v2_directory_can_be_had_as_a_descriptor() {
    let cgroup = test_cgroup!();
    let v2 = cgroup.paths().any(|(hierarchy, _)| hierarchy.version() == Version::V2);
    assert_eq!(cgroup.fd().is_some(), v2);
    if let Some(fd) = cgroup.fd() {
        let found = rustix::fs::fstat(fd).unwrap().st_ino;
        let expected = rustix::fs::stat(&directories(&cgroup)[0].1).unwrap().st_ino;
        assert_eq!(found, expected);
    }
}
