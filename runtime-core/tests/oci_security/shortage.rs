//! Hosts that run short of something.

use std::fs;
use std::os::unix::process::CommandExt;

use cofferdam::oci::{Error, ExecOptions, Status};
use nix::sched::{CloneFlags, unshare};
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, unmount};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;

use crate::common::bundle::{Bundle, busybox};
use crate::common::{can_isolate, is_root};
use crate::fixture::{Before, Outside, again, attempt, for_everybody, told, turn, until};
use crate::require;

/// Runs a test alone in a process of its own, whose limits it may change.
fn alone(name: &str, test: impl FnOnce()) {
    match told().as_deref() {
        Some("alone") => test(),
        // As an ordinary user.
        Some(_) => alone_as(name),
        None => for_everybody(name, || alone_as(name)),
    }
}

fn alone_as(name: &str) {
    let uid = rustix::process::geteuid().as_raw();
    let (text, passed) = again(name, uid, |command| {
        command.env("COFFERDAM_TEST_AGAIN", "alone");
    });
    assert!(passed && text.contains("1 passed"), "{text}");
}

fn limit(resource: Resource, most: u64) {
    let maximum = getrlimit(resource).maximum;
    setrlimit(resource, Rlimit { current: Some(most), maximum }).unwrap();
}

#[test]
fn r9_without_descriptors_there_is_an_error_or_a_container() {
    require!(busybox().is_some(), "a static busybox");
    require!(can_isolate(), "namespaces");
    alone("shortage::r9_without_descriptors_there_is_an_error_or_a_container", || {
        let bundle = Bundle::new("echo runs");
        assert_eq!(attempt(&bundle).unwrap(), "runs\n");
        let (before, outside) = (Before::look(), Outside::new());
        let open = u64::try_from(fs::read_dir("/proc/self/fd").unwrap().count()).unwrap();
        let (mut failed, mut made) = (0, 0);
        for more in 0..80 {
            limit(Resource::Nofile, open + more);
            let result = attempt(&bundle);
            limit(Resource::Nofile, 1024);
            match result {
                Ok(text) => {
                    assert_eq!(text, "runs\n", "{more}");
                    made += 1;
                }
                Err(error) => {
                    let text = error.to_string();
                    assert!(text.contains("EMFILE") && text.lines().count() == 1, "{more}: {text}");
                    failed += 1;
                }
            }
            before.assert_same(&bundle, &outside, &format!("{more} descriptors"));
        }
        assert!(failed > 0 && made > 0, "{failed} failed, {made} made");
    });
}

#[test]
fn r9_without_processes_there_is_an_error() {
    require!(busybox().is_some(), "a static busybox");
    require!(can_isolate(), "namespaces");
    alone("shortage::r9_without_processes_there_is_an_error", || {
        // Nobody counts those of root.
        if is_root() {
            return;
        }
        let bundle = Bundle::new("exit 0");
        let (before, outside) = (Before::look(), Outside::new());
        limit(Resource::Nproc, 1);
        let text = attempt(&bundle).unwrap_err().to_string();
        assert!(text.contains("EAGAIN"), "{text}");
        before.assert_same(&bundle, &outside, "no processes");
    });
}

#[test]
fn r9_without_file_size_there_is_an_error() {
    require!(busybox().is_some(), "a static busybox");
    require!(can_isolate(), "namespaces");
    let name = "shortage::r9_without_file_size_there_is_an_error";
    if told().as_deref() == Some("alone") {
        let bundle = Bundle::new("exit 0");
        let (before, outside) = (Before::look(), Outside::new());
        for most in [0, 1, 100, 1000] {
            limit(Resource::Fsize, most);
            let text = attempt(&bundle).unwrap_err().to_string();
            assert!(text.contains("EFBIG"), "{most}: {text}");
            before.assert_same(&bundle, &outside, "no size");
        }
        return;
    }
    let test = || {
        let uid = rustix::process::geteuid().as_raw();
        let (text, passed) = again(name, uid, |command| {
            let ignoring = format!("trap '' XFSZ; exec {:?} \"$@\"", command.get_program());
            let mut shell = std::process::Command::new("/bin/sh");
            shell.args(["-c", &ignoring, "sh"]).args(command.get_args()).current_dir("/");
            shell.env("COFFERDAM_TEST_AGAIN", "alone").uid(uid).gid(uid);
            *command = shell;
        });
        assert!(passed && text.contains("1 passed"), "{text}");
    };
    match told() {
        Some(_) => test(),
        None => for_everybody(name, test),
    }
}

/// Acts in a mount namespace of its own.
fn with_own_mounts(act: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let act = || {
            unshare(CloneFlags::CLONE_NEWNS).unwrap();
            mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).unwrap();
            act();
        };
        scope.spawn(act).join().unwrap();
    });
}

#[test]
fn r8_a_full_state_directory_is_an_error_and_has_nothing_half_made() {
    require!(busybox().is_some(), "a static busybox");
    require!(is_root(), "root");
    let _turn = turn();
    let bundle = Bundle::new("echo runs");
    let state = bundle.path().join("state");
    fs::create_dir(&state).unwrap();
    with_own_mounts(|| {
        let outside = Outside::new();
        let (mut failed, mut made) = (0, 0);
        // So many files with room for them, and so many pages of them.
        let files = (1..=10).map(|most| format!("size=1m,nr_inodes={most}"));
        let pages = (1..=6).map(|most| format!("size={}k,nr_inodes=100", 4 * most));
        for options in files.chain(pages) {
            let text = std::ffi::CString::new(options.clone()).unwrap();
            mount("tmpfs", &state, "tmpfs", MountFlags::empty(), Some(text.as_c_str())).unwrap();
            let before = Before::look();
            match attempt(&bundle) {
                Ok(text) => {
                    assert_eq!(text, "runs\n", "{options}");
                    made += 1;
                }
                Err(error) => {
                    let text = error.to_string();
                    assert!(text.contains("ENOSPC") && text.lines().count() == 1, "{options}: {text}");
                    failed += 1;
                }
            }
            before.assert_nothing_left(&bundle, &options);
            unmount(&state, UnmountFlags::empty()).unwrap();
        }
        assert!(failed > 0 && made > 0, "{failed} failed, {made} made");
        mount("tmpfs", &state, "tmpfs", MountFlags::RDONLY, None).unwrap();
        let before = Before::look();
        let text = attempt(&bundle).unwrap_err().to_string();
        assert!(text.contains("EROFS"), "{text}");
        before.assert_nothing_left(&bundle, "read-only");
        unmount(&state, UnmountFlags::empty()).unwrap();
        assert!(!outside.is_touched());
    });
}

#[test]
fn r8_an_update_that_cannot_be_kept_changes_nothing() {
    require!(busybox().is_some(), "a static busybox");
    require!(is_root(), "root");
    let _turn = turn();
    let mut bundle = Bundle::new("exec sleep 1000");
    bundle.config["linux"]["resources"] = json!({ "pids": { "limit": 20 } });
    let state = bundle.path().join("state");
    fs::create_dir(&state).unwrap();
    with_own_mounts(|| {
        mount("tmpfs", &state, "tmpfs", MountFlags::empty(), Some(c"size=64k")).unwrap();
        let mut container = bundle.create("box").unwrap();
        // Whatever is left is in the way.
        while fs::write(state.join(format!("{}", fs::read_dir(&state).unwrap().count())), "full").is_ok() {}
        let change = |limit: i64| serde_json::from_value(json!({ "pids": { "limit": limit } })).unwrap();
        let error = container.update(&change(30)).unwrap_err().to_string();
        assert!(error.contains("ENOSPC") && error.lines().count() == 1, "{error}");
        assert_eq!(container.usage().unwrap().pids.limit, 20);
        fs::remove_file(state.join("1")).unwrap();
        container.update(&change(30)).unwrap();
        assert_eq!(container.usage().unwrap().pids.limit, 30);
        container.delete(true).unwrap();
        unmount(&state, UnmountFlags::DETACH).unwrap();
    });
}

#[test]
fn r7_a_full_container_takes_no_further_process_and_says_why() {
    require!(is_root() && busybox().is_some(), "root and a static busybox");
    let _turn = turn();
    let mut bundle = Bundle::new("for i in 1 2 3; do sleep 1000 & done; wait; exec sleep 1000");
    bundle.config["linux"]["resources"] = json!({ "pids": { "limit": 4 } });
    let (outside, empty) = (Outside::new(), Before::look());
    let mut container = bundle.create("box").unwrap_or_else(|error| panic!("{error}"));
    container.start().unwrap_or_else(|error| panic!("{error}"));
    until("it is full", || container.processes().unwrap().len() == 4);
    let (processes, before) = (container.processes().unwrap(), Before::look());
    let mut process = container.process_template();
    process.set_args(Some(vec!["true".into()]));
    let refused = |has: u64| {
        let error = container.exec(ExecOptions::new(&process)).unwrap_err();
        assert!(matches!(error, Error::TooMany { current, limit: 4, .. } if current == has), "{error:?}");
        let text = error.to_string();
        let why =
            format!(": the container has {has} processes and may have 4, and who enters takes two places");
        assert!(text.contains("EAGAIN") && text.ends_with(&why), "{text}");
    };
    (0..20).for_each(|_| refused(4));
    // Nothing is left of them, and nothing has happened to the container.
    assert_eq!(container.processes().unwrap(), processes);
    before.assert_no_more("refused");
    assert_eq!(container.status().unwrap(), Status::Running);
    let others = processes.iter().filter(|pid| Some(**pid) != container.pid());
    for (pid, left) in others.zip([3, 2]) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(*pid).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        until("one less", || container.processes().unwrap().len() == left);
        if left == 3 {
            refused(3);
        }
    }
    let status = container.exec(ExecOptions::new(&process)).unwrap_or_else(|error| panic!("{error}")).wait();
    assert!(status.unwrap().success());
    assert!(container.delete(true).unwrap().is_empty());
    empty.assert_same(&bundle, &outside, "full");
}
