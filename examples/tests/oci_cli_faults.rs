//! The command line `cofferdam` when something goes wrong: logs, streams, signals, peers.

mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Instant;

use common::errors;
use common::oci::{Bundle, PATIENCE, complaint, root, users, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

fn signal(child: &std::process::Child, signal: Signal) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(pid, signal).expect("kill");
}

#[test]
fn the_log_has_the_lines_of_logrus() {
    for user in users() {
        let bundle = Bundle::new(&user, &["true"]);
        let log = bundle.path.join("log");
        let path = log.display().to_string();
        let message = "container does not exist: none";
        for _ in 0..2 {
            let output = bundle.run(&["--log", &path, "--log-format", "json", "state", "none"]);
            assert_eq!((complaint(&output).as_str(), output.status.code()), (message, Some(1)));
        }
        let text = fs::read_to_string(&log).expect("the log");
        assert_eq!(text.lines().count(), 2, "it is added to");
        for line in text.lines() {
            let entry: Value = serde_json::from_str(line).expect("JSON");
            assert_eq!([&entry["level"], &entry["msg"]], ["error", message]);
            let time = entry["time"].as_str().expect("a time");
            assert!(time.len() == 20 && time.ends_with('Z') && time.starts_with("20"), "{time}");
        }
        fs::remove_file(&log).expect("remove");
        bundle.run(&["--log", &path, "state", "none"]);
        let text = fs::read_to_string(&log).expect("the log");
        let rest = text.split_once(' ').expect("words").1;
        assert_eq!(rest, format!("level=error msg=\"{message}\"\n"));
        // Without a file, JSON goes to standard error.
        let output = bundle.run(&["--log-format", "json", "state", "none"]);
        let entry: Value = serde_json::from_str(&errors(&output)).expect("JSON");
        assert_eq!(entry["msg"], message);
        // A wrong line is in the log, too.
        fs::remove_file(&log).expect("remove");
        bundle.run(&["--log", &path, "--log-format=json", "create", "--nope", "x"]);
        let entry: Value = serde_json::from_str(&fs::read_to_string(&log).expect("the log")).expect("JSON");
        assert_eq!(entry["msg"], "unexpected argument '--nope' found");
    }
}

#[test]
fn roots_log_is_no_link() {
    let Some(user) = root() else { return };
    let bundle = Bundle::new(&user, &["true"]);
    let [link, victim] = ["link", "victim"].map(|name| bundle.path.join(name));
    symlink(&victim, &link).expect("a link");
    let message = bundle.complaint(&["--log", &link.display().to_string(), "list"], 1);
    assert!(message.starts_with(&format!("open the log {}: ", link.display())), "{message}");
    assert!(!victim.exists());
    assert!(bundle.complaint(&["--log", "/no/such/directory/log", "list"], 1).contains("No such file"));
    // One that is full is no reason to fail otherwise than without it.
    assert_eq!(
        bundle.complaint(&["--log", "/dev/full", "state", "none"], 1),
        "container does not exist: none"
    );
}

#[test]
fn it_does_not_run_set_user_id() {
    // CVE-2020-5291 and CVE-2026-41163.
    let Some(user) = root() else { return };
    let program = user.path().join("set-user-id");
    assert!(Command::new("cp").arg(user.program()).arg(&program).status().expect("cp").success());
    for mode in [0o4755, 0o2755] {
        fs::set_permissions(&program, fs::Permissions::from_mode(mode)).expect("chmod");
        let output =
            Command::new(&program).arg("--version").uid(65534).gid(65534).output().expect("the program");
        assert_eq!(output.status.code(), Some(1));
        let message = complaint(&output);
        assert_eq!(message, "refusing to run with privileges that the caller does not have (set-user-id)");
    }
}

#[test]
fn closed_streams_do_not_become_the_containers_files() {
    // R22. What is opened first would get the numbers of the streams.
    for user in users() {
        let bundle =
            Bundle::script(&user, "for n in 0 1 2; do readlink /proc/self/fd/$n; done > /tmp/out; exit 5");
        let out = bundle.path.join("rootfs/tmp/out");
        for closed in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"] {
            let command = bundle.command(&["run", &bundle.id]);
            let mut shell = Command::new("sh");
            shell
                .args(["-c", &format!("\"$@\" {closed}"), "sh"])
                .arg(command.get_program())
                .args(command.get_args());
            shell.current_dir(&bundle.path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            user.become_in(&mut shell);
            assert_eq!(shell.status().expect("sh").code(), Some(5), "{closed}");
            let text = fs::read_to_string(&out).expect("the output");
            let expected = ["/dev/null", "/tmp/out", "/dev/null"];
            assert_eq!(text.lines().collect::<Vec<_>>(), expected, "{closed}");
            fs::remove_file(&out).expect("remove");
        }
    }
}

#[test]
fn a_full_or_gone_reader_is_no_panic() {
    for user in users() {
        let bundle = Bundle::script(&user, "echo x");
        let full = || Stdio::from(fs::File::options().write(true).open("/dev/full").expect("/dev/full"));
        for args in [&["features"][..], &["--help"], &["list"], &["plan", &bundle.id]] {
            let output =
                bundle.command(args).stdout(full()).stderr(Stdio::piped()).output().expect("cofferdam");
            assert_eq!(output.status.code(), Some(1), "{args:?}");
            assert!(complaint(&output).contains("No space left on device"), "{args:?}");
            let status = bundle.command(args).stdout(full()).stderr(full()).status().expect("cofferdam");
            assert_eq!(status.code(), Some(1), "{args:?}");
            let (reader, writer) = std::io::pipe().expect("a pipe");
            drop(reader);
            let output =
                bundle.command(args).stdout(writer).stderr(Stdio::piped()).output().expect("cofferdam");
            assert_eq!((output.status.code(), errors(&output).as_str()), (Some(0), ""), "{args:?}");
        }
    }
}

#[test]
fn signals_go_to_the_program() {
    // R18.
    for user in users() {
        let script = "for s in HUP INT USR1 TERM WINCH; do trap \"echo $s\" $s; done; echo ready; \
                      trap 'exit 9' USR2; while :; do sleep 0.02; done";
        let bundle = Bundle::script(&user, script);
        let mut command = bundle.command(&["run", &bundle.id]);
        let file = bundle.path.join("out");
        let out = fs::File::create(&file).expect("a file");
        let mut child = command.stdin(Stdio::null()).stdout(out).spawn().expect("cofferdam");
        let has = |word: &str| {
            wait_until(word, || {
                fs::read_to_string(&file).expect("the output").lines().any(|line| line == word)
            });
        };
        has("ready");
        for (name, number) in [
            ("HUP", Signal::HUP),
            ("INT", Signal::INT),
            ("USR1", Signal::USR1),
            ("TERM", Signal::TERM),
            ("WINCH", Signal::WINCH),
        ] {
            signal(&child, number);
            has(name);
        }
        // About this process, not about the program.
        for number in [Signal::CHILD, Signal::URG, Signal::PIPE] {
            signal(&child, number);
        }
        signal(&child, Signal::USR2);
        assert_eq!(child.wait().expect("wait").code(), Some(9));
        assert!(bundle.is_gone());
    }
}

#[test]
fn asked_to_end_before_there_is_a_container_it_leaves_nothing() {
    // R18. A hook holds the creation up.
    for user in users() {
        for command in ["run", "create"] {
            for (number, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129)] {
                let bundle = Bundle::new(&user, &["sleep", "1000"]);
                let mark = bundle.path.join("mark");
                let script = format!("touch {}; exec sleep 1000", mark.display());
                let hook =
                    json!({ "path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/usr/bin:/bin"] });
                bundle.edit(|config| config["hooks"] = json!({ "createRuntime": [hook] }));
                let mut child =
                    bundle.command(&[command, &bundle.id]).stdin(Stdio::null()).spawn().expect("cofferdam");
                wait_until("the hook", || mark.exists());
                let start = Instant::now();
                signal(&child, number);
                assert_eq!(child.wait().expect("wait").code(), Some(code), "{command}");
                assert!(start.elapsed() < PATIENCE);
                assert!(bundle.is_gone(), "{command}");
            }
        }
    }
}

#[test]
fn asked_to_end_while_the_start_hangs_it_leaves_nothing() {
    // R18. A hook that runs after the program was let go holds the start up.
    for user in users() {
        for flag in ["--keep", "--detach"] {
            let bundle = Bundle::new(&user, &["sleep", "1000"]);
            let mark = bundle.path.join("mark");
            let script = format!("touch {}; exec sleep 1000", mark.display());
            let hook =
                json!({ "path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/usr/bin:/bin"] });
            bundle.edit(|config| config["hooks"] = json!({ "poststart": [hook] }));
            let mut command = bundle.command(&["run", flag, &bundle.id]);
            let mut child = command.stdin(Stdio::null()).spawn().expect("cofferdam");
            wait_until("the hook", || mark.exists());
            signal(&child, Signal::TERM);
            assert_eq!(child.wait().expect("wait").code(), Some(143), "{flag}");
            assert!(bundle.is_gone(), "{flag}");
        }
    }
}

#[test]
fn orphans_of_the_container_are_no_zombies() {
    let Some(user) = root() else { return };
    // Without a pid namespace they become children of the command.
    let bundle = Bundle::script(&user, "(sleep 0.05 & sleep 0.05 &); sleep 0.5; exit 4");
    bundle.edit(|config| {
        let list = config["linux"]["namespaces"].as_array_mut().expect("a list");
        list.retain(|namespace| namespace["type"] != "pid");
    });
    let mut child = bundle.command(&["run", &bundle.id]).stdin(Stdio::null()).spawn().expect("cofferdam");
    let children = || {
        let path = format!("/proc/{0}/task/{0}/children", child.id());
        let text = fs::read_to_string(path).unwrap_or_default();
        text.split_whitespace()
            .filter_map(|pid| fs::read_to_string(format!("/proc/{pid}/stat")).ok())
            .collect::<Vec<_>>()
    };
    wait_until("orphans", || children().len() == 3);
    wait_until("no zombies", || children().len() == 1);
    assert!(!children().iter().any(|stat| stat.contains(") Z ")));
    assert_eq!(child.wait().expect("wait").code(), Some(4));
}

/// A bundle whose program has a terminal.
fn with_terminal<'a>(user: &'a common::User, script: &str) -> Bundle<'a> {
    let bundle = Bundle::script(user, script);
    bundle.edit(|config| config["process"]["terminal"] = json!(true));
    bundle
}

#[test]
fn a_terminal_that_nobody_would_have_is_refused() {
    for user in users() {
        let bundle = with_terminal(&user, "true");
        for args in [&["create", &bundle.id][..], &["run", "--detach", &bundle.id]] {
            let message = bundle.complaint(args, 1);
            assert_eq!(
                message,
                "cannot allocate tty if cofferdam will detach without setting console socket"
            );
        }
        bundle.edit(|config| config["process"]["terminal"] = json!(false));
        let message = bundle.complaint(&["create", "--console-socket", "/tmp/none", &bundle.id], 1);
        assert_eq!(message, "cannot use console socket if cofferdam will not detach or allocate tty");
        assert!(bundle.is_gone());
    }
}

#[test]
fn a_console_peer_that_fails_does_not_hold_anything_up() {
    // R17.
    for user in users() {
        let bundle = with_terminal(&user, "true");
        let socket = bundle.path.join("socket");
        let words = ["create", "--console-socket", "socket", &bundle.id];
        let within = |what: &str| {
            let start = Instant::now();
            let output = bundle.run(&words);
            assert!(start.elapsed().as_secs() < 6, "{what}");
            assert_eq!(output.status.code(), Some(1), "{what}: {}", errors(&output));
            output
        };
        assert!(complaint(&within("absent")).contains("socket"));
        assert!(bundle.is_gone());
        fs::write(&socket, "").expect("write");
        assert!(complaint(&within("a file")).contains("socket"));
        fs::remove_file(&socket).expect("remove");
        let listener = UnixListener::bind(&socket).expect("a socket");
        common::open_to_all(&socket);
        drop(listener);
        assert!(complaint(&within("nobody listens")).contains("socket"));
        assert!(bundle.is_gone());
    }
}

#[test]
fn a_console_peer_that_never_reads_is_no_hindrance() {
    // R17. The descriptor waits in the socket.
    for user in users() {
        let bundle = with_terminal(&user, "true");
        let socket = bundle.path.join("socket");
        let listener = UnixListener::bind(&socket).expect("a socket");
        common::open_to_all(&socket);
        bundle.text(&["create", "--console-socket", "socket", &bundle.id]);
        assert_eq!(bundle.status(), "created");
        bundle.text(&["start", &bundle.id]);
        bundle.text(&["delete", "--force", &bundle.id]);
        drop(listener);
        assert!(bundle.is_gone());
    }
}
