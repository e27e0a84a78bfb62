//! The classic sequence of a container: a new root, what belongs into it, and the rights given up.

use std::ffi::CStr;

use super::calls;
use super::cell::Fault;
use super::child::step;

const NODES: [(&CStr, &CStr); 6] = [
    (c"/dev/null", c"dev/null"),
    (c"/dev/zero", c"dev/zero"),
    (c"/dev/full", c"dev/full"),
    (c"/dev/random", c"dev/random"),
    (c"/dev/urandom", c"dev/urandom"),
    (c"/dev/tty", c"dev/tty"),
];

const LINKS: [(&CStr, &CStr); 5] = [
    (c"/proc/self/fd", c"dev/fd"),
    (c"/proc/self/fd/0", c"dev/stdin"),
    (c"/proc/self/fd/1", c"dev/stdout"),
    (c"/proc/self/fd/2", c"dev/stderr"),
    (c"pts/ptmx", c"dev/ptmx"),
];

const READ_ONLY: [&CStr; 7] =
    [c"proc/sys", c"proc/sysrq-trigger", c"proc/irq", c"proc/bus", c"proc/fs", c"proc/acpi", c"proc/scsi"];

const COVERED: [&CStr; 5] =
    [c"proc/kcore", c"proc/keys", c"proc/timer_list", c"proc/latency_stats", c"proc/sched_debug"];

const QUIET: u64 = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;

/// Makes `root` the root, with fresh `/proc`, `/dev` and `/tmp`, and the old root gone.
#[inline(always)]
pub(super) fn build(root: &CStr) -> Result<(), Fault> {
    step("make / private", calls::mount(None, c"/", None, libc::MS_REC | libc::MS_PRIVATE, None))?;
    step("bind the root", calls::mount(Some(root), root, None, libc::MS_BIND, None))?;
    step("enter the root", calls::chdir(root))?;
    step("mount proc", calls::mount(Some(c"proc"), c"proc", Some(c"proc"), QUIET, None))?;
    protect_proc()?;
    devices()?;
    tmpfs(c"tmp", libc::MS_NOSUID | libc::MS_NODEV, c"mode=1777")?;
    step("pivot_root", calls::pivot_root(c".", c"."))?;
    step("umount the old root", calls::umount(c".", libc::MNT_DETACH))?;
    step("enter /", calls::chdir(c"/"))?;
    Ok(())
}

/// What the host's root could still change or read through procfs without any capability. Which of the files there are
/// depends on the kernel.
#[inline(always)]
fn protect_proc() -> Result<(), Fault> {
    for file in READ_ONLY {
        if there("bind in /proc", calls::mount(Some(file), file, None, libc::MS_BIND, None))? {
            let flags = libc::MS_BIND | libc::MS_REMOUNT | libc::MS_RDONLY | QUIET;
            step("make read-only in /proc", calls::mount(None, file, None, flags, None))?;
        }
    }
    for file in COVERED {
        there("cover in /proc", calls::mount(Some(c"/dev/null"), file, None, libc::MS_BIND, None))?;
    }
    Ok(())
}

/// Whether the file exists.
#[inline(always)]
fn there(name: &'static str, answer: calls::Answer) -> Result<bool, Fault> {
    match answer {
        Err(libc::ENOENT) => Ok(false),
        answer => step(name, answer).map(|_| true),
    }
}

#[inline(always)]
fn devices() -> Result<(), Fault> {
    tmpfs(c"dev", libc::MS_NOSUID, c"mode=755")?;
    for (host, node) in NODES {
        step("make a device's mount point", calls::plain_file(node, 0o666))?;
        // The host's nodes: a user namespace may not make any.
        step("bind a device", calls::mount(Some(host), node, None, libc::MS_BIND, None))?;
    }
    for (to, at) in LINKS {
        step("symlink in /dev", calls::symlink(to, at))?;
    }
    step("mkdir /dev/pts", calls::mkdir(c"dev/pts", 0o755))?;
    let options = c"newinstance,ptmxmode=0666,mode=0620";
    let flags = libc::MS_NOSUID | libc::MS_NOEXEC;
    step("mount devpts", calls::mount(Some(c"devpts"), c"dev/pts", Some(c"devpts"), flags, Some(options)))?;
    step("mkdir /dev/shm", calls::mkdir(c"dev/shm", 0o755))?;
    tmpfs(c"dev/shm", QUIET, c"mode=1777")?;
    step("mkdir /dev/mqueue", calls::mkdir(c"dev/mqueue", 0o755))?;
    step("mount mqueue", calls::mount(Some(c"mqueue"), c"dev/mqueue", Some(c"mqueue"), QUIET, None))
        .map(|_| ())
}

#[inline(always)]
fn tmpfs(target: &CStr, flags: u64, options: &CStr) -> Result<(), Fault> {
    step("mount tmpfs", calls::mount(Some(c"tmpfs"), target, Some(c"tmpfs"), flags, Some(options)))
        .map(|_| ())
}

/// Empties all capability sets and sets `no_new_privs`.
#[inline(always)]
pub(super) fn drop_rights(last_capability: u32) -> Result<(), Fault> {
    for capability in 0..=last_capability {
        step("drop from the bounding set", calls::prctl(libc::PR_CAPBSET_DROP, capability))?;
    }
    step("capset", calls::drop_capabilities())?;
    step("no_new_privs", calls::no_new_privs()).map(|_| ())
}
