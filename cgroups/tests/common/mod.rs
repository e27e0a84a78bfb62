//! What the integration tests share: cgroups and processes that are gone afterwards, made-up hosts, reasons to skip.
#![allow(dead_code, unused_imports, reason = "each test binary uses a part of this")]

mod again;
mod fake;
mod private;

use cofferdam_cgroups::{Cgroup, Controller, Controllers, Hierarchies, MountEntry, Version};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

pub use again::Again;
pub use fake::FakeTree;
pub use private::{Mounted, in_private_mounts, on_v1_alone};

/// How long a test may wait for what happens at once.
pub const SOON: Duration = Duration::from_secs(10);

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

/// Skips unless the condition holds; the second part is what is needed.
#[macro_export]
macro_rules! require {
    ($condition:expr, $($what:tt)*) => {
        if !$condition {
            $crate::skip!("needs {}", format_args!($($what)*));
        }
    };
}

/// Ends the test where it does not fit the host by nature, and nothing could be done about it: the other version of
/// cgroups, an ordinary user.
#[macro_export]
macro_rules! absent {
    ($($reason:tt)*) => {{
        let reason = format!($($reason)*);
        eprintln!("skipped: {reason}");
        return;
    }};
}

/// Goes on as root only; an ordinary user is not expected to.
#[macro_export]
macro_rules! require_root {
    () => {
        if !$crate::common::is_root() {
            $crate::absent!("needs root");
        }
    };
}

/// A new cgroup with these controllers for this test, or its end: where this user has no delegated cgroup, or where
/// the host does not have a controller.
#[macro_export]
macro_rules! test_cgroup {
    (of $controllers:expr) => {
        match $crate::common::TestCgroup::new($controllers) {
            Ok(cgroup) => cgroup,
            Err($crate::common::Lack::Expected(reason)) => $crate::absent!("{reason}"),
            Err($crate::common::Lack::Fault(reason)) => $crate::skip!("{reason}"),
        }
    };
    ($($controller:expr),* $(,)?) => { $crate::test_cgroup!(of [$($controller),*]) };
}

/// Why there is no cgroup for a test.
#[derive(Debug)]
pub enum Lack {
    /// By nature: this host or this user does not have it.
    Expected(String),
    /// Something that should work and does not.
    Fault(String),
}

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The hierarchies of the host.
pub fn host() -> Hierarchies {
    Hierarchies::discover().expect("the host's cgroups")
}

/// The mount table.
pub fn mounts() -> Vec<MountEntry> {
    MountEntry::parse_table(&std::fs::read("/proc/thread-self/mountinfo").expect("mount table")).0
}

/// Which version serves a controller on this host, if any does.
pub fn version_of(controller: Controller) -> Option<Version> {
    host().hierarchy_of(controller).ok().map(cofferdam_cgroups::Hierarchy::version)
}

/// A controller of v2 on this host, if it has any.
pub fn some_of_v2() -> Option<Controller> {
    all_of(Version::V2).first().copied()
}

/// One that no threaded cgroup can have.
pub fn domain_of_v2() -> Option<Controller> {
    let domain = [Controller::Memory, Controller::Io, Controller::HugeTlb];
    all_of(Version::V2).into_iter().find(|controller| domain.contains(controller))
}

/// All controllers that this host has on a version.
pub fn all_of(version: Version) -> Vec<Controller> {
    let host = host();
    let of = host.iter().filter(|hierarchy| hierarchy.version() == version);
    of.flat_map(|hierarchy| hierarchy.controllers().iter()).collect()
}

/// The directories of a cgroup, by path, to look at it without the code under test; v2 first.
pub fn directories(cgroup: &Cgroup) -> Vec<(Version, PathBuf)> {
    let directory = |(hierarchy, path): (&cofferdam_cgroups::Hierarchy, &cofferdam_cgroups::CgroupPath)| {
        (hierarchy.version(), hierarchy.mount_point().join(path.as_path()))
    };
    cgroup.paths().map(directory).collect()
}

/// The directory of a cgroup for a controller.
pub fn directory_of(cgroup: &Cgroup, controller: Controller) -> PathBuf {
    let hierarchy = cgroup.hierarchies().hierarchy_of(controller).expect("hierarchy of a controller");
    let mut paths = cgroup.paths();
    let part = paths.find(|(part, _)| part.mount_point() == hierarchy.mount_point());
    let (_, path) = part.expect("a cgroup has a directory there");
    hierarchy.mount_point().join(path.as_path())
}

/// What a file says, without white space at its ends.
pub fn read(file: impl AsRef<Path>) -> String {
    let content = std::fs::read_to_string(file.as_ref());
    content.unwrap_or_else(|error| panic!("{}: {error}", file.as_ref().display())).trim().to_owned()
}

/// A name that no other test has, in this process or another.
pub fn unique_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("cofferdam-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A cgroup for one test, killed and removed in the end. It lies in the topmost cgroup that this process may use. There
/// its controllers are enabled, and stay so: other tests may use them meanwhile.
#[derive(Debug)]
pub struct TestCgroup(Cgroup);

impl TestCgroup {
    pub fn new(controllers: impl IntoIterator<Item = Controller>) -> Result<Self, Lack> {
        let controllers: Controllers = controllers.into_iter().collect();
        let host = Hierarchies::discover().map_err(|error| Lack::Fault(error.to_string()))?;
        for controller in controllers.iter() {
            host.hierarchy_of(controller)
                .map_err(|reason| Lack::Expected(format!("{controller}: {reason}")))?;
        }
        let lack = |error: cofferdam_cgroups::Error| match is_root() {
            true => Lack::Fault(error.to_string()),
            false => Lack::Expected(error.to_string()),
        };
        let base = host.base().map_err(lack)?;
        base.enable(controllers).map_err(lack)?;
        base.create(unique_name(), controllers).map(Self).map_err(lack)
    }

    /// A process in it.
    pub fn sleeper(&self) -> Sleeper {
        self.sleeper_in(&self.0)
    }

    /// A process in a cgroup in it.
    pub fn sleeper_in(&self, cgroup: &Cgroup) -> Sleeper {
        let sleeper = Sleeper::start();
        cgroup.add(sleeper.pid()).expect("move a process into the test's cgroup");
        sleeper
    }
}

impl Deref for TestCgroup {
    type Target = Cgroup;

    fn deref(&self) -> &Cgroup {
        &self.0
    }
}

impl Drop for TestCgroup {
    fn drop(&mut self) {
        let removed = self.0.kill(SOON).and_then(|()| self.0.remove(SOON));
        if !std::thread::panicking() {
            removed.expect("remove the test's cgroup");
        }
    }
}

/// A child that waits until this value is dropped, or this process ends.
#[derive(Debug)]
pub struct Sleeper(Child);

impl Sleeper {
    pub fn start() -> Self {
        let mut command = Command::new("cat");
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        Self(command.spawn().expect("start cat"))
    }

    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.0.try_wait().expect("wait for a child").is_some()
    }

    /// Waits until it has ended by `SIGKILL`.
    pub fn was_killed(&mut self) -> bool {
        use std::os::unix::process::ExitStatusExt;
        eventually(|| self.has_ended()) && self.0.wait().expect("status").signal() == Some(libc::SIGKILL)
    }
}

/// A frozen one cannot end, which must not stop the test.
impl Drop for Sleeper {
    fn drop(&mut self) {
        if !self.has_ended() {
            self.0.kill().expect("kill a child");
            let started = Instant::now();
            while !self.has_ended() && started.elapsed() < Duration::from_secs(2) {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

/// Waits for something that is bound to happen; false if it does not.
pub fn eventually(mut happens: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    while started.elapsed() < SOON {
        if happens() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    happens()
}
