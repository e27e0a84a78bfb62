//! containerd by `ctr`, with directories and a socket of its own.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::place::on_terminal;
use crate::{IMAGE, PATIENCE, images, installed, left_over, run, runtime, text};
use crate::{common::errors, require};

struct Containerd {
    place: TempDir,
    daemon: Child,
    runtime: String,
}

/// Without what this test does not use and some machines do not have.
fn settings(place: &Path) -> String {
    let place = place.display();
    format!(
        "version = 2\nroot = \"{place}/root\"\nstate = \"{place}/state\"\n\
         disabled_plugins = [\"io.containerd.grpc.v1.cri\", \"io.containerd.snapshotter.v1.btrfs\", \
         \"io.containerd.snapshotter.v1.zfs\", \"io.containerd.snapshotter.v1.devmapper\", \
         \"io.containerd.snapshotter.v1.aufs\"]\n\
         [grpc]\naddress = \"{place}/socket\"\n[ttrpc]\naddress = \"{place}/socket.ttrpc\"\n"
    )
}

impl Containerd {
    fn new() -> Self {
        let place = tempfile::Builder::new().prefix("cd").tempdir_in("/tmp").expect("a directory");
        let file = place.path().join("config.toml");
        fs::write(&file, settings(place.path())).expect("write");
        let log = fs::File::create(place.path().join("log")).expect("a log");
        let copy = log.try_clone().expect("dup");
        let mut command = Command::new("containerd");
        command.arg("--config").arg(&file).stdin(Stdio::null()).stdout(copy).stderr(log);
        let daemon = command.spawn().expect("containerd");
        let containerd = Self { place, daemon, runtime: runtime().display().to_string() };
        let start = Instant::now();
        while !run(&mut containerd.ctr(&["version"])).status.success() {
            assert!(start.elapsed() < PATIENCE, "containerd does not answer");
            std::thread::sleep(Duration::from_millis(100));
        }
        containerd
    }

    fn ctr(&self, words: &[&str]) -> Command {
        let mut command = Command::new("ctr");
        command
            .arg("--address")
            .arg(self.place.path().join("socket"))
            .args(["--namespace", &self.namespace()])
            .args(words);
        command
    }

    /// A name of its own: the shims keep their files in a directory of the host.
    fn namespace(&self) -> String {
        self.place
            .path()
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default()
            .replace('.', "-")
    }

    /// `ctr run`, with more options, of a program in the image.
    fn run(&self, options: &[&str], name: &str, program: &[&str]) -> Command {
        let before = ["run", "--runc-binary", &self.runtime];
        let words: Vec<&str> =
            before.iter().chain(options).chain(&[IMAGE, name]).chain(program).copied().collect();
        self.ctr(&words)
    }

    fn end(&self, name: &str) {
        run(&mut self.ctr(&["tasks", "kill", "--signal", "KILL", name]));
        let start = Instant::now();
        while !run(&mut self.ctr(&["tasks", "delete", name])).status.success()
            && start.elapsed().as_secs() < 10
        {
            std::thread::sleep(Duration::from_millis(100));
        }
        run(&mut self.ctr(&["containers", "delete", name]));
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        self.end("box");
        let pid = i32::try_from(self.daemon.id()).ok().and_then(Pid::from_raw);
        pid.map(|pid| kill_process(pid, Signal::TERM).unwrap_or_default()).unwrap_or_default();
        self.daemon.wait().expect("containerd");
    }
}

#[test]
#[ignore = "needs real images"]
fn ctr_runs_programs() {
    let images =
        images().filter(|_| rustix::process::geteuid().is_root() && installed(&["containerd", "ctr"]));
    require!(images.is_some(), "root, containerd and images");
    let Some(images) = images else { return };
    let containerd = Containerd::new();
    let archive = images.join("oci.tar").display().to_string();
    text(&mut containerd.ctr(&["images", "import", "--base-name", "localhost/cofferdam-test", &archive]));
    let names = text(&mut containerd.ctr(&["images", "list", "--quiet"]));
    assert!(names.contains(IMAGE), "{names}");
    assert_eq!(text(&mut containerd.run(&["--rm"], "one", &["echo", "hi"])), "hi");
    let output = run(&mut containerd.run(&["--rm"], "two", &["sh", "-c", "exit 7"]));
    assert_eq!(output.status.code(), Some(7), "{}", errors(&output));
    let output = run(&mut containerd.run(&["--rm"], "three", &["no-such-program"]));
    assert!(errors(&output).contains("executable file not found in $PATH"), "{}", errors(&output));
    let (seen, status) = on_terminal(
        &mut containerd.run(
            &["--rm", "--tty"],
            "four",
            &["sh", "-c", "echo ready; read line; echo got $line"],
        ),
        &[("ready", "words\r")],
    );
    assert!(seen.contains("got words") && status.success(), "{seen:?} {status}");
    text(&mut containerd.run(&["--detach"], "box", &["sleep", "1000"]));
    let exec = |name: &str, program: &[&str]| {
        let before = ["tasks", "exec", "--exec-id", name, "box"];
        run(&mut containerd.ctr(&before.iter().chain(program).copied().collect::<Vec<_>>()))
    };
    let output = exec("a", &["cat", "/proc/1/comm"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "sleep\n", "{}", errors(&output));
    assert_eq!(exec("b", &["sh", "-c", "exit 9"]).status.code(), Some(9));
    assert!(text(&mut containerd.ctr(&["tasks", "list"])).contains("RUNNING"));
    text(&mut containerd.ctr(&["tasks", "pause", "box"]));
    text(&mut containerd.ctr(&["tasks", "resume", "box"]));
    containerd.end("box");
    assert_eq!(text(&mut containerd.ctr(&["tasks", "list", "--quiet"])), "");
    let name = containerd.place.path().display().to_string();
    drop(containerd);
    assert_eq!(left_over(&name, Path::new("/run/containerd/runc")), Vec::<String>::new());
}
