//! The command line `cofferdam`: the life of containers, as root and as an ordinary user.

mod common;

use std::fs;
use std::process::Stdio;

use common::oci::{Bundle, complaint, root, users, wait_until};
use common::{User, errors};
use serde_json::{Value, json};

/// A program that runs until it is killed.
const WAITING: [&str; 2] = ["sleep", "1000"];

fn by(user: &User) -> &'static str {
    if user.root { "by root" } else { "by an ordinary user" }
}

#[test]
fn the_configuration_that_spec_writes_runs_a_program() {
    for user in users() {
        let bundle = Bundle::new(&user, &["echo", "hi"]);
        assert_eq!(bundle.text(&["run", &bundle.id]), "hi", "{}", by(&user));
        assert!(bundle.is_gone(), "{}", by(&user));
        assert_eq!(bundle.text(&["list", "--quiet"]), "");
        assert!(bundle.complaint(&["spec"], 1).contains("config.json"), "there is one already");
    }
}

#[test]
fn the_exit_code_is_the_programs() {
    for user in users() {
        for (script, code) in [("exit 7", 7), ("exit 255", 255), ("true", 0)] {
            let bundle = Bundle::script(&user, script);
            let output = bundle.run(&["run", &bundle.id]);
            assert_eq!(output.status.code(), Some(code), "{script} {}: {}", by(&user), errors(&output));
            assert!(bundle.is_gone());
        }
        let bundle = Bundle::new(&user, &WAITING);
        let mut run = bundle.command(&["run", &bundle.id]).stdin(Stdio::null()).spawn().expect("cofferdam");
        wait_until("it runs", || bundle.run(&["state", &bundle.id]).status.success());
        bundle.wait_for("running");
        bundle.text(&["kill", &bundle.id, "KILL"]);
        assert_eq!(run.wait().expect("wait").code(), Some(137), "{}", by(&user));
        assert!(bundle.is_gone());
    }
}

#[test]
fn a_program_that_cannot_be_executed_is_named_in_the_words_that_engines_look_for() {
    let cases = [
        ("no-such-program", "exec: \"no-such-program\": executable file not found in $PATH"),
        ("/no/such/program", "exec: \"/no/such/program\": no such file or directory"),
        ("/etc", "exec: \"/etc\": permission denied"),
    ];
    for user in users() {
        for (program, message) in cases {
            let bundle = Bundle::new(&user, &[program]);
            assert_eq!(bundle.complaint(&["run", &bundle.id], 1), message, "{}", by(&user));
            assert_eq!(bundle.complaint(&["create", &bundle.id], 1), message, "{}", by(&user));
            assert!(bundle.is_gone());
        }
        let bundle = Bundle::new(&user, &WAITING);
        bundle.start();
        for (program, message) in cases {
            let expected = format!("exec failed: {message}");
            assert_eq!(bundle.complaint(&["exec", &bundle.id, program], 255), expected, "{}", by(&user));
        }
    }
}

#[test]
fn a_container_is_created_started_stopped_and_deleted() {
    for user in users() {
        let bundle = Bundle::new(&user, &WAITING);
        let id = bundle.id.as_str();
        assert_eq!(bundle.complaint(&["state", id], 1), format!("container does not exist: {id}"));
        let pid_file = bundle.path.join("pid");
        let create = ["create", "--pid-file", &pid_file.display().to_string(), id];
        let output =
            bundle.command(&create).stdin(Stdio::null()).stdout(Stdio::null()).status().expect("create");
        assert!(output.success(), "{}", by(&user));
        assert_eq!(bundle.status(), "created");
        assert_eq!(fs::read_to_string(&pid_file).expect("the file"), bundle.pid().to_string());
        assert!(bundle.complaint(&["create", id], 1).contains("already exists"));
        bundle.text(&["start", id]);
        assert_eq!(bundle.status(), "running");
        bundle.complaint(&["start", id], 1);
        assert!(bundle.complaint(&["delete", id], 1).contains("running"));
        assert_eq!(bundle.text(&["list", "-q"]), id);
        let table = bundle.text(&["list"]);
        assert_eq!(table.find("PID"), Some((id.len() + 3).max(12)), "{table}");
        let row = table.lines().nth(1).expect("a row");
        let cells: Vec<&str> = row.split_whitespace().collect();
        let (pid, path) = (bundle.pid().to_string(), bundle.path.display().to_string());
        assert_eq!(cells[..4], [id, &pid, "running", &path]);
        bundle.text(&["kill", id, "SIGKILL"]);
        bundle.wait_for("stopped");
        assert_eq!(bundle.pid(), 0);
        assert!(bundle.complaint(&["kill", id], 1).contains("container not running"));
        bundle.text(&["delete", id]);
        assert!(bundle.is_gone(), "{}", by(&user));
        bundle.complaint(&["delete", id], 1);
        bundle.text(&["delete", "--force", id]);
    }
}

#[test]
fn a_running_container_is_deleted_with_force() {
    for user in users() {
        let bundle = Bundle::new(&user, &WAITING);
        bundle.start();
        bundle.text(&["delete", "--force", &bundle.id]);
        assert!(bundle.is_gone(), "{}", by(&user));
    }
}

#[test]
fn a_container_stays_if_it_is_to_be_kept() {
    for user in users() {
        let bundle = Bundle::script(&user, "exit 3");
        assert_eq!(bundle.run(&["run", "--keep", &bundle.id]).status.code(), Some(3));
        assert_eq!(bundle.status(), "stopped", "{}", by(&user));
    }
}

#[test]
fn processes_are_listed() {
    for user in users() {
        let bundle = Bundle::script(&user, "sleep 1000 & exec sleep 1001");
        bundle.start();
        let pid = bundle.pid();
        // An ordinary user without a cgroup cannot say which processes are a container's.
        let output = bundle.run(&["ps", "--format", "json", &bundle.id]);
        if !user.root && !output.status.success() {
            complaint(&output);
            continue;
        }
        wait_until("two processes", || {
            bundle.json(&["ps", "-f", "json", &bundle.id]).as_array().is_some_and(|all| all.len() == 2)
        });
        let all = bundle.json(&["ps", "-f", "json", &bundle.id]);
        assert!(all.as_array().expect("a list").contains(&json!(pid)), "{all}");
        let table = bundle.text(&["ps", &bundle.id]);
        assert_eq!(table.lines().count(), 3, "{table}");
        let table = bundle.text(&["ps", &bundle.id, "-o", "pid,args"]);
        assert!(table.lines().any(|line| line.trim() == format!("{pid} sleep 1001")), "{table}");
    }
}

#[test]
fn a_container_is_paused_and_resumed() {
    let Some(user) = root() else { return };
    let bundle = Bundle::new(&user, &WAITING);
    bundle.start();
    bundle.text(&["pause", &bundle.id]);
    assert_eq!(bundle.status(), "paused");
    assert!(bundle.complaint(&["exec", &bundle.id, "true"], 255).contains("paused"));
    bundle.text(&["resume", &bundle.id]);
    assert_eq!(bundle.status(), "running");
    bundle.text(&["exec", &bundle.id, "true"]);
    bundle.text(&["pause", &bundle.id]);
    // R13: what is frozen can be deleted.
    bundle.text(&["delete", "--force", &bundle.id]);
    assert!(bundle.is_gone());
}

#[test]
fn limits_are_changed_by_flags_and_by_a_document() {
    let Some(user) = root() else { return };
    let bundle = Bundle::new(&user, &WAITING);
    bundle.start();
    let limit =
        || bundle.json(&["events", "--stats", &bundle.id])["data"]["memory"]["usage"]["limit"].clone();
    bundle.text(&["update", "--memory", "64M", "--pids-limit", "20", &bundle.id]);
    assert_eq!(limit(), json!(64 << 20));
    assert_eq!(bundle.json(&["events", "--stats", &bundle.id])["data"]["pids"]["limit"], json!(20));
    fs::write(bundle.path.join("r.json"), json!({"memory": {"limit": 96 << 20}}).to_string()).expect("write");
    bundle.text(&["update", "--resources", "r.json", &bundle.id]);
    assert_eq!(limit(), json!(96 << 20));
    let message = bundle.complaint(&["update", "--l3-cache-schema", "x", &bundle.id], 1);
    assert!(message.contains("intelRdt"), "{message}");
    let message = bundle.complaint(&["update", "--kernel-memory", "1M", &bundle.id], 1);
    assert_eq!(message, "update --kernel-memory is not supported");
}

#[test]
fn events_end_with_the_container() {
    let Some(user) = root() else { return };
    let bundle = Bundle::new(&user, &WAITING);
    bundle.start();
    let mut command = bundle.command(&["events", "--interval", "20ms", &bundle.id]);
    let child = command.stdout(Stdio::piped()).spawn().expect("cofferdam");
    std::thread::sleep(std::time::Duration::from_millis(200));
    bundle.text(&["kill", &bundle.id, "KILL"]);
    let output = child.wait_with_output().expect("wait");
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).expect("text");
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(
        !events.is_empty()
            && events.iter().all(|event| event["type"] == "stats" && event["id"] == bundle.id.as_str())
    );
}

#[test]
fn processes_killed_for_want_of_memory_are_an_event() {
    let Some(user) = root() else { return };
    let bundle = Bundle::script(
        &user,
        "until test -e /tmp/go; do sleep 0.05; done; x=xxxxxxxx; while :; do x=$x$x; done",
    );
    bundle
        .edit(|config| config["linux"]["resources"]["memory"] = json!({"limit": 16 << 20, "swap": 16 << 20}));
    bundle.start();
    let mut command = bundle.command(&["events", "--interval", "1h", &bundle.id]);
    let child = command.stdout(Stdio::piped()).spawn().expect("cofferdam");
    std::thread::sleep(std::time::Duration::from_millis(300));
    fs::write(bundle.path.join("rootfs/tmp/go"), "").expect("write");
    let output = child.wait_with_output().expect("wait");
    let text = String::from_utf8(output.stdout).expect("text");
    let event: Value = serde_json::from_str(text.lines().next().expect("an event")).expect("JSON");
    assert_eq!(event, json!({"type": "oom", "id": bundle.id}));
    bundle.wait_for("stopped");
}

#[test]
fn descriptors_are_passed_if_so_many_are_asked_for() {
    for user in users() {
        let bundle = Bundle::script(&user, "ls /proc/self/fd | grep -c . ; cat <&3");
        let file = bundle.path.join("input");
        fs::write(&file, "passed\n").expect("write");
        let script = format!("exec 3<{} 4</dev/null; exec \"$@\"", file.display());
        let command = bundle.command(&["run", "--preserve-fds", "1", &bundle.id]);
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &script, "sh"]).arg(command.get_program()).args(command.get_args());
        shell.current_dir(&bundle.path).stdin(Stdio::null());
        user.become_in(&mut shell);
        let output = shell.output().expect("sh");
        let text = String::from_utf8_lossy(&output.stdout);
        // 0, 1, 2, 3 and the directory itself.
        assert_eq!(text, "5\npassed\n", "{} {}", by(&user), errors(&output));
    }
}

#[test]
fn the_plan_is_printed_and_not_carried_out() {
    for user in users() {
        let bundle = Bundle::new(&user, &["echo", "hi"]);
        let plan = bundle.text(&["plan", &bundle.id]);
        assert!(plan.lines().any(|line| line == "execute echo hi"), "{plan}");
        assert!(plan.contains("set hostname"), "{plan}");
        assert!(bundle.is_gone());
    }
}

#[test]
fn what_is_not_supported_is_said() {
    for user in users() {
        let bundle = Bundle::new(&user, &WAITING);
        let cases: [(&[&str], &str); 4] = [
            (&["checkpoint", "--image-path", "/x", &bundle.id], "checkpoint is not supported"),
            (&["restore", &bundle.id], "restore is not supported"),
            (
                &["--systemd-cgroup", "create", &bundle.id],
                "the systemd cgroup driver (--systemd-cgroup) is not supported",
            ),
            (&["kill", "--nope", &bundle.id], "unexpected argument '--nope' found"),
        ];
        for (args, message) in cases {
            assert_eq!(bundle.complaint(args, 1), message);
        }
    }
}

#[test]
fn bad_configurations_are_one_line_and_leave_nothing() {
    for user in users() {
        let bundle = Bundle::new(&user, &WAITING);
        let path = bundle.path.join("config.json");
        let good = fs::read_to_string(&path).expect("a configuration");
        let cases =
            ["", "null", "[]", "{", "\u{feff}{}", "{\"ociVersion\": \"1.0.0\", \"ociVersion\": \"1.0.0\"}"];
        let cut = &good[..good.len() / 2];
        for text in cases.into_iter().chain([cut]) {
            fs::write(&path, text).expect("write");
            let message = bundle.complaint(&["create", &bundle.id], 1);
            assert!(message.starts_with("config.json: "), "{message}");
            assert!(bundle.is_gone());
        }
        for id in ["../x", "a/b", ".", "..", "a\nb", "", &"a".repeat(1100)] {
            fs::write(&path, &good).expect("write");
            let message = bundle.complaint(&["create", id], 1);
            assert!(message.contains("container id") || message.contains("<ID>"), "{id:?}: {message}");
        }
    }
}

#[test]
fn help_has_examples_for_each_command() {
    for user in users() {
        let help = user.text(&["--help"]);
        assert!(help.contains("Examples:\n"));
        let commands: Vec<&str> = help
            .lines()
            .skip_while(|line| *line != "Commands:")
            .skip(1)
            .take_while(|line| !line.is_empty())
            .filter_map(|line| line.split_whitespace().next())
            .collect();
        assert_eq!((commands.len(), commands.last()), (18, Some(&"help")), "{commands:?}");
        assert_eq!(user.text(&["help"]), help);
        for command in commands.into_iter().filter(|command| *command != "help") {
            assert_eq!(user.text(&["help", command]), user.text(&[command, "--help"]));
            assert!(user.text(&[command, "--help"]).contains("\nExample"), "{command}");
        }
        for shell in ["bash", "fish", "zsh"] {
            assert!(user.text(&["completion", shell]).contains("preserve-fds"), "{shell}");
        }
        assert!(user.text(&["--version"]).starts_with("cofferdam version "));
        assert!(user.text(&["-v"]).ends_with("\nspec: 1.3.0"));
    }
}
