//! The one error type of the crate: one variant for each operation that can fail, with its operands.

use crate::{
    Bytes, CgroupPath, Controller, Controllers, DeviceProgramFault, DeviceRulesFault, EnableFault, Errno,
    MoveFault, PathFault, Pressure, Skipped, Version,
};
use std::path::PathBuf;
use std::time::Duration;

/// The result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// What failed, on what, and why.
///
/// `Display` ends with the kernel's name of the reason where the kernel gave one:
/// `write "64M" to /sys/fs/cgroup/job/memory.max: EINVAL (Invalid argument)`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or directory could not be opened.
    #[error("open {path}: {errno}")]
    Open {
        /// The file.
        path: PathBuf,
        /// The kernel's reason.
        errno: Errno,
    },
    /// A file could not be read.
    #[error("read {path}: {errno}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The kernel's reason.
        errno: Errno,
    },
    /// A control file is gone while its cgroup is still there.
    #[error("{path} is gone: its controller was disabled, or the accounting of pressure switched off")]
    Withdrawn {
        /// The file.
        path: PathBuf,
    },
    /// A directory could not be watched.
    #[error("watch {path}: {errno}")]
    Watch {
        /// The directory.
        path: PathBuf,
        /// The kernel's reason.
        errno: Errno,
    },
    /// A pressure trigger was refused.
    #[error("set the pressure trigger \"{trigger}\" in {path}: {errno}{}", trigger.hint(*errno))]
    Trigger {
        /// The pressure file.
        path: PathBuf,
        /// The trigger.
        trigger: Pressure,
        /// The kernel's reason.
        errno: Errno,
    },
    /// A control file refused a value.
    #[error("write {value:?} to {path}: {errno}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What was written, by one call.
        value: String,
        /// The kernel's reason.
        errno: Errno,
    },
    /// A control file took only a part of a value.
    #[error("write {value:?} to {path}: only {written} bytes were taken")]
    ShortWrite {
        /// The file.
        path: PathBuf,
        /// What was to be written.
        value: String,
        /// How many bytes were taken.
        written: usize,
    },
    /// A file does not have the form that the kernel's documents give it.
    #[error("{path} has the line {line:?}: {expected} expected")]
    Parse {
        /// The file.
        path: PathBuf,
        /// The line, or what there is of it.
        line: String,
        /// What was expected.
        expected: &'static str,
    },
    /// A cgroup could not be made.
    #[error("make the cgroup {path}: {errno}")]
    Create {
        /// Its directory.
        path: PathBuf,
        /// The kernel's reason.
        errno: Errno,
    },
    /// A cgroup could not be removed.
    #[error("remove the cgroup {path}: {errno}")]
    Remove {
        /// Its directory.
        path: PathBuf,
        /// The kernel's reason.
        errno: Errno,
    },
    /// The owner of a file of a cgroup could not be changed.
    #[error("give {path} to {owner}: {errno}")]
    Chown {
        /// The file.
        path: PathBuf,
        /// The new owner, with the group if that was to change too: `1000:1000`.
        owner: String,
        /// The kernel's reason.
        errno: Errno,
    },
    /// Something that is no cgroup file system where one was expected.
    #[error("{path} is not on a cgroup file system")]
    NotCgroup {
        /// The directory.
        path: PathBuf,
    },
    /// No cgroup file system is mounted, or none that this process can see.
    #[error("no cgroup file system is mounted")]
    NotMounted,
    /// Cgroup file systems are mounted, and this process can use none of them.
    #[error("no mounted cgroup file system can be used: {}", list(skipped))]
    NoneUsable {
        /// All of them, and why not.
        skipped: Vec<Skipped>,
    },
    /// No hierarchy has the cgroup, or none was chosen to make it in.
    #[error("no hierarchy has a directory for the cgroup {path}")]
    NoPart {
        /// The cgroup.
        path: CgroupPath,
    },
    /// This process's own cgroup is in no hierarchy below what is mounted.
    #[error("the cgroup of this process is outside of what is mounted, or of its cgroup namespace")]
    OwnOutside,
    /// There is no cgroup in which this process may make others.
    #[error(
        "no cgroup is delegated to this process: it may write to none from its own upwards; \
             `systemd-run --user --scope -p Delegate=yes` starts a program in one"
    )]
    NotDelegated,
    /// Refused, as it would be done to all that the hierarchy shows.
    #[error("the cgroup at the mount point {path} cannot be {what}")]
    Root {
        /// What was asked for.
        what: &'static str,
        /// The mount point.
        path: PathBuf,
    },
    /// A cgroup could not be removed as there are processes in it.
    #[error("remove the cgroup {path}: it has processes, {}", list(pids))]
    NotEmpty {
        /// Its directory.
        path: PathBuf,
        /// Some of the processes, as the pid namespace of the caller numbers them; 0 for those outside of it.
        pids: Vec<u32>,
    },
    /// A path cannot be that of a cgroup.
    #[error("path of a cgroup: {0}")]
    Path(#[from] PathFault),
    /// A controller is not there for a cgroup.
    #[error("no controller {controller} for the cgroup {path}: {reason}")]
    NoController {
        /// The controller.
        controller: Controller,
        /// The cgroup.
        path: CgroupPath,
        /// Why it is not there.
        reason: String,
    },
    /// The version of a cgroup does not have what was asked for.
    #[error("cgroup {version} has no {what}")]
    Unsupported {
        /// The version of the hierarchy.
        version: Version,
        /// What it does not have.
        what: &'static str,
    },
    /// A value that cannot be set, found before anything was written.
    #[error("{what} cannot be {value}: {expected}")]
    Value {
        /// The setting.
        what: &'static str,
        /// The value.
        value: String,
        /// What it can be.
        expected: &'static str,
    },
    /// A new limit is below what is used already.
    #[error("{what} cannot be {limit}: {usage} bytes are used")]
    InUse {
        /// The setting.
        what: &'static str,
        /// The limit.
        limit: Bytes,
        /// What is used.
        usage: Bytes,
    },
    /// The kernel took a value and says that it is not valid.
    #[error("{path} was set to {value:?} and is {found:?}")]
    NotTaken {
        /// The file.
        path: PathBuf,
        /// What was written.
        value: String,
        /// What the file says.
        found: String,
    },
    /// Something failed, and of what was done before not everything could be undone.
    #[error("{cause}; not undone: {}", failed.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    NotRestored {
        /// What failed first.
        cause: Box<Error>,
        /// What could not be undone.
        failed: Vec<Error>,
    },
    /// Rules for devices cannot be carried out.
    #[error("device rules: {0}")]
    DeviceRules(#[from] DeviceRulesFault),
    /// The program that decides about devices on v2, or those of others beside it, could not be dealt with.
    #[error(
        "{step} the device program of {path}: {errno}{}{}",
        if reason.is_some() { ": " } else { "" },
        reason.as_ref().map(ToString::to_string).unwrap_or_default()
    )]
    DeviceProgram {
        /// What was done, as a verb.
        step: &'static str,
        /// The directory of the cgroup.
        path: PathBuf,
        /// The kernel's reason.
        errno: Errno,
        /// What that means, where it is known.
        reason: Option<DeviceProgramFault>,
    },
    /// Controllers could not be enabled for the cgroups in a cgroup.
    #[error("enable {controllers}: {why}")]
    Enable {
        /// The controllers.
        controllers: Controllers,
        /// Where it failed, and why.
        why: EnableFault,
    },
    /// A process or thread could not be moved into a cgroup.
    #[error("move {pid} into the cgroup {path}: {why}")]
    Move {
        /// The process or thread.
        pid: u32,
        /// The directory of the cgroup.
        path: PathBuf,
        /// Why not.
        why: MoveFault,
    },
    /// The cgroup is of a threaded type, or in a threaded tree, which this crate does not support; see `cgroup.type`. A
    /// cgroup that has processes and passes on `cpu`, `cpuset` or `pids` is the root of such a tree.
    #[error("the cgroup {path} is in a threaded tree, which is not supported")]
    Threaded {
        /// Its directory.
        path: PathBuf,
    },
    /// A cgroup could not be thawed or killed, as one above it is frozen.
    #[error("the cgroup {path} stays frozen, as one above it is")]
    FrozenAbove {
        /// Its directory.
        path: PathBuf,
    },
    /// Refused, as it would be done to the process that asks for it.
    #[error("the cgroup {path} cannot be {what} by a process in it")]
    Caller {
        /// What was asked for.
        what: &'static str,
        /// Its directory.
        path: PathBuf,
    },
    /// A process could not be killed.
    #[error("kill the process {pid}: {errno}")]
    Signal {
        /// The process.
        pid: u32,
        /// The kernel's reason.
        errno: Errno,
    },
    /// A cgroup could not be locked.
    #[error("lock the cgroup {path}: {errno}")]
    Lock {
        /// Its directory.
        path: PathBuf,
        /// The kernel's reason.
        errno: Errno,
    },
    /// Something did not happen in time.
    #[error("{what} of the cgroup {path} did not happen within {} ms", after.as_millis())]
    Timeout {
        /// What was waited for.
        what: &'static str,
        /// The cgroup.
        path: CgroupPath,
        /// How long.
        after: Duration,
    },
    /// A system call failed that has no file as its operand.
    #[error("{call}: {errno}")]
    Call {
        /// The call.
        call: &'static str,
        /// The kernel's reason.
        errno: Errno,
    },
}

/// Words with commas between.
fn list<T: ToString>(items: &[T]) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

impl Error {
    /// The kernel's error number, where the kernel refused.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::Open { errno, .. }
            | Self::Read { errno, .. }
            | Self::Write { errno, .. }
            | Self::Create { errno, .. }
            | Self::Remove { errno, .. }
            | Self::Chown { errno, .. }
            | Self::DeviceProgram { errno, .. }
            | Self::Signal { errno, .. }
            | Self::Lock { errno, .. }
            | Self::Watch { errno, .. }
            | Self::Trigger { errno, .. }
            | Self::Call { errno, .. } => Some(*errno),
            Self::Enable { why, .. } => why.errno(),
            Self::Move { why, .. } => Some(why.errno()),
            Self::NotRestored { cause, .. } => cause.errno(),
            _ => None,
        }
    }

    /// Whether the reason may be that the cgroup was removed meanwhile: a file is not there, or refuses because it is dead.
    /// The kernel says the same of a file or a device that it does not have; [`Cgroup::exists`](crate::Cgroup::exists) knows.
    pub fn is_gone(&self) -> bool {
        self.errno().is_some_and(|errno| [libc::ENOENT, libc::ENODEV].contains(&errno.number()))
    }
}
