//! A host with something to lose, and the look at it before and after.

use std::fmt::Write;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cofferdam::oci::Error;
use tempfile::TempDir;

use crate::common::bundle::{Bundle, wait};
use crate::common::is_root;

/// Set in a process that runs one test again.
const AGAIN: &str = "COFFERDAM_TEST_AGAIN";

/// Who the test is when it runs again.
const NOBODY: u32 = 65534;

/// One test at a time: they look at all that belongs to this process.
pub fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a test as this user and, as root, again as an ordinary one.
pub fn for_everybody(name: &str, test: impl FnOnce()) {
    let _turn = turn();
    test();
    if is_root() && std::env::var_os(AGAIN).is_none() {
        let (text, passed) = again(name, NOBODY, |_| {});
        assert!(passed && text.contains("1 passed"), "as an ordinary user: {text}");
    }
}

/// Whether this is a process that runs one test again, and what it is told.
pub fn told() -> Option<String> {
    std::env::var(AGAIN).ok()
}

/// One test in a process of its own, as a user, ended after a time: what it wrote and whether it passed.
pub fn again(name: &str, uid: u32, change: impl FnOnce(&mut Command)) -> (String, bool) {
    let directory = TempDir::new().expect("a temporary directory");
    let all = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(directory.path(), all).expect("chmod");
    let copy = directory.path().join("test");
    // Not by this process: a child could hold the copy open for writing, which makes it busy.
    let copied = Command::new("cp").arg(std::env::current_exe().expect("this")).arg(&copy).status();
    assert!(copied.expect("cp").success());
    let mut command = Command::new("timeout");
    command.args(["-k", "5", "120"]).arg(copy).args([name, "--exact", "--nocapture", "--test-threads=1"]);
    command.env(AGAIN, "user").env_remove("TMPDIR").current_dir("/");
    if uid != rustix::process::geteuid().as_raw() {
        command.uid(uid).gid(uid);
    }
    change(&mut command);
    // Not a pipe, which whatever is left of it would keep open.
    let log = directory.path().join("log");
    let file = std::fs::File::create(&log).expect("a log");
    command.stdin(std::process::Stdio::null()).stderr(file.try_clone().expect("a log")).stdout(file);
    let status = command.status().expect("the test again");
    (String::from_utf8_lossy(&std::fs::read(log).expect("a log")).into_owned(), status.success())
}

/// A directory of the host that no container is given.
pub struct Outside {
    directory: TempDir,
    before: String,
}

impl Outside {
    pub fn new() -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        for name in ["keep", "ptmx", "null", "console"] {
            std::fs::write(directory.path().join(name), "host").expect("write");
        }
        std::fs::create_dir(directory.path().join("below")).expect("mkdir");
        // What a runtime with the caller's rights could do, it shall be able to.
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o777)).expect("chmod");
        let before = tree(directory.path());
        Self { directory, before }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Whether something in it is not as it was, or mounted on.
    pub fn is_touched(&self) -> bool {
        tree(self.path()) != self.before || is_in_mounts(self.path())
    }
}

/// All that can be left behind by a container, or changed by it.
pub struct Before {
    descriptors: Vec<String>,
    children: Vec<u32>,
}

impl Before {
    pub fn look() -> Self {
        Self { descriptors: descriptors(), children: children() }
    }

    /// Nothing is left, and nothing outside is touched.
    pub fn assert_same(&self, bundle: &Bundle, outside: &Outside, what: &str) {
        assert_eq!(tree(outside.path()), outside.before, "{what}: the host is not as it was");
        assert!(!is_in_mounts(outside.path()), "{what}: something is mounted on the host");
        assert!(!is_in_mounts(bundle.path()), "{what}: something is mounted in the bundle");
        self.assert_nothing_left(bundle, what);
    }

    /// Nothing is left of a container.
    pub fn assert_nothing_left(&self, bundle: &Bundle, what: &str) {
        assert_eq!(bundle.entries(), [""; 0], "{what}: state is left");
        assert_eq!(bundle.cgroups(), Vec::<PathBuf>::new(), "{what}: cgroups are left");
        self.assert_no_more(what);
    }

    /// There are no processes and descriptors that were not there before.
    pub fn assert_no_more(&self, what: &str) {
        none_stays(&format!("{what}: processes are left"), || new(children(), &self.children));
        none_stays(&format!("{what}: descriptors are left"), || new(descriptors(), &self.descriptors));
    }
}

/// Those that were not there before.
fn new<T: PartialEq>(now: Vec<T>, before: &[T]) -> Vec<T> {
    now.into_iter().filter(|one| !before.contains(one)).collect()
}

/// Fails unless there is none after a while: other tests have processes and files for a moment, before their turn.
fn none_stays<T: std::fmt::Debug>(what: &str, list: impl Fn() -> Vec<T>) {
    let end = Instant::now() + Duration::from_secs(5);
    loop {
        let all = list();
        if all.is_empty() {
            return;
        }
        assert!(Instant::now() < end, "{what}: {all:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Creates a container, runs it to its end and deletes it: what it wrote, or why it could not be.
pub fn attempt(bundle: &Bundle) -> Result<String, Error> {
    let spec = bundle.spec();
    let mut options = bundle.options("box", &spec);
    (options.stdout, options.stderr) = (cofferdam::Stdio::piped(), cofferdam::Stdio::null());
    let mut container = bundle.runtime.create(options)?;
    let result = container.start();
    let mut text = String::new();
    if let (Ok(()), Some(mut stdout)) = (&result, container.stdout.take()) {
        std::io::Read::read_to_string(&mut stdout, &mut text).expect("text");
        wait(&mut container);
    }
    container.delete(true).unwrap_or_else(|error| panic!("{error}"));
    result.map(|()| text)
}

/// Everything about every file below a directory.
fn tree(directory: &Path) -> String {
    let mut text = String::new();
    describe(directory, &mut text);
    text
}

fn describe(path: &Path, text: &mut String) {
    let meta = std::fs::symlink_metadata(path).expect("metadata");
    let content = if meta.is_file() { std::fs::read(path).expect("content") } else { Vec::new() };
    let facts =
        (meta.mode(), meta.uid(), meta.gid(), meta.size(), meta.ino(), meta.mtime(), meta.mtime_nsec());
    writeln!(text, "{} {facts:?} {content:?}", path.display()).expect("text");
    if meta.is_dir() {
        crate::common::names(path).iter().for_each(|name| describe(&path.join(name), text));
    }
}

/// Whether a path is part of the table of mounts.
pub fn is_in_mounts(path: &Path) -> bool {
    crate::common::own("mountinfo").contains(path.to_str().expect("text"))
}

fn descriptors() -> Vec<String> {
    let all = std::fs::read_dir("/proc/self/fd").expect("descriptors");
    let mut all: Vec<String> = all
        .filter_map(|entry| {
            let path = entry.expect("an entry").path();
            let target = std::fs::read_link(&path).ok()?.display().to_string();
            // The one by which they are listed; the sealed init and the caller's user namespace, which are opened once.
            let ours = target.ends_with("/fd") || target.contains("memfd:") || target.starts_with("user:[");
            (!ours).then(|| format!("{} {target}", path.display()))
        })
        .collect();
    all.sort();
    all
}

/// The processes that are children of this one.
pub fn children() -> Vec<u32> {
    let tasks = crate::common::names("/proc/self/task".as_ref());
    // A thread may end meanwhile.
    let of = |task: &String| {
        std::fs::read_to_string(format!("/proc/self/task/{task}/children")).unwrap_or_default()
    };
    let text: String = tasks.iter().map(of).collect();
    text.split_whitespace().map(|pid| pid.parse().expect("a number")).collect()
}

/// The processes that have a mount of this bundle, or are in a cgroup of it.
pub fn processes(bundle: &Bundle) -> Vec<String> {
    let path = bundle.path().to_str().expect("text");
    let cgroup = bundle.config["linux"]["cgroupsPath"].as_str().unwrap_or("no cgroup");
    let belongs = |pid: &String| {
        let read = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
        read("mountinfo").contains(path) || read("cgroup").contains(cgroup)
    };
    let names = crate::common::names("/proc".as_ref()).into_iter();
    names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())).filter(belongs).collect()
}

/// Waits for something that happens soon.
pub fn until(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < end, "{what}: not within 20 seconds");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A listener whose queue is full, so that who connects waits, and the connection that fills it.
pub fn full(path: &Path) -> (OwnedFd, OwnedFd) {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
    let socket = || {
        let flags = SocketFlags::CLOEXEC;
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).expect("a socket")
    };
    let (listener, first) = (socket(), socket());
    let address = SocketAddrUnix::new(path).expect("an address");
    rustix::net::bind(&listener, &address).expect("bind");
    rustix::net::listen(&listener, 0).expect("listen");
    rustix::net::connect(&first, &address).expect("connect");
    (listener, first)
}
