//! The cases: what is asked of every subject, and in which surroundings.

use std::fmt;

use crate::flags::Cases;

/// A kind of namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the kernel's names")]
pub enum Kind {
    User,
    Pid,
    Mnt,
    Ipc,
    Uts,
    Net,
    Cgroup,
}

impl Kind {
    /// Its file in `/proc/PID/ns`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::User => "user",
            Kind::Pid => "pid",
            Kind::Mnt => "mnt",
            Kind::Ipc => "ipc",
            Kind::Uts => "uts",
            Kind::Net => "net",
            Kind::Cgroup => "cgroup",
        }
    }

    /// Its flag for `clone3`.
    pub fn clone_flag(self) -> u64 {
        let flag = match self {
            Kind::User => libc::CLONE_NEWUSER,
            Kind::Pid => libc::CLONE_NEWPID,
            Kind::Mnt => libc::CLONE_NEWNS,
            Kind::Ipc => libc::CLONE_NEWIPC,
            Kind::Uts => libc::CLONE_NEWUTS,
            Kind::Net => libc::CLONE_NEWNET,
            Kind::Cgroup => libc::CLONE_NEWCGROUP,
        };
        u64::from(flag.cast_unsigned())
    }
}

/// The isolation that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// The new namespaces.
    pub kinds: &'static [Kind],
    /// A root of its own with fresh `/proc`, `/dev` and `/tmp`, no capabilities, `no_new_privs`.
    pub sandbox: bool,
}

impl Shape {
    /// Nothing but a process.
    pub const BARE: Shape = Shape { kinds: &[], sandbox: false };
    /// The namespaces of nearly every container.
    pub const NAMESPACES: Shape =
        Shape { kinds: &[Kind::Pid, Kind::Mnt, Kind::Ipc, Kind::Uts], sandbox: false };
    /// These and a network namespace.
    pub const NETWORK: Shape =
        Shape { kinds: &[Kind::Pid, Kind::Mnt, Kind::Ipc, Kind::Uts, Kind::Net], sandbox: false };
    /// These and a user namespace whose root is the caller.
    pub const USER: Shape =
        Shape { kinds: &[Kind::User, Kind::Pid, Kind::Mnt, Kind::Ipc, Kind::Uts], sandbox: false };
    /// Everything.
    pub const SANDBOX: Shape = Shape {
        kinds: &[Kind::User, Kind::Pid, Kind::Mnt, Kind::Ipc, Kind::Uts, Kind::Net, Kind::Cgroup],
        sandbox: true,
    };

    /// Whether a namespace of this kind is new.
    pub fn has(&self, kind: Kind) -> bool {
        self.kinds.contains(&kind)
    }

    /// The flags for `clone3`.
    pub fn clone_flags(&self) -> u64 {
        self.kinds.iter().fold(0, |flags, kind| flags | kind.clone_flag())
    }

    /// Root of the host is needed, as there is no user namespace that would give the rights.
    pub fn needs_root(&self) -> bool {
        !self.kinds.is_empty() && !self.has(Kind::User)
    }
}

/// The surroundings of the spawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// The process and the host as they are.
    Plain,
    /// The caller has touched this many bytes of memory.
    Memory(usize),
    /// The host has this many mounts.
    Mounts(usize),
    /// So many threads spawn at once.
    Threads(usize),
}

/// One case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[expect(missing_docs, reason = "described by `shape` and `setting`")]
pub enum Case {
    Bare,
    Namespaces,
    Network,
    User,
    Sandbox,
    #[value(name = "parent-1GiB", alias = "parent-1gib")]
    Parent1,
    #[value(name = "parent-4GiB", alias = "parent-4gib")]
    Parent4,
    #[value(name = "mounts-600")]
    Mounts,
    #[value(name = "threads-8")]
    Threads,
}

impl Case {
    /// Its name in the command line and in every output.
    pub fn name(self) -> &'static str {
        match self {
            Case::Bare => "bare",
            Case::Namespaces => "namespaces",
            Case::Network => "network",
            Case::User => "user",
            Case::Sandbox => "sandbox",
            Case::Parent1 => "parent-1GiB",
            Case::Parent4 => "parent-4GiB",
            Case::Mounts => "mounts-600",
            Case::Threads => "threads-8",
        }
    }

    /// What is asked of the subjects.
    pub fn shape(self) -> Shape {
        match self {
            Case::Bare => Shape::BARE,
            Case::Namespaces => Shape::NAMESPACES,
            Case::Network => Shape::NETWORK,
            Case::User => Shape::USER,
            _ => Shape::SANDBOX,
        }
    }

    /// Where it is asked.
    pub fn setting(self) -> Setting {
        match self {
            Case::Parent1 => Setting::Memory(1 << 30),
            Case::Parent4 => Setting::Memory(4 << 30),
            Case::Mounts => Setting::Mounts(600),
            Case::Threads => Setting::Threads(8),
            _ => Setting::Plain,
        }
    }
}

impl Cases for Case {
    const SUBJECTS: &'static [&'static str] = &crate::subjects::NAMES;

    // Gigabytes are slow to touch and to fork.
    fn weight(self) -> u32 {
        match self {
            Case::Bare => 1,
            Case::Parent4 => 10,
            _ => 3,
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
