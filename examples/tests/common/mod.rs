//! What the tests share: programs of this package, run as the caller and, by root, as an ordinary user too.
#![allow(dead_code, reason = "each test file uses a part")]

pub mod oci;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// An id that no files belong to.
const NOBODY: u32 = 65534;

/// Ends the test unless something that it needs is there. Says why, and fails instead under `REQUIRE_ALL=1`.
#[macro_export]
macro_rules! require {
    ($present:expr, $what:literal) => {
        if !$present {
            $crate::common::skip($what);
            return;
        }
    };
}

pub fn skip(what: &str) {
    assert!(std::env::var_os("REQUIRE_ALL").is_none(), "required: {what}");
    println!("skipped: needs {what}");
}

/// Somebody who runs a program of this package.
pub struct User {
    pub root: bool,
    /// Whom root becomes.
    becomes: Option<u32>,
    /// A copy of the program that this user can reach, and a place for files of the test.
    directory: TempDir,
    program: PathBuf,
}

impl User {
    fn new(program: &Path, becomes: Option<u32>) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        open_to_all(directory.path());
        let copy = directory.path().join(program.file_name().expect("a name"));
        // By another process: a descriptor open for writing here would be inherited by the children of other threads,
        // and a program that is open for writing cannot be executed.
        let copied = Command::new("cp").arg(program).arg(&copy).status().expect("cp");
        assert!(copied.success(), "cp {}", program.display());
        let root = becomes.is_none() && rustix::process::geteuid().is_root();
        Self { root, becomes, directory, program: copy }
    }

    /// The program, with system directories alone in `PATH`.
    pub fn command<S: AsRef<std::ffi::OsStr>>(&self, args: &[S]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(args).env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin").env_remove("TERM");
        command.current_dir(self.path());
        self.become_in(&mut command);
        command
    }

    /// Runs another program as this user.
    pub fn become_in(&self, command: &mut Command) {
        if let Some(id) = self.becomes {
            command.uid(id).gid(id);
        }
    }

    pub fn run<S: AsRef<std::ffi::OsStr>>(&self, args: &[S]) -> Output {
        self.command(args).output().expect("the program")
    }

    /// What the program writes; it must succeed.
    pub fn text(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?} {:?}: {}", output.status, errors(&output));
        String::from_utf8(output.stdout).expect("text").trim_end().to_owned()
    }

    /// A directory where this user and those inside can write.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn program(&self) -> &Path {
        &self.program
    }
}

/// The caller; if that is root, an ordinary user too. Those who cannot make namespaces are left out, with the reason.
pub fn users(program: &str, probe: &str) -> Vec<User> {
    let root = rustix::process::geteuid().is_root();
    let all = std::iter::once(None).chain(root.then_some(Some(NOBODY)));
    all.filter_map(|becomes| {
        let check = User::new(Path::new(probe), becomes).command(&["true"]).output();
        match check {
            Ok(output) if output.status.success() => Some(User::new(Path::new(program), becomes)),
            Ok(output) => none(&format!("namespaces for an ordinary user: {}", errors(&output))),
            Err(error) => {
                none(&format!("a directory for temporary files where programs can be run: {error}"))
            }
        }
    })
    .collect()
}

fn none(what: &str) -> Option<User> {
    skip(what);
    None
}

pub fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub fn open_to_all(path: &Path) {
    fs::set_permissions(path, Permissions::from_mode(0o777)).expect("chmod");
}
