//! Nothing is left behind, and the caller stays as it was. One test: it looks at the whole process.

mod common;

use std::fs;

use cofferdam::overlay::Stack;
use cofferdam::{Command, Root, Stdio};
use common::{Box, can_isolate, names, own, shell, times};

/// All that a spawn could change about this process.
#[derive(Debug, PartialEq, Eq)]
struct State {
    descriptors: Vec<String>,
    children: String,
    mounts: String,
    threads: usize,
    directory: std::path::PathBuf,
    environment: Vec<(std::ffi::OsString, std::ffi::OsString)>,
    status: Vec<String>,
    dumpable: bool,
}

impl State {
    fn now() -> Self {
        let status = own("status");
        let kept = ["Umask", "Sig", "Shd", "Cap", "Uid", "Gid", "Groups", "NoNewPrivs", "Seccomp", "Threads"];
        let kept = status.lines().filter(|line| kept.iter().any(|name| line.starts_with(name)));
        // What is queued is counted for the user, so for all processes of the host.
        let kept = kept.filter(|line| !line.starts_with("SigQ"));
        let tasks = names("/proc/self/task".as_ref());
        let children = tasks.iter().map(|task| own(&format!("task/{task}/children"))).collect();
        Self {
            descriptors: names("/proc/self/fd".as_ref()),
            children,
            mounts: own("mountinfo"),
            threads: tasks.len(),
            directory: std::env::current_dir().expect("a directory"),
            environment: std::env::vars_os().collect(),
            status: kept.map(str::to_owned).collect(),
            dumpable: rustix::process::dumpable_behavior().expect("dumpable")
                == rustix::process::DumpableBehavior::Dumpable,
        }
    }
}

#[test]
fn a_thousand_spawns_leave_nothing_and_change_nothing() {
    require!(can_isolate(), "namespaces");
    let root = Box::new();
    let source = tempfile::tempdir().expect("a directory");
    let run = |index: usize| match index % 6 {
        0 => drop(Command::new("true").status().expect("status")),
        1 => drop(shell("echo x").output().expect("output")),
        2 => drop(root.shell("true").bind(source.path(), "/tmp/x").status().expect("status")),
        3 => {
            let error = Command::new("/no/such/program").stdout(Stdio::piped()).spawn().expect_err("missing");
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
        }
        4 => {
            let mut command = root.shell("touch /x");
            let stack = Stack::new().lower(source.path()).lower(root.path());
            assert!(command.root(Root::stack(stack)).status().expect("status").success());
        }
        _ => drop(
            Command::new("sleep").arg("9").kill_on_drop(true).stdin(Stdio::piped()).spawn().expect("spawn"),
        ),
    };
    // What is kept on purpose, such as the sealed init, is there after the first ones.
    (0..6).for_each(run);
    let (before, files) = (State::now(), names(root.path()));
    (0..times(1000)).for_each(run);
    assert_eq!(State::now(), before);
    assert_eq!(names(root.path()), files);
    assert_eq!(fs::read_dir(source.path()).expect("a directory").count(), 0);
}
