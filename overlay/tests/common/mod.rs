//! What the integration tests share: mount namespaces of their own, directories, reasons to skip.
#![allow(dead_code, unused_imports, reason = "each test binary uses a part of this")]

mod dirs;

use std::collections::BTreeSet;
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::mount::MsFlags;
use nix::sched::{CloneFlags, unshare};
use rustix::fs::{Dir, Mode, OFlags};

pub use dirs::{Dirs, METHODS, has, methods, mount_again};

/// Ends the test with a printed reason; fails instead where everything is required.
#[macro_export]
macro_rules! skip {
    ($($reason:tt)*) => {{
        let reason = format!($($reason)*);
        assert!(std::env::var_os("REQUIRE_ALL").is_none_or(|v| v != "1"), "required, but {reason}");
        println!("skipped: {reason}");
        return;
    }};
}

/// Ends the test on a kernel that is too old for it. No setting of the host would help.
#[macro_export]
macro_rules! skip_on_this_kernel {
    ($($why:tt)*) => {{
        println!("skipped: {}", format_args!($($why)*));
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

/// Runs the same test again as root of a new user namespace, in which root is not that of the host.
#[macro_export]
macro_rules! require_user_namespace {
    () => {
        if std::env::var_os($crate::common::INSIDE).is_none() {
            fn here() {}
            $crate::common::run_in_user_namespace(std::any::type_name_of_val(&here));
            return;
        }
    };
}

/// Set in a process that was started by [`run_in_user_namespace`].
pub const INSIDE: &str = "COFFERDAM_OVERLAY_TEST_INSIDE";

/// Starts this test binary for one test, given as `binary::test::here`, in new user and mount namespaces.
pub fn run_in_user_namespace(here: &str) {
    let test = here.split("::").nth(1).expect("a test function");
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    let (uid_map, gid_map) = (format!("0 {uid} 1"), format!("0 {gid} 1"));
    let mut command = Command::new(std::env::current_exe().expect("test binary"));
    command.args([test, "--exact", "--nocapture"]).env(INSIDE, "1");
    let enter = move || {
        unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)?;
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", &uid_map)?;
        fs::write("/proc/self/gid_map", &gid_map)
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
    let map = fs::read_to_string("/proc/self/uid_map").expect("own map");
    is_root() && map.split_whitespace().eq(["0", "0", "4294967295"])
}

/// Runs the body on a thread of its own in a private mount namespace.
pub fn in_private_mounts<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::spawn(|| {
        unshare(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS).expect("new mount namespace");
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        nix::mount::mount(None::<&str>, "/", None::<&str>, private, None::<&str>).expect("private mounts");
        body()
    });
    match thread.join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// A directory that is removed with all in it, after what the calling thread sees mounted there is unmounted.
pub struct Scratch(tempfile::TempDir);

pub fn scratch() -> Scratch {
    Scratch(tempfile::tempdir().expect("temporary directory"))
}

impl Scratch {
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        for line in mounts().iter().rev() {
            let place = line.split(' ').nth(4).unwrap_or_default();
            if Path::new(place).starts_with(self.path()) {
                nix::mount::umount2(place, nix::mount::MntFlags::MNT_DETACH).expect("unmounted");
            }
        }
    }
}

/// What is mounted for the calling thread, a line each.
pub fn mounts() -> Vec<String> {
    let text = fs::read_to_string("/proc/thread-self/mountinfo").expect("mount table");
    text.lines().map(str::to_owned).collect()
}

/// The line of the mount table for what is topmost at a path.
pub fn mounted_at(path: &Path) -> Option<String> {
    let path = path.to_str().expect("a plain path");
    mounts().into_iter().rev().find(|line| line.split(' ').nth(4) == Some(path))
}

/// A directory with a file for each name, whose content is the name of the directory.
pub fn directory(parent: &Path, name: &str, files: &[&str]) -> PathBuf {
    let path = parent.join(name);
    fs::create_dir_all(&path).expect("directory");
    for file in files {
        fs::write(path.join(file), name).expect("file");
    }
    path
}

/// The names in a directory or mount.
pub fn names(directory: impl AsFd) -> BTreeSet<String> {
    let open = rustix::fs::openat(directory, ".", OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty());
    let entries = Dir::read_from(open.expect("open a directory")).expect("read a directory");
    let names = entries.map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned());
    names.filter(|name| name != "." && name != "..").collect()
}

/// The content of a file below a directory or mount.
pub fn read(directory: impl AsFd, name: &str) -> String {
    let open = rustix::fs::openat(directory, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    std::io::read_to_string(fs::File::from(open.expect("open a file"))).expect("read a file")
}

/// Writes a file below a directory or mount.
pub fn write(directory: impl AsFd, name: &str, text: &str) -> rustix::io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC;
    let file = rustix::fs::openat(directory, name, flags, Mode::from_raw_mode(0o644))?;
    rustix::io::write(file, text.as_bytes()).map(|written| assert_eq!(written, text.len()))
}

/// What a test may not leave behind in this process: open descriptors and children.
#[derive(Debug, PartialEq, Eq)]
pub struct Belongings {
    descriptors: usize,
    children: String,
}

pub fn belongings() -> Belongings {
    let children = fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
    Belongings { descriptors: fs::read_dir("/proc/self/fd").expect("descriptors").count(), children }
}
