//! podman, as root, with a storage of its own over that of the images.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::place::on_terminal;
use crate::{IMAGE, images, installed, left_over, run, runtime, text};
use crate::{common::errors, require};

struct Podman {
    place: TempDir,
    options: Vec<String>,
}

impl Podman {
    fn new(images: &Path) -> Self {
        // podman takes no long paths.
        let place = tempfile::Builder::new().prefix("cd").tempdir_in("/tmp").expect("a directory");
        // Its own defaults ask for more open files than a container of a CI machine may have.
        let settings = "[containers]\ndefault_ulimits = []\n";
        std::fs::write(place.path().join("containers.conf"), settings).expect("write");
        let path = |name: &str| place.path().join(name).display().to_string();
        let store = format!("overlay.imagestore={}", images.join("storage").display());
        let options = [
            ("--root", path("s")),
            ("--runroot", path("r")),
            ("--tmpdir", path("t")),
            ("--storage-driver", "overlay".to_owned()),
            ("--storage-opt", store),
            ("--events-backend", "file".to_owned()),
            ("--cgroup-manager", "cgroupfs".to_owned()),
            ("--runtime", runtime().display().to_string()),
        ];
        let options = options.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect();
        Self { place, options }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("podman");
        command.env("CONTAINERS_CONF", self.place.path().join("containers.conf"));
        // conmon notes there that memory ran out.
        command.current_dir(self.place.path()).args(&self.options).args(words);
        command
    }

    /// `podman run`, with more options, of a program in the image.
    fn run(&self, options: &[&str], program: &[&str]) -> Command {
        let before = ["run", "--rm", "--network", "none"];
        let words: Vec<&str> = before.iter().chain(options).chain(&[IMAGE]).chain(program).copied().collect();
        self.command(&words)
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        run(&mut self.command(&["rm", "--all", "--force", "--time", "0"]));
    }
}

fn podman() -> Option<Podman> {
    let images =
        images().filter(|_| rustix::process::geteuid().is_root() && installed(&["podman", "conmon"]))?;
    Some(Podman::new(&images))
}

#[test]
#[ignore = "needs real images"]
fn a_program_runs_and_its_exit_code_is_podmans() {
    let podman = podman();
    require!(podman.is_some(), "root, podman and images");
    let Some(podman) = podman else { return };
    assert_eq!(text(&mut podman.run(&[], &["echo", "hi"])), "hi");
    let cases: [(&[&str], i32); 5] = [
        (&["sh", "-c", "exit 7"], 7),
        (&["/etc"], 126),
        (&["no-such-program"], 127),
        (&["/no/such/program"], 127),
        (&["bash", "-c", "exec -a x bash -c 'kill -KILL $BASHPID' & wait $!; exit $?"], 137),
    ];
    for (program, code) in cases {
        let output = run(&mut podman.run(&[], program));
        assert_eq!(output.status.code(), Some(code), "{program:?}: {}", errors(&output));
    }
    let name = podman.place.path().display().to_string();
    drop(podman);
    assert_eq!(left_over(&name, Path::new("/run/cofferdam")), Vec::<String>::new());
}

#[test]
#[ignore = "needs real images"]
fn a_killed_program_is_137() {
    let podman = podman();
    require!(podman.is_some(), "root, podman and images");
    let Some(podman) = podman else { return };
    text(&mut podman.run(&["--detach", "--name", "box"], &["sleep", "1000"]));
    text(&mut podman.command(&["kill", "--signal", "KILL", "box"]));
    // With --rm it goes away by itself: another one is kept to be asked.
    let words = ["create", "--name", "kept", "--network", "none", IMAGE, "sleep", "1000"];
    text(&mut podman.command(&words));
    text(&mut podman.command(&["start", "kept"]));
    text(&mut podman.command(&["kill", "--signal", "KILL", "kept"]));
    assert_eq!(text(&mut podman.command(&["wait", "kept"])), "137");
    assert_eq!(text(&mut podman.command(&["inspect", "--format", "{{.State.Status}}", "kept"])), "exited");
}

#[test]
#[ignore = "needs real images"]
fn a_program_has_a_terminal() {
    let podman = podman();
    require!(podman.is_some(), "root, podman and images");
    let Some(podman) = podman else { return };
    let script = "tty; stty size; echo ready; read line; echo got $line; exit 3";
    let mut command = podman.run(&["-it"], &["sh", "-c", script]);
    let (text, status) = on_terminal(&mut command, &[("ready", "words\r")]);
    assert!(text.contains("/dev/pts/0") && text.contains("got words"), "{text:?}");
    assert_eq!(status.code(), Some(3), "{text:?}");
}

#[test]
#[ignore = "needs real images"]
fn further_programs_run_in_a_container() {
    let podman = podman();
    require!(podman.is_some(), "root, podman and images");
    let Some(podman) = podman else { return };
    text(&mut podman.run(&["--detach", "--name", "box"], &["sleep", "1000"]));
    assert_eq!(text(&mut podman.command(&["exec", "box", "cat", "/proc/1/comm"])), "sleep");
    assert_eq!(
        text(&mut podman.command(&[
            "exec",
            "--user",
            "7:8",
            "--env",
            "A=b",
            "box",
            "sh",
            "-c",
            "id -u; echo $A"
        ])),
        "7\nb"
    );
    for (program, code) in [("no-such-program", 127), ("/etc", 126), ("false", 1)] {
        let output = run(&mut podman.command(&["exec", "box", program]));
        assert_eq!(output.status.code(), Some(code), "{program}: {}", errors(&output));
    }
    let mut command = podman.command(&[
        "exec",
        "-it",
        "box",
        "sh",
        "-c",
        "tty; echo ready; read line; echo got $line; exit 4",
    ]);
    let (text_seen, status) = on_terminal(&mut command, &[("ready", "words\r")]);
    assert!(text_seen.contains("got words") && status.code() == Some(4), "{text_seen:?} {status}");
    assert!(text(&mut podman.command(&["top", "box", "args"])).contains("sleep 1000"));
    text(&mut podman.command(&["pause", "box"]));
    text(&mut podman.command(&["unpause", "box"]));
    text(&mut podman.command(&["stop", "--time", "1", "box"]));
}

#[test]
#[ignore = "needs real images"]
fn memory_is_limited() {
    let podman = podman();
    require!(podman.is_some(), "root, podman and images");
    let Some(podman) = podman else { return };
    let script =
        "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; true";
    let limit = text(&mut podman.run(&["--memory", "64m"], &["sh", "-c", script]));
    assert_eq!(limit, (64_u32 << 20).to_string());
    let script = "x=xxxxxxxx; while :; do x=$x$x; done";
    let output = run(&mut podman.run(&["--memory", "32m", "--memory-swap", "32m"], &["sh", "-c", script]));
    assert_eq!(output.status.code(), Some(137), "{}", errors(&output));
}
