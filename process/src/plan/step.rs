//! The steps of a plan.

use std::ffi::OsString;
use std::path::PathBuf;

use super::{
    Attributes, ClockOffset, Credentials, Device, Expected, FileKind, Location, Mount, Namespaces, Open,
    Resource, Slot, TargetKind, Test,
};

/// One thing that the init does. Each step is small enough to be named in an error.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Enters new namespaces (`unshare(2)`). A new pid namespace holds children only.
    Unshare(Namespaces),
    /// Joins namespaces (`setns(2)`): all `kinds` of a process by its pidfd, or the one of an nsfs descriptor.
    /// Pid and time namespaces hold children only: a [`Fork`](Self::Fork) has to follow.
    Join {
        /// A pidfd or an nsfs descriptor.
        from: Slot,
        /// Which namespaces.
        kinds: Namespaces,
    },
    /// Goes on in a second process, which is in the pid namespace joined before. The caller's child is then
    /// that process.
    Fork,
    /// Enters a new time namespace with these offsets. Before the first `Fork` or exec only.
    TimeOffsets {
        /// Of `CLOCK_MONOTONIC`.
        monotonic: ClockOffset,
        /// Of `CLOCK_BOOTTIME`.
        boottime: ClockOffset,
        /// A directory descriptor of a procfs that shows the init.
        proc: Slot,
    },
    /// Moves the process into a cgroup v1 by writing `0` to its open `tasks` file. A cgroup namespace that is to be rooted
    /// there must be made after it, by [`Unshare`](Self::Unshare), and not with the process.
    EnterCgroup {
        /// The `tasks` file, open for writing.
        tasks: Slot,
    },
    /// Makes, clones, configures and attaches a mount.
    Mount(Mount),
    /// Changes attributes of a mount that is attached already (`mount_setattr(2)`).
    MountAttributes {
        /// The mount.
        mount: Location,
        /// What changes.
        attributes: Attributes,
    },
    /// Detaches the mount at a location (`umount2(2)`, `MNT_DETACH`).
    Unmount(PathBuf),
    /// Opens a file (`openat2(2)`).
    Open {
        /// Where it is.
        location: Location,
        /// How it is opened.
        how: Open,
        /// The slot for its descriptor.
        into: Slot,
    },
    /// Makes sure that a mount target exists in a root and opens a handle on it. What a symbolic link leads to is made in the
    /// root, too; the target of a [`Mount`](Self::Mount) is not made where a link leads to nothing.
    MakeTarget {
        /// The root in which the path is resolved.
        root: Slot,
        /// The path.
        path: PathBuf,
        /// What it is made as.
        kind: TargetKind,
        /// The slot for the handle.
        into: Slot,
    },
    /// Makes a directory; one that exists already is accepted.
    Directory {
        /// Where; its parent must exist.
        location: Location,
        /// Permission bits, less the umask.
        mode: u32,
    },
    /// Makes a symbolic link.
    Symlink {
        /// Where.
        location: Location,
        /// What it says.
        target: PathBuf,
    },
    /// Makes a device node, fifo, socket or regular file (`mknod(2)`).
    Node {
        /// Where.
        location: Location,
        /// Its type.
        kind: FileKind,
        /// Permission bits, less the umask.
        mode: u32,
        /// The device number, zero but for devices.
        device: Device,
    },
    /// Checks what an open descriptor really is.
    Verify {
        /// The descriptor.
        file: Slot,
        /// What it must be.
        expected: Expected,
    },
    /// Carries out some of two lists of steps, which are about files and mounts only.
    If {
        /// What is looked at.
        test: Test,
        /// If it holds.
        then: Vec<Step>,
        /// If it does not.
        otherwise: Vec<Step>,
    },
    /// Writes a file in one call; it must exist.
    Write {
        /// The file; resolved beneath its directory, without symbolic links.
        location: Location,
        /// The content.
        content: Vec<u8>,
    },
    /// Writes a file of procfs in one call: `self/attr/exec`. It is resolved beneath the procfs, with no link but the
    /// kernel's own `self` and `thread-self`, and through nothing that is mounted in it. Before the step that changes the
    /// user id, where the file belongs to the process.
    ProcWrite {
        /// A directory descriptor of a procfs; without one, it is a procfs of the init's own, which no one else can reach
        /// and which shows the pid namespace of the init.
        proc: Option<Slot>,
        /// The file.
        path: PathBuf,
        /// The content.
        content: Vec<u8>,
    },
    /// Makes an attached mount the root and detaches the old one (`pivot_root(2)`).
    PivotRoot {
        /// A directory descriptor of the new root's mount.
        root: Slot,
    },
    /// Makes the mount attached over `/` the root (`chroot(2)`), where what it hides is nothing: see
    /// [`Plan::mounts_from`](super::Plan::mounts_from).
    ChangeRoot {
        /// A directory descriptor of the new root's mount.
        root: Slot,
    },
    /// Sets the host name.
    Hostname(OsString),
    /// Sets the NIS domain name.
    Domainname(OsString),
    /// Sets a kernel parameter through a procfs of the init's own, which no one else can reach.
    Sysctl {
        /// The name with dots or slashes: `net.ipv4.ip_forward`.
        name: String,
        /// The value.
        value: String,
    },
    /// Brings the loopback interface up.
    LoopbackUp,
    /// Limits a resource (`setrlimit(2)`).
    ResourceLimit {
        /// What is limited.
        resource: Resource,
        /// The soft limit; `u64::MAX` is unlimited.
        soft: u64,
        /// The hard limit.
        hard: u64,
    },
    /// Sets how eagerly the OOM killer takes the process, -1000 to 1000. Lowering needs `CAP_SYS_RESOURCE`.
    OomScoreAdjust {
        /// The value.
        value: i32,
        /// A directory descriptor of a procfs that shows the init.
        proc: Slot,
    },
    /// Changes ids, groups and capabilities.
    Credentials(Credentials),
    /// Sets the securebits (`prctl(2)`).
    Securebits(u32),
    /// No exec gives new privileges from here on. Cannot be undone.
    NoNewPrivileges,
    /// Sets the file mode creation mask.
    Umask(u32),
    /// Changes the working directory and checks that it lies inside the root. After a
    /// [`TryWorkingDirectory`](Self::TryWorkingDirectory) that has done so nothing is left to do.
    WorkingDirectory(PathBuf),
    /// The same before a change of ids, which may take the right to enter it away or give it. If it may not be entered
    /// (`EACCES`), the [`WorkingDirectory`](Self::WorkingDirectory) that has to follow tries again.
    TryWorkingDirectory(PathBuf),
    /// Starts a new session, without a controlling terminal (`setsid(2)`).
    NewSession,
    /// The signal that the process gets when the thread that spawned it ends (`PR_SET_PDEATHSIG`). A change
    /// of ids clears it, so it comes after that.
    ParentDeathSignal(i32),
    /// Any system call that needs nothing but data and descriptors.
    Call(RawCall),
    /// Meets the caller: the init stops until [`Rendezvous::sync`](crate::Rendezvous::sync) returned for this
    /// point.
    Sync {
        /// Which meeting this is.
        point: u32,
        /// Descriptors for the caller.
        send: Vec<Slot>,
        /// Slots for the descriptors that the caller sends back, as many as it must send.
        receive: Vec<Slot>,
    },
    /// Closes a descriptor.
    Close(Slot),
}

/// A system call as data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawCall {
    /// Its name, for explanations and errors.
    pub name: String,
    /// Its number on this architecture (`libc::SYS_*`).
    pub number: u32,
    /// Its arguments, six at most.
    pub arguments: Vec<Argument>,
    /// Keeps the result as a descriptor.
    pub into: Option<Slot>,
    /// An errno that counts as success.
    pub tolerate: Option<i32>,
}

/// An argument of a [`RawCall`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    /// A number. Negative numbers in two's complement.
    Number(u64),
    /// A descriptor.
    Descriptor(Slot),
    /// A pointer to a string; a NUL is appended.
    Text(OsString),
    /// A pointer to bytes.
    Bytes(Vec<u8>),
    /// A pointer to a structure with descriptors or pointers inside.
    Structure {
        /// The structure, zero where fields are filled in.
        bytes: Vec<u8>,
        /// The offsets and contents of these fields.
        fields: Vec<(u32, Field)>,
    },
}

/// A field of an [`Argument::Structure`] that is only known in the init.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// A descriptor, as a 32-bit number.
    Descriptor(Slot),
    /// A 64-bit pointer to bytes.
    Pointer(Vec<u8>),
}
