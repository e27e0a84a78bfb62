//! The program `isolate`, as root and as an ordinary user.

mod common;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use common::{User, errors, open_to_all};
use rustix::process::{Pid, Signal, kill_process};

fn users() -> Vec<User> {
    common::users(env!("CARGO_BIN_EXE_isolate"), env!("CARGO_BIN_EXE_isolate"))
}

fn by(user: &User) -> &'static str {
    if user.root { "by root" } else { "by an ordinary user" }
}

/// The message of a failure of `isolate` itself: one line.
fn complaint(output: &Output) -> String {
    let text = errors(output);
    let line = text.strip_suffix('\n').filter(|line| !line.contains('\n'));
    let message = line.and_then(|line| line.strip_prefix("isolate: "));
    message.unwrap_or_else(|| panic!("not a line of isolate: {text:?}")).to_owned()
}

#[test]
fn exit_codes_are_those_of_a_shell() {
    let cases: [(&[&str], i32); 10] = [
        (&["true"], 0),
        (&["--", "sh", "-c", "exit 7"], 7),
        (&["sh", "-c", "exit 255"], 255),
        (&["/etc/passwd"], 126),
        (&["/no/such/program"], 127),
        (&["no-such-program"], 127),
        (&["--init", "sh", "-c", "kill -KILL $$"], 137),
        (&["--init", "sh", "-c", "kill -TERM $$"], 143),
        (&["--timeout", "100ms", "sleep", "60"], 124),
        (&["--root", "/no/such/directory", "true"], 125),
    ];
    for user in users() {
        for (args, code) in cases {
            let output = user.run(args);
            assert_eq!(output.status.code(), Some(code), "{args:?} {}: {}", by(&user), errors(&output));
            if [124, 125, 126, 127].contains(&code) {
                complaint(&output);
            }
        }
    }
}

#[test]
fn the_program_is_process_1_of_user_0_on_a_host_of_its_own() {
    let script = "echo $$ $(cat /proc/sys/kernel/hostname) $(id -u)";
    for user in users() {
        for args in [&["--", "sh", "-c", script][..], &["sh", "-c", script]] {
            assert_eq!(user.text(args), "1 isolate 0", "{}", by(&user));
        }
        assert_eq!(user.text(&["--hostname", "box", "cat", "/proc/sys/kernel/hostname"]), "box");
        let outside = fs::read_to_string("/proc/sys/kernel/hostname").expect("hostname");
        assert_eq!(user.text(&["--share", "uts", "cat", "/proc/sys/kernel/hostname"]), outside.trim_end());
    }
}

#[test]
fn the_table_shows_what_is_different() {
    for user in users() {
        let text = user.text(&[]);
        let row = |name: &str| -> Vec<&str> {
            let line = text.lines().find(|line| line.trim_start().starts_with(name));
            let line = line.unwrap_or_else(|| panic!("no {name} in {text}"));
            line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()
        };
        for kind in ["pid", "net", "mnt", "ipc", "uts", "user", "cgroup", "time"] {
            let row = row(&format!("{kind} namespace"));
            assert!(row.len() == 3 && row[1] != row[2] && row[2] != "the same", "{row:?}");
        }
        assert_eq!([row("process id")[2], row("host name")[2], row("can gain")[2]], ["1", "isolate", "no"]);
        assert_eq!(row("root directory")[2], "read-only");
        // A host without a network has no more than that either.
        let [outside, inside] = [row("network interfaces")[1], row("network interfaces")[2]];
        assert!(inside == "lo" || (outside == "lo" && inside == "the same"), "{outside}, {inside}");
        assert_eq!(row("user, group").last(), Some(if user.root { &"the same" } else { &"0, 0" }));
        assert!(text.contains("The first start took ") && text.contains("The median of 20 more: "), "{text}");
        // The options count there too.
        let text = user.text(&["--net", "host", "--time-offset", "1d", "--uid", "7"]);
        let line = |name: &str| text.lines().find(|line| line.trim_start().starts_with(name)).expect("a row");
        assert!(line("net namespace").contains("the same"), "{text}");
        assert!(line("clock offset").contains("86400") && line("user, group").contains("7, 0"), "{text}");
    }
}

#[test]
fn the_plan_is_explained_and_not_carried_out() {
    for user in users() {
        let file = user.path().join("made");
        let bind = format!("{}:/mnt", user.path().display());
        let text = user.text(&["--explain", "--bind", &bind, "sh", "-c", "touch /mnt/made"]);
        assert!(text.contains("\nset hostname isolate\n") && text.contains(" on /mnt\n"), "{text}");
        assert_eq!(text.lines().last(), Some("execute sh -c \"touch /mnt/made\""));
        assert!(!file.exists());
        assert!(user.text(&["--explain"]).ends_with("execute /tmp/isolate --report"));
    }
}

#[test]
fn binds_and_memory() {
    for user in users() {
        let path = user.path().display().to_string();
        let (writable, read_only) = (format!("{path}:/mnt"), format!("{path}:/media"));
        let script = "echo x > /mnt/file; (echo y > /media/file) 2> /dev/null || cat /media/file";
        assert_eq!(user.text(&["--bind", &writable, "--ro-bind", &read_only, "sh", "-c", script]), "x");
        assert_eq!(fs::read_to_string(user.path().join("file")).expect("the file"), "x\n");
        // Relative to the directory of the caller, under the same path inside.
        assert_eq!(user.text(&["--bind", ".", "-w", ".", "cat", "file"]), "x");
        let script = "touch /srv/x && ls /srv && df -P /srv | tail -n 1 | tr -s ' ' | cut -d ' ' -f 2";
        assert_eq!(user.text(&["--tmpfs", "/srv:1m", "sh", "-c", script]), "x\n1024");
    }
}

#[test]
fn the_host_is_read_only_and_another_root_as_asked_for() {
    for user in users() {
        let output = user.run(&["touch", "/etc/cofferdam-test"]);
        assert!(!output.status.success() && errors(&output).contains("Read-only"), "{}", errors(&output));
        assert!(!Path::new("/etc/cofferdam-test").exists());

        let root = tempfile::tempdir().expect("a directory");
        open_to_all(root.path());
        let path = root.path().display().to_string();
        let mut binds = Vec::new();
        for name in ["bin", "lib", "lib64", "usr"] {
            let host = Path::new("/").join(name);
            match fs::read_link(&host) {
                Ok(target) => symlink(target, root.path().join(name)).expect("symlink"),
                Err(_) if host.is_dir() => binds.extend(["--ro-bind".to_owned(), host.display().to_string()]),
                Err(_) => {}
            }
        }
        let run = |flags: &[&str]| {
            let script = ["sh", "-c", "echo written > /file"];
            let args: Vec<&str> = ["--root", &path]
                .into_iter()
                .chain(flags.iter().copied())
                .chain(binds.iter().map(String::as_str))
                .chain(script)
                .collect();
            user.run(&args)
        };
        let output = run(&[]);
        assert!(output.status.success(), "{} {}", by(&user), errors(&output));
        assert_eq!(fs::read_to_string(root.path().join("file")).expect("the file"), "written\n");
        let output = run(&["--read-only"]);
        assert!(errors(&output).contains("Read-only"), "{}", errors(&output));
    }
}

#[test]
fn the_network() {
    let count = "tail -n +3 /proc/net/dev | wc -l";
    let own = fs::read_to_string("/proc/net/dev").expect("the devices").lines().skip(2).count();
    for user in users() {
        assert_eq!(user.text(&["sh", "-c", count]), "1");
        assert_eq!(user.text(&["--net", "none", "cat", "/proc/sys/kernel/hostname"]), "isolate");
        assert_eq!(user.text(&["--net", "host", "sh", "-c", count]), own.to_string());
    }
}

#[test]
fn identity_limits_and_environment() {
    let caps = "grep CapEff /proc/self/status | cut -f 2";
    let cases: [(&[&str], &str, &str); 11] = [
        (&["--uid", "7", "--gid", "8"], "echo $(id -u) $(id -g)", "7 8"),
        (&["--rlimit", "nofile=64"], "ulimit -n", "64"),
        (&["--rlimit", "nofile=64:128"], "ulimit -Hn", "128"),
        (&["--cap-drop", "all"], caps, "0000000000000000"),
        (&["--cap-drop", "all", "--cap-add", "net_admin"], caps, "0000000000001000"),
        (&["--uid", "7", "--cap-add", "net_admin"], caps, "0000000000001000"),
        (&[], "env | cut -d = -f 1 | grep -v -e PWD -e SHLVL -e _ | sort | tr '\\n' ' '", "PATH"),
        (
            &["-e", "A=b=c", "-e", "CALLERS", "-e", "MISSING"],
            "echo $A $CALLERS ${MISSING-none}",
            "b=c here none",
        ),
        (&["--inherit-env"], "echo $CALLERS", "here"),
        (&["--sysctl", "net.ipv4.ip_forward=1"], "cat /proc/sys/net/ipv4/ip_forward", "1"),
        (&["--workdir", "/usr"], "pwd", "/usr"),
    ];
    for user in users() {
        for (flags, script, expected) in cases {
            let args: Vec<&str> = flags.iter().copied().chain(["sh", "-c", script]).collect();
            let output = user.command(&args).env("CALLERS", "here").output().expect("isolate");
            let text = String::from_utf8_lossy(&output.stdout);
            assert_eq!(text.trim_end(), expected, "{flags:?} {} {}", by(&user), errors(&output));
        }
    }
}

#[test]
fn id_maps() {
    let users = users();
    let root = users.iter().find(|user| user.root);
    require!(root.is_some(), "root");
    let map = "0:100000:65536";
    let args = ["--uid-map", map, "--gid-map", map, "sh", "-c", "tr -s ' ' < /proc/self/uid_map"];
    assert_eq!(root.expect("root").text(&args), " 0 100000 65536");
}

#[test]
fn what_cannot_be_is_said_in_one_line() {
    let cases: [(&[&str], &str); 21] = [
        (&["--bogus"], "unexpected argument '--bogus' found"),
        (&["--timeout", "soon", "true"], "invalid value 'soon' for '--timeout <TIME>': is not a number"),
        (&["--timeout"], "a value is required for '--timeout <TIME>'"),
        (&["--net", "all", "true"], "invalid value 'all' for '--net <NET>' [possible values: none, host]"),
        (&["--share", "pids", "true"], "invalid value 'pids' for '--share <KINDS>'"),
        (&["--rlimit", "files=1", "true"], "is not a resource that Linux limits"),
        (&["--rlimit", "nofile=2:1", "true"], "soft limit \"RLIMIT_NOFILE\" is above the hard limit"),
        (&["--cap-add", "root", "true"], "is not a capability that Linux has"),
        (&["--uid-map", "0:1", "true"], "is not INSIDE:OUTSIDE:COUNT"),
        (&["--uid", "-1", "true"], "unexpected argument '-1'"),
        (&["--uid", "4294967295", "true"], "4294967295"),
        (&["--env", "=x", "true"], "the name is empty"),
        (&["--read-only", "true"], "required arguments were not provided"),
        (&["--bind", "/no/such/file", "true"], "bind source /no/such/file: ENOENT"),
        (&["--bind", "/etc:relative", "true"], "mount target \"relative\" is not an absolute path"),
        (&["--tmpfs", "/no/such/place", "true"], "mount target /no/such/place does not exist"),
        (&["--tmpfs", "/srv:1x", "true"], "is not a number, or one with k, m or g"),
        (&["--hostname", "", "true"], "host or domain name \"\" is empty"),
        (&["--sysctl", "kernel.core_pattern=x", "true"], "it would change the host"),
        (&["--workdir", "/no/such/place", "true"], "change directory to /no/such/place: ENOENT"),
        (&["--share", "uts", "--hostname", "x", "true"], "needs a new uts namespace"),
    ];
    for user in users() {
        for (args, part) in cases {
            let output = user.run(args);
            assert_eq!(output.status.code(), Some(125), "{args:?} {}: {}", by(&user), errors(&output));
            let message = complaint(&output);
            assert!(message.contains(part), "{args:?} {}: {message}", by(&user));
        }
    }
}

#[test]
fn help_has_examples() {
    for user in users() {
        let text = user.text(&["--help"]);
        assert!(text.contains("Examples:\n  isolate ") && text.contains("--time-offset <TIME>"), "{text}");
        assert!(text.lines().all(|line| line.len() <= 110), "{text}");
        assert!(user.text(&["--version"]).starts_with("isolate "));
        // What follows the program is the program's.
        assert_eq!(user.text(&["echo", "--help", "--", "-x"]), "--help -- -x");
    }
}

/// Starts a program that reads lines, and waits until it has said one.
fn start(user: &User, args: &[&str]) -> Child {
    let mut command = user.command(args);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("isolate");
    child.stdin.as_mut().expect("a pipe").write_all(b"ready\n").expect("write");
    child.stdout.as_mut().expect("a pipe").read_exact(&mut [0; 6]).expect("ready");
    child
}

fn signal(child: &Child, signal: Signal) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process");
    kill_process(pid, signal).expect("kill");
}

#[test]
fn signals_reach_the_program() {
    let handles = "trap 'exit 6' TERM INT HUP QUIT; echo ready; while :; do sleep 0.01; done";
    let ignores = "trap '' TERM; trap 'exit 5' INT; echo ready; while :; do sleep 0.01; done";
    for user in users() {
        let cases: [(&[&str], Signal, i32); 9] = [
            (&["cat"], Signal::TERM, 143),
            (&["cat"], Signal::INT, 130),
            (&["cat"], Signal::USR1, 138),
            (&["--init", "cat"], Signal::TERM, 143),
            (&["--share", "pid", "cat"], Signal::TERM, 143),
            // Those of the keyboard are for the whole group.
            (&["sh", "-c", "cat; exit 9"], Signal::INT, 130),
            (&["sh", "-c", handles], Signal::TERM, 6),
            (&["sh", "-c", handles], Signal::HUP, 6),
            (&["--init", "sh", "-c", handles], Signal::QUIT, 6),
        ];
        for (args, sent, code) in cases {
            let mut child = start(&user, args);
            // Standard input stays open: its end would end the program too.
            let _open = child.stdin.take();
            signal(&child, sent);
            let status = child.wait().expect("wait");
            assert_eq!(status.code(), Some(code), "{args:?} {sent:?} {}", by(&user));
        }
        let mut child = start(&user, &["sh", "-c", ignores]);
        signal(&child, Signal::TERM);
        signal(&child, Signal::INT);
        assert_eq!(child.wait().expect("wait").code(), Some(5));
    }
}

#[test]
fn the_program_ends_with_isolate() {
    for user in users() {
        let mut child = start(&user, &["sh", "-c", "echo ready; exec sleep 60"]);
        child.kill().expect("kill");
        // The pipe ends with the last process that holds it.
        let mut rest = String::new();
        child.stdout.as_mut().expect("a pipe").read_to_string(&mut rest).expect("the end");
        child.wait().expect("wait");
    }
}

#[test]
fn standard_streams_are_the_callers() {
    for user in users() {
        let mut command = user.command(&["sh", "-c", "cat; echo error >&2"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("isolate");
        child.stdin.take().expect("a pipe").write_all(b"through\n").expect("write");
        let output = child.wait_with_output().expect("output");
        assert_eq!((output.stdout.as_slice(), errors(&output).as_str()), (&b"through\n"[..], "error\n"));
    }
}

#[test]
fn the_terminal_is_there_if_the_session_is_kept() {
    let script = Command::new("script").arg("--version").output();
    require!(script.is_ok(), "the program script(1)");
    // As the caller: the terminal would not belong to the ordinary user that root becomes.
    let users = users();
    require!(!users.is_empty(), "namespaces");
    let isolate = users[0].program().display();
    for (session, expected) in [("keep", "terminal"), ("new", "none")] {
        let inside = "(: < /dev/tty) 2> /dev/null && echo terminal || echo none";
        let line = format!("{isolate} --session {session} sh -c '{inside}'");
        let output = Command::new("script").args(["-qec", &line, "/dev/null"]).stdin(Stdio::null()).output();
        let output = output.expect("script");
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim_end(), expected, "{line}");
    }
}
