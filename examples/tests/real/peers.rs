//! What others make of the same image.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::snapshot::{Tree, snapshot};

/// The image that `ci/images/make` makes.
pub const NAME: &str = "localhost/cofferdam-test:three";

/// Whether all of these programs are on PATH.
pub fn installed(programs: &[&str]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    programs
        .iter()
        .all(|program| std::env::split_paths(&path).any(|directory| directory.join(program).exists()))
}

/// Runs a program to its end; it must succeed.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{command:?}: {}\n{text}{errors}", output.status);
    text.trim_end().to_owned()
}

/// What umoci unpacks.
pub fn umoci(layout: &Path, name: &str) -> Tree {
    let place = tempfile::tempdir().expect("a directory");
    let target = place.path().join("root");
    let image = format!("{}:{name}", layout.display());
    run(Command::new("umoci").args(["raw", "unpack", "--image", &image]).arg(&target));
    snapshot(&target)
}

/// An image mounted by podman in a mount namespace of its own, so that the host sees nothing of it.
pub struct Mounted {
    shell: Child,
    root: PathBuf,
}

impl Mounted {
    /// `before` are the words before the shell if it is not root's; `options` say where podman's storage is.
    pub fn new(before: &[String], options: &[String], name: &str) -> Mounted {
        let script = "name=$1; shift; podman \"$@\" image mount \"$name\" && echo && read end; \
            podman \"$@\" image umount \"$name\" >/dev/null";
        let root = ["unshare".to_owned(), "--mount".to_owned()];
        let words = if before.is_empty() { &root[..] } else { before };
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).args(["sh", "-c", script, "sh", name]).args(options);
        let mut shell = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a shell");
        let mut output = BufReader::new(shell.stdout.as_mut().expect("a pipe"));
        let (mut line, mut end) = (String::new(), String::new());
        output.read_line(&mut line).expect("a line");
        // When podman has ended.
        output.read_line(&mut end).expect("a line");
        let inside =
            line.trim_end().strip_prefix('/').unwrap_or_else(|| panic!("podman mounted nothing: {line:?}"));
        let root = PathBuf::from(format!("/proc/{}/root", within(shell.id()))).join(inside);
        Mounted { shell, root }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The file with the ids of its user namespace.
    pub fn id_map(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/uid_map", within(self.shell.id())))
    }
}

/// The youngest of the line of only children: words before a shell may stay around it.
fn within(pid: u32) -> u32 {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    match children.split_whitespace().collect::<Vec<_>>()[..] {
        [child] => within(child.parse().expect("a process")),
        _ => pid,
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        self.shell.wait().expect("the shell of podman");
    }
}

/// Options of podman for a storage of its own.
pub fn storage(directory: &Path, run: &Path) -> Vec<String> {
    let words = ["--root", &directory.display().to_string(), "--runroot", &run.display().to_string()]
        .map(str::to_owned);
    words.into_iter().chain(["--storage-driver".to_owned(), "overlay".to_owned()]).collect()
}
