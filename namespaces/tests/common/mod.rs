//! What the integration tests share: children in new namespaces, threads of their own, reasons to skip.
#![allow(dead_code, reason = "each test binary uses a part of this")]

use cofferdam_namespaces::IdMap;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

pub use nix::sched::CloneFlags;

/// Ends the test with a printed reason; fails instead where everything is required.
#[macro_export]
macro_rules! skip {
    ($($reason:tt)*) => {{
        let reason = format!($($reason)*);
        assert!(std::env::var_os("REQUIRE_ALL").is_none_or(|v| v != "1"), "required, but {reason}");
        eprintln!("skipped: {reason}");
        return;
    }};
}

/// Skips for an ordinary user, for whom even `REQUIRE_ALL=1` does not expect it: real root is needed.
#[macro_export]
macro_rules! require_root {
    () => {
        if !$crate::common::is_root_of_the_host() {
            eprintln!("skipped: needs root of the host");
            return;
        }
    };
}

/// For root goes on; for an ordinary user runs the same test again as root of a new user namespace.
#[macro_export]
macro_rules! require_root_of_a_namespace {
    () => {
        if !$crate::common::is_root() {
            fn here() {}
            $crate::common::run_in_user_namespace(std::any::type_name_of_val(&here));
            return;
        }
    };
}

/// Starts this test binary for one test, given as `binary::test::here`.
pub fn run_in_user_namespace(here: &str) {
    let test = here.split("::").nth(1).expect("a test function");
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    let (uid_map, gid_map) = (format!("0 {uid} 1"), format!("0 {gid} 1"));
    let mut command = Command::new(std::env::current_exe().expect("test binary"));
    command.args([test, "--exact", "--nocapture"]);
    let enter = move || {
        nix::sched::unshare(CloneFlags::CLONE_NEWUSER)?;
        std::fs::write("/proc/self/setgroups", "deny")?;
        std::fs::write("/proc/self/uid_map", &uid_map)?;
        std::fs::write("/proc/self/gid_map", &gid_map)
    };
    #[allow(unsafe_code)]
    // SAFETY: system calls only; the short paths need no allocation.
    unsafe {
        command.pre_exec(enter);
    }
    match command.status() {
        Ok(status) => assert!(status.success(), "{test} as root of a user namespace: {status}"),
        Err(error) => skip!("user namespaces cannot be made here: {error}"),
    }
}

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Root to whom every id is known.
pub fn is_root_of_the_host() -> bool {
    let map = std::fs::read("/proc/self/uid_map").expect("own map");
    is_root() && IdMap::parse(&map) == Ok(IdMap::identity())
}

/// A process in new namespaces that waits until this value is dropped.
pub struct Sleeper {
    child: Child,
}

impl Sleeper {
    /// `None` if this host does not let the caller make such namespaces.
    pub fn start(flags: CloneFlags) -> Option<Self> {
        let mut command = Command::new("cat");
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        let unshare = move || nix::sched::unshare(flags).map_err(std::io::Error::from);
        #[allow(unsafe_code)]
        // SAFETY: the closure makes one system call and allocates nothing.
        unsafe {
            command.pre_exec(unshare);
        }
        match command.spawn() {
            Ok(child) => Some(Self { child }),
            Err(error) => {
                eprintln!("unshare({flags:?}): {error}");
                None
            }
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn pidfd(&self) -> OwnedFd {
        pidfd_open(Pid::from_child(&self.child), PidfdFlags::empty()).expect("pidfd of a child")
    }

    pub fn proc_dir(&self) -> File {
        File::open(format!("/proc/{}", self.pid())).expect("directory of a child")
    }

    pub fn read(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.pid())).expect("file of a child")
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.child.kill().expect("kill a child");
        self.child.wait().expect("wait for a child");
    }
}

/// Runs the body on a thread of its own that shares no root and working directory, so that its namespaces
/// may change.
pub fn on_own_thread<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::spawn(|| {
        nix::sched::unshare(CloneFlags::CLONE_FS).expect("unshare the file system context");
        body()
    });
    match thread.join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// On a thread of its own in a private mount namespace (root only).
pub fn in_private_mounts<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
    use rustix::mount::{MountPropagationFlags, mount_change};
    on_own_thread(|| {
        stay_on_this_cpu();
        nix::sched::unshare(CloneFlags::CLONE_NEWNS).expect("new mount namespace");
        mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE).expect("private");
        body()
    })
}

/// Linux 6.18 numbers namespaces in batches for each CPU: only those made on one CPU are younger than one
/// another for the rule against mount namespaces that hold themselves. Children inherit it.
fn stay_on_this_cpu() {
    use rustix::thread::{CpuSet, sched_getcpu, sched_setaffinity};
    let mut cpus = CpuSet::new();
    cpus.set(sched_getcpu());
    sched_setaffinity(None, &cpus).expect("stay on a CPU");
}
