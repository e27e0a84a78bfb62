//! Hooks: when and where they run, what they are told, and what happens when they fail.
#![cfg(feature = "oci")]

mod common;

use std::path::Path;
use std::time::{Duration, Instant};

use cofferdam::oci::Status;
use common::bundle::{Bundle, busybox, wait};
use serde_json::{Value, json};

const KINDS: [&str; 6] =
    ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];

/// A hook that runs a shell script with the path of a log as its first argument.
fn hook(log: &Path, script: &str) -> Value {
    json!({ "path": "/bin/sh", "args": ["sh", "-c", script, "hook", log], "env": ["PATH=/usr/bin:/bin"] })
}

/// A bundle in which each kind of hook writes its name and the status it reads.
fn logging(script: &str) -> (Bundle, std::path::PathBuf) {
    let mut bundle = Bundle::new(script);
    let log = bundle.path().join("rootfs/tmp/log");
    std::fs::write(&log, "").expect("a log");
    std::os::unix::fs::symlink("busybox", bundle.path().join("rootfs/bin/sed")).expect("symlink");
    let mut hooks = json!({});
    for kind in KINDS {
        // Inside, the log is at another place.
        let log = if kind == "startContainer" { Path::new("/tmp/log").to_owned() } else { log.clone() };
        let script = format!(
            r#"s=$(cat); echo "{kind} $(echo "$s" | sed 's/.*"status":"\([a-z]*\)".*/\1/')" >> "$1""#
        );
        hooks[kind] = json!([hook(&log, &script)]);
    }
    bundle.config["root"]["readonly"] = json!(false);
    bundle.config["hooks"] = hooks;
    (bundle, log)
}

fn read(log: &Path) -> Vec<String> {
    std::fs::read_to_string(log).expect("a log").lines().map(str::to_owned).collect()
}

#[test]
fn all_six_kinds_run_in_their_order_and_read_the_state() {
    require!(busybox().is_some(), "a static busybox");
    require!(common::can_isolate(), "namespaces");
    let (bundle, log) = logging("echo program >> /tmp/log; sleep 0.3");
    let mut container = bundle.create("box").unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(read(&log), ["prestart creating", "createRuntime creating", "createContainer creating"]);
    container.start().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(wait(&mut container), 0);
    let mut lines = read(&log).split_off(3);
    assert_eq!(lines.remove(0), "startContainer created");
    // The program runs beside the hook.
    lines.sort();
    assert_eq!(lines, ["poststart running", "program"]);
    assert!(container.delete(false).unwrap().is_empty());
    assert_eq!(read(&log).last().unwrap(), "poststop stopped");
}

#[test]
fn a_hook_has_its_environment_and_arguments_and_nothing_else() {
    require!(busybox().is_some(), "a static busybox");
    require!(common::can_isolate(), "namespaces");
    let mut bundle = Bundle::new("true");
    let log = bundle.path().join("log");
    let script =
        r#"exec 3>"$1"; /usr/bin/env >&3; echo "$0 $#" >&3; ls -1 /proc/self/fd | wc -l >&3; pwd >&3"#;
    let mut one = hook(&log, script);
    one["env"] = json!(["A=1", "B=x=y", "PATH=/bin"]);
    bundle.config["hooks"] = json!({ "createRuntime": [one] });
    let container = bundle.create("box").unwrap_or_else(|error| panic!("{error}"));
    let mut lines = read(&log);
    assert_eq!(lines.pop().unwrap(), bundle.path().to_str().unwrap());
    lines.retain(|line| !["PWD=", "SHLVL=", "_=", "OLDPWD="].iter().any(|own| line.starts_with(own)));
    lines.get_mut(..3).expect("three variables").sort();
    // Standard streams, the log, and the directory that ls reads.
    assert_eq!(lines, ["A=1", "B=x=y", "PATH=/bin", "hook 1", "5"]);
    container.delete(true).unwrap();
}

#[test]
fn hooks_of_the_container_run_in_its_namespaces() {
    require!(busybox().is_some(), "a static busybox");
    require!(common::can_isolate(), "namespaces");
    let mut bundle = Bundle::new("true");
    bundle.config["hostname"] = json!("inside");
    bundle.config["root"]["readonly"] = json!(false);
    let outside = bundle.path().join("rootfs/tmp/outside");
    let script = r#"echo "$(hostname) $(test -e /bin/busybox.only && echo own || echo host)" > "$1""#;
    std::fs::write(bundle.path().join("rootfs/bin/busybox.only"), "").unwrap();
    bundle.config["hooks"] = json!({
        "createContainer": [hook(&outside, script)],
        "startContainer": [hook(Path::new("/tmp/inside"), script)],
    });
    // The name is set after the root is changed.
    let mut container = bundle.create("box").unwrap_or_else(|error| panic!("{error}"));
    assert!(read(&outside)[0].ends_with(" host"), "{:?}", read(&outside));
    container.start().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(read(&bundle.path().join("rootfs/tmp/inside")), ["inside own"]);
    container.delete(true).unwrap();
}

#[test]
fn a_failing_hook_undoes_the_creation_and_says_why() {
    require!(busybox().is_some(), "a static busybox");
    require!(common::can_isolate(), "namespaces");
    for kind in ["prestart", "createRuntime", "createContainer"] {
        let (mut bundle, log) = logging("true");
        bundle.config["hooks"][kind] = json!([hook(&log, "exit 0"), hook(&log, "echo no luck >&2; exit 9")]);
        let error = bundle.create("box").unwrap_err().to_string();
        assert_eq!(error, format!("hook hooks.{kind}[1]: /bin/sh: exited with status 9: no luck"));
        assert_eq!(bundle.entries(), [""; 0], "{kind}");
        assert_eq!(bundle.cgroups().len(), 0, "{kind}");
        assert_eq!(read(&log).last().unwrap(), "poststop stopped");
        assert!(!read(&log).iter().any(|line| line.starts_with("startContainer")), "{kind}");
    }
}

#[test]
fn a_hook_that_fails_at_the_start_stops_the_container() {
    require!(busybox().is_some(), "a static busybox");
    require!(common::can_isolate(), "namespaces");
    for kind in ["startContainer", "poststart"] {
        let (mut bundle, log) = logging("sleep 60");
        bundle.config["hooks"][kind] = json!([hook(&log, "exit 9")]);
        let mut container = bundle.create("box").unwrap_or_else(|error| panic!("{error}"));
        let error = container.start().unwrap_err().to_string();
        assert_eq!(error, format!("hook hooks.{kind}[0]: /bin/sh: exited with status 9"));
        let found = bundle.runtime.load("box").unwrap();
        assert_eq!(found.status().unwrap(), Status::Stopped, "{kind}");
        assert!(found.delete(false).unwrap().is_empty());
        assert_eq!(bundle.entries(), [""; 0]);
        assert_eq!(read(&log).last().unwrap(), "poststop stopped");
    }
}

#[test]
fn what_hooks_of_the_end_say_does_not_matter() {
    require!(busybox().is_some(), "a static busybox");
    require!(common::can_isolate(), "namespaces");
    let (mut bundle, log) = logging("true");
    bundle.config["hooks"]["poststop"] = json!([hook(&log, "exit 9"), hook(&log, r#"echo last >> "$1""#)]);
    let mut container = bundle.create("box").unwrap_or_else(|error| panic!("{error}"));
    container.start().unwrap_or_else(|error| panic!("{error}"));
    wait(&mut container);
    let warnings: Vec<String> = container.delete(false).unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(warnings, ["hook hooks.poststop[0]: /bin/sh: exited with status 9"]);
    assert_eq!(read(&log).last().unwrap(), "last");
    assert_eq!(bundle.entries(), [""; 0]);
}

#[test]
fn a_hook_that_hangs_is_killed_with_its_group_after_its_timeout() {
    require!(busybox().is_some(), "a static busybox");
    require!(common::can_isolate(), "namespaces");
    for kind in ["createRuntime", "createContainer"] {
        let mut bundle = Bundle::new("true");
        let log = bundle.path().join("pids");
        let mut hanging = hook(&log, r#"sleep 61 & echo $! >> "$1"; echo $$ >> "$1"; wait"#);
        hanging["timeout"] = json!(1);
        bundle.config["hooks"] = json!({ kind: [hanging] });
        let begin = Instant::now();
        let error = bundle.create("box").unwrap_err().to_string();
        assert!(begin.elapsed() < Duration::from_secs(20));
        assert_eq!(error, format!("hook hooks.{kind}[0]: /bin/sh: killed after its timeout of 1 seconds"));
        assert_eq!(bundle.entries(), [""; 0]);
        if kind == "createRuntime" {
            for pid in read(&log) {
                let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
                assert!(stat.is_empty() || stat.contains(" Z "), "{stat}");
            }
        }
    }
}

#[test]
fn a_hook_may_leave_its_input_unread_and_write_a_lot() {
    require!(busybox().is_some(), "a static busybox");
    require!(common::can_isolate(), "namespaces");
    let mut bundle = Bundle::new("true");
    let log = bundle.path().join("log");
    // More than a pipe holds, both ways.
    bundle.config["annotations"] = json!({ "large": "x".repeat(200_000) });
    let script = r#"exec 0<&-; head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2; echo done > "$1""#;
    let counting = r#"cat | wc -c > "$1.count""#;
    bundle.config["hooks"] = json!({ "createRuntime": [hook(&log, script), hook(&log, counting)] });
    let container = bundle.create("box").unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(read(&log), ["done"]);
    let count: usize = read(&bundle.path().join("log.count"))[0].trim().parse().unwrap();
    assert!(count > 200_000, "{count}");
    container.delete(true).unwrap();
}

#[test]
fn a_hook_that_is_not_there_is_named() {
    require!(busybox().is_some(), "a static busybox");
    require!(common::can_isolate(), "namespaces");
    let mut bundle = Bundle::new("true");
    bundle.config["hooks"] = json!({ "createRuntime": [{ "path": "/nonexistent/hook" }] });
    let error = bundle.create("box").unwrap_err().to_string();
    let text = "hook hooks.createRuntime[0]: /nonexistent/hook: execute /nonexistent/hook: ENOENT (No such file or directory)";
    assert_eq!(error, text);
    assert_eq!(bundle.entries(), [""; 0]);
}
