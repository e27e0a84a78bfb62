//! The command line `cofferdam` on a terminal.

mod common;

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::process::{Child, Stdio};
use std::time::Instant;

use common::User;
use common::oci::{Bundle, PATIENCE, receive, users, wait_until};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use serde_json::json;

/// A terminal and what is at its other end.
struct Terminal {
    master: File,
    peer: OwnedFd,
    seen: String,
}

impl Terminal {
    fn new() -> Self {
        let master =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a terminal");
        grantpt(&master).expect("grantpt");
        unlockpt(&master).expect("unlockpt");
        let peer = ioctl_tiocgptpeer(&master, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC);
        let terminal =
            Self { master: master.into(), peer: peer.expect("the other end"), seen: String::new() };
        terminal.resize(33, 111);
        terminal
    }

    fn resize(&self, rows: u16, columns: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.master, size).expect("a size");
    }

    fn stream(&self) -> Stdio {
        self.peer.try_clone().expect("dup").into()
    }

    fn type_in(&mut self, text: &str) {
        self.master.write_all(text.as_bytes()).expect("write");
    }

    /// Reads until a text has come.
    fn expect(&mut self, text: &str) {
        let start = Instant::now();
        while !self.seen.contains(text) {
            assert!(start.elapsed() < PATIENCE, "no {text:?} in {:?}", self.seen);
            let mut fds = [PollFd::new(&self.master, PollFlags::IN)];
            poll(&mut fds, Some(&Timespec { tv_sec: 1, tv_nsec: 0 })).expect("poll");
            if fds[0].revents().contains(PollFlags::IN) {
                let mut buffer = [0; 4096];
                let count = self.master.read(&mut buffer).expect("read");
                self.seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
            }
        }
    }

    fn is_raw(&self) -> bool {
        !tcgetattr(&self.peer).expect("modes").local_modes.intersects(LocalModes::ICANON | LocalModes::ECHO)
    }

    fn run<S: AsRef<std::ffi::OsStr>>(&self, bundle: &Bundle<'_>, args: &[S]) -> Child {
        let mut command = bundle.command(args);
        command.stdin(self.stream()).stdout(self.stream()).stderr(self.stream()).spawn().expect("cofferdam")
    }
}

fn with_terminal<'a>(user: &'a User, script: &str) -> Bundle<'a> {
    let bundle = Bundle::script(user, script);
    bundle.edit(|config| config["process"]["terminal"] = json!(true));
    bundle
}

fn signal(child: &Child, signal: Signal) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(pid, signal).expect("kill");
}

/// What a program with a terminal does.
const SCRIPT: &str = "tty; stty size; trap 'stty size' WINCH; trap 'echo interrupted' INT; echo ready; \
    while ! read -r line; do :; done; echo got $line; read -r line; exit $line";

#[test]
fn the_terminal_here_is_the_programs() {
    for user in users() {
        let bundle = with_terminal(&user, SCRIPT);
        let mut terminal = Terminal::new();
        assert!(!terminal.is_raw());
        let mut child = terminal.run(&bundle, &["run", &bundle.id]);
        terminal.expect("/dev/pts/0\r\n33 111\r\nready");
        assert!(terminal.is_raw());
        terminal.resize(44, 99);
        signal(&child, Signal::WINCH);
        terminal.expect("44 99");
        terminal.type_in("\u{3}");
        terminal.expect("interrupted");
        terminal.type_in("some words\r");
        terminal.expect("got some words");
        terminal.type_in("7\r");
        assert_eq!(child.wait().expect("wait").code(), Some(7));
        assert!(!terminal.is_raw(), "what was changed is restored");
        assert!(bundle.is_gone());
    }
}

#[test]
fn the_terminal_is_restored_however_it_ends() {
    for user in users() {
        let bundle = with_terminal(&user, "echo ready; exec sleep 1000");
        let mut terminal = Terminal::new();
        let mut child = terminal.run(&bundle, &["run", &bundle.id]);
        terminal.expect("ready");
        wait_until("raw", || terminal.is_raw());
        bundle.text(&["kill", &bundle.id, "KILL"]);
        assert_eq!(child.wait().expect("wait").code(), Some(137));
        assert!(!terminal.is_raw());
        // A program that cannot be executed.
        bundle.edit(|config| config["process"]["args"] = json!(["no-such-program"]));
        let mut child = terminal.run(&bundle, &["run", &bundle.id]);
        terminal.expect("executable file not found in $PATH");
        assert_eq!(child.wait().expect("wait").code(), Some(1));
        assert!(!terminal.is_raw());
    }
}

#[test]
fn all_that_the_program_writes_comes_out() {
    for user in users() {
        let script =
            "i=0; while [ $i -lt 20000 ]; do echo 0123456789012345678901234567890123456789; i=$((i+1)); done";
        let bundle = with_terminal(&user, script);
        let output = bundle.run(&["run", &bundle.id]);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 20000 * 42));
    }
}

#[test]
fn the_end_of_input_is_one_for_the_program() {
    for user in users() {
        let bundle = with_terminal(&user, "cat; echo end");
        let mut command = bundle.command(&["run", &bundle.id]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("cofferdam");
        child.stdin.take().expect("a pipe").write_all(b"a line").expect("write");
        let output = child.wait_with_output().expect("wait");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains("a line") && text.ends_with("end\r\n"), "{text:?}");
    }
}

#[test]
fn a_further_program_has_a_terminal_of_its_own() {
    for user in users() {
        let bundle = Bundle::new(&user, &["sleep", "1000"]);
        bundle.start();
        let mut terminal = Terminal::new();
        let mut child = terminal.run(&bundle, &["exec", "--tty", &bundle.id, "sh", "-c", SCRIPT]);
        terminal.expect("33 111\r\nready");
        terminal.type_in("x\r5\r");
        terminal.expect("got x");
        assert_eq!(child.wait().expect("wait").code(), Some(5));
        assert!(!terminal.is_raw());
    }
}

#[test]
fn the_console_socket_gets_the_master() {
    for user in users() {
        let bundle = with_terminal(&user, "echo hello; exec sleep 1000");
        let socket = bundle.path.join("socket");
        let listener = UnixListener::bind(&socket).expect("a socket");
        common::open_to_all(&socket);
        bundle.text(&["create", "--console-socket", "socket", &bundle.id]);
        let (master, _) = receive(&listener);
        bundle.text(&["start", &bundle.id]);
        let mut terminal = Terminal { master, ..Terminal::new() };
        terminal.expect("hello\r\n");
        bundle.text(&[
            "exec",
            "--detach",
            "--tty",
            "--console-socket",
            "socket",
            &bundle.id,
            "echo",
            "again",
        ]);
        let (master, _) = receive(&listener);
        terminal = Terminal { master, ..Terminal::new() };
        terminal.expect("again\r\n");
    }
}
