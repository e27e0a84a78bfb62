//! Rules to a cgroup that is at hand as a descriptor, and what is in force there.

use super::{DeviceRules, apply_v1, apply_v2, attach, v1};
use crate::dir::{Dir, Magic};
use crate::{Errno, Error, Result};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::PathBuf;

/// What a cgroup itself has for devices. More may be denied by cgroups above it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeviceState {
    /// On v1: its list, as rules. The kernel does not show what it denies where the default is to allow.
    List(DeviceRules),
    /// On v2: its programs, by their ids.
    Programs {
        /// Those attached by this crate, in whatever process; at most one, but for processes that race.
        ours: Vec<u32>,
        /// Those of others.
        others: Vec<u32>,
    },
}

impl DeviceState {
    /// Reads it from the directory of a cgroup.
    ///
    /// # Errors
    ///
    /// [`Error::NotCgroup`] for another directory; [`Error::Open`] where the v1 hierarchy has no device controller;
    /// [`Error::Read`], [`Error::Parse`]; [`Error::DeviceProgram`].
    ///
    /// # Privileges
    ///
    /// On v2 `CAP_NET_ADMIN`, and `CAP_SYS_ADMIN` if there are programs; in the host's user namespace.
    pub fn read(cgroup: BorrowedFd<'_>) -> Result<Self> {
        let (dir, magic) = directory(cgroup)?;
        match magic {
            Magic::V1 => Ok(Self::List(v1::read(&dir)?.rules())),
            Magic::V2 => {
                let programs = attach::programs(&dir)?;
                let ours = programs.ours.iter().map(|ours| ours.0).collect();
                Ok(Self::Programs { ours, others: programs.others })
            }
        }
    }
}

impl DeviceRules {
    /// Puts the rules in force for the cgroup with this directory, in place of those that were applied before; for
    /// one that is not held as a [`Cgroup`](crate::Cgroup). They are for each open of a node that follows, and each
    /// `mknod`, not for what is open already.
    ///
    /// On v2 that is one step. On v1 it is several: if these and the rules before both have more than they deny, or
    /// both less, nothing that both allow is denied at any moment; otherwise there is a moment in which everything is
    /// denied or allowed, so it is better done before there are processes. If one step fails, those before are undone.
    ///
    /// # Errors
    ///
    /// [`Error::DeviceRules`] before anything is changed; [`Error::NotCgroup`] for another directory; on v1
    /// [`Error::Write`], with `EPERM` for what the cgroup above does not allow, and with `EINVAL` for a change between
    /// allowing and denying by default in a cgroup that has others below; on v2 [`Error::DeviceProgram`].
    ///
    /// # Privileges
    ///
    /// On v1 `CAP_SYS_ADMIN`, on v2 `CAP_BPF`, `CAP_NET_ADMIN`, and `CAP_SYS_ADMIN` if there are programs already; in
    /// the host's user namespace.
    pub fn apply_to(&self, cgroup: BorrowedFd<'_>) -> Result<()> {
        match directory(cgroup)? {
            (dir, Magic::V1) => apply_v1(&dir, self),
            (dir, Magic::V2) => apply_v2(&dir, self),
        }
    }

    /// Takes them out of force, so that only what lies above the cgroup, and programs of others, decide.
    ///
    /// # Errors
    ///
    /// As [`DeviceRules::apply_to`].
    ///
    /// # Privileges
    ///
    /// As [`DeviceRules::apply_to`].
    pub fn remove_from(cgroup: BorrowedFd<'_>) -> Result<()> {
        match directory(cgroup)? {
            (dir, Magic::V1) => apply_v1(&dir, &Self::allow_all()),
            (dir, Magic::V2) => {
                attach::programs(&dir)?.ours.iter().try_for_each(|ours| attach::detach(&dir, &ours.1))
            }
        }
    }
}

fn directory(cgroup: BorrowedFd<'_>) -> Result<(Dir, Magic)> {
    let link = format!("/proc/self/fd/{}", cgroup.as_raw_fd());
    // It is for messages only.
    let path = std::fs::read_link(&link).unwrap_or_else(|_| PathBuf::from(link));
    let fd = cgroup.try_clone_to_owned().map_err(|error| Error::Call {
        call: "fcntl",
        errno: Errno::new(error.raw_os_error().unwrap_or_default()),
    })?;
    let dir = Dir::new(fd, path);
    let magic = dir.magic().ok_or_else(|| Error::NotCgroup { path: dir.path().to_owned() })?;
    Ok((dir, magic))
}
