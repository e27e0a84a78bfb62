//! What the tests share.
#![allow(dead_code, reason = "each test file uses a part")]

#[cfg(feature = "oci")]
pub mod bundle;
pub mod traces;

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use cofferdam::{Command, Error, Output, Root};
use tempfile::TempDir;

/// Ends the test unless something that it needs is there. Says why, and fails instead under `REQUIRE_ALL=1`.
#[macro_export]
macro_rules! require {
    ($present:expr, $what:literal) => {
        if !$present {
            assert!(std::env::var_os("REQUIRE_ALL").is_none(), "required: {}", $what);
            println!("skipped: needs {}", $what);
            return;
        }
    };
}

/// Whether this is root with all that root can do about namespaces.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether the kernel has this version or a later one.
pub fn kernel_is_at_least(major: u32, minor: u32) -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").expect("a release");
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (major, minor)
}

/// How often a test repeats something: a tenth under `SLOW_MACHINE=1`.
pub fn times(usual: usize) -> usize {
    if std::env::var_os("SLOW_MACHINE").is_some_and(|value| value == "1") { usual / 10 } else { usual }
}

/// Whether namespaces can be made at all.
pub fn can_isolate() -> bool {
    // Once: tests that look at all children of the process would see that of another test.
    static CAN: OnceLock<bool> = OnceLock::new();
    *CAN.get_or_init(|| is_root() || !matches!(Command::new("true").status(), Err(Error::Denied { .. })))
}

/// A shell command.
pub fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    // A test that hangs is a test that fails.
    command.args(["-c", script]).timeout(std::time::Duration::from_secs(60));
    command
}

/// What a command writes; it must succeed.
pub fn text(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{error}: {error:?}"));
    success(&output)
}

/// What a program wrote; it must have succeeded.
pub fn success(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?}: {errors}", output.status);
    String::from_utf8(output.stdout.clone()).expect("text").trim_end().to_owned()
}

/// The lines of a file of this process in procfs.
pub fn own(name: &str) -> String {
    std::fs::read_to_string(Path::new("/proc/self").join(name)).expect(name)
}

/// A namespace link of a process.
pub fn namespace(pid: &str, kind: &str) -> String {
    let link = std::fs::read_link(format!("/proc/{pid}/ns/{kind}")).expect("a namespace link");
    link.to_string_lossy().into_owned()
}

/// An almost empty directory that can be a root: the host's programs are bound into it.
pub struct Box {
    pub directory: TempDir,
    binds: Vec<PathBuf>,
}

impl Box {
    pub fn new() -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        open_to_all(directory.path());
        let mut binds = Vec::new();
        for name in ["bin", "sbin", "lib", "lib32", "lib64", "usr"] {
            let host = Path::new("/").join(name);
            match std::fs::read_link(&host) {
                Ok(target) => symlink(target, directory.path().join(name)).expect("symlink"),
                Err(_) if host.is_dir() => {
                    std::fs::create_dir(directory.path().join(name)).expect("mkdir");
                    binds.push(host);
                }
                Err(_) => {}
            }
        }
        Self { directory, binds }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// With the directories that are usually mounted on.
    pub fn with_mount_points() -> Self {
        let new = Self::new();
        for name in ["proc", "sys", "dev", "tmp"] {
            std::fs::create_dir(new.path().join(name)).expect("mkdir");
        }
        new
    }

    /// A shell command with this as the root.
    pub fn shell(&self, script: &str) -> Command {
        let mut command = shell(script);
        command.root(Root::directory(self.path()));
        for bind in &self.binds {
            command.bind_read_only(bind, bind);
        }
        command
    }

    /// What is in it.
    pub fn names(&self) -> Vec<String> {
        names(self.path())
    }
}

/// The names in a directory.
pub fn names(path: &Path) -> Vec<String> {
    let entries =
        std::fs::read_dir(path).expect("a directory").map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<_> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Lets every id use it: root inside may be somebody else outside.
pub fn open_to_all(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).expect("chmod");
}
