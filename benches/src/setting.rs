//! The surroundings of a case: a large parent, a host with many mounts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};

use crate::Error;
use crate::args::Args;
use crate::case::Case;
use crate::outcome::Outcome;
use crate::stage::Stage;
use crate::sys::{Mapping, Sharing};

/// What must stay free beside the ballast.
const RESERVE: usize = 512 << 20;
/// Touched between two looks at the clock.
const CHUNK: usize = 64 << 20;

/// Touched memory, until dropped.
#[derive(Debug)]
pub(crate) struct Ballast {
    _memory: Mapping,
}

impl Ballast {
    /// Touches `bytes` of memory, before `deadline`.
    pub(crate) fn new(bytes: usize, deadline: Option<Instant>) -> Result<Ballast, Error> {
        let available = available_memory()?;
        if available < bytes + RESERVE {
            let mib = |bytes: usize| bytes >> 20;
            let short =
                format!("{} MiB of memory are available, {} needed", mib(available), mib(bytes + RESERVE));
            return Err(Error::Setting(short));
        }
        let what = || Error::io(format!("map {bytes} bytes"));
        let mut memory = Mapping::new(bytes, Sharing::Private).map_err(what())?;
        memory.small_pages().map_err(what())?;
        for start in (0..bytes).step_by(CHUNK) {
            memory.touch(start..start + CHUNK);
            if deadline.is_some_and(|deadline| Instant::now() > deadline) {
                return Err(Error::Setting(format!("{} MiB could not be touched in time", bytes >> 20)));
            }
        }
        Ok(Ballast { _memory: memory })
    }
}

fn available_memory() -> Result<usize, Error> {
    let text = fs::read_to_string("/proc/meminfo").map_err(Error::io("read /proc/meminfo"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<usize>().ok());
    kib.map(|kib| kib << 10).ok_or_else(|| Error::Setting("/proc/meminfo has no MemAvailable".to_owned()))
}

/// Measures `case` in a process of its own, which gives itself the mounts first.
pub(crate) fn in_own_process(case: Case, args: &Args, deadline: Option<Instant>) -> Result<Outcome, Error> {
    let program = std::env::current_exe().map_err(Error::io("find the bench's own program"))?;
    let mut command = Command::new(program);
    command.args(["--inside", "--case", case.name(), "--samples", &args.flags.samples.to_string()]);
    if args.flags.quick {
        command.arg("--quick");
    }
    if !args.flags.subject.is_empty() {
        command.args(["--subject", &args.flags.subject.join(",")]);
    }
    if let Some(deadline) = deadline {
        let left = deadline.saturating_duration_since(Instant::now()).as_millis();
        command.args(["--budget-ms", &left.to_string()]);
    }
    let output = command.stdin(Stdio::null()).stderr(Stdio::piped()).output();
    let output = output.map_err(Error::io("start the measuring process"))?;
    if !output.status.success() {
        return Err(Error::Inner(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| Error::Inner(error.to_string()))
}

/// Moves this process, which must have a single thread, into a mount namespace with `count` mounts.
///
/// They are shared among themselves, as systemd makes those of a host, but none of them reaches the host. Answers with
/// the folder that holds them all.
pub(crate) fn many_mounts(stage: &Stage, count: usize) -> Result<PathBuf, Error> {
    own_mount_namespace()?;
    let none: Option<&str> = None;
    let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(none, "/", none, flags, none).map_err(Error::errno("make / private"))?;
    let folder = stage.folder("mounts")?;
    tmpfs(&folder)?;
    let info = fs::read_to_string("/proc/self/mountinfo").map_err(Error::io("read /proc/self/mountinfo"))?;
    for index in info.lines().count()..count {
        one_more(&folder, index)?;
    }
    let flags = MsFlags::MS_REC | MsFlags::MS_SHARED;
    mount(none, "/", none, flags, none).map_err(Error::errno("make / shared"))?;
    Ok(folder)
}

/// Takes all mounts of [`many_mounts`] away, so that the folder can be removed.
pub(crate) fn no_mounts(folder: &Path) -> Result<(), Error> {
    umount2(folder, MntFlags::MNT_DETACH).map_err(Error::errno(format!("umount {}", folder.display())))
}

/// Each second one a tmpfs, as of containers' `/dev/shm`, the others binds, as of volumes.
fn one_more(folder: &Path, index: usize) -> Result<(), Error> {
    let target = folder.join(index.to_string());
    fs::create_dir(&target).map_err(Error::io(format!("make {}", target.display())))?;
    if index.is_multiple_of(2) {
        return tmpfs(&target);
    }
    let none: Option<&str> = None;
    let done = mount(Some(&target), &target, none, MsFlags::MS_BIND, none);
    done.map_err(Error::errno(format!("bind {}", target.display())))
}

fn tmpfs(target: &Path) -> Result<(), Error> {
    let options = Some("size=1m");
    let done = mount(Some("tmpfs"), target, Some("tmpfs"), MsFlags::empty(), options);
    done.map_err(Error::errno(format!("mount tmpfs on {}", target.display())))
}

/// Without privilege the mount namespace is one of a user namespace, whose root is the caller.
fn own_mount_namespace() -> Result<(), Error> {
    let (uid, gid) = (geteuid(), getegid());
    if uid.is_root() {
        return unshare(CloneFlags::CLONE_NEWNS).map_err(Error::errno("make a mount namespace"));
    }
    let kinds = CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS;
    unshare(kinds).map_err(Error::errno("make a user and a mount namespace"))?;
    let maps = [
        ("setgroups", "deny".to_owned()),
        ("uid_map", format!("0 {uid} 1")),
        ("gid_map", format!("0 {gid} 1")),
    ];
    for (file, content) in maps {
        let path = format!("/proc/self/{file}");
        fs::write(&path, content).map_err(Error::io(format!("write {path}")))?;
    }
    Ok(())
}
