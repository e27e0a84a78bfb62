//! Containers leave nothing behind, and the caller stays as it was. One test: it looks at the whole process.
#![cfg(feature = "oci")]

mod common;

use cofferdam::oci::{ExecOptions, Runtime};
use common::bundle::{Bundle, busybox, wait};
use common::{names, own};
use serde_json::json;

/// All that a container could change about this process.
fn state() -> (Vec<String>, usize, String, std::path::PathBuf, Vec<String>) {
    let status = own("status");
    let kept =
        ["Umask", "SigBlk", "SigIgn", "SigCgt", "Cap", "Uid", "Gid", "Groups", "NoNewPrivs", "Threads"];
    let kept = status.lines().filter(|line| kept.iter().any(|name| line.starts_with(name)));
    let tasks = names("/proc/self/task".as_ref());
    let children: String = tasks.iter().map(|task| own(&format!("task/{task}/children"))).collect();
    let directory = std::env::current_dir().expect("a directory");
    let kept = kept.map(str::to_owned).chain([children]).collect();
    (names("/proc/self/fd".as_ref()), tasks.len(), own("mountinfo"), directory, kept)
}

#[test]
fn a_hundred_containers_leave_nothing_and_change_nothing() {
    require!(busybox().is_some(), "a static busybox");
    require!(common::can_isolate(), "namespaces");
    let mut bundle = Bundle::new("exit 3");
    let hook = json!([{ "path": "/bin/true" }]);
    bundle.config["hooks"] = json!({ "createRuntime": hook, "poststop": hook });
    let mut failing = Bundle::new("true");
    failing.config["process"]["args"] = json!(["/no/such/program"]);
    let mut alone = Bundle::new("exit 4");
    alone.runtime = Runtime::without_state();
    let run = |index: usize| match index % 4 {
        0 => assert_eq!(bundle.run("box").1, 3),
        1 => assert_eq!(alone.run("box").1, 4),
        2 => {
            let error = failing.create("box").expect_err("no program").to_string();
            assert_eq!(error, "execute /no/such/program: ENOENT (No such file or directory)");
        }
        _ => {
            let mut container = bundle.create("box").expect("a container");
            let process = container.process_template();
            assert_eq!(
                container
                    .exec(ExecOptions::new(&process))
                    .expect("a process")
                    .wait()
                    .expect("a status")
                    .code(),
                Some(3)
            );
            container.start().expect("a start");
            wait(&mut container);
            container.delete(true).expect("an end");
        }
    };
    // What is kept on purpose, such as the sealed init, is there after the first ones.
    (0..4).for_each(run);
    let before = state();
    (0..common::times(100)).for_each(run);
    assert_eq!(state(), before);
    for bundle in [&bundle, &failing, &alone] {
        assert_eq!(bundle.entries(), [""; 0]);
        assert_eq!(bundle.cgroups().len(), 0);
    }
}
