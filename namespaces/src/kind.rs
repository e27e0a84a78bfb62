//! The eight kinds of namespace, see `namespaces(7)`.

use crate::{Error, Result};
use std::fmt;
use std::str::FromStr;

/// A kind of namespace.
///
/// `Display` and `FromStr` use the names of the files in `/proc/PID/ns`, for instance `mnt`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Process ids, `pid_namespaces(7)`, Linux 3.8.
    Pid,
    /// Network devices, addresses, routes, ports, `network_namespaces(7)`, Linux 3.0.
    Net,
    /// The mount table, `mount_namespaces(7)`, Linux 3.8.
    Mnt,
    /// System V IPC and POSIX message queues, `ipc_namespaces(7)`, Linux 3.0.
    Ipc,
    /// Host name and NIS domain name, `uts_namespaces(7)`, Linux 3.0.
    Uts,
    /// User and group ids, capabilities, keys, `user_namespaces(7)`, Linux 3.8.
    User,
    /// The root of the visible control group tree, `cgroup_namespaces(7)`, Linux 4.6.
    Cgroup,
    /// Offsets of the monotonic and the boot-time clock, `time_namespaces(7)`, Linux 5.6.
    Time,
}

impl Kind {
    /// Every kind, in the order of their declaration.
    pub const ALL: [Self; 8] =
        [Self::Pid, Self::Net, Self::Mnt, Self::Ipc, Self::Uts, Self::User, Self::Cgroup, Self::Time];

    /// The `CLONE_NEW*` flag that `clone3`, `unshare` and `setns` take.
    ///
    /// `CLONE_NEWTIME` is not accepted by the older `clone(2)`, where this bit belongs to the exit signal.
    pub const fn flag(self) -> u32 {
        match self {
            Self::Pid => 0x2000_0000,
            Self::Net => 0x4000_0000,
            Self::Mnt => 0x0002_0000,
            Self::Ipc => 0x0800_0000,
            Self::Uts => 0x0400_0000,
            Self::User => 0x1000_0000,
            Self::Cgroup => 0x0200_0000,
            Self::Time => 0x0000_0080,
        }
    }

    /// The kind with exactly this `CLONE_NEW*` flag.
    pub const fn from_flag(flag: u32) -> Option<Self> {
        let mut i = 0;
        while i < Self::ALL.len() {
            if Self::ALL[i].flag() == flag {
                return Some(Self::ALL[i]);
            }
            i += 1;
        }
        None
    }

    /// The name of the file in `/proc/PID/ns`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pid => "pid",
            Self::Net => "net",
            Self::Mnt => "mnt",
            Self::Ipc => "ipc",
            Self::Uts => "uts",
            Self::User => "user",
            Self::Cgroup => "cgroup",
            Self::Time => "time",
        }
    }

    /// Whether namespaces of this kind form a tree, so that `NS_GET_PARENT` answers.
    pub const fn is_hierarchical(self) -> bool {
        matches!(self, Self::Pid | Self::User)
    }

    /// The bit in a [`crate::Kinds`].
    pub(crate) const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Kind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or_else(|| Error::ParseKind { text: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_the_kernels() {
        let libc_flags = [
            libc::CLONE_NEWPID,
            libc::CLONE_NEWNET,
            libc::CLONE_NEWNS,
            libc::CLONE_NEWIPC,
            libc::CLONE_NEWUTS,
            libc::CLONE_NEWUSER,
            libc::CLONE_NEWCGROUP,
            0x80,
        ];
        for (kind, flag) in Kind::ALL.into_iter().zip(libc_flags) {
            assert_eq!(i64::from(kind.flag()), i64::from(flag), "{kind}");
            assert_eq!(Kind::from_flag(kind.flag()), Some(kind));
        }
        assert_eq!(Kind::from_flag(0), None);
        assert_eq!(Kind::from_flag(Kind::Pid.flag() | Kind::Net.flag()), None);
    }

    #[test]
    fn names_round_trip() {
        for kind in Kind::ALL {
            assert_eq!(kind.to_string().parse::<Kind>().expect("own name"), kind);
        }
        assert_eq!("mount".parse::<Kind>(), Err(Error::ParseKind { text: "mount".to_owned() }));
    }
}
