//! What the command line `cofferdam` hands in and out: sockets, notifications, pidfds. The program in the containers is this
//! test itself.

mod common;

use std::fs;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};

use common::User;
use common::oci::{Bundle, PATIENCE, end, receive, users};
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use serde_json::json;

/// Says to a copy of this test what to do in a container.
const TASK: &str = "COFFERDAM_TEST_TASK";

/// A container that runs a task of this test, with the host's libraries.
fn with_task<'a>(user: &'a User, task: &str) -> Bundle<'a> {
    let bundle = Bundle::new(user, &["/tester", "--ignored", "--exact", "inside", "--nocapture"]);
    let tester = bundle.path.join("rootfs/tester");
    let copied = Command::new("cp").arg(std::env::current_exe().expect("this")).arg(&tester).status();
    assert!(copied.expect("cp").success());
    let libraries = ["/lib", "/lib64", "/usr"].into_iter().filter(|path| Path::new(path).is_dir());
    // The root is another's where an ordinary user runs it.
    fs::create_dir_all(bundle.path.join("rootfs/run/notify")).expect("a directory");
    let mount = |path: &str| {
        fs::create_dir_all(bundle.path.join("rootfs").join(&path[1..])).expect("a directory");
        json!({"destination": path, "source": path, "type": "bind", "options": ["rbind", "ro"]})
    };
    bundle.edit(|config| {
        config["mounts"].as_array_mut().expect("a list").extend(libraries.map(mount));
        let variables = config["process"]["env"].as_array_mut().expect("a list");
        variables.push(json!(format!("{TASK}={task}")));
    });
    bundle
}

#[test]
#[ignore = "is run by another test"]
fn inside() {
    let variable = |name| std::env::var(name).unwrap_or_else(|_| "none".to_owned());
    match variable(TASK).as_str() {
        "notify" => {
            let socket = UnixDatagram::unbound().expect("a socket");
            let send = |text: &str| socket.send_to(text.as_bytes(), variable("NOTIFY_SOCKET")).expect("send");
            send("STATUS=nearly");
            send("READY=1\nSTATUS=there");
            std::thread::sleep(PATIENCE);
        }
        "listen" => {
            let said = [variable("LISTEN_FDS"), variable("LISTEN_PID"), std::process::id().to_string()];
            // The first passed one, which is this process's own.
            let own = pidfd_open(getpid(), PidfdFlags::empty()).expect("a pidfd");
            let listener = pidfd_getfd(&own, 3, PidfdGetfdFlags::empty()).expect("descriptor 3");
            let (mut stream, _) = UnixListener::from(listener).accept().expect("a connection");
            stream.write_all(said.join(" ").as_bytes()).expect("write");
        }
        other => panic!("{other} is no task"),
    }
}

/// A command without an output that its container could keep open.
fn quiet(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())
}

fn succeed(mut command: Command) {
    let (status, text) = end(quiet(&mut command).stderr(Stdio::piped()).spawn().expect("cofferdam"));
    assert!(status.success(), "{status}: {text}");
}

/// The three messages that come of a `READY=1`.
fn hear(host: &UnixDatagram) -> [String; 3] {
    [(); 3].map(|()| {
        let mut bytes = [0; 100];
        let count = host.recv(&mut bytes).expect("a message");
        String::from_utf8_lossy(&bytes[..count]).into_owned()
    })
}

#[test]
fn the_readiness_of_the_program_reaches_the_service_manager() {
    for user in users() {
        let bundle = with_task(&user, "notify");
        let path = bundle.path.join("host");
        let host = UnixDatagram::bind(&path).expect("a socket");
        common::open_to_all(&path);
        host.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        for ways in [&[&["create"][..], &["start"]][..], &[&["run", "--detach"]], &[&["run"]]] {
            std::thread::scope(|scope| {
                // The command waits until all was heard.
                let heard = scope.spawn(|| hear(&host));
                // In the foreground it stays.
                let mut stays = None;
                for words in ways {
                    let mut command = bundle.command(&[*words, &[bundle.id.as_str()]].concat());
                    command.env("NOTIFY_SOCKET", &path);
                    match **words {
                        ["run"] => stays = Some(quiet(&mut command).spawn().expect("cofferdam")),
                        _ => succeed(command),
                    }
                }
                let [ready, barrier, main] = heard.join().expect("messages");
                assert_eq!([ready.as_str(), &barrier], ["READY=1", "BARRIER=1"], "{ways:?}");
                assert_eq!(main, format!("MAINPID={}", bundle.pid()), "{ways:?}");
                bundle.text(&["delete", "--force", &bundle.id]);
                if let Some(mut run) = stays {
                    assert_eq!(run.wait().expect("wait").code(), Some(137));
                }
            });
            assert!(bundle.is_gone());
        }
    }
}

/// The command with a socket as its descriptor 3. `for_whom` is what `LISTEN_PID` says, which the shell expands.
fn activated(bundle: &Bundle<'_>, user: &User, listener: &UnixListener, for_whom: &str) -> Command {
    let command = bundle.command(&["run", &bundle.id]);
    let script = format!(
        "exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID={for_whom}; export LISTEN_FDS LISTEN_PID; exec \"$@\""
    );
    let mut shell = Command::new("sh");
    shell.args(["-c", &script, "sh"]).arg(command.get_program()).args(command.get_args());
    shell.stdin(OwnedFd::from(listener.try_clone().expect("dup"))).current_dir(&bundle.path);
    user.become_in(&mut shell);
    shell
}

#[test]
fn sockets_of_the_service_manager_are_the_programs() {
    for user in users() {
        let bundle = with_task(&user, "listen");
        let path = bundle.path.join("socket");
        let listener = UnixListener::bind(&path).expect("a socket");
        common::open_to_all(&path);
        let mut run = activated(&bundle, &user, &listener, "$$");
        let child = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("sh");
        drop(run);
        let mut stream = UnixStream::connect(&path).expect("a connection");
        drop(listener);
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        let mut said = String::new();
        let read = stream.read_to_string(&mut said);
        let output = child.wait_with_output().expect("wait");
        let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(read.is_ok() && output.status.success(), "{read:?} {text}");
        assert_eq!(said, "1 1 1");
        assert!(bundle.is_gone());
    }
}

#[test]
fn sockets_for_another_process_are_not_passed() {
    for user in users() {
        let bundle =
            Bundle::script(&user, "echo ${LISTEN_FDS-none} ${LISTEN_PID-none}; ls /proc/self/fd | grep -c .");
        let listener = UnixListener::bind(bundle.path.join("socket")).expect("a socket");
        let output = activated(&bundle, &user, &listener, "1").output().expect("sh");
        // The streams, and the directory itself.
        assert_eq!(String::from_utf8_lossy(&output.stdout), "none none\n4\n", "{}", common::errors(&output));
    }
}

/// Of which process a pidfd is.
fn process_of(pidfd: &fs::File) -> String {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd())).expect("fdinfo");
    let line = info.lines().find_map(|line| line.strip_prefix("Pid:\t"));
    line.unwrap_or_else(|| panic!("not a pidfd: {info}")).to_owned()
}

#[test]
fn pidfds_of_all_processes_are_handed_out() {
    for user in users() {
        for words in [&["create"][..], &["run", "--detach"]] {
            let bundle = Bundle::new(&user, &["sleep", "1000"]);
            let path = bundle.path.join("socket");
            let listener = UnixListener::bind(&path).expect("a socket");
            common::open_to_all(&path);
            let id = bundle.id.as_str();
            let flags = ["--pidfd-socket", "socket", "--pid-file", "pid"];
            let run = |words: &[&str], rest: &[&str]| {
                succeed(bundle.command(&[words, &flags, &[id], rest].concat()));
                let (pidfd, name) = receive(&listener);
                assert_eq!(name, "pid-fd");
                let pid = fs::read_to_string(bundle.path.join("pid")).expect("the file");
                assert_eq!(process_of(&pidfd), pid, "{words:?}");
                pid
            };
            let first = run(words, &[]);
            assert_eq!(first, bundle.pid().to_string());
            if words == ["create"] {
                bundle.text(&["start", id]);
            }
            let further = run(&["exec", "--detach"], &["sleep", "1000"]);
            assert_ne!(further, first);
            bundle.text(&["delete", "--force", id]);
        }
    }
}

#[test]
fn who_does_not_take_the_pidfd_gets_no_process() {
    for user in users() {
        let bundle = Bundle::new(&user, &["sleep", "1000"]);
        let message = bundle.complaint(&["create", "--pidfd-socket", "socket", &bundle.id], 1);
        assert!(message.starts_with("pidfd socket socket: ENOENT"), "{message}");
        assert!(bundle.is_gone());
        bundle.start();
        let words = ["exec", "--detach", "--pidfd-socket", "socket", &bundle.id, "touch", "/tmp/ran"];
        let message = bundle.complaint(&words, 255);
        assert!(message.starts_with("exec failed: pidfd socket socket: ENOENT"), "{message}");
        assert!(!bundle.path.join("rootfs/tmp/ran").exists());
    }
}

/// The command where no file may grow.
fn without_size(bundle: &Bundle<'_>, user: &User, words: &[&str]) -> std::process::Output {
    let command = bundle.command(words);
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -f 0; exec \"$@\"", "sh"]).arg(command.get_program()).args(command.get_args());
    shell.current_dir(&bundle.path).stdin(Stdio::null());
    user.become_in(&mut shell);
    shell.output().expect("sh")
}

#[test]
fn a_file_that_may_not_grow_is_an_error() {
    for user in users() {
        let bundle = Bundle::new(&user, &["sleep", "1000"]);
        let id = bundle.id.as_str();
        let fails = |words: &[&str]| {
            let output = without_size(&bundle, &user, words);
            assert!(output.status.code().is_some_and(|code| code != 0), "{words:?}: {}", output.status);
            let message = common::oci::complaint(&output);
            assert!(message.contains("EFBIG") || message.contains("File too large"), "{words:?}: {message}");
        };
        for words in [&["create", id][..], &["run", id], &["run", "--detach", id]] {
            fails(words);
            assert!(bundle.is_gone(), "{words:?}");
        }
        fails(&["spec", "--bundle", "rootfs/tmp"]);
        assert!(!bundle.path.join("rootfs/tmp/config.json").exists());
        bundle.start();
        fails(&["exec", "--pid-file", "pid", id, "touch", "/tmp/ran"]);
        assert!(!bundle.path.join("pid").exists() && !bundle.path.join("rootfs/tmp/ran").exists());
        if user.root {
            fails(&["update", "--pids-limit", "20", id]);
        }
        assert_eq!(bundle.status(), "running");
        // What it says is lost, what it does is done.
        let output = without_size(&bundle, &user, &["--log", "log", "delete", "--force", id]);
        assert!(output.status.success(), "{}", common::errors(&output));
        assert!(bundle.is_gone());
    }
}
