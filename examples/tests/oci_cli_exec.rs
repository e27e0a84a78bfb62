//! `cofferdam exec`, as root and as an ordinary user.

mod common;

use std::fs;
use std::process::Stdio;

use common::errors;
use common::oci::{Bundle, end, users};
use serde_json::json;

fn waiting(user: &common::User) -> Bundle<'_> {
    let bundle = Bundle::new(user, &["sleep", "1000"]);
    bundle.start();
    bundle
}

#[test]
fn flags_change_the_process_of_the_configuration() {
    for user in users() {
        let bundle = waiting(&user);
        let id = bundle.id.as_str();
        assert_eq!(bundle.text(&["exec", id, "sh", "-c", "pwd; echo $TERM"]), "/\nxterm");
        assert_eq!(bundle.text(&["exec", "--cwd", "/tmp", id, "pwd"]), "/tmp");
        assert_eq!(
            bundle.text(&["exec", "-e", "A=b c", "--env", "D=", id, "sh", "-c", "echo $A-${D-unset}-"]),
            "b c--"
        );
        let output = bundle.run(&["exec", id, "sh", "-c", "exit 9"]);
        assert_eq!(output.status.code(), Some(9), "{}", errors(&output));
        let output = bundle.run(&["exec", id, "sh", "-c", "kill -KILL $$"]);
        assert_eq!(output.status.code(), Some(137), "{}", errors(&output));
        if user.root {
            assert_eq!(
                bundle.text(&["exec", "-u", "7:8", "-g", "9,10", id, "id"]),
                "uid=7 gid=8 groups=9,10"
            );
            assert_eq!(bundle.text(&["exec", "-u", "7", id, "id", "-g"]), "0");
        }
    }
}

#[test]
fn groups_that_are_not_named_are_those_of_the_container() {
    // As with runc: another user is in the same groups.
    for user in users().into_iter().filter(|user| user.root) {
        let bundle = Bundle::new(&user, &["sleep", "1000"]);
        bundle.edit(|config| config["process"]["user"] = json!({"uid": 5, "gid": 6, "additionalGids": [7]}));
        bundle.start();
        let id = bundle.id.as_str();
        assert_eq!(bundle.text(&["exec", "-u", "100", id, "id"]), "uid=100 gid=6 groups=7");
        assert_eq!(bundle.text(&["exec", "-u", "100:8", "-g", "9", id, "id"]), "uid=100 gid=8 groups=7,9");
    }
}

#[test]
fn a_program_has_to_be_named() {
    for user in users() {
        let bundle = waiting(&user);
        let message = bundle.complaint(&["exec", &bundle.id], 255);
        assert_eq!(
            message,
            "exec failed: no program is named, neither behind the container nor by --process"
        );
    }
}

#[test]
fn capabilities_are_never_inheritable() {
    // CVE-2022-29162.
    for user in users() {
        let bundle = waiting(&user);
        bundle.edit(|_| {});
        let sets = |args: &[&str]| {
            let words: Vec<&str> = ["exec"]
                .iter()
                .chain(args)
                .chain(&[bundle.id.as_str(), "grep", "Cap", "/proc/self/status"])
                .copied()
                .collect();
            let text = bundle.text(&words);
            let set = |name: &str| {
                let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
                u64::from_str_radix(line.trim(), 16).expect("a set")
            };
            ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"].map(set)
        };
        let before = sets(&[]);
        let after = sets(&["--cap", "CAP_NET_RAW"]);
        let raw = 1 << 13;
        assert_eq!(after, [0, before[1] | raw, before[2] | raw, before[3] | raw, 0]);
        assert_eq!([before[0], before[4], before[1] & raw], [0, 0, 0]);
    }
}

#[test]
fn users_are_whole_numbers() {
    // CVE-2026-30892.
    for user in users() {
        let bundle = waiting(&user);
        for wrong in ["1000abc", "1000:", ":5", "-1", "4294967296", "4294967295", "1e3", "0x0", "", "root"] {
            let flag = format!("--user={wrong}");
            let message = bundle.complaint(&["exec", &flag, &bundle.id, "id"], 1);
            assert!(message.contains("--user"), "{wrong}: {message}");
        }
    }
}

#[test]
fn a_whole_process_comes_from_a_file() {
    for user in users() {
        let bundle = waiting(&user);
        let process = json!({
            "args": ["sh", "-c", "echo $X; pwd; grep NoNewPrivs /proc/self/status"], "cwd": "/tmp",
            "env": ["PATH=/bin", "X=y"], "user": {"uid": 0, "gid": 0}, "noNewPrivileges": true,
        });
        fs::write(bundle.path.join("p.json"), process.to_string()).expect("write");
        let text = bundle.text(&["exec", "--process", "p.json", &bundle.id]);
        assert_eq!(text, "y\n/tmp\nNoNewPrivs:\t1");
        fs::write(
            bundle.path.join("p.json"),
            r#"{"args": ["true"], "cwd": "tmp", "user": {"uid": 0, "gid": 0}}"#,
        )
        .expect("write");
        let message = bundle.complaint(&["exec", "-p", "p.json", &bundle.id], 255);
        assert!(message.starts_with("exec failed: ") && message.contains("process.cwd"), "{message}");
    }
}

#[test]
fn a_detached_process_goes_on_alone() {
    for user in users() {
        let bundle = waiting(&user);
        let file = bundle.path.join("pid");
        let words = ["exec", "-d", "--pid-file", &file.display().to_string(), &bundle.id, "sleep", "1000"];
        let mut command = bundle.command(&words);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let (status, text) = end(child.expect("cofferdam"));
        assert!(status.success(), "{text}");
        let pid: u32 = fs::read_to_string(&file).expect("the file").parse().expect("a number");
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).expect("a process");
        assert_eq!(name, "sleep\n");
        assert_ne!(i64::from(pid), i64::from(bundle.pid()));
    }
}

#[test]
fn a_stopped_container_takes_no_process() {
    for user in users() {
        let bundle = waiting(&user);
        bundle.text(&["kill", &bundle.id, "9"]);
        bundle.wait_for("stopped");
        let message = bundle.complaint(&["exec", &bundle.id, "true"], 255);
        assert!(message.starts_with("exec failed: ") && message.contains("not running"), "{message}");
        let message = bundle.complaint(&["exec", "no-such-container", "true"], 255);
        assert_eq!(message, "exec failed: container does not exist: no-such-container");
    }
}

#[test]
fn a_process_starts_in_a_cgroup_below_the_containers() {
    let Some(user) = common::oci::root() else { return };
    let bundle = waiting(&user);
    let message = bundle.complaint(&["exec", "--cgroup", "../..", &bundle.id, "true"], 255);
    assert!(message.contains(".."), "{message}");
    let message = bundle.complaint(&["exec", "--cgroup", "none", &bundle.id, "true"], 255);
    assert!(message.contains("none"), "{message}");
}
