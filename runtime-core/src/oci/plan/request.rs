//! What a plan is made of, besides the configuration.

use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use oci_spec::runtime::Spec;

use crate::cgroup::Shape;
use crate::start::Streams;

/// A container to be planned.
#[derive(Clone, Debug)]
pub(crate) struct Request<'a> {
    /// The container's id.
    pub(crate) id: &'a str,
    /// The configuration, validated.
    pub(crate) spec: &'a Spec,
    /// The absolute path of the bundle, for relative paths in the configuration.
    pub(crate) bundle: &'a Path,
    /// The standard streams where there is no terminal.
    pub(crate) streams: Streams,
    /// Further descriptors for the program, from number 3 on.
    pub(crate) passed: Vec<BorrowedFd<'a>>,
    /// The cgroup that was made for the container.
    pub(crate) cgroup: CgroupView,
    /// `MS_MOVE` and `chroot` in place of `pivot_root`: for a host whose root is the kernel's initial one.
    pub(crate) no_pivot: bool,
    /// The session keyring stays the caller's.
    pub(crate) no_new_keyring: bool,
    /// A listening `SOCK_SEQPACKET` socket by which the start comes from another process; none if the caller says it.
    pub(crate) listener: Option<BorrowedFd<'a>>,
    /// A directory of the host with a `notify` socket, mounted at `/run/notify` for `sd_notify(3)`.
    pub(crate) notify: Option<PathBuf>,
}

/// What the plan has to know of the container's cgroup.
#[derive(Clone, Debug, Default)]
pub(crate) struct CgroupView {
    /// How the process gets there.
    pub(crate) shape: Shape,
    /// For each hierarchy that is mounted on the host: its mount point there, the container's directory, and for v1 the
    /// options that name it (`cpu,cpuacct`, `name=systemd`); empty for v2.
    pub(crate) hierarchies: Vec<CgroupHierarchy>,
}

/// One hierarchy, as the container will see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CgroupHierarchy {
    /// Where it is mounted on the host.
    pub(crate) mount_point: PathBuf,
    /// The container's cgroup there, as an absolute path of the host.
    pub(crate) directory: PathBuf,
    /// The controllers and the name of a v1 hierarchy, as `mount(2)` takes them; `None` for v2.
    pub(crate) v1_options: Option<String>,
}
