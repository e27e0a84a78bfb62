//! Each operation of the init fails in turn; nothing is left behind. One test: it looks at the whole process.

mod common;

use std::path::Path;

use cofferdam::cgroups::Hierarchies;
use cofferdam::overlay::Stack;
use cofferdam::{Capability, Command, DEFAULT_CAPABILITIES, Error, Root};
use common::{Box, can_isolate, names, own, shell};

fn fail_each(what: &str, command: &mut Command, root: Option<&Path>) {
    let operations = command.plan().expect("a plan").operations().expect("operations");
    assert!(operations > 10, "{what}: {operations}");
    let state = || {
        let children: String = names("/proc/self/task".as_ref())
            .iter()
            .map(|task| own(&format!("task/{task}/children")))
            .collect();
        (names("/proc/self/fd".as_ref()), children, own("mountinfo"), root.map(tree), cgroups())
    };
    let before = state();
    for operation in 0..operations {
        match command.spawn_with_fault(operation) {
            Err(error) => assert_named(what, operation, &error),
            // An operation that is skipped, or whose failure is no failure.
            Ok(mut child) => {
                child.kill().expect("kill");
                child.wait().expect("wait");
                panic!("{what}: operation {operation} of {operations} failed without an error");
            }
        }
        assert_eq!(state(), before, "{what}: after operation {operation} failed");
    }
    // And the command itself is fine.
    assert!(command.status().expect(what).success());
}

fn assert_named(what: &str, operation: u32, error: &Error) {
    let text = error.to_string();
    assert!(!matches!(error, Error::LeftBehind { .. }), "{what}: {text}");
    assert_eq!(error.errno().map(|errno| errno.number()), Some(38), "{what}: operation {operation}: {text}");
    assert!(text.contains("ENOSYS") && text.len() > 20, "{what}: operation {operation}: {text}");
}

/// The cgroups of programs of this process.
fn cgroups() -> Vec<std::ffi::OsString> {
    let own = format!("-{}-", std::process::id());
    let nest = Hierarchies::discover().and_then(|host| host.nest());
    let names = nest.and_then(|nest| nest.children()).unwrap_or_default();
    names.into_iter().filter(|name| name.to_string_lossy().contains(&own)).collect()
}

/// All names below a directory.
fn tree(root: &Path) -> Vec<String> {
    let mut all = names(root);
    for name in all.clone() {
        let path = root.join(&name);
        if path.is_dir() && !path.is_symlink() {
            all.extend(tree(&path));
        }
    }
    all
}

#[test]
fn every_fault_is_named_and_leaves_nothing() {
    require!(can_isolate(), "namespaces");
    // The sealed init is kept from the first spawn on, and root's empty mount namespace.
    assert!(Box::new().shell("true").status().expect("status").success());
    let source = tempfile::tempdir().expect("a directory");
    fail_each("host", shell("true").hostname("box").oom_score_adjust(5), None);
    let root = Box::new();
    let mut command = root.shell("true");
    command.bind(source.path(), "/a/b/c").bind("/etc/passwd", "/a/file").tmpfs("/srv/x", Some(4096));
    fail_each("directory", &mut command, Some(root.path()));
    let stack = Stack::new().lower(source.path()).lower(root.path());
    let mut command = root.shell("true");
    fail_each("stack", command.root(Root::stack(stack.clone())), Some(root.path()));
    // The init mounts it if the program may change mounts.
    let more = DEFAULT_CAPABILITIES.with(Capability::SYS_ADMIN);
    fail_each("stack by the init", command.root(Root::stack(stack)).capabilities(more), Some(root.path()));
    // Where cgroups lie is looked for once, too.
    if shell("true").pids(20).status().is_ok() {
        let mut command = shell("true");
        fail_each("limits", command.pids(20).hostname("box"), None);
    }
    if common::is_root() {
        let root = Box::new();
        let mut command = root.shell("true");
        fail_each("root", command.share(cofferdam::Namespaces::USER).init(true), Some(root.path()));
    }
}
