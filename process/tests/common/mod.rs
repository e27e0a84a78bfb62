//! What the tests of this crate share.
#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::unwrap_used)]

pub mod held;

use std::fs;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::Path;

use cofferdam_process::{
    Attributes, BoxError, Error, Location, Mount, MountFlags, Namespaces, Plan, Process, Propagation,
    Rendezvous, Slot, Spawner, Stdio, Step, TargetKind,
};

/// Skips the test with a reason, or fails it where everything is required.
#[allow(unused_macros, reason = "not every test binary skips")]
macro_rules! require {
    ($condition:expr, $reason:literal) => {
        if !$condition {
            assert!(std::env::var_os("REQUIRE_ALL").is_none(), "required: {}", $reason);
            eprintln!("skipped: {}", $reason);
            return;
        }
    };
}
#[allow(unused_imports, reason = "not every test binary skips")]
pub(crate) use require;

/// Whether this process is root and may do what root does.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// How often a test repeats something: a tenth under `SLOW_MACHINE=1`.
pub fn times(usual: usize) -> usize {
    if std::env::var_os("SLOW_MACHINE").is_some_and(|value| value == "1") { usual / 10 } else { usual }
}

/// Whether an ordinary user may make user namespaces here. Tried, not guessed.
pub fn user_namespaces() -> bool {
    run_in_user_namespace(Plan::new("true")).is_ok()
}

/// Writes id maps for the new process.
#[derive(Debug)]
pub struct Maps {
    pub uid: String,
    pub gid: String,
}

impl Maps {
    /// Id 0 inside is the caller outside.
    pub fn single() -> Self {
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        Self { uid: format!("0 {uid} 1"), gid: format!("0 {gid} 1") }
    }

    pub fn new(map: &str) -> Self {
        Self { uid: map.to_owned(), gid: map.to_owned() }
    }
}

impl Rendezvous for Maps {
    fn created(&mut self, process: Process<'_>) -> Result<(), BoxError> {
        let file = |name: &str| format!("/proc/{}/{name}", process.pid);
        if !is_root() {
            fs::write(file("setgroups"), "deny")?;
        }
        fs::write(file("uid_map"), &self.uid)?;
        fs::write(file("gid_map"), &self.gid)?;
        Ok(())
    }
}

/// Runs a plan with piped output in a new user namespace (id 0 is the caller) besides its own namespaces.
pub fn run_in_user_namespace(mut plan: Plan) -> Result<String, Error> {
    plan.namespaces |= Namespaces::USER;
    run_mapped(plan, &mut Maps::single())
}

/// Runs a plan with piped output, meeting `rendezvous`.
pub fn run_mapped(mut plan: Plan, rendezvous: &mut dyn Rendezvous) -> Result<String, Error> {
    plan.rendezvous = true;
    plan.stdout = Stdio::Pipe;
    let output = Spawner::new(&plan, &[]).rendezvous(rendezvous).spawn()?.wait_with_output()?;
    Ok(text(&output.stdout))
}

/// Runs a plan with piped output.
pub fn run(mut plan: Plan) -> Result<String, Error> {
    plan.stdout = Stdio::Pipe;
    let output = plan.spawn(&[])?.wait_with_output()?;
    Ok(text(&output.stdout))
}

/// A plan for a shell script.
pub fn shell(script: &str) -> Plan {
    let mut plan = Plan::new("/bin/sh");
    plan.args.extend(["-c".into(), script.into()]);
    plan.env.push(("PATH".into(), "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin".into()));
    plan
}

/// Output without its last newline.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end().to_owned()
}

/// Reads a descriptor to its end.
pub fn read_all(fd: OwnedFd) -> String {
    let mut content = String::new();
    fs::File::from(fd).read_to_string(&mut content).unwrap();
    content
}

/// The numbers of this process's descriptors, and what they are.
pub fn descriptors() -> Vec<(String, String)> {
    let mut list: Vec<_> = fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let target = fs::read_link(entry.path()).ok()?;
            Some((entry.file_name().to_string_lossy().into_owned(), target.display().to_string()))
        })
        .filter(|(_, target)| !target.contains("/fd"))
        .collect();
    list.sort();
    list
}

/// The children of this process, zombies included.
pub fn children() -> String {
    let mut all = String::new();
    for task in fs::read_dir("/proc/self/task").unwrap().filter_map(Result::ok) {
        all.push_str(&fs::read_to_string(task.path().join("children")).unwrap_or_default());
    }
    all
}

/// Makes mounts private and a directory of the host the root, with what a shell needs.
pub fn rooted(plan: &mut Plan, directory: &Path) -> Slot {
    let root = plan.slot("root");
    let private =
        Attributes { propagation: Some(Propagation::Private), recursive: true, ..Attributes::default() };
    plan.namespaces |= Namespaces::MNT;
    plan.steps.push(Step::MountAttributes { mount: Location::path("/"), attributes: private });
    let mount = Mount::bind(Location::path(directory), false).target(None, "/", None).into_slot(root);
    plan.steps.push(Step::Mount(mount));
    for host in ["/bin", "/lib", "/lib64", "/usr"] {
        if Path::new(host).exists() {
            let bind = Mount::bind(Location::path(host), true)
                .attributes(Attributes::set_recursive(MountFlags::RDONLY))
                .target(Some(root), host, Some(TargetKind::Directory));
            plan.steps.push(Step::Mount(bind));
        }
    }
    root
}
