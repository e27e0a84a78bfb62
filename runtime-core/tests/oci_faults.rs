//! What is left when something goes wrong: nothing that delete with force does not remove.
#![cfg(feature = "oci")]

mod common;

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio as ProcessStdio};
use std::sync::Barrier;
use std::time::{Duration, Instant};

use cofferdam::oci::{Error, ExecOptions, Runtime, Status};
use common::bundle::{Bundle, busybox, wait};
use serde_json::{Value, json};

/// Where the creator of [`create_and_delete_for_ever`] finds its bundle.
const BUNDLE: &str = "COFFERDAM_TEST_BUNDLE";

/// The processes that have a mount of this bundle, and those in its cgroups.
fn processes(bundle: &Bundle) -> Vec<String> {
    let path = bundle.path().to_str().expect("text");
    let cgroup = bundle.config["linux"]["cgroupsPath"].as_str().unwrap_or("no cgroup");
    let belongs = |pid: &str| {
        let read = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
        read("mountinfo").contains(path) || read("cgroup").contains(cgroup)
    };
    let all = std::fs::read_dir("/proc").expect("procfs");
    let names = all.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()) && belongs(name)).collect()
}

/// Nothing is left, perhaps after a moment.
fn assert_nothing_left(bundle: &Bundle) {
    let end = Instant::now() + Duration::from_secs(10);
    while !processes(bundle).is_empty() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(processes(bundle), [""; 0]);
    assert_eq!(bundle.entries(), [""; 0]);
    assert_eq!(bundle.cgroups().len(), 0, "{:?}", bundle.cgroups());
    assert!(!common::own("mountinfo").contains(bundle.path().to_str().expect("text")));
}

/// Not a test: the program that the next one kills.
#[test]
#[ignore = "is run by another test"]
fn create_and_delete_for_ever() {
    let directory = std::env::var_os(BUNDLE).expect("a bundle");
    let directory = Path::new(&directory);
    let config = std::fs::read(directory.join("config.json")).expect("a configuration");
    let spec = serde_json::from_slice(&config).expect("a configuration");
    let runtime = Runtime::new(directory.join("state"));
    loop {
        let mut options = cofferdam::oci::CreateOptions::new("box", &spec, directory);
        options.cgroup = cofferdam::LimitPolicy::IfAvailable;
        let mut container = runtime.create(options).expect("a container");
        container.start().expect("a start");
        let process = container.process_template();
        let mut process = container.exec(ExecOptions::new(&process)).expect("a process");
        container.delete(true).expect("an end");
        process.wait().expect("a status");
    }
}

#[test]
fn a_process_that_is_killed_at_any_instant_leaves_what_can_be_deleted() {
    require!(busybox().is_some(), "a static busybox");
    require!(common::can_isolate(), "namespaces");
    let mut bundle = Bundle::new("sleep 60");
    let hook = json!([{ "path": "/bin/sh", "args": ["sh", "-c", "cat > /dev/null"], "env": ["PATH=/bin"] }]);
    bundle.config["hooks"] =
        json!({ "createRuntime": hook, "createContainer": hook, "startContainer": hook });
    std::fs::write(bundle.path().join("config.json"), bundle.config.to_string()).unwrap();
    let mut random = 88_172_645_463_325_252_u64;
    for round in 0..common::times(30) {
        let mut creator = Command::new(std::env::current_exe().unwrap());
        creator.args(["--exact", "create_and_delete_for_ever", "--ignored", "--nocapture"]);
        creator.env(BUNDLE, bundle.path()).stdin(ProcessStdio::null()).stdout(ProcessStdio::null());
        let mut creator = creator.stderr(ProcessStdio::null()).process_group(0).spawn().unwrap();
        // xorshift: what counts is that it is another moment each time.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        std::thread::sleep(Duration::from_micros(3000 + random % 60_000));
        assert_eq!(creator.try_wait().unwrap(), None, "round {round}: the creator has ended by itself");
        creator.kill().unwrap();
        creator.wait().unwrap();
        // Whatever is there is seen, or said to be broken.
        for listed in bundle.runtime.list().unwrap() {
            assert_eq!(listed.id, "box");
        }
        let deleted = bundle.runtime.delete("box", true);
        deleted.unwrap_or_else(|error| panic!("round {round}: {error}"));
        assert_nothing_left(&bundle);
    }
    let mut container = bundle.create("box").unwrap_or_else(|error| panic!("{error}"));
    container.start().unwrap();
    container.delete(true).unwrap();
    assert_nothing_left(&bundle);
}

#[test]
fn of_many_that_create_the_same_container_exactly_one_does() {
    require!(busybox().is_some(), "a static busybox");
    require!(common::can_isolate(), "namespaces");
    for _ in 0..common::times(10) {
        let bundle = Bundle::new("exit 5");
        let barrier = Barrier::new(8);
        let results: Vec<_> = std::thread::scope(|scope| {
            let create = || {
                barrier.wait();
                bundle.create("box")
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(create)).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        let (won, lost): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
        assert_eq!((won.len(), lost.len()), (1, 7));
        for error in lost {
            let text = error.unwrap_err().to_string();
            assert_eq!(text, "container with given ID already exists: box");
        }
        let mut container = won.into_iter().next().unwrap().unwrap();
        container.start().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(wait(&mut container), 5);
        container.delete(false).unwrap();
        assert_nothing_left(&bundle);
    }
}

#[test]
fn a_container_is_deleted_while_others_use_it() {
    require!(busybox().is_some(), "a static busybox");
    require!(common::can_isolate(), "namespaces");
    for _ in 0..common::times(10) {
        let bundle = Bundle::new("sleep 60");
        drop(bundle.create("box").unwrap_or_else(|error| panic!("{error}")));
        let load = || bundle.runtime.load("box");
        std::thread::scope(|scope| {
            // What they say depends on who is first; that they come to an end, and that nothing is left, does not.
            scope.spawn(|| load().and_then(|mut container| container.start()));
            scope.spawn(|| load().and_then(|container| container.kill(15, false)));
            scope.spawn(|| {
                let container = load()?;
                let process = container.process_template();
                let mut process = container.exec(ExecOptions::new(&process))?;
                process.wait_timeout(Duration::from_secs(20))
            });
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(2));
                bundle.runtime.delete("box", true).unwrap_or_else(|error| panic!("{error}"));
            });
        });
        bundle.runtime.delete("box", true).unwrap();
        assert_nothing_left(&bundle);
    }
}

#[test]
fn a_damaged_record_breaks_only_its_own_container() {
    require!(busybox().is_some(), "a static busybox");
    require!(common::can_isolate(), "namespaces");
    let other = Bundle::new("sleep 60");
    let mut bundle = Bundle::new("sleep 60");
    bundle.runtime = other.runtime.clone();
    let _running = other.create("other").unwrap_or_else(|error| panic!("{error}"));
    let file = other.path().join("state/box/state.json");
    let damages: [(&str, &dyn Fn()); 7] = [
        ("EOF while parsing a value at line 1 column 0", &|| std::fs::write(&file, "").unwrap()),
        ("", &|| {
            let text = std::fs::read(&file).unwrap();
            std::fs::write(&file, &text[..text.len() / 2]).unwrap();
        }),
        ("expected ident at line 1 column 2", &|| std::fs::write(&file, "not json").unwrap()),
        ("does not exist", &|| std::fs::remove_file(&file).unwrap()),
        ("EISDIR (Is a directory)", &|| {
            std::fs::remove_file(&file).unwrap();
            std::fs::create_dir(&file).unwrap();
        }),
        ("ELOOP (Too many levels of symbolic links)", &|| {
            std::fs::remove_file(&file).unwrap();
            std::os::unix::fs::symlink("/etc/passwd", &file).unwrap();
        }),
        ("is of version 99, and this program knows version 1", &|| {
            let mut record: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
            record["version"] = json!(99);
            std::fs::write(&file, record.to_string()).unwrap();
        }),
    ];
    for (reason, damage) in damages {
        let mut container = bundle.create("box").unwrap_or_else(|error| panic!("{error}"));
        container.start().unwrap();
        damage();
        let error = bundle.runtime.load("box").unwrap_err().to_string();
        assert!(error.starts_with(&format!("state of the container {}: ", file.display())), "{error}");
        assert!(error.ends_with(reason), "{error}");
        let listed = bundle.runtime.list().unwrap();
        assert_eq!(listed.iter().map(|listed| listed.id.as_str()).collect::<Vec<_>>(), ["box", "other"]);
        assert!(listed[0].details.is_err());
        assert_eq!(listed[1].details.as_ref().unwrap().status, Status::Created);
        assert!(bundle.runtime.delete("box", false).is_err());
        bundle.runtime.delete("box", true).unwrap_or_else(|error| panic!("{reason}: {error}"));
        wait(&mut container);
        assert_eq!(processes(&bundle), [""; 0], "{reason}");
        assert_eq!(bundle.cgroups().len(), 0, "{reason}");
    }
}

#[test]
fn who_reads_while_it_is_written_sees_a_whole_record() {
    require!(busybox().is_some(), "a static busybox");
    require!(common::is_root(), "root");
    let bundle = Bundle::new("sleep 60");
    let mut container = bundle.create("box").unwrap_or_else(|error| panic!("{error}"));
    container.start().unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut read = 0;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let found = bundle.runtime.load("box").unwrap_or_else(|error| panic!("{error}"));
                assert_eq!(found.id(), "box");
                read += 1;
            }
            read
        });
        for limit in 0..common::times(100) {
            let resources = json!({ "pids": { "limit": 100 + limit } });
            container.update(&serde_json::from_value(resources).unwrap()).unwrap();
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(reader.join().unwrap() > 0);
    });
    let linux = container.spec().linux().clone().unwrap();
    let limit = linux.resources().clone().unwrap().pids().unwrap().limit();
    assert_eq!(limit, i64::try_from(99 + common::times(100)).unwrap() - i64::from(common::times(100) == 0));
    container.delete(true).unwrap();
}

#[test]
fn another_process_with_its_number_is_never_signalled() {
    require!(busybox().is_some(), "a static busybox");
    require!(common::can_isolate(), "namespaces");
    let bundle = Bundle::new("sleep 60");
    let mut container = bundle.create("box").unwrap_or_else(|error| panic!("{error}"));
    container.start().unwrap();
    let mut innocent = Command::new("sleep").arg("60").spawn().unwrap();
    let file = bundle.path().join("state/box/state.json");
    let mut record: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    record["process"]["pid"] = json!(innocent.id());
    std::fs::write(&file, record.to_string()).unwrap();
    let found = bundle.runtime.load("box").unwrap();
    assert_eq!(found.status().unwrap(), Status::Stopped);
    assert!(matches!(found.kill(9, false), Err(Error::NotRunning { .. })));
    found.delete(false).unwrap();
    assert_eq!(innocent.try_wait().unwrap(), None);
    innocent.kill().unwrap();
    innocent.wait().unwrap();
    container.kill(9, false).unwrap_or(());
    wait(&mut container);
    assert_nothing_left(&bundle);
}

#[test]
fn a_zombie_has_stopped_and_its_status_is_its_creators() {
    require!(busybox().is_some(), "a static busybox");
    require!(common::can_isolate(), "namespaces");
    let bundle = Bundle::new("exit 4");
    let mut container = bundle.create("box").unwrap_or_else(|error| panic!("{error}"));
    container.start().unwrap();
    let found = bundle.runtime.load("box").unwrap();
    let end = Instant::now() + Duration::from_secs(30);
    while found.status().unwrap() != Status::Stopped && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(found.status().unwrap(), Status::Stopped);
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", container.pid().unwrap())).unwrap();
    assert!(stat.contains(") Z "), "{stat}");
    found.delete(false).unwrap();
    assert_eq!(wait(&mut container), 4);
    assert_nothing_left(&bundle);
}

#[test]
fn processes_that_outlive_the_first_one_are_killed_by_the_cgroup() {
    require!(busybox().is_some(), "a static busybox");
    require!(common::is_root(), "root");
    let mut bundle = Bundle::new("sleep 60 & sleep 60 & exit 0");
    let namespaces = bundle.config["linux"]["namespaces"].as_array_mut().unwrap();
    namespaces.retain(|namespace| namespace["type"] != "pid");
    for with_kill in [true, false] {
        let mut container = bundle.create("box").unwrap_or_else(|error| panic!("{error}"));
        container.start().unwrap();
        assert_eq!(wait(&mut container), 0);
        assert_eq!(container.processes().unwrap().len(), 2);
        let found = bundle.runtime.load("box").unwrap();
        if with_kill {
            assert!(matches!(found.kill(15, false), Err(Error::NotRunning { .. })));
            found.kill(9, true).unwrap();
            assert_eq!(found.processes().unwrap().len(), 0);
        }
        found.delete(false).unwrap();
        assert_nothing_left(&bundle);
    }
}

#[test]
fn a_paused_container_is_killed_and_deleted() {
    require!(busybox().is_some(), "a static busybox");
    require!(common::is_root(), "root");
    let bundle = Bundle::new("sleep 60");
    for all in [false, true] {
        let mut container = bundle.create("box").unwrap_or_else(|error| panic!("{error}"));
        container.start().unwrap();
        container.pause().unwrap_or_else(|error| panic!("{error}"));
        let refused = bundle.runtime.delete("box", false).unwrap_err().to_string();
        assert_eq!(refused, "cannot delete container box, which is paused");
        container.kill(9, all).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(wait(&mut container), 137);
        container.delete(false).unwrap();
        assert_nothing_left(&bundle);
    }
    let mut container = bundle.create("box").unwrap_or_else(|error| panic!("{error}"));
    container.start().unwrap();
    container.pause().unwrap();
    bundle.runtime.delete("box", true).unwrap_or_else(|error| panic!("{error}"));
    wait(&mut container);
    assert_nothing_left(&bundle);
}

#[test]
fn no_name_leads_out_of_the_state_directory() {
    let runtime = Runtime::new("/nonexistent/state");
    for id in ["../x", "a/b", ".", "..", "", "a\nb", &"x".repeat(1100)] {
        assert!(matches!(runtime.load(id), Err(Error::InvalidId { .. })), "{id}");
        assert!(matches!(runtime.delete(id, true), Err(Error::InvalidId { .. })), "{id}");
    }
    assert!(matches!(runtime.load("x"), Err(Error::NotFound { .. })));
    assert!(runtime.delete("x", true).unwrap().is_empty());
    assert_eq!(runtime.delete("x", false).unwrap_err().to_string(), "container does not exist: x");
    assert!(runtime.list().unwrap().is_empty());
}
